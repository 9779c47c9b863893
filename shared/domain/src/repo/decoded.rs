//! Documents that were decoded before.
//!
//! Decoding is a function of the stored bytes alone, so a value may be used again for as long as the bytes that were read
//! for this very call are the same. What changes in the table changes the bytes: nothing stale can come from here.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::sync::Cache;

use crate::{
    error::Result,
    port::{Item, Key},
};

/// Values of one type, by the key of their item, each with the bytes that it was decoded from. Bounded.
pub(crate) struct Decoded<T>(Cache<Key, (Bytes, Arc<T>)>);

impl<T> Decoded<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    /// What `decode` makes of the item.
    pub(crate) fn read(&self, item: &Item, decode: impl FnOnce(&Item) -> Result<T>) -> Result<Arc<T>> {
        if let Some((bytes, value)) = self.0.get(&item.key)
            && bytes == item.body
        {
            return Ok(value);
        }
        let value = Arc::new(decode(item)?);
        self.0.insert(item.key.clone(), (item.body.clone(), Arc::clone(&value)));
        Ok(value)
    }

    /// What was read last under this key: good for reading ahead, and for nothing else.
    pub(crate) fn last(&self, key: &Key) -> Option<Arc<T>> {
        self.0.get(key).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_are_decoded_anew_and_errors_are_not_kept() {
        let decoded = Decoded::new(10);
        let item = |body: &'static str| Item::new(Key::new("p", "s"), body);
        let text = |item: &Item| Ok(String::from_utf8_lossy(&item.body).into_owned());
        assert_eq!(*decoded.read(&item("one"), text).unwrap(), "one");
        assert_eq!(*decoded.read(&item("one"), |_| unreachable!("decoded twice")).unwrap(), "one");
        assert_eq!(*decoded.read(&item("two"), text).unwrap(), "two");
        assert_eq!(*decoded.read(&item("one"), text).unwrap(), "one");
        let broken = |_: &Item| Err(crate::error::Error::Internal("broken".to_owned()));
        assert!(decoded.read(&item("three"), broken).is_err());
        assert_eq!(*decoded.read(&item("three"), text).unwrap(), "three");
    }
}
