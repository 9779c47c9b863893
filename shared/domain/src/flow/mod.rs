//! Flows: steps that two entrances share, or whose order must not change.

mod authenticate;
mod call;
mod grants;
mod load;
mod record;
mod respond;

pub use authenticate::{Attribution, Caller, authenticate};
pub use call::{Call, CallBody, CallService, InFlight, Selector};
pub use grants::{NewGrant, issue_grant, revoke_grant};
pub use load::Relations;
pub use record::{Subject, recorded};
pub use respond::{Collected, PROXY_REPLY_LIMIT};
