//! Sealing, data keys and signing keys (docs/ARCHITECTURE.md section 5, docs/adr/0003-crypto-library.md).
//!
//! A data key per app and purpose is wrapped by the key service; what it seals is bound to one place in one table, so a
//! sealed value cannot be moved. Signing keys verify calls and are themselves stored sealed.

mod cache;
mod data_key;
mod data_keys;
mod envelope;
mod key_ring;
mod primitive;
mod signing_key;
#[cfg(test)]
mod wycheproof;

pub use data_key::{BadKeyLength, DataKey};
pub use data_keys::{DataKeys, KeyError};
pub use envelope::{OpenError, Place, SealError, Sealed, open, seal};
pub use key_ring::{DataKeyRing, RingError, RingKey};
pub use primitive::sha256;
pub use signing_key::SigningKey;
