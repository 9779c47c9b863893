//! Connect as the published clients see it (wire protocol sections 4.4, 4.8 and 6).

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{GrantId, SecretText, Timestamp, grants::GrantPolicyInput};

/// `POST /sdk/oauth/connect/session`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct CreateSessionRequest {
    pub allowed_providers: Option<Vec<String>>,
    pub return_url: Option<String>,
    pub allowed_origin: Option<String>,
    pub metadata: Option<BTreeMap<String, Value>>,
    #[serde(default, deserialize_with = "crate::present")]
    pub user_token: Option<SecretText>,
    pub agent: Option<String>,
    pub grant_policy: Option<GrantPolicyInput>,
    pub required_scopes: Option<BTreeMap<String, Vec<String>>>,
    pub direct: Option<bool>,
    pub switch_account: Option<bool>,
    pub allow_user_policy_rules: Option<bool>,
    pub requested_grant: Option<RequestedGrant>,
    pub repair_grant_id: Option<String>,
    pub delegable: Option<bool>,
    pub scope_constraint: Option<Vec<String>>,
    /// What this version does not know. Its presence is refused, never ignored.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RequestedGrant {
    pub label: Option<String>,
    pub restrictions: Option<Value>,
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

#[derive(Clone, Serialize)]
pub struct CreateSessionResponse {
    pub session_token: String,
    pub connect_url: String,
    /// Seconds.
    pub expires_in: i64,
    pub expires_at: Timestamp,
    pub single_provider: bool,
    pub direct: bool,
}

/// `POST /sdk/oauth/connect/session/poll`.
#[derive(Clone, Deserialize)]
pub struct PollRequest {
    pub session_token: String,
}

impl fmt::Debug for CreateSessionResponse {
    /// Without the token, which the link holds too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateSessionResponse").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl fmt::Debug for PollRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollRequest").finish_non_exhaustive()
    }
}

/// How a session stands, told apart by `status`.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum PollResponse {
    Pending {
        declined_providers: Vec<DeclinedProvider>,
    },
    Completed {
        grants: Vec<ConnectedGrant>,
        failed_grants: Vec<FailedGrant>,
        declined_providers: Vec<DeclinedProvider>,
    },
    Error {
        error: PollError,
    },
    Expired,
}

#[derive(Debug, Clone, Serialize)]
pub struct DeclinedProvider {
    pub provider_id: String,
    pub error_code: String,
    pub declined_at: Timestamp,
}

#[derive(Debug, Clone, Serialize)]
pub struct ConnectedGrant {
    pub grant_id: GrantId,
    pub provider_id: String,
    pub scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_base_url: Option<String>,
    pub operation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_policy: Option<ConnectedPolicy>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ConnectedPolicy {
    pub expires_at: Timestamp,
    pub created_by: String,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Serialize)]
pub struct FailedGrant {
    pub provider_id: String,
    pub reason: String,
    pub message: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct PollError {
    pub error_code: String,
    pub error_message: String,
}

/// What the Connect page posts to the page that opened it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ConnectMessage {
    AlterConnectSuccess { grants: Vec<MessageGrant> },
    AlterConnectError { error: String, error_description: String },
}

/// A grant as the published browser client reads it. Note `provider`, where everything else says `provider_id`.
#[derive(Debug, Clone, Serialize)]
pub struct MessageGrant {
    pub grant_id: GrantId,
    pub provider: String,
    pub provider_name: String,
    pub account_identifier: String,
    pub timestamp: Timestamp,
    pub operation: String,
    pub scopes: Vec<String>,
    pub status: String,
    pub metadata: MessageMetadata,
}

#[derive(Debug, Clone, Serialize)]
pub struct MessageMetadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_email: Option<String>,
}

/// `GET /sdk/oauth/provider-catalog`: what the app has set up.
#[derive(Debug, Clone, Serialize)]
pub struct ProviderCatalog {
    pub providers: BTreeMap<String, CatalogProvider>,
}

#[derive(Debug, Clone, Serialize)]
pub struct CatalogProvider {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub category: String,
    pub supports_refresh: bool,
    pub supports_pkce: bool,
    pub available_scopes: BTreeMap<String, CatalogScope>,
    pub default_scopes: Vec<String>,
    pub required_scopes: Vec<String>,
    /// `active`, or `disabled` by the operator.
    pub status: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct CatalogScope {
    pub description: String,
    pub required: bool,
    pub is_default: bool,
    pub requires: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_session_token() {
        let token = "t0ken-canary";
        let response = CreateSessionResponse {
            session_token: token.to_owned(),
            connect_url: format!("https://vault.example/#session={token}"),
            expires_in: 600,
            expires_at: Timestamp::UNIX_EPOCH,
            single_provider: true,
            direct: false,
        };
        let request = PollRequest { session_token: token.to_owned() };
        assert!(!format!("{response:?} {request:?}").contains("canary"));
    }
}
