//! What `/sdk/proxy` makes of a provider's answers (wire protocol section 4.1).

use std::pin::Pin;

use alter_tests::{TestApp, TestVault, Upstream, reply};
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder};
use axum::{body::Body, response::Response};
use http::{HeaderValue, header};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::{TOKEN, get};

const LIMIT: usize = 5 * 1024 * 1024;

/// An app, and a provider that answers so.
async fn answering<R>(
    handler: impl Fn(alter_tests::Received) -> R + Send + Sync + 'static,
) -> (TestApp, Upstream, Value)
where
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let upstream = Upstream::serving(handler).await;
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    let call = get(&upstream.url("/"), grant);
    (app, upstream, call)
}

#[tokio::test]
async fn b006_every_status_of_the_provider_comes_as_200() {
    let status = |received: &alter_tests::Received| received.target.trim_start_matches('/').parse().unwrap();
    let (app, upstream, call) = answering(move |received| async move { reply(status(&received), "x") }).await;
    for status in 200..600 {
        let mut call = call.clone();
        call["url"] = upstream.url(&format!("/{status}")).into();
        let json = app.client().proxy(&call).await.ok();
        assert_eq!(json["status_code"], status);
        assert_eq!(json["credential_hint"].is_string(), status == 401 || status == 403, "{status}: {json}");
    }
    assert_eq!(upstream.hits(), 400);
}

#[tokio::test]
async fn b006_every_byte_comes_back_in_standard_base64() {
    let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let sent = bytes.clone();
    let (app, _upstream, call) = answering(move |_| {
        let sent = sent.clone();
        async move { reply(200, sent) }
    })
    .await;
    let answer = app.client().proxy(&call).await;
    assert_eq!(answer.provider_body(), bytes);
    let json = answer.ok();
    let text = json["body_b64"].as_str().unwrap();
    assert!(
        text.ends_with('=') && text.contains('+') && text.contains('/') && !text.contains('\n'),
        "{text}"
    );
    assert_eq!(json["body_truncated"], false);
}

#[tokio::test]
async fn b006_an_empty_body_is_an_empty_text() {
    for (method, status) in [("GET", 200), ("HEAD", 200), ("GET", 204), ("DELETE", 204), ("GET", 304)] {
        let (app, upstream, mut call) = answering(move |received| async move {
            // A server's answer to HEAD has the length and no body.
            reply(status, if received.method == "HEAD" { "body that is not sent" } else { "" })
        })
        .await;
        call["method"] = method.into();
        let json = app.client().proxy(&call).await.ok();
        assert_eq!(
            (json["status_code"].as_u64(), json["body_b64"].as_str()),
            (Some(u64::from(status)), Some(""))
        );
        assert_eq!(upstream.last().method, method);
    }
}

#[tokio::test]
async fn b006_headers_are_texts_and_repeated_ones_are_joined() {
    let (app, _upstream, call) = answering(|_| async {
        let mut response = reply(200, "x");
        let headers = response.headers_mut();
        for (name, value) in [
            ("x-many", "a"),
            ("x-many", "b, c"),
            ("x-one", "1"),
            ("set-cookie", "session=1"),
            ("proxy-authenticate", "Basic"),
            ("alter-error", "forged"),
            ("x-alter-actor-id", "forged"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("www-authenticate", "Bearer realm=\"x\""),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers.append("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        response
    })
    .await;
    let json = app.client().proxy(&call).await.ok();
    let headers = json["headers"].as_object().unwrap();
    assert!(headers.values().all(Value::is_string), "{headers:?}");
    assert_eq!(headers["x-many"], "a, b, c");
    assert_eq!(headers["x-one"], "1");
    assert_eq!(headers["x-latin"], "café");
    assert_eq!(headers["www-authenticate"], "Bearer realm=\"x\"");
    let gone = ["set-cookie", "proxy-authenticate", "alter-error", "x-alter-actor-id", "connection", "x-hop"];
    for name in gone {
        assert!(!headers.contains_key(name), "{name} came through");
    }
}

#[tokio::test]
async fn a_reply_of_five_megabytes_is_whole_and_one_byte_more_is_cut() {
    for (length, truncated) in [(LIMIT, false), (LIMIT + 1, true), (LIMIT + 70_000, true)] {
        let (app, _upstream, call) = answering(move |_| async move { reply(200, vec![b'x'; length]) }).await;
        let answer = app.client().proxy(&call).await;
        assert_eq!(answer.provider_body().len(), LIMIT, "{length}");
        assert_eq!(answer.ok()["body_truncated"], truncated, "{length}");
        let outcome = app.vault.audit.final_call().await.outcome.unwrap();
        assert_eq!((outcome.truncated, outcome.response_bytes), (truncated, Some(LIMIT as u64)));
    }
}

async fn encoded(encoding: &str, plain: &'static [u8]) -> Vec<u8> {
    let mut reader: Pin<Box<dyn AsyncRead + Send>> = match encoding {
        "gzip" => Box::pin(GzipEncoder::new(plain)),
        "deflate" => Box::pin(ZlibEncoder::new(plain)),
        _ => Box::pin(BrotliEncoder::new(plain)),
    };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn content_encodings_are_undone() {
    const PLAIN: &[u8] = b"{\"many\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}";
    for encoding in ["gzip", "deflate", "br"] {
        let (app, upstream, call) = answering(move |_| async move {
            let mut response = reply(200, encoded(encoding, PLAIN).await);
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            response
        })
        .await;
        let answer = app.client().proxy(&call).await;
        assert_eq!(answer.provider_body(), PLAIN, "{encoding}");
        let json = answer.ok();
        assert!(json["headers"].get("content-encoding").is_none(), "{encoding}");
        assert_eq!(upstream.last().header("accept-encoding"), Some("identity"));
    }
}

#[tokio::test]
async fn an_encoding_that_is_not_understood_is_no_answer() {
    let (app, _upstream, call) = answering(|_| async {
        let mut response = reply(200, "x");
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("zstd"));
        response
    })
    .await;
    app.client().proxy(&call).await.refused(502, "upstream_error");
}

#[tokio::test]
async fn b098_a_redirect_is_returned_and_not_followed() {
    let elsewhere = Upstream::echo().await;
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url("/stolen");
        let (app, upstream, call) = answering(move |_| {
            let location = location.clone();
            async move {
                let mut response = reply(status, "");
                response.headers_mut().insert(header::LOCATION, location.parse().unwrap());
                response
            }
        })
        .await;
        let json = app.client().proxy(&call).await.ok();
        assert_eq!(json["status_code"], status);
        assert_eq!(json["headers"]["location"], elsewhere.url("/stolen"));
        assert_eq!(upstream.hits(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn b015_the_answer_names_its_row() {
    let (app, _upstream, call) = answering(|_| async { reply(418, "tea") }).await;
    let mut call = call;
    call["reason"] = "Brew <b>tea</b> — 茶".into();
    let json = app.client().proxy(&call).await.ok();
    let rows = app.vault.audit.calls();
    assert_eq!(rows.len(), 1);
    assert_eq!(json["call_id"], rows[0].id.to_string());
    let outcome = rows[0].outcome.as_ref().unwrap();
    assert_eq!((outcome.kind.as_str(), outcome.status), ("provider_error", Some(418)));
    assert_eq!(rows[0].call.as_ref().unwrap().reason.as_deref(), Some("Brew <b>tea</b> — 茶"));
    assert!(json["duration_ms"].is_u64());
    assert!(json.get("approval_id").is_none_or(Value::is_null));
}

#[tokio::test]
async fn answers_of_the_vault_are_not_stored_or_sniffed() {
    let (app, _upstream, call) = answering(|_| async { reply(200, "x") }).await;
    let answer = app.client().proxy(&call).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-request-id").is_some_and(|id| id.len() == 36));
    let named =
        app.client().request("POST", "/sdk/proxy").json(&call).header("x-request-id", "mine-1").send().await;
    assert_eq!(named.header("x-request-id"), Some("mine-1"));
    let forged =
        app.client().request("POST", "/sdk/proxy").json(&call).header("x-request-id", "a b").send().await;
    assert_ne!(forged.header("x-request-id"), Some("a b"));
}
