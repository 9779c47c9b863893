//! The data keys of one app and purpose, wrapped, as one stored document.

use alter_api_types::DataKeyId;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::port::WrappedKey;

const FORMAT: u32 = 1;

/// How many keys a ring may hold: a few hundred bytes each, far below what an item may weigh.
pub(super) const MAX_KEYS: usize = 256;

/// Every data key that may still be needed to open something, and the one that seals now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKeyRing {
    current: DataKeyId,
    keys: Vec<RingKey>,
}

/// One wrapped data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingKey {
    pub id: DataKeyId,
    pub wrapped: WrappedKey,
    pub created_at: Timestamp,
}

/// A stored ring that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    #[error("data key ring of unknown format {0}")]
    UnknownFormat(u32),
    #[error("data key ring is malformed: {0}")]
    Malformed(String),
}

impl DataKeyRing {
    pub(super) fn new(key: RingKey) -> Self {
        Self { current: key.id, keys: vec![key] }
    }

    /// The same ring with a new current key. The caller has checked that the id is new and that there is room.
    pub(super) fn with_current(&self, key: RingKey) -> Self {
        let mut keys = Vec::with_capacity(self.keys.len() + 1);
        keys.extend_from_slice(&self.keys);
        let current = key.id;
        keys.push(key);
        Self { current, keys }
    }

    /// The key that seals now.
    pub fn current(&self) -> DataKeyId {
        self.current
    }

    pub fn get(&self, id: DataKeyId) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Oldest first.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The body of the stored item.
    pub fn to_body(&self) -> Vec<u8> {
        let keys = self.keys.iter().map(|key| KeyDocument {
            id: key.id,
            wrapped: STANDARD.encode(&key.wrapped.0),
            created_at: key.created_at,
        });
        let document = RingDocument { v: FORMAT, current: self.current, keys: keys.collect() };
        // Ids, base64 text and times always serialise; an empty body would be refused by `from_body`.
        serde_json::to_vec(&document).unwrap_or_default()
    }

    /// Reads a stored body. A ring without its current key, with a key twice or with no key is malformed.
    pub fn from_body(body: &[u8]) -> Result<Self, RingError> {
        let Versioned { v } = serde_json::from_slice(body).map_err(malformed)?;
        if v != FORMAT {
            return Err(RingError::UnknownFormat(v));
        }
        let document: RingDocument = serde_json::from_slice(body).map_err(malformed)?;
        let mut ring = Self { current: document.current, keys: Vec::with_capacity(document.keys.len()) };
        for key in document.keys {
            if ring.get(key.id).is_some() {
                return Err(RingError::Malformed(format!("key {} twice", key.id)));
            }
            let wrapped = WrappedKey(STANDARD.decode(&key.wrapped).map_err(malformed)?);
            ring.keys.push(RingKey { id: key.id, wrapped, created_at: key.created_at });
        }
        if ring.get(ring.current).is_none() {
            return Err(RingError::Malformed("current key missing".to_owned()));
        }
        Ok(ring)
    }
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct RingDocument {
    v: u32,
    current: DataKeyId,
    keys: Vec<KeyDocument>,
}

#[derive(Serialize, Deserialize)]
struct KeyDocument {
    id: DataKeyId,
    wrapped: String,
    created_at: Timestamp,
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn malformed(error: impl std::fmt::Display) -> RingError {
    RingError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(n: u128) -> DataKeyId {
        Uuid::from_u128(n).into()
    }

    fn key(n: u128) -> RingKey {
        let created_at = "2026-01-02T03:04:05Z".parse().unwrap();
        RingKey { id: id(n), wrapped: WrappedKey(vec![n as u8, 255]), created_at }
    }

    #[test]
    fn keeps_every_key_and_knows_the_current_one() {
        let ring = DataKeyRing::new(key(1)).with_current(key(2));
        assert_eq!(ring.current(), id(2));
        assert_eq!(ring.get(id(1)), Some(&key(1)));
        assert_eq!(ring.get(id(3)), None);
        assert_eq!(DataKeyRing::from_body(&ring.to_body()), Ok(ring));
    }

    #[test]
    fn the_stored_form() {
        let body = String::from_utf8(DataKeyRing::new(key(1)).to_body()).unwrap();
        assert_eq!(
            body,
            r#"{"v":1,"current":"00000000-0000-0000-0000-000000000001","keys":[{"id":"00000000-0000-0000-0000-000000000001","wrapped":"Af8=","created_at":"2026-01-02T03:04:05Z"}]}"#
        );
    }

    #[test]
    fn refuses_what_it_did_not_write() {
        let good = String::from_utf8(DataKeyRing::new(key(1)).with_current(key(2)).to_body()).unwrap();
        assert!(DataKeyRing::from_body(good.as_bytes()).is_ok());
        let newer = good.replace(r#""v":1"#, r#""v":2"#);
        assert_eq!(DataKeyRing::from_body(newer.as_bytes()), Err(RingError::UnknownFormat(2)));
        // A later format may differ in everything but its version.
        assert_eq!(DataKeyRing::from_body(br#"{"v":9,"k":[]}"#), Err(RingError::UnknownFormat(9)));
        let twice = good.replacen("000000000001", "000000000002", 1);
        let current_missing = good.replacen("000000000002", "000000000003", 1);
        let not_base64 = good.replace("Af8=", "Af8");
        let empty = r#"{"v":1,"current":"00000000-0000-0000-0000-000000000001","keys":[]}"#;
        let malformed = [&twice, &current_missing, &not_base64, empty, "", "[]", "{}", &good[1..]];
        for body in malformed {
            assert!(
                matches!(DataKeyRing::from_body(body.as_bytes()), Err(RingError::Malformed(_))),
                "{body}"
            );
        }
    }
}
