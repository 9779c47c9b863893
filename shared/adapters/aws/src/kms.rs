//! The key wrapper over KMS: `GenerateDataKey` and `Decrypt` with the encryption context {org, app, purpose}
//! (docs/adr/0004), on which the roles' policies rest: a role may decrypt `signing` keys and not `credential` keys.

use std::collections::HashMap;

use alter_domain::{
    port::{KeyContext, KeyWrapper, WrapError, WrappedKey},
    secret::Secret,
};
use async_trait::async_trait;
use aws_sdk_kms::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::decrypt::DecryptError,
    primitives::Blob,
    types::{DataKeySpec, EncryptionAlgorithmSpec},
};

/// Data keys under one KMS key. The SDK's own buffers are beyond reach; what it hands over is wiped after use.
pub struct KmsWrapper {
    client: Client,
    key_id: String,
}

impl KmsWrapper {
    /// `key_id`: the key's id or ARN. An alias would do for making keys and then open none after it is moved.
    pub fn new(client: Client, key_id: String) -> Self {
        Self { client, key_id }
    }
}

#[async_trait]
impl KeyWrapper for KmsWrapper {
    async fn generate(&self, context: &KeyContext) -> Result<(Secret<Vec<u8>>, WrappedKey), WrapError> {
        let made = self
            .client
            .generate_data_key()
            .key_id(&self.key_id)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(encryption_context(context)))
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        match (made.plaintext, made.ciphertext_blob) {
            (Some(plain), Some(wrapped)) => Ok((material(plain), WrappedKey(wrapped.into_inner()))),
            _ => Err(WrapError::Unavailable("KMS answered without a key".to_owned())),
        }
    }

    /// Names the key, so that a blob of another key is refused and not opened with whatever key KMS finds for it.
    async fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<Secret<Vec<u8>>, WrapError> {
        let opened = self
            .client
            .decrypt()
            .key_id(&self.key_id)
            .encryption_algorithm(EncryptionAlgorithmSpec::SymmetricDefault)
            .ciphertext_blob(Blob::new(wrapped.0.clone()))
            .set_encryption_context(Some(encryption_context(context)))
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(DecryptError::InvalidCiphertextException(_)) => WrapError::Tampered,
                Some(DecryptError::IncorrectKeyException(_)) => WrapError::NotMyKey,
                _ => unavailable(&error),
            })?;
        let plain = opened
            .plaintext
            .ok_or_else(|| WrapError::Unavailable("KMS answered without a key".to_owned()))?;
        Ok(material(plain))
    }
}

fn encryption_context(context: &KeyContext) -> HashMap<String, String> {
    HashMap::from([
        ("org".to_owned(), context.org.to_string()),
        ("app".to_owned(), context.app.to_string()),
        ("purpose".to_owned(), context.purpose.as_str().to_owned()),
    ])
}

fn material(plain: Blob) -> Secret<Vec<u8>> {
    Secret::new(plain.into_inner())
}

/// A key that is disabled or about to be deleted, a permission that is missing, throttling, a timeout: nothing is opened,
/// and it may be again when somebody has mended it. The code alone goes to the log: messages name keys and roles.
fn unavailable<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> WrapError {
    WrapError::Unavailable(crate::failure(error))
}
