//! Grants as the published clients see them (wire protocol section 4.3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AgentId, CredentialId, GrantId, SecretId, Timestamp};

/// `POST /sdk/grants/list`.
#[derive(Debug, Clone, Deserialize)]
pub struct ListGrantsRequest {
    #[serde(default = "default_limit")]
    pub limit: usize,
    #[serde(default)]
    pub offset: usize,
    pub provider_id: Option<String>,
    pub status: Option<String>,
    pub account: Option<String>,
    pub label: Option<String>,
    #[serde(default, deserialize_with = "crate::present")]
    pub user_token: Option<String>,
}

fn default_limit() -> usize {
    100
}

/// One page by offset.
#[derive(Debug, Clone, Serialize)]
pub struct ListGrantsResponse {
    pub grants: Vec<GrantItem>,
    pub total: usize,
    pub limit: usize,
    pub offset: usize,
    pub has_more: bool,
    /// More grants exist than were counted.
    pub is_truncated: bool,
}

/// A grant, told apart by `grant_kind`.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "grant_kind", rename_all = "snake_case")]
pub enum GrantItem {
    ManagedSecret(ManagedSecretGrant),
    Oauth(OauthGrant),
}

#[derive(Debug, Clone, Serialize)]
pub struct ManagedSecretGrant {
    pub grant_id: GrantId,
    pub managed_secret_id: SecretId,
    pub managed_secret_slug: String,
    pub managed_secret_name: String,
    pub status: String,
    pub principal_type: String,
    pub access_via: String,
    pub agent_id: Option<AgentId>,
    pub label: Option<String>,
    pub account_identifier: Option<String>,
    pub credential_id: CredentialId,
    pub credential_kind: String,
    pub grant_policy: Option<GrantPolicyView>,
    /// When the grant, not the credential, ends.
    pub grant_expires_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub depth: u32,
    pub delegable: bool,
    pub created_at: Timestamp,
}

/// A grant on what an end user connected.
#[derive(Debug, Clone, Serialize)]
pub struct OauthGrant {
    pub grant_id: GrantId,
    pub provider_id: String,
    pub status: String,
    pub principal_type: String,
    pub access_via: String,
    /// What the provider granted.
    pub scopes: Vec<String>,
    pub account_identifier: Option<String>,
    pub account_display_name: Option<String>,
    pub label: Option<String>,
    pub credential_id: CredentialId,
    pub parent_grant_id: Option<GrantId>,
    /// An https origin that calls can start from.
    pub api_base_url: Option<String>,
    /// When the access token, not the grant, ends.
    pub expires_at: Option<Timestamp>,
    /// When the grant ends.
    pub grant_expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub delegated_at: Option<Timestamp>,
    /// The app requires a scope that was not granted.
    pub scope_mismatch: bool,
    /// The provider no longer accepts it: the user has to connect again, and the grant keeps its id.
    pub needs_reconnect: bool,
    pub delegable: bool,
    pub delegated_agent_ids: Vec<AgentId>,
    pub grant_policy: Option<GrantPolicyView>,
    pub depth: u32,
    pub scope_constraint: Option<Vec<String>>,
    pub created_at: Timestamp,
}

/// The read side of a grant's policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GrantPolicyView {
    pub expires_at: Option<Timestamp>,
    pub max_ttl_seconds: Option<i64>,
}

/// The write side of a grant's policy.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GrantPolicyInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl_seconds: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_ttl_seconds: Option<i64>,
    /// What this version does not enforce. Its presence is refused, never ignored.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// `POST /sdk/oauth/grants/{grant_id}/revoke`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct RevokeGrantRequest {
    pub reason: Option<String>,
    #[serde(default, deserialize_with = "crate::present")]
    pub user_token: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct RevokeGrantResponse {
    pub success: bool,
    pub message: String,
    pub grant_id: GrantId,
    pub revoked_at: Timestamp,
}

/// `POST /sdk/managed-secrets/{provider_uuid}/grants`.
#[derive(Debug, Clone, Deserialize)]
pub struct IssueGrantRequest {
    pub principal: PrincipalInput,
    #[serde(default)]
    pub grant_policy: GrantPolicyInput,
    pub credential_id: Option<CredentialId>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct PrincipalInput {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, deserialize_with = "crate::present")]
    pub user_token: Option<String>,
    pub external_group_id: Option<String>,
    pub idp_id: Option<crate::IdpId>,
    pub label: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct IssueGrantResponse {
    pub grant_id: GrantId,
    pub principal_type: String,
    pub label: Option<String>,
    pub created_at: Timestamp,
    pub credential_id: CredentialId,
}
