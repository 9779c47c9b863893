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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::port::SeededRng;

    fn data_key(id: u128, fill: u8) -> DataKey {
        DataKey::new(Uuid::from_u128(id).into(), Secret::new(vec![fill; KEY_BYTES])).unwrap()
    }

    fn place(key: &Key) -> Place<'_> {
        Place {
            table: TableName::Vault,
            key,
            id: Uuid::from_u128(5),
            version: 3,
            purpose: KeyPurpose::Credential,
        }
    }

    fn opened(data_key: &DataKey, place: &Place<'_>, sealed: &Sealed) -> Result<Vec<u8>, OpenError> {
        open(data_key, place, sealed).map(|plain| plain.expose_secret().clone())
    }

    #[test]
    fn opens_where_it_was_sealed_and_nowhere_else() {
        let (key, data_key) = (Key::new("app#1", "cred#5"), data_key(1, 7));
        let here = place(&key);
        let sealed = seal(&data_key, &here, b"hunter2", &SeededRng::new(1)).unwrap();
        assert_eq!(opened(&data_key, &here, &sealed).unwrap(), b"hunter2");

        let other_keys = [
            Key::new("app#2", "cred#5"),
            Key::new("app#1", "cred#6"),
            Key::new("app#1c", "red#5"), // same text, cut elsewhere
            Key::new("", "app#1cred#5"),
        ];
        let moved = other_keys.iter().map(|key| Place { key, ..here }).chain([
            Place { table: TableName::Main, ..here },
            Place { table: TableName::Audit, ..here },
            Place { id: Uuid::from_u128(6), ..here },
            Place { version: 2, ..here },
            Place { version: 4, ..here },
            Place { purpose: KeyPurpose::Signing, ..here },
        ]);
        for there in moved {
            assert_eq!(opened(&data_key, &there, &sealed), Err(OpenError::Refused), "{there:?}");
        }
    }

    #[test]
    fn another_data_key_does_not_open() {
        let key = Key::new("p", "s");
        let sealed = seal(&data_key(1, 7), &place(&key), b"x", &SeededRng::new(1)).unwrap();
        assert_eq!(sealed.data_key_id(), Uuid::from_u128(1).into());
        assert_eq!(opened(&data_key(2, 7), &place(&key), &sealed), Err(OpenError::OtherKey));
        // Another app's key that claims the same id.
        assert_eq!(opened(&data_key(1, 8), &place(&key), &sealed), Err(OpenError::Refused));
        // The same material under another id, the header changed to match.
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[1..17].copy_from_slice(Uuid::from_u128(2).as_bytes());
        let relabelled = Sealed::from_bytes(bytes).unwrap();
        assert_eq!(opened(&data_key(2, 7), &place(&key), &relabelled), Err(OpenError::Refused));
    }

    #[test]
    fn truncation_and_extension_fail() {
        let (key, data_key) = (Key::new("p", "s"), data_key(1, 7));
        let sealed = seal(&data_key, &place(&key), b"abcdef", &SeededRng::new(1)).unwrap();
        let bytes = sealed.as_bytes();
        for length in 0..bytes.len() {
            let result = Sealed::from_bytes(bytes[..length].to_vec())
                .and_then(|cut| opened(&data_key, &place(&key), &cut));
            let expected =
                if length < HEADER_BYTES + TAG_BYTES { OpenError::Truncated } else { OpenError::Refused };
            assert_eq!(result, Err(expected), "{length}");
        }
        let longer = Sealed::from_bytes([bytes, &[0]].concat()).unwrap();
        assert_eq!(opened(&data_key, &place(&key), &longer), Err(OpenError::Refused));
    }

    #[test]
    fn an_unknown_format_says_so() {
        for format in [0, 2, 255] {
            let bytes = [&[format][..], &[0; 80]].concat();
            assert_eq!(Sealed::from_bytes(bytes), Err(OpenError::UnknownFormat(format)));
        }
    }

    #[test]
    fn every_seal_has_its_own_salt_and_nonce() {
        let (key, data_key, rng) = (Key::new("p", "s"), data_key(1, 7), SeededRng::new(9));
        let randoms: std::collections::HashSet<_> = (0..100)
            .map(|_| seal(&data_key, &place(&key), b"same", &rng).unwrap().as_bytes()[17..45].to_vec())
            .collect();
        assert_eq!(randoms.len(), 100);
    }

    #[test]
    fn without_randomness_nothing_is_sealed() {
        struct Broken;
        impl crate::port::Rng for Broken {
            fn fill(&self, _: &mut [u8]) -> Result<(), RngError> {
                Err(RngError)
            }
        }
        let key = Key::new("p", "s");
        assert_eq!(seal(&data_key(1, 7), &place(&key), b"x", &Broken), Err(SealError::Rng(RngError)));
    }

    /// What is stored today must open tomorrow: computed by this code on the day that format 1 was fixed, and checked
    /// against an independent implementation.
    #[test]
    fn format_1_stays_readable() {
        let key = Key::new("app#1", "cred#5");
        let sealed = seal(&data_key(1, 7), &place(&key), b"hunter2", &SeededRng::new(1)).unwrap();
        assert_eq!(hex::encode(sealed.as_bytes()), FORMAT_1);
        let stored = Sealed::from_bytes(hex::decode(FORMAT_1).unwrap()).unwrap();
        assert_eq!(opened(&data_key(1, 7), &place(&key), &stored).unwrap(), b"hunter2");
    }

    const FORMAT_1: &str = concat!(
        "0100000000000000000000000000000001c15c0289ec2d0a9167ec8e65a18debbe5e",
        "5532fbeea293f80bc942ee4d7c65bc438643ef3a105a511a874c6891e2509a06954a"
    );

    #[test]
    fn every_single_bit_flip_fails() {
        let (key, data_key) = (Key::new("p", "s"), data_key(1, 7));
        let sealed = seal(&data_key, &place(&key), b"abcde", &SeededRng::new(1)).unwrap();
        for bit in 0..sealed.as_bytes().len() * 8 {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let result =
                Sealed::from_bytes(bytes).and_then(|flipped| opened(&data_key, &place(&key), &flipped));
            let expected = match bit {
                0..8 => OpenError::UnknownFormat(1 ^ (1 << bit)),
                8..136 => OpenError::OtherKey,
                _ => OpenError::Refused,
            };
            assert_eq!(result, Err(expected), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_value_round_trips(plain: Vec<u8>, partition: String, sort: String, id: u128, version: u64, seed: u64) {
            let (key, data_key) = (Key::new(partition, sort), data_key(1, 7));
            let place = Place { id: Uuid::from_u128(id), version, ..place(&key) };
            let sealed = seal(&data_key, &place, &plain, &SeededRng::new(seed)).unwrap();
            prop_assert_eq!(sealed.as_bytes().len(), HEADER_BYTES + plain.len() + TAG_BYTES);
            let stored = Sealed::from_bytes(sealed.as_bytes().to_vec()).unwrap();
            prop_assert_eq!(opened(&data_key, &place, &stored), Ok(plain));
        }

        /// No two places share a binding, however their texts are cut.
        #[test]
        fn bindings_are_unambiguous(a in "[ab\\x00]{0,3}", b in "[ab\\x00]{0,3}", c in "[ab\\x00]{0,3}", d in "[ab\\x00]{0,3}") {
            let (left, right) = (Key::new(a, b), Key::new(c, d));
            let id = Uuid::nil().into();
            prop_assert_eq!(place(&left).binding(id) == place(&right).binding(id), left == right);
        }

        #[test]
        fn arbitrary_bytes_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (key, data_key) = (Key::new("p", "s"), data_key(1, 7));
            // Give them a right header half of the time, so that they reach the cipher.
            let framed = [&[FORMAT][..], Uuid::from_u128(1).as_bytes(), &bytes].concat();
            for bytes in [bytes, framed] {
                let result = Sealed::from_bytes(bytes).and_then(|s| opened(&data_key, &place(&key), &s));
                prop_assert!(result.is_err());
            }
        }
    }
}
