//! The token request, how the client proves itself, and how the reply reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::request::{BodyFormat, Verb, client_id, code};

/// The token request for a code, and how its reply reads (RFC 6749 sections 4.1.3 and 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEndpoint {
    pub url: String,
    pub auth: ClientAuth,
    /// The grant itself where the flow is `jwt_bearer`: sent as `assertion`, for a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Assertion>,
    #[serde(default)]
    pub body: BodyFormat,
    #[serde(default)]
    pub method: Verb,
    /// Added to every token request, or in place of a standard parameter; an empty value takes a standard one away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Beside `Accept: application/json`, which is always sent. Templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(default = "client_id")]
    pub client_id_param: String,
    #[serde(default = "client_secret")]
    pub client_secret_param: String,
    #[serde(default = "code")]
    pub code_param: String,
    #[serde(default)]
    pub reply: TokenReply,
    /// A second exchange at once, for a token that lives longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
}

/// How the client proves itself at the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientAuth {
    /// Id and secret in the body (RFC 6749 section 2.3.1).
    Post,
    /// Id and secret form-encoded, then HTTP Basic (RFC 6749 section 2.3.1).
    Basic,
    /// A public client: its id alone.
    None,
    /// The secret as the user name of HTTP Basic, with an empty password, and no id (Stripe Apps).
    SecretAsUser,
    /// `client_assertion` (RFC 7523 section 2.2).
    PrivateKeyJwt(Assertion),
    /// The secret that is posted is itself a JWT, made for each request (Sign in with Apple).
    SecretJwt(Assertion),
}

/// A JWT signed with the operator's private key, which takes the client secret's place: field `private_key` (PEM, PKCS #8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    pub algorithm: AssertionAlgorithm,
    /// Templates. `iat`, `exp` and, where RFC 7523 wants it, `jti` are added.
    pub claims: BTreeMap<String, String>,
    /// The JOSE header `kid`, a template; a variable of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    pub lifetime_seconds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssertionAlgorithm {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
}

/// Where a token reply keeps what. The defaults are RFC 6749 section 5.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenReply {
    pub access_token: Vec<String>,
    pub refresh_token: Vec<String>,
    /// Seconds from now, a number or its text.
    pub expires_in: Vec<String>,
    /// A moment: RFC 3339, or Unix seconds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expires_at: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refresh_expires_in: Vec<String>,
    /// A text with the entry's separator, a comma or a space, or a list.
    pub scope: Vec<String>,
    /// What a reply with a success status must hold to be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<SuccessFlag>,
    /// Where an error's code stands; one that is there (and not null, false or 0) is an error whatever the status.
    pub error: Vec<String>,
    pub error_description: Vec<String>,
}

impl Default for TokenReply {
    fn default() -> Self {
        let one = |text: &str| vec![text.to_owned()];
        Self {
            access_token: one("access_token"),
            refresh_token: one("refresh_token"),
            expires_in: one("expires_in"),
            expires_at: Vec::new(),
            refresh_expires_in: Vec::new(),
            scope: one("scope"),
            success: None,
            error: one("error"),
            error_description: one("error_description"),
        }
    }
}

/// `{"ok": true}`, `{"code": 0}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessFlag {
    pub path: String,
    pub equals: serde_json::Value,
}

/// An exchange of a short-lived token for one that lives longer; its reply reads like the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    pub url: String,
    #[serde(default)]
    pub method: Verb,
    #[serde(default)]
    pub body: BodyFormat,
    /// All parameters, templates.
    pub params: BTreeMap<String, String>,
}

fn client_secret() -> String {
    "client_secret".to_owned()
}
