//! Tests of the whole module, and the issuer that they share.

mod attacks;
mod claims;
mod discovery;
mod events;
mod far;
mod fetching;
pub(crate) mod issuer;
mod positive;
mod storms;
mod wycheproof;
