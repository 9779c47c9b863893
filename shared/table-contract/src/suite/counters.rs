//! Atomic counters.

use std::sync::Arc;

use alter_domain::port::{Expect, Query, Table, TableName};

use super::{TABLES, item, key, sorts};

const NOW: i64 = 1_800_000_000;

pub async fn a_counter_adds_up(table: &Arc<dyn Table>) {
    let counter = key("adds", 1);
    for (delta, sum) in [(1, 1), (5, 6), (0, 6), (-10, -4), (4, 0), (1 << 40, 1 << 40)] {
        assert_eq!(table.add(TableName::Main, &counter, delta, NOW, None).await, Ok(sum), "{delta}");
    }
}

pub async fn counters_are_no_items(table: &Arc<dyn Table>) {
    let shared = key("no-items", 1);
    assert_eq!(table.add(TableName::Main, &shared, 3, NOW, None).await, Ok(3));
    assert_eq!(table.get(TableName::Main, &shared).await, Ok(None));
    assert_eq!(table.get_many(&[(TableName::Main, shared.clone())]).await, Ok(vec![None]));
    assert!(sorts(table, &Query::partition(TableName::Main, "no-items")).await.is_empty());
    assert_eq!(table.put(TableName::Main, item("no-items", 1), Expect::Absent).await, Ok(1));
    table.delete(TableName::Main, &shared, Expect::Any).await.unwrap();
    assert_eq!(table.add(TableName::Main, &shared, 1, NOW, None).await, Ok(4));
}

pub async fn counters_of_different_keys_are_separate(table: &Arc<dyn Table>) {
    for (number, name) in (1..).zip(TABLES) {
        assert_eq!(table.add(name, &key("separate-counters", 1), number, NOW, None).await, Ok(number));
        assert_eq!(table.add(name, &key("separate-counters", 2), -number, NOW, None).await, Ok(-number));
    }
    assert_eq!(table.add(TableName::Vault, &key("separate-counters", 1), 0, NOW, None).await, Ok(2));
}

/// From the second of its expiry on.
pub async fn an_expired_counter_starts_again(table: &Arc<dyn Table>) {
    let counter = key("starts-again", 1);
    let add = |now, expires_at| table.add(TableName::Main, &counter, 2, now, Some(expires_at));
    assert_eq!(add(NOW, NOW + 60).await, Ok(2));
    assert_eq!(add(NOW + 59, NOW + 60).await, Ok(4));
    assert_eq!(add(NOW + 60, NOW + 120).await, Ok(2));
    assert_eq!(add(NOW + 119, NOW + 120).await, Ok(4));
    assert_eq!(add(NOW + 1_000, NOW + 1_060).await, Ok(2));
}

pub async fn a_live_counter_keeps_its_expiry(table: &Arc<dyn Table>) {
    let counter = key("keeps-expiry", 1);
    let add = |now, expires_at| table.add(TableName::Main, &counter, 1, now, expires_at);
    assert_eq!(add(NOW, Some(NOW + 60)).await, Ok(1));
    assert_eq!(add(NOW + 30, Some(NOW + 90)).await, Ok(2));
    assert_eq!(add(NOW + 31, None).await, Ok(3));
    assert_eq!(add(NOW + 60, Some(NOW + 120)).await, Ok(1), "expired at the first expiry");
}

pub async fn a_counter_without_expiry_stays(table: &Arc<dyn Table>) {
    let counter = key("stays", 1);
    assert_eq!(table.add(TableName::Main, &counter, 1, NOW, None).await, Ok(1));
    assert_eq!(table.add(TableName::Main, &counter, 1, NOW + 1_000_000_000, Some(NOW)).await, Ok(2));
}
