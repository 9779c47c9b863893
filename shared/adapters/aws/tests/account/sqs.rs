//! The audit sink and the work queue over SQS.

use std::sync::Arc;

use alter_adapter_aws::{SqsSink, SqsWork};
use alter_adapter_local::SqliteTable;
use alter_domain::{
    model::{AuditEvent, Phase},
    port::{AuditError, AuditSink as _, Record, Table, Work, WorkError, WorkQueue as _},
    repo::{AuditRows, AuditScope},
};
use aws_sdk_sqs::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
};
use serde_json::{Value, json};

use crate::support::{QUEUE, Wire};

fn client(wire: &Wire) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url("http://127.0.0.1:9")
        .retry_config(RetryConfig::disabled())
        .http_client(wire.alone());
    Client::from_conf(config.build())
}

fn sink(wire: &Wire, table: Arc<dyn Table>) -> SqsSink {
    SqsSink::new(client(wire), QUEUE.to_owned(), table)
}

fn table() -> Arc<dyn Table> {
    Arc::new(SqliteTable::memory().unwrap())
}

fn event(phase: &str, padding: usize) -> Record {
    let id = "01980a1b-0000-7000-8000-000000000001";
    let document = json!({ "id": id, "org_id": id, "at": "2025-07-14T10:51:10.848Z", "kind": "app.created", "phase": phase,
        "actor": { "kind": "system" }, "detail": { "name": "x".repeat(padding) } });
    Record(document.to_string().into_bytes().into())
}

#[tokio::test]
async fn a_record_is_a_message_of_the_same_text() {
    let wire = Wire::account();
    let sink = sink(&wire, table());
    sink.record(event("final", 10)).await.unwrap();
    sink.settle().await.unwrap();
    let sent = wire.sent();
    assert_eq!((sent.len(), sent[0].operation.as_str()), (1, "SendMessage"));
    assert_eq!(sent[0].body["QueueUrl"], QUEUE);
    let body: Value = serde_json::from_str(sent[0].body["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(body, serde_json::from_slice::<Value>(&event("final", 10).0).unwrap());
}

#[tokio::test]
async fn a_queue_that_does_not_take_it_refuses_the_call() {
    for (status, code) in [
        (400, "QueueDoesNotExist"),
        (403, "AccessDenied"),
        (400, "RequestThrottled"),
        (400, "KmsDisabled"),
        (500, "InternalFailure"),
    ] {
        let wire = Wire::new(move |_, _| Some((status, json!({ "__type": code, "message": "canary" }))));
        let refused = sink(&wire, table()).record(event("intent", 10)).await.unwrap_err();
        assert_eq!(refused, AuditError::Unavailable(code.to_owned()));
    }
    let refused = sink(&Wire::new(|_, _| None), table()).record(event("intent", 10)).await;
    assert_eq!(refused, Err(AuditError::Unavailable("no connection".to_owned())));
}

#[tokio::test]
async fn what_is_too_long_for_a_message_is_stored_at_once() {
    let wire = Wire::account();
    let table = table();
    let sink = sink(&wire, Arc::clone(&table));
    let stored = async || {
        let event = AuditEvent::decode(&event("final", 0).0).unwrap();
        AuditRows(table.as_ref()).get(&AuditScope::Org(event.org_id), event.id).await
    };
    // The longest that goes through the queue, and one byte more.
    let overhead = event("final", 0).0.len();
    sink.record(event("final", 256 * 1024 - overhead)).await.unwrap();
    assert_eq!(wire.operations(), ["SendMessage"]);
    assert!(stored().await.is_err());
    sink.record(event("intent", 256 * 1024)).await.unwrap();
    assert_eq!(stored().await.unwrap().phase, Phase::Intent);
    sink.record(event("final", 256 * 1024)).await.unwrap();
    assert_eq!(stored().await.unwrap().phase, Phase::Final);
    // Delivered once more and out of order, as a queue does.
    sink.record(event("intent", 256 * 1024)).await.unwrap();
    assert_eq!(stored().await.unwrap().phase, Phase::Final);
    assert!(wire.operations().is_empty());
    // No table takes more than 400 KB.
    assert!(sink.record(event("final", 410 * 1024)).await.is_err());
}

#[tokio::test]
async fn a_signal_is_a_message_that_the_worker_reads() {
    let wire = Wire::account();
    let work = SqsWork::new(client(&wire), QUEUE.to_owned());
    let id = uuid::Uuid::from_u128(7);
    for signalled in [Work::Revocation { id: id.into() }, Work::Deprovision { user: id.into() }, Work::Due] {
        work.signal(signalled).await.unwrap();
        let sent = wire.sent();
        assert_eq!((sent.len(), sent[0].operation.as_str()), (1, "SendMessage"));
        assert_eq!(sent[0].body["QueueUrl"], QUEUE);
        let body = sent[0].body["MessageBody"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Work>(body).unwrap(), signalled);
    }
}

#[tokio::test]
async fn a_signal_that_is_lost_says_so() {
    let refuses =
        Wire::new(|_, _| Some((400, json!({ "__type": "QueueDoesNotExist", "message": "canary" }))));
    let work = SqsWork::new(client(&refuses), QUEUE.to_owned());
    assert_eq!(work.signal(Work::Due).await, Err(WorkError("QueueDoesNotExist".to_owned())));
    let work = SqsWork::new(client(&Wire::new(|_, _| None)), QUEUE.to_owned());
    assert_eq!(work.signal(Work::Due).await, Err(WorkError("no connection".to_owned())));
}

#[tokio::test]
async fn a_function_signals_if_it_is_told_where() {
    let wire = Wire::account();
    assert!(wire.function(&[]).ports().unwrap().work.signal(Work::Due).await.is_err());
    assert!(wire.operations().is_empty());
    let queue = "https://sqs.eu-central-1.amazonaws.com/1/work";
    let told = wire.function(&[("ALTER_WORK_QUEUE_URL", queue)]);
    told.ports().unwrap().work.signal(Work::Due).await.unwrap();
    let sent = wire.sent();
    assert_eq!((sent.len(), &sent[0].body["QueueUrl"]), (1, &json!(queue)));
}

/// Who ends a grant is not kept waiting by a queue that does not answer.
#[tokio::test(start_paused = true)]
async fn a_signal_is_given_up_soon() {
    let wire = Wire::silent();
    let account = wire.function(&[("ALTER_WORK_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/1/work")]);
    let work = account.ports().unwrap().work;
    let begun = tokio::time::Instant::now();
    assert_eq!(work.signal(Work::Due).await, Err(WorkError("no answer in time".to_owned())));
    assert!(begun.elapsed() <= std::time::Duration::from_secs(3), "{:?}", begun.elapsed());
}
