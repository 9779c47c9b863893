//! Which scopes may be asked for, and what they mean.

use serde::{Deserialize, Serialize};

/// The scopes that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeSet {
    /// Between scopes in a request: a space (RFC 6749 section 3.3) or a comma.
    #[serde(default = "space")]
    pub separator: String,
    /// Those that people know. An operator may name others: providers add scopes faster than any list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<ScopeInfo>,
    /// Always asked for, beside what the operator chose (a refresh token's condition, an account's identity).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub always: Vec<String>,
    /// The provider has no scopes: permissions belong to the app's registration there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub none: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeInfo {
    pub scope: String,
    /// What the app could then do, in plain words that follow "It will be able to": `read your calendar`.
    pub description: String,
    /// Proposed to the operator as a default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
}

fn space() -> String {
    " ".to_owned()
}
