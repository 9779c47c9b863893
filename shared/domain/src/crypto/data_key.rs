//! A data key in memory.

use std::fmt;

use alter_api_types::DataKeyId;

use super::primitive::KEY_BYTES;
use crate::{port::WrappedKey, secret::Secret};

/// The most bytes of a wrapped key: about 190 from KMS, about 70 under a key file.
pub(super) const MAX_WRAPPED_BYTES: usize = 1024;

/// Key material is not the 32 bytes that it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("key material is not 32 bytes long")]
pub struct BadKeyLength;

/// What cannot be a data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadDataKey {
    #[error(transparent)]
    Material(#[from] BadKeyLength),
    #[error("wrapped key is empty or longer than {MAX_WRAPPED_BYTES} bytes")]
    Wrapped,
}

/// A data key as every value that it sealed carries it. Two are the same key only if both halves are: an id alone is what
/// anybody can write into a header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WrappedDataKey<'a> {
    pub id: DataKeyId,
    pub wrapped: &'a [u8],
}

/// Seals credentials or signing keys of one app, for a few minutes. 32 bytes on the heap, so that moving the value leaves
/// no copy behind; zeroed when dropped.
pub struct DataKey {
    id: DataKeyId,
    wrapped: WrappedKey,
    material: Secret<Vec<u8>>,
}

impl DataKey {
    /// Takes unwrapped material into custody, with the form that it is stored in.
    pub fn new(id: DataKeyId, wrapped: WrappedKey, material: Secret<Vec<u8>>) -> Result<Self, BadDataKey> {
        if material.expose_secret().len() != KEY_BYTES {
            return Err(BadKeyLength.into());
        }
        if wrapped.0.is_empty() || wrapped.0.len() > MAX_WRAPPED_BYTES {
            return Err(BadDataKey::Wrapped);
        }
        Ok(Self { id, wrapped, material })
    }

    pub fn wrapped(&self) -> WrappedDataKey<'_> {
        WrappedDataKey { id: self.id, wrapped: &self.wrapped.0 }
    }

    /// The material, for deriving.
    pub(super) fn material(&self) -> &Secret<Vec<u8>> {
        &self.material
    }
}

impl fmt::Debug for WrappedDataKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} wrapped in {} bytes", self.id, self.wrapped.len())
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn key(wrapped: usize, material: usize) -> Result<DataKey, BadDataKey> {
        DataKey::new(Uuid::from_u128(1).into(), WrappedKey(vec![2; wrapped]), Secret::new(vec![0; material]))
    }

    #[test]
    fn is_32_bytes_in_a_bounded_wrapping_and_says_nothing() {
        for length in [0, 16, 31, 33] {
            assert_eq!(key(70, length).unwrap_err(), BadDataKey::Material(BadKeyLength));
        }
        for length in [0, MAX_WRAPPED_BYTES + 1, 100_000] {
            assert_eq!(key(length, KEY_BYTES).unwrap_err(), BadDataKey::Wrapped);
        }
        assert!(key(1, KEY_BYTES).is_ok() && key(MAX_WRAPPED_BYTES, KEY_BYTES).is_ok());
        let key = key(70, KEY_BYTES).unwrap();
        assert_eq!(format!("{key:?}"), "DataKey { id: DataKeyId(00000000-0000-0000-0000-000000000001), .. }");
        assert_eq!(
            format!("{:?}", key.wrapped()),
            "00000000-0000-0000-0000-000000000001 wrapped in 70 bytes"
        );
    }
}
