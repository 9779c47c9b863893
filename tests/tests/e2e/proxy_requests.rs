//! What reaches the provider of a call through `/sdk/proxy` (wire protocol section 4.1).

use alter_tests::{GrantSpec, Received, SecretSpec, TestApp, TestVault, Upstream};
use serde_json::{Value, json};

use crate::{TOKEN, get};

async fn set_up() -> (TestApp, Upstream, Value) {
    let upstream = Upstream::echo().await;
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    let call = get(&upstream.url("/v1/items"), grant);
    (app, upstream, call)
}

/// Makes the call with these fields and returns what the provider got.
async fn sent(app: &TestApp, upstream: &Upstream, call: &Value, fields: Value) -> Received {
    let mut call = call.clone();
    call.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.client().proxy(&call).await.ok();
    upstream.last()
}

#[tokio::test]
async fn methods_are_passed_on() {
    let (app, upstream, call) = set_up().await;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let received = sent(&app, &upstream, &call, json!({ "method": method })).await;
        assert_eq!(received.method, method);
        assert_eq!(received.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    }
}

#[tokio::test]
async fn query_params_are_merged_with_the_query_of_the_url() {
    let (app, upstream, call) = set_up().await;
    let url = upstream.url("/v1/items?a=1&b=%2F+x#fragment");
    let params = json!({
        "c": ["x", 2, true, null], "d": null, "e": "a b&c=d/ä", "f": 1.5, "g": false, "h": {"k": 1}, "a": "again"
    });
    let received = sent(&app, &upstream, &call, json!({ "url": url, "query_params": params })).await;
    assert_eq!(
        received.target,
        "/v1/items?a=1&b=%2F+x&a=again&c=x&c=2&c=true&e=a+b%26c%3Dd%2F%C3%A4&f=1.5&g=false&h=%7B%22k%22%3A1%7D"
    );
    let nested = json!({ "query_params": { "a": [["b"]] } });
    let mut call = call;
    call.as_object_mut().unwrap().extend(nested.as_object().unwrap().clone());
    app.client().proxy(&call).await.refused(400, "invalid_request");
    assert_eq!(upstream.hits(), 1);
}

#[tokio::test]
async fn any_json_is_a_body_and_is_sent_as_it_came() {
    let (app, upstream, mut call) = set_up().await;
    call["method"] = "POST".into();
    for body in
        [json!({"b": 1, "a": [null, 2.50, "x"]}), json!("text"), json!(7), json!(true), json!([]), json!("")]
    {
        let received = sent(&app, &upstream, &call, json!({ "body": body })).await;
        assert_eq!(received.json(), body);
        assert_eq!(received.header("content-type"), Some("application/json"));
        assert_eq!(received.header("content-length"), Some(received.body.len().to_string().as_str()));
    }
    // Spelling, order and precision are the caller's.
    let raw = call.to_string().replacen(
        '{',
        "{\"body\":{\"z\":1.0, \"a\":1e2,\"n\":123456789012345678901234567890},",
        1,
    );
    app.client().request("POST", "/sdk/proxy").bytes(raw).send().await.ok();
    assert_eq!(upstream.last().body, "{\"z\":1.0, \"a\":1e2,\"n\":123456789012345678901234567890}");
}

#[tokio::test]
async fn the_content_type_is_json_unless_the_caller_names_another() {
    let (app, upstream, mut call) = set_up().await;
    call["method"] = "POST".into();
    let named = |kind: &str, body: Value| json!({ "headers": { "Content-Type": kind }, "body": body });
    let patch = sent(&app, &upstream, &call, named("application/merge-patch+json", json!("text"))).await;
    assert_eq!(
        (patch.header("content-type"), patch.body.as_ref()),
        (Some("application/merge-patch+json"), &b"\"text\""[..])
    );
    let form =
        sent(&app, &upstream, &call, named("application/x-www-form-urlencoded", json!("a=1&b=\u{e4}\n")))
            .await;
    assert_eq!(form.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(form.body, "a=1&b=\u{e4}\n");
    let none = sent(&app, &upstream, &call, json!({})).await;
    assert_eq!((none.header("content-type"), none.body.len()), (None, 0));
}

#[tokio::test]
async fn headers_are_passed_on_and_those_of_the_vault_are_not() {
    let (app, upstream, mut call) = set_up().await;
    call["headers"] =
        json!({ "X-Trace": "1", "Accept": "text/plain", "If-Match": "\"a\"", "User-Agent": "mine/1" });
    call["reason"] = "because".into();
    let client = app.client();
    let request = client.request("POST", "/sdk/proxy").json(&call).header("traceparent", "00-a-b-01");
    request.label("x-alter-caller", "svc").label("x-alter-context", "{\"tool\":\"t\"}").send().await.ok();
    let received = upstream.last();
    let mut names: Vec<_> = received.headers.keys().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(
        names,
        ["accept", "accept-encoding", "authorization", "host", "if-match", "user-agent", "x-trace"]
    );
    assert_eq!(received.header("host"), Some(upstream.host().as_str()));
    assert_eq!(received.header("user-agent"), Some("mine/1"));
}

#[tokio::test]
async fn default_headers_are_added_unless_the_caller_sets_them() {
    let (app, upstream, mut call) = set_up().await;
    let spec = SecretSpec::bearer("dated", TOKEN, upstream.host());
    let secret = app.secret(SecretSpec { default_headers: vec![("x-version", "2024-06-20")], ..spec }).await;
    call["grant_id"] = json!(app.grant(&secret, GrantSpec::system()).await);
    let received = sent(&app, &upstream, &call, json!({})).await;
    assert_eq!(received.header("x-version"), Some("2024-06-20"));
    let received = sent(&app, &upstream, &call, json!({ "headers": { "X-Version": "2020-01-01" } })).await;
    let values: Vec<_> = received.headers.get_all("x-version").iter().collect();
    assert_eq!(values, ["2020-01-01"]);
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_null_is_absent() {
    let (app, upstream, call) = set_up().await;
    let fields =
        json!({ "provider_id": null, "label": null, "body": null, "reason": null, "new_field": { "x": 1 } });
    let received = sent(&app, &upstream, &call, fields).await;
    assert_eq!((received.target.as_str(), received.body.len()), ("/v1/items", 0));
}
