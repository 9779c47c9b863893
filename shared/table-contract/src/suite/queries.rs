//! Queries over the primary key.

use std::sync::Arc;

use alter_domain::port::{Expect, Index, Item, Query, Table, TableName};

use super::{TABLES, all, assert_invalid, item, key, sorts};

/// In the order of their bytes; prefixes, case, accents and the last code point among them.
const SORTS: [&str; 12] = ["!", "0", "10", "2", "A", "B", "a", "a#1", "aa", "b", "\u{e9}", "\u{10FFFF}"];

async fn fill(table: &Arc<dyn Table>, name: TableName, case: &str, sorts: &[&str]) {
    for at in 0..sorts.len() {
        // Not in their order.
        let sort = sorts[(at * 5 + 3) % sorts.len()];
        table.put(name, item(case, sort), Expect::Any).await.unwrap();
    }
}

fn query(case: &str) -> Query {
    Query::partition(TableName::Main, case)
}

pub async fn a_partition_comes_in_byte_order(table: &Arc<dyn Table>) {
    for name in TABLES {
        fill(table, name, "byte-order", &SORTS).await;
        let ascending = Query::partition(name, "byte-order");
        assert_eq!(sorts(table, &ascending).await, SORTS);
        let mut reversed = SORTS;
        reversed.reverse();
        assert_eq!(sorts(table, &ascending.descending()).await, reversed);
    }
}

pub async fn every_limit_pages_through_everything(table: &Arc<dyn Table>) {
    fill(table, TableName::Main, "limits", &SORTS).await;
    for limit in 1..=SORTS.len() + 2 {
        let ascending = query("limits").limit(limit);
        assert_eq!(sorts(table, &ascending).await, SORTS, "limit {limit}");
        let mut reversed = SORTS;
        reversed.reverse();
        assert_eq!(sorts(table, &ascending.descending()).await, reversed, "limit {limit}, descending");
    }
}

pub async fn bounds_are_half_open(table: &Arc<dyn Table>) {
    fill(table, TableName::Main, "bounds", &SORTS).await;
    let mut bounds: Vec<Option<&str>> = SORTS.iter().map(|sort| Some(*sort)).collect();
    bounds.extend([None, Some("5"), Some("zz")]);
    for from in &bounds {
        for before in &bounds {
            let mut ranged = query("bounds").limit(3);
            ranged.from = from.map(str::to_owned);
            ranged.before = before.map(str::to_owned);
            let within = |sort: &&&str| {
                from.is_none_or(|from| **sort >= from) && before.is_none_or(|end| **sort < end)
            };
            let mut expected: Vec<&str> = SORTS.iter().filter(within).copied().collect();
            assert_eq!(sorts(table, &ranged).await, expected, "from {from:?} before {before:?}");
            expected.reverse();
            assert_eq!(
                sorts(table, &ranged.descending()).await,
                expected,
                "from {from:?} before {before:?}, descending"
            );
        }
    }
}

pub async fn a_prefix_selects_what_begins_with_it(table: &Arc<dyn Table>) {
    let stored = ["grant", "grant#", "grant#1", "grant#\u{e9}", "grant$", "grants", "z"];
    fill(table, TableName::Main, "prefix", &stored).await;
    for (prefix, expected) in [
        ("grant#", &stored[1..4]),
        ("grant", &stored[..6]),
        ("grant#1", &stored[2..3]),
        ("y", &[]),
        ("z", &stored[6..]),
    ] {
        let found = sorts(table, &query("prefix").sort_prefix(prefix).limit(2)).await;
        assert_eq!(found, expected, "{prefix}");
    }
}

pub async fn only_the_partition_is_read(table: &Arc<dyn Table>) {
    for partition in ["part", "par", "part2", "PART", "part "] {
        table.put(TableName::Main, Item::new(key(partition, partition), "x"), Expect::Any).await.unwrap();
    }
    assert_eq!(sorts(table, &query("part")).await, ["part"]);
}

pub async fn an_empty_partition_is_an_empty_page(table: &Arc<dyn Table>) {
    assert_eq!(all(table, &query("nothing")).await, []);
    assert_eq!(all(table, &query("nothing").index(Index::Second)).await, []);
}

pub async fn a_cursor_survives_the_deletion_of_its_item(table: &Arc<dyn Table>) {
    fill(table, TableName::Main, "survives", &["a", "b", "c", "d"]).await;
    let mut query = query("survives").limit(1);
    let mut found = Vec::new();
    loop {
        let page = table.query(&query).await.unwrap();
        for read in page.items {
            table.delete(TableName::Main, &read.key, Expect::Any).await.unwrap();
            found.push(read.key.sort);
        }
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
        if found.is_empty() {
            continue;
        }
        // Behind the position: must not be read. Ahead of it: must be.
        table.put(TableName::Main, item("survives", "A"), Expect::Any).await.unwrap();
        table.put(TableName::Main, item("survives", "e"), Expect::Any).await.unwrap();
    }
    assert_eq!(found, ["a", "b", "c", "d", "e"]);
}

pub async fn a_cursor_is_valid_for_its_query_only(table: &Arc<dyn Table>) {
    fill(table, TableName::Main, "cursor", &SORTS).await;
    fill(table, TableName::Main, "cursor2", &SORTS).await;
    let own = query("cursor").limit(2);
    let cursor = table.query(&own).await.unwrap().next.expect("more pages");
    assert!(
        table.query(&own.clone().limit(5).cursor(Some(cursor.clone()))).await.is_ok(),
        "another limit is fine"
    );
    for other in [
        query("cursor2"),
        query("cursor").descending(),
        query("cursor").index(Index::First),
        query("cursor").sort_prefix("a"),
        Query::partition(TableName::Vault, "cursor"),
    ] {
        let result = table.query(&other.clone().cursor(Some(cursor.clone()))).await;
        assert_invalid(result, &format!("{other:?}"));
    }
    let (half, _) = cursor.split_at(cursor.len() / 2);
    for garbage in ["", "x", "AAAA", "{}", "\u{0}", half] {
        assert_invalid(table.query(&own.clone().cursor(Some(garbage.to_owned()))).await, garbage);
    }
}

pub async fn large_items_come_page_by_page(table: &Arc<dyn Table>) {
    for number in 0..8 {
        let large = Item::new(key("large", number), vec![number; 300 * 1024]);
        table.put(TableName::Audit, large, Expect::Any).await.unwrap();
    }
    let found = all(table, &Query::partition(TableName::Audit, "large")).await;
    assert_eq!(found.len(), 8);
    for (number, read) in (0..).zip(found) {
        assert!(read.body.len() == 300 * 1024 && read.body.iter().all(|byte| *byte == number), "{number}");
    }
}

pub async fn what_was_written_is_queried_at_once(table: &Arc<dyn Table>) {
    for number in 10..40 {
        table.put(TableName::Main, item("at-once", number), Expect::Any).await.unwrap();
        assert_eq!(sorts(table, &query("at-once")).await.len(), number - 9);
    }
    for number in 10..40 {
        table.delete(TableName::Main, &key("at-once", number), Expect::Any).await.unwrap();
        assert_eq!(sorts(table, &query("at-once")).await.len(), 39 - number);
    }
}
