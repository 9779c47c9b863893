//! `/v1/forward`: what goes out, what comes back, and how an error of the vault is told from one of the provider
//! (docs/forward.md).

use alter_domain::auth::signature::header;
use alter_tests::{GrantSpec, TestApp, TestVault, Upstream, reply};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::TOKEN;

async fn set_up() -> (TestApp, Upstream, alter_domain::api::GrantId) {
    let upstream = Upstream::echo().await;
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    (app, upstream, grant)
}

#[tokio::test]
async fn b006_method_target_headers_and_body_are_the_callers() {
    let (app, upstream, grant) = set_up().await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"] {
        let target = upstream.url("/v1/items?b=2&a=%2F");
        let request = app.client().forward(method, &target, grant).bytes("a\0b").header("x-trace", "1");
        let answer = request.header("content-type", "application/octet-stream").send().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let received = upstream.last();
        assert_eq!((received.method.as_str(), received.target.as_str()), (method, "/v1/items?b=2&a=%2F"));
        assert_eq!(received.body.as_ref(), b"a\0b");
        let mut names: Vec<_> = received.headers.keys().map(ToString::to_string).collect();
        names.sort();
        let expected =
            ["accept-encoding", "authorization", "content-length", "content-type", "host", "x-trace"];
        assert_eq!(names, expected);
        assert_eq!(received.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        assert_eq!(received.header("host"), Some(upstream.host().as_str()));
    }
}

#[tokio::test]
async fn head_has_no_body() {
    let (app, upstream, grant) = set_up().await;
    let answer = app.client().forward("HEAD", &upstream.url("/"), grant).send().await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    assert_eq!(upstream.last().method, "HEAD");
}

#[tokio::test]
async fn the_providers_errors_pass_and_bear_no_mark_of_the_vault() {
    let upstream = Upstream::serving(|received| async move {
        let mut response = reply(received.target[1..].parse().unwrap(), "{\"error\":\"theirs\"}");
        let headers = response.headers_mut();
        for (name, value) in [("alter-error", "forged"), ("alter-call-id", "forged"), ("x-theirs", "1")] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    })
    .await;
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    for status in [200, 301, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 504, 599] {
        app.vault.audit.forget();
        let answer = app.client().forward("GET", &upstream.url(&format!("/{status}")), grant).send().await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, "{\"error\":\"theirs\"}"));
        assert_eq!(answer.header("alter-error"), None);
        assert_eq!(answer.header("x-theirs"), Some("1"));
        // Before the end of the answer was passed on, the row was whole.
        let rows = app.vault.audit.calls();
        assert_eq!(rows.len(), 1);
        assert_eq!(answer.header("alter-call-id"), Some(rows[0].id.to_string().as_str()));
        assert_eq!(rows[0].outcome.as_ref().unwrap().status, Some(status));
    }
}

#[tokio::test]
async fn the_vaults_errors_name_their_code_in_a_header() {
    let (app, upstream, grant) = set_up().await;
    let client = app.client();
    let url = upstream.url("/");
    let target = |value: &str| client.request("GET", "/v1/forward").label(header::TARGET, value);
    let none = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90";
    let cases = [
        (client.forward("GET", &url, none), 404, "grant_not_found"),
        (client.forward("GET", &url, "no id"), 404, "grant_not_found"),
        (client.forward("GET", "https://evil.example/", grant), 422, "blocked_destination"),
        (client.forward("GET", &url, grant).header("authorization", "Bearer mine"), 422, "forbidden_header"),
        (client.forward("GET", &url, grant).header("cookie", "a=1"), 422, "forbidden_header"),
        (client.forward("TRACE", &url, grant), 422, "invalid_method"),
        (client.forward("GET", &url, grant).label(header::USER_TOKEN, "x"), 401, "jwt_validation_error"),
        (client.forward("GET", &url, grant).label(header::PROVIDER, "provider"), 400, "invalid_request"),
        (target(&url), 400, "invalid_request"),
        (
            client.request("GET", "/v1/forward").label(header::GRANT, &grant.to_string()),
            400,
            "invalid_request",
        ),
        (target(&url).label(header::PROVIDER, "nobody"), 404, "grant_not_found"),
        (
            target(&url).label(header::PROVIDER, "provider").label(header::ACCOUNT, "x"),
            404,
            "grant_not_found",
        ),
        (client.forward("GET", &url, grant).skew(301), 401, "timestamp_out_of_range"),
        (client.forward("GET", &url, grant).constraints("grants:read"), 403, "insufficient_scope"),
    ];
    for (request, status, code) in cases {
        let answer = request.send().await.refused(status, code);
        assert_eq!(answer.header("alter-error"), Some(code));
        assert_eq!(answer.header("alter-call-id"), None);
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn b102_a_signed_body_is_checked_before_anything_is_sent() {
    let (app, upstream, grant) = set_up().await;
    let url = upstream.url("/");
    let request = app.client().forward("POST", &url, grant).bytes("signed");
    let answer = request.tamper(|request| *request.body_mut() = "tampered".into()).send().await;
    let answer = answer.refused(401, "content_hash_mismatch");
    assert_eq!(answer.header("alter-error"), Some("content_hash_mismatch"));
    // Calling it unsigned afterwards does not help either.
    let request = app.client().forward("POST", &url, grant).bytes("signed").tamper(|request| {
        *request.body_mut() = "tampered".into();
        request.headers_mut().insert(header::CONTENT_SHA256, HeaderValue::from_static("UNSIGNED-PAYLOAD"));
    });
    request.send().await.refused(401, "invalid_signature");
    assert_eq!(upstream.connections(), 0);
    app.client().forward("POST", &url, grant).bytes("signed").send().await;
    assert_eq!(upstream.last().body, "signed");
}

#[tokio::test]
async fn b102_every_alter_header_is_covered_by_the_signature() {
    let (app, upstream, grant) = set_up().await;
    let url = upstream.url("/");
    let other = Upstream::echo().await;
    let all = [
        (header::TARGET, other.url("/")),
        (header::GRANT, "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90".to_owned()),
        (header::REASON, "another reason".to_owned()),
        (header::PROVIDER, "provider".to_owned()),
        (header::LABEL, "x".to_owned()),
        (header::ACCOUNT, "x".to_owned()),
        (header::USER_TOKEN, "x".to_owned()),
    ];
    for (name, value) in all {
        let request = app.client().forward("GET", &url, grant).label(header::REASON, "why");
        let changed = request.tamper(move |request| {
            request.headers_mut().insert(name, value.parse().unwrap());
        });
        changed.send().await.refused(401, "invalid_signature");
    }
    for name in [header::TARGET, header::GRANT, header::REASON] {
        let request = app.client().forward("GET", &url, grant).label(header::REASON, "why");
        let removed = request.tamper(move |request| {
            request.headers_mut().remove(name);
        });
        removed.send().await.refused(401, "invalid_signature");
        let request = app.client().forward("GET", &url, grant).label(header::REASON, "why");
        let twice = request.tamper(move |request| {
            request.headers_mut().append(name, HeaderValue::from_static("x"));
        });
        twice.send().await.refused(400, "invalid_request");
    }
    assert_eq!((upstream.connections(), other.connections()), (0, 0));
}

#[tokio::test]
async fn a_reason_in_any_script_is_recorded_word_for_word() {
    let (app, upstream, grant) = set_up().await;
    for (sent, recorded) in
        [("Because 100%25", "Because 100%"), ("%E8%8C%B6%20%3Cb%3E", "茶 <b>"), ("plain", "plain")]
    {
        app.vault.audit.forget();
        app.client().forward("GET", &upstream.url("/"), grant).label(header::REASON, sent).send().await;
        assert_eq!(app.vault.audit.calls()[0].call.as_ref().unwrap().reason.as_deref(), Some(recorded));
    }
}

#[tokio::test]
async fn b066_a_call_by_provider_and_label_streams_too() {
    let (app, upstream, _) = set_up().await;
    let secret = app.secret(alter_tests::SecretSpec::bearer("labelled", TOKEN, upstream.host())).await;
    app.grant(&secret, GrantSpec::group(&app.vault, "one")).await;
    app.grant(&secret, GrantSpec::group(&app.vault, "two")).await;
    let request = || app.client().request("GET", "/v1/forward").label(header::TARGET, &upstream.url("/"));
    let several = request().label(header::PROVIDER, "labelled").send().await.refused(409, "ambiguous_grant");
    assert_eq!(several.header("alter-error"), Some("ambiguous_grant"));
    let one = request().label(header::PROVIDER, "labelled").label(header::LABEL, "two").send().await;
    assert_eq!(one.status, StatusCode::OK, "{}", one.text());
    assert_eq!(upstream.hits(), 1);
    assert_eq!(app.vault.audit.calls().len(), 2);
    assert_eq!(json!(upstream.last().method), "GET");
}
