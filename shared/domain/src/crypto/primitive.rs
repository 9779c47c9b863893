//! The primitives, in one place: AES-256-GCM (NIST SP 800-38D), HKDF-SHA256 (RFC 5869), HMAC-SHA256 (RFC 2104) and
//! SHA-256 (FIPS 180-4). Everything else in the vault calls these; the Wycheproof vectors run through these.

use ring::{aead, digest, hkdf, hmac};

pub(crate) const KEY_BYTES: usize = 32;
pub(crate) const NONCE_BYTES: usize = 12;
pub(crate) const TAG_BYTES: usize = 16;
pub(crate) const DIGEST_BYTES: usize = 32;

/// The primitive refused: a tag that does not match, or a length that the algorithm does not take. It says no more, so
/// that nobody can learn from it which part of an input was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// HKDF extract and expand into `out`, at most 255 × 32 bytes.
pub(crate) fn hkdf_sha256(salt: &[u8], input: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), Refused> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(input)
        .expand(&[info], Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .map_err(|_| Refused)
}

/// Encrypts in place and appends the 16-byte tag. A key must never meet the same nonce twice.
pub(crate) fn aead_seal(
    key: &[u8; KEY_BYTES],
    nonce: [u8; NONCE_BYTES],
    associated: &[u8],
    in_out: &mut Vec<u8>,
) -> Result<(), Refused> {
    in_out.reserve_exact(TAG_BYTES);
    aes_256_gcm(key)?
        .seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(associated),
            in_out,
        )
        .map_err(|_| Refused)
}

/// Checks the tag and decrypts in place; on success `in_out` is the plaintext, on failure its content means nothing.
pub(crate) fn aead_open(
    key: &[u8; KEY_BYTES],
    nonce: [u8; NONCE_BYTES],
    associated: &[u8],
    in_out: &mut Vec<u8>,
) -> Result<(), Refused> {
    let length = aes_256_gcm(key)?
        .open_in_place(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(associated), in_out)
        .map_err(|_| Refused)?
        .len();
    in_out.truncate(length);
    Ok(())
}

pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; DIGEST_BYTES] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    fixed(tag.as_ref())
}

/// Compares in constant time; a tag of any other length than 32 bytes does not verify.
pub(crate) fn hmac_sha256_verify(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, tag).is_ok()
}

/// SHA-256 of one piece of bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    fixed(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn aes_256_gcm(key: &[u8; KEY_BYTES]) -> Result<aead::LessSafeKey, Refused> {
    aead::UnboundKey::new(&aead::AES_256_GCM, key).map(aead::LessSafeKey::new).map_err(|_| Refused)
}

fn fixed(bytes: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut out = [0; DIGEST_BYTES];
    out.copy_from_slice(bytes);
    out
}
