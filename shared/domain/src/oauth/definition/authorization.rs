//! The authorization request and the redirect that answers it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::request::{client_id, code};

/// The authorization request and what comes back from it (RFC 6749 section 4.1.1 and 4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    pub url: String,
    /// Added to the request, or in place of a standard parameter; an empty value takes a standard one away (eBay's
    /// `redirect_uri` is a name, Amazon's Selling Partner API wants `application_id` and no `client_id`). Templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Added when the user is to choose an account anew, in place of `params` of the same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub switch_account_params: BTreeMap<String, String>,
    #[serde(default = "client_id")]
    pub client_id_param: String,
    #[serde(default = "scope")]
    pub scope_param: String,
    pub pkce: Pkce,
    #[serde(default)]
    pub response_mode: ResponseMode,
    #[serde(default = "code")]
    pub code_param: String,
    /// The issuer identifier that an `iss` in the redirect must equal (RFC 9207 section 2.4). A template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The provider promises to send `iss` (`authorization_response_iss_parameter_supported`): one without is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub iss_required: bool,
}

/// Whether a proof key is sent (RFC 7636, S256 only).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// Sent; the provider refuses without.
    Required,
    /// Sent.
    Supported,
    /// Not sent: it would break the flow or change what kind of client the app is.
    Breaks,
    /// Sent: nobody has tried, but servers ignore what they do not know (RFC 6749 section 3.1), and those that know it protect
    /// the code (RFC 9700 section 2.1.1).
    Unknown,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    #[default]
    Query,
    /// OAuth 2.0 Form Post Response Mode: `response_mode=form_post` is sent, and the provider posts the response.
    FormPost,
}

fn scope() -> String {
    "scope".to_owned()
}
