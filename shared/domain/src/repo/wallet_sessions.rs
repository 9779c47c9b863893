//! Sessions of the Wallet, which are forgotten when their time is over.

use alter_api_types::WalletSessionId;

use super::{Stored, encode};
use crate::{
    error::Result,
    keyspace,
    model::WalletSession,
    port::{Expect, Item, Table, TableName, Version},
};

pub struct WalletSessions<'a>(pub &'a dyn Table);

impl WalletSessions<'_> {
    pub async fn create(&self, session: &WalletSession) -> Result<()> {
        self.0.put(TableName::Main, Self::item(session)?, Expect::Absent).await?;
        Ok(())
    }

    /// Writes it against the version that was read.
    pub async fn update(&self, session: &Stored<WalletSession>) -> Result<Version> {
        let expect = Expect::Version(session.version);
        Ok(self.0.put(TableName::Main, Self::item(&session.value)?, expect).await?)
    }

    /// Ends it. One that is gone has ended.
    pub async fn delete(&self, id: WalletSessionId) -> Result<()> {
        self.0.delete(TableName::Main, &keyspace::wallet_session(id), Expect::Any).await?;
        Ok(())
    }

    fn item(session: &WalletSession) -> Result<Item> {
        let item = Item::new(keyspace::wallet_session(session.id), encode(session)?);
        Ok(item.with_expiry(Some(session.expires_at().as_second())))
    }
}
