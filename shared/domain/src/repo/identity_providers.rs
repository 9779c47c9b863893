//! Identity providers, by app and by id.

use alter_api_types::{AppId, IdpId};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{Credentials, Stored, decode, decode_stored, encode};
use crate::{
    crypto::Sealed,
    error::{Error, Result},
    keyspace,
    model::{IdentityProvider, SealedWebhookSecret, WebhookKind},
    port::{Expect, Item, Op, StoreError, Table, TableName},
};

#[derive(Serialize, Deserialize)]
struct Row {
    seal_version: u64,
    sealed: String,
}

pub struct IdentityProviders<'a>(pub &'a dyn Table);

impl IdentityProviders<'_> {
    /// The app's, if it has one.
    pub async fn find(&self, app: AppId) -> Result<Option<Stored<IdentityProvider>>> {
        let item = self.0.get(TableName::Main, &keyspace::identity_provider(app)).await?;
        item.as_ref().map(decode_stored).transpose()
    }

    pub async fn get(&self, app: AppId) -> Result<Stored<IdentityProvider>> {
        self.find(app).await?.ok_or(Error::NotFound("identity provider"))
    }

    /// The one with this id, as long as its app has it.
    pub async fn find_by_id(&self, id: IdpId) -> Result<Option<Stored<IdentityProvider>>> {
        let Some(item) = self.0.get(TableName::Main, &keyspace::idp_app(id)).await? else { return Ok(None) };
        let found = self.find(decode(&item)?).await?;
        Ok(found.filter(|idp| idp.value.id == id))
    }

    /// Gives the app its identity provider. One that has one already keeps it: a conflict.
    pub async fn create(&self, idp: &IdentityProvider) -> Result<()> {
        let pointer = Item::new(keyspace::idp_app(idp.id), encode(&idp.app_id)?);
        let ops = vec![
            Op::Put { table: TableName::Main, item: Self::item(idp)?, expect: Expect::Absent },
            Op::Put { table: TableName::Main, item: pointer, expect: Expect::Any },
        ];
        match self.0.transact(ops).await {
            Err(StoreError::Conflict) => Err(Error::conflict(
                "identity_provider_exists",
                "The app has an identity provider; remove it before adding another.",
            )),
            other => Ok(other?),
        }
    }

    /// Writes it together with what goes with the change (a sealed secret): all or nothing.
    pub async fn update(&self, idp: &Stored<IdentityProvider>, with: Option<Op>) -> Result<()> {
        let mut ops = vec![Self::put(idp)?];
        ops.extend(with);
        Ok(self.0.transact(ops).await?)
    }

    /// The write of [`Self::update`], for a transaction of the caller's.
    pub fn put(idp: &Stored<IdentityProvider>) -> Result<Op> {
        let expect = Expect::Version(idp.version);
        Ok(Op::Put { table: TableName::Main, item: Self::item(&idp.value)?, expect })
    }

    /// A condition of a transaction: the app's identity provider is as it was read.
    pub fn check(idp: &Stored<IdentityProvider>) -> Op {
        let key = keyspace::identity_provider(idp.value.app_id);
        Op::Check { table: TableName::Main, key, expect: Expect::Version(idp.version) }
    }

    /// Removes it with its secrets. Its users and what was granted to them stay.
    pub async fn delete(&self, idp: &Stored<IdentityProvider>) -> Result<()> {
        let value = &idp.value;
        let delete = |table, key| Op::Delete { table, key, expect: Expect::Any };
        let mut ops = vec![
            Op::Delete {
                table: TableName::Main,
                key: keyspace::identity_provider(value.app_id),
                expect: Expect::Version(idp.version),
            },
            delete(TableName::Main, keyspace::idp_app(value.id)),
        ];
        let secret = value.client.as_ref().and_then(|client| client.secret);
        ops.extend(secret.map(|secret| Credentials::delete(secret.credential_id)));
        let sealed = |kind: &WebhookKind| delete(TableName::Vault, keyspace::webhook_secret(value.id, *kind));
        ops.extend(value.webhooks.keys().map(sealed));
        Ok(self.0.transact(ops).await?)
    }

    /// The sealed HMAC key of a webhook.
    pub async fn webhook_secret(&self, id: IdpId, kind: WebhookKind) -> Result<Option<SealedWebhookSecret>> {
        let item = self.0.get(TableName::Vault, &keyspace::webhook_secret(id, kind)).await?;
        let Some(item) = item else { return Ok(None) };
        let row: Row = decode(&item)?;
        let bytes = STANDARD
            .decode(&row.sealed)
            .map_err(|_| Error::Internal("sealed webhook secret is not base64".to_owned()))?;
        let sealed = Sealed::from_bytes(bytes)?;
        Ok(Some(SealedWebhookSecret { idp_id: id, kind, seal_version: row.seal_version, sealed }))
    }

    /// The write that keeps a webhook's sealed HMAC key, whatever was there: the identity provider's version is the fence.
    pub fn put_webhook_secret(secret: &SealedWebhookSecret) -> Result<Op> {
        let row =
            Row { seal_version: secret.seal_version, sealed: STANDARD.encode(secret.sealed.as_bytes()) };
        let item = Item::new(keyspace::webhook_secret(secret.idp_id, secret.kind), encode(&row)?);
        Ok(Op::Put { table: TableName::Vault, item, expect: Expect::Any })
    }

    pub fn delete_webhook_secret(id: IdpId, kind: WebhookKind) -> Op {
        Op::Delete { table: TableName::Vault, key: keyspace::webhook_secret(id, kind), expect: Expect::Any }
    }

    fn item(idp: &IdentityProvider) -> Result<Item> {
        Ok(Item::new(keyspace::identity_provider(idp.app_id), encode(idp)?))
    }
}
