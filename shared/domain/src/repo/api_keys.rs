//! API keys. A key's record and its sealed signing key are written together.

use alter_api_types::{AgentId, AppId, KeyId};

use super::{Listed, Stored, decode_stored, encode, first, list_page};
use crate::{
    crypto::Sealed,
    error::{Error, Result},
    keyspace,
    model::{ApiKey, KeyHolder},
    port::{Expect, Index, Item, Op, Query, Table, TableName, Version},
};

/// The most keys that an app may have that are not revoked.
pub const MAX_KEYS_PER_APP: usize = 100;

pub struct ApiKeys<'a>(pub &'a dyn Table);

impl ApiKeys<'_> {
    pub async fn get(&self, app: AppId, id: KeyId) -> Result<Stored<ApiKey>> {
        let sort = id.to_string();
        let query = Query { from: Some(sort.clone()), ..Self::of_app(app) };
        // The index names the key; the record is read again by primary key, because an index may lag.
        let item = first(self.0, query).await?.filter(|item| {
            item.index.first().and_then(Option::as_ref).is_some_and(|index| index.sort == sort)
        });
        let Some(item) = item else { return Err(Error::NotFound("key")) };
        let fresh = self.0.get(TableName::Main, &item.key).await?.ok_or(Error::NotFound("key"))?;
        decode_stored(&fresh)
    }

    pub async fn list(&self, app: AppId, limit: usize, cursor: Option<String>) -> Result<Listed<ApiKey>> {
        list_page(self.0, &Self::of_app(app).limit(limit).cursor(cursor)).await
    }

    /// Every key of one agent.
    pub async fn list_of_agent(&self, agent: AgentId) -> Result<Vec<ApiKey>> {
        let mut keys = Vec::new();
        let mut query = Query::partition(TableName::Main, keyspace::agent_keys(agent)).index(Index::Second);
        loop {
            let page: Listed<ApiKey> = list_page(self.0, &query).await?;
            keys.extend(page.items);
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return Ok(keys),
            }
        }
    }

    /// The writes that create a key: its record, and its signing key in the vault table.
    pub fn create(key: &ApiKey, signing_key: &Sealed) -> Result<Vec<Op>> {
        let signing = Item::new(keyspace::signing_key(&key.public_part), signing_key.as_bytes().to_vec());
        Ok(vec![
            Op::Put { table: TableName::Main, item: Self::item(key)?, expect: Expect::Absent },
            Op::Put { table: TableName::Vault, item: signing, expect: Expect::Absent },
        ])
    }

    /// The write that replaces a key's record.
    pub fn update(key: &Stored<ApiKey>) -> Result<Op> {
        let expect = Expect::Version(key.version);
        Ok(Op::Put { table: TableName::Main, item: Self::item(&key.value)?, expect })
    }

    pub async fn save(&self, key: &Stored<ApiKey>) -> Result<Version> {
        Ok(self.0.put(TableName::Main, Self::item(&key.value)?, Expect::Version(key.version)).await?)
    }

    fn of_app(app: AppId) -> Query {
        Query::partition(TableName::Main, keyspace::app_keys(app)).index(Index::First)
    }

    fn item(key: &ApiKey) -> Result<Item> {
        let item = Item::new(keyspace::api_key(&key.public_part), encode(key)?)
            .with_index(Index::First, keyspace::app_key(key.app_id, key.id));
        Ok(match key.holder {
            KeyHolder::App => item,
            KeyHolder::Agent { agent_id } => {
                item.with_index(Index::Second, keyspace::agent_key(agent_id, key.id))
            }
        })
    }
}
