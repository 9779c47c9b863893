//! OAuth providers: what the vault knows of them, and how an app is registered with them. No answer carries a client secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AppId, SecretText, Timestamp};

/// A scope, and what it lets an app do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScopeView {
    pub scope: String,
    /// In plain words that follow "It will be able to".
    pub description: String,
    /// Proposed as a default.
    pub default: bool,
}

/// Who gives a variable its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AskedOf {
    /// The operator, once per app.
    Operator,
    /// The end user, while connecting.
    User,
}

/// A part of the provider's addresses or requests that differs by app or by connection (a tenant, a shop).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderVariable {
    pub name: String,
    pub label: String,
    pub asked_of: AskedOf,
    /// What a value must be, to follow "must be".
    pub expected: String,
    pub example: Option<String>,
    pub default: Option<String>,
    /// It has neither a default nor leave to be missing.
    pub required: bool,
}

/// How access tokens are renewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefreshView {
    /// `none`, `refresh_token`, `access_token` or `assertion`.
    pub kind: String,
    /// What becomes of a refresh token when it is used: `never` replaced, `sometimes`, `always`.
    pub rotation: String,
    /// Life of an access token where the provider's reply does not say.
    pub access_ttl_seconds: Option<u64>,
    pub refresh_ttl_seconds: Option<u64>,
    /// The life of a refresh token is counted from its last use: the vault uses it in time.
    pub refresh_ttl_idle: bool,
    /// What has to be done to get a refresh token at all.
    pub condition: Option<String>,
}

/// How sure an entry is: `high`, `medium` or `low`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CertaintyView {
    /// Of addresses and hosts.
    pub endpoints: String,
    /// Of lifetimes, rotation and revocation.
    pub behaviour: String,
    /// Year and month of the evidence.
    pub date: String,
}

/// What the vault knows of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogProviderView {
    /// What calls name.
    pub provider_id: String,
    pub name: String,
    pub category: String,
    /// For where no logo is shown.
    pub monogram: String,
    pub docs_url: String,
    /// `authorization_code`, or `jwt_bearer` where no browser is involved.
    pub flow: String,
    /// What proves the app to the provider: `client_secret`, `private_key`, both, or nothing for a public client.
    pub secret_fields: Vec<String>,
    pub scopes: Vec<ScopeView>,
    /// Asked for always, beside what the operator chose.
    pub always_scopes: Vec<String>,
    /// The provider has no scopes: permissions belong to the app's registration there.
    pub without_scopes: bool,
    pub variables: Vec<ProviderVariable>,
    /// `required`, `supported`, `breaks` or `unknown`; the proof key is sent in the first two cases (RFC 7636, S256).
    pub pkce: Option<String>,
    pub refresh: RefreshView,
    /// Whether the provider can be told that access ends.
    pub revocation: bool,
    /// Where tokens may be sent.
    pub api_hosts: Vec<String>,
    pub certainty: CertaintyView,
    /// What an operator should know.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProviderStatus {
    Enabled,
    /// No new connections, and no calls through those that exist.
    Disabled,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderScopes {
    /// A connection may ask for these and no others.
    pub allowed: Vec<String>,
    /// Asked for when a connection names none.
    pub default: Vec<String>,
    /// A connection without one of these is flagged `scope_mismatch`.
    pub required: Vec<String>,
}

/// What is behind a provider of an app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderUsage {
    /// Grants that are not revoked.
    pub live_grants: u64,
    /// Those whose connection lacks a required scope.
    pub scope_mismatches: u64,
    /// Those whose user has to connect again.
    pub need_reconnect: u64,
    /// Connections whose end the provider has not been told yet.
    pub pending_revocations: u64,
    /// More exist than were counted.
    pub is_truncated: bool,
}

/// An app's registration at a provider, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderView {
    pub app_id: AppId,
    /// What calls name.
    pub provider_id: String,
    pub name: String,
    pub docs_url: Option<String>,
    pub status: ProviderStatus,
    pub disabled_at: Option<Timestamp>,
    pub client_id: String,
    pub has_client_secret: bool,
    /// When the secret was last replaced.
    pub secret_rotated_at: Option<Timestamp>,
    /// To be entered at the provider, exactly so.
    pub redirect_uri: String,
    pub scopes: ProviderScopes,
    /// The operator's variables.
    pub variables: BTreeMap<String, String>,
    /// Custom OAuth: the operator's own definition. Absent for a provider of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub definition: Option<Value>,
    pub usage: ProviderUsage,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Left out: what the catalogue proposes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScopesInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<String>>,
}

/// A provider of the catalogue (`provider_id`), or of your own (`definition`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddProvider {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Custom OAuth: written as the catalogue's entries are (`alter provider check` validates it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub definition: Option<Value>,
    pub client_id: String,
    /// It can be replaced and never read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretText>,
    /// PEM of the key that signs, for a provider that takes a signed assertion in the secret's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<SecretText>,
    #[serde(default)]
    pub scopes: ScopesInput,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

/// At least one field. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateProvider {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<ScopesInput>,
    /// New values by name; `null` takes one away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<BTreeMap<String, Option<String>>>,
    /// Custom OAuth only; its id stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub definition: Option<Value>,
}

/// All that proves the app to the provider, anew.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetClientSecret {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretText>,
    /// PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<SecretText>,
}
