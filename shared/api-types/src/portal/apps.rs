//! Apps and agents.

use serde::{Deserialize, Serialize};

use super::present;
use crate::{AgentId, AppId, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AppStatus {
    Active,
    /// Hidden from lists; keys, grants and calls go on working.
    Archived,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AppView {
    pub app_id: AppId,
    pub name: String,
    pub description: Option<String>,
    pub website_url: Option<String>,
    /// Where users turn to with concerns; shown in the Wallet.
    pub support_email: Option<String>,
    /// `#rrggbb`. The Wallet and Connect draw with what contrasts enough of it.
    pub color: Option<String>,
    /// `#rrggbb`, for dark backgrounds; absent: `color`.
    pub color_dark: Option<String>,
    pub logo: Option<LogoView>,
    /// The Wallet's sign-in page offers the app to everybody.
    pub wallet_listed: bool,
    pub status: AppStatus,
    pub archived_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogoView {
    /// Where anybody can get it. Another logo has another address.
    pub url: String,
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub content_type: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateApp {
    /// 1 to 100 characters.
    pub name: String,
    /// At most 1000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An http or https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_url: Option<String>,
}

/// At least one field; `null` clears an optional one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateApp {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub description: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub website_url: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub support_email: Option<Option<String>>,
    /// `#rrggbb`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub color: Option<Option<String>>,
    /// `#rrggbb`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub color_dark: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet_listed: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AgentStatus {
    Active,
    Revoked,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentView {
    pub agent_id: AgentId,
    pub app_id: AppId,
    pub name: String,
    pub display_name: Option<String>,
    pub status: AgentStatus,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateAgent {
    /// 1 to 64 lowercase letters, digits, `-` and `_`; unique among the app's agents.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}
