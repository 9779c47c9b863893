//! A data key in memory.

use std::fmt;

use alter_api_types::DataKeyId;

use super::primitive::KEY_BYTES;
use crate::{
    port::{Rng, RngError},
    secret::Secret,
};

/// Key material is not the 32 bytes that it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("key material is not 32 bytes long")]
pub struct BadKeyLength;

/// Seals the credentials or the signing keys of one app. 32 bytes on the heap, so that moving the value leaves no copy
/// behind; zeroed when dropped.
pub struct DataKey {
    id: DataKeyId,
    material: Secret<Vec<u8>>,
}

impl DataKey {
    /// Takes unwrapped material into custody.
    pub fn new(id: DataKeyId, material: Secret<Vec<u8>>) -> Result<Self, BadKeyLength> {
        if material.expose_secret().len() != KEY_BYTES {
            return Err(BadKeyLength);
        }
        Ok(Self { id, material })
    }

    /// A fresh key.
    pub fn generate(id: DataKeyId, rng: &dyn Rng) -> Result<Self, RngError> {
        let mut material = zeroize::Zeroizing::new(vec![0; KEY_BYTES]);
        rng.fill(&mut material)?;
        Ok(Self { id, material: Secret::new(std::mem::take(&mut *material)) })
    }

    pub fn id(&self) -> DataKeyId {
        self.id
    }

    /// The material, for wrapping and for deriving.
    pub(super) fn material(&self) -> &Secret<Vec<u8>> {
        &self.material
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
    use crate::port::SeededRng;

    #[test]
    fn is_32_bytes_and_says_nothing() {
        let id = Uuid::from_u128(1).into();
        for length in [0, 16, 31, 33] {
            assert_eq!(DataKey::new(id, Secret::new(vec![0; length])).unwrap_err(), BadKeyLength);
        }
        let key = DataKey::generate(id, &SeededRng::new(4)).unwrap();
        assert_eq!(key.material().expose_secret().len(), KEY_BYTES);
        assert_eq!(format!("{key:?}"), "DataKey { id: DataKeyId(00000000-0000-0000-0000-000000000001), .. }");
        let other = DataKey::generate(id, &SeededRng::new(5)).unwrap();
        assert_ne!(key.material().expose_secret(), other.material().expose_secret());
    }
}
