//! The envelope: how a value is sealed for one place and for no other.
//!
//! ```text
//! sealed  = format (1) ‖ data key id (16) ‖ salt (16) ‖ nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16)
//! binding = "alter vault sealed value" ‖ format ‖ data key id ‖ table ‖ purpose ‖ partition ‖ sort ‖ id ‖ version
//! key     = HKDF-SHA256(salt = salt, input = data key, info = binding)      associated data = binding
//! ```
//!
//! Texts in the binding are preceded by their length, so no two places share one. Salt and nonce are random for every
//! seal. A nonce is never used twice under one key, because every seal has a key of its own: the key depends on place
//! and salt, so a repetition needs the same place, the same 128-bit salt and the same 96-bit nonce at once. A generator
//! that fails silently and repeats itself (a restored snapshot) still does no harm, as the version in the place rises
//! with every write.

use std::fmt;

use alter_api_types::DataKeyId;
use bytes::Bytes;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    data_key::DataKey,
    primitive::{self, KEY_BYTES, NONCE_BYTES, TAG_BYTES},
};
use crate::{
    port::{Key, KeyPurpose, Rng, RngError, TableName},
    secret::Secret,
};

const FORMAT: u8 = 1;
const ID_BYTES: usize = 16;
const SALT_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + ID_BYTES + SALT_BYTES + NONCE_BYTES;
const LABEL: &[u8] = b"alter vault sealed value";

/// Where a sealed value lives. A value sealed for one place opens at no other; whoever copies a row, or rolls it back to
/// an older version of itself, gets an error.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub table: TableName,
    pub key: &'a Key,
    /// The credential, or the API key, that the value belongs to.
    pub id: Uuid,
    /// Counts the values sealed for this id; a new value takes a new version.
    pub version: u64,
    pub purpose: KeyPurpose,
}

/// A sealed value as it is stored. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Bytes);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error(transparent)]
    Rng(#[from] RngError),
    /// The value is longer than the cipher takes (64 GB).
    #[error("value cannot be sealed")]
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Shorter than header and tag.
    #[error("not a sealed value")]
    Truncated,
    /// Written by a newer version of this software, or not by it.
    #[error("sealed value of unknown format {0}")]
    UnknownFormat(u8),
    /// Sealed under another data key than the one given.
    #[error("sealed under another data key")]
    OtherKey,
    /// Changed, or moved from another place.
    #[error("sealed value does not open here")]
    Refused,
}

/// Seals `plaintext` so that it opens at `place` only.
pub fn seal(
    data_key: &DataKey,
    place: &Place<'_>,
    plaintext: &[u8],
    rng: &dyn Rng,
) -> Result<Sealed, SealError> {
    let mut salt = [0; SALT_BYTES];
    let mut nonce = [0; NONCE_BYTES];
    rng.fill(&mut salt)?;
    rng.fill(&mut nonce)?;

    let binding = place.binding(data_key.id());
    let key = derive(data_key, &salt, &binding).map_err(|_| SealError::Refused)?;
    // Room for the tag from the start: a buffer that grows would leave plaintext behind.
    let mut text = Zeroizing::new(Vec::with_capacity(plaintext.len().saturating_add(TAG_BYTES)));
    text.extend_from_slice(plaintext);
    primitive::aead_seal(&key, nonce, &binding, &mut text).map_err(|_| SealError::Refused)?;

    let mut sealed = Vec::with_capacity(HEADER_BYTES.saturating_add(text.len()));
    sealed.push(FORMAT);
    sealed.extend_from_slice(data_key.id().as_bytes());
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&text);
    Ok(Sealed(sealed.into()))
}

/// Opens what [`seal`] sealed for the same place under the same data key.
pub fn open(data_key: &DataKey, place: &Place<'_>, sealed: &Sealed) -> Result<Secret<Vec<u8>>, OpenError> {
    let parts = sealed.parts()?;
    if parts.data_key_id != data_key.id() {
        return Err(OpenError::OtherKey);
    }
    let binding = place.binding(parts.data_key_id);
    let key = derive(data_key, parts.salt, &binding).map_err(|_| OpenError::Refused)?;
    let mut text = Zeroizing::new(parts.ciphertext.to_vec());
    primitive::aead_open(&key, parts.nonce, &binding, &mut text).map_err(|_| OpenError::Refused)?;
    Ok(Secret::new(std::mem::take(&mut *text)))
}

impl Sealed {
    /// Accepts bytes whose header can be read; whether they open is for [`open`] to find out.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self, OpenError> {
        let sealed = Self(bytes.into());
        sealed.parts()?;
        Ok(sealed)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The data key that opens this value.
    pub fn data_key_id(&self) -> DataKeyId {
        // Every constructor has checked the header.
        self.parts().map_or_else(|_| Uuid::nil().into(), |parts| parts.data_key_id)
    }

    fn parts(&self) -> Result<Parts<'_>, OpenError> {
        let (&format, rest) = self.0.split_first().ok_or(OpenError::Truncated)?;
        if format != FORMAT {
            return Err(OpenError::UnknownFormat(format));
        }
        let (id, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or(OpenError::Truncated)?;
        let (salt, rest) = rest.split_first_chunk::<SALT_BYTES>().ok_or(OpenError::Truncated)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Truncated)?;
        if ciphertext.len() < TAG_BYTES {
            return Err(OpenError::Truncated);
        }
        Ok(Parts { data_key_id: Uuid::from_bytes(*id).into(), salt, nonce: *nonce, ciphertext })
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes under {})", self.0.len(), self.data_key_id())
    }
}

struct Parts<'a> {
    data_key_id: DataKeyId,
    salt: &'a [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
    ciphertext: &'a [u8],
}

impl Place<'_> {
    /// The place in one unambiguous spelling: fixed-length parts as they are, texts after their length.
    fn binding(&self, data_key_id: DataKeyId) -> Vec<u8> {
        let Key { partition, sort } = self.key;
        let mut out = Vec::with_capacity(LABEL.len() + partition.len() + sort.len() + 96);
        out.extend_from_slice(LABEL);
        out.push(FORMAT);
        out.extend_from_slice(data_key_id.as_bytes());
        for text in [table_label(self.table), self.purpose.as_str(), partition, sort] {
            out.extend_from_slice(&(text.len() as u64).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.version.to_be_bytes());
        out
    }
}

/// Stored values depend on these spellings for ever.
fn table_label(table: TableName) -> &'static str {
    match table {
        TableName::Main => "main",
        TableName::Vault => "vault",
        TableName::Audit => "audit",
    }
}

fn derive(
    data_key: &DataKey,
    salt: &[u8; SALT_BYTES],
    binding: &[u8],
) -> Result<Zeroizing<[u8; KEY_BYTES]>, primitive::Refused> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    primitive::hkdf_sha256(salt, data_key.material().expose_secret(), binding, key.as_mut())?;
    Ok(key)
}
