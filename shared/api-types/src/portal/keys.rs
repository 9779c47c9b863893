//! API keys.

use serde::{Deserialize, Serialize};

use crate::{AgentId, AppId, KeyId, SecretText, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum KeyStatus {
    Active,
    /// Replaced, and still working until `grace_ends_at`.
    RotatedInGrace,
    /// Replaced, and no longer working.
    Rotated,
    Expired,
    Revoked,
}

/// A key, without its secret part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyView {
    pub key_id: KeyId,
    pub app_id: AppId,
    /// The public beginning of the key: audit rows are filtered by it.
    pub key_prefix: String,
    pub name: String,
    /// The agent that the key acts as; absent for a key of the app itself.
    pub agent_id: Option<AgentId>,
    pub scopes: Vec<String>,
    pub status: KeyStatus,
    pub expires_at: Option<Timestamp>,
    pub rotated_at: Option<Timestamp>,
    pub grace_ends_at: Option<Timestamp>,
    /// The key that replaced this one.
    pub successor_key_id: Option<KeyId>,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MintKey {
    pub name: String,
    /// Absent: what a key needs to call, to see and end grants, and to read the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Makes it a key of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// Not together with `expires_in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// A number with `m`, `h` or `d`: `5m`, `12h`, `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<String>,
}

/// A fresh key. Its text is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MintedKey {
    pub key: KeyView,
    pub api_key: SecretText,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotateKey {
    /// For how long the old key goes on working, in seconds: 0 to 2592000 (30 days), by default 86400 (a day).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<i64>,
    /// The new key's scopes; absent: those of the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

/// The new key, shown this once, and the old one in its grace period.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotatedKey {
    pub key: KeyView,
    pub api_key: SecretText,
    pub previous: KeyView,
}
