//! DynamoDB's limits, which every table enforces.

use std::sync::Arc;

use alter_domain::port::{
    Expect, Index, Item, Key, MAX_ITEM_BYTES, MAX_TRANSACT_OPS, Op, Query, Table, TableName,
};

use super::{assert_invalid, item, key};

const NAME: TableName = TableName::Main;

async fn assert_refused_everywhere(table: &Arc<dyn Table>, bad: &Key) {
    let shown = format!("{} and {} bytes", bad.partition.len(), bad.sort.len());
    let bad_item = Item::new(bad.clone(), "x");
    let indexed = item("refused", 1).with_index(Index::Second, bad.clone());
    let delete = Op::Delete { table: NAME, key: bad.clone(), expect: Expect::Any };
    let check = Op::Check { table: NAME, key: bad.clone(), expect: Expect::Absent };
    assert_invalid(table.get(NAME, bad).await, &shown);
    assert_invalid(table.get_many(&[(NAME, key("refused", 1)), (NAME, bad.clone())]).await, &shown);
    assert_invalid(table.put(NAME, bad_item.clone(), Expect::Any).await, &shown);
    assert_invalid(table.put(NAME, indexed, Expect::Any).await, &shown);
    assert_invalid(table.delete(NAME, bad, Expect::Any).await, &shown);
    assert_invalid(table.add(NAME, bad, 1, 0, None).await, &shown);
    for op in [Op::Put { table: NAME, item: bad_item, expect: Expect::Any }, delete, check] {
        let good = Op::Put { table: NAME, item: item("refused", 1), expect: Expect::Any };
        assert_invalid(table.transact(vec![good, op]).await, &shown);
    }
    assert_eq!(table.get(NAME, &key("refused", 1)).await, Ok(None), "nothing was written");
}

pub async fn empty_key_parts_are_refused(table: &Arc<dyn Table>) {
    for bad in [Key::new("", "x"), Key::new("x", ""), Key::new("", "")] {
        assert_refused_everywhere(table, &bad).await;
    }
    assert_invalid(table.query(&Query::partition(NAME, "")).await, "query");
}

pub async fn long_key_parts_are_refused(table: &Arc<dyn Table>) {
    for bad in [Key::new("p".repeat(2049), "s"), Key::new("p", "s".repeat(1025))] {
        assert_refused_everywhere(table, &bad).await;
    }
    let longest = Item::new(Key::new("p".repeat(2048), "s".repeat(1024)), "x");
    assert_eq!(table.put(NAME, longest.clone(), Expect::Absent).await, Ok(1));
    assert!(table.get(NAME, &longest.key).await.unwrap().is_some());
}

/// Keys and index keys count.
pub async fn an_item_has_at_most_400_kb(table: &Arc<dyn Table>) {
    let largest = |extra: usize| {
        let mut item = item("size", 1).with_index(Index::First, Key::new("by-size", "x"));
        item.body = Vec::new().into();
        item.body = vec![7; MAX_ITEM_BYTES - item.size() + extra].into();
        item
    };
    assert_invalid(table.put(NAME, largest(1), Expect::Any).await, "one byte more");
    let op = Op::Put { table: NAME, item: largest(1), expect: Expect::Any };
    assert_invalid(table.transact(vec![op]).await, "one byte more in a transaction");
    assert_eq!(table.get(NAME, &key("size", 1)).await, Ok(None));
    assert_eq!(table.put(NAME, largest(0), Expect::Any).await, Ok(1));
    let found = table.get(NAME, &key("size", 1)).await.unwrap().unwrap();
    assert_eq!(found.size(), MAX_ITEM_BYTES);
}

pub async fn a_batch_read_has_at_most_100_keys(table: &Arc<dyn Table>) {
    let keys: Vec<_> = (0..101).map(|number| (NAME, key("batch", number))).collect();
    assert_eq!(table.get_many(&keys[..100]).await, Ok(vec![None; 100]));
    assert_invalid(table.get_many(&keys).await, "101 keys");
}

pub async fn a_transaction_has_at_most_100_operations(table: &Arc<dyn Table>) {
    let ops = |count| -> Vec<Op> {
        let put = |number| Op::Put { table: NAME, item: item("operations", number), expect: Expect::Absent };
        (0..count).map(put).collect()
    };
    assert_invalid(table.transact(ops(MAX_TRANSACT_OPS + 1)).await, "one operation more");
    assert_eq!(table.get(NAME, &key("operations", 0)).await, Ok(None));
    assert_eq!(table.transact(ops(MAX_TRANSACT_OPS)).await, Ok(()));
    assert!(table.get(NAME, &key("operations", MAX_TRANSACT_OPS - 1)).await.unwrap().is_some());
}

pub async fn a_transaction_names_a_key_once(table: &Arc<dyn Table>) {
    let named = || key("once", 1);
    let put = || Op::Put { table: NAME, item: item("once", 1), expect: Expect::Any };
    let delete = || Op::Delete { table: NAME, key: named(), expect: Expect::Any };
    let check = || Op::Check { table: NAME, key: named(), expect: Expect::Absent };
    for ops in [vec![put(), put()], vec![check(), put()], vec![put(), delete()], vec![check(), check()]] {
        let shown = format!("{ops:?}");
        assert_invalid(table.transact(ops).await, &shown);
    }
    assert_eq!(table.get(NAME, &named()).await, Ok(None));
}

pub async fn a_limit_of_zero_is_refused(table: &Arc<dyn Table>) {
    assert_invalid(table.query(&Query::partition(NAME, "zero").limit(0)).await, "limit 0");
}
