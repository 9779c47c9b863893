//! A table of which exactly one call fails: the k-th after it was armed.

use std::sync::{Arc, Mutex};

use alter_domain::port::{Expect, Item, Key, Op, Page, Query, StoreError, Table, TableName, Version};
use async_trait::async_trait;

pub struct FaultTable {
    inner: Arc<dyn Table>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: u64,
    armed: Option<(u64, StoreError)>,
}

impl FaultTable {
    pub fn new(inner: Arc<dyn Table>) -> Self {
        Self { inner, state: Mutex::default() }
    }

    /// Lets the `k`-th call from now (the first is 1) fail with `error`, and counts from zero.
    pub fn arm(&self, k: u64, error: StoreError) {
        *self.state.lock().unwrap() = State { seen: 0, armed: Some((k, error)) };
    }

    /// Counts from zero, and lets nothing fail.
    pub fn disarm(&self) {
        *self.state.lock().unwrap() = State::default();
    }

    /// Calls since it was armed or disarmed.
    pub fn seen(&self) -> u64 {
        self.state.lock().unwrap().seen
    }

    fn pass(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap();
        state.seen += 1;
        match &state.armed {
            Some((k, error)) if *k == state.seen => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Table for FaultTable {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        self.pass()?;
        self.inner.get(table, key).await
    }

    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        self.pass()?;
        self.inner.get_many(keys).await
    }

    async fn put(&self, table: TableName, item: Item, expect: Expect) -> Result<Version, StoreError> {
        self.pass()?;
        self.inner.put(table, item, expect).await
    }

    async fn put_many(&self, table: TableName, items: Vec<Item>) -> Result<(), StoreError> {
        self.pass()?;
        self.inner.put_many(table, items).await
    }

    async fn delete(&self, table: TableName, key: &Key, expect: Expect) -> Result<(), StoreError> {
        self.pass()?;
        self.inner.delete(table, key, expect).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.pass()?;
        self.inner.query(query).await
    }

    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        self.pass()?;
        self.inner.transact(ops).await
    }

    async fn add(
        &self,
        table: TableName,
        key: &Key,
        delta: i64,
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<i64, StoreError> {
        self.pass()?;
        self.inner.add(table, key, delta, now, expires_at).await
    }
}
