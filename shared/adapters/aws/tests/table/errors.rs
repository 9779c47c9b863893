//! What DynamoDB's refusals mean to the port.

use std::sync::{Arc, Mutex};

use alter_domain::port::{Expect, Op, Query, StoreError, Table, TableName};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Emulator, Fault, Wire, cancellation, item, key, refusal, scripted};

const MAIN: TableName = TableName::Main;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Conflict,
    Throttled,
    Unavailable,
    Invalid,
    Corrupt,
}

fn kind<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Kind {
    match result.expect_err("a refusal") {
        StoreError::Conflict => Kind::Conflict,
        StoreError::Throttled => Kind::Throttled,
        StoreError::Unavailable(_) => Kind::Unavailable,
        StoreError::Invalid(_) => Kind::Invalid,
        StoreError::Corrupt(_) => Kind::Corrupt,
    }
}

/// Each refusal, what it means, and how many attempts there are before it is passed on.
const REFUSALS: [(u16, &str, Kind, usize); 12] = [
    (400, "ProvisionedThroughputExceededException", Kind::Throttled, 3),
    (400, "ThrottlingException", Kind::Throttled, 3),
    (400, "RequestLimitExceeded", Kind::Throttled, 3),
    (400, "ValidationException", Kind::Invalid, 1),
    (400, "AccessDeniedException", Kind::Unavailable, 1),
    (400, "ResourceNotFoundException", Kind::Unavailable, 1),
    (400, "UnrecognizedClientException", Kind::Unavailable, 1),
    (400, "ExpiredTokenException", Kind::Unavailable, 1),
    (400, "SomethingNew", Kind::Unavailable, 1),
    (500, "InternalServerError", Kind::Unavailable, 3),
    (503, "ServiceUnavailable", Kind::Unavailable, 3),
    (400, "TransactionInProgressException", Kind::Unavailable, 3),
];

#[tokio::test]
async fn every_operation_judges_refusals_alike() {
    for (status, code, expected, attempts) in REFUSALS {
        let script = || (0..attempts).map(|_| refusal(status, code));
        let (table, wire) = scripted([]);
        let put = || Op::Put { table: MAIN, item: item(1), expect: Expect::Absent };
        let check = |operation: &str, found: Kind| {
            assert_eq!(found, expected, "{operation}: {code}");
            assert_eq!((wire.sent().len(), wire.left()), (attempts, 0), "attempts of {operation}: {code}");
            wire.script(script());
        };
        wire.script(script());
        check("get", kind(table.get(MAIN, &key(1)).await));
        check("get_many", kind(table.get_many(&[(MAIN, key(1))]).await));
        check("query", kind(table.query(&Query::partition(MAIN, "p")).await));
        check("put", kind(table.put(MAIN, item(1), Expect::Any).await));
        check("put if", kind(table.put(MAIN, item(1), Expect::Version(1)).await));
        check("put_many", kind(table.put_many(MAIN, vec![item(1)]).await));
        check("delete", kind(table.delete(MAIN, &key(1), Expect::Any).await));
        check("transact", kind(table.transact(vec![put()]).await));
    }
}

/// Counters have their own way of retrying.
#[tokio::test(start_paused = true)]
async fn adding_judges_refusals_alike_but_retries_only_what_did_nothing() {
    for (status, code, expected, _) in REFUSALS {
        let attempts = if expected == Kind::Throttled { 6 } else { 1 };
        let (table, wire) = scripted((0..attempts).map(|_| refusal(status, code)));
        assert_eq!(kind(table.add(MAIN, &key(1), 1, 0, None).await), expected, "{code}");
        assert_eq!((wire.sent().len(), wire.left()), (attempts, 0), "{code}");
    }
}

#[tokio::test]
async fn a_condition_that_fails_is_a_conflict() {
    let script = || refusal(400, "ConditionalCheckFailedException");
    let (table, wire) = scripted([script(), script(), cancellation(&["None", "ConditionalCheckFailed"])]);
    assert_eq!(table.put(MAIN, item(1), Expect::Absent).await, Err(StoreError::Conflict));
    assert_eq!(table.delete(MAIN, &key(1), Expect::Version(1)).await, Err(StoreError::Conflict));
    let op = |sort| Op::Put { table: MAIN, item: item(sort), expect: Expect::Absent };
    assert_eq!(table.transact(vec![op(1), op(2)]).await, Err(StoreError::Conflict));
    assert_eq!(wire.sent().len(), 3);
}

#[tokio::test]
async fn a_transaction_that_cannot_be_is_invalid() {
    let (table, wire) = scripted([cancellation(&["ValidationError"])]);
    let op = Op::Put { table: MAIN, item: item(1), expect: Expect::Absent };
    assert_eq!(kind(table.transact(vec![op]).await), Kind::Invalid);
    assert_eq!(wire.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_answer_and_no_connection_are_unavailable() {
    for fault in [|| Fault::Break, || Fault::Hang] {
        let (table, wire) = scripted((0..9).map(|_| fault()));
        assert_eq!(kind(table.get(MAIN, &key(1)).await), Kind::Unavailable);
        assert_eq!(kind(table.put(MAIN, item(1), Expect::Absent).await), Kind::Unavailable);
        let op = Op::Put { table: MAIN, item: item(1), expect: Expect::Absent };
        assert_eq!(kind(table.transact(vec![op]).await), Kind::Unavailable);
        assert_eq!((wire.sent().len(), wire.left()), (9, 0), "three attempts each");
    }
}

/// Errors go to logs; what an answer held does not.
#[tokio::test]
async fn an_answer_that_makes_no_sense_is_unavailable_and_not_repeated() {
    let (table, _) =
        scripted([Fault::text(200, "{\"Item\": \"sesame-open"), Fault::text(400, "sesame-open")]);
    for _ in 0..2 {
        let error = table.get(MAIN, &key(1)).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(matches!(error, StoreError::Unavailable(_)) && !shown.contains("sesame"), "{shown}");
    }
}

#[tokio::test]
async fn an_item_of_another_shape_is_corrupt() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = emulator.table(&wire).await;
    table.put(MAIN, item(1), Expect::Any).await.unwrap();
    let name = wire.sent()[0].body["TableName"].as_str().unwrap().to_owned();
    let update = emulator
        .client(&Wire::default())
        .update_item()
        .table_name(name)
        .key("p", aws_sdk_dynamodb::types::AttributeValue::S("p".into()))
        .key("s", aws_sdk_dynamodb::types::AttributeValue::S("1".into()))
        .update_expression("REMOVE v");
    update.send().await.unwrap();
    assert_eq!(kind(table.get(MAIN, &key(1)).await), Kind::Corrupt);
    assert_eq!(kind(table.get_many(&[(MAIN, key(1))]).await), Kind::Corrupt);
    assert_eq!(kind(table.query(&Query::partition(MAIN, "p")).await), Kind::Corrupt);
}

/// Whoever runs the deployment is told that its permissions are wrong.
#[tokio::test]
async fn a_deployment_that_denies_access_is_an_error_in_the_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (table, _) = scripted([refusal(400, "AccessDeniedException")]);
    table.get(MAIN, &key(1)).await.unwrap_err();
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("ERROR") && logged.contains("AccessDeniedException") && logged.contains("GetItem"),
        "{logged}"
    );
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}
