//! What the catalogue says of one provider: the schema of `data/oauth-providers.json` and of Custom OAuth.
//!
//! Texts that are templates hold `{name}` for a variable of the entry, or for one of the names that the step in question
//! provides beside `{client_id}`, which is always there:
//!
//! | Step | Names |
//! |---|---|
//! | authorization | `redirect_uri`, `scope` |
//! | token request, its headers and client authentication | `client_secret`, `redirect_uri`, `code`, `scope` |
//! | `upgrade` | `client_secret`, `access_token` |
//! | refresh | `client_secret`, `refresh_token`, `access_token`, `scope` |
//! | revocation | `client_secret`, `token` (the one being revoked), `access_token` |
//! | claims of an assertion | `scope`, `redirect_uri` |
//! | `api.format` | `access_token` |
//! | `api.headers` | none |
//! | lookups and the account's request | `access_token` |
//!
//! The host of a URL never depends on anything but literals and variables of a shape that cannot lead elsewhere. A path into
//! a reply is dotted (`authed_user.access_token`; a number is a place in a list, `accounts.0.base_uri`); where several are
//! given the first that is there counts.

mod api;
mod authorization;
mod refresh;
mod request;
mod revocation;
mod scope;
mod token;
mod variable;

use serde::{Deserialize, Serialize};

pub use api::{Account, AccountSource, Api, Lookup, OwnRequest};
pub use authorization::{Authorization, Pkce, ResponseMode};
pub use refresh::{Grace, Keep, Refresh, RefreshKind, RefreshLimit, RefreshTokenRotation};
pub use request::{BodyFormat, Verb};
pub use revocation::{Revocation, RevocationAuth, RevokedToken};
pub use scope::{ScopeInfo, ScopeSet};
pub use token::{Assertion, AssertionAlgorithm, ClientAuth, SuccessFlag, TokenEndpoint, TokenReply, Upgrade};
pub use variable::{Shape, Variable, VariableSource};

use crate::catalogue::{Category, Certainty};

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Lowercase ASCII letters, digits and single dashes; what calls name.
    pub id: String,
    /// As operators know it.
    pub name: String,
    /// What its users call it, where that is something else: a page for them says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    pub category: Category,
    /// Two letters at most, for where no logo is shown.
    pub monogram: String,
    /// The provider's page on its OAuth.
    pub docs_url: String,
    /// What the templates below need beside the client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    #[serde(default)]
    pub flow: Flow,
    /// Absent only where no browser is involved (`flow: jwt_bearer`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
    pub token: TokenEndpoint,
    pub scopes: ScopeSet,
    #[serde(default)]
    pub refresh: Refresh,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Revocation>,
    pub api: Api,
    /// Requests after the exchange whose answers give variables (a tenant, a data centre), in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<Lookup>,
    /// Which account it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    #[serde(default)]
    pub errors: ProviderErrors,
    /// What an operator should know, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    pub evidence: Evidence,
}

impl Provider {
    /// What its users call it.
    pub fn brand(&self) -> &str {
        self.brand.as_deref().unwrap_or(&self.name)
    }
}

/// How a first token is obtained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// RFC 6749 section 4.1.
    #[default]
    AuthorizationCode,
    /// RFC 7523 section 2.1: an assertion signed with the operator's key; no browser, no refresh token.
    JwtBearer,
}

/// What this provider calls things that RFC 6749 section 5.2 names otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderErrors {
    /// Codes of the token endpoint that mean that the refresh token is dead, beside `invalid_grant`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dead: Vec<String>,
    /// Codes that mean that it may be tried again although they look final.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transient: Vec<String>,
}

/// Where an entry comes from. High needs two sources that agree or the official page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub sources: Vec<String>,
    /// Year and month.
    pub date: String,
    /// Of URLs and hosts.
    pub endpoints: Certainty,
    /// Of lifetimes, rotation, revocation.
    pub behaviour: Certainty,
}
