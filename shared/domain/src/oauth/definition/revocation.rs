//! How a provider is told that access ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    request::{BodyFormat, Verb},
    token::SuccessFlag,
};

/// How the provider is told that access ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    pub url: String,
    #[serde(default)]
    pub method: Verb,
    #[serde(default)]
    pub body: BodyFormat,
    #[serde(default)]
    pub auth: RevocationAuth,
    /// All parameters. Left out, they are those of RFC 7009 section 2.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<BTreeMap<String, String>>,
    /// Templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Which token is told. One that ends the whole grant is enough.
    #[serde(default)]
    pub token: RevokedToken,
    /// Statuses that mean that it is gone, beside 2xx (404 where the provider answers so for a token it has forgotten).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_success: Vec<u16>,
    /// What a 2xx body must hold to be a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<SuccessFlag>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RevocationAuth {
    /// As at the token endpoint.
    #[default]
    Client,
    /// HTTP Basic, whatever the token endpoint uses.
    Basic,
    /// `Authorization: Bearer` and the access token.
    Bearer,
    /// A header of its own: name, and a template for its value.
    Header {
        name: String,
        value: String,
    },
    None,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedToken {
    /// The refresh token, or the access token where there is none.
    #[default]
    Refresh,
    Access,
    /// One after the other.
    Both,
}
