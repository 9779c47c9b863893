//! OAuth: what a provider is, as data, and the engine that interprets it.
//!
//! No provider has a name in code. An entry of the catalogue (`data/oauth-providers.json`) or an operator's own definition says
//! how the provider authorizes, answers, refreshes and revokes; everything here reads that.
//!
//! Who calls it: the flows of Connect, refresh and revocation. What it may touch: the provider, through the HTTP port.

mod definition;

pub use definition::{
    Account, AccountSource, Api, Assertion, AssertionAlgorithm, Authorization, BodyFormat, ClientAuth,
    Evidence, Flow, Grace, Keep, Lookup, OwnRequest, Pkce, Provider, ProviderErrors, Refresh, RefreshKind,
    RefreshLimit, RefreshTokenRotation, ResponseMode, Revocation, RevocationAuth, RevokedToken, ScopeInfo,
    ScopeSet, Shape, SuccessFlag, TokenEndpoint, TokenReply, Upgrade, Variable, VariableSource, Verb,
};
