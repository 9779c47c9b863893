//! `POST /sdk/proxy` (wire protocol section 4.1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::UserId;

/// A call to make. Fields that this version does not know are ignored.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct ProxyRequest {
    /// Upper case.
    pub method: String,
    /// Absolute.
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_user_id: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::present")]
    pub user_token: Option<String>,
    /// Any JSON but null; its text is sent as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A list means repetition; null is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query_params: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The provider's answer, whatever its status.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProxyResponse {
    pub status_code: u16,
    /// Repeated headers are joined with a comma and a space.
    pub headers: BTreeMap<String, String>,
    /// Standard base64 with padding; the bytes after transfer and content encoding were undone.
    pub body_b64: String,
    pub body_truncated: bool,
    /// From the call's arrival to the end of the provider's answer, in milliseconds.
    pub duration_ms: Option<u64>,
    /// For a 401 or 403 that the vault can explain.
    pub credential_hint: Option<String>,
    /// The audit event of this call.
    pub call_id: String,
}
