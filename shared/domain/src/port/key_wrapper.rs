//! The key wrapper: makes data keys and unwraps them, under a key that never leaves it (KMS, or a key file).

use alter_api_types::{AppId, OrgId};
use async_trait::async_trait;

use crate::secret::Secret;

/// What a data key may open. Separate purposes let a function verify signatures without being able to open credentials
/// (docs/adr/0004).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPurpose {
    /// Credentials of third-party services.
    Credential,
    /// Signing keys of API keys.
    Signing,
    /// HMAC keys by which identity providers sign what they tell.
    Webhook,
}

impl KeyPurpose {
    pub fn as_str(self) -> &'static str {
        match self {
            KeyPurpose::Credential => "credential",
            KeyPurpose::Signing => "signing",
            KeyPurpose::Webhook => "webhook",
        }
    }
}

/// The context a data key is bound to; the same context must be given to unwrap it (KMS: encryption context).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyContext {
    pub org: OrgId,
    pub app: AppId,
    pub purpose: KeyPurpose,
}

impl KeyContext {
    /// An unambiguous encoding for use as associated data.
    pub fn canonical(&self) -> String {
        format!("org={};app={};purpose={}", self.org, self.app, self.purpose.as_str())
    }
}

/// A data key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey(pub Vec<u8>);

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum WrapError {
    /// The blob was wrapped by another key than the one this wrapper holds.
    #[error("wrapped by another key")]
    NotMyKey,
    /// The blob was changed, or the context differs from the one it was wrapped with.
    #[error("wrapped key does not open")]
    Tampered,
    /// The key service could not be reached, or refused.
    #[error("key service unavailable: {0}")]
    Unavailable(String),
}

#[async_trait]
pub trait KeyWrapper: Send + Sync {
    /// A fresh data key of 32 random bytes, plain and wrapped for this context. Making and wrapping are one operation, so
    /// that whoever may only make keys (KMS: `GenerateDataKey`) needs no permission to wrap what it chooses.
    async fn generate(&self, context: &KeyContext) -> Result<(Secret<Vec<u8>>, WrappedKey), WrapError>;

    /// The data key again. The context must be the one that it was made for.
    async fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<Secret<Vec<u8>>, WrapError>;
}
