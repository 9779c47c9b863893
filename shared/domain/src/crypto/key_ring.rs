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
