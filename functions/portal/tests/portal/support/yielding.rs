//! A table that lets others go first: futures that are joined take turns at every operation, in the same order each time.

use alter_adapter_local::SqliteTable;
use alter_domain::port::{Expect, Item, Key, Op, Page, Query, StoreError, Table, TableName, Version};
use async_trait::async_trait;
use tokio::task::yield_now;

pub(crate) struct Yielding(pub(crate) SqliteTable);

#[async_trait]
impl Table for Yielding {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        yield_now().await;
        self.0.get(table, key).await
    }

    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        yield_now().await;
        self.0.get_many(keys).await
    }

    async fn put(&self, table: TableName, item: Item, expect: Expect) -> Result<Version, StoreError> {
        yield_now().await;
        self.0.put(table, item, expect).await
    }

    async fn put_many(&self, table: TableName, items: Vec<Item>) -> Result<(), StoreError> {
        yield_now().await;
        self.0.put_many(table, items).await
    }

    async fn delete(&self, table: TableName, key: &Key, expect: Expect) -> Result<(), StoreError> {
        yield_now().await;
        self.0.delete(table, key, expect).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        yield_now().await;
        self.0.query(query).await
    }

    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        yield_now().await;
        self.0.transact(ops).await
    }

    async fn add(
        &self,
        table: TableName,
        key: &Key,
        delta: i64,
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<i64, StoreError> {
        yield_now().await;
        self.0.add(table, key, delta, now, expires_at).await
    }
}
