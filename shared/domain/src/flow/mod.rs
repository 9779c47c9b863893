//! Flows: steps that two entrances share, or whose order must not change.

mod agents;
mod apps;
mod authenticate;
mod call;
mod grants;
mod install;
mod keys;
mod load;
mod operators;
mod record;
mod resolve;
mod respond;
mod secrets;

pub use agents::{NewAgent, create_agent, revoke_agent};
pub use apps::{AppChange, NewApp, archive_app, create_app, unarchive_app, update_app};
pub use authenticate::{Attribution, Caller, authenticate};
pub use call::{Call, CallBody, CallService, InFlight, Selector};
pub use grants::{GrantTerms, NewGrant, issue_grant, revoke_grant};
pub use install::{Installed, install, install_from};
pub use keys::{FreshKey, NewKey, Rotation, mint_key, revoke_key, rotate_key};
pub use load::Relations;
pub use operators::{
    FreshToken, NewToken, authenticate_operator, mint_operator_token, operator_actor, revoke_operator_token,
};
pub use record::{Subject, recorded};
pub use respond::{Collected, PROXY_REPLY_LIMIT};
pub use secrets::{NewSecret, SecretChange, create_secret, delete_secret, replace_value, update_secret};
