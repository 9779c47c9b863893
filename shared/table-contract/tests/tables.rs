//! The wrappers, over the local table in memory.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;

use alter_adapter_local::SqliteTable;
use alter_domain::port::{Expect, Index, Item, Key, Op, Query, StoreError, Table, TableName};
use alter_table_contract::{CountingTable, Counts, HarshOptions, HarshTable, run};

fn memory() -> Arc<dyn Table> {
    Arc::new(SqliteTable::memory().unwrap())
}

fn item(number: usize) -> Item {
    Item::new(Key::new("p", format!("{number:03}")), number.to_string())
        .with_index(Index::First, Key::new("index", format!("{:03}", 999 - number)))
}

/// With injected failures left out, what remains is allowed by the port: nobody may notice.
#[tokio::test(flavor = "multi_thread")]
async fn a_harsh_table_keeps_the_contract() {
    for seed in 1..=3 {
        run(|| async move {
            Arc::new(HarshTable::new(memory(), HarshOptions { seed, ..HarshOptions::default() }))
                as Arc<dyn Table>
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counting_table_keeps_the_contract() {
    run(|| async { Arc::new(CountingTable::new(memory())) as Arc<dyn Table> }).await;
}

#[tokio::test]
async fn pages_are_short_and_sometimes_empty() {
    let table = HarshTable::new(memory(), HarshOptions { max_page: 3, ..HarshOptions::default() });
    for number in 0..60 {
        table.put(TableName::Main, item(number), Expect::Any).await.unwrap();
    }
    let mut query = Query::partition(TableName::Main, "p");
    let (mut sizes, mut found) = (Vec::new(), 0);
    loop {
        let page = table.query(&query).await.unwrap();
        sizes.push(page.items.len());
        found += page.items.len();
        let Some(next) = page.next else { break };
        query.cursor = Some(next);
    }
    sizes.sort_unstable();
    sizes.dedup();
    assert_eq!((found, sizes.as_slice()), (60, [0, 1, 2, 3].as_slice()));
}

#[tokio::test]
async fn an_index_lags_behind_by_the_latest_writes() {
    let table = HarshTable::new(memory(), HarshOptions { stale_writes: 2, ..HarshOptions::default() });
    let shown = async |descending: bool| {
        let mut query = Query::partition(TableName::Main, "index").index(Index::First);
        query.descending = descending;
        let mut shown = Vec::new();
        loop {
            let page = table.query(&query).await.unwrap();
            shown.extend(page.items.into_iter().map(|item| (item.key.sort, item.version)));
            let Some(next) = page.next else { break shown };
            query.cursor = Some(next);
        }
    };
    let row = |number: usize, version: u64| (format!("{number:03}"), version);
    for number in 0..5 {
        table.put(TableName::Main, item(number), Expect::Any).await.unwrap();
    }
    assert_eq!(shown(false).await, [row(2, 1), row(1, 1), row(0, 1)], "3 and 4 are missing");
    assert_eq!(shown(true).await, [row(0, 1), row(1, 1), row(2, 1)]);
    table.delete(TableName::Main, &item(0).key, Expect::Any).await.unwrap();
    table.put(TableName::Main, item(1), Expect::Version(1)).await.unwrap();
    let stale = shown(false).await;
    assert_eq!(stale, [row(4, 1), row(3, 1), row(2, 1), row(1, 1), row(0, 1)], "the old 1, the deleted 0");
    assert_eq!(table.get(TableName::Main, &item(0).key).await, Ok(None), "but not by primary key");
    table.catch_up().await;
    assert_eq!(shown(false).await, [row(4, 1), row(3, 1), row(2, 1), row(1, 2)]);
}

#[tokio::test]
async fn failures_are_injected_at_their_rate_and_write_nothing() {
    let options = HarshOptions { conflicts: 200, throttles: 200, ..HarshOptions::default() };
    let table = HarshTable::new(memory(), options);
    let (mut written, mut conflicts, mut throttles) = (0, 0, 0);
    for number in 0..1_000 {
        match table.put(TableName::Main, item(number), Expect::Absent).await {
            Ok(_) => written += 1,
            Err(StoreError::Conflict) => conflicts += 1,
            Err(StoreError::Throttled) => throttles += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!((120..=280).contains(&conflicts) && (120..=280).contains(&throttles), "{conflicts} {throttles}");
    table.set(|options| (options.conflicts, options.throttles) = (0, 0));
    let mut stored = 0;
    for number in 0..1_000 {
        stored += usize::from(table.get(TableName::Main, &item(number).key).await.unwrap().is_some());
    }
    assert_eq!(stored, written);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_has_happened() {
    let table = HarshTable::new(memory(), HarshOptions { lost_answers: 1000, ..HarshOptions::default() });
    let answer = table.put(TableName::Main, item(1), Expect::Absent).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(table.get(TableName::Main, &item(1).key).await.unwrap().is_some());
}

#[tokio::test]
async fn calls_are_counted_and_those_that_overlap_share_a_round() {
    let table = CountingTable::new(memory());
    let key = item(1).key;
    table.put(TableName::Main, item(1), Expect::Any).await.unwrap();
    let check = Op::Check { table: TableName::Main, key: key.clone(), expect: Expect::Version(1) };
    let (got, checked, added) = tokio::join!(
        table.get(TableName::Main, &key),
        table.transact(vec![check]),
        table.add(TableName::Main, &key, 1, 0, None),
    );
    got.unwrap();
    checked.unwrap();
    added.unwrap();
    table.get_many(&[(TableName::Main, key.clone())]).await.unwrap();
    let expected =
        Counts { put: 1, get: 1, transact: 1, add: 1, get_many: 1, rounds: 3, ..Counts::default() };
    assert_eq!(table.counts(), expected);
    assert_eq!(table.counts().calls(), 5);
    table.reset();
    assert_eq!(table.counts(), Counts::default());
    table.get(TableName::Main, &key).await.unwrap();
    assert_eq!(table.counts().rounds, 1);
}

/// A chain that runs beside one long call is as long as the chain.
#[tokio::test]
async fn a_chain_beside_another_call_counts_in_full() {
    let table = CountingTable::new(memory());
    let key = item(1).key;
    let chain = async {
        for _ in 0..3 {
            table.get(TableName::Main, &key).await.unwrap();
        }
    };
    let (_, found) = tokio::join!(chain, table.get(TableName::Main, &key));
    found.unwrap();
    assert_eq!(table.counts().rounds, 3);
}
