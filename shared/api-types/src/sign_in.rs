//! Sign-in and identity as the published clients see them (wire protocol sections 4.5 and 4.8).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AgentId, AppId, IdpId, SecretText, Timestamp, UserId};

/// The answer of `POST /sdk/auth/session`.
#[derive(Clone, Serialize)]
pub struct SignInSession {
    pub session_token: String,
    pub auth_url: String,
    /// Seconds.
    pub expires_in: i64,
    pub expires_at: Timestamp,
}

impl fmt::Debug for SignInSession {
    /// Without the token and the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInSession").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// `POST /sdk/auth/poll`.
#[derive(Clone, Deserialize)]
pub struct SignInPoll {
    pub session_token: String,
    /// How long the answer may be held while nobody has signed in, in milliseconds.
    pub wait_ms: Option<u64>,
}

impl fmt::Debug for SignInPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInPoll").field("wait_ms", &self.wait_ms).finish_non_exhaustive()
    }
}

/// How a sign-in stands, told apart by `status`.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum SignInStatus {
    Pending,
    Completed { user_token: SecretText, user_info: SignedInUser },
    Error { error_message: String, error_code: String },
    Expired,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedInUser {
    pub sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// `POST /sdk/auth/verify-token`.
#[derive(Debug, Clone, Deserialize)]
pub struct VerifyToken {
    pub token: SecretText,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifiedToken {
    pub sub: String,
}

/// `POST /sdk/identity/resolve`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ResolveIdentity {
    #[serde(default)]
    pub include_profile: bool,
    #[serde(default, deserialize_with = "crate::present")]
    pub user_token: Option<SecretText>,
    pub app_user_id: Option<String>,
}

/// Who calls, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityContext {
    pub app_id: AppId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_user_id: Option<UserId>,
    /// What the identity provider calls the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_subject_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp_id: Option<IdpId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_status: Option<String>,
    pub group_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<IdentityTrace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// What the call's context says of where it belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityTrace {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
}
