//! A process that can die, or stop for a while, at any of its steps: a storage call or a record.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use alter_domain::port::{Expect, Item, Key, Op, Page, Query, StoreError, Table, TableName, Version};
use async_trait::async_trait;
use tokio::{sync::Semaphore, time::timeout};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// When the process ends or pauses. Steps count from 1; 0 is never.
pub(super) struct Life {
    steps: AtomicU64,
    /// The steps that are storage calls.
    calls: AtomicU64,
    dies_at: AtomicU64,
    /// The last step is done, but nobody hears of it.
    unheard: AtomicBool,
    pauses_at: AtomicU64,
    paused: Semaphore,
    resumed: Semaphore,
}

enum Step {
    Alive,
    /// It is done, and then the process is gone.
    Last,
    Dead,
}

impl Life {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            steps: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            dies_at: AtomicU64::new(0),
            unheard: AtomicBool::new(false),
            pauses_at: AtomicU64::new(0),
            paused: Semaphore::new(0),
            resumed: Semaphore::new(0),
        })
    }

    /// From now on steps count from 1, and there are no more from the `step`-th on; `unheard`: that one is still done.
    pub(super) fn die_at(&self, step: u64, unheard: bool) {
        self.steps.store(0, SeqCst);
        self.calls.store(0, SeqCst);
        self.unheard.store(unheard, SeqCst);
        self.dies_at.store(step, SeqCst);
    }

    /// A new process: nothing is in its way any more.
    pub(super) fn restart(&self) {
        self.die_at(0, false);
        self.pauses_at.store(0, SeqCst);
    }

    /// From now on storage calls count from 1, and the `call`-th waits to be resumed. Only it does.
    pub(super) fn pause_at(&self, call: u64) {
        self.die_at(0, false);
        self.pauses_at.store(call, SeqCst);
    }

    /// Returns when the call is made that waits.
    pub(super) async fn paused(&self) {
        let paused = timeout(PATIENCE, self.paused.acquire()).await;
        paused.expect("the call that waits is never made").unwrap().forget();
    }

    pub(super) fn resume(&self) {
        self.resumed.add_permits(1);
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps.load(SeqCst)
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(SeqCst)
    }

    /// Takes a step that is no storage call; says whether the process is still there.
    pub(super) fn lives(&self) -> bool {
        matches!(self.step(), Step::Alive)
    }

    fn step(&self) -> Step {
        let step = self.steps.fetch_add(1, SeqCst) + 1;
        match self.dies_at.load(SeqCst) {
            0 => Step::Alive,
            last if step == last && self.unheard.load(SeqCst) => Step::Last,
            last if step >= last => Step::Dead,
            _ => Step::Alive,
        }
    }
}

pub(super) struct Mortal {
    inner: Arc<dyn Table>,
    life: Arc<Life>,
}

impl Mortal {
    pub(super) fn new(inner: Arc<dyn Table>, life: Arc<Life>) -> Self {
        Self { inner, life }
    }

    async fn take<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable("the process is gone".to_owned());
        let step = self.life.step();
        let made = self.life.calls.fetch_add(1, SeqCst) + 1;
        if made == self.life.pauses_at.load(SeqCst) {
            self.life.paused.add_permits(1);
            self.life.resumed.acquire().await.unwrap().forget();
        }
        match step {
            Step::Alive => call.await,
            Step::Last => call.await.and(Err(gone())),
            Step::Dead => Err(gone()),
        }
    }
}

#[async_trait]
impl Table for Mortal {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        self.take(self.inner.get(table, key)).await
    }

    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        self.take(self.inner.get_many(keys)).await
    }

    async fn put(&self, table: TableName, item: Item, expect: Expect) -> Result<Version, StoreError> {
        self.take(self.inner.put(table, item, expect)).await
    }

    async fn put_many(&self, table: TableName, items: Vec<Item>) -> Result<(), StoreError> {
        self.take(self.inner.put_many(table, items)).await
    }

    async fn delete(&self, table: TableName, key: &Key, expect: Expect) -> Result<(), StoreError> {
        self.take(self.inner.delete(table, key, expect)).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.take(self.inner.query(query)).await
    }

    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        self.take(self.inner.transact(ops)).await
    }

    async fn add(
        &self,
        table: TableName,
        key: &Key,
        delta: i64,
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<i64, StoreError> {
        self.take(self.inner.add(table, key, delta, now, expires_at)).await
    }
}
