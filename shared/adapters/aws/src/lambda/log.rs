//! The log: JSON lines on standard output, where Lambda collects them.
//!
//! Every invocation ends in one line that is two things at once: what happened, with the ids to find it by (`request_id` is
//! the `X-Request-ID` of the answer, `call_id` the audit event, `invocation_id` Lambda's) and the time that each part took;
//! and a metric in CloudWatch's embedded format (namespace `AlterVault`, dimensions `Function` and `Outcome`), for which
//! nobody has to be called. No line holds a path, a header, a body, a reason or a key.

use std::{io::Write as _, process::ExitCode, str::FromStr as _, time::SystemTime};

use serde::Serialize;
use serde_json::json;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{StartError, runtime_api::Invocation, trace};
use crate::stopwatch::{Lap, Phases, millis};

/// Starts the log; the level is that of `ALTER_LOG_LEVEL`, also by part (`info,alter_domain=debug`).
pub(super) fn start(level: Option<&str>) -> Result<(), StartError> {
    let targets = Targets::from_str(level.unwrap_or("info"))
        .map_err(|_| "ALTER_LOG_LEVEL is not a level: error, warn, info, debug or trace")?;
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false);
    tracing_subscriber::registry().with(targets).with(lines).try_init()?;
    Ok(())
}

/// The last line of a process.
pub(super) fn fatal(what: &str, error: &dyn std::error::Error) -> ExitCode {
    write(
        &json!({ "timestamp": rfc3339(now_ms()), "level": "ERROR", "message": what, "error": error.to_string() }),
    );
    ExitCode::FAILURE
}

/// An invocation that has been answered.
pub(super) struct Ended<'a> {
    pub(super) function: &'static str,
    pub(super) invocation: &'a Invocation,
    /// Of the answer.
    pub(super) status: u16,
    pub(super) request_id: Option<&'a str>,
    pub(super) lap: &'a Lap,
}

pub(super) fn line(ended: &Ended<'_>) {
    write(&Line::new(ended, now_ms()));
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    message: &'static str,
    #[serde(rename = "_aws")]
    metric: serde_json::Value,
    #[serde(rename = "Function")]
    function: &'static str,
    #[serde(rename = "Outcome")]
    outcome: &'a str,
    #[serde(rename = "Calls")]
    calls: u32,
    #[serde(rename = "LatencyMs")]
    latency_ms: f64,
    /// What the vault itself took: all but waiting for the provider and its body.
    #[serde(rename = "VaultMs")]
    vault_ms: f64,
    #[serde(rename = "UpstreamMs", skip_serializing_if = "Option::is_none")]
    upstream_ms: Option<f64>,
    invocation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    xray_trace_id: Option<String>,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_status: Option<u16>,
    phases: Phases,
    aws_requests: u32,
    kms_requests: u32,
}

impl<'a> Line<'a> {
    fn new(ended: &'a Ended<'a>, timestamp_ms: u64) -> Self {
        let lap = ended.lap;
        let phases = lap.phases();
        let call = lap.call.as_ref();
        let latency_ms = millis(lap.total());
        let upstream_ms = phases.upstream_ms.map(|head| head + phases.body_ms.unwrap_or(0.0));
        Self {
            timestamp: rfc3339(timestamp_ms),
            level: "INFO",
            message: "invocation",
            metric: metric(timestamp_ms, upstream_ms.is_some()),
            function: ended.function,
            outcome: call.map_or_else(|| outcome(ended.status), |call| call.outcome.kind.as_str()),
            calls: 1,
            latency_ms,
            vault_ms: latency_ms - upstream_ms.unwrap_or(0.0),
            upstream_ms,
            invocation_id: &ended.invocation.request_id,
            request_id: ended.request_id,
            trace_id: trace::id(ended.invocation, lap),
            xray_trace_id: trace::root(ended.invocation).map(str::to_owned),
            status: ended.status,
            call_id: call.map(|call| call.id.as_str()),
            app_id: call.and_then(|call| call.app_id.as_deref()),
            code: call.and_then(|call| call.outcome.code.as_deref()),
            provider_status: call.and_then(|call| call.outcome.status),
            phases,
            aws_requests: lap.aws_requests,
            kms_requests: lap.kms_requests,
        }
    }
}

/// The outcome of what is not a call, in the words of a call's.
fn outcome(status: u16) -> &'static str {
    match status {
        ..=399 => "success",
        400..=499 => "denied",
        _ => "vault_error",
    }
}

/// CloudWatch's embedded metric format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
fn metric(timestamp_ms: u64, upstream: bool) -> serde_json::Value {
    let milliseconds = |name: &str| json!({ "Name": name, "Unit": "Milliseconds" });
    let mut metrics =
        vec![json!({ "Name": "Calls", "Unit": "Count" }), milliseconds("LatencyMs"), milliseconds("VaultMs")];
    if upstream {
        metrics.push(milliseconds("UpstreamMs"));
    }
    json!({
        "Timestamp": timestamp_ms,
        "CloudWatchMetrics": [{
            "Namespace": "AlterVault",
            "Dimensions": [["Function", "Outcome"]],
            "Metrics": metrics,
        }],
    })
}

fn rfc3339(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

#[allow(clippy::disallowed_methods, reason = "a log line's time is when it is written")]
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(0)
}

/// One line. A log that cannot be written is no reason to fail.
fn write(line: &impl Serialize) {
    if let Ok(mut text) = serde_json::to_vec(line) {
        text.push(b'\n');
        std::io::stdout().lock().write_all(&text).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::stopwatch::{RecordedCall, RecordedFacts, RecordedOutcome};

    fn invocation() -> Invocation {
        Invocation {
            request_id: "6bc28136".to_owned(),
            trace: Some(
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".to_owned(),
            ),
            body: bytes::Bytes::from_static(b"{\"body\":\"hunter2\"}"),
        }
    }

    fn line_of(status: u16, lap: &Lap) -> serde_json::Value {
        let invocation = invocation();
        let ended =
            Ended { function: "proxy", invocation: &invocation, status, request_id: Some("r-1"), lap };
        serde_json::to_value(Line::new(&ended, 1_760_000_000_000)).unwrap()
    }

    #[test]
    fn a_call_is_a_line_and_a_metric() {
        let begun = Instant::now();
        let at = |ms| Some(begun + Duration::from_millis(ms));
        let lap = Lap {
            begun: Some(begun),
            read: at(5),
            first_record: at(6),
            sent: at(14),
            head: at(114),
            last_record: at(120).zip(at(127)),
            aws_requests: 4,
            call: Some(RecordedCall {
                id: "0190-call".to_owned(),
                app_id: Some("0190-app".to_owned()),
                outcome: RecordedOutcome { kind: "provider_error".to_owned(), status: Some(404), code: None },
                call: Some(RecordedFacts {
                    traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
                }),
            }),
            ..Lap::default()
        };
        let line = line_of(200, &lap);
        assert_eq!((&line["timestamp"], &line["level"]), (&json!("2025-10-09T08:53:20Z"), &json!("INFO")));
        assert_eq!((&line["Function"], &line["Outcome"]), (&json!("proxy"), &json!("provider_error")));
        assert_eq!((&line["UpstreamMs"], &line["Calls"]), (&json!(106.0), &json!(1)));
        assert_eq!((&line["call_id"], &line["app_id"]), (&json!("0190-call"), &json!("0190-app")));
        assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(line["xray_trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
        assert_eq!((&line["provider_status"], &line["phases"]["intent_ms"]), (&json!(404), &json!(8.0)));
        let metric = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(metric["Namespace"], "AlterVault");
        for dimension in metric["Dimensions"][0].as_array().unwrap() {
            assert!(line[dimension.as_str().unwrap()].is_string());
        }
        let names: Vec<_> =
            metric["Metrics"].as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Calls", "LatencyMs", "VaultMs", "UpstreamMs"]);
        assert!(names.iter().all(|name| line[name].is_number()));
        assert!(!line.to_string().contains("hunter2"));
    }

    #[test]
    fn what_is_no_call_is_judged_by_its_answer() {
        let lap = Lap { begun: Some(Instant::now()), ..Lap::default() };
        for (status, outcome) in
            [(200, "success"), (302, "success"), (401, "denied"), (500, "vault_error"), (503, "vault_error")]
        {
            let line = line_of(status, &lap);
            assert_eq!(line["Outcome"], outcome);
            assert_eq!(line.get("UpstreamMs"), None);
            assert_eq!(line["trace_id"], "5759e988bd862e3fe1be46a994272793");
        }
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        assert!(start(Some("loud=very,")).is_err());
    }
}
