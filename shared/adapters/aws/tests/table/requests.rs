//! What goes over the wire: how many requests, and what they say.

use std::sync::Arc;

use alter_adapter_aws::table::schema::COUNTER_PREFIX;
use alter_domain::port::{
    Expect, Index, Item, Key, MAX_ITEM_BYTES, NonceClaim, NonceStore as _, Op, Query, StoreError, Table,
    TableName, TableNonces,
};

use crate::support::{Emulator, Wire, item, key};

const MAIN: TableName = TableName::Main;
const VAULT: TableName = TableName::Vault;
const AUDIT: TableName = TableName::Audit;

#[tokio::test]
async fn one_item_is_read_strongly() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    assert_eq!(table.get(MAIN, &key(1)).await, Ok(None));
    let sent = wire.sent();
    assert_eq!((sent.len(), sent[0].operation.as_str()), (1, "GetItem"));
    assert_eq!(sent[0].body["ConsistentRead"], true);
}

/// What a call reads before it goes out: one round.
#[tokio::test]
async fn many_items_of_several_tables_are_one_strong_read() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    let keys: Vec<_> =
        (0..100).map(|number| (if number % 3 == 0 { VAULT } else { MAIN }, key(number % 90))).collect();
    table.get_many(&keys).await.unwrap();
    let sent = wire.sent();
    assert_eq!((sent.len(), sent[0].operation.as_str()), (1, "BatchGetItem"));
    let requests = sent[0].body["RequestItems"].as_object().unwrap();
    assert_eq!(requests.len(), 2);
    let mut asked = 0;
    for request in requests.values() {
        assert_eq!(request["ConsistentRead"], true);
        asked += request["Keys"].as_array().unwrap().len();
    }
    assert_eq!(asked, 90, "each key once");
    assert_eq!(table.get_many(&[]).await, Ok(Vec::new()));
    assert!(wire.sent().is_empty(), "nothing to ask for");
}

#[tokio::test]
async fn queries_are_strong_except_over_an_index() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    table.query(&Query::partition(MAIN, "p")).await.unwrap();
    table.query(&Query::partition(MAIN, "p").index(Index::Second)).await.unwrap();
    let sent = wire.sent();
    assert_eq!((&sent[0].body["ConsistentRead"], &sent[0].body["IndexName"]), (&true.into(), &().into()));
    assert_eq!((&sent[1].body["ConsistentRead"], &sent[1].body["IndexName"]), (&false.into(), &"ix1".into()));
}

/// DynamoDB refuses bounds between which there is nothing; the port answers with nothing.
#[tokio::test]
async fn bounds_that_nothing_can_satisfy_are_not_asked_for() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    table.put(MAIN, item("b"), Expect::Any).await.unwrap();
    wire.sent();
    for (from, before) in [(Some("c"), "b"), (Some("b"), "b"), (None, ""), (Some(""), "")] {
        let mut query = Query::partition(MAIN, "p");
        (query.from, query.before) = (from.map(str::to_owned), Some(before.to_owned()));
        let page = table.query(&query).await.unwrap();
        assert_eq!((page.items.len(), page.next), (0, None), "{from:?} {before}");
    }
    assert!(wire.sent().is_empty());
    let mut query = Query::partition(MAIN, "p");
    (query.from, query.before) = (Some(String::new()), Some("c".to_owned()));
    assert_eq!(table.query(&query).await.unwrap().items.len(), 1, "an empty lower bound bounds nothing");
}

/// A page is one request: what DynamoDB leaves out of it is told by `next`, not fetched.
#[tokio::test]
async fn a_page_ends_at_a_megabyte_and_says_so() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    for number in 0..4 {
        table.put(AUDIT, Item::new(key(number), vec![0; 350 * 1024]), Expect::Any).await.unwrap();
    }
    wire.sent();
    let page = table.query(&Query::partition(AUDIT, "p")).await.unwrap();
    assert!((1..4).contains(&page.items.len()) && page.next.is_some(), "{}", page.items.len());
    assert_eq!(wire.operations(), ["Query"]);
}

#[tokio::test]
async fn items_without_condition_go_out_by_twenty_five() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    table.put_many(AUDIT, (0..60).map(item).collect()).await.unwrap();
    let sizes: Vec<usize> = wire
        .sent()
        .iter()
        .map(|sent| {
            let requests = sent.body["RequestItems"].as_object().unwrap();
            requests.values().map(|writes| writes.as_array().unwrap().len()).sum()
        })
        .collect();
    assert_eq!(sizes, [25, 25, 10]);
    assert!(table.get(AUDIT, &key(59)).await.unwrap().is_some());
}

/// DynamoDB is not asked to find out what we know.
#[tokio::test]
async fn what_the_limits_refuse_is_not_sent() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    let bad = Key::new("", "x");
    let large = Item::new(key("large"), vec![0; MAX_ITEM_BYTES]);
    let op = |item: Item| Op::Put { table: MAIN, item, expect: Expect::Any };
    let too_many: Vec<_> = (0..101).map(|number| (MAIN, key(number))).collect();
    let refused = [
        table.get(MAIN, &bad).await.map(drop),
        table.get_many(&too_many).await.map(drop),
        table.put(MAIN, large.clone(), Expect::Any).await.map(drop),
        table.put(MAIN, large.clone(), Expect::Absent).await.map(drop),
        table.put_many(MAIN, vec![item(1), item(1)]).await,
        table.delete(MAIN, &bad, Expect::Any).await,
        table.query(&Query::partition(MAIN, "p").limit(0)).await.map(drop),
        table.query(&Query::partition(MAIN, "p").cursor(Some("AAAA".to_owned()))).await.map(drop),
        table.transact(vec![op(item(1)), op(large)]).await,
        table.transact((0..101).map(|number| op(item(number))).collect()).await,
        table.add(MAIN, &bad, 1, 0, None).await.map(drop),
    ];
    for (number, result) in refused.into_iter().enumerate() {
        assert!(matches!(result, Err(StoreError::Invalid(_))), "{number}: {result:?}");
    }
    assert!(wire.sent().is_empty());
}

/// Counters lie in the same tables; no item may be one, and no read may show one.
#[tokio::test]
async fn partitions_of_counters_are_out_of_reach() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    table.add(MAIN, &key(1), 5, 0, None).await.unwrap();
    wire.sent();
    let counter = Key::new(format!("{COUNTER_PREFIX}p"), "1");
    let forged = Item::new(counter.clone(), "x");
    let op = |expect| vec![Op::Put { table: MAIN, item: forged.clone(), expect }];
    let refused = [
        table.get(MAIN, &counter).await.map(drop),
        table.get_many(&[(MAIN, counter.clone())]).await.map(drop),
        table.put(MAIN, forged.clone(), Expect::Any).await.map(drop),
        table.put(MAIN, forged.clone(), Expect::Absent).await.map(drop),
        table.put_many(MAIN, vec![forged.clone()]).await,
        table.delete(MAIN, &counter, Expect::Any).await,
        table.query(&Query::partition(MAIN, counter.partition.clone())).await.map(drop),
        table.transact(op(Expect::Any)).await,
        table.transact(op(Expect::Absent)).await,
    ];
    for (number, result) in refused.into_iter().enumerate() {
        assert!(matches!(result, Err(StoreError::Invalid(_))), "{number}: {result:?}");
    }
    assert!(wire.sent().is_empty());
}

#[tokio::test]
async fn a_transaction_that_demands_nothing_is_not_sent() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    let nothing = Op::Check { table: MAIN, key: key(1), expect: Expect::Any };
    assert_eq!(table.transact(vec![nothing.clone()]).await, Ok(()));
    assert!(wire.sent().is_empty());
    let put = Op::Put { table: MAIN, item: item(2), expect: Expect::Absent };
    assert_eq!(table.transact(vec![nothing, put]).await, Ok(()));
    assert_eq!(wire.sent()[0].body["TransactItems"].as_array().unwrap().len(), 1);
}

/// A write of each kind is one request.
#[tokio::test]
async fn a_write_is_one_request() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    assert_eq!(table.put(MAIN, item(1), Expect::Absent).await, Ok(1));
    assert_eq!(table.put(MAIN, item(1), Expect::Version(1)).await, Ok(2));
    assert_eq!(table.put(MAIN, item(1), Expect::Any).await, Ok(3));
    assert_eq!(table.put(MAIN, item(1), Expect::Absent).await, Err(StoreError::Conflict));
    assert_eq!(table.delete(MAIN, &key(1), Expect::Version(3)).await, Ok(()));
    let operations = wire.operations();
    assert_eq!(operations, ["PutItem", "PutItem", "UpdateItem", "PutItem", "DeleteItem"]);
}

#[tokio::test]
async fn adding_is_one_request_and_starting_again_two() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    let counter = key(1);
    let add = |now, expires_at| table.add(MAIN, &counter, 1, now, expires_at);
    for (now, expires_at, sum, requests) in [
        (100, Some(160), 1, 1),
        (101, Some(161), 2, 1),
        (102, None, 3, 1),
        (160, Some(220), 1, 2),
        (161, Some(221), 2, 1),
        // Without expiry from here on: each later addition that brings one has to find that out.
        (220, None, 1, 2),
        (221, None, 2, 1),
        (222, Some(300), 3, 2),
    ] {
        assert_eq!(add(now, expires_at).await, Ok(sum), "at {now}");
        assert_eq!(wire.sent().len(), requests, "at {now}");
    }
}

/// DynamoDB's numbers go further than ours: what could not be read back is not added.
#[tokio::test]
async fn a_counter_stays_within_its_type() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    for (sort, expires_at) in [("endless", None), ("live", Some(100))] {
        let counter = key(sort);
        let add = |delta| table.add(MAIN, &counter, delta, 0, expires_at);
        assert_eq!(add(i64::MAX).await, Ok(i64::MAX));
        assert!(matches!(add(1).await, Err(StoreError::Invalid(_))));
        assert_eq!(add(-1).await, Ok(i64::MAX - 1), "nothing was added");
        assert_eq!(add(i64::MIN).await, Ok(-2));
        assert!(matches!(add(i64::MIN).await, Err(StoreError::Invalid(_))));
        assert_eq!(add(i64::MAX).await, Ok(i64::MAX - 2));
        assert_eq!(add(0).await, Ok(i64::MAX - 2));
    }
}

/// Many who find a counter expired: one starts it again, the others add to that.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_counter_is_started_again_once() {
    let emulator = Emulator::start();
    let table = Arc::new(emulator.table(&Wire::default()).await);
    table.add(MAIN, &key(1), 77, 0, Some(10)).await.unwrap();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let table = Arc::clone(&table);
        callers.spawn(async move { table.add(MAIN, &key(1), 1, 10, Some(20)).await.unwrap() });
    }
    let mut sums = callers.join_all().await;
    sums.sort_unstable();
    assert_eq!(sums, (1..=30).collect::<Vec<_>>());
}

#[tokio::test]
async fn nonces_are_claimed_once_with_one_request() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let nonces = TableNonces::new(Arc::new(emulator.table(&wire).await));
    let key_id = "019a0000-0000-7000-8000-000000000001".parse().unwrap();
    let claim = || NonceClaim { key_id, nonce: "n".to_owned(), forget_at: 600 };
    assert_eq!(nonces.claim(claim()).await, Ok(true));
    assert_eq!(nonces.claim(claim()).await, Ok(false));
    let sent = wire.sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].body["Item"]["expires"]["N"], "600", "the table forgets it");
}

/// DynamoDB counts more than keys and body, and charges an update for its expression: what the port lets pass must fit.
#[tokio::test]
async fn the_largest_item_of_every_shape_fits() {
    let emulator = Emulator::start();
    let table = emulator.table(&Wire::default()).await;
    for indexes in 0..=3 {
        for expires_at in [None, Some(i64::MIN)] {
            let indexes = [Index::First, Index::Second, Index::Third].into_iter().take(indexes);
            let shape = indexes.fold(item("x"), |item, index| item.with_index(index, Key::new("i", "x")));
            let mut largest = shape.with_expiry(expires_at);
            largest.body = vec![0; MAX_ITEM_BYTES - largest.size() + largest.body.len()].into();
            assert_eq!(largest.size(), MAX_ITEM_BYTES);
            table.delete(MAIN, &largest.key, Expect::Any).await.unwrap();
            assert_eq!(table.put(MAIN, largest.clone(), Expect::Absent).await, Ok(1));
            assert_eq!(table.put(MAIN, largest.clone(), Expect::Any).await, Ok(2));
            let op = |expect| vec![Op::Put { table: MAIN, item: largest.clone(), expect }];
            assert_eq!(table.transact(op(Expect::Any)).await, Ok(()));
            assert_eq!(table.transact(op(Expect::Version(3))).await, Ok(()));
            assert_eq!(table.put_many(MAIN, vec![largest]).await, Ok(()));
        }
    }
}
