//! Who is let in: signatures, clocks, nonces, keys and their states (wire protocol section 2).

use alter_domain::auth::signature::header;
use alter_tests::{Answer, KeySpec, Mode, SignedRequest, TestApp, TestKey, TestVault};
use http::{HeaderValue, Request};

pub(crate) async fn app() -> TestApp {
    TestVault::new().await.app().await
}

pub(crate) const LIST: &str = r#"{"limit":10,"offset":0}"#;

/// A request that succeeds as it is.
pub(crate) fn list(app: &TestApp, mode: Mode) -> SignedRequest {
    app.client_of(&app.key, mode).request("POST", "/sdk/grants/list").bytes(LIST)
}

pub(crate) fn of_key(app: &TestApp, key: &TestKey, mode: Mode) -> SignedRequest {
    app.client_of(key, mode).request("POST", "/sdk/grants/list").bytes(LIST)
}

pub(crate) const MODES: [Mode; 2] = [Mode::PlainKey, Mode::KeyId];

#[tokio::test]
async fn b102_both_modes_are_let_in_and_with_a_key_id_the_key_stays_at_home() {
    let app = app().await;
    for mode in MODES {
        list(&app, mode).send().await.ok();
    }
    let request = list(&app, Mode::KeyId).build();
    let secret = &app.key.reveal()[app.key.reveal().len() - 24..];
    assert!(!format!("{:?}", request.headers()).contains(secret));
    assert!(!request.headers().contains_key(header::API_KEY));
}

#[tokio::test]
async fn b102_a_nonce_is_accepted_once() {
    let app = app().await;
    let nonce = "00112233445566778899aabbccddeeff";
    for mode in MODES {
        // The same nonce of the same key, whatever the mode and the route.
        let first = mode == Mode::PlainKey;
        let answer = list(&app, mode).nonce(nonce).send().await;
        if first {
            answer.ok();
        } else {
            answer.refused(401, "nonce_replayed");
        }
    }
    let audit = app.client().request("GET", "/v1/audit").nonce(nonce).send().await;
    audit.refused(401, "nonce_replayed");
    // Another key's nonces are its own; another process remembers too.
    let other = app.key(KeySpec::default()).await;
    of_key(&app, &other, Mode::PlainKey).nonce(nonce).send().await.ok();
    let restarted = TestApp { vault: app.vault.restarted(), ..app.clone() };
    list(&restarted, Mode::PlainKey).nonce(nonce).send().await.refused(401, "nonce_replayed");
}

#[tokio::test]
async fn b102_of_two_replays_at_once_one_is_let_in() {
    let app = app().await;
    for _ in 0..20 {
        let nonce = list(&app, Mode::PlainKey).build().headers()[header::NONCE].to_str().unwrap().to_owned();
        let send = || list(&app, Mode::PlainKey).nonce(&nonce).send();
        let answers = tokio::join!(send(), send(), send());
        let mut statuses =
            [answers.0.status, answers.1.status, answers.2.status].map(|status| status.as_u16());
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401, 401]);
    }
}

#[tokio::test]
async fn b102_a_nonce_is_remembered_as_long_as_its_timestamp_is_accepted() {
    let app = app().await;
    let request = || list(&app, Mode::PlainKey).nonce("0123456789abcdef0123456789abcdef").skew(300);
    let timestamp = request().build().headers()[header::TIMESTAMP].clone();
    request().send().await.ok();
    // The very same request, as late as it can be: 600 seconds after its first use.
    app.vault.clock.advance(600);
    let replay = list(&app, Mode::PlainKey).nonce("0123456789abcdef0123456789abcdef").skew(-300);
    assert_eq!(replay.build().headers()[header::TIMESTAMP], timestamp);
    let replay = list(&app, Mode::PlainKey).nonce("0123456789abcdef0123456789abcdef").skew(-300);
    replay.send().await.refused(401, "nonce_replayed");
}

#[tokio::test]
async fn b102_the_clock_may_differ_by_300_seconds() {
    let app = app().await;
    for mode in MODES {
        for seconds in [-300, -1, 0, 1, 300] {
            list(&app, mode).skew(seconds).send().await.ok();
        }
        for seconds in [-301, 301, -86_400, 1_000_000_000] {
            list(&app, mode).skew(seconds).send().await.refused(401, "timestamp_out_of_range");
        }
    }
    for text in
        ["", "x", "-1", "+1772366400", "1772366400.0", " 1772366400", "99999999999999999999", "0x69A42F40"]
    {
        set(list(&app, Mode::PlainKey), header::TIMESTAMP, text)
            .send()
            .await
            .refused(401, "timestamp_out_of_range");
    }
}

#[tokio::test]
async fn b102_a_body_that_was_changed_is_refused() {
    let app = app().await;
    for mode in MODES {
        for body in ["", r#"{"limit":11,"offset":0}"#, r#"{"limit":10,"offset":0} "#] {
            let request = list(&app, mode).tamper(move |request| *request.body_mut() = body.into());
            request.send().await.refused(401, "content_hash_mismatch");
        }
        // A hash that fits the new body does not fit the signature.
        let request = list(&app, mode).tamper(|request| {
            let hash = alter_domain::auth::signature::content_hash(b"{}");
            request.headers_mut().insert(header::CONTENT_SHA256, hash.parse().unwrap());
            *request.body_mut() = "{}".into();
        });
        request.send().await.refused(401, "invalid_signature");
    }
    // No body, signed as such, is one thing; an unsigned body on a route that does not stream another.
    let unsigned = app.client().request("POST", "/sdk/grants/list").unsigned_bytes(LIST);
    unsigned.send().await.refused(401, "content_hash_mismatch");
    let unsigned = app.client().request("POST", "/sdk/proxy").unsigned_bytes("{}");
    unsigned.send().await.refused(401, "content_hash_mismatch");
}

#[tokio::test]
async fn b102_method_path_and_query_are_covered() {
    let app = app().await;
    let signed = || app.client().request("GET", "/v1/audit?limit=5&order=asc");
    let uri = |uri: &'static str| move |request: &mut Request<_>| *request.uri_mut() = uri.parse().unwrap();
    for other in [
        "/v1/audit?limit=6&order=asc",
        "/v1/audit?limit=5",
        "/v1/audit",
        "/v1/audit/export?limit=5&order=asc",
    ] {
        signed().tamper(uri(other)).send().await.refused(401, "invalid_signature");
    }
    // The same query in another order and spelling is the same query.
    signed().tamper(uri("/v1/audit?order=asc&limit=%35")).send().await.ok();
    let posted = app.client().request("PUT", "/sdk/grants/list").bytes(LIST);
    posted
        .tamper(|request| *request.method_mut() = http::Method::POST)
        .send()
        .await
        .refused(401, "invalid_signature");
}

/// Every header that the signature covers or rests on, with a value that could stand there.
fn signed_headers() -> Vec<(&'static str, &'static str)> {
    vec![
        (header::TIMESTAMP, "1772366401"),
        (header::NONCE, "ffffffffffffffffffffffffffffffff"),
        (header::CONTENT_SHA256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (header::SIGNATURE, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (header::SIGNATURE_V2, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (header::SCOPE_CONSTRAINTS, "grants:read"),
        (header::CALLER, "someone-else"),
        (header::CALLER_TYPE, "agent"),
        (header::ACTOR_ID, "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90"),
        (header::ACTOR_CONTEXT, "{\"tool\":\"other\"}"),
        (header::TARGET, "https://evil.example/"),
        (header::GRANT, "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90"),
        (header::PROVIDER, "x"),
        (header::ACCOUNT, "x"),
        (header::LABEL, "x"),
        (header::USER_TOKEN, "x"),
        (header::REASON, "another"),
    ]
}

/// A request that carries all of them that may be there.
fn full(app: &TestApp, mode: Mode) -> SignedRequest {
    list(app, mode)
        .constraints("grants:read,proxy:execute")
        .label(header::CALLER, "svc")
        .label(header::CALLER_TYPE, "service")
        .label(header::ACTOR_ID, "118f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90")
        .label(header::ACTOR_CONTEXT, "{\"tool\":\"t\"}")
        .label(header::TARGET, "https://a.example/")
        .label(header::GRANT, "g")
        .label(header::PROVIDER, "p")
        .label(header::ACCOUNT, "a")
        .label(header::LABEL, "l")
        .label(header::USER_TOKEN, "u")
        .label(header::REASON, "r")
}

pub(crate) fn set(request: SignedRequest, name: &'static str, value: &str) -> SignedRequest {
    let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
    request.tamper(move |request| {
        request.headers_mut().insert(name, value);
    })
}

fn remove(request: SignedRequest, name: &'static str) -> SignedRequest {
    request.tamper(move |request| {
        request.headers_mut().remove(name).expect("the header was there");
    })
}

#[tokio::test]
async fn b102_a_signed_header_that_is_added_changed_or_removed_is_noticed() {
    let app = app().await;
    for mode in MODES {
        full(&app, mode).send().await.ok();
        for (name, value) in signed_headers() {
            let refused = |answer: Answer| {
                assert_eq!(answer.status, 401, "{name}: {}", answer.text());
                let code = answer.code();
                assert!(
                    ["invalid_signature", "content_hash_mismatch"].contains(&code.as_str()),
                    "{name}: {code}"
                );
            };
            refused(set(full(&app, mode), name, value).send().await);
            // The bare request has none of the optional ones: adding is noticed too.
            refused(set(list(&app, mode), name, value).send().await);
            let removed = remove(full(&app, mode), name).send().await;
            match name {
                header::TIMESTAMP | header::NONCE | header::CONTENT_SHA256 | header::SIGNATURE => {
                    removed.refused(401, "unauthenticated");
                }
                // It repeats the first signature: one of them is enough.
                header::SIGNATURE_V2 => {
                    removed.ok();
                }
                _ => refused(removed),
            }
        }
    }
}

#[tokio::test]
async fn a_header_that_occurs_twice_is_refused() {
    let app = app().await;
    let all = signed_headers().into_iter().map(|(name, _)| name).chain([header::API_KEY]);
    for name in all {
        let twice = full(&app, Mode::PlainKey).tamper(move |request| {
            let again = request.headers()[name].clone();
            request.headers_mut().append(name, again);
        });
        twice.send().await.refused(400, "invalid_request");
    }
    let foreign = list(&app, Mode::PlainKey).header("x-alter-unknown", "1").header("x-alter-unknown", "1");
    foreign.send().await.refused(400, "invalid_request");
}

#[tokio::test]
async fn nothing_is_accepted_in_place_of_a_signature() {
    let app = app().await;
    for value in ["", "0", &"0".repeat(64), &"g".repeat(64), "null"] {
        set(list(&app, Mode::PlainKey), header::SIGNATURE, value)
            .send()
            .await
            .refused(401, "invalid_signature");
    }
    let upper = list(&app, Mode::PlainKey).tamper(|request| {
        let upper = request.headers()[header::SIGNATURE].to_str().unwrap().to_uppercase();
        request.headers_mut().insert(header::SIGNATURE, upper.parse().unwrap());
    });
    upper.send().await.refused(401, "invalid_signature");
    for nonce in ["", "x", &"A".repeat(32), &"a".repeat(31), &"a".repeat(33)] {
        list(&app, Mode::PlainKey).nonce(nonce).send().await.refused(401, "invalid_signature");
    }
    let other = app.key(KeySpec::default()).await;
    for mode in MODES {
        list(&app, mode).signed_by(&other).send().await.refused(401, "invalid_signature");
    }
}
