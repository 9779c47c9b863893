//! An app's identity provider: its discovery document, its keys, and the tokens that it signs.
//!
//! [`verify`] is pure: a token, a [`KeySet`], what is [`Expected`], and the time. [`IdentityKeys`] fetches the keys and
//! remembers them, and the tokens that verified. [`discover`] reads what a provider says of itself.
//!
//! Why the signature check is our own code over `ring`, 60 lines in `jwks.rs`, and not the crate `jsonwebtoken` (11.1): it
//! has no `ring` provider any more, and takes one only as a global of the process whose absence is a panic; it parses the
//! key again for every token; its header and claims keep the last of a member that stands twice; and it reads the system's
//! clock. What would be left of it is splitting at two dots.

mod claimed;
mod claims;
mod discovery;
mod fetch;
mod json;
mod jwks;
mod jws;
mod keys;
mod kind;
mod token;
mod transmitter;

pub(crate) use claimed::claimed;
pub(crate) use claims::display;
pub use claims::{ClaimNameError, ClaimNames};
pub use discovery::{Discovered, DiscoveryError, discover};
pub use fetch::FetchError;
pub use jwks::{JwksError, KeySet};
pub use keys::{Fetching, IdentityKeys, KeySource, KeysError, Unavailable};
pub use kind::IdpKind;
pub use token::{
    EventKind, EventToken, Expected, ExpectedEvent, MAX_TOKEN_CHARS, TokenError, Verified, verify,
    verify_event_token,
};
pub use transmitter::{Transmitter, transmitter};

#[cfg(test)]
pub(crate) mod tests;
