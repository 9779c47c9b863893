//! OAuth: what a provider is, as data, and the engine that interprets it.
//!
//! No provider has a name in code. An entry of the catalogue (`data/oauth-providers.json`) or an operator's own definition says
//! how the provider authorizes, answers, refreshes and revokes; everything here reads that.
//!
//! Who calls it: the flows of Connect, refresh and revocation. What it may touch: the provider, through the HTTP port.

mod api;
mod assertion;
mod authorize;
mod check;
mod client;
mod definition;
mod delivery;
mod document;
mod error;
mod lookup;
mod names;
mod reply;
mod revoke;
mod scrub;
mod send;
mod sign_in;
mod template;
#[cfg(test)]
mod tests;
mod token;
mod values;

pub use api::{api_base_url, api_headers, api_hosts};
pub use assertion::{AssertionError, check_private_key, one_line_pem};
pub use authorize::{
    AuthorizationRequest, Callback, CallbackError, IssuerError, authorization_url, check_issuer,
    requested_scopes, sends_pkce,
};
pub use check::{MAX_DEFINITION_BYTES, MAX_PROBLEMS, Problem, ProblemCode, check};
pub use client::Client;
pub use definition::{
    Account, AccountSource, Api, Assertion, AssertionAlgorithm, Authorization, BodyFormat, ClientAuth,
    Evidence, Flow, Grace, Keep, Lookup, OwnRequest, Pkce, Provider, ProviderErrors, Refresh, RefreshKind,
    RefreshLimit, RefreshTokenRotation, ResponseMode, Revocation, RevocationAuth, RevokedToken, ScopeInfo,
    ScopeSet, Shape, SuccessFlag, TokenEndpoint, TokenReply, Upgrade, Variable, VariableSource, Verb,
};
pub use delivery::delivery;
pub use error::{CONFIGURATION, EngineError, ExchangeError, RevokeError};
pub use lookup::AccountInfo;
pub use names::STEP_NAMES;
pub use reply::Tokens;
pub use sign_in::{CodeForIdToken, IdToken, UserInfo};
pub use template::{Bound, Resolve, Template, TemplateError};
pub use token::{CurrentTokens, Engine, NotObtained, Obtained};
pub use values::{ValueError, Values};
