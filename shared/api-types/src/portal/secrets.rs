//! Managed secrets and the templates they are made from. No answer ever carries a value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BaseGrant, GrantView};
use crate::{AppId, SecretId, SecretText, Timestamp};

/// How a managed secret authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CredentialType {
    /// Field `token`, sent as `Authorization: Bearer …`.
    Bearer,
    /// Field `api_key`, sent in a header that an injection rule names.
    ApiKey,
    /// Fields `username` and `password`, sent as `Authorization: Basic …`.
    Basic,
    /// Fields `access_key_id`, `secret_access_key` and optionally `session_token`; each request is signed.
    AwsSigv4,
    /// Fields of your choice, placed by the injection rules.
    Custom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RuleTarget {
    Header,
    Query,
}

/// One header or query parameter that carries the credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InjectionRule {
    pub target: RuleTarget,
    pub name: String,
    /// Text with fields in braces: `Token {token}`, `{basic(username:password)}`. Absent: the one field of a `bearer` or
    /// `api_key` secret as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InjectionRuleView {
    pub target: RuleTarget,
    pub name: String,
    pub format: String,
}

/// How the credential enters a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum InjectionView {
    Rules { rules: Vec<InjectionRuleView> },
    AwsSigv4 {},
}

/// A header that is no secret and that the provider obliges every caller to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeaderView {
    pub name: String,
    pub value: String,
}

/// A managed secret, without its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretView {
    pub secret_id: SecretId,
    pub app_id: AppId,
    /// The provider as calls name it. It never changes.
    pub slug: String,
    pub name: String,
    pub template: Option<String>,
    pub credential_type: CredentialType,
    /// The names of the stored fields.
    pub fields: Vec<String>,
    pub injection: InjectionView,
    pub default_headers: Vec<HeaderView>,
    /// Where the credential may be sent, and nowhere else: `api.stripe.com`, `*.example.com`, `127.0.0.1:8080`.
    pub allowed_hosts: Vec<String>,
    pub created_at: Timestamp,
    /// When the value was last replaced.
    pub rotated_at: Timestamp,
    /// How many grants on it are active; told of one secret, not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_grants: Option<u64>,
    /// The grant that was made along; only in the answer to its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantView>,
}

/// From a template (`template` and `fields`), or of your own (`credential_type`, `injection`, `allowed_hosts`, `fields`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateSecret {
    /// Its slug is made from it. Absent: the template's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_type: Option<CredentialType>,
    /// The values by field name. They can be replaced and never read.
    pub fields: BTreeMap<String, SecretText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injection: Option<Vec<InjectionRule>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_headers: Option<Vec<HeaderView>>,
    /// Absent: the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<String>>,
    /// Makes a grant at once: a secret without one cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<BaseGrant>,
}

/// At least one field. The slug stays, whatever the name becomes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateSecret {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injection: Option<Vec<InjectionRule>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_headers: Option<Vec<HeaderView>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<String>>,
}

/// All fields of the credential anew. Every grant goes on working, with the new value.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplaceValue {
    pub fields: BTreeMap<String, SecretText>,
}

/// One value that a template asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplateField {
    pub name: String,
    pub label: String,
    pub help: Option<String>,
    /// Whether it proves anything: a user name does not.
    pub secret: bool,
    pub required: bool,
}

/// What is known of a service beforehand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplateView {
    pub slug: String,
    pub name: String,
    /// What the service is for: `payments`, `ai`, `monitoring` and so on.
    pub category: String,
    pub credential_type: CredentialType,
    pub fields: Vec<TemplateField>,
    pub injection: InjectionView,
    pub default_headers: Vec<HeaderView>,
    /// A suffix such as `*.example.com` stands for the tenants of one service: put the one host in its place.
    pub allowed_hosts: Vec<String>,
    /// Where the service explains its credentials.
    pub docs_url: String,
}
