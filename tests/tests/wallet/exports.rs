//! What an export may cost: it ends, and nobody has two at once.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use alter_domain::{
    port::{Expect, Item, Key, Op, Page, Query, StoreError, Table, TableName, Version},
    web::PeerIp,
};
use alter_tests::Setup;
use async_trait::async_trait;
use axum::{body::Body, response::Response};
use http::Request;
use tower::ServiceExt as _;

use crate::{
    busy::Busy,
    world::{COOKIE, Person, World},
};

/// The most rows that a person's export examines, and how many one step may go beyond.
const EXAMINED: (usize, usize) = (200_000, 10_000);

/// A table whose audit rows never end, once it is told so: the newest again and again, each older than the one before.
struct Endless {
    inner: Arc<dyn Table>,
    on: AtomicBool,
    rows: AtomicUsize,
}

#[async_trait]
impl Table for Endless {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        self.inner.get(table, key).await
    }

    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        self.inner.get_many(keys).await
    }

    async fn put(&self, table: TableName, item: Item, expect: Expect) -> Result<Version, StoreError> {
        self.inner.put(table, item, expect).await
    }

    async fn put_many(&self, table: TableName, items: Vec<Item>) -> Result<(), StoreError> {
        self.inner.put_many(table, items).await
    }

    async fn delete(&self, table: TableName, key: &Key, expect: Expect) -> Result<(), StoreError> {
        self.inner.delete(table, key, expect).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        if query.table != TableName::Audit || !self.on.load(Ordering::Relaxed) {
            return self.inner.query(query).await;
        }
        let newest = Query { before: None, from: None, limit: 1, ..query.clone() };
        let row = self.inner.query(&newest).await?.items.remove(0);
        let before: uuid::Uuid = query.before.as_ref().unwrap().parse().unwrap();
        let older = |n: usize| {
            let mut item = row.clone();
            item.key.sort = uuid::Uuid::from_u128(before.as_u128() - 1 - n as u128).to_string();
            item
        };
        self.rows.fetch_add(query.limit, Ordering::Relaxed);
        Ok(Page { items: (0..query.limit).map(older).collect(), next: None })
    }

    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
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
        self.inner.add(table, key, delta, now, expires_at).await
    }
}

/// An export whose body nobody has read yet.
async fn begun(world: &World, person: &Person, query: &str) -> Response {
    let request = Request::get(format!("/wallet/api/activity/export?{query}"))
        .header("cookie", format!("{COOKIE}={}", person.cookie()))
        .header("sec-fetch-site", "same-origin")
        .extension(PeerIp("192.0.2.7".parse().unwrap()))
        .body(Body::empty());
    world.app.vault.router().oneshot(request.unwrap()).await.unwrap()
}

#[tokio::test]
async fn an_export_that_finds_nothing_ends_with_an_error() {
    let slot: Arc<OnceLock<Arc<Endless>>> = Arc::default();
    let kept = Arc::clone(&slot);
    let setup = Setup::default().layer(move |inner| {
        let table = Arc::new(Endless { inner, on: AtomicBool::new(false), rows: AtomicUsize::new(0) });
        assert!(kept.set(Arc::clone(&table)).is_ok());
        table
    });
    let busy = Busy::of(World::of(setup.build().await).await).await;
    let (world, table) = (&busy.world, slot.get().unwrap());
    table.on.store(true, Ordering::Relaxed);
    let answer = begun(world, &world.alice, "q=nothing-of-the-kind").await;
    assert_eq!(answer.status(), 200);
    axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect_err("a part is not the whole");
    let rows = table.rows.load(Ordering::Relaxed);
    assert!((EXAMINED.0..EXAMINED.0 + EXAMINED.1).contains(&rows), "{rows}");
    table.on.store(false, Ordering::Relaxed);
    assert_eq!(world.alice.get("/wallet/api/activity/export").await.status, 200, "it is over");
}

#[tokio::test]
async fn a_person_has_one_export_at_a_time() {
    let busy = Busy::new().await;
    let (world, path) = (&busy.world, "/wallet/api/activity/export?format=jsonl");
    let first = begun(world, &world.alice, "format=jsonl").await;
    assert_eq!(first.status(), 200);
    let again = world.person("alice").await;
    let refused = again.get(path).await;
    assert!(refused.header("retry-after").is_some());
    refused.refused(429, "too_many_requests");
    assert_eq!(world.bob.get(path).await.status, 200, "others have theirs");
    // Read to its end, or left alone: either way it is over.
    axum::body::to_bytes(first.into_body(), usize::MAX).await.unwrap();
    drop(begun(world, &again, "").await);
    assert_eq!(world.alice.get(path).await.status, 200);
    world.alice.get("/wallet/api/activity/export?cursor=x").await.refused(422, "invalid_cursor");
    assert_eq!(world.alice.get(path).await.status, 200);
}
