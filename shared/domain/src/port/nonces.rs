//! The memory of used nonces: one nonce of one key is accepted once, over all instances.

use std::sync::Arc;

use alter_api_types::KeyId;
use async_trait::async_trait;

use super::{AuditError, AuditSink, Expect, Item, Record, StoreError, Table, TableName};
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

    /// Claims a call's nonce and records its intent, at once. A store that is the sink as well may do both by one write;
    /// each answer is the same as if they had been asked for apart.
    async fn claim_and_record(
        &self,
        claim: NonceClaim,
        audit: &dyn AuditSink,
        record: Record,
    ) -> (Result<bool, StoreError>, Result<(), AuditError>) {
        tokio::join!(self.claim(claim), audit.record(record))
    }
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
