//! Nonces outside the table, as the local journal keeps them.

use std::{collections::HashSet, sync::Mutex};

use alter_domain::port::{NonceClaim, NonceStore, StoreError};
use async_trait::async_trait;

#[derive(Default)]
pub struct MemoryNonces(Mutex<HashSet<String>>);

#[async_trait]
impl NonceStore for MemoryNonces {
    async fn claim(&self, claim: NonceClaim) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap().insert(format!("{} {}", claim.key_id, claim.nonce)))
    }
}
