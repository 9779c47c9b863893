//! Calls through `/sdk/proxy` that are refused before the provider is reached (wire protocol section 4.1).

use alter_domain::egress::FORBIDDEN_REQUEST_HEADERS;
use alter_tests::{TestApp, TestVault, Upstream};
use serde_json::{Value, json};

use crate::{TOKEN, get};

async fn set_up() -> (TestApp, Upstream, Value) {
    let upstream = Upstream::echo().await;
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    let call = get(&upstream.url("/"), grant);
    (app, upstream, call)
}

/// The list of the protocol, spelled here once more: a name that is taken off the product's list is missed.
const FORBIDDEN: [&str; 18] = [
    "host",
    "authorization",
    "proxy-authorization",
    "authentication",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-amz-security-token",
    "x-amz-date",
    "x-amz-content-sha256",
    "x-goog-authorization",
    "x-goog-iam-authorization-token",
    "x-stripe-account",
    "x-shopify-access-token",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

#[tokio::test]
async fn b097_forbidden_headers_are_refused_in_every_spelling() {
    assert_eq!(FORBIDDEN_REQUEST_HEADERS, FORBIDDEN);
    let (app, upstream, mut call) = set_up().await;
    let more = ["transfer-encoding", "content-length", "connection", "alter-target", "x-alter-signature"];
    for name in FORBIDDEN.into_iter().chain(more) {
        let title: String =
            name.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect::<Vec<_>>().join("-");
        for spelling in
            [name.to_owned(), name.to_uppercase(), title, format!(" {name}"), format!("{name}\t ")]
        {
            call["headers"] = json!({ spelling.clone(): "1" });
            app.client().proxy(&call).await.refused(422, "forbidden_header");
        }
    }
    // Not a token, or a value that would become a second header.
    let bad = [
        ("a b", "1"),
        ("", "1"),
        ("x:y", "1"),
        ("x\r\ny", "1"),
        ("x", "1\r\nauthorization: mine"),
        ("x", "\0"),
        ("ü", "1"),
    ];
    for (name, value) in bad {
        call["headers"] = json!({ name: value });
        app.client().proxy(&call).await.refused(422, "forbidden_header");
    }
    assert_eq!(upstream.connections(), 0);
    assert!(
        app.vault.audit.calls().iter().all(|row| row.outcome.as_ref().unwrap().kind.as_str() == "denied")
    );
}

#[tokio::test]
async fn b096_a_host_that_is_not_on_the_list_is_refused() {
    let (app, upstream, mut call) = set_up().await;
    let elsewhere = Upstream::echo().await;
    let port = upstream.addr.port();
    for url in [
        elsewhere.url("/"),
        format!("http://localhost:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("https://127.0.0.1:{port}.evil.example/"),
        format!("http://user:secret@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}@evil.example/"),
        format!("http://127.0.0.1:{port}\\@evil.example/"),
        "http://127.0.0.1/".to_owned(),
        "https://api.stripe.com/v1/charges".to_owned(),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "ftp://127.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "/relative".to_owned(),
        String::new(),
    ] {
        call["url"] = url.clone().into();
        let answer = app.client().proxy(&call).await.refused(422, "blocked_destination");
        assert!(answer.header("x-request-id").is_some(), "{url}");
    }
    assert_eq!((upstream.connections(), elsewhere.connections()), (0, 0));
}

#[tokio::test]
async fn a_url_of_more_than_65536_characters_is_refused() {
    let (app, upstream, mut call) = set_up().await;
    let long = |length: usize| {
        let start = upstream.url("/?q=");
        format!("{start}{}", "x".repeat(length - start.len()))
    };
    call["url"] = long(65_536).into();
    app.client().proxy(&call).await.ok();
    call["url"] = long(65_537).into();
    app.client().proxy(&call).await.refused(422, "query_too_long");
    // What counts is the URL that would be sent.
    call["url"] = upstream.url("/").into();
    call["query_params"] = json!({ "q": "ä".repeat(20_000) });
    app.client().proxy(&call).await.refused(422, "query_too_long");
    assert_eq!(upstream.hits(), 1);
}

#[tokio::test]
async fn methods_that_open_a_tunnel_or_echo_are_refused() {
    let (app, upstream, mut call) = set_up().await;
    for method in ["CONNECT", "TRACE", "", "GET /", "GET\r\nX: y", "ä"] {
        call["method"] = method.into();
        app.client().proxy(&call).await.refused(422, "invalid_method");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn b069_a_call_names_its_grant_in_exactly_one_way() {
    let (app, upstream, call) = set_up().await;
    let fields = |change: fn(&mut Value)| {
        let mut call = call.clone();
        change(&mut call);
        call
    };
    for bad in [
        fields(|call| call["provider_id"] = "provider".into()),
        fields(|call| call["grant_id"] = Value::Null),
        fields(|call| call["label"] = "x".into()),
        fields(|call| call["account"] = "x".into()),
        fields(|call| call["app_user_id"] = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90".into()),
        fields(|call| call["method"] = Value::Null),
        fields(|call| call["url"] = json!(1)),
        fields(|call| call["headers"] = json!({ "a": 1 })),
        fields(|call| call["headers"] = json!([])),
        json!([]),
    ] {
        app.client().proxy(&bad).await.refused(400, "invalid_request");
    }
    for broken in ["", "{", "{\"method\":", "\u{feff}{}", "null"] {
        let answer = app.client().request("POST", "/sdk/proxy").bytes(broken.to_owned()).send().await;
        answer.refused(400, "invalid_request");
    }
    for text in ["", "x", "018f4e9a5b1c7d2e8f3a4b5c6d7e8f90", "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90"] {
        let mut call = call.clone();
        call["grant_id"] = text.into();
        app.client().proxy(&call).await.refused(404, "grant_not_found");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_user_token_that_nobody_can_verify_is_refused() {
    let (app, upstream, mut call) = set_up().await;
    for token in ["x".to_owned(), "eyJhbGciOiJub25lIn0.e30.".to_owned(), "x".repeat(8193)] {
        call["user_token"] = token.into();
        app.client().proxy(&call).await.refused(401, "jwt_validation_error");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_request_of_more_than_six_megabytes_is_refused() {
    let (app, upstream, mut call) = set_up().await;
    let overhead = {
        call["body"] = "".into();
        call.to_string().len()
    };
    call["body"] = "x".repeat(6 * 1024 * 1024 - overhead).into();
    app.client().proxy(&call).await.ok();
    call["body"] = "x".repeat(6 * 1024 * 1024 - overhead + 1).into();
    app.client().proxy(&call).await.refused(413, "payload_too_large");
    assert_eq!(upstream.hits(), 1);
}

#[tokio::test]
async fn a_reason_of_more_than_2048_bytes_is_refused() {
    let (app, upstream, mut call) = set_up().await;
    call["reason"] = "x".repeat(2048).into();
    app.client().proxy(&call).await.ok();
    call["reason"] = "x".repeat(2049).into();
    app.client().proxy(&call).await.refused(422, "invalid_reason");
    assert_eq!(upstream.hits(), 1);
}

#[tokio::test]
async fn b040_retrieve_mode_is_refused_for_every_grant_and_key() {
    let (app, upstream, call) = set_up().await;
    let agent = app.agent().await;
    for body in [
        json!({ "grant_id": call["grant_id"], "reason": null, "request": { "method": "GET", "url": call["url"] } }),
        json!({ "provider_id": "provider", "reason": "x", "request": { "method": "GET", "url": "https://x.example/" } }),
        json!({}),
    ] {
        app.client().post("/sdk/token", &body).await.refused(400, "restricted_grant_requires_proxy");
        app.client_by_id().post("/sdk/token", &body).await.refused(400, "restricted_grant_requires_proxy");
        agent.client().post("/sdk/token", &body).await.refused(400, "restricted_grant_requires_proxy");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn unknown_routes_and_methods_answer_in_the_vaults_own_form() {
    let vault = TestVault::new().await;
    let anyone = vault.anonymous();
    for path in [
        "/",
        "/sdk",
        "/sdk/proxy/",
        "/sdk/proxy/x",
        "/v1",
        "/v1/forward/x",
        "/portal/v1/nothing",
        "/sdk//proxy",
    ] {
        anyone.send("GET", path, &[], "").await.refused(404, "not_found");
    }
    for (method, path) in
        [("GET", "/sdk/proxy"), ("PUT", "/sdk/token"), ("POST", "/v1/audit"), ("GET", "/sdk/grants/list")]
    {
        anyone.send(method, path, &[], "").await.refused(405, "method_not_allowed");
    }
}
