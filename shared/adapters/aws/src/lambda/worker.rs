//! The work queue's other end, and the clock's: signals of the queue, and once a minute the question what is due.
//!
//! Two forms of event arrive here: a batch of SQS, whose messages are [`Work`] as JSON and are done at once, and one [`Work`]
//! by itself, which the schedule's rule has as its constant input.
//!
//! What a provider did not do is no failure of ours: its task stands in the table and comes again when it is due. Only what
//! the account did not do (a table, the record, KMS) leaves a message in the queue.

use std::future::Future;

use alter_domain::{Error, Result, port::Work};
use futures_util::future::join_all;
use serde::Deserialize;

use super::{
    Handled, Handler,
    queue::{Batch, BatchAnswer, Message},
    runtime_api::{Invocation, Reply},
};

/// Does what there is to do.
pub trait Worker {
    fn run(&self, work: Work) -> impl Future<Output = Result<()>>;
}

impl<F: AsyncFn(Work) -> Result<()>> Worker for F {
    async fn run(&self, work: Work) -> Result<()> {
        self(work).await
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Event {
    Batch(Batch),
    Work(Work),
}

pub(super) struct Works<W>(W);

impl<W: Worker> Works<W> {
    pub(super) fn new(worker: W) -> Self {
        Self(worker)
    }

    async fn batch(&self, batch: Batch) -> BatchAnswer {
        // Each at its own pace: one provider that is slow does not keep the others waiting.
        let done = join_all(batch.records.into_iter().map(async |message| self.message(message).await));
        done.await.into_iter().filter_map(std::result::Result::err).collect()
    }

    /// The id of a message that stays, as the error.
    async fn message(&self, message: Message) -> std::result::Result<(), String> {
        let work = message.body.as_deref().map(serde_json::from_str::<Work>);
        let Some(Ok(work)) = work else {
            tracing::error!(message_id = message.message_id, "a message that is no work");
            return Err(message.message_id);
        };
        if self.is_done(work).await { Ok(()) } else { Err(message.message_id) }
    }

    async fn is_done(&self, work: Work) -> bool {
        let Err(error) = self.0.run(work).await else { return true };
        tracing::warn!(?work, %error, "work was not finished");
        !is_ours(&error)
    }
}

/// Whether an error is the vault's own trouble.
fn is_ours(error: &Error) -> bool {
    matches!(
        error,
        Error::Throttled
            | Error::StoreUnavailable(_)
            | Error::AuditUnavailable(_)
            | Error::KeyServiceUnavailable(_)
            | Error::Internal(_)
    )
}

impl<W: Worker> Handler for Works<W> {
    async fn handle(&mut self, invocation: &Invocation) -> Handled {
        let (answer, whole) = match serde_json::from_slice(&invocation.body) {
            Ok(Event::Batch(batch)) => {
                let answer = self.batch(batch).await;
                let whole = answer.is_whole();
                (serde_json::to_vec(&answer), whole)
            }
            // Nobody reads the answer, and the next minute is the next attempt.
            Ok(Event::Work(work)) => (Ok(b"null".to_vec()), self.is_done(work).await),
            Err(error) => (Err(error), false),
        };
        let reply = match answer {
            Ok(answer) => Reply::Whole(answer),
            Err(error) => {
                tracing::error!(%error, "the event is neither a batch of a queue nor work");
                Reply::Failed("the event is neither a batch of a queue nor work".to_owned())
            }
        };
        Handled { reply, status: if whole { 200 } else { 500 }, request_id: None }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Value, json};
    use tokio::sync::Barrier;

    use super::*;

    /// A handler that fails as it is told, and what it was given.
    async fn handled(event: &Value, run: impl AsyncFn(Work) -> Result<()>) -> (Handled, Vec<Work>) {
        let given = Mutex::new(Vec::new());
        let mut works = Works::new(async |work| {
            given.lock().unwrap().push(work);
            run(work).await
        });
        let body = event.to_string().into();
        let handled = works.handle(&Invocation { request_id: "r".to_owned(), trace: None, body }).await;
        (handled, given.into_inner().unwrap())
    }

    fn id(n: u128) -> uuid::Uuid {
        uuid::Uuid::from_u128(n)
    }

    fn work(n: u128) -> Work {
        Work::Revocation { id: id(n).into() }
    }

    fn message(name: &str, body: &str) -> Value {
        json!({ "messageId": name, "receiptHandle": "r", "body": body, "eventSource": "aws:sqs" })
    }

    fn signal(n: u128) -> Value {
        message(&format!("m{n}"), &serde_json::to_string(&work(n)).unwrap())
    }

    fn answered(handled: Handled) -> Value {
        match handled.reply {
            Reply::Whole(body) => serde_json::from_slice(&body).unwrap(),
            _ => panic!("no answer"),
        }
    }

    fn kept(handled: Handled) -> Vec<String> {
        let answer = answered(handled);
        let failures = answer["batchItemFailures"].as_array().unwrap().iter();
        failures.map(|one| one["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn signals_are_done_and_what_is_none_stays() {
        let records = json!({ "Records": [
            signal(1),
            message("poison", "not work"),
            message("unknown", r#"{"work":"dance"}"#),
            { "messageId": "empty" },
            message("due", r#"{"work":"due"}"#),
        ] });
        let (handled, given) = handled(&records, async |_| Ok(())).await;
        assert_eq!(handled.status, 500);
        assert_eq!(kept(handled), ["poison", "unknown", "empty"]);
        assert_eq!(given, [work(1), Work::Due]);
    }

    /// Versions that run beside each other while one is deployed have to agree on it.
    #[tokio::test]
    async fn a_departure_is_work_by_the_users_id() {
        let body = r#"{"work":"deprovision","user":"00000000-0000-0000-0000-000000000007"}"#;
        let departure = Work::Deprovision { user: id(7).into() };
        assert_eq!(serde_json::to_string(&departure).unwrap(), body);
        let records =
            json!({ "Records": [message("gone", body), message("who", r#"{"work":"deprovision"}"#)] });
        let (handled, given) = handled(&records, async |_| Ok(())).await;
        assert_eq!((kept(handled), given), (vec!["who".to_owned()], vec![departure]));
    }

    #[tokio::test]
    async fn only_our_own_trouble_leaves_a_message() {
        let failing = async |given: Work| {
            Err(match given {
                one if one == work(1) => Error::StoreUnavailable("down".to_owned()),
                one if one == work(2) => Error::UpstreamUnreachable("down".to_owned()),
                one if one == work(3) => Error::AuditUnavailable("down".to_owned()),
                one if one == work(4) => Error::UpstreamTimeout,
                one if one == work(5) => Error::KeyServiceUnavailable("down".to_owned()),
                _ => Error::conflict("provider_refused", "no"),
            })
        };
        let records = json!({ "Records": (1..=6).map(signal).collect::<Vec<_>>() });
        let (handled, _) = handled(&records, failing).await;
        assert_eq!(kept(handled), ["m1", "m3", "m5"]);
    }

    #[tokio::test]
    async fn messages_do_not_wait_for_each_other() {
        let both = Barrier::new(2);
        let records = json!({ "Records": [signal(1), signal(2)] });
        let (handled, _) = handled(&records, async |_| {
            both.wait().await;
            Ok(())
        })
        .await;
        assert_eq!(handled.status, 200);
        assert_eq!(kept(handled), Vec::<String>::new());
    }

    #[tokio::test]
    async fn the_clock_s_event_is_work_by_itself() {
        let event = json!({ "work": "due" });
        let (done, given) = handled(&event, async |_| Ok(())).await;
        assert_eq!((done.status, given), (200, vec![Work::Due]));
        assert_eq!(answered(done), Value::Null);
        // Who failed shows in the log and the metric; there is nobody to tell.
        let (failed, _) = handled(&event, async |_| Err(Error::Throttled)).await;
        assert_eq!((failed.status, answered(failed)), (500, Value::Null));
        let (refused, _) = handled(&event, async |_| Err(Error::UpstreamTimeout)).await;
        assert_eq!(refused.status, 200);
    }

    #[tokio::test]
    async fn what_is_neither_is_an_error() {
        for event in [json!({}), json!({ "Records": [{}] }), json!({ "source": "aws.events" }), json!("due")]
        {
            let (handled, given) = handled(&event, async |_| Ok(())).await;
            assert!(matches!(handled.reply, Reply::Failed(_)), "{event}");
            assert!(given.is_empty());
        }
    }
}
