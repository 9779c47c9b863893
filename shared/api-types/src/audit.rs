//! Audit rows as they are read: one flat shape for JSON, JSON lines and CSV.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AgentId, AppId, EventId, GrantId, IdpId, KeyId, PatId, Timestamp, UserId};

/// The filters of an audit query; all of them hold at once.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct AuditQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<String>))]
    pub grant_id: Option<GrantId>,
    /// An end user: their rows in this app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<String>))]
    pub user_id: Option<UserId>,
    /// An agent that acted, or that owns the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<String>))]
    pub agent_id: Option<AgentId>,
    /// `user`, `group`, `system` or `agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// An event kind such as `call` or `grant.revoked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// `success`, `denied`, `provider_error`, `network_error`, `vault_error`, `aborted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The beginning of the acting key's prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_prefix: Option<String>,
    /// RFC 3339, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<String>))]
    pub since: Option<Timestamp>,
    /// RFC 3339, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<String>))]
    pub until: Option<Timestamp>,
    /// `desc` (newest first, the default) or `asc`. An ascending reader keeps `next_cursor` and comes back for what is
    /// recorded later; rows of the last 2 seconds are left for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Rows in a page: 1 to 1000, 100 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Of an export only: `csv` (the default) or `jsonl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// One row of the record.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditRow {
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: EventId,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub created_at: Timestamp,
    pub event: String,
    /// `started` until the final row is written.
    pub outcome: String,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub app_id: Option<AppId>,
    /// `app`, `agent`, `operator`, `user` (in the Wallet) or `system`.
    pub actor_type: String,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub caller_key_id: Option<KeyId>,
    pub caller_key_prefix: Option<String>,
    pub caller: Option<String>,
    pub caller_type: Option<String>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub agent_id: Option<AgentId>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub operator_token_id: Option<PatId>,
    pub ip: Option<String>,
    /// `sdk`, `portal`, `wallet`, `connect`, `webhook` or `vault`.
    pub surface: Option<String>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub grant_id: Option<GrantId>,
    pub grant_kind: Option<String>,
    pub grant_label: Option<String>,
    pub provider_id: Option<String>,
    pub principal_type: Option<String>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub principal_user_id: Option<UserId>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub principal_idp_id: Option<IdpId>,
    pub principal_group_id: Option<String>,
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub principal_agent_id: Option<AgentId>,
    pub method: Option<String>,
    pub host: Option<String>,
    pub path: Option<String>,
    /// The provider's HTTP status.
    pub status: Option<u16>,
    /// The vault's error code.
    pub error_code: Option<String>,
    /// Milliseconds.
    pub latency_ms: Option<u64>,
    pub request_bytes: Option<u64>,
    pub response_bytes: Option<u64>,
    pub truncated: bool,
    /// The provider sent the credential back in a header and it was removed.
    pub redacted: bool,
    pub reason: Option<String>,
    pub context: BTreeMap<String, String>,
    pub traceparent: Option<String>,
    pub detail: BTreeMap<String, String>,
    /// Whose token the call carried, whose connection an agent used, or whom the event is about. It differs from
    /// `principal_user_id` where a group's or an agent's grant was used.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user_id: Option<UserId>,
}

/// One page of the record.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditPage {
    pub items: Vec<AuditRow>,
    pub next_cursor: Option<String>,
}
