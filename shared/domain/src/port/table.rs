//! The table port: DynamoDB's semantics and none of its expressions.
//!
//! An item is a key (partition, sort), up to three index keys, a version, an optional expiry and a body. There is no
//! filter, no projection and no scan: a new need is a new key in `keyspace.rs`. One contract suite
//! (`alter-adapter-local`, `contract`) runs on every adapter.

use async_trait::async_trait;
use bytes::Bytes;

/// DynamoDB's limit on one item, with all its attributes: 400 KB.
pub const MAX_ITEM_BYTES: usize = 400 * 1024;
/// What DynamoDB counts besides keys and body, at most: the attributes' names, version, expiry, the mark of a write, and the
/// 20 bytes or so that it charges an update for each attribute that it sets.
pub const ITEM_OVERHEAD_BYTES: usize = 256;
/// DynamoDB's limit on the operations of one transaction.
pub const MAX_TRANSACT_OPS: usize = 100;
/// How many index keys an item may carry.
pub const INDEX_COUNT: usize = 3;

/// The three tables, with separate permissions: `vault` holds sealed material and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TableName {
    /// Configuration, grants, users, sessions.
    Main,
    /// Sealed credentials and sealed signing keys.
    Vault,
    /// Audit rows.
    Audit,
}

/// The primary key of an item. Both parts are non-empty UTF-8; the sort part orders items of one partition by bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub partition: String,
    pub sort: String,
}

impl Key {
    pub fn new(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { partition: partition.into(), sort: sort.into() }
    }
}

/// Which of an item's index keys a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Index {
    First,
    Second,
    Third,
}

impl Index {
    /// The index's position in [`Item::index`].
    pub fn position(self) -> usize {
        match self {
            Index::First => 0,
            Index::Second => 1,
            Index::Third => 2,
        }
    }
}

/// A key of an item in an index: same shape as the primary key, not unique.
pub type IndexKey = Key;

/// The number of times an item was written; starts at 1. Deleting and creating again starts over.
pub type Version = u64;

/// One stored item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub key: Key,
    pub index: [Option<IndexKey>; INDEX_COUNT],
    /// Set by the table on every write; what the caller puts here is ignored by `put`.
    pub version: Version,
    /// Unix seconds after which the item may vanish. As with DynamoDB's TTL it may be returned for a while longer:
    /// whoever reads an item that can expire compares the time itself.
    pub expires_at: Option<i64>,
    /// The document; for `vault` items sealed bytes inside.
    pub body: Bytes,
}

impl Item {
    pub fn new(key: Key, body: impl Into<Bytes>) -> Self {
        Self { key, index: [None, None, None], version: 0, expires_at: None, body: body.into() }
    }

    #[must_use]
    pub fn with_index(mut self, index: Index, key: IndexKey) -> Self {
        if let Some(slot) = self.index.get_mut(index.position()) {
            *slot = Some(key);
        }
        self
    }

    #[must_use]
    pub fn with_expiry(mut self, unix_seconds: Option<i64>) -> Self {
        self.expires_at = unix_seconds;
        self
    }

    /// What DynamoDB would count, or a little more: keys, body and [`ITEM_OVERHEAD_BYTES`].
    pub fn size(&self) -> usize {
        let index: usize = self.index.iter().flatten().map(|k| k.partition.len() + k.sort.len()).sum();
        self.key.partition.len() + self.key.sort.len() + index + self.body.len() + ITEM_OVERHEAD_BYTES
    }
}

/// The precondition of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Write whatever is there.
    Any,
    /// No item with this key may exist. An expired item counts as existing until it is collected.
    Absent,
    /// The item must exist and be at exactly this version.
    Version(Version),
}

/// One operation of a transaction. All of them happen or none; no two may name the same key.
#[derive(Debug, Clone)]
pub enum Op {
    Put {
        table: TableName,
        item: Item,
        expect: Expect,
    },
    Delete {
        table: TableName,
        key: Key,
        expect: Expect,
    },
    /// Writes nothing, fails the transaction when the expectation does not hold.
    Check {
        table: TableName,
        key: Key,
        expect: Expect,
    },
}

/// A query over one partition of a table or of one index, ordered by the sort part.
#[derive(Debug, Clone)]
pub struct Query {
    pub table: TableName,
    /// `None` reads the primary key, strongly consistent. An index may lag behind (DynamoDB's global secondary indexes
    /// are eventually consistent): re-read by primary key whatever decides access.
    pub index: Option<Index>,
    pub partition: String,
    /// Inclusive lower bound of the sort part.
    pub from: Option<String>,
    /// Exclusive upper bound of the sort part.
    pub before: Option<String>,
    pub descending: bool,
    /// At most this many items in the page; a page may be shorter although more follow.
    pub limit: usize,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

impl Query {
    /// All items of a partition, ascending.
    pub fn partition(table: TableName, partition: impl Into<String>) -> Self {
        Self {
            table,
            index: None,
            partition: partition.into(),
            from: None,
            before: None,
            descending: false,
            limit: 100,
            cursor: None,
        }
    }

    #[must_use]
    pub fn index(mut self, index: Index) -> Self {
        self.index = Some(index);
        self
    }

    /// Only items whose sort part begins with `prefix` (ASCII prefix).
    #[must_use]
    pub fn sort_prefix(mut self, prefix: &str) -> Self {
        self.from = Some(prefix.to_owned());
        self.before = Some(format!("{prefix}\u{10FFFF}"));
        self
    }

    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    #[must_use]
    pub fn cursor(mut self, cursor: Option<String>) -> Self {
        self.cursor = cursor;
        self
    }
}

/// One page of a query.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub items: Vec<Item>,
    /// Opaque; present when more items may follow, also after an empty page.
    pub next: Option<String>,
}

/// Why a table did not do what was asked. Nothing was written in any case but `Unavailable`, where it may have been.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// The expectation of the write (or of one operation of the transaction) did not hold.
    #[error("precondition failed")]
    Conflict,
    /// Too many requests; the caller may try again later.
    #[error("throttled")]
    Throttled,
    /// The store could not be reached, is full, or is locked.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The item is larger than [`MAX_ITEM_BYTES`], the transaction longer than [`MAX_TRANSACT_OPS`], a key is empty, or
    /// a cursor is not one of this query's.
    #[error("request not valid for the table: {0}")]
    Invalid(String),
    /// What was read is not what was written.
    #[error("stored item is corrupt: {0}")]
    Corrupt(String),
}

/// Storage. Reads are strongly consistent except over an index.
#[async_trait]
pub trait Table: Send + Sync {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError>;

    /// Reads up to 100 items in one round, in the order asked; absent items are `None`.
    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError>;

    /// Writes the item and returns its new version.
    async fn put(&self, table: TableName, item: Item, expect: Expect) -> Result<Version, StoreError>;

    /// Writes items whatever is there, in any order and not as one: after an error some may have been written. Which
    /// version they have afterwards is not defined (DynamoDB's BatchWriteItem knows neither condition nor counter), so
    /// items written like this are not written conditionally. No two of them may have the same key.
    async fn put_many(&self, table: TableName, items: Vec<Item>) -> Result<(), StoreError>;

    /// Deletes the item; deleting what is not there succeeds under [`Expect::Any`] and `Absent`.
    async fn delete(&self, table: TableName, key: &Key, expect: Expect) -> Result<(), StoreError>;

    async fn query(&self, query: &Query) -> Result<Page, StoreError>;

    /// All operations or none. `main` and `vault` may be mixed; `audit` stands alone.
    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError>;

    /// Adds to a counter and returns its new value. A counter whose expiry has passed starts again at zero, with the
    /// new expiry. Counters live beside items and are not returned by `get` or `query`.
    async fn add(
        &self,
        table: TableName,
        key: &Key,
        delta: i64,
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<i64, StoreError>;
}
