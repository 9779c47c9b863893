//! Traces. Lambda records its own segment of every invocation that is sampled. A caller's trace is another one: the gateway
//! knows X-Ray's header and not `traceparent` (<https://www.w3.org/TR/trace-context/>). So a call whose caller sent one, with
//! the sampled flag, is also recorded as a segment of the caller's trace, below the caller's span, with the parts of the call
//! below it; it names Lambda's own trace, which leads to the rest. X-Ray's and W3C's trace ids are the same 128 bits.
//!
//! What is not done: no OTLP exporter (it would double the binary), no attributes beyond those below, and no `traceparent` of
//! our own towards the provider (the caller's is passed on like any header on `/v1/forward`).

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Value, json};

use super::runtime_api::Invocation;
use crate::stopwatch::Lap;

/// X-Ray's own id of the invocation's trace: `1-5759e988-bd862e3fe1be46a994272793`.
pub(super) fn root(invocation: &Invocation) -> Option<&str> {
    invocation.trace.as_deref()?.split(';').find_map(|part| part.trim().strip_prefix("Root="))
}

/// The trace to look for, in W3C's form: the caller's if it sent one, or else Lambda's.
pub(super) fn id(invocation: &Invocation, lap: &Lap) -> Option<String> {
    if let Some(parent) = parent(lap) {
        return Some(parent.trace_id);
    }
    let id: String = root(invocation)?.strip_prefix("1-")?.chars().filter(|c| *c != '-').collect();
    is_hex(&id, 32).then_some(id)
}

/// Records a call in its caller's trace: one datagram to the daemon beside the process. A trace is never worth a failure.
pub(super) fn send(daemon: Option<SocketAddr>, function: &str, invocation: &Invocation, lap: &Lap) {
    let Some(daemon) = daemon else { return };
    let Some(segment) = segment(function, invocation, lap, epoch()) else { return };
    let datagram = format!("{{\"format\":\"json\",\"version\":1}}\n{segment}");
    let any: SocketAddr = if daemon.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    if let Err(error) = UdpSocket::bind(any).and_then(|socket| socket.send_to(datagram.as_bytes(), daemon)) {
        tracing::debug!(%error, "the trace was not sent");
    }
}

/// A valid, sampled or unsampled `traceparent`.
struct Parent {
    trace_id: String,
    span_id: String,
    sampled: bool,
}

fn parent(lap: &Lap) -> Option<Parent> {
    let text = lap.call.as_ref()?.call.as_ref()?.traceparent.as_deref()?;
    let mut parts = text.split('-');
    let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let whole = version != "00" || parts.next().is_none();
    let known = is_hex(version, 2) && version != "ff" && is_hex(flags, 2);
    let ids = is_hex(trace_id, 32) && is_hex(span_id, 16);
    let zero = trace_id.bytes().all(|b| b == b'0') || span_id.bytes().all(|b| b == b'0');
    if !(whole && known && ids) || zero {
        return None;
    }
    let sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
    Some(Parent { trace_id: trace_id.to_owned(), span_id: span_id.to_owned(), sampled })
}

/// The segment document (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>); times in
/// seconds.
fn segment(function: &str, invocation: &Invocation, lap: &Lap, now: f64) -> Option<Value> {
    let parent = parent(lap).filter(|parent| parent.sampled)?;
    let call = lap.call.as_ref()?;
    let begun = lap.begun?;
    let ended = begun + lap.total();
    let at = |instant: Instant| now - ended.saturating_duration_since(instant).as_secs_f64();
    let (time, random) = parent.trace_id.split_at_checked(8)?;
    let part = |name: &str, from: Option<Instant>, to: Option<Instant>, place: usize| {
        let (from, to) = (from?, to?);
        Some(
            json!({ "name": name, "id": span_id(&call.id, place)?, "start_time": at(from), "end_time": at(to) }),
        )
    };
    let outcome = lap.last_record;
    let parts: Vec<Value> = [
        part("read", lap.begun, lap.read, 1),
        part("intent", lap.first_record, lap.sent, 2),
        part("provider", lap.sent, lap.head, 3),
        part("outcome", outcome.map(|(from, _)| from), outcome.map(|(_, to)| to), 4),
    ]
    .into_iter()
    .flatten()
    .collect();
    Some(json!({
        "name": "alter-vault",
        "trace_id": format!("1-{time}-{random}"),
        "parent_id": parent.span_id,
        "id": span_id(&call.id, 0)?,
        "start_time": at(begun),
        "end_time": now,
        "fault": call.outcome.kind == "vault_error",
        "error": call.outcome.kind != "success",
        "annotations": {
            "function": function,
            "outcome": call.outcome.kind,
            "call_id": call.id,
            "lambda_trace": root(invocation).unwrap_or_default(),
        },
        "subsegments": parts,
    }))
}

/// 16 hex digits from the random end of the call's id, a different one for each part.
fn span_id(call_id: &str, place: usize) -> Option<String> {
    let random = u64::from_str_radix(call_id.replace('-', "").get(16..)?, 16).ok()?;
    Some(format!("{:016x}", random.rotate_left(8).wrapping_add(place as u64)))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[allow(clippy::disallowed_methods, reason = "the present moment, to place monotonic times by")]
fn epoch() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stopwatch::{RecordedCall, RecordedFacts, RecordedOutcome};

    const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn lap(traceparent: &str) -> Lap {
        let begun = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let at = |ms| Some(begun + Duration::from_millis(ms));
        Lap {
            begun: Some(begun),
            read: at(5),
            first_record: at(6),
            sent: at(10),
            head: at(60),
            last_record: at(61).zip(at(66)),
            call: Some(RecordedCall {
                id: "0190a1b2-0000-7000-8000-0123456789ab".to_owned(),
                app_id: None,
                outcome: RecordedOutcome { kind: "success".to_owned(), status: Some(200), code: None },
                call: Some(RecordedFacts { traceparent: Some(traceparent.to_owned()) }),
            }),
            ..Lap::default()
        }
    }

    fn invocation() -> Invocation {
        let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        Invocation { request_id: "r".to_owned(), trace: Some(trace.to_owned()), body: bytes::Bytes::new() }
    }

    #[test]
    fn a_call_joins_its_callers_trace() {
        let segment = segment("proxy", &invocation(), &lap(CALLER), 1_760_000_000.5).unwrap();
        assert_eq!(segment["trace_id"], "1-0af76519-16cd43dd8448eb211c80319c");
        assert_eq!(segment["parent_id"], "b7ad6b7169203331");
        assert_eq!(segment["annotations"]["lambda_trace"], "1-5759e988-bd862e3fe1be46a994272793");
        let parts = segment["subsegments"].as_array().unwrap();
        let names: Vec<_> = parts.iter().map(|part| part["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["read", "intent", "provider", "outcome"]);
        let ids: std::collections::HashSet<_> =
            parts.iter().chain([&segment]).map(|part| part["id"].as_str().unwrap()).collect();
        assert!(ids.len() == 5 && ids.iter().all(|id| is_hex(id, 16)));
        let provider = &parts[2];
        let took = provider["end_time"].as_f64().unwrap() - provider["start_time"].as_f64().unwrap();
        assert!((took - 0.05).abs() < 0.001, "{took}");
    }

    #[test]
    fn what_is_not_sampled_or_not_valid_is_not_recorded() {
        for text in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "hello",
            "",
        ] {
            assert!(segment("proxy", &invocation(), &lap(text), 0.0).is_none(), "{text}");
        }
        // A version that we do not know may carry more.
        assert!(parent(&lap("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more")).is_some());
    }

    #[test]
    fn the_daemon_gets_one_datagram() {
        let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
        send(daemon.local_addr().ok(), "proxy", &invocation(), &lap(CALLER));
        let mut buffer = [0; 4096];
        let length = daemon.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        let (header, document) = text.split_once('\n').unwrap();
        assert_eq!(header, r#"{"format":"json","version":1}"#);
        assert_eq!(serde_json::from_str::<Value>(document).unwrap()["name"], "alter-vault");
    }
}
