//! Sign-ins under way. Each lies in one item, the sealed token with it, and goes with it when its time is over.

use alter_api_types::SignInId;
use jiff::Timestamp;

use super::{Stored, decode_stored, encode};
use crate::{
    error::Result,
    keyspace,
    model::SignIn,
    port::{Expect, Item, Table, TableName},
};

pub struct SignIns<'a>(pub &'a dyn Table);

impl SignIns<'_> {
    pub async fn create(&self, sign_in: &SignIn) -> Result<()> {
        self.0.put(TableName::Main, Self::item(sign_in)?, Expect::Absent).await?;
        Ok(())
    }

    /// The sign-in, as long as its result is told. The table may return it for longer.
    pub async fn find(&self, id: SignInId, now: Timestamp) -> Result<Option<Stored<SignIn>>> {
        let item = self.0.get(TableName::Main, &keyspace::sign_in(id)).await?;
        let found: Option<Stored<SignIn>> = item.as_ref().map(decode_stored).transpose()?;
        Ok(found.filter(|sign_in| now.as_second() < sign_in.value.forgotten_at()))
    }

    /// Writes it against the version that was read.
    pub async fn update(&self, sign_in: &Stored<SignIn>) -> Result<()> {
        let expect = Expect::Version(sign_in.version);
        self.0.put(TableName::Main, Self::item(&sign_in.value)?, expect).await?;
        Ok(())
    }

    fn item(sign_in: &SignIn) -> Result<Item> {
        let item = Item::new(keyspace::sign_in(sign_in.id), encode(sign_in)?);
        Ok(item.with_expiry(Some(sign_in.forgotten_at())))
    }
}
