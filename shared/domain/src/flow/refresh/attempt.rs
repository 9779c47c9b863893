//! One flight: reads, claims, exchanges, stores; or waits for whoever does.

use std::sync::Arc;

use alter_api_types::LeaseId;
use jiff::{SignedDuration, Timestamp};

use super::{
    Inner,
    exchange::{Claimed, Exchanged, Material, exchange, outcome, subject},
    flight::{Landed, Passengers},
    keep_alive_at,
    read::{Found, Reading},
    store::keep,
};
use crate::{
    error::{Error, Result},
    flow::record::{recorded, recorded_as},
    model::{
        Attempt, Claim, Connection, ConnectionState, EXPIRED, Ended, EventKind, ProviderConfig,
        SealedCredential,
    },
    repo::Stored,
};

/// How long a refresh token that could not be kept alive rests, so that the next ones get their turn.
pub(super) const KEEP_ALIVE_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// The tokens of one seal version are to be renewed.
pub(super) struct Job {
    inner: Arc<Inner>,
    reading: Reading,
    seal_version: u64,
    config: Arc<ProviderConfig>,
    /// Whether to wait for another's lease.
    patient: bool,
}

/// How one attempt ended.
enum Step {
    Landed(Landed),
    /// Somebody else was faster, or we were too slow to send: look again.
    Again,
    /// In a way that may pass, and the lease was given back.
    Failed(Error),
}

impl Job {
    pub(super) fn new(
        inner: Arc<Inner>,
        connection: &Connection,
        config: Arc<ProviderConfig>,
        patient: bool,
    ) -> Self {
        let reading = Reading::new(&inner, connection);
        Self { inner, reading, seal_version: connection.seal_version, config, patient }
    }

    pub(super) async fn fly(self, passengers: Passengers) -> Landed {
        self.run(&passengers).await.unwrap_or_else(Landed::Failed)
    }

    async fn run(&self, passengers: &Passengers) -> Result<Landed> {
        let mut waits = self.reading.pauses();
        let mut lost = self.reading.pauses();
        let mut failed = false;
        loop {
            let Some(Found { connection, tokens }) = self.reading.read().await? else {
                return Ok(Landed::Revoked);
            };
            let tokens = match (&connection.value.state, tokens) {
                (ConnectionState::Active, Some(tokens)) => tokens,
                (ConnectionState::Broken { .. }, _) => return Ok(Landed::Broken),
                (ConnectionState::Revoked { .. }, _) | (_, None) => return Ok(Landed::Revoked),
            };
            if connection.value.seal_version != self.seal_version {
                return Ok(Landed::Fresh(Arc::new(connection.value), Arc::new(tokens)));
            }
            match connection.value.claim(self.holder()?, self.now(), self.inner.timing.lease) {
                Claim::Take(_) => {}
                Claim::Wait(_) if self.patient && passengers.any() => {
                    waits.pause().await;
                    continue;
                }
                Claim::Wait(_) => return Ok(Landed::Busy),
                Claim::Nothing => return self.expire(connection).await,
            }
            match self.attempt(connection, &tokens).await? {
                Step::Landed(landed) => return Ok(landed),
                Step::Again if passengers.any() => lost.after(Error::Throttled).await?,
                Step::Again => return Ok(Landed::Busy),
                // One broken connection should not fail everybody who waits.
                Step::Failed(_) if !failed && self.patient && passengers.any() => {
                    failed = true;
                    waits.pause().await;
                }
                Step::Failed(error) => return Ok(Landed::Failed(error)),
            }
        }
    }

    /// Claims and exchanges.
    async fn attempt(&self, connection: Stored<Connection>, tokens: &SealedCredential) -> Result<Step> {
        let material = Material::open(&self.inner, &connection.value, tokens, &self.config).await?;
        let holder = self.holder()?;
        let claimed_at = Claimed::now(&self.inner);
        let Claim::Take(leased) = connection.value.claim(holder, self.now(), self.inner.timing.lease) else {
            return Ok(Step::Again);
        };
        let sent_before = connection.value.sent_before();
        let attempt = Attempt { holder, seal_version: self.seal_version, sent_before };
        let Some(claimed) = self.take(*leased, connection.version, &attempt).await? else {
            return Ok(Step::Again);
        };
        let attempts = claimed.value.lease.map_or(1, |lease| lease.attempts);
        let about =
            subject(&claimed.value, EventKind::ConnectionRefreshed, ("attempt", attempts.to_string()));
        let change = async {
            let asked = exchange(&self.inner, &self.config, &claimed.value, &material, &claimed_at).await;
            match asked {
                Ok(new) => keep(&self.inner, &self.config, &claimed, &attempt, &material, &new).await.into(),
                Err(exchanged) => exchanged,
            }
        };
        let exchanged = match recorded_as(&self.inner.ports, about, Box::pin(change), outcome).await {
            Ok(exchanged) => exchanged,
            // The intent is not on the record, so nothing was sent.
            Err(error) => Exchanged::Failed { ended: Ended::Unused, code: None, error },
        };
        Ok(match exchanged {
            Exchanged::Stored((connection, tokens)) => Step::Landed(Landed::Fresh(connection, tokens)),
            Exchanged::Overtaken => Step::Again,
            Exchanged::Late => {
                self.release(&attempt, Ended::Unused).await;
                Step::Again
            }
            Exchanged::Dead { code } => {
                self.break_off(&attempt, &code).await?.map_or(Step::Again, Step::Landed)
            }
            Exchanged::Failed { ended, code, error } => {
                let given_back = self.release(&attempt, ended).await;
                if given_back && code.is_none() {
                    Step::Failed(error)
                } else {
                    Step::Landed(Landed::Failed(error))
                }
            }
        })
    }

    /// Writes the lease. A write whose answer was lost is ours if the lease is.
    async fn take(
        &self,
        leased: Connection,
        version: u64,
        attempt: &Attempt,
    ) -> Result<Option<Stored<Connection>>> {
        let keep_alive_at = keep_alive_at(self.config.definition()?, &leased.tokens);
        if let Ok(claimed) = self.reading.write(leased, version, keep_alive_at).await {
            return Ok(Some(claimed));
        }
        let found = self.reading.read().await?;
        Ok(found.map(|found| found.connection).filter(|found| found.value.is_leased_by(attempt)))
    }

    /// Gives the lease back, if that is due, and says whether it did. A lease that cannot be given back runs out.
    async fn release(&self, attempt: &Attempt, ended: Ended) -> bool {
        let mut pauses = self.reading.pauses();
        let result: Result<bool> = async {
            let definition = self.config.definition()?;
            loop {
                let Some(found) = self.reading.read().await? else { return Ok(false) };
                let (now, version) = (self.now(), found.connection.version);
                let released = found.connection.value.release(attempt, ended, &definition.refresh, now);
                let Some(released) = released else { return Ok(false) };
                let again = now.saturating_add(KEEP_ALIVE_AGAIN).unwrap_or(Timestamp::MAX);
                let keep_alive_at = keep_alive_at(definition, &released.tokens).map(|at| at.max(again));
                match self.reading.write(released, version, keep_alive_at).await {
                    Ok(_) => return Ok(true),
                    Err(error) => pauses.after(error).await?,
                }
            }
        }
        .await;
        result.unwrap_or_else(|error| {
            tracing::warn!(%error, "a lease could not be given back and runs out");
            false
        })
    }

    /// The provider says that the token is dead. `None`: that is not, or no longer, for us to say.
    async fn break_off(&self, attempt: &Attempt, code: &str) -> Result<Option<Landed>> {
        let mut pauses = self.reading.pauses();
        loop {
            let Some(found) = self.reading.read().await? else { return Ok(Some(Landed::Revoked)) };
            let version = found.connection.version;
            let Some(broken) = found.connection.value.break_off(attempt, code.to_owned(), self.now()) else {
                return Ok(None);
            };
            match self.write_broken(broken, version, code).await {
                Ok(()) => return Ok(Some(Landed::Broken)),
                Err(error) => pauses.after(error).await?,
            }
        }
    }

    /// There is nothing to refresh with, and the token has expired or will.
    async fn expire(&self, mut connection: Stored<Connection>) -> Result<Landed> {
        let mut pauses = self.reading.pauses();
        loop {
            let version = connection.version;
            let Some(broken) = connection.value.expire(self.now()) else { return Ok(Landed::Busy) };
            match self.write_broken(broken, version, EXPIRED).await {
                Ok(()) => return Ok(Landed::Broken),
                Err(error) => pauses.after(error).await?,
            }
            match self.reading.read().await? {
                Some(found) => connection = found.connection,
                None => return Ok(Landed::Revoked),
            }
        }
    }

    async fn write_broken(&self, broken: Connection, version: u64, code: &str) -> Result<()> {
        let about = subject(&broken, EventKind::ConnectionBroken, ("code", code.to_owned()));
        recorded(&self.inner.ports, about, async {
            self.reading.write(broken, version, None).await?;
            Ok(())
        })
        .await
    }

    fn holder(&self) -> Result<LeaseId> {
        self.inner.ports.new_id()
    }

    fn now(&self) -> Timestamp {
        self.inner.ports.clock.now()
    }
}
