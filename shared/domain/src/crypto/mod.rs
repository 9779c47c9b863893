//! Sealing, data keys and signing keys (docs/ARCHITECTURE.md, docs/adr/0003-crypto-library.md, docs/adr/0008-no-key-ring.md).
//!
//! Every sealed value carries its data key, wrapped by the key service for one app and purpose; the value is bound to one
//! place in one table, so it cannot be moved. Signing keys verify calls and are themselves stored sealed.

mod cache;
mod data_key;
mod data_keys;
mod envelope;
mod primitive;
mod signing_key;
#[cfg(test)]
mod wycheproof;

pub use data_key::{BadDataKey, BadKeyLength, DataKey, WrappedDataKey};
pub use data_keys::{DataKeys, KeyError};
pub use envelope::{OpenError, Place, SealError, Sealed, open, seal};
#[cfg(test)]
pub(crate) use primitive::hmac_sha256;
pub(crate) use primitive::hmac_sha256_verify;
pub use primitive::sha256;
pub use signing_key::SigningKey;
