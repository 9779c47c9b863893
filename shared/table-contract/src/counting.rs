//! A table that counts what it is asked, to hold flows to their budget of storage rounds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alter_domain::port::{Expect, Item, Key, Op, Page, Query, StoreError, Table, TableName, Version};
use async_trait::async_trait;

/// Calls of each method, and rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub get: u64,
    pub get_many: u64,
    pub put: u64,
    pub delete: u64,
    pub query: u64,
    pub put_many: u64,
    pub transact: u64,
    pub add: u64,
    /// The longest chain of calls of which each began after the one before had ended: what latency is made of. Calls
    /// that overlap in time share a round.
    pub rounds: u64,
}

impl Counts {
    /// Calls of all methods together.
    pub fn calls(&self) -> u64 {
        self.get
            + self.get_many
            + self.put
            + self.put_many
            + self.delete
            + self.query
            + self.transact
            + self.add
    }
}

/// Counts calls and rounds of the table inside. Every call takes at least one turn of the scheduler, as it does over a
/// network, so that calls which are awaited together overlap.
pub struct CountingTable {
    inner: Arc<dyn Table>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: Counts,
    /// The longest chain that ended so far.
    ended: u64,
    /// Calls that were begun before the last reset do not count when they end.
    epoch: u64,
}

/// A call under way. It ends when dropped, also when its caller gave up.
struct Call<'t> {
    table: &'t CountingTable,
    epoch: u64,
    round: u64,
}

impl CountingTable {
    pub fn new(inner: Arc<dyn Table>) -> Self {
        Self { inner, state: Mutex::default() }
    }

    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    pub fn reset(&self) {
        let mut state = self.state();
        *state = State { epoch: state.epoch + 1, ..State::default() };
    }

    async fn begin(&self, count: impl FnOnce(&mut Counts) -> &mut u64) -> Call<'_> {
        let call = {
            let mut state = self.state();
            *count(&mut state.counts) += 1;
            let round = state.ended + 1;
            state.counts.rounds = state.counts.rounds.max(round);
            Call { table: self, epoch: state.epoch, round }
        };
        tokio::task::yield_now().await;
        call
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut state = self.table.state();
        if state.epoch == self.epoch {
            state.ended = state.ended.max(self.round);
        }
    }
}

#[async_trait]
impl Table for CountingTable {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        let _call = self.begin(|counts| &mut counts.get).await;
        self.inner.get(table, key).await
    }

    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        let _call = self.begin(|counts| &mut counts.get_many).await;
        self.inner.get_many(keys).await
    }

    async fn put(&self, table: TableName, item: Item, expect: Expect) -> Result<Version, StoreError> {
        let _call = self.begin(|counts| &mut counts.put).await;
        self.inner.put(table, item, expect).await
    }

    async fn delete(&self, table: TableName, key: &Key, expect: Expect) -> Result<(), StoreError> {
        let _call = self.begin(|counts| &mut counts.delete).await;
        self.inner.delete(table, key, expect).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let _call = self.begin(|counts| &mut counts.query).await;
        self.inner.query(query).await
    }

    async fn put_many(&self, table: TableName, items: Vec<Item>) -> Result<(), StoreError> {
        let _call = self.begin(|counts| &mut counts.put_many).await;
        self.inner.put_many(table, items).await
    }

    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        let _call = self.begin(|counts| &mut counts.transact).await;
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
        let _call = self.begin(|counts| &mut counts.add).await;
        self.inner.add(table, key, delta, now, expires_at).await
    }
}
