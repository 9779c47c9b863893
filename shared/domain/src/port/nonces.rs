//! The memory of used nonces: one nonce of one key is accepted once, over all instances.

use std::sync::Arc;

use alter_api_types::KeyId;
use async_trait::async_trait;

use super::{Expect, Item, StoreError, Table, TableName};
use crate::keyspace;

/// A nonce as it arrived on a correctly signed request.
#[derive(Debug, Clone)]
pub struct NonceClaim {
    pub key_id: KeyId,
    pub nonce: String,
    /// Unix seconds from which on the request's timestamp is too old to be accepted anyway.
    pub forget_at: i64,
}

#[async_trait]
pub trait NonceStore: Send + Sync {
    /// `Ok(true)`: first use, remembered durably. `Ok(false)`: seen before.
    async fn claim(&self, claim: NonceClaim) -> Result<bool, StoreError>;
}

/// Nonces as items of the main table, written with a conditional put.
pub struct TableNonces(Arc<dyn Table>);

impl TableNonces {
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self(table)
    }
}

#[async_trait]
impl NonceStore for TableNonces {
    async fn claim(&self, claim: NonceClaim) -> Result<bool, StoreError> {
        let item =
            Item::new(keyspace::nonce(claim.key_id, &claim.nonce), "").with_expiry(Some(claim.forget_at));
        match self.0.put(TableName::Main, item, Expect::Absent).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(other) => Err(other),
        }
    }
}
