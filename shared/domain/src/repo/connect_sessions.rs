//! Connect sessions, and the authorization requests that they have under way.

use alter_api_types::ConnectSessionId;
use jiff::Timestamp;

use super::{Stored, decode_stored, encode};
use crate::{
    error::Result,
    keyspace,
    model::{ConnectSession, PendingAuthorization, RESULT_KEPT},
    port::{Expect, Item, Op, StoreError, Table, TableName},
};

pub struct ConnectSessions<'a>(pub &'a dyn Table);

impl ConnectSessions<'_> {
    pub async fn create(&self, session: &ConnectSession) -> Result<()> {
        self.0.put(TableName::Main, Self::item(session)?, Expect::Absent).await?;
        Ok(())
    }

    /// The session, as long as its result is kept. The table may return it for longer.
    pub async fn find(&self, id: ConnectSessionId, now: Timestamp) -> Result<Option<Stored<ConnectSession>>> {
        let item = self.0.get(TableName::Main, &keyspace::connect_session(id)).await?;
        let found: Option<Stored<ConnectSession>> = item.as_ref().map(decode_stored).transpose()?;
        Ok(found.filter(|session| now.as_second() < forgotten_at(&session.value)))
    }

    /// Writes the session against the version that was read.
    pub async fn update(&self, session: &Stored<ConnectSession>) -> Result<()> {
        self.0.put(TableName::Main, Self::item(&session.value)?, Expect::Version(session.version)).await?;
        Ok(())
    }

    /// The write of [`Self::update`], for a transaction of the caller's.
    pub fn update_op(session: &Stored<ConnectSession>) -> Result<Op> {
        let expect = Expect::Version(session.version);
        Ok(Op::Put { table: TableName::Main, item: Self::item(&session.value)?, expect })
    }

    /// Notes an authorization request under the digest of its `state`.
    pub async fn note(&self, digest: &str, pending: &PendingAuthorization) -> Result<()> {
        let item = Item::new(keyspace::oauth_state(digest), encode(pending)?)
            .with_expiry(Some(pending.expires_at.as_second()));
        self.0.put(TableName::Main, item, Expect::Absent).await?;
        Ok(())
    }

    pub async fn noted(&self, digest: &str) -> Result<Option<Stored<PendingAuthorization>>> {
        let item = self.0.get(TableName::Main, &keyspace::oauth_state(digest)).await?;
        item.as_ref().map(decode_stored).transpose()
    }

    /// Uses an authorization request up; `false`: somebody else did.
    pub async fn take(&self, digest: &str, noted: &Stored<PendingAuthorization>) -> Result<bool> {
        let key = keyspace::oauth_state(digest);
        match self.0.delete(TableName::Main, &key, Expect::Version(noted.version)).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    fn item(session: &ConnectSession) -> Result<Item> {
        let item = Item::new(keyspace::connect_session(session.id), encode(session)?);
        Ok(item.with_expiry(Some(forgotten_at(session))))
    }
}

fn forgotten_at(session: &ConnectSession) -> i64 {
    session.expires_at.as_second().saturating_add(RESULT_KEPT.as_secs())
}
