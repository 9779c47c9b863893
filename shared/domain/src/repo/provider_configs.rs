//! OAuth providers as an app has configured them.

use alter_api_types::AppId;

use super::{Credentials, Listed, Stored, decode_stored, encode, list_page};
use crate::{
    error::{Error, Result},
    keyspace,
    model::{ProviderConfig, SealedCredential},
    port::{Expect, Item, Op, Query, Table, TableName},
};

pub struct ProviderConfigs<'a>(pub &'a dyn Table);

impl ProviderConfigs<'_> {
    pub async fn find(&self, app: AppId, provider_id: &str) -> Result<Option<Stored<ProviderConfig>>> {
        // A text from outside: an empty one is no key.
        if provider_id.is_empty() || provider_id.len() > 255 {
            return Ok(None);
        }
        let item = self.0.get(TableName::Main, &keyspace::provider_config(app, provider_id)).await?;
        item.as_ref().map(decode_stored).transpose()
    }

    pub async fn get(&self, app: AppId, provider_id: &str) -> Result<Stored<ProviderConfig>> {
        self.find(app, provider_id).await?.ok_or(Error::NotFound("provider"))
    }

    /// One page of an app's providers, by their ids.
    pub async fn list(
        &self,
        app: AppId,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listed<ProviderConfig>> {
        let query = Query::partition(TableName::Main, keyspace::app_providers(app));
        list_page(self.0, &query.limit(limit).cursor(cursor)).await
    }

    /// All of an app's providers. There are at most as many as the catalogue and the operator's own definitions.
    pub async fn all(&self, app: AppId) -> Result<Vec<ProviderConfig>> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.list(app, 1000, cursor).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Creates the configuration and its client secret, or neither. A configuration that exists is a conflict.
    pub async fn create(&self, config: &ProviderConfig, secret: Option<&SealedCredential>) -> Result<()> {
        let mut ops =
            vec![Op::Put { table: TableName::Main, item: Self::item(config)?, expect: Expect::Absent }];
        ops.extend(secret.map(Credentials::create).transpose()?);
        Ok(self.0.transact(ops).await?)
    }

    /// Writes the configuration and, where it changes, the client secret: both or neither.
    pub async fn update(&self, config: &Stored<ProviderConfig>, secret: Option<Op>) -> Result<()> {
        let expect = Expect::Version(config.version);
        let mut ops = vec![Op::Put { table: TableName::Main, item: Self::item(&config.value)?, expect }];
        ops.extend(secret);
        Ok(self.0.transact(ops).await?)
    }

    /// Removes the configuration and its client secret.
    pub async fn delete(&self, config: &Stored<ProviderConfig>) -> Result<()> {
        let value = &config.value;
        let key = keyspace::provider_config(value.app_id, &value.provider_id);
        let mut ops =
            vec![Op::Delete { table: TableName::Main, key, expect: Expect::Version(config.version) }];
        ops.extend(value.secret.map(|secret| Credentials::delete(secret.credential_id)));
        Ok(self.0.transact(ops).await?)
    }

    fn item(config: &ProviderConfig) -> Result<Item> {
        Ok(Item::new(keyspace::provider_config(config.app_id, &config.provider_id), encode(config)?))
    }
}
