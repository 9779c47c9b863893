//! The audit queue's other end: a batch of messages in, the ids of those to be delivered again out.

use std::future::Future;

use alter_domain::{port::Record, repo::WriteReport};
use serde::{Deserialize, Serialize};

use super::{
    Handled, Handler,
    runtime_api::{Invocation, Reply},
};

/// Stores a batch of records: the audit-writer's own function, over the table that it was given.
pub trait Writer {
    fn write(&self, records: &[Record]) -> impl Future<Output = WriteReport>;
}

impl<F: AsyncFn(&[Record]) -> WriteReport> Writer for F {
    async fn write(&self, records: &[Record]) -> WriteReport {
        self(records).await
    }
}

/// What SQS is told: the messages that stay in the queue. After the queue's `maxReceiveCount` they go to the dead-letter
/// queue; the others are gone.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

impl BatchAnswer {
    /// Whether no message stays.
    pub(super) fn is_whole(&self) -> bool {
        self.batch_item_failures.is_empty()
    }
}

/// Of the ids of the messages that stay.
impl FromIterator<String> for BatchAnswer {
    fn from_iter<T: IntoIterator<Item = String>>(ids: T) -> Self {
        let batch_item_failures =
            ids.into_iter().map(|item_identifier| Failure { item_identifier }).collect();
        Self { batch_item_failures }
    }
}

/// What SQS delivers at a time.
#[derive(Deserialize)]
pub(super) struct Batch {
    #[serde(rename = "Records")]
    pub(super) records: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    pub(super) message_id: String,
    #[serde(default)]
    pub(super) body: Option<String>,
}

pub(super) struct Queue<W>(W);

impl<W: Writer> Queue<W> {
    pub(super) fn new(writer: W) -> Self {
        Self(writer)
    }

    async fn store(&self, event: &[u8]) -> Result<BatchAnswer, serde_json::Error> {
        let batch: Batch = serde_json::from_slice(event)?;
        let mut failed = Vec::new();
        let mut ids = Vec::with_capacity(batch.records.len());
        let mut records = Vec::with_capacity(batch.records.len());
        for message in batch.records {
            match message.body.filter(|body| is_event(body)) {
                Some(body) => {
                    records.push(Record(body.into_bytes().into()));
                    ids.push(message.message_id);
                }
                None => {
                    tracing::error!(message_id = message.message_id, "a message that is no audit event");
                    failed.push(message.message_id);
                }
            }
        }
        let report = self.0.write(&records).await;
        failed.extend(report.failed.into_iter().filter_map(|position| ids.get(position).cloned()));
        Ok(failed.into_iter().collect())
    }
}

/// Whether a message can be stored at all. One that cannot must end in the dead-letter queue, where somebody sees it, and
/// must not hold up the others.
fn is_event(body: &str) -> bool {
    alter_domain::model::AuditEvent::decode(body.as_bytes()).is_ok()
}

impl<W: Writer> Handler for Queue<W> {
    async fn handle(&mut self, invocation: &Invocation) -> Handled {
        let stored = self.store(&invocation.body).await;
        let whole = stored.as_ref().is_ok_and(BatchAnswer::is_whole);
        let reply = match stored.and_then(|answer| serde_json::to_vec(&answer)) {
            Ok(answer) => Reply::Whole(answer),
            Err(error) => {
                tracing::error!(%error, "the event is not a batch of a queue");
                Reply::Failed("the event is not a batch of a queue".to_owned())
            }
        };
        Handled { reply, status: if whole { 200 } else { 500 }, request_id: None }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Value, json};

    use super::*;

    fn event(n: u128) -> String {
        let id = uuid::Uuid::from_u128(n);
        json!({ "id": id, "org_id": id, "at": "2026-01-01T00:00:00Z", "kind": "app.created", "phase": "final",
            "actor": { "kind": "system" } })
        .to_string()
    }

    fn message(id: &str, body: &str) -> Value {
        json!({ "messageId": id, "receiptHandle": "r", "body": body, "attributes": { "ApproximateReceiveCount": "1" } })
    }

    async fn failures(records: &Value, failed: Vec<usize>) -> (Vec<String>, usize) {
        let taken = Mutex::new(0);
        let queue = Queue::new(async |records: &[Record]| {
            *taken.lock().unwrap() = records.len();
            WriteReport { failed: failed.clone() }
        });
        let batch = json!({ "Records": records }).to_string();
        let answer = serde_json::to_value(queue.store(batch.as_bytes()).await.unwrap()).unwrap();
        let ids = answer["batchItemFailures"].as_array().unwrap().iter();
        let ids = ids.map(|one| one["itemIdentifier"].as_str().unwrap().to_owned()).collect();
        (ids, *taken.lock().unwrap())
    }

    #[tokio::test]
    async fn what_was_not_stored_and_what_does_not_read_stays_and_nothing_else() {
        let records = json!([
            message("a", &event(1)),
            message("b", "poison"),
            message("c", &event(2)),
            { "messageId": "d" },
            message("e", "{}"),
            message("f", &event(3)),
        ]);
        assert_eq!(failures(&records, vec![]).await, (vec!["b".into(), "d".into(), "e".into()], 3));
        // Positions are those of what was written, not of the messages.
        let (ids, _) = failures(&records, vec![1, 2]).await;
        assert_eq!(ids, ["b", "d", "e", "c", "f"]);
        assert_eq!(failures(&json!([]), vec![]).await, (vec![], 0));
    }

    #[tokio::test]
    async fn what_is_no_batch_is_an_error() {
        let queue = Queue::new(async |_: &[Record]| WriteReport::default());
        for event in [&b"{}"[..], b"", b"{\"Records\":[{}]}"] {
            assert!(queue.store(event).await.is_err());
        }
    }
}
