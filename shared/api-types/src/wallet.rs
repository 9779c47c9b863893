//! The Wallet: what end users see of their grants and of the record (`/wallet/api/*`). Every text in here that an app, a
//! provider or an identity provider chose is shown as text and never as markup.

use serde::{Deserialize, Serialize};

pub use crate::audit::AuditRow as ActivityRow;
use crate::{
    AgentId, AppId, ConnectionId, GrantId, Timestamp, UserId,
    portal::{GrantKind, GrantStatus, ProviderRevocation, Surface},
};

/// The header of every write, with [`SessionView::csrf_token`] as its value.
pub const CSRF_HEADER: &str = "x-alter-csrf";

/// Why nobody was signed in: what the Wallet's page finds as `error` in the address of `/sign-in`.
pub const SIGN_IN_ERRORS: [&str; 15] = [
    "sign_in_denied",
    "sign_in_expired",
    "sign_in_other_browser",
    "sign_in_failed",
    "user_suspended",
    "user_deprovisioned",
    "code_refused",
    "id_token_invalid",
    "identity_provider_changed",
    "identity_provider_refused",
    "identity_provider_unavailable",
    "idp_signin_misconfigured",
    "idp_signin_not_configured",
    "app_not_found",
    "too_many_requests",
];

/// `GET /wallet/api/sign-in?app=…`, for somebody who is not signed in yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignInOptions {
    /// The app that was named, if people can sign in through it.
    pub app: Option<AppCard>,
    /// Apps that their operators let the Wallet offer to everybody, by name; at most 100.
    pub apps: Vec<AppCard>,
}

/// `GET /wallet/api/session`: who is signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    pub user_id: UserId,
    pub name: Option<String>,
    pub email: Option<String>,
    /// What the identity provider calls the user.
    pub subject: String,
    /// The identity provider's address.
    pub issuer: String,
    /// The app whose identity provider the user signed in with.
    pub app: AppCard,
    /// The value of [`CSRF_HEADER`].
    pub csrf_token: String,
    /// When the session ends whatever happens; it ends earlier when it is not used for `idle_seconds`.
    pub expires_at: Timestamp,
    pub idle_seconds: i64,
}

/// `POST /wallet/api/sign-out`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignedOut {
    /// Where the browser goes next: the identity provider's own sign-out, or the Wallet's sign-in page.
    pub location: String,
}

/// An app, as its operator wants people to see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppCard {
    pub app_id: AppId,
    pub name: String,
    pub description: Option<String>,
    pub website_url: Option<String>,
    pub branding: Branding,
}

/// What an operator chose for an app's looks. Whoever draws with it sees to the contrast.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branding {
    /// A path on the vault's own origin.
    pub logo_url: Option<String>,
    /// `#rrggbb`.
    pub color: Option<String>,
    /// `#rrggbb`; for dark backgrounds. Absent: `color`.
    pub color_dark: Option<String>,
}

/// `GET /wallet/api/overview`: every grant of the user's over all apps, with what it takes to show them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Whose it is: another page of the same browser may have signed in as somebody else.
    pub user_id: UserId,
    /// Apps with at least one grant below, by name.
    pub apps: Vec<AppCard>,
    /// Agents that occur below.
    pub agents: Vec<AgentCard>,
    /// Newest first.
    pub grants: Vec<GrantCard>,
    /// Not all grants are in here: there are too many.
    pub truncated: bool,
    pub pending_approvals: u32,
    /// The server's clock, for countdowns.
    pub now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCard {
    pub agent_id: AgentId,
    pub app_id: AppId,
    pub name: String,
    pub display_name: Option<String>,
    pub active: bool,
}

/// For whom a grant is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Holder {
    You,
    /// For everybody in a group that the user is in: only the operator ends it.
    Group {
        name: String,
    },
    /// For an agent, on a connection of the user's.
    Agent {
        agent_id: AgentId,
    },
}

/// One grant. A card of the Wallet shows an own grant together with the agents' grants on the same connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrantCard {
    pub grant_id: GrantId,
    pub app_id: AppId,
    pub provider_id: String,
    /// For people: the provider's name, or the managed secret's.
    pub provider_name: String,
    pub kind: GrantKind,
    /// Only of kind `oauth`.
    pub connection_id: Option<ConnectionId>,
    pub holder: Holder,
    pub label: Option<String>,
    pub account: Option<Account>,
    /// What the provider granted.
    pub scopes: Vec<ScopeCard>,
    pub status: GrantStatus,
    /// Only where the user has to connect again.
    pub reconnect: Option<Reconnect>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// The last call with it that succeeded, a moment late.
    pub last_used_at: Option<Timestamp>,
    /// Agents that hold a grant of their own on the same connection, revoked ones left out.
    pub agent_ids: Vec<AgentId>,
    pub may_revoke: bool,
    /// The latest expiry that the user may choose; absent where the expiry is not theirs to change.
    pub extendable_to: Option<Timestamp>,
    /// Only of a revoked grant.
    pub ended: Option<Ended>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub identifier: String,
    pub display_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeCard {
    pub scope: String,
    /// In plain words that follow "It can": `read your calendar`. Absent where the catalogue knows none.
    pub words: Option<String>,
}

/// Why a connection no longer works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconnect {
    pub since: Option<Timestamp>,
    /// The provider's error code (RFC 6749 section 5.2), or the vault's.
    pub cause: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub at: Timestamp,
    pub from: Surface,
    pub reason: Option<String>,
    /// The tokens were deleted: no other grant uses the connection. Always `false` for a managed secret, whose value is the app's.
    pub tokens_deleted: bool,
    /// Whether the provider was told; only where tokens were deleted.
    pub provider_revocation: Option<ProviderRevocation>,
}

/// `GET /wallet/api/grants/{grant_id}`. Its history is `GET /wallet/api/activity?grant_id=…`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrantDetail {
    pub app: AppCard,
    pub grant: GrantCard,
    /// The other grants on the same connection that the user may see, newest first.
    pub siblings: Vec<GrantCard>,
    pub agents: Vec<AgentCard>,
    /// Where the grant's app wants concerns sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_email: Option<String>,
    pub now: Timestamp,
}

/// `POST /wallet/api/grants/{grant_id}/revoke`. With an own grant on a connection the agents' grants on it end too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// At most 2048 bytes; kept on the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What revoking did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevokeReceipt {
    /// As it is now; `ended` is set.
    pub grant: GrantCard,
    /// Agents' grants that ended with it.
    pub ended_with_it: Vec<GrantId>,
}

/// `POST /wallet/api/grants/{grant_id}/extend`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtendRequest {
    /// In the future, later than now in force, and not past `extendable_to`.
    pub expires_at: Timestamp,
}

/// The filters of `GET /wallet/api/activity`, `/activity/counts` and `/activity/export`; all of them hold at once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivityQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<AppId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<GrantId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// `call` for calls alone, or another kind of event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// As in `GET /v1/audit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Somewhere in reason, host, path, method or provider, whatever the case; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// RFC 3339, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// RFC 3339, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Rows in a page: 1 to 500, 100 by default. A page may be shorter, or empty, although more follow: `next_cursor` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Of an export only: `csv` (the default) or `jsonl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// `GET /wallet/api/activity`: one page of the record, in the rows of `GET /v1/audit`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActivityPage {
    pub items: Vec<ActivityRow>,
    pub next_cursor: Option<String>,
    /// The agents that occur in these rows.
    #[serde(default)]
    pub agents: Vec<AgentCard>,
}

/// `GET /wallet/api/activity/counts`: calls per half hour, so that the browser can put them into its own days. Newest first;
/// half hours without a call are left out. One answer covers a bounded number of rows; `next_cursor` goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityCounts {
    pub buckets: Vec<CountBucket>,
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountBucket {
    /// The half hour's beginning.
    pub at: Timestamp,
    pub calls: u32,
    /// Of them, those that did not succeed.
    pub failed: u32,
}

/// `GET /wallet/api/approvals`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approvals {
    pub items: Vec<ApprovalCard>,
}

/// A call that waits for the user's word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalCard {
    pub approval_id: String,
    pub app_id: AppId,
    pub agent_id: Option<AgentId>,
    pub grant_id: GrantId,
    pub provider_id: String,
    pub method: String,
    pub url: String,
    /// The payload, as text, shortened.
    pub payload: Option<String>,
    pub reason: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// `POST /wallet/api/approvals/{approval_id}/decide`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    pub decision: Decision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Approve,
    Deny,
}
