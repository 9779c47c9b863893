//! Who is asking: API keys and tokens as text, and the signature of a call (docs/signing.md).

pub mod canonical;
pub mod key_text;
pub mod sign_request;
pub mod signature;

mod presented;

pub use presented::{MAX_SKEW_SECONDS, Presented, digest_matches};
