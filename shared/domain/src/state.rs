//! What a function is handed: the ports that every function needs, and key permissions as separate types, so that a
//! function which may not open credentials has no value to open them with.

use std::sync::Arc;

use alter_api_types::{AppId, CredentialId, Id, IdpId, OrgId, SignInId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    crypto::{DataKeys, Place, Sealed, SigningKey, open, seal},
    error::{Error, Result},
    inject::CredentialFields,
    keyspace,
    model::{IdentityProvider, SealedCredential, SealedWebhookSecret, SignIn, WebhookKind},
    port::{AuditSink, Clock, Item, KeyContext, KeyPurpose, NonceStore, Rng, Table, TableName, WorkQueue},
    repo::Credentials,
    secret::Secret,
};

/// The ports of every function.
#[derive(Clone)]
pub struct Ports {
    pub table: Arc<dyn Table>,
    pub audit: Arc<dyn AuditSink>,
    pub nonces: Arc<dyn NonceStore>,
    pub work: Arc<dyn WorkQueue>,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
}

impl Ports {
    /// A fresh UUIDv7 (RFC 9562 section 5.7) for the present moment.
    pub fn new_id<T: Id>(&self) -> Result<T> {
        self.id_at(self.clock.now())
    }

    /// A fresh UUIDv7 whose time is `at`: an event's id and its time must name the same millisecond.
    pub fn id_at<T: Id>(&self, at: Timestamp) -> Result<T> {
        let mut random = [0u8; 10];
        self.rng.fill(&mut random)?;
        let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
        Ok(T::from(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()))
    }
}

fn context(org: OrgId, app: AppId, purpose: KeyPurpose) -> KeyContext {
    KeyContext { org, app, purpose }
}

/// The version of a signing key's seal: a signing key is never replaced, its API key is.
const SIGNING_VERSION: u64 = 1;

fn signing_place<'a>(key: &'a crate::port::Key, id: Uuid) -> Place<'a> {
    Place { table: TableName::Vault, key, id, version: SIGNING_VERSION, purpose: KeyPurpose::Signing }
}

/// Permission to verify signatures: opens sealed signing keys and nothing else.
#[derive(Clone)]
pub struct SigningKeys(DataKeys);

impl SigningKeys {
    pub fn new(keys: DataKeys) -> Self {
        Self(keys)
    }

    /// Opens the signing key of an API key from its vault item.
    pub(crate) async fn open(&self, key: &crate::model::ApiKey, item: &Item) -> Result<SigningKey> {
        let sealed = Sealed::from_bytes(item.body.clone())?;
        let context = context(key.org_id, key.app_id, KeyPurpose::Signing);
        let data_key = self.0.open(&context, sealed.data_key()).await?;
        let bytes = open(&data_key, &signing_place(&item.key, key.id.into()), &sealed)?;
        SigningKey::from_bytes(bytes).map_err(|error| Error::Internal(error.to_string()))
    }
}

/// Permission to open credentials. Only `proxy` and `connect` are handed one.
#[derive(Clone)]
pub struct CredentialOpener(DataKeys);

impl CredentialOpener {
    pub fn new(keys: DataKeys) -> Self {
        Self(keys)
    }

    /// Opens a credential. The caller proves by `Authorized` (see `policy`) that it may.
    pub(crate) async fn open(&self, org: OrgId, credential: &SealedCredential) -> Result<CredentialFields> {
        let context = context(org, credential.app_id, KeyPurpose::Credential);
        let data_key = self.0.open(&context, credential.sealed.data_key()).await?;
        let key = keyspace::credential(credential.id);
        let place = Credentials::place(&key, credential.id, credential.seal_version);
        let plaintext = open(&data_key, &place, &credential.sealed)?;
        CredentialFields::from_plaintext(plaintext.expose_secret())
            .map_err(|error| Error::Internal(error.to_string()))
    }
}

impl CredentialOpener {
    /// Opens the token of somebody who has signed in, for the app that asked.
    pub(crate) async fn open_user_token(&self, sign_in: &SignIn, sealed: &Sealed) -> Result<Secret<String>> {
        let context = context(sign_in.org_id, sign_in.app_id, KeyPurpose::Credential);
        let data_key = self.0.open(&context, sealed.data_key()).await?;
        let key = keyspace::sign_in(sign_in.id);
        let plaintext = open(&data_key, &user_token_place(&key, sign_in.id), sealed)?;
        let text = String::from_utf8(plaintext.expose_secret().clone());
        text.map(Secret::new).map_err(|_| Error::Internal("a user's token is not text".to_owned()))
    }
}

/// A sign-in has one result: its token is never replaced.
const USER_TOKEN_VERSION: u64 = 1;

fn user_token_place(key: &crate::port::Key, id: SignInId) -> Place<'_> {
    let (table, purpose) = (TableName::Main, KeyPurpose::Credential);
    Place { table, key, id: id.into(), version: USER_TOKEN_VERSION, purpose }
}

/// Permission to check what identity providers sign with a shared key: opens webhooks' HMAC keys and nothing else.
#[derive(Clone)]
pub struct WebhookSecrets(DataKeys);

impl WebhookSecrets {
    pub fn new(keys: DataKeys) -> Self {
        Self(keys)
    }

    pub(crate) async fn open(
        &self,
        idp: &IdentityProvider,
        secret: &SealedWebhookSecret,
    ) -> Result<Secret<Vec<u8>>> {
        let context = context(idp.org_id, idp.app_id, KeyPurpose::Webhook);
        let data_key = self.0.open(&context, secret.sealed.data_key()).await?;
        let key = keyspace::webhook_secret(secret.idp_id, secret.kind);
        Ok(open(&data_key, &webhook_place(&key, secret.idp_id, secret.seal_version), &secret.sealed)?)
    }
}

fn webhook_place(key: &crate::port::Key, idp: IdpId, version: u64) -> Place<'_> {
    Place { table: TableName::Vault, key, id: idp.into(), version, purpose: KeyPurpose::Webhook }
}

/// Permission to seal. The portal is handed one; it cannot open what it sealed, and needs a key service that makes keys
/// and unwraps none (docs/adr/0008-no-key-ring.md).
#[derive(Clone)]
pub struct Sealer(DataKeys);

impl Sealer {
    pub fn new(keys: DataKeys) -> Self {
        Self(keys)
    }

    pub async fn seal_credential(
        &self,
        ports: &Ports,
        org: OrgId,
        app: AppId,
        (id, seal_version): (CredentialId, u64),
        fields: &CredentialFields,
    ) -> Result<SealedCredential> {
        let context = context(org, app, KeyPurpose::Credential);
        let data_key = self.0.for_sealing(&context, ports.new_id()?).await?;
        let key = keyspace::credential(id);
        let place = Credentials::place(&key, id, seal_version);
        let plaintext = fields.to_plaintext().map_err(|error| Error::Internal(error.to_string()))?;
        let sealed = seal(&data_key, &place, plaintext.expose_secret(), ports.rng.as_ref())?;
        Ok(SealedCredential { id, app_id: app, seal_version, sealed })
    }

    /// Seals the token of somebody who has signed in, for the item of the sign-in.
    pub(crate) async fn seal_user_token(
        &self,
        ports: &Ports,
        sign_in: &SignIn,
        token: &Secret<String>,
    ) -> Result<Sealed> {
        let context = context(sign_in.org_id, sign_in.app_id, KeyPurpose::Credential);
        let data_key = self.0.for_sealing(&context, ports.new_id()?).await?;
        let key = keyspace::sign_in(sign_in.id);
        let place = user_token_place(&key, sign_in.id);
        Ok(seal(&data_key, &place, token.expose_secret().as_bytes(), ports.rng.as_ref())?)
    }

    pub async fn seal_webhook_secret(
        &self,
        ports: &Ports,
        idp: &IdentityProvider,
        (kind, seal_version): (WebhookKind, u64),
        secret: &Secret<Vec<u8>>,
    ) -> Result<SealedWebhookSecret> {
        let context = context(idp.org_id, idp.app_id, KeyPurpose::Webhook);
        let data_key = self.0.for_sealing(&context, ports.new_id()?).await?;
        let key = keyspace::webhook_secret(idp.id, kind);
        let place = webhook_place(&key, idp.id, seal_version);
        let sealed = seal(&data_key, &place, secret.expose_secret(), ports.rng.as_ref())?;
        Ok(SealedWebhookSecret { idp_id: idp.id, kind, seal_version, sealed })
    }

    pub async fn seal_signing_key(
        &self,
        ports: &Ports,
        key: &crate::model::ApiKey,
        plain_key: &Secret<String>,
    ) -> Result<Sealed> {
        let context = context(key.org_id, key.app_id, KeyPurpose::Signing);
        let data_key = self.0.for_sealing(&context, ports.new_id()?).await?;
        let row = keyspace::signing_key(&key.public_part);
        let place = signing_place(&row, key.id.into());
        Ok(seal(&data_key, &place, SigningKey::derive(plain_key).as_bytes(), ports.rng.as_ref())?)
    }
}
