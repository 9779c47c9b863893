//! The authorization request (RFC 6749 section 4.1.1) and what comes back with the redirect.

use std::{collections::BTreeMap, fmt};

use url::Url;

use super::{
    Client, EngineError, Pkce, Provider, ResponseMode, TemplateError, Values,
    names::{Names, Params},
};
use crate::{egress::EgressRules, secret::Secret};

/// What differs from one request to the next.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationRequest<'a> {
    /// What the entry always asks for is added.
    pub scopes: &'a [String],
    pub state: &'a str,
    /// S256 (RFC 7636 section 4.2). Left out where the entry says that it must be.
    pub code_challenge: Option<&'a str>,
    pub switch_account: bool,
}

/// The code and the other parameters of the redirect back to us.
pub struct Callback {
    code: Secret<String>,
    params: BTreeMap<String, String>,
}

/// Why a redirect is not one that answers a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// RFC 6749 section 3.1: which of the two counts would depend on who reads.
    #[error("the parameter {0} is given twice")]
    Repeated(String),
    #[error("there is no code")]
    NoCode,
    #[error("there are too many parameters, or one is too long")]
    TooLarge,
}

/// Why the issuer that a redirect names, or does not name, ends the flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    #[error("the redirect names another issuer")]
    Wrong,
    #[error("the redirect names no issuer, which this provider always does")]
    Missing,
    #[error("the entry's issuer: {0}")]
    Entry(#[from] TemplateError),
}

/// Whether a proof key belongs into this provider's requests.
pub fn sends_pkce(provider: &Provider) -> bool {
    provider.authorization.as_ref().is_some_and(|authorization| authorization.pkce != Pkce::Breaks)
}

/// The scopes that are asked for: those chosen, then those that the entry always asks for, each once.
pub fn requested_scopes<'a>(provider: &'a Provider, chosen: &'a [String]) -> Vec<&'a str> {
    let mut scopes: Vec<&str> = Vec::new();
    if !provider.scopes.none {
        for scope in chosen.iter().chain(&provider.scopes.always) {
            if !scope.is_empty() && !scopes.contains(&scope.as_str()) {
                scopes.push(scope);
            }
        }
    }
    scopes
}

/// Where the user's browser is sent.
pub fn authorization_url(
    provider: &Provider,
    values: &Values,
    client: &Client<'_>,
    request: &AuthorizationRequest<'_>,
) -> Result<Url, EngineError> {
    let authorization =
        provider.authorization.as_ref().ok_or(EngineError::Entry("it has no authorization endpoint"))?;
    let mut names = Names::new(provider, values, &Client { secret: None, ..*client });
    let scope = requested_scopes(provider, request.scopes).join(&provider.scopes.separator);
    names.public("scope", &scope);
    let mut params = Params::default();
    params.set("response_type", "code");
    params.set(&authorization.client_id_param, client.client_id);
    params.set("redirect_uri", client.redirect_uri);
    params.set(&authorization.scope_param, &scope);
    if authorization.response_mode == ResponseMode::FormPost {
        params.set("response_mode", "form_post");
    }
    params.apply(&authorization.params, &names)?;
    if request.switch_account {
        params.apply(&authorization.switch_account_params, &names)?;
    }
    // Last, so that no entry can take away what binds the answer to the request.
    params.set("state", request.state);
    let challenge = request.code_challenge.filter(|_| sends_pkce(provider));
    if challenge.is_none() && authorization.pkce == Pkce::Required {
        return Err(EngineError::Entry("it demands a proof key, and there is none"));
    }
    params.set("code_challenge", challenge.unwrap_or_default());
    params.set("code_challenge_method", challenge.map_or("", |_| "S256"));
    // Nothing is sent from here. That loopback stands in an entry is the deployment's decision, made when it was taken in.
    let target = names.target(&authorization.url, &EgressRules { allow_loopback_http: true })?;
    let pairs: Vec<_> = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(target.with_query(&pairs)?.url().clone())
}

/// RFC 9207 section 2.4: against an answer from one server being taken for another's. Compared as text, byte by byte. An
/// `iss` from a provider whose issuer nobody knows is ignored: there is nothing to hold it against.
pub fn check_issuer(provider: &Provider, values: &Values, iss: Option<&str>) -> Result<(), IssuerError> {
    let Some(authorization) = &provider.authorization else { return Ok(()) };
    match (&authorization.issuer, iss) {
        (Some(issuer), Some(iss)) => {
            let expected = Names::of_variables(provider, values).url(issuer)?;
            if expected.as_str() == iss { Ok(()) } else { Err(IssuerError::Wrong) }
        }
        (_, None) if authorization.iss_required => Err(IssuerError::Missing),
        _ => Ok(()),
    }
}

impl Callback {
    /// Takes the parameters of the redirect, from its query or its form. `state` and `iss` are the caller's to check.
    pub fn read(
        provider: &Provider,
        params: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, CallbackError> {
        let mut taken = BTreeMap::new();
        for (name, value) in params {
            if name.len() > MAX_NAME_BYTES || value.len() > MAX_VALUE_BYTES || taken.len() == MAX_PARAMS {
                return Err(CallbackError::TooLarge);
            }
            if taken.insert(name.clone(), value).is_some() {
                return Err(CallbackError::Repeated(name));
            }
        }
        let name = provider.authorization.as_ref().map_or("code", |authorization| &authorization.code_param);
        let code = taken.remove(name).filter(|code| !code.is_empty()).ok_or(CallbackError::NoCode)?;
        Ok(Self { code: Secret::new(code), params: taken })
    }

    pub fn code(&self) -> &Secret<String> {
        &self.code
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("params", &self.params.keys()).finish_non_exhaustive()
    }
}

const MAX_PARAMS: usize = 50;
const MAX_NAME_BYTES: usize = 100;
/// Codes that are JWTs have a few kilobytes.
const MAX_VALUE_BYTES: usize = 8192;
