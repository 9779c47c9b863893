//! Sessions of the Wallet and the ways to them, which are forgotten when their time is over.

use alter_api_types::{SignInId, WalletSessionId};
use jiff::Timestamp;

use super::{Stored, decode_stored, encode};
use crate::{
    error::{Error, Result},
    keyspace,
    model::{WalletSession, WalletSignIn},
    port::{Expect, Item, Op, StoreError, Table, TableName, Version},
};

pub struct WalletSessions<'a>(pub &'a dyn Table);

impl WalletSessions<'_> {
    pub async fn find(&self, id: WalletSessionId) -> Result<Option<WalletSession>> {
        let item = self.0.get(TableName::Main, &keyspace::wallet_session(id)).await?;
        item.as_ref().map(super::decode).transpose()
    }

    /// Begins it, and ends the one that the same browser had before.
    pub async fn create(&self, session: &WalletSession, instead_of: Option<WalletSessionId>) -> Result<()> {
        let table = TableName::Main;
        let begin = Op::Put { table, item: Self::item(session)?, expect: Expect::Absent };
        let end = instead_of.map(|old| Op::Delete {
            table,
            key: keyspace::wallet_session(old),
            expect: Expect::Any,
        });
        Ok(self.0.transact([begin].into_iter().chain(end).collect()).await?)
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

pub struct WalletSignIns<'a>(pub &'a dyn Table);

impl WalletSignIns<'_> {
    pub async fn create(&self, sign_in: &WalletSignIn) -> Result<()> {
        let item = Item::new(keyspace::wallet_sign_in(sign_in.id), encode(sign_in)?);
        let item = item.with_expiry(Some(sign_in.expires_at.as_second()));
        self.0.put(TableName::Main, item, Expect::Absent).await?;
        Ok(())
    }

    /// The sign-in, as long as it may be answered. The table may return it for longer.
    pub async fn find(&self, id: SignInId, now: Timestamp) -> Result<Option<Stored<WalletSignIn>>> {
        let item = self.0.get(TableName::Main, &keyspace::wallet_sign_in(id)).await?;
        let found: Option<Stored<WalletSignIn>> = item.as_ref().map(decode_stored).transpose()?;
        Ok(found.filter(|sign_in| now < sign_in.value.expires_at))
    }

    /// Uses it up: whether this was the one that did.
    pub async fn take(&self, sign_in: &Stored<WalletSignIn>) -> Result<bool> {
        let key = keyspace::wallet_sign_in(sign_in.value.id);
        match self.0.delete(TableName::Main, &key, Expect::Version(sign_in.version)).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(other) => Err(Error::from(other)),
        }
    }
}
