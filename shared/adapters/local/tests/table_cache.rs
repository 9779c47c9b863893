//! Items are remembered between reads: what was acknowledged is what the next read sees, and a batch shows one moment.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use alter_adapter_local::{Durability, SqliteTable, TableOptions};
use alter_domain::port::{Expect, Item, Key, Op, StoreError, Table, TableName};

const PAIRS: u64 = 4;
const WRITES: u64 = 500;

fn open(dir: &tempfile::TempDir) -> Arc<SqliteTable> {
    let options = TableOptions { durability: Durability::Process, ..TableOptions::default() };
    Arc::new(SqliteTable::open(dir.path(), options).unwrap())
}

fn left(pair: u64) -> (TableName, Key) {
    (TableName::Main, Key::new(format!("pair#{pair}"), "left"))
}

fn right(pair: u64) -> (TableName, Key) {
    (TableName::Vault, Key::new(format!("pair#{pair}"), "right"))
}

fn put((table, key): (TableName, Key), value: u64) -> Op {
    Op::Put { table, item: Item::new(key, value.to_string()), expect: Expect::Any }
}

fn value(item: Option<&Item>) -> u64 {
    item.map_or(0, |item| std::str::from_utf8(&item.body).unwrap().parse().unwrap())
}

async fn both(table: &SqliteTable, pair: u64) -> (u64, u64) {
    let items = table.get_many(&[left(pair), right(pair)]).await.unwrap();
    (value(items[0].as_ref()), value(items[1].as_ref()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_and_writers_at_once_see_whole_acknowledged_transactions() {
    let dir = tempfile::tempdir().unwrap();
    let table = open(&dir);
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (table, stop) = (Arc::clone(&table), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut newest = [0; PAIRS as usize];
                let mut reads = 0_u64;
                while !stop.load(Ordering::SeqCst) {
                    for pair in 0..PAIRS {
                        let (left, right) = both(&table, pair).await;
                        assert_eq!(left, right, "half of a transaction");
                        let seen = &mut newest[usize::try_from(pair).unwrap()];
                        assert!(left >= *seen, "back from {seen} to {left}");
                        *seen = left;
                        reads += 1;
                    }
                    tokio::task::yield_now().await;
                }
                reads
            })
        })
        .collect();
    let writers: Vec<_> = (0..PAIRS)
        .map(|pair| {
            let table = Arc::clone(&table);
            tokio::spawn(async move {
                for value in 1..=WRITES {
                    table.transact(vec![put(left(pair), value), put(right(pair), value)]).await.unwrap();
                    assert_eq!(both(&table, pair).await, (value, value), "what was acknowledged is not read");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn every_kind_of_write_is_seen_by_the_next_read() {
    let dir = tempfile::tempdir().unwrap();
    let table = open(&dir);
    let (name, key) = left(1);
    let read = async || table.get(name, &key).await.unwrap();
    let item = |text: &'static str| Item::new(key.clone(), text);

    assert_eq!(read().await, None);
    let version = table.put(name, item("a"), Expect::Absent).await.unwrap();
    assert_eq!(read().await.unwrap().body, "a");
    table.put_many(name, vec![item("b")]).await.unwrap();
    assert_eq!(read().await.unwrap().body, "b");
    // A refused write changes nothing, remembered or not.
    assert_eq!(table.put(name, item("c"), Expect::Version(version)).await, Err(StoreError::Conflict));
    assert_eq!(read().await.unwrap().body, "b");
    table.delete(name, &key, Expect::Any).await.unwrap();
    assert_eq!(read().await, None);

    table.put(name, item("d").with_expiry(Some(10)), Expect::Absent).await.unwrap();
    assert_eq!(read().await.unwrap().body, "d");
    assert_eq!(table.collect_expired(11).await.unwrap(), 1);
    assert_eq!(read().await, None);

    // Larger than what is remembered.
    let large = Item::new(key.clone(), vec![b'x'; 100 << 10]);
    table.put(name, large, Expect::Any).await.unwrap();
    assert_eq!(read().await.unwrap().body.len(), 100 << 10);
    assert_eq!(read().await.unwrap().body.len(), 100 << 10);
}
