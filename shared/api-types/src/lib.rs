//! Ids and wire types shared by the vault's functions, its CLI and (later) the Wallet's browser code.
//!
//! Who calls it: `alter-domain` and everything above it. What it may touch: nothing. Serde only, no I/O, no
//! clock, builds for wasm.

pub mod audit;
pub mod connect;
pub mod error;
pub mod grants;
pub mod id;
pub mod portal;
pub mod proxy;
mod secret_text;
pub mod sign_in;

pub use error::ErrorBody;
pub use id::*;
pub use secret_text::SecretText;
