//! Signing keys: what a client signs its calls with, and what the vault verifies them with.

use std::fmt;

use super::{
    data_key::BadKeyLength,
    primitive::{self, DIGEST_BYTES},
};
use crate::secret::Secret;

/// The message that turns an API key into its signing key (wire protocol section 2.2).
const DERIVATION: &[u8] = b"alter-signing-v1";

/// 32 bytes derived from an API key. Whoever has it can sign as that key, so it is stored sealed only.
pub struct SigningKey(Secret<Vec<u8>>);

impl SigningKey {
    /// `HMAC-SHA256(key = the plain API key, message = "alter-signing-v1")`.
    pub fn derive(plain_key: &Secret<String>) -> Self {
        let derived =
            zeroize::Zeroizing::new(primitive::hmac_sha256(plain_key.expose_secret().as_bytes(), DERIVATION));
        Self(Secret::new(derived.to_vec()))
    }

    /// From an opened envelope.
    pub fn from_bytes(bytes: Secret<Vec<u8>>) -> Result<Self, BadKeyLength> {
        if bytes.expose_secret().len() != DIGEST_BYTES {
            return Err(BadKeyLength);
        }
        Ok(Self(bytes))
    }

    /// For sealing only.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The signature in lower-case hex, 64 digits.
    pub fn sign(&self, text: &str) -> String {
        hex::encode(primitive::hmac_sha256(self.as_bytes(), text.as_bytes()))
    }

    /// Whether `signature` is what [`SigningKey::sign`] gives for `text`; the comparison takes constant time. Only the
    /// lower-case spelling is accepted, so that one call has one signature.
    pub fn verify(&self, text: &str, signature: &str) -> bool {
        let mut tag = [0; DIGEST_BYTES];
        if signature.bytes().any(|b| b.is_ascii_uppercase())
            || hex::decode_to_slice(signature, &mut tag).is_err()
        {
            return false;
        }
        primitive::hmac_sha256_verify(self.as_bytes(), text.as_bytes(), &tag)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}
