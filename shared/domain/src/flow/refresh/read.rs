//! Reading and writing one connection among others who do the same.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::Inner;
use crate::{
    error::{Error, Result},
    keyspace,
    model::{Connection, SealedCredential},
    port::{Key, TableName},
    repo::{Connections, Credentials, Stored, decode_stored},
};

/// How often a write that lost against others is tried again.
const TRIES: u32 = 20;

/// A connection as it is now, with the tokens in force; a connection without them is revoked.
pub(super) struct Found {
    pub(super) connection: Stored<Connection>,
    pub(super) tokens: Option<SealedCredential>,
}

/// One connection's place.
pub(super) struct Reading {
    inner: Arc<Inner>,
    keys: [(TableName, Key); 2],
}

impl Reading {
    pub(super) fn new(inner: &Arc<Inner>, connection: &Connection) -> Self {
        let keys = [
            (TableName::Main, keyspace::connection(connection.id)),
            (TableName::Vault, keyspace::credential(connection.credential_id)),
        ];
        Self { inner: Arc::clone(inner), keys }
    }

    /// Reads both in one round. Two items are not one: a round between whose halves somebody stored is repeated.
    pub(super) async fn read(&self) -> Result<Option<Found>> {
        let mut pauses = self.pauses();
        loop {
            let items = match self.inner.ports.table.get_many(&self.keys).await {
                Ok(items) => items,
                Err(error) => {
                    pauses.after(error.into()).await?;
                    continue;
                }
            };
            let [connection, tokens] = items.as_slice() else {
                return Err(Error::Internal("a batch of two gave another number".to_owned()));
            };
            let Some(connection) = connection.as_ref().map(decode_stored::<Connection>).transpose()? else {
                return Ok(None);
            };
            let tokens = tokens.as_ref().map(Credentials::read).transpose()?;
            if tokens.as_ref().is_none_or(|tokens| tokens.seal_version == connection.value.seal_version) {
                return Ok(Some(Found { connection, tokens }));
            }
            pauses.after(Error::Throttled).await?;
        }
    }

    /// Writes at the version that was read, and gives what stands there now.
    pub(super) async fn write(
        &self,
        connection: Connection,
        version: u64,
        keep_alive_at: Option<Timestamp>,
    ) -> Result<Stored<Connection>> {
        let new = Stored { value: connection, version };
        Connections(self.inner.ports.table.as_ref()).update(&new, keep_alive_at).await?;
        Ok(Stored { version: version + 1, ..new })
    }

    pub(super) fn pauses(&self) -> Pauses {
        let (next, longest) = self.inner.timing.pauses;
        Pauses { next, longest, left: Left::Tries(TRIES) }
    }

    /// Pauses for what must not be given up before that moment.
    pub(super) fn pauses_until(&self, end: Instant) -> Pauses {
        Pauses { left: Left::Until(end), ..self.pauses() }
    }
}

/// Growing pauses, and when to give up.
pub(super) struct Pauses {
    next: Duration,
    longest: Duration,
    left: Left,
}

enum Left {
    Tries(u32),
    Until(Instant),
}

impl Pauses {
    pub(super) async fn pause(&mut self) {
        sleep(self.next).await;
        self.next = (self.next * 3 / 2).min(self.longest);
    }

    /// After an error that may pass: a pause, or the error itself when there were enough of them.
    pub(super) async fn after(&mut self, error: Error) -> Result<()> {
        let passes = matches!(
            error,
            Error::Conflict { .. }
                | Error::Throttled
                | Error::StoreUnavailable(_)
                | Error::KeyServiceUnavailable(_)
        );
        let on = match &mut self.left {
            Left::Tries(left) => {
                *left = left.saturating_sub(1);
                *left > 0
            }
            Left::Until(end) => Instant::now() < *end,
        };
        if !passes || !on {
            return Err(error);
        }
        self.pause().await;
        Ok(())
    }
}
