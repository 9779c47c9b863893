//! How an access token is renewed, and what becomes of the refresh token.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    request::{BodyFormat, Verb},
    token::ClientAuth,
};

/// How an access token is renewed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    #[serde(default)]
    pub kind: RefreshKind,
    /// When it is not the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Verb>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyFormat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<ClientAuth>,
    /// Added, or in place of a standard parameter; an empty value takes it away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    #[serde(default)]
    pub rotation: RefreshTokenRotation,
    #[serde(default)]
    pub grace: Grace,
    /// Life of an access token in seconds, where the reply does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_ttl_seconds: Option<u64>,
    /// How long a refresh token lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// Live refresh tokens per account and client: past it the provider drops the oldest without a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_tokens: Option<u32>,
    /// How often one refresh token may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<RefreshLimit>,
    /// What has to be done to get a refresh token at all, as a sentence for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshKind {
    /// Access tokens do not expire, or the user has to come back.
    #[default]
    None,
    /// RFC 6749 section 6.
    RefreshToken,
    /// The access token itself is sent for a new one, before it expires.
    AccessToken,
    /// A new assertion is signed (`flow: jwt_bearer`).
    Assertion,
}

/// What becomes of a refresh token when it is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshTokenRotation {
    /// The same one goes on working.
    #[default]
    Never,
    /// A new one may come; if none does, the old one goes on working.
    Sometimes,
    /// Single use: a new one comes every time.
    Always,
}

/// What happens when a refresh token is sent a second time, because a reply was lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Grace {
    /// It is refused, and the whole line may be revoked (RFC 9700 section 4.14.2). Assumed where nothing is known.
    #[default]
    None,
    /// It works again for so many seconds after its first use.
    Seconds(u64),
    /// It works until its successor has been used.
    UntilSuccessorUsed,
    /// It does not rotate: sending it again is always safe.
    Always,
}

/// The life of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    pub seconds: u64,
    /// Counted from its last use: using it in time keeps it alive. Otherwise from the day it was issued, whatever is done.
    pub idle: bool,
}

/// At most so many refreshes in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshLimit {
    pub count: u32,
    pub seconds: u64,
}
