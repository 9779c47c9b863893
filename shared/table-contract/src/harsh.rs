//! A table that does all that production may do.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
};

use alter_domain::port::{
    Expect, Index, Item, Key, Op, Page, Query, Rng as _, SeededRng, StoreError, Table, TableName, Version,
    limits,
};
use async_trait::async_trait;
use tokio::sync::Mutex;

/// How harsh. Rates are per thousand calls; the default injects nothing but short, sometimes empty pages.
#[derive(Debug, Clone, Copy)]
pub struct HarshOptions {
    pub seed: u64,
    /// No page has more items, whatever the limit; at least one.
    pub max_page: usize,
    /// Pages that are empty although more follow.
    pub empty_pages: u32,
    /// An index does not show the latest writes of its table: that many.
    pub stale_writes: usize,
    /// Writes with an expectation that lose against an invented competitor; nothing is written.
    pub conflicts: u32,
    /// Calls that are refused for being too many; nothing is written.
    pub throttles: u32,
    /// Writes that happen although their answer is `Unavailable`.
    pub lost_answers: u32,
}

impl Default for HarshOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            max_page: 2,
            empty_pages: 250,
            stale_writes: 0,
            conflicts: 0,
            throttles: 0,
            lost_answers: 0,
        }
    }
}

/// Any table, made harsher: short and empty pages, stale indexes, DynamoDB's limits, invented conflicts, throttles and lost
/// answers. Items that have expired are returned as the table inside returns them: the local one does until it collects.
pub struct HarshTable {
    inner: Arc<dyn Table>,
    options: RwLock<HarshOptions>,
    rng: SeededRng,
    /// What the latest writes replaced, oldest first. Locked through each write, which puts them in an order.
    latest: Mutex<VecDeque<Replaced>>,
}

struct Replaced {
    table: TableName,
    key: Key,
    before: Option<Item>,
}

impl HarshTable {
    pub fn new(inner: Arc<dyn Table>, options: HarshOptions) -> Self {
        let rng = SeededRng::new(options.seed);
        Self { inner, options: RwLock::new(options), rng, latest: Mutex::default() }
    }

    /// Changes the options from here on: a test sets up in calm weather.
    pub fn set(&self, change: impl FnOnce(&mut HarshOptions)) {
        change(&mut self.options.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Lets the indexes catch up with all writes.
    pub async fn catch_up(&self) {
        self.latest.lock().await.clear();
    }

    fn options(&self) -> HarshOptions {
        *self.options.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        // The seeded generator fails only when a thread that held it panicked; then the test fails anyway.
        self.rng.fill(&mut bytes).ok();
        u64::from_le_bytes(bytes)
    }

    fn happens(&self, per_thousand: u32) -> bool {
        per_thousand > 0 && self.random() % 1000 < u64::from(per_thousand)
    }

    fn throttle(&self) -> Result<(), StoreError> {
        if self.happens(self.options().throttles) { Err(StoreError::Throttled) } else { Ok(()) }
    }

    /// Does a write among its dangers, and remembers what it replaced.
    async fn write<R>(
        &self,
        keys: Vec<(TableName, Key)>,
        expects: bool,
        write: impl Future<Output = Result<R, StoreError>>,
    ) -> Result<R, StoreError> {
        self.throttle()?;
        if expects && self.happens(self.options().conflicts) {
            return Err(StoreError::Conflict);
        }
        let stale_writes = self.options().stale_writes;
        let result = if stale_writes == 0 {
            write.await
        } else {
            let mut latest = self.latest.lock().await;
            let before = self.inner.get_many(&keys).await?;
            let result = write.await;
            if result.is_ok() {
                let replaced = keys.into_iter().zip(before);
                latest.extend(replaced.map(|((table, key), before)| Replaced { table, key, before }));
                while latest.len() > stale_writes {
                    latest.pop_front();
                }
            }
            result
        };
        if result.is_ok() && self.happens(self.options().lost_answers) {
            return Err(StoreError::Unavailable("the answer was lost".to_owned()));
        }
        result
    }

    /// All that an index shows, as it was before the latest writes.
    async fn stale(&self, query: &Query, index: Index) -> Result<Vec<Item>, StoreError> {
        let latest = self.latest.lock().await;
        let mut items = Vec::new();
        let mut inner = Query { cursor: None, limit: 1000, descending: false, ..query.clone() };
        loop {
            let page = self.inner.query(&inner).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => inner.cursor = Some(next),
                None => break,
            }
        }
        for replaced in latest.iter().rev().filter(|replaced| replaced.table == query.table) {
            items.retain(|item| item.key != replaced.key);
            items.extend(replaced.before.iter().filter(|before| selects(query, index, before)).cloned());
        }
        items.sort_by_cached_key(|item| order(item, Some(index)));
        if query.descending {
            items.reverse();
        }
        Ok(items)
    }
}

#[async_trait]
impl Table for HarshTable {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        limits::key(key)?;
        self.throttle()?;
        self.inner.get(table, key).await
    }

    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        limits::keys(keys)?;
        self.throttle()?;
        self.inner.get_many(keys).await
    }

    async fn put(&self, table: TableName, item: Item, expect: Expect) -> Result<Version, StoreError> {
        limits::item(&item)?;
        let keys = vec![(table, item.key.clone())];
        self.write(keys, expect != Expect::Any, self.inner.put(table, item, expect)).await
    }

    async fn delete(&self, table: TableName, key: &Key, expect: Expect) -> Result<(), StoreError> {
        limits::key(key)?;
        let keys = vec![(table, key.clone())];
        self.write(keys, expect != Expect::Any, self.inner.delete(table, key, expect)).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        limits::query(query)?;
        let cursor = query.cursor.as_deref().map(|cursor| Cursor::decode(cursor, query)).transpose()?;
        self.throttle()?;
        let options = self.options();
        if self.happens(options.empty_pages) {
            let next = cursor.unwrap_or(Cursor::Start).encode(query);
            return Ok(Page { items: Vec::new(), next: Some(next) });
        }
        let most = query.limit.min(options.max_page.max(1)) as u64;
        let limit = usize::try_from(1 + self.random() % most).unwrap_or(1);
        match (query.index, cursor) {
            (Some(index), cursor @ (None | Some(Cursor::Start | Cursor::After(_))))
                if options.stale_writes > 0 =>
            {
                let mut items = self.stale(query, index).await?;
                if let Some(Cursor::After(last)) = cursor {
                    let passed = |item: &Item| {
                        let own = order(item, Some(index));
                        if query.descending { own >= last } else { own <= last }
                    };
                    items.retain(|item| !passed(item));
                }
                let more = items.len() > limit;
                items.truncate(limit);
                let next = items.last().filter(|_| more).map(|last| Cursor::After(order(last, Some(index))));
                Ok(Page { next: next.map(|next| next.encode(query)), items })
            }
            (_, cursor) => {
                let cursor = match cursor {
                    None | Some(Cursor::Start) => None,
                    Some(Cursor::Inner(inner)) => Some(inner),
                    Some(Cursor::After(_)) => return Err(foreign_cursor()),
                };
                let inner = Query { cursor, limit, ..query.clone() };
                let page = self.inner.query(&inner).await?;
                Ok(Page { next: page.next.map(|next| Cursor::Inner(next).encode(query)), items: page.items })
            }
        }
    }

    async fn put_many(&self, table: TableName, items: Vec<Item>) -> Result<(), StoreError> {
        limits::items(&items)?;
        let keys = items.iter().map(|item| (table, item.key.clone())).collect();
        self.write(keys, false, self.inner.put_many(table, items)).await
    }

    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        limits::transaction(&ops)?;
        let mut expects = false;
        let mut keys = Vec::with_capacity(ops.len());
        for op in &ops {
            let (table, key, expect) = match op {
                Op::Put { table, item, expect } => (*table, &item.key, expect),
                Op::Delete { table, key, expect } | Op::Check { table, key, expect } => (*table, key, expect),
            };
            expects |= *expect != Expect::Any;
            if !matches!(op, Op::Check { .. }) {
                keys.push((table, key.clone()));
            }
        }
        self.write(keys, expects, self.inner.transact(ops)).await
    }

    async fn add(
        &self,
        table: TableName,
        key: &Key,
        delta: i64,
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<i64, StoreError> {
        limits::key(key)?;
        self.write(Vec::new(), false, self.inner.add(table, key, delta, now, expires_at)).await
    }
}

/// A position in this table's pages, bound to its query.
enum Cursor {
    /// An empty page came first.
    Start,
    Inner(String),
    /// In a stale index: order, partition and sort of the last item.
    After([String; 3]),
}

impl Cursor {
    fn encode(&self, query: &Query) -> String {
        let position = match self {
            Self::Start => "s".to_owned(),
            Self::Inner(inner) => format!("i{inner}"),
            Self::After(last) => format!("a{}", last.each_ref().map(hex::encode).join(".")),
        };
        format!("{}-{position}", tag(query))
    }

    fn decode(cursor: &str, query: &Query) -> Result<Self, StoreError> {
        let parse = || {
            let position = cursor.strip_prefix(&tag(query))?.strip_prefix('-')?;
            let (kind, rest) = position.split_at_checked(1)?;
            let parts = || -> Option<Vec<String>> {
                rest.split('.').map(|part| String::from_utf8(hex::decode(part).ok()?).ok()).collect()
            };
            match kind {
                "s" if rest.is_empty() => Some(Self::Start),
                "i" => Some(Self::Inner(rest.to_owned())),
                "a" => Some(Self::After(parts()?.try_into().ok()?)),
                _ => None,
            }
        };
        parse().ok_or_else(foreign_cursor)
    }
}

fn foreign_cursor() -> StoreError {
    StoreError::Invalid("the cursor is not one of this query's".to_owned())
}

fn tag(query: &Query) -> String {
    let Query { table, index, partition, from, before, descending, limit: _, cursor: _ } = query;
    hex::encode(format!("{:?}", (table, index, partition, from, before, descending)))
}

fn index_key(item: &Item, index: Option<Index>) -> Option<&Key> {
    match index {
        None => Some(&item.key),
        Some(index) => item.index.get(index.position())?.as_ref(),
    }
}

fn order(item: &Item, index: Option<Index>) -> [String; 3] {
    let order = index_key(item, index).map_or_else(String::new, |key| key.sort.clone());
    [order, item.key.partition.clone(), item.key.sort.clone()]
}

fn selects(query: &Query, index: Index, item: &Item) -> bool {
    index_key(item, Some(index)).is_some_and(|key| {
        key.partition == query.partition
            && query.from.as_ref().is_none_or(|from| key.sort >= *from)
            && query.before.as_ref().is_none_or(|before| key.sort < *before)
    })
}
