//! The table's files: who may open them, what happens when they are damaged, locked or full, and what is cleaned up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use alter_adapter_local::{DirError, Durability, OpenError, SqliteTable, TableOptions};
use alter_domain::port::{Expect, Index, Item, Key, Op, Query, StoreError, Table as _, TableName};
use rusqlite::Connection;

fn open(dir: &Path) -> Result<SqliteTable, OpenError> {
    SqliteTable::open(dir, TableOptions { durability: Durability::Process, ..TableOptions::default() })
}

fn item(number: usize) -> Item {
    Item::new(Key::new(format!("p{}", number % 10), format!("{number:06}")), "x".repeat(300))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn files_are_private_and_items_outlive_the_table() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("new").join("vault");
    let table = open(&dir).unwrap();
    for name in [TableName::Main, TableName::Vault, TableName::Audit] {
        table.put(name, item(1), Expect::Absent).await.unwrap();
    }
    assert_eq!(mode(&dir), 0o700);
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    drop(table);
    let names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "the logs are folded in when the table is closed: {names:?}");
    let table = open(&dir).unwrap();
    for name in [TableName::Main, TableName::Vault, TableName::Audit] {
        assert_eq!(table.get(name, &item(1).key).await.unwrap().unwrap().version, 1);
    }
}

#[test]
fn a_wide_directory_is_narrowed_and_a_shared_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    drop(open(dir.path()).unwrap());
    assert_eq!(mode(dir.path()), 0o700);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Dir(DirError::Io { .. }))));
    assert_eq!(mode(dir.path()), 0o777, "left as it was");
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    let error = open(dir.path()).err().unwrap();
    assert!(matches!(error, OpenError::Dir(DirError::InUse { .. })), "{error}");
    assert!(error.to_string().ends_with("is in use by another process"), "{error}");
    drop(first);
    assert!(open(dir.path()).is_ok());
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    for file in ["vault.db", "audit.db"] {
        let path = dir.path().join(file);
        let raw = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        raw("PRAGMA user_version = 2");
        let before = fs::read(&path).unwrap();
        let error = open(dir.path()).err().unwrap();
        assert!(matches!(error, OpenError::NewerSchema { found: 2, known: 1, .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
        raw("PRAGMA user_version = 1");
    }
    assert!(open(dir.path()).is_ok());
}

#[tokio::test]
async fn damaged_files_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    let table = open(dir.path()).unwrap();
    for number in 0..500 {
        table.put(TableName::Main, item(number), Expect::Any).await.unwrap();
    }
    drop(table);
    let whole = fs::read(&path).unwrap();

    fs::write(&path, vec![b'?'; whole.len()]).unwrap();
    let error = open(dir.path()).err().unwrap();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("vault.db is not a usable database"), "{error}");

    // Behind the header: found when it is read, never a panic, never an invented item.
    let mut damaged = whole.clone();
    damaged[4096 * 5..].fill(b'?');
    fs::write(&path, damaged).unwrap();
    if let Ok(table) = open(dir.path()) {
        let mut corrupt = 0;
        for number in 0..500 {
            match table.get(TableName::Main, &item(number).key).await {
                Ok(Some(found)) => assert_eq!(found.body, item(number).body),
                Ok(None) => panic!("item {number} has silently vanished"),
                Err(StoreError::Corrupt(_)) => corrupt += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(corrupt > 400, "{corrupt}");
        let query = Query::partition(TableName::Main, "p1");
        assert!(matches!(table.query(&query).await, Err(StoreError::Corrupt(_))));
    }
    fs::write(&path, whole).unwrap();
    let table = open(dir.path()).unwrap();
    assert!(table.get(TableName::Main, &item(499).key).await.unwrap().is_some());
}

#[tokio::test]
async fn a_file_locked_by_another_program_is_unavailable_until_it_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let table = open(dir.path()).unwrap();
    table.put(TableName::Main, item(1), Expect::Any).await.unwrap();
    let other = Connection::open(dir.path().join("vault.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = table.put(TableName::Main, item(2), Expect::Any).await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("locked")), "{refused:?}");
    assert!(table.get(TableName::Main, &item(1).key).await.unwrap().is_some(), "reading goes on");
    assert_eq!(table.put(TableName::Audit, item(2), Expect::Any).await, Ok(1), "the other file, too");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(table.put(TableName::Main, item(2), Expect::Absent).await, Ok(1));
}

/// Requests of one group commit: those that are refused neither fail nor undo their neighbours.
#[tokio::test(flavor = "multi_thread")]
async fn neighbours_in_a_commit_do_not_disturb_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let table = Arc::new(SqliteTable::open(dir.path(), TableOptions::default()).unwrap());
    table.put(TableName::Main, Item::new(Key::new("taken", "x"), "x"), Expect::Any).await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..300_usize {
        let table = Arc::clone(&table);
        tasks.push(tokio::spawn(async move {
            let own = Op::Put { table: TableName::Main, item: item(number), expect: Expect::Absent };
            let taken = Item::new(Key::new("taken", "x"), "y");
            let conflict = Op::Put { table: TableName::Main, item: taken, expect: Expect::Absent };
            let ops = if number % 3 == 0 { vec![own, conflict] } else { vec![own] };
            (number, table.transact(ops).await)
        }));
    }
    for task in tasks {
        let (number, result) = task.await.unwrap();
        let expected = if number % 3 == 0 { Err(StoreError::Conflict) } else { Ok(()) };
        assert_eq!(result, expected, "{number}");
        let found = table.get(TableName::Main, &item(number).key).await.unwrap();
        assert_eq!(found.is_some(), number % 3 != 0, "{number}");
    }
}

#[tokio::test]
async fn expired_items_and_counters_are_collected_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let table = open(dir.path()).unwrap();
    for name in [TableName::Main, TableName::Vault, TableName::Audit] {
        for number in 0..700 {
            let expiry = [None, Some(999), Some(1000), Some(1001)][number % 4];
            let by = Key::new("by", "x");
            table
                .put(name, item(number).with_expiry(expiry).with_index(Index::First, by), Expect::Any)
                .await
                .unwrap();
        }
        table.add(name, &Key::new("live", "x"), 5, 0, Some(1001)).await.unwrap();
        table.add(name, &Key::new("dead", "x"), 5, 0, Some(999)).await.unwrap();
    }
    let expired = item(1).key;
    assert!(table.get(TableName::Main, &expired).await.unwrap().is_some(), "returned until it is collected");
    assert_eq!(table.put(TableName::Main, item(1), Expect::Absent).await, Err(StoreError::Conflict));
    table.collect_expired(1000).await.unwrap();
    for name in [TableName::Main, TableName::Vault, TableName::Audit] {
        for number in 0..700 {
            let found = table.get(name, &item(number).key).await.unwrap();
            assert_eq!(found.is_some(), number % 4 != 1, "{name:?} {number}");
        }
        assert_eq!(table.add(name, &Key::new("live", "x"), 0, 0, None).await, Ok(5));
        assert_eq!(table.add(name, &Key::new("dead", "x"), 0, 0, None).await, Ok(0), "it is gone");
    }
    assert_eq!(table.put(TableName::Main, item(1), Expect::Absent).await, Ok(1));
    assert_eq!(table.collect_expired(1000).await, Ok(0));
}

#[tokio::test]
async fn a_counter_that_would_overflow_is_refused_and_keeps_its_value() {
    let table = SqliteTable::memory().unwrap();
    let counter = Key::new("counter", "x");
    let add = |delta| table.add(TableName::Main, &counter, delta, 0, None);
    assert_eq!(add(i64::MAX).await, Ok(i64::MAX));
    assert!(matches!(add(1).await, Err(StoreError::Invalid(_))));
    assert_eq!(add(-1).await, Ok(i64::MAX - 1));
}

/// Writes more than the bound several times over, with readers at work.
#[tokio::test(flavor = "multi_thread")]
async fn the_write_ahead_log_stays_bounded_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let table = Arc::new(open(dir.path()).unwrap());
    table.put(TableName::Main, item(0), Expect::Any).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (table, stop) = (Arc::clone(&table), Arc::clone(&stop));
        async move {
            while !stop.load(Ordering::Relaxed) {
                table.get(TableName::Main, &item(0).key).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    let log = dir.path().join("vault.db-wal");
    let (mut written, mut largest) = (0_u64, 0);
    for round in 0..300_usize {
        let put = |number| Op::Put {
            table: TableName::Main,
            item: Item::new(Key::new("big", format!("{}", (round * 20 + number) % 400)), vec![7; 10_000]),
            expect: Expect::Any,
        };
        table.transact((0..20).map(put).collect()).await.unwrap();
        written += 20 * 10_000;
        largest = largest.max(fs::metadata(&log).unwrap().len());
    }
    stop.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    assert!(written > 50 << 20);
    assert!(largest < 32 << 20, "the log grew to {largest} bytes");
}
