//! Single items.

use std::sync::Arc;

use alter_domain::port::{Expect, Index, Item, Key, StoreError, Table, TableName};

use super::{TABLES, item, key};

pub async fn an_absent_item_is_none(table: &Arc<dyn Table>) {
    for name in TABLES {
        assert_eq!(table.get(name, &key("absent", 1)).await, Ok(None));
    }
}

pub async fn every_field_comes_back(table: &Arc<dyn Table>) {
    let bodies: [&[u8]; 3] = [b"", b"text", &[0, 255, 128, 10]];
    for name in TABLES {
        for (number, body) in bodies.iter().enumerate() {
            let mut written = Item::new(key("fields é 🔑", number), body.to_vec())
                .with_index(Index::First, Key::new("first", "a#1"))
                .with_index(Index::Third, Key::new("third 🗝", "z"))
                .with_expiry(Some(4_102_444_800));
            assert_eq!(table.put(name, written.clone(), Expect::Any).await, Ok(1));
            written.version = 1;
            assert_eq!(table.get(name, &written.key).await, Ok(Some(written)));
        }
    }
}

pub async fn versions_count_the_writes(table: &Arc<dyn Table>) {
    let mut written = item("versions", 1);
    written.version = 77;
    for version in 1..=5 {
        assert_eq!(table.put(TableName::Main, written.clone(), Expect::Any).await, Ok(version));
        let found = table.get(TableName::Main, &written.key).await.unwrap().unwrap();
        assert_eq!(found.version, version);
    }
}

pub async fn absent_is_written_once(table: &Arc<dyn Table>) {
    let first = item("absent-once", 1);
    assert_eq!(table.put(TableName::Main, first.clone(), Expect::Absent).await, Ok(1));
    let second = Item::new(first.key.clone(), "another body");
    assert_eq!(table.put(TableName::Main, second, Expect::Absent).await, Err(StoreError::Conflict));
    let found = table.get(TableName::Main, &first.key).await.unwrap().unwrap();
    assert_eq!((found.version, found.body), (1, first.body));
}

pub async fn a_version_must_match_exactly(table: &Arc<dyn Table>) {
    let written = item("exact-version", 1);
    let put = |expect| table.put(TableName::Main, written.clone(), expect);
    assert_eq!(put(Expect::Version(1)).await, Err(StoreError::Conflict), "no item");
    for _ in 0..3 {
        put(Expect::Any).await.unwrap();
    }
    for wrong in [0, 1, 2, 4, u64::MAX] {
        assert_eq!(put(Expect::Version(wrong)).await, Err(StoreError::Conflict), "{wrong}");
    }
    assert_eq!(put(Expect::Version(3)).await, Ok(4));
    assert_eq!(put(Expect::Version(3)).await, Err(StoreError::Conflict));
}

pub async fn a_write_replaces_the_whole_item(table: &Arc<dyn Table>) {
    let full = item("replaces", 1)
        .with_index(Index::Second, Key::new("replaces-index", "x"))
        .with_expiry(Some(4_102_444_800));
    table.put(TableName::Main, full.clone(), Expect::Any).await.unwrap();
    let mut bare = Item::new(full.key.clone(), "bare");
    assert_eq!(table.put(TableName::Main, bare.clone(), Expect::Version(1)).await, Ok(2));
    bare.version = 2;
    assert_eq!(table.get(TableName::Main, &bare.key).await, Ok(Some(bare)));
}

pub async fn deletes_follow_their_expectation(table: &Arc<dyn Table>) {
    let written = item("deletes", 1);
    let delete = |expect| table.delete(TableName::Vault, &written.key, expect);
    assert_eq!(delete(Expect::Any).await, Ok(()), "nothing there, any");
    assert_eq!(delete(Expect::Absent).await, Ok(()), "nothing there, absent");
    assert_eq!(delete(Expect::Version(1)).await, Err(StoreError::Conflict), "nothing there, a version");
    table.put(TableName::Vault, written.clone(), Expect::Any).await.unwrap();
    table.put(TableName::Vault, written.clone(), Expect::Any).await.unwrap();
    assert_eq!(delete(Expect::Absent).await, Err(StoreError::Conflict));
    assert_eq!(delete(Expect::Version(1)).await, Err(StoreError::Conflict));
    assert!(table.get(TableName::Vault, &written.key).await.unwrap().is_some());
    assert_eq!(delete(Expect::Version(2)).await, Ok(()));
    assert_eq!(table.get(TableName::Vault, &written.key).await, Ok(None));
    table.put(TableName::Vault, written.clone(), Expect::Any).await.unwrap();
    assert_eq!(delete(Expect::Any).await, Ok(()));
    assert_eq!(table.get(TableName::Vault, &written.key).await, Ok(None));
}

pub async fn creating_again_starts_over(table: &Arc<dyn Table>) {
    let written = item("again", 1);
    for _ in 0..3 {
        table.put(TableName::Main, written.clone(), Expect::Any).await.unwrap();
    }
    table.delete(TableName::Main, &written.key, Expect::Any).await.unwrap();
    assert_eq!(table.put(TableName::Main, written, Expect::Absent).await, Ok(1));
}

pub async fn tables_are_separate(table: &Arc<dyn Table>) {
    for (number, name) in TABLES.into_iter().enumerate() {
        let own = Item::new(key("separate", "same"), number.to_string());
        assert_eq!(table.put(name, own, Expect::Absent).await, Ok(1));
    }
    table.delete(TableName::Vault, &key("separate", "same"), Expect::Any).await.unwrap();
    for (name, body) in
        [(TableName::Main, Some("0")), (TableName::Vault, None), (TableName::Audit, Some("2"))]
    {
        let found = table.get(name, &key("separate", "same")).await.unwrap();
        assert_eq!(found.as_ref().map(|item| item.body.as_ref()), body.map(str::as_bytes), "{name:?}");
    }
}

/// Neither case nor Unicode normalisation makes two keys one, and the border between the parts counts.
pub async fn keys_are_compared_byte_by_byte(table: &Arc<dyn Table>) {
    let keys = [
        ("ab", "c"),
        ("a", "bc"),
        ("A", "bc"),
        ("\u{e9}", "x"),
        ("e\u{301}", "x"),
        ("a ", "bc"),
        ("a", "bc "),
    ];
    for (partition, sort) in keys {
        let own = Item::new(Key::new(format!("bytes-{partition}"), sort), "x");
        assert_eq!(table.put(TableName::Main, own, Expect::Absent).await, Ok(1), "{partition:?} {sort:?}");
    }
}

pub async fn get_many_answers_in_the_order_asked(table: &Arc<dyn Table>) {
    assert_eq!(table.get_many(&[]).await, Ok(Vec::new()));
    let mut asked = Vec::new();
    let mut expected = Vec::new();
    for number in 0..99 {
        // Three of four exist, spread over the tables, asked in another order than written.
        let number = number * 37 % 99;
        let name = TABLES[number % 3];
        let mut written = item("many", number);
        let exists = number % 4 != 0;
        if exists {
            table.put(name, written.clone(), Expect::Any).await.unwrap();
        }
        written.version = 1;
        asked.push((name, written.key.clone()));
        expected.push(exists.then_some(written));
    }
    // The same key twice is answered twice.
    asked.push(asked[1].clone());
    expected.push(expected[1].clone());
    assert_eq!(table.get_many(&asked).await, Ok(expected));
}

pub async fn put_many_writes_all_and_replaces(table: &Arc<dyn Table>) {
    assert_eq!(table.put_many(TableName::Audit, Vec::new()).await, Ok(()));
    let replaced =
        Item::new(key("put many", 3), "old").with_index(Index::Second, Key::new("put many", "old"));
    table.put(TableName::Audit, replaced, Expect::Absent).await.unwrap();
    let items: Vec<Item> = (0..300)
        .map(|number| {
            Item::new(key("put many", number), format!("new {number}"))
                .with_index(Index::First, Key::new("put many", format!("{number:03}")))
        })
        .collect();
    table.put_many(TableName::Audit, items.clone()).await.unwrap();
    for written in &items {
        let found = table.get(TableName::Audit, &written.key).await.unwrap().unwrap();
        assert_eq!((&found.body, &found.index), (&written.body, &written.index));
    }
    let twice = vec![item("put many twice", 1), item("put many twice", 1)];
    assert!(matches!(table.put_many(TableName::Audit, twice).await, Err(StoreError::Invalid(_))));
    assert_eq!(table.get(TableName::Audit, &key("put many twice", 1)).await, Ok(None));
    let oversized = vec![item("put many large", 1), Item::new(key("put many large", 2), vec![0; 500_000])];
    assert!(matches!(table.put_many(TableName::Audit, oversized).await, Err(StoreError::Invalid(_))));
}

pub async fn an_expired_item_exists_until_it_is_collected(table: &Arc<dyn Table>) {
    let expired = item("expired", 1).with_expiry(Some(1_000_000_000));
    table.put(TableName::Main, expired.clone(), Expect::Any).await.unwrap();
    let other = Item::new(expired.key.clone(), "written over it");
    let again = table.put(TableName::Main, other.clone(), Expect::Absent).await;
    // A collector may have been quicker; if not, what is still there was not absent.
    let found = table.get(TableName::Main, &expired.key).await.unwrap().expect("one of the two");
    if found.body == expired.body {
        assert_eq!(again, Err(StoreError::Conflict));
    } else {
        assert_eq!((again, found.body), (Ok(1), other.body));
    }
    let kept = item("expired", 2).with_expiry(Some(4_102_444_800));
    table.put(TableName::Main, kept.clone(), Expect::Any).await.unwrap();
    assert!(table.get(TableName::Main, &kept.key).await.unwrap().is_some());
}
