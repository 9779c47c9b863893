//! What there is at one moment: the store, the provider, the workers, and what is on the wire.
//!
//! All times are relative to the moment, which is tick 0: two moments that differ only in how late it is are one state, and no
//! end of time is needed for the space to be finite.

use alter_domain::model::{Attempt, Connection, ConnectionState, Ended, Lease, Receipt, TokenFacts};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

/// Five seconds.
pub(crate) const TICK: SignedDuration = SignedDuration::from_secs(5);
/// How long an access token lives: longer than a holder may wait before it sends.
const LIFE: SignedDuration = SignedDuration::from_secs(10);

/// That many ticks from now.
pub(crate) fn at(tick: i8) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap().checked_add(TICK * i32::from(tick)).unwrap()
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) doc: Doc,
    pub(crate) provider: Provider,
    pub(crate) workers: [Worker; 3],
    /// Sorted, so that two orders of the same requests are one state.
    pub(crate) wires: Vec<Wire>,
    pub(crate) budget: Budget,
    pub(crate) history: History,
}

/// The connection as it is stored, in so far as a refresh looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Doc {
    pub(crate) seal: u64,
    pub(crate) lease: Option<Lease>,
    pub(crate) status: Status,
    pub(crate) obtained: i8,
    /// Which of the provider's refresh tokens is sealed, and who sealed it.
    pub(crate) pair: u8,
    pub(crate) by: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Active,
    Broken,
    Revoked,
}

/// A provider that rotates and detects reuse.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Provider {
    /// The refresh token that has not been used.
    pub(crate) current: u8,
    pub(crate) dead: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Worker {
    Idle,
    /// Has read, and is about to write its lease.
    Claiming(Doc),
    /// Has the lease since that moment of its own clock, and is about to send.
    Leased(Attempt, i8, u8),
    Waiting(Attempt),
    /// Has a new pair, and is about to store it.
    Holding(Attempt, u8),
    Releasing(Attempt, Ended),
    /// Was told that the token is dead, and is about to say so.
    Judging(Attempt),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Wire {
    pub(crate) worker: usize,
    /// Whether the worker still waits for it.
    pub(crate) awaited: bool,
    pub(crate) token: u8,
    pub(crate) sent: i8,
    pub(crate) answer: Option<Answer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Answer {
    Pair(u8),
    Dead,
}

/// How much may still go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) crashes: u8,
    /// Requests or replies.
    pub(crate) losses: u8,
    /// Requests that are known not to have been sent.
    pub(crate) failures: u8,
    /// Stores that happen although their answer is lost.
    pub(crate) silent_stores: u8,
    pub(crate) stalls: u8,
    pub(crate) revocations: u8,
}

/// What has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct History {
    /// A pair that the provider gave reached nobody who could store it.
    pub(crate) lost: bool,
    /// A holder had its answer, and let its lease end.
    pub(crate) stalled: bool,
    /// A token was sent when the store had a newer one.
    pub(crate) superseded: bool,
    /// A stored pair was replaced by one that is not its successor.
    pub(crate) backwards: bool,
    /// A revoked connection changed.
    pub(crate) revived: bool,
    /// The pair that the provider was told to end, because the connection had been revoked.
    pub(crate) orphan: Option<u8>,
}

impl Doc {
    /// As the vault's own functions take it.
    pub(crate) fn connection(&self, template: &Connection) -> Connection {
        let obtained_at = at(self.obtained);
        let state = match self.status {
            Status::Active => ConnectionState::Active,
            Status::Broken => ConnectionState::Broken { at: at(0), code: "invalid_grant".to_owned() },
            Status::Revoked => ConnectionState::Revoked { at: at(0), receipt: Receipt::Pending },
        };
        Connection {
            seal_version: self.seal,
            lease: self.lease,
            state,
            tokens: TokenFacts {
                obtained_at,
                expires_at: Some(obtained_at.checked_add(LIFE).unwrap()),
                ..template.tokens
            },
            ..template.clone()
        }
    }

    /// What the vault's own functions made of it. Who sealed which pair is no business of theirs.
    pub(crate) fn changed(&self, connection: &Connection) -> Self {
        let status = match connection.state {
            ConnectionState::Active => Status::Active,
            ConnectionState::Broken { .. } => Status::Broken,
            ConnectionState::Revoked { .. } => Status::Revoked,
        };
        // How often it was tried and when first is for the record and for graces that are counted in seconds.
        let lease = connection.lease.map(|lease| Lease {
            first_sent_at: lease.first_sent_at.map(|_| at(0)),
            attempts: 1,
            ..lease
        });
        Self { seal: connection.seal_version, lease, status, ..self.clone() }
    }

    /// What this worker obtained by an exchange of the tokens of this seal version was stored.
    pub(crate) fn was_stored(&self, worker: usize, attempt: &Attempt) -> bool {
        self.by == Some(worker) && self.seal == attempt.seal_version + 1
    }
}

impl State {
    /// A tick later. What is over stays over: how long it has been matters to nobody.
    pub(crate) fn tick(&mut self) {
        if let Some(lease) = &mut self.doc.lease {
            lease.until = lease.until.checked_sub(TICK).unwrap().max(at(0));
        }
        self.doc.obtained = (self.doc.obtained - 1).max(-3);
        for wire in &mut self.wires {
            wire.sent -= 1;
        }
        for worker in &mut self.workers {
            if let Worker::Leased(_, claimed, _) = worker {
                *claimed = (*claimed - 1).max(-3);
            }
        }
    }

    /// Nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.wires.is_empty() && self.workers.iter().all(|worker| *worker == Worker::Idle)
    }

    pub(crate) fn awaited(&self) -> usize {
        self.wires.iter().filter(|wire| wire.awaited).count()
    }

    /// The store has what the provider takes.
    pub(crate) fn in_step(&self) -> bool {
        !self.provider.dead && self.doc.pair == self.provider.current
    }
}

/// A connection to fill in.
pub(crate) fn template() -> Connection {
    let id = Uuid::from_u128(1);
    serde_json::from_value(json!({
        "id": id, "org_id": id, "app_id": id, "provider_id": "toy",
        "principal": { "type": "system" },
        "scopes": [],
        "delivery": { "injection": alter_domain::inject::Injection::bearer(), "allowed_hosts": [] },
        "credential_id": id, "seal_version": 1,
        "tokens": { "obtained_at": at(0), "refreshable": true },
        "state": { "state": "active" }, "live_grants": 1, "created_at": at(0),
    }))
    .unwrap()
}
