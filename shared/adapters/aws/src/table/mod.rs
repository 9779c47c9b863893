//! The three tables on DynamoDB.
//!
//! `schema.rs` says what an item looks like there, `error.rs` what a failure means.
//!
//! **What this relies on.** The client retries: standard mode, three attempts, on throttling, 5xx, broken connections and
//! attempts that time out; each attempt and each operation has a timeout. On top of it the table itself tries again what
//! the SDK does not see as a failure or does not retry: keys and items of a batch that were left unprocessed, and writes
//! that met a transaction (`retry.rs`, at most five times without progress).
//!
//! **A write whose answer is lost** is sent again by the SDK. A second time around
//!
//! * a transaction carries the same token, and DynamoDB answers as it did the first time;
//! * a conditional put finds its own mark in the way ([`schema::WRITE`]) and knows that it succeeded;
//! * a conditional delete, or a put whose item was overwritten meanwhile, cannot know, and says `Unavailable`: what is
//!   not certain is not reported as a conflict;
//! * a put without condition writes the same again, and its version grows by two;
//! * a counter is not added to again: that request is never repeated without an answer, and says `Unavailable`.
//!
//! **Permissions** it needs: `GetItem`, `BatchGetItem`, `Query`, `PutItem`, `UpdateItem`, `DeleteItem`, `BatchWriteItem`
//! and `ConditionCheckItem`, on the tables and, for `Query`, on their indexes; transactions need those of their
//! operations. It never scans, and never describes, creates or changes a table.

mod counter;
mod error;
mod read;
mod retry;
pub mod schema;
mod transact;
mod write;

use std::{fmt, sync::Arc};

use alter_domain::port::{
    Expect, Item, Key, Op, Page, Query, Rng, StoreError, Table, TableName, Version, limits,
};
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;

/// What the tables are called in this account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNames {
    pub main: String,
    pub vault: String,
    pub audit: String,
}

impl TableNames {
    pub fn name(&self, table: TableName) -> &str {
        match table {
            TableName::Main => &self.main,
            TableName::Vault => &self.vault,
            TableName::Audit => &self.audit,
        }
    }

    fn table(&self, name: &str) -> Option<TableName> {
        [TableName::Main, TableName::Vault, TableName::Audit]
            .into_iter()
            .find(|table| self.name(*table) == name)
    }
}

/// The [`Table`] port on DynamoDB. Cheap to clone.
#[derive(Clone)]
pub struct DynamoTable {
    client: Client,
    names: Arc<TableNames>,
    rng: Arc<dyn Rng>,
}

impl DynamoTable {
    /// `rng` marks writes, names transactions, and spreads the pauses before retries.
    pub fn new(client: Client, names: TableNames, rng: Arc<dyn Rng>) -> Self {
        Self { client, names: Arc::new(names), rng }
    }

    fn name(&self, table: TableName) -> &str {
        self.names.name(table)
    }

    fn random(&self) -> Result<[u8; 16], StoreError> {
        let mut bytes = [0; 16];
        self.rng.fill(&mut bytes).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(bytes)
    }
}

impl fmt::Debug for DynamoTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoTable").field("names", &self.names).finish_non_exhaustive()
    }
}

#[async_trait]
impl Table for DynamoTable {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        limits::key(key)?;
        schema::items_only(&key.partition)?;
        self.read_one(table, key).await
    }

    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        limits::keys(keys)?;
        keys.iter().try_for_each(|(_, key)| schema::items_only(&key.partition))?;
        self.read_many(keys).await
    }

    async fn put(&self, table: TableName, item: Item, expect: Expect) -> Result<Version, StoreError> {
        limits::item(&item)?;
        schema::items_only(&item.key.partition)?;
        match expect {
            Expect::Any => self.replace(table, &item).await,
            Expect::Absent => self.put_if(table, &item, None).await,
            Expect::Version(version) => self.put_if(table, &item, Some(version)).await,
        }
    }

    async fn put_many(&self, table: TableName, items: Vec<Item>) -> Result<(), StoreError> {
        limits::items(&items)?;
        items.iter().try_for_each(|item| schema::items_only(&item.key.partition))?;
        self.write_many(table, &items).await
    }

    async fn delete(&self, table: TableName, key: &Key, expect: Expect) -> Result<(), StoreError> {
        limits::key(key)?;
        schema::items_only(&key.partition)?;
        self.delete_one(table, key, expect).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        limits::query(query)?;
        if query.index.is_none() {
            schema::items_only(&query.partition)?;
        }
        self.read_page(query).await
    }

    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        limits::transaction(&ops)?;
        for op in &ops {
            let (Op::Put { item: Item { key, .. }, .. } | Op::Delete { key, .. } | Op::Check { key, .. }) =
                op;
            schema::items_only(&key.partition)?;
        }
        self.write_together(&ops).await
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
        self.count(table, key, delta, now, expires_at).await
    }
}
