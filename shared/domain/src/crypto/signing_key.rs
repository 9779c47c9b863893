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

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::derive(&Secret::new("alter_rk_aaaaaaaaaaaaaaaaaaaaaa_l77ykl".to_owned()))
    }

    #[test]
    fn derives_what_the_published_client_derives() {
        assert_eq!(
            hex::encode(key().as_bytes()),
            "90c342a50af891b5f213740608f7610f0dcb23e1f0f9ae5aad0a8303bf208ef8"
        );
    }

    #[test]
    fn verifies_its_own_signature_and_nothing_near_it() {
        let signature = key().sign("text");
        assert!(key().verify("text", &signature));
        assert!(!key().verify("texu", &signature));
        assert!(!SigningKey::derive(&Secret::new("other".to_owned())).verify("text", &signature));
        for position in 0..signature.len() {
            let mut changed = signature.clone().into_bytes();
            changed[position] = if changed[position] == b'0' { b'1' } else { b'0' };
            assert!(!key().verify("text", &String::from_utf8(changed).unwrap()), "{position}");
        }
        let malformed = [
            "",
            &signature[..63],
            &signature[..62],
            &format!("{signature}00"),
            &format!(" {signature}"),
            &format!("{}zz", &signature[..62]),
            &signature.to_uppercase(),
            &"ä".repeat(32),
        ];
        assert!(signature.bytes().any(|b| b.is_ascii_lowercase()));
        for text in malformed {
            assert!(!key().verify("text", text), "{text:?}");
        }
    }

    #[test]
    fn survives_sealing_and_says_nothing() {
        let restored = SigningKey::from_bytes(Secret::new(key().as_bytes().to_vec())).unwrap();
        assert_eq!(restored.sign("text"), key().sign("text"));
        assert_eq!(format!("{restored:?}"), "SigningKey(…)");
        for length in [0, 31, 33] {
            assert_eq!(SigningKey::from_bytes(Secret::new(vec![0; length])).unwrap_err(), BadKeyLength);
        }
    }
}
