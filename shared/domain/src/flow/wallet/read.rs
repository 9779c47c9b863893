//! Many items at once.

use std::vec;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::de::DeserializeOwned;

use crate::{
    error::{Error, Result},
    port::{Item, Key, TableName},
    repo::decode,
    state::Ports,
};

/// The most keys of one batch.
const BATCH: usize = 100;
/// How many requests are under way at a time.
pub(super) const AT_ONCE: usize = 32;

/// What was read, in the order asked; taken from the front.
pub(super) struct Items(vec::IntoIter<Option<Item>>);

/// Reads any number of items in one round, strongly consistent.
pub(super) async fn read(ports: &Ports, keys: Vec<(TableName, Key)>) -> Result<Items> {
    let batches: Vec<_> = keys.chunks(BATCH).map(|batch| ports.table.get_many(batch)).collect();
    let read: Vec<Vec<Option<Item>>> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
    Ok(Items(read.into_iter().flatten().collect::<Vec<_>>().into_iter()))
}

impl Items {
    /// The next `count` of them, decoded.
    pub(super) fn next<T: DeserializeOwned>(&mut self, count: usize) -> Result<Vec<Option<T>>> {
        let mut decoded = Vec::with_capacity(count);
        for _ in 0..count {
            let item = self.0.next().ok_or_else(|| Error::Internal("fewer items than asked".to_owned()))?;
            decoded.push(item.as_ref().map(decode).transpose()?);
        }
        Ok(decoded)
    }

    /// All that are left.
    pub(super) fn all<T: DeserializeOwned>(mut self) -> Result<Vec<Option<T>>> {
        let left = self.0.len();
        self.next(left)
    }
}
