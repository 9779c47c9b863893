//! Grants.

use serde::{Deserialize, Serialize};

use crate::{AgentId, AppId, ConnectionId, GrantId, IdpId, SecretId, Timestamp, UserId};

/// The owner of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PrincipalView {
    /// An end user.
    User { user_id: UserId },
    /// A group of the identity provider: its current and future members.
    Group { idp_id: IdpId, external_group_id: String },
    /// The app itself; found by grant id only.
    System {},
    /// One agent.
    Agent { agent_id: AgentId },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PrincipalType {
    User,
    Group,
    System,
    Agent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum GrantStatus {
    Active,
    Expired,
    Revoked,
}

/// From where something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Surface {
    Sdk,
    Portal,
    Wallet,
    Webhook,
    /// The Connect page.
    Connect,
    /// The vault itself, in the background.
    Vault,
}

/// How long a grant shall live: `expires_at` wins over `default_ttl_seconds`, which wins over `max_ttl_seconds`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantPolicyInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl_seconds: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_ttl_seconds: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantPolicyView {
    pub expires_at: Option<Timestamp>,
    /// The longest life, in seconds from creation, that an extension may reach.
    pub max_ttl_seconds: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantView {
    pub grant_id: GrantId,
    pub app_id: AppId,
    pub kind: GrantKind,
    /// Of a managed secret.
    pub secret_id: Option<SecretId>,
    /// Of an end user's authorization at an OAuth provider.
    pub connection_id: Option<ConnectionId>,
    /// The provider as calls name it: the managed secret's slug or the OAuth provider's id.
    pub provider_id: String,
    pub principal: PrincipalView,
    pub label: Option<String>,
    pub status: GrantStatus,
    pub grant_policy: GrantPolicyView,
    pub revoked_at: Option<Timestamp>,
    pub revoked_from: Option<Surface>,
    pub revoke_reason: Option<String>,
    /// The last call with it that succeeded, a moment late: not for live monitoring.
    pub last_used_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// What is known of the connection; only with `connection_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionView>,
}

/// What a grant is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum GrantKind {
    ManagedSecret,
    Oauth,
}

/// An account at a provider that was connected, without its tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectionView {
    pub account_identifier: Option<String>,
    pub account_display_name: Option<String>,
    /// What the provider granted.
    pub scopes: Vec<String>,
    /// The app requires a scope that was not granted.
    pub scope_mismatch: bool,
    /// The scopes in question.
    pub missing_scopes: Vec<String>,
    /// The provider no longer accepts it: the user has to connect again, and the grant keeps its id.
    pub needs_reconnect: bool,
    /// When the access token ends, which the vault then renews if it can.
    pub token_expires_at: Option<Timestamp>,
    /// Whether the provider was told; once the last grant on the connection is revoked.
    pub provider_revocation: Option<ProviderRevocation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RevocationStatus {
    /// The provider is being told.
    Pending,
    /// The provider confirmed.
    Revoked,
    /// The provider has no way to be told.
    NotSupported,
    /// Not told: the account had been connected again, and would have been cut off.
    Superseded,
    /// Given up.
    Failed,
}

/// What became of telling the provider that access has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderRevocation {
    pub status: RevocationStatus,
    pub at: Option<Timestamp>,
    /// Why it failed.
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateGrant {
    pub secret_id: SecretId,
    pub principal: PrincipalView,
    /// What people read in the Wallet; a user's or group's grant needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_policy: Option<GrantPolicyInput>,
}

/// The grant that is made together with a managed secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BaseGrant {
    pub principal: PrincipalView,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_policy: Option<GrantPolicyInput>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeGrant {
    /// At most 2048 bytes; kept on the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
