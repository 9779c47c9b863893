//! Refresh: tokens are renewed by one holder of a lease at a time, over all processes, and a new pair is stored before
//! anybody uses it (architecture, section 6).
//!
//! The protocol, whose transitions are the pure functions of `model::lease`:
//!
//! 1. **Open.** All that the exchange needs is opened, and a key to seal its result with is at hand, before anything is
//!    written: a key service that is down costs nothing.
//! 2. **Claim.** The lease is written at the version that was read. One writer wins; the others read again, with growing
//!    pauses, until the holder is done. In one process they all share one flight, which does the reading.
//! 3. **Exchange.** With the intent on the record, and only while the lease is young, the token is sent; a request ends with
//!    its timeout, well before the lease does.
//! 4. **Store.** Connection and tokens are written in one transaction, at the next seal version. Only then is the new pair
//!    handed out. A store that fails or whose answer is lost is repeated: the pair must not be lost, because the one before may
//!    be dead.
//!
//! What can go wrong, and what then holds:
//!
//! * *The holder dies.* The lease runs out. The next holder finds `first_sent_at` and sends the same token again: within the
//!   provider's grace that gives a pair, after it this is still the only thing that can be done (see
//!   [`resend_is_safe`](crate::model::resend_is_safe)).
//!   What it stores then rests for a lease's time: no provider forgives a token that arrives after its successor was used, and
//!   an earlier holder's request may still be under way.
//! * *The answer is lost.* Where sending again is safe the lease is given back at once; else it stays until the request has
//!   surely ended, because two at a time would look like theft (RFC 9700 section 4.14.2).
//! * *The provider says no.* A dead token breaks the connection: the state says *reconnect*, grants keep their ids. Before that
//!   is written the connection is read again: whoever has stored a newer pair, or is about to, is believed first. A refusal of
//!   the client is the operator's to mend and breaks nothing.
//! * *The connection was revoked meanwhile.* The new pair is parked for the revocation worker, which tells the provider.
//! * *The caller hangs up.* The flight is a task of its own and goes on.

mod attempt;
mod exchange;
mod flight;
mod need;
mod read;
mod store;

use std::{sync::Arc, time::Duration};

use alter_api_types::{AppId, ConnectionId, GrantId};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};

pub use need::{Need, keep_alive_at, need, refreshable, token_facts, token_fields};

use self::{
    attempt::{Job, KEEP_ALIVE_AGAIN},
    flight::{Flights, Landed, Seat},
    read::Reading,
};
use crate::{
    egress::EgressRules,
    error::{Error, Result},
    model::{Connection, ConnectionState, ProviderConfig, Refusal, SealedCredential},
    port::HttpClient,
    repo::{Connections, ProviderConfigs},
    state::{CredentialOpener, Ports, Sealer},
};

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// A lease. Longer than `send_within` and `request` together, by more than the clocks of two machines differ; not much
    /// longer, because a dead holder's lease must end within the shortest grace windows that are usual (30 s).
    pub lease: SignedDuration,
    /// From the claim to the token request. A holder that was held up longer does not send any more.
    pub send_within: Duration,
    /// One token request with its whole reply.
    pub request: Duration,
    /// Pauses between two looks at another's lease: they grow from the first to the second.
    pub pauses: (Duration, Duration),
    /// How long a new pair is tried to be stored.
    pub store: Duration,
    /// How long a call that could do with its present token waits for a better one.
    pub soon: Duration,
    /// What is left of a call's time at least, when it has waited for a refresh.
    pub reserve: Duration,
}

impl Timing {
    pub const STANDARD: Self = Self {
        lease: SignedDuration::from_secs(25),
        send_within: Duration::from_secs(5),
        request: Duration::from_secs(15),
        pauses: (Duration::from_millis(25), Duration::from_millis(250)),
        store: Duration::from_secs(60),
        soon: Duration::from_secs(5),
        reserve: Duration::from_secs(1),
    };
}

// A request that is sent as late as it may be ends before the lease does, on machines whose clocks differ by five seconds.
const _: () = {
    let Timing { lease, send_within, request, .. } = Timing::STANDARD;
    assert!(lease.as_secs().unsigned_abs() >= send_within.as_secs() + request.as_secs() + 5);
};

/// Renews tokens. Cheap to clone; clones share their flights.
#[derive(Clone)]
pub struct Refresher(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    ports: Ports,
    opener: CredentialOpener,
    sealer: Sealer,
    http: Arc<dyn HttpClient>,
    rules: EgressRules,
    timing: Timing,
    flights: Arc<Flights>,
}

/// A connection with the tokens in force.
pub type Fresh = (Arc<Connection>, Arc<SealedCredential>);

impl Refresher {
    pub fn new(
        ports: Ports,
        opener: CredentialOpener,
        sealer: Sealer,
        http: Arc<dyn HttpClient>,
        rules: EgressRules,
    ) -> Self {
        let (timing, flights) = (Timing::STANDARD, Arc::default());
        Self(Arc::new(Inner { ports, opener, sealer, http, rules, timing, flights }))
    }

    /// The same with other times, for tests.
    #[must_use]
    pub fn with_timing(&self, timing: Timing) -> Self {
        Self(Arc::new(Inner { timing, ..self.0.as_ref().clone() }))
    }

    /// The same for another runtime, whose connections are its own. Both share their flights.
    #[must_use]
    pub fn with_http(&self, http: Arc<dyn HttpClient>) -> Self {
        Self(Arc::new(Inner { http, ..self.0.as_ref().clone() }))
    }

    /// Tokens that may be used now.
    ///
    /// [`Need::Soon`]: one caller refreshes; the others, and that one when it fails or takes long, go on with the token they
    /// have. [`Need::Now`]: everybody waits for whoever refreshes. Errors: `CredentialRevoked` when the user has to connect
    /// again, `TokenRefreshInProgress` when waiting would leave no time for the call, else what kept the refresh from its end.
    pub async fn fresh(
        &self,
        connection: Arc<Connection>,
        tokens: Arc<SealedCredential>,
        config: Arc<ProviderConfig>,
        need: Need,
        grant_id: GrantId,
        deadline: Instant,
    ) -> Result<Fresh> {
        let present = (connection, tokens);
        match need {
            Need::None => Ok(present),
            Need::Soon => self.soon(present, &config, grant_id, deadline).await,
            Need::Now => self.now(present, &config, grant_id, deadline).await,
        }
    }

    /// The provider answered 401 to a call with this connection's tokens: the next call refreshes first. Says whether the call
    /// is worth repeating: not when no other token would do better.
    pub async fn refused(&self, connection: &Connection) -> Result<bool> {
        if !connection.tokens.refreshable {
            return Ok(false);
        }
        let Inner { ports, .. } = self.0.as_ref();
        let config =
            ProviderConfigs(ports.table.as_ref()).get(connection.app_id, &connection.provider_id).await?;
        let reading = Reading::new(&self.0, connection);
        let mut pauses = reading.pauses();
        loop {
            let Some(found) = reading.read().await? else { return Ok(false) };
            let now = ports.clock.now();
            let version = found.connection.version;
            let marked = match found.connection.value.refuse(connection.seal_version, now) {
                Refusal::Put(marked) => *marked,
                Refusal::Known => return Ok(true),
                Refusal::Useless => return Ok(false),
            };
            let keep_alive_at = keep_alive_at(config.value.definition()?, &marked.tokens);
            match reading.write(marked, version, keep_alive_at).await {
                Ok(_) => return Ok(true),
                Err(error) => pauses.after(error).await?,
            }
        }
    }

    /// Uses the refresh token of a connection that would idle out. Nothing to do is no error. One that cannot be used now rests, so
    /// that it does not stand in the way of those behind it.
    pub async fn keep_alive(&self, app: AppId, id: ConnectionId) -> Result<()> {
        let kept = self.use_idle(app, id).await;
        if kept.is_err()
            && let Err(error) = self.rest(app, id).await
        {
            tracing::debug!(%id, %error, "a refresh token that was not kept alive stays where it is in the list");
        }
        kept
    }

    async fn rest(&self, app: AppId, id: ConnectionId) -> Result<()> {
        let Inner { ports, .. } = self.0.as_ref();
        let connections = Connections(ports.table.as_ref());
        let connection = connections.get(app, id).await?;
        let again = ports.clock.now().saturating_add(KEEP_ALIVE_AGAIN).unwrap_or(Timestamp::MAX);
        connections.update(&connection, Some(again)).await
    }

    async fn use_idle(&self, app: AppId, id: ConnectionId) -> Result<()> {
        let table = self.0.ports.table.as_ref();
        let connection = match Connections(table).get(app, id).await {
            Ok(connection) => connection,
            Err(Error::NotFound(_)) => return Ok(()),
            Err(other) => return Err(other),
        };
        let config = ProviderConfigs(table).find(app, &connection.value.provider_id).await?;
        let definition = config.as_ref().and_then(|config| config.value.definition().ok());
        let due = definition.and_then(|definition| keep_alive_at(definition, &connection.value.tokens));
        let (Some(config), Some(due)) = (config, due) else {
            // Nothing that a later look could use either: it leaves the list.
            return Connections(table).update(&connection, None).await;
        };
        let now = self.0.ports.clock.now();
        if now < due {
            // The entry gives it more time than when it was put on the list.
            return Connections(table).update(&connection, Some(due)).await;
        }
        if connection.value.state != ConnectionState::Active || connection.value.is_resting(now) {
            return Ok(());
        }
        let timing = &self.0.timing;
        let until = Instant::now() + timing.send_within + timing.request + timing.store;
        match self.board(&connection.value, &Arc::new(config.value), false).landed(until).await {
            Some(Landed::Failed(error)) => Err(error),
            Some(Landed::Fresh(..) | Landed::Busy | Landed::Broken | Landed::Revoked) | None => Ok(()),
        }
    }

    /// Returns when no refresh is under way that was when it was called. A process that ends waits for it, so that no pair is
    /// lost between the provider's answer and the store.
    pub async fn settled(&self) {
        self.0.flights.settled().await;
    }

    async fn soon(
        &self,
        present: Fresh,
        config: &Arc<ProviderConfig>,
        grant_id: GrantId,
        deadline: Instant,
    ) -> Result<Fresh> {
        let seat = self.board(&present.0, config, false);
        if !seat.first {
            return Ok(present);
        }
        match seat.landed(deadline.min(Instant::now() + self.0.timing.soon)).await {
            Some(Landed::Fresh(connection, tokens)) => Ok((connection, tokens)),
            Some(Landed::Broken) => Err(broken(&present.0, grant_id)),
            Some(Landed::Revoked) => Err(Error::GrantRevoked { grant_id }),
            Some(Landed::Busy | Landed::Failed(_)) | None => Ok(present),
        }
    }

    async fn now(
        &self,
        present: Fresh,
        config: &Arc<ProviderConfig>,
        grant_id: GrantId,
        deadline: Instant,
    ) -> Result<Fresh> {
        let until = deadline.checked_sub(self.0.timing.reserve).unwrap_or(deadline);
        loop {
            let error = match self.board(&present.0, config, true).landed(until).await {
                Some(Landed::Fresh(connection, tokens)) => return Ok((connection, tokens)),
                Some(Landed::Broken) => return Err(broken(&present.0, grant_id)),
                Some(Landed::Revoked) => return Err(Error::GrantRevoked { grant_id }),
                // The flight that was joined did not wait; another will.
                Some(Landed::Busy) if Instant::now() < until => {
                    sleep(self.0.timing.pauses.0).await;
                    continue;
                }
                Some(Landed::Busy) | None => Error::TokenRefreshInProgress { grant_id },
                Some(Landed::Failed(error)) => error,
            };
            return if self.still_good(&present.0) { Ok(present) } else { Err(error) };
        }
    }

    /// Whether a token that was to be renewed at once can be used for a last time.
    fn still_good(&self, connection: &Connection) -> bool {
        let now = self.0.ports.clock.now();
        !connection.tokens.refused && connection.tokens.expires_at.is_none_or(|at| now < at)
    }

    fn board(&self, connection: &Connection, config: &Arc<ProviderConfig>, patient: bool) -> Seat {
        self.0.flights.board((connection.id, connection.seal_version), config.updated_at, |passengers| {
            let job = Job::new(Arc::clone(&self.0), connection, Arc::clone(config), patient);
            async move { job.fly(passengers).await }
        })
    }
}

fn broken(connection: &Connection, grant_id: GrantId) -> Error {
    Error::CredentialRevoked { grant_id, provider_id: connection.provider_id.clone() }
}
