//! `cargo xtask lambda bench`: how fast each function starts and answers, beside one that does nothing.
//!
//! What it prints is of this machine, at this moment; the ratio to the empty function, measured in the same run and in
//! turns, is what can be compared.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    build::{self, Built, EMPTY},
    runtime::Environment,
};
use crate::{Context, command::Result};

/// How often each function is started.
const SPAWNS: usize = 25;
/// Answers of one environment after its first; their median is the warm answer.
const WARM: usize = 50;

const POLL_TARGET: Duration = Duration::from_millis(10);
const RATIO_TARGET: f64 = 3.0;
const MEMORY_TARGET_KIB: u64 = 16 << 10;

/// What one function's runs took.
#[derive(Default)]
struct Runs {
    polls: Vec<Duration>,
    resident_kib: Vec<u64>,
    first: Vec<Duration>,
    warm: Vec<Duration>,
}

/// `--spawns N` starts each function so often; `--as-built` takes what was built last.
pub(crate) fn run(context: &Context, arguments: &[&str]) -> Result {
    let mut spawns = SPAWNS;
    let mut as_built = false;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "--as-built" => as_built = true,
            "--spawns" => {
                let given = rest.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                spawns = given.ok_or("--spawns needs a number")?;
            }
            other => return Err(format!("{other} is no argument; usage: {}", super::USAGE).into()),
        }
    }
    let built = if as_built { build::inspect(context)? } else { build::run(context)? };
    let mut runs: Vec<Runs> = built.iter().map(|_| Runs::default()).collect();
    // In turns, so that what else the machine does meets all of them.
    for _ in 0..spawns {
        for (function, runs) in built.iter().zip(&mut runs) {
            measure(function, runs)?;
        }
    }
    let empty = built.iter().zip(&mut runs).find(|(function, _)| function.name == EMPTY);
    let empty = empty.map(|(_, runs)| median(&mut runs.polls)).ok_or("there is no empty function")?;
    println!(
        "\n{spawns} starts each; medians. Events are refused or empty: nothing outside the function is asked.\n\n\
         | function | spawn to first poll | of the empty one | resident at first poll | first answer | warm answer |\n\
         |---|---|---|---|---|---|"
    );
    for (function, runs) in built.iter().zip(&mut runs) {
        let poll = median(&mut runs.polls);
        let ratio = poll.as_secs_f64() / empty.as_secs_f64();
        let resident = median(&mut runs.resident_kib);
        println!(
            "| {} | {}{} | {ratio:.1} ×{} | {:.1} MB{} | {} | {} |",
            function.name,
            milliseconds(poll),
            mark(poll <= POLL_TARGET),
            mark(ratio <= RATIO_TARGET),
            // Shown to a tenth: exact enough in floating point.
            resident as f64 / 1024.0,
            mark(resident <= MEMORY_TARGET_KIB),
            answer(&mut runs.first),
            answer(&mut runs.warm),
        );
    }
    println!(
        "\n✗: misses its target (first poll within 10 ms and three times the empty function, at most 16 MB)."
    );
    Ok(())
}

fn measure(function: &Built, runs: &mut Runs) -> Result {
    let (mut environment, poll) = Environment::start(&function.binary, &variables())?;
    runs.polls.push(poll);
    runs.resident_kib.push(environment.resident()?);
    let Some(event) = event(function.name) else { return Ok(()) };
    let first = environment.invoke("00000000-0000-4000-8000-000000000000", &event)?;
    check(function.name, &first.body)?;
    runs.first.push(first.took);
    for number in 0..WARM {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        runs.warm.push(environment.invoke(&id, &event)?.took);
    }
    Ok(())
}

/// What Lambda and the template set. The account is one that answers nothing.
fn variables() -> Vec<(String, String)> {
    [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "example"),
        ("AWS_SESSION_TOKEN", "example"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ("ALTER_TABLE_MAIN", "main"),
        ("ALTER_TABLE_VAULT", "vault"),
        ("ALTER_TABLE_AUDIT", "audit"),
        (
            "ALTER_KMS_KEY_ID",
            "arn:aws:kms:eu-central-1:000000000000:key/00000000-0000-4000-8000-000000000000",
        ),
        ("ALTER_AUDIT_QUEUE_URL", "http://127.0.0.1:9/000000000000/audit"),
        ("ALTER_WORK_QUEUE_URL", "http://127.0.0.1:9/000000000000/work"),
        ("ALTER_PUBLIC_URL", "https://vault.example"),
        ("ALTER_WALLET_URL", "https://wallet.example"),
        ("ALTER_SETTINGS_SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:000000000000:secret:settings"),
        ("ALTER_LOG_LEVEL", "error"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// An event that a function answers by itself: a request without a key, a batch without a message that it could do something
/// about. The portal has none: it
/// looks first whether there is an installation.
fn event(name: &str) -> Option<String> {
    let event = match name {
        "portal" => return None,
        "audit-writer" => json!({ "Records": [] }),
        "worker" => json!({ "Records": [{ "messageId": "bench", "body": "no work" }] }),
        "connect" => http_event("POST", "/sdk/oauth/connect/session"),
        "wallet" => http_event("GET", "/wallet/api/session"),
        "webhook" => http_event("POST", "/webhooks/nobody/auth0"),
        "forward" => rest_event("GET", "/v1/forward"),
        "grants" => http_event("POST", "/sdk/grants/list"),
        "revoke" => http_event("POST", "/sdk/oauth/grants/00000000-0000-4000-8000-000000000000/revoke"),
        "audit-query" => http_event("GET", "/v1/audit"),
        _ => http_event("POST", "/sdk/proxy"),
    };
    Some(event.to_string())
}

/// As an HTTP API sends it (payload format 2.0).
fn http_event(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "vault.example", "content-type": "application/json", "x-forwarded-proto": "https" },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "bench",
            "domainName": "vault.example",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "bench",
            },
            "requestId": "bench",
            "routeKey": format!("{method} {path}"),
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_u64,
        },
        "body": "{}",
        "isBase64Encoded": false,
    })
}

/// As a REST API sends it.
fn rest_event(method: &str, path: &str) -> Value {
    json!({
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": { "Host": "vault.example" },
        "multiValueHeaders": { "Host": ["vault.example"] },
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "bench",
            "domainName": "vault.example",
            "httpMethod": method,
            "identity": { "sourceIp": "127.0.0.1", "userAgent": "bench" },
            "path": format!("/live{path}"),
            "protocol": "HTTP/1.1",
            "requestId": "bench",
            "requestTime": "01/Jan/2026:00:00:00 +0000",
            "requestTimeEpoch": 1_767_225_600_000_u64,
            "resourceId": "bench",
            "resourcePath": path,
            "stage": "live",
        },
        "body": null,
        "isBase64Encoded": false,
    })
}

/// A refusal of the vault's own is what is expected: anything else would be the time of something else.
fn check(name: &str, answer: &[u8]) -> Result {
    let text = String::from_utf8_lossy(answer);
    let right = match name {
        EMPTY => text.contains("requestContext"),
        "audit-writer" | "worker" => text.contains("batchItemFailures"),
        _ => text.contains("401"),
    };
    if right { Ok(()) } else { Err(format!("{name} answered {text}").into()) }
}

fn median<T: Copy + Ord + Default>(values: &mut [T]) -> T {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn answer(runs: &mut [Duration]) -> String {
    if runs.is_empty() { "–".to_owned() } else { milliseconds(median(runs)) }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

fn mark(held: bool) -> &'static str {
    if held { "" } else { " ✗" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lambda::FUNCTIONS;

    #[test]
    fn every_function_but_the_portal_has_an_event_of_its_own() {
        let mut events: Vec<_> = FUNCTIONS.iter().filter_map(|function| event(function.binary())).collect();
        events.sort_unstable();
        events.dedup();
        assert_eq!(events.len(), FUNCTIONS.len() - 1);
    }

    #[test]
    fn medians_are_of_sorted_values() {
        assert_eq!(median(&mut [3, 1, 2]), 2);
        assert_eq!(median::<u64>(&mut []), 0);
        assert_eq!(milliseconds(Duration::from_micros(1234)), "1.23 ms");
    }

    #[test]
    fn an_unexpected_answer_is_no_measurement() {
        assert!(check("proxy", br#"{"statusCode":401}"#).is_ok());
        assert!(check("proxy", br#"{"statusCode":500}"#).is_err());
        assert!(check("audit-writer", br#"{"batchItemFailures":[]}"#).is_ok());
    }
}
