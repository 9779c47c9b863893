//! Where the time of an invocation goes. A Lambda process serves one invocation at a time, so one stopwatch per process,
//! started by `lambda::serve` and told by the AWS client, the audit sink and the client to providers, knows all of it
//! without a line in the domain.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::HeaderMap;
use tokio::sync::Notify;

/// The present invocation's times.
#[derive(Debug, Default)]
pub struct Stopwatch {
    lap: Mutex<Lap>,
    recorded: Notify,
}

/// What happened since the start of the invocation, and when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lap {
    pub(crate) begun: Option<Instant>,
    /// End of the last read before anything was recorded.
    pub(crate) read: Option<Instant>,
    pub(crate) first_record: Option<Instant>,
    pub(crate) last_record: Option<(Instant, Instant)>,
    /// When it was said that there is work, and how long that took.
    pub(crate) signalled: Option<(Instant, Instant)>,
    pub(crate) sent: Option<Instant>,
    pub(crate) head: Option<Instant>,
    /// Requests to AWS, those that were tried again included, and those of them that KMS got.
    pub(crate) aws_requests: u32,
    pub(crate) kms_requests: u32,
    pub(crate) call: Option<RecordedCall>,
}

/// What of a call's final row the log names.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct RecordedCall {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) app_id: Option<String>,
    pub(crate) outcome: RecordedOutcome,
    #[serde(default)]
    pub(crate) call: Option<RecordedFacts>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct RecordedOutcome {
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) status: Option<u16>,
    #[serde(default)]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct RecordedFacts {
    #[serde(default)]
    pub(crate) traceparent: Option<String>,
}

impl Stopwatch {
    /// A new invocation.
    pub(crate) fn start(&self) {
        *self.lap() = Lap { begun: Some(Instant::now()), ..Lap::default() };
    }

    pub(crate) fn read_out(&self) -> Lap {
        self.lap().clone()
    }

    /// A request to AWS begins; its operation is what every JSON protocol of AWS names in this header.
    pub(crate) fn request(self: &Arc<Self>, headers: &HeaderMap) -> TimedRequest {
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (service, operation) = target.split_once('.').unwrap_or_default();
        let is_read = matches!(operation, "BatchGetItem" | "GetItem" | "Query");
        let mut lap = self.lap();
        lap.aws_requests += 1;
        lap.kms_requests += u32::from(service == "TrentService");
        TimedRequest { stopwatch: Arc::clone(self), is_read }
    }

    pub(crate) fn recorded(&self, begun: Instant, call: Option<RecordedCall>) {
        let mut lap = self.lap();
        lap.first_record.get_or_insert(begun);
        lap.last_record = Some((begun, Instant::now()));
        lap.call = call.or(lap.call.take());
        self.recorded.notify_one();
    }

    /// It was said that there is work.
    pub(crate) fn signalled(&self, begun: Instant) {
        self.lap().signalled = Some((begun, Instant::now()));
    }

    /// Returns when nothing is left to record: a call that reached its provider has its final row.
    pub(crate) async fn settled(&self) {
        loop {
            let recorded = self.recorded.notified();
            {
                let lap = self.lap();
                if lap.sent.is_none() || lap.call.is_some() {
                    return;
                }
            }
            recorded.await;
        }
    }

    pub(crate) fn sent(&self) {
        self.lap().sent = Some(Instant::now());
    }

    pub(crate) fn head(&self) {
        self.lap().head = Some(Instant::now());
    }

    fn lap(&self) -> MutexGuard<'_, Lap> {
        self.lap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request to AWS that is under way.
pub(crate) struct TimedRequest {
    stopwatch: Arc<Stopwatch>,
    is_read: bool,
}

impl TimedRequest {
    pub(crate) fn done(self) {
        let mut lap = self.stopwatch.lap();
        if self.is_read && lap.first_record.is_none() {
            lap.read = Some(Instant::now());
        }
    }
}

/// The parts of a call, in milliseconds; absent where a call ended before it.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub(crate) struct Phases {
    /// Reading, authenticating: until the last read came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read_ms: Option<f64>,
    /// Deciding: until the intent was on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decide_ms: Option<f64>,
    /// Intent, nonce and opening, which run at once, and injecting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) intent_ms: Option<f64>,
    /// From sending to the provider's response head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upstream_ms: Option<f64>,
    /// The provider's body, scanned and passed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body_ms: Option<f64>,
    /// Recording how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome_ms: Option<f64>,
    /// Saying that there is work for the worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signal_ms: Option<f64>,
}

impl Lap {
    pub(crate) fn phases(&self) -> Phases {
        let between =
            |from: Option<Instant>, to: Option<Instant>| Some(millis(to?.checked_duration_since(from?)?));
        let reached = self.sent.is_some();
        let outcome = self.last_record.filter(|(begun, _)| Some(*begun) != self.first_record || !reached);
        Phases {
            read_ms: between(self.begun, self.read),
            decide_ms: between(self.read, self.first_record),
            intent_ms: between(self.first_record, self.sent),
            upstream_ms: between(self.sent, self.head),
            body_ms: between(self.head, outcome.map(|(begun, _)| begun)),
            outcome_ms: outcome.and_then(|(begun, ended)| between(Some(begun), Some(ended))),
            signal_ms: self.signalled.and_then(|(begun, ended)| between(Some(begun), Some(ended))),
        }
    }

    pub(crate) fn total(&self) -> Duration {
        self.begun.map(|begun| begun.elapsed()).unwrap_or_default()
    }
}

/// Milliseconds to a hundredth: what a log is read at.
pub(crate) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(begun: Instant, ms: u64) -> Option<Instant> {
        Some(begun + Duration::from_millis(ms))
    }

    #[test]
    fn the_parts_of_a_call_that_reached_its_provider() {
        let begun = Instant::now();
        let lap = Lap {
            begun: Some(begun),
            read: at(begun, 5),
            first_record: at(begun, 6),
            sent: at(begun, 14),
            head: at(begun, 114),
            last_record: at(begun, 120).zip(at(begun, 127)),
            ..Lap::default()
        };
        let expected = Phases {
            read_ms: Some(5.0),
            decide_ms: Some(1.0),
            intent_ms: Some(8.0),
            upstream_ms: Some(100.0),
            body_ms: Some(6.0),
            outcome_ms: Some(7.0),
            signal_ms: None,
        };
        assert_eq!(lap.phases(), expected);
    }

    #[test]
    fn a_refused_call_has_an_outcome_and_no_provider() {
        let begun = Instant::now();
        let lap = Lap {
            begun: Some(begun),
            read: at(begun, 5),
            first_record: at(begun, 6),
            last_record: at(begun, 6).zip(at(begun, 9)),
            signalled: at(begun, 9).zip(at(begun, 13)),
            ..Lap::default()
        };
        let phases = lap.phases();
        assert_eq!(phases.signal_ms, Some(4.0));
        assert_eq!((phases.decide_ms, phases.outcome_ms), (Some(1.0), Some(3.0)));
        assert_eq!((phases.intent_ms, phases.upstream_ms, phases.body_ms), (None, None, None));
    }

    #[test]
    fn requests_are_counted_and_only_reads_before_the_record_are_reading() {
        let watch = Arc::new(Stopwatch::default());
        watch.start();
        let target = |text: &'static str| {
            HeaderMap::from_iter([("x-amz-target".parse().unwrap(), text.parse().unwrap())])
        };
        watch.request(&target("TrentService.Decrypt")).done();
        assert_eq!(watch.read_out().read, None);
        watch.request(&target("DynamoDB_20120810.BatchGetItem")).done();
        let read = watch.read_out().read;
        assert!(read.is_some());
        watch.recorded(Instant::now(), None);
        watch.request(&target("DynamoDB_20120810.GetItem")).done();
        let lap = watch.read_out();
        assert_eq!((lap.read, lap.aws_requests, lap.kms_requests), (read, 3, 1));
        watch.start();
        assert_eq!(watch.read_out().aws_requests, 0);
    }
}
