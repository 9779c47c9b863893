//! The envelope: how a value is sealed for one place and for no other.
//!
//! ```text
//! header  = format (1) ‖ data key id (16) ‖ length (2) ‖ wrapped data key (1 to 1024)
//! sealed  = header ‖ salt (16) ‖ nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16)
//! binding = "alter vault sealed value" ‖ header ‖ table ‖ purpose ‖ partition ‖ sort ‖ id ‖ version
//! key     = HKDF-SHA256(salt = salt, input = data key, info = binding)      associated data = binding
//! ```
//!
//! A sealed value carries the data key that opens it, wrapped by the key service (docs/adr/0008-no-key-ring.md). Format 1
//! named a key that was stored elsewhere; it was never released.
//!
//! Texts in the binding are preceded by their length, so no two places share one. Salt and nonce are random for every
//! seal. A nonce is never used twice under one key, because every seal has a key of its own: the key depends on place
//! and salt, so a repetition needs the same place, the same 128-bit salt and the same 96-bit nonce at once. A generator
//! that fails silently and repeats itself (a restored snapshot) still does no harm, as the version in the place rises
//! with every write.

use std::fmt;

use bytes::Bytes;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    data_key::{DataKey, MAX_WRAPPED_BYTES, WrappedDataKey},
    primitive::{self, KEY_BYTES, NONCE_BYTES, TAG_BYTES},
};
use crate::{
    port::{Key, KeyPurpose, Rng, RngError, TableName},
    secret::Secret,
};

const FORMAT: u8 = 2;
const ID_BYTES: usize = 16;
const LENGTH_BYTES: usize = 2;
const SALT_BYTES: usize = 16;
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
    /// Shorter than header and tag, or with a header that no seal has.
    #[error("not a sealed value")]
    Malformed,
    /// Written by another version of this software, or not by it.
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

    let header = header(data_key.wrapped()).ok_or(SealError::Refused)?;
    let binding = place.binding(&header);
    let key = derive(data_key, &salt, &binding).map_err(|_| SealError::Refused)?;
    // Room for the tag from the start: a buffer that grows would leave plaintext behind.
    let mut text = Zeroizing::new(Vec::with_capacity(plaintext.len().saturating_add(TAG_BYTES)));
    text.extend_from_slice(plaintext);
    primitive::aead_seal(&key, nonce, &binding, &mut text).map_err(|_| SealError::Refused)?;

    let parts: [&[u8]; 4] = [&header, &salt, &nonce, &text];
    Ok(Sealed(parts.concat().into()))
}

/// Opens what [`seal`] sealed for the same place under the same data key.
pub fn open(data_key: &DataKey, place: &Place<'_>, sealed: &Sealed) -> Result<Secret<Vec<u8>>, OpenError> {
    let parts = sealed.parts()?;
    if parts.data_key != data_key.wrapped() {
        return Err(OpenError::OtherKey);
    }
    let binding = place.binding(parts.header);
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
    pub fn data_key(&self) -> WrappedDataKey<'_> {
        // Every constructor has checked the header.
        let nobodys = WrappedDataKey { id: Uuid::nil().into(), wrapped: &[] };
        self.parts().map_or(nobodys, |parts| parts.data_key)
    }

    fn parts(&self) -> Result<Parts<'_>, OpenError> {
        let (&format, rest) = self.0.split_first().ok_or(OpenError::Malformed)?;
        if format != FORMAT {
            return Err(OpenError::UnknownFormat(format));
        }
        let (id, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or(OpenError::Malformed)?;
        let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or(OpenError::Malformed)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 || length > MAX_WRAPPED_BYTES {
            return Err(OpenError::Malformed);
        }
        let (wrapped, rest) = rest.split_at_checked(length).ok_or(OpenError::Malformed)?;
        let header = self.0.get(..1 + ID_BYTES + LENGTH_BYTES + length).ok_or(OpenError::Malformed)?;
        let (salt, rest) = rest.split_first_chunk::<SALT_BYTES>().ok_or(OpenError::Malformed)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Malformed)?;
        if ciphertext.len() < TAG_BYTES {
            return Err(OpenError::Malformed);
        }
        let data_key = WrappedDataKey { id: Uuid::from_bytes(*id).into(), wrapped };
        Ok(Parts { header, data_key, salt, nonce: *nonce, ciphertext })
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes under {:?})", self.0.len(), self.data_key())
    }
}

struct Parts<'a> {
    header: &'a [u8],
    data_key: WrappedDataKey<'a>,
    salt: &'a [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
    ciphertext: &'a [u8],
}

impl Place<'_> {
    /// Header and place in one unambiguous spelling: fixed-length parts as they are, others after their length.
    fn binding(&self, header: &[u8]) -> Vec<u8> {
        let Key { partition, sort } = self.key;
        let mut out = Vec::with_capacity(LABEL.len() + header.len() + partition.len() + sort.len() + 96);
        out.extend_from_slice(LABEL);
        out.extend_from_slice(header);
        for text in [table_label(self.table), self.purpose.as_str(), partition, sort] {
            out.extend_from_slice(&(text.len() as u64).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.version.to_be_bytes());
        out
    }
}

/// What a sealed value says of its key; ends where it says that it ends.
fn header(key: WrappedDataKey<'_>) -> Option<Vec<u8>> {
    let length = u16::try_from(key.wrapped.len()).ok()?;
    let mut out = Vec::with_capacity(1 + ID_BYTES + LENGTH_BYTES + key.wrapped.len());
    out.push(FORMAT);
    out.extend_from_slice(key.id.as_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(key.wrapped);
    Some(out)
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

#[cfg(test)]
mod tests;
