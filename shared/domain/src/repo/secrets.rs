//! Managed secrets of an app.

use alter_api_types::{AppId, SecretId};

use super::{Credentials, Grants, Listed, Stored, decode_stored, encode, list_page, of_app};
use crate::{
    error::{Error, Result},
    keyspace,
    model::{Grant, ManagedSecret, SealedCredential},
    port::{Expect, Index, Item, Op, Query, StoreError, Table, TableName, Version},
};

pub struct ManagedSecrets<'a>(pub &'a dyn Table);

impl ManagedSecrets<'_> {
    pub async fn get(&self, app: AppId, id: SecretId) -> Result<Stored<ManagedSecret>> {
        let item = self.0.get(TableName::Main, &keyspace::secret(id)).await?;
        let found: Option<Stored<ManagedSecret>> = item.as_ref().map(decode_stored).transpose()?;
        of_app(found, app, |secret| secret.value.app_id, "managed secret")
    }

    pub async fn find_by_slug(&self, app: AppId, slug: &str) -> Result<Option<Stored<ManagedSecret>>> {
        let Some(item) = self.0.get(TableName::Main, &keyspace::secret_slug(app, slug)).await? else {
            return Ok(None);
        };
        let id: SecretId = super::decode(&item)?;
        self.get(app, id).await.map(Some)
    }

    pub async fn slug_taken(&self, app: AppId, slug: &str) -> Result<bool> {
        Ok(self.0.get(TableName::Main, &keyspace::secret_slug(app, slug)).await?.is_some())
    }

    pub async fn list(
        &self,
        app: AppId,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listed<ManagedSecret>> {
        let query = Query::partition(TableName::Main, keyspace::app_secrets(app)).index(Index::First);
        list_page(self.0, &query.limit(limit).cursor(cursor)).await
    }

    /// Creates the secret, its slug and its sealed value together, and a first grant on it if there is one, with the condition
    /// on whom it is for. `Ok(false)`: the slug is taken, nothing was written.
    pub async fn create(
        &self,
        secret: &ManagedSecret,
        credential: &SealedCredential,
        grant: Option<(&Grant, Option<&Op>)>,
    ) -> Result<bool> {
        let slug = Item::new(keyspace::secret_slug(secret.app_id, &secret.slug), encode(&secret.id)?);
        let mut ops = vec![
            Op::Put { table: TableName::Main, item: slug, expect: Expect::Absent },
            Op::Put { table: TableName::Main, item: Self::item(secret)?, expect: Expect::Absent },
            Credentials::create(credential)?,
        ];
        // The label of the first grant on a new credential cannot be taken.
        let mut admitted = None;
        if let Some((grant, condition)) = grant {
            ops.extend(Grants::ops_of(grant, condition.is_some())?);
            ops.extend(condition.cloned());
            admitted = condition;
        }
        match self.0.transact(ops).await {
            Ok(()) => Ok(true),
            // Whom the grant is for has changed meanwhile; another slug would not help.
            Err(StoreError::Conflict)
                if admitted.is_some() && !self.slug_taken(secret.app_id, &secret.slug).await? =>
            {
                Err(StoreError::Conflict.into())
            }
            Err(StoreError::Conflict) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    pub async fn update(&self, secret: &Stored<ManagedSecret>) -> Result<Version> {
        Ok(self.0.put(TableName::Main, Self::item(&secret.value)?, Expect::Version(secret.version)).await?)
    }

    /// Replaces the value and notes when, or neither.
    pub async fn rotate(
        &self,
        secret: &Stored<ManagedSecret>,
        credential: &Stored<SealedCredential>,
    ) -> Result<()> {
        let expect = Expect::Version(secret.version);
        let op = Op::Put { table: TableName::Main, item: Self::item(&secret.value)?, expect };
        Ok(self.0.transact(vec![op, Credentials::replace(credential)?]).await?)
    }

    /// Removes the secret, its slug and its value. Grants on it answer as revoked by the flow that calls this.
    pub async fn delete(&self, secret: &Stored<ManagedSecret>) -> Result<()> {
        let value = &secret.value;
        let ops = vec![
            Op::Delete {
                table: TableName::Main,
                key: keyspace::secret(value.id),
                expect: Expect::Version(secret.version),
            },
            Op::Delete {
                table: TableName::Main,
                key: keyspace::secret_slug(value.app_id, &value.slug),
                expect: Expect::Any,
            },
            Credentials::delete(value.credential_id),
        ];
        self.0.transact(ops).await.map_err(Error::from)
    }

    fn item(secret: &ManagedSecret) -> Result<Item> {
        let item = Item::new(keyspace::secret(secret.id), encode(secret)?);
        Ok(item.with_index(Index::First, keyspace::app_secret(secret.app_id, secret.id)))
    }
}
