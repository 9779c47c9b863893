//! Batches that come in parts, answers that are lost, writers that meet.

use std::sync::Arc;

use alter_domain::port::{
    Expect, Item, NonceClaim, NonceStore as _, Op, StoreError, Table, TableName, TableNonces,
};
use serde_json::{Value, json};

use crate::support::{Emulator, Fault, Sent, Wire, cancellation, item, key, refusal, scripted};

const MAIN: TableName = TableName::Main;

fn put(item: Item, expect: Expect) -> Op {
    Op::Put { table: MAIN, item, expect }
}

/// DynamoDB answers for the first `count` keys of each table, backwards, and leaves the others.
fn part_of_the_keys(count: usize) -> Fault {
    Fault::reply(move |request| {
        let (mut responses, mut left) = (json!({}), json!({}));
        for (table, asked) in request["RequestItems"].as_object().unwrap() {
            let keys = asked["Keys"].as_array().unwrap();
            let (now, later) = keys.split_at(count.min(keys.len()));
            let stored = |key: &Value| {
                let mut item = key.clone();
                item["v"] = json!({ "N": "9" });
                item["b"] = json!({ "B": "" });
                item
            };
            responses[table] = now.iter().rev().map(stored).collect();
            if !later.is_empty() {
                // Without the ConsistentRead that it was asked with.
                left[table] = json!({ "Keys": later });
            }
        }
        json!({ "Responses": responses, "UnprocessedKeys": left })
    })
}

#[tokio::test(start_paused = true)]
async fn unprocessed_keys_are_asked_for_again_strongly_and_the_order_is_kept() {
    let (table, wire) = scripted([part_of_the_keys(4), part_of_the_keys(1), part_of_the_keys(100)]);
    let keys: Vec<_> =
        (0..20).map(|number| ([MAIN, TableName::Vault][number % 2], key(number * 7 % 20))).collect();
    let found = table.get_many(&keys).await.unwrap();
    for ((_, key), item) in keys.iter().zip(&found) {
        assert_eq!(&item.as_ref().unwrap().key, key);
    }
    let sent = wire.sent();
    let asked = |sent: &Sent| -> Vec<usize> {
        let requests = sent.body["RequestItems"].as_object().unwrap().values();
        requests
            .map(|request| {
                assert_eq!(request["ConsistentRead"], true);
                request["Keys"].as_array().unwrap().len()
            })
            .collect()
    };
    assert_eq!(sent.iter().map(asked).collect::<Vec<_>>(), [[10, 10], [6, 6], [5, 5]]);
}

#[tokio::test(start_paused = true)]
async fn keys_that_stay_unprocessed_are_throttling() {
    let (table, wire) = scripted((0..6).map(|_| part_of_the_keys(0)));
    assert_eq!(table.get_many(&[(MAIN, key(1))]).await, Err(StoreError::Throttled));
    assert_eq!((wire.sent().len(), wire.left()), (6, 0));
}

/// Slow is not stuck: as long as each answer brings something, there is another request.
#[tokio::test(start_paused = true)]
async fn a_batch_that_makes_progress_is_read_to_its_end() {
    let (table, wire) = scripted((0..30).map(|_| part_of_the_keys(1)));
    let keys: Vec<_> = (0..30).map(|number| (MAIN, key(number))).collect();
    assert!(table.get_many(&keys).await.unwrap().iter().all(Option::is_some));
    assert_eq!(wire.sent().len(), 30);
}

fn part_of_the_writes(count: usize) -> Fault {
    Fault::reply(move |request| {
        let (table, writes) = request["RequestItems"].as_object().unwrap().iter().next().unwrap();
        let left = &writes.as_array().unwrap()[count..];
        if left.is_empty() { json!({}) } else { json!({ "UnprocessedItems": { table: left } }) }
    })
}

#[tokio::test(start_paused = true)]
async fn unprocessed_items_are_sent_again() {
    let (table, wire) = scripted([part_of_the_writes(20), part_of_the_writes(2), part_of_the_writes(3)]);
    table.put_many(TableName::Audit, (0..25).map(item).collect()).await.unwrap();
    let written = |sent: &Sent| sent.body["RequestItems"]["audit"].as_array().unwrap().len();
    assert_eq!(wire.sent().iter().map(written).collect::<Vec<_>>(), [25, 5, 3]);
    wire.script((0..6).map(|_| part_of_the_writes(0)));
    assert_eq!(table.put_many(TableName::Audit, vec![item(1)]).await, Err(StoreError::Throttled));
    assert_eq!((wire.sent().len(), wire.left()), (6, 0));
}

#[tokio::test]
async fn a_transaction_whose_answer_is_lost_is_no_conflict() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    wire.script([Fault::LoseAnswer, Fault::LoseAnswer]);
    let ops = vec![put(item(1), Expect::Absent), put(item(2), Expect::Any)];
    assert_eq!(table.transact(ops).await, Ok(()));
    let sent = wire.sent();
    assert_eq!(sent.len(), 3);
    let tokens: Vec<_> = sent.iter().map(|sent| sent.body["ClientRequestToken"].as_str().unwrap()).collect();
    assert!(tokens[0].len() == 32 && tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    for sort in [1, 2] {
        assert_eq!(table.get(MAIN, &key(sort)).await.unwrap().unwrap().version, 1, "written once");
    }
    wire.sent();
    table.transact(vec![put(item(3), Expect::Absent)]).await.unwrap();
    assert_ne!(wire.sent()[0].body["ClientRequestToken"], tokens[0], "another transaction");
}

/// One that did not happen and then fails its expectation is a conflict, lost answer or not: the token makes it certain.
#[tokio::test]
async fn a_transaction_that_conflicts_after_a_broken_connection_is_a_conflict() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    table.put(MAIN, item(1), Expect::Any).await.unwrap();
    wire.script([Fault::Break]);
    assert_eq!(table.transact(vec![put(item(1), Expect::Absent)]).await, Err(StoreError::Conflict));
}

#[tokio::test]
async fn a_conditional_put_whose_answer_is_lost_is_no_conflict() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    for (expect, version) in [(Expect::Absent, 1), (Expect::Version(1), 2), (Expect::Version(2), 3)] {
        wire.script([Fault::LoseAnswer, Fault::LoseAnswer]);
        assert_eq!(table.put(MAIN, item(1), expect).await, Ok(version));
        assert_eq!(table.get(MAIN, &key(1)).await.unwrap().unwrap().version, version);
    }
    assert_eq!(table.put(MAIN, item(1), Expect::Absent).await, Err(StoreError::Conflict), "another write");
}

/// The same request arriving twice must be told apart from the same request being answered twice.
#[tokio::test]
async fn a_nonce_whose_answer_is_lost_is_accepted_once() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let nonces = TableNonces::new(Arc::new(emulator.table(&wire).await));
    let key_id = "019a0000-0000-7000-8000-000000000001".parse().unwrap();
    let claim = || NonceClaim { key_id, nonce: "n".to_owned(), forget_at: 600 };
    wire.script([Fault::LoseAnswer]);
    assert_eq!(nonces.claim(claim()).await, Ok(true));
    assert_eq!(nonces.claim(claim()).await, Ok(false));
    wire.script([Fault::LoseAnswer]);
    let replayed = nonces.claim(claim()).await;
    assert!(
        matches!(replayed, Err(StoreError::Unavailable(_))),
        "denied, one way or the other: {replayed:?}"
    );
}

/// Somebody else's item lies where ours may have been: nobody can tell, and nobody is told otherwise.
#[tokio::test]
async fn what_cannot_be_known_is_not_called_a_conflict() {
    let in_the_way = |mark: &str| {
        let code = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        let item = json!({ "p": { "S": "p" }, "s": { "S": "1" }, "w": { "B": mark } });
        Fault::answer(400, json!({ "__type": code, "message": "why", "Item": item }))
    };
    let (table, wire) = scripted([Fault::Break, in_the_way("AAAA")]);
    let written = table.put(MAIN, item(1), Expect::Absent).await;
    assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    wire.script([in_the_way("AAAA")]);
    assert_eq!(table.put(MAIN, item(1), Expect::Absent).await, Err(StoreError::Conflict), "without doubt");

    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    table.put(MAIN, item(1), Expect::Any).await.unwrap();
    wire.script([Fault::LoseAnswer]);
    let deleted = table.delete(MAIN, &key(1), Expect::Version(1)).await;
    assert!(matches!(deleted, Err(StoreError::Unavailable(_))), "{deleted:?}");
    assert_eq!(table.get(MAIN, &key(1)).await, Ok(None));
}

/// "Nothing was written" is said only of what certainly was not.
#[tokio::test]
async fn throttling_after_a_lost_answer_is_no_throttling() {
    let throttled = || refusal(400, "ThrottlingException");
    let (table, wire) = scripted([]);
    wire.script([Fault::Break, throttled(), throttled()]);
    let written = table.put(MAIN, item(1), Expect::Any).await;
    assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    wire.script([refusal(500, "InternalServerError"), throttled(), throttled()]);
    let written = table.transact(vec![put(item(1), Expect::Absent)]).await;
    assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    wire.script([throttled(), throttled(), throttled()]);
    assert_eq!(table.put(MAIN, item(1), Expect::Any).await, Err(StoreError::Throttled));
}

#[tokio::test]
async fn an_addition_whose_answer_is_lost_is_not_repeated() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    wire.script([Fault::LoseAnswer]);
    let added = table.add(MAIN, &key(1), 1, 0, None).await;
    assert!(matches!(added, Err(StoreError::Unavailable(_))), "{added:?}");
    assert_eq!(wire.sent().len(), 1);
    wire.script([refusal(400, "ThrottlingException"), refusal(400, "TransactionConflictException")]);
    assert_eq!(table.add(MAIN, &key(1), 1, 0, None).await, Ok(2), "what did nothing is tried again");
}

#[tokio::test]
async fn writers_that_meet_are_tried_again() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    let met = || refusal(400, "TransactionConflictException");
    let cancelled = || cancellation(&["TransactionConflict", "None"]);
    wire.script([met(), met()]);
    assert_eq!(table.put(MAIN, item(1), Expect::Absent).await, Ok(1));
    wire.script([met()]);
    assert_eq!(table.put(MAIN, item(1), Expect::Any).await, Ok(2));
    wire.script([cancelled(), cancelled()]);
    let ops = vec![put(item(1), Expect::Version(2)), put(item(2), Expect::Absent)];
    assert_eq!(table.transact(ops).await, Ok(()));
    wire.script([met()]);
    assert_eq!(table.delete(MAIN, &key(1), Expect::Version(3)).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn writers_that_keep_meeting_are_throttled() {
    let (table, wire) = scripted((0..6).map(|_| cancellation(&["TransactionConflict"])));
    let result = table.transact(vec![put(item(1), Expect::Absent)]).await;
    assert_eq!((result, wire.sent().len(), wire.left()), (Err(StoreError::Throttled), 6, 0));
    wire.script((0..6).map(|_| refusal(400, "TransactionConflictException")));
    let result = table.put(MAIN, item(1), Expect::Absent).await;
    assert_eq!((result, wire.sent().len(), wire.left()), (Err(StoreError::Throttled), 6, 0));
}
