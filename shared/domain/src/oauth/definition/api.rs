//! Where calls go, and the vault's own requests there: lookups and which account it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::request::Verb;

/// Where calls go and how they carry the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Exact names or `*.suffix`, templates: the egress allow-list.
    pub hosts: Vec<String>,
    /// An https URL that calls can start from, without a slash at its end, a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    #[serde(default = "authorization")]
    pub header: String,
    /// Of the header, with `{access_token}`.
    #[serde(default = "bearer")]
    pub format: String,
    /// Headers that every call needs, set when the caller does not. Values are templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// A request with the fresh access token (as calls carry it), to one of the provider's API or token hosts. The headers
/// of calls are not added: they may need what this request is to find out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnRequest {
    pub url: String,
    #[serde(default = "get")]
    pub method: Verb,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Sent as JSON, as it is: no template (GraphQL is full of braces).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// Instead of the header that calls carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<String>,
}

/// A request whose answer gives variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    pub request: OwnRequest,
    /// Variable to path.
    pub set: BTreeMap<String, String>,
}

/// Where it stands which account was connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub source: AccountSource,
    /// Paths. Stable: it tells two accounts apart.
    pub identifier: Vec<String>,
    /// Paths whose texts, all of them, tell accounts apart beside the identifier: the person where that names a tenant, the
    /// tenant where it names a person. What the source does not have is looked for in the token endpoint's reply and its ID
    /// token. Where one is missing the account is shown, and taken for no other connection's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// The identifier is a tenant's whose people each have tokens of their own, and nothing tells the people apart: it is
    /// shown, and taken for no other connection's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_many: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display_name: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AccountSource {
    /// The token endpoint's reply.
    Reply,
    /// Claims of the reply's `id_token`, taken over the TLS connection to the token endpoint (OpenID Connect Core section
    /// 3.1.3.7, point 6): shown to people, never proof of who they are.
    IdToken,
    /// The entry's variables: paths are their names.
    Variables,
    Request(OwnRequest),
}

fn authorization() -> String {
    "Authorization".to_owned()
}

fn bearer() -> String {
    "Bearer {access_token}".to_owned()
}

fn get() -> Verb {
    Verb::Get
}
