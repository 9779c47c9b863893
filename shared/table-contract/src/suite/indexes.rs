//! Queries over index keys. Every index may lag behind, so what a write changed is waited for.

use std::sync::Arc;

use alter_domain::port::{Expect, Index, Item, Key, Query, Table, TableName};

use super::{assert_invalid, eventually, item, key};

const INDEXES: [Index; 3] = [Index::First, Index::Second, Index::Third];

fn query(case: &str, index: Index) -> Query {
    Query::partition(TableName::Main, format!("by-{case}")).index(index)
}

fn indexed(case: &str, sort: impl std::fmt::Display, index: Index, order: &str) -> Item {
    item(case, sort).with_index(index, Key::new(format!("by-{case}"), order))
}

async fn put(table: &Arc<dyn Table>, item: Item) {
    table.put(TableName::Main, item, Expect::Any).await.unwrap();
}

fn strings(sorts: &[&str]) -> Vec<String> {
    sorts.iter().map(|sort| (*sort).to_owned()).collect()
}

pub async fn an_index_comes_in_byte_order(table: &Arc<dyn Table>) {
    // The index orders against the primary key.
    let orders = [("9", "!"), ("8", "10"), ("7", "2"), ("6", "A"), ("5", "a"), ("4", "\u{e9}")];
    for index in INDEXES {
        for at in [3, 0, 5, 1, 4, 2] {
            let (sort, order) = orders[at];
            let case = format!("index-order-{index:?}");
            put(table, indexed(&case, sort, index, order)).await;
        }
        let query = query(&format!("index-order-{index:?}"), index).limit(4);
        eventually(table, &query, &strings(&["9", "8", "7", "6", "5", "4"])).await;
        eventually(table, &query.descending(), &strings(&["4", "5", "6", "7", "8", "9"])).await;
    }
}

/// An index key is not unique: a page may end in the middle of items that share it.
pub async fn items_that_share_an_index_key_all_come(table: &Arc<dyn Table>) {
    for number in 10..30 {
        let order = if number < 13 { "a" } else { "same" };
        let mut shared = indexed("shared", number, Index::Second, order);
        // Different partitions, too.
        shared.key.partition = format!("shared-{}", number % 3);
        put(table, shared).await;
    }
    let mut expected: Vec<String> = (10..30).map(|number| number.to_string()).collect();
    // Among items of one index key the order is the table's own, the same from page to page.
    let deadline = tokio::time::Instant::now() + super::INDEX_LAG;
    while super::sorts(table, &query("shared", Index::Second)).await.len() < expected.len() {
        assert!(tokio::time::Instant::now() < deadline, "the index does not catch up");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for limit in 1..=21 {
        for descending in [false, true] {
            let mut shared = query("shared", Index::Second).limit(limit);
            shared.descending = descending;
            let mut found = super::sorts(table, &shared).await;
            let firsts = if descending { &found[17..] } else { &found[..3] };
            assert!(
                firsts.iter().all(|sort| ["10", "11", "12"].contains(&sort.as_str())),
                "limit {limit}: {found:?}"
            );
            found.sort();
            assert_eq!(found, expected, "limit {limit}, descending {descending}");
        }
    }
    // The same when items come and go between the pages.
    let mut query = query("shared", Index::Second).limit(3);
    let mut found = Vec::new();
    loop {
        let page = table.query(&query).await.unwrap();
        found.extend(page.items.into_iter().map(|item| item.key.sort));
        let Some(next) = page.next else { break };
        query.cursor = Some(next);
        if found.is_empty() {
            continue;
        }
        let mut late = indexed("shared", "late", Index::Second, "A");
        late.key.partition = "shared-0".to_owned();
        put(table, late).await;
    }
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "with a write between the pages");
}

pub async fn bounds_hold_in_an_index(table: &Arc<dyn Table>) {
    for (sort, order) in [("1", "t#1"), ("2", "t#2"), ("3", "t#2"), ("4", "t#3"), ("5", "u#1")] {
        put(table, indexed("index-bounds", sort, Index::Third, order)).await;
    }
    let ranged = |from: Option<&str>, before: Option<&str>| {
        let mut query = query("index-bounds", Index::Third).limit(1);
        query.from = from.map(str::to_owned);
        query.before = before.map(str::to_owned);
        query
    };
    eventually(table, &ranged(None, None), &strings(&["1", "2", "3", "4", "5"])).await;
    eventually(table, &ranged(Some("t#2"), None), &strings(&["2", "3", "4", "5"])).await;
    eventually(table, &ranged(None, Some("t#2")), &strings(&["1"])).await;
    eventually(table, &ranged(Some("t#2"), Some("t#3")).descending(), &strings(&["3", "2"])).await;
    eventually(
        table,
        &query("index-bounds", Index::Third).sort_prefix("t#"),
        &strings(&["1", "2", "3", "4"]),
    )
    .await;
}

pub async fn rewriting_moves_an_item_in_its_indexes(table: &Arc<dyn Table>) {
    let first = query("moves", Index::First);
    put(table, indexed("moves", 1, Index::First, "b")).await;
    put(table, indexed("moves", 2, Index::First, "c")).await;
    eventually(table, &first, &strings(&["1", "2"])).await;
    put(table, indexed("moves", 1, Index::First, "d")).await;
    eventually(table, &first, &strings(&["2", "1"])).await;
    put(table, indexed("moves", 2, Index::Second, "c")).await;
    eventually(table, &first, &strings(&["1"])).await;
    eventually(table, &query("moves", Index::Second), &strings(&["2"])).await;
    put(table, item("moves", 1)).await;
    eventually(table, &first, &[]).await;
}

pub async fn deleting_removes_an_item_from_its_indexes(table: &Arc<dyn Table>) {
    put(table, indexed("removes", 1, Index::First, "b")).await;
    put(table, indexed("removes", 2, Index::First, "b")).await;
    eventually(table, &query("removes", Index::First), &strings(&["1", "2"])).await;
    table.delete(TableName::Main, &key("removes", 1), Expect::Any).await.unwrap();
    eventually(table, &query("removes", Index::First), &strings(&["2"])).await;
}

pub async fn indexes_are_separate(table: &Arc<dyn Table>) {
    for (number, index) in INDEXES.into_iter().enumerate() {
        put(table, indexed("apart", number, index, "same")).await;
    }
    let all = INDEXES
        .into_iter()
        .fold(item("apart", 3), |item, index| item.with_index(index, Key::new("by-apart", "z")));
    put(table, all).await;
    for (number, index) in INDEXES.into_iter().enumerate() {
        eventually(table, &query("apart", index), &[number.to_string(), "3".to_owned()]).await;
    }
    let other_table = Query { table: TableName::Vault, ..query("apart", Index::First) };
    eventually(table, &other_table, &[]).await;
}

pub async fn an_index_cursor_is_valid_for_its_query_only(table: &Arc<dyn Table>) {
    for number in 0..4 {
        let both = Key::new("by-index-cursor", "same");
        put(table, indexed("index-cursor", number, Index::First, "same").with_index(Index::Second, both))
            .await;
    }
    let expected = strings(&["0", "1", "2", "3"]);
    let own = query("index-cursor", Index::First).limit(2);
    eventually(table, &own, &expected).await;
    eventually(table, &query("index-cursor", Index::Second), &expected).await;
    let cursor = table.query(&own).await.unwrap().next;
    assert!(cursor.is_some(), "more pages");
    for other in [
        query("index-cursor", Index::Second),
        query("index-cursor", Index::First).descending(),
        query("another", Index::First),
        Query::partition(TableName::Main, "by-index-cursor"),
    ] {
        let result = table.query(&other.clone().cursor(cursor.clone())).await;
        assert_invalid(result, &format!("{other:?}"));
    }
}
