//! Transactions: all operations or none.

use std::sync::Arc;

use alter_domain::port::{Expect, Item, Key, Op, StoreError, Table, TableName};

use super::{assert_invalid, item, key};

fn put(table: TableName, item: Item, expect: Expect) -> Op {
    Op::Put { table, item, expect }
}

fn delete(key: Key, expect: Expect) -> Op {
    Op::Delete { table: TableName::Main, key, expect }
}

fn check(key: Key, expect: Expect) -> Op {
    Op::Check { table: TableName::Main, key, expect }
}

async fn version(table: &Arc<dyn Table>, name: TableName, key: &Key) -> Option<u64> {
    table.get(name, key).await.unwrap().map(|item| item.version)
}

pub async fn all_operations_happen(table: &Arc<dyn Table>) {
    let name = TableName::Main;
    for sort in ["updated", "deleted", "checked"] {
        table.put(name, item("all", sort), Expect::Any).await.unwrap();
    }
    let ops = vec![
        put(name, item("all", "created"), Expect::Absent),
        put(name, item("all", "updated"), Expect::Version(1)),
        delete(key("all", "deleted"), Expect::Version(1)),
        check(key("all", "checked"), Expect::Version(1)),
        check(key("all", "missing"), Expect::Absent),
        delete(key("all", "never there"), Expect::Any),
    ];
    assert_eq!(table.transact(ops).await, Ok(()));
    for (sort, expected) in [
        ("created", Some(1)),
        ("updated", Some(2)),
        ("deleted", None),
        ("checked", Some(1)),
        ("missing", None),
    ] {
        assert_eq!(version(table, name, &key("all", sort)).await, expected, "{sort}");
    }
}

pub async fn one_conflict_at_any_place_undoes_all(table: &Arc<dyn Table>) {
    let name = TableName::Main;
    table.put(name, item("undo", "there"), Expect::Any).await.unwrap();
    table.put(name, item("undo", "goes"), Expect::Any).await.unwrap();
    for position in 0..=4 {
        let conflicts = [
            put(name, item("undo", "there"), Expect::Absent),
            put(name, item("undo", "there"), Expect::Version(9)),
            put(name, item("undo", "nowhere"), Expect::Version(1)),
            delete(key("undo", "there"), Expect::Version(2)),
            check(key("undo", "there"), Expect::Absent),
            check(key("undo", "nowhere"), Expect::Version(1)),
        ];
        for conflict in conflicts {
            let mut ops = vec![
                put(name, item("undo", "a"), Expect::Any),
                put(TableName::Vault, item("undo", "b"), Expect::Absent),
                delete(key("undo", "goes"), Expect::Any),
                put(name, item("undo", "c"), Expect::Absent),
            ];
            let shown = format!("{conflict:?} at {position}");
            ops.insert(position, conflict);
            assert_eq!(table.transact(ops).await, Err(StoreError::Conflict), "{shown}");
            for (sort, expected) in
                [("a", None), ("c", None), ("goes", Some(1)), ("there", Some(1)), ("nowhere", None)]
            {
                assert_eq!(version(table, name, &key("undo", sort)).await, expected, "{sort} after {shown}");
            }
            assert_eq!(
                version(table, TableName::Vault, &key("undo", "b")).await,
                None,
                "vault after {shown}"
            );
        }
    }
}

pub async fn each_kind_of_operation_can_conflict(table: &Arc<dyn Table>) {
    let name = TableName::Main;
    table.put(name, item("kinds", "there"), Expect::Any).await.unwrap();
    let there = || key("kinds", "there");
    let missing = || key("kinds", "missing");
    for (op, expected) in [
        (check(there(), Expect::Any), Ok(())),
        (check(there(), Expect::Version(1)), Ok(())),
        (check(there(), Expect::Version(2)), Err(StoreError::Conflict)),
        (check(there(), Expect::Absent), Err(StoreError::Conflict)),
        (check(missing(), Expect::Any), Ok(())),
        (check(missing(), Expect::Absent), Ok(())),
        (check(missing(), Expect::Version(1)), Err(StoreError::Conflict)),
        (delete(missing(), Expect::Absent), Ok(())),
        (delete(missing(), Expect::Version(1)), Err(StoreError::Conflict)),
        (delete(there(), Expect::Absent), Err(StoreError::Conflict)),
        (delete(there(), Expect::Version(1)), Ok(())),
    ] {
        assert_eq!(table.transact(vec![op.clone()]).await, expected, "{op:?}");
    }
}

pub async fn checks_write_nothing(table: &Arc<dyn Table>) {
    let checked = item("check", 1);
    table.put(TableName::Main, checked.clone(), Expect::Any).await.unwrap();
    for _ in 0..3 {
        table.transact(vec![check(checked.key.clone(), Expect::Version(1))]).await.unwrap();
    }
    assert_eq!(version(table, TableName::Main, &checked.key).await, Some(1));
    table.transact(vec![check(key("check", 2), Expect::Absent)]).await.unwrap();
    assert_eq!(version(table, TableName::Main, &key("check", 2)).await, None);
}

/// The same key in two tables is two keys.
pub async fn main_and_vault_may_be_mixed(table: &Arc<dyn Table>) {
    let ops = [TableName::Main, TableName::Vault].map(|name| put(name, item("mixed", 1), Expect::Absent));
    assert_eq!(table.transact(ops.to_vec()).await, Ok(()));
    assert_eq!(version(table, TableName::Main, &key("mixed", 1)).await, Some(1));
    assert_eq!(version(table, TableName::Vault, &key("mixed", 1)).await, Some(1));
}

pub async fn audit_stands_alone(table: &Arc<dyn Table>) {
    for other in [TableName::Main, TableName::Vault] {
        let ops = [TableName::Audit, other].map(|name| put(name, item("alone", 1), Expect::Absent));
        assert_invalid(table.transact(ops.to_vec()).await, "audit with another");
        let ops = [other, TableName::Audit].map(|name| put(name, item("alone", 1), Expect::Absent));
        assert_invalid(table.transact(ops.to_vec()).await, "another with audit");
        assert_eq!(version(table, other, &key("alone", 1)).await, None);
    }
    assert_eq!(version(table, TableName::Audit, &key("alone", 1)).await, None);
    let ops = (0..3).map(|number| put(TableName::Audit, item("alone", number), Expect::Absent)).collect();
    assert_eq!(table.transact(ops).await, Ok(()));
    assert_eq!(version(table, TableName::Audit, &key("alone", 1)).await, Some(1));
}

pub async fn an_empty_transaction_does_nothing(table: &Arc<dyn Table>) {
    assert_eq!(table.transact(Vec::new()).await, Ok(()));
}
