//! The only file that spells keys.

use alter_api_types::KeyId;

use crate::port::Key;

/// A used nonce of a key.
pub fn nonce(key: KeyId, nonce: &str) -> Key {
    Key::new(format!("nonce#{key}#{nonce}"), "nonce")
}
