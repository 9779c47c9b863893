//! The lease: who may exchange the refresh token of one seal version, and what becomes of the connection by it. Pure: every
//! function takes what was read and gives what is to be written against the version that was read; whoever's write succeeds
//! has made the transition. The protocol around them is `flow::refresh`; the model check runs these very functions.
//!
//! | From | Event | To |
//! |---|---|---|
//! | no lease, or one whose time is over | [`Connection::claim`] | lease of the claimant |
//! | own lease | new tokens: [`Connection::deposit`] | next seal version, no lease |
//! | own lease | a definite no, or nothing sent: [`Connection::release`] | lease that is over |
//! | own lease | outcome unknown, sending again is safe: [`Connection::release`] | lease that is over, and tells of the attempt |
//! | own lease | outcome unknown, sending again is not safe | stays until its time is over |
//! | own lease | the provider says that the token is dead: [`Connection::break_off`] | broken |
//! | another's lease, or broken by another | new tokens that came late: [`Connection::deposit`] | next seal version, at rest for a lease's time |

use alter_api_types::LeaseId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Connection, ConnectionState, TokenFacts};
use crate::oauth::{Grace, Refresh, RefreshKind, RefreshTokenRotation};

/// The right to exchange the refresh token of one seal version, for one holder and a limited time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    pub holder: LeaseId,
    /// Later than the token request's timeout ends: whoever comes after this moment knows that the holder is done or dead. A
    /// lease that was given back ends when it was.
    pub until: Timestamp,
    /// Since when this seal version's refresh token may have reached the provider, sent by this holder or an earlier one that
    /// left no result. Absent when it surely has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sent_at: Option<Timestamp>,
    /// How many holders have tried with this seal version.
    pub attempts: u32,
}

/// What a claimant finds.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// To be written against the version that was read; then the token may be sent.
    Take(Box<Connection>),
    /// Somebody else's lease, until then.
    Wait(Timestamp),
    /// There is nothing to refresh: broken, revoked, or no refresh token.
    Nothing,
}

/// One holder's attempt, as it remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attempt {
    pub holder: LeaseId,
    /// Whose tokens it exchanges.
    pub seal_version: u64,
    /// `first_sent_at` of whoever tried before.
    pub sent_before: Option<Timestamp>,
}

/// How an attempt ended that gave no tokens and no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// Nothing was sent, or the provider said definitely that it did nothing.
    Unused,
    /// The provider may have acted.
    Unknown,
}

/// What to do with new tokens.
#[derive(Debug, Clone, PartialEq)]
pub enum Deposit {
    /// To be written with the tokens, which are sealed for the seal version that it names.
    Put(Box<Connection>),
    /// Somebody stored newer tokens: these are used, ours are forgotten. The provider is not told: to many, revoking one
    /// pair of a line means revoking the line.
    Superseded,
    /// The connection was revoked meanwhile: the provider has to be told of these tokens too.
    Orphaned,
}

/// What a provider's 401 means for the connection as it is by now.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// To be written: the next call refreshes first.
    Put(Box<Connection>),
    /// There is a newer token, or the mark is there already: the call is worth repeating.
    Known,
    /// No other token would do better: it cannot be refreshed, or the provider gave it a moment ago.
    Useless,
}

/// How young a token is whose refusal has another reason than its age, so that a provider that answers 401 to everything does
/// not make every call an exchange.
const YOUNG: SignedDuration = SignedDuration::from_secs(60);

/// Code of a connection whose token has expired and cannot be refreshed.
pub const EXPIRED: &str = "expired";

impl Connection {
    /// Takes the lease for `length` from now, unless it runs. Attempts that left no result are carried on.
    pub fn claim(&self, holder: LeaseId, now: Timestamp, length: SignedDuration) -> Claim {
        if self.state != ConnectionState::Active || !self.tokens.refreshable {
            return Claim::Nothing;
        }
        if let Some(lease) = self.lease.filter(|lease| now < lease.until) {
            return Claim::Wait(lease.until);
        }
        let lease = Lease {
            holder,
            until: now.saturating_add(length).unwrap_or(Timestamp::MAX),
            first_sent_at: Some(self.sent_before().unwrap_or(now)),
            attempts: self.lease.map_or(0, |lease| lease.attempts).saturating_add(1),
        };
        Claim::Take(Box::new(Self { lease: Some(lease), ..self.clone() }))
    }

    /// Since when an earlier holder's request may have reached the provider.
    pub fn sent_before(&self) -> Option<Timestamp> {
        self.lease.and_then(|lease| lease.first_sent_at)
    }

    /// Whether the lease is this holder's, whatever the time.
    pub fn is_leased_by(&self, attempt: &Attempt) -> bool {
        self.seal_version == attempt.seal_version
            && self.lease.is_some_and(|lease| lease.holder == attempt.holder)
    }

    /// Gives the lease back after an attempt without a result. `None`: leave it as it is, because it is no longer ours, or
    /// because the request may still be under way at a provider that would take a second one for theft.
    pub fn release(self, attempt: &Attempt, ended: Ended, refresh: &Refresh, now: Timestamp) -> Option<Self> {
        let lease = self.lease.filter(|_| self.is_leased_by(attempt))?;
        let first_sent_at = match ended {
            Ended::Unused => attempt.sent_before,
            Ended::Unknown => Some(lease.first_sent_at.filter(|first| resend_is_safe(refresh, *first, now))?),
        };
        let lease = Lease { until: now.min(lease.until), first_sent_at, ..lease };
        Some(Self { lease: Some(lease), ..self })
    }

    /// New tokens from this attempt, for whatever the connection is by now.
    ///
    /// A lease that another has taken because we were slow is no obstacle, nor that the other was told that the token is
    /// dead: it was, because we had used it. But wherever somebody else may have sent the old token, the new one is not
    /// exchanged for the `length` of a lease: a request that is under way must have ended before, because once the new token
    /// has been used no provider forgives the old one.
    pub fn deposit(
        self,
        attempt: &Attempt,
        tokens: TokenFacts,
        scopes: Option<Vec<String>>,
        now: Timestamp,
        length: SignedDuration,
    ) -> Deposit {
        let alone = self.is_leased_by(attempt) && attempt.sent_before.is_none();
        let until = now.saturating_add(length).unwrap_or(Timestamp::MAX);
        let rest = Lease { holder: attempt.holder, until, first_sent_at: None, attempts: 0 };
        match self.state {
            ConnectionState::Revoked { .. } => Deposit::Orphaned,
            _ if self.seal_version != attempt.seal_version => Deposit::Superseded,
            ConnectionState::Active | ConnectionState::Broken { .. } => Deposit::Put(Box::new(Self {
                seal_version: attempt.seal_version.saturating_add(1),
                tokens,
                scopes: scopes.unwrap_or(self.scopes),
                lease: (!alone).then_some(rest),
                state: ConnectionState::Active,
                ..self
            })),
        }
    }

    /// The provider said that the token is dead. `None` when that is no longer about the tokens in force, or when another
    /// holder is at it: then it is for the other to say.
    pub fn break_off(self, attempt: &Attempt, code: String, now: Timestamp) -> Option<Self> {
        let ours = self.state == ConnectionState::Active && self.is_leased_by(attempt);
        ours.then(|| Self { lease: None, state: ConnectionState::Broken { at: now, code }, ..self })
    }

    /// Whether a refresh that nobody waits for should wait: another is under way, or the last one failed a moment ago. The
    /// pause grows with the attempts, to a minute.
    pub fn is_resting(&self, now: Timestamp) -> bool {
        self.lease.is_some_and(|lease| {
            let pause = SignedDuration::from_secs(i64::from(lease.attempts.min(12)) * 5);
            lease.until.saturating_add(pause).is_ok_and(|until| now < until)
        })
    }

    /// The provider answered 401 to the token of this seal version.
    pub fn refuse(self, seal_version: u64, now: Timestamp) -> Refusal {
        if self.state != ConnectionState::Active || !self.tokens.refreshable {
            Refusal::Useless
        } else if self.seal_version != seal_version || self.tokens.refused {
            Refusal::Known
        } else if now.duration_since(self.tokens.obtained_at) < YOUNG {
            Refusal::Useless
        } else {
            Refusal::Put(Box::new(Self { tokens: TokenFacts { refused: true, ..self.tokens }, ..self }))
        }
    }

    /// An access token that has expired and cannot be refreshed ends the connection as a dead refresh token does.
    pub fn expire(self, now: Timestamp) -> Option<Self> {
        let over = self.tokens.expires_at.is_some_and(|at| now >= at) && !self.tokens.refreshable;
        let state = ConnectionState::Broken { at: now, code: EXPIRED.to_owned() };
        (over && self.state == ConnectionState::Active).then(|| Self { lease: None, state, ..self })
    }
}

/// Whether a token that was first sent at that moment may be sent again without harm.
///
/// Where it may not, it is sent again all the same once the lease is over: nothing better exists. If the first request never
/// arrived, the second works; if it did arrive, the pair that it gave is lost and the provider's refusal says what is true.
pub fn resend_is_safe(refresh: &Refresh, first_sent_at: Timestamp, now: Timestamp) -> bool {
    match (refresh.kind, refresh.grace) {
        (RefreshKind::Assertion, _) | (_, Grace::Always | Grace::UntilSuccessorUsed) => true,
        (_, Grace::Seconds(seconds)) => {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            now.duration_since(first_sent_at) < SignedDuration::from_secs(seconds)
        }
        (_, Grace::None) => refresh.rotation == RefreshTokenRotation::Never,
    }
}

#[cfg(test)]
pub(crate) mod tests;
