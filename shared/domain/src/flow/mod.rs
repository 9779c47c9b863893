//! Flows: steps that two entrances share, or whose order must not change.

mod agents;
mod apps;
mod authenticate;
mod by_token;
mod call;
pub mod connect;
mod deliver;
mod grants;
pub mod identity;
mod install;
mod keys;
mod load;
mod operators;
mod provider_rules;
mod provider_usage;
mod providers;
mod record;
mod refresh;
mod relations;
mod resolve;
mod respond;
mod revocations;
mod secrets;
mod usable;
pub mod wallet;

pub use agents::{NewAgent, create_agent, revoke_agent};
pub use apps::{
    AppChange, NewApp, archive_app, create_app, remove_logo, set_logo, unarchive_app, update_app,
};
pub use authenticate::{Attribution, Caller, authenticate};
pub use call::{Call, CallBody, CallService, InFlight, Selector};
pub use grants::{GrantTerms, NewGrant, issue_grant, revoke_grant};
pub use install::{Installed, install, install_from};
pub use keys::{FreshKey, NewKey, Rotation, mint_key, revoke_key, rotate_key};
pub use operators::{
    FreshToken, NewToken, authenticate_operator, mint_operator_token, operator_actor, revoke_operator_token,
};
pub use provider_rules::ScopeChange;
pub use provider_usage::{Connected, ProviderUsage, connections_of, provider_usage};
pub use providers::{
    Change, Definition, NewProvider, ProviderChange, Removal, SecretFields, add_provider, delete_provider,
    set_client_secret, switch_provider, update_provider,
};
pub use record::{Subject, recorded};
pub use refresh::{
    Fresh, Need, Refresher, Timing, keep_alive_at, need, refreshable, token_facts, token_fields,
};
pub use relations::Relations;
pub use respond::{Collected, PROXY_REPLY_LIMIT};
pub use revocations::Revoker;
pub use secrets::{NewSecret, SecretChange, create_secret, delete_secret, replace_value, update_secret};
pub use usable::usable_grants;
