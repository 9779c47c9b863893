//! Who is let in: signatures, clocks, nonces, keys and their states (wire protocol section 2).

use alter_domain::{
    auth::signature::header,
    model::{ApiKey, KeyState},
};
use alter_tests::{Answer, GrantSpec, KeySpec, Mode, SignedRequest, TestApp, TestKey, TestVault, Upstream};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use jiff::SignedDuration;
use serde_json::json;

use crate::{TOKEN, get};

async fn app() -> TestApp {
    TestVault::new().await.app().await
}

const LIST: &str = r#"{"limit":10,"offset":0}"#;

/// A request that succeeds as it is.
fn list(app: &TestApp, mode: Mode) -> SignedRequest {
    app.client_of(&app.key, mode).request("POST", "/sdk/grants/list").bytes(LIST)
}

fn of_key(app: &TestApp, key: &TestKey, mode: Mode) -> SignedRequest {
    app.client_of(key, mode).request("POST", "/sdk/grants/list").bytes(LIST)
}

const MODES: [Mode; 2] = [Mode::PlainKey, Mode::KeyId];

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

fn set(request: SignedRequest, name: &'static str, value: &str) -> SignedRequest {
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

#[tokio::test]
async fn keys_that_do_not_exist_answer_alike() {
    let app = app().await;
    let mut answers = Vec::new();
    let plain = app.key.reveal().to_owned();
    let flipped = if plain.ends_with('A') { "B" } else { "A" };
    let wrong_secret = format!("{}{flipped}", &plain[..plain.len() - 1]);
    let unknown = format!("alter_key_app_{}", "A".repeat(36));
    let token = format!("alter_pat_{}", "A".repeat(48));
    for text in [wrong_secret.as_str(), &unknown, &token, "alter_key_app_x", "x", "", &format!(" {plain}")] {
        let answer = set(list(&app, Mode::PlainKey), header::API_KEY, text).send().await;
        answers.push(answer.refused(401, "invalid_key"));
    }
    let public = &plain[..26];
    for text in [&unknown[..26], &token[..26], public.trim_end_matches(char::is_alphanumeric), &plain] {
        let answer = set(list(&app, Mode::KeyId), header::KEY_ID, text).send().await;
        answers.push(answer.refused(401, "invalid_key"));
    }
    for answer in &answers {
        assert_eq!(answer.json(), answers[0].json());
        assert!(answer.json()["hint"].is_string());
    }
}

/// Each state of a key with the answer that its holder gets.
async fn keys_by_state(app: &TestApp) -> Vec<(TestKey, u16, &'static str)> {
    let now = app.vault.now();
    let after = |seconds| now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    let in_state = |state| KeySpec { state: Some(state), ..KeySpec::default() };
    let rotated =
        |grace| KeyState::Rotated { at: now, grace_ends_at: after(grace), successor: app.key.id.unwrap() };
    let revoked_agent = app.agent().await;
    app.revoke_agent(&revoked_agent).await;
    vec![
        (app.key(in_state(KeyState::Active)).await, 200, ""),
        (app.key(in_state(KeyState::Revoked { at: now })).await, 401, "key_revoked"),
        (app.key(in_state(rotated(0))).await, 401, "key_rotated_grace_expired"),
        (app.key(in_state(rotated(1))).await, 200, ""),
        (app.key(KeySpec { expires_at: Some(now), ..KeySpec::default() }).await, 401, "key_expired"),
        (app.key(KeySpec { expires_at: Some(after(1)), ..KeySpec::default() }).await, 200, ""),
        (app.agent().await.key, 200, ""),
        (revoked_agent.key, 401, "agent_revoked"),
    ]
}

#[tokio::test]
async fn b103_b104_every_state_of_a_key_has_its_answer() {
    let app = app().await;
    let keys = keys_by_state(&app).await;
    for mode in MODES {
        for (key, status, code) in &keys {
            let answer = of_key(&app, key, mode).send().await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (*status, *code), "{mode:?}");
        }
    }
    app.vault.clock.advance(1);
    for (key, ..) in [&keys[3], &keys[5]] {
        of_key(&app, key, Mode::PlainKey)
            .send()
            .await
            .status
            .is_client_error()
            .then_some(())
            .expect("a second later");
    }
    // What a key's state is, only its holder learns.
    for (key, ..) in &keys {
        of_key(&app, key, Mode::PlainKey).signed_by(&app.key).send().await.refused(401, "invalid_signature");
        of_key(&app, key, Mode::KeyId).signed_by(&app.key).send().await.refused(401, "invalid_signature");
    }
}

#[tokio::test]
async fn b103_a_revoked_key_fails_at_once() {
    let app = app().await;
    for mode in MODES {
        let key = app.key(KeySpec::default()).await;
        of_key(&app, &key, mode).send().await.ok();
        let now = app.vault.now();
        app.change_key(&key, |old| ApiKey { state: KeyState::Revoked { at: now }, ..old }).await;
        of_key(&app, &key, mode).send().await.refused(401, "key_revoked");
    }
}

#[tokio::test]
async fn b106_a_key_without_the_scope_is_told_what_is_missing() {
    let app = app().await;
    let secret = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90";
    let routes = [
        ("POST", "/sdk/proxy".to_owned(), "proxy:execute"),
        ("GET", "/v1/forward".to_owned(), "proxy:execute"),
        ("POST", "/sdk/grants/list".to_owned(), "grants:read"),
        ("POST", format!("/sdk/managed-secrets/{secret}/grants"), "secrets:write"),
        ("POST", format!("/sdk/oauth/grants/{secret}/revoke"), "grants:write"),
        ("GET", "/v1/audit".to_owned(), "audit_logs:read"),
        ("GET", "/v1/audit/export".to_owned(), "audit_logs:read"),
    ];
    for (method, path, scope) in &routes {
        let key = app.key(KeySpec { scopes: Some(vec!["usage:read"]), ..KeySpec::default() }).await;
        let body = match path.as_str() {
            "/sdk/proxy" => {
                json!({ "method": "GET", "url": "https://x.example/", "grant_id": secret }).to_string()
            }
            _ if *method == "GET" => String::new(),
            _ => "{}".to_owned(),
        };
        let request = app.client_of(&key, Mode::PlainKey).request(method, path).bytes(body);
        let request = match path.as_str() {
            "/v1/forward" => request.label(header::TARGET, "https://x.example/").label(header::GRANT, secret),
            _ => request,
        };
        let json = request.send().await.refused(403, "insufficient_scope").json();
        assert_eq!(
            (&json["required"], &json["missing"], &json["granted"]),
            (&json!([scope]), &json!([scope]), &json!(["usage:read"]))
        );
    }
}

#[tokio::test]
async fn b107_constraints_narrow_and_never_widen() {
    let app = app().await;
    let upstream = Upstream::silent().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    let call = |scopes: &str| {
        app.client().request("POST", "/sdk/proxy").json(&get(&upstream.url("/"), grant)).constraints(scopes)
    };
    call("proxy:execute").send().await.ok();
    call("grants:read,proxy:execute").send().await.ok();
    call("grants:read").send().await.refused(403, "insufficient_scope");
    for wider in ["tokens:retrieve", "grants:admin", "proxy:execute,keys:derive"] {
        call(wider).send().await.refused(400, "constraint_not_narrowing");
    }
    for unknown in ["everything", "*", "proxy:execute,", "proxy:execute, grants:read"] {
        call(unknown).send().await.refused(422, "unknown_scope");
    }
    // A narrower verb of what the key has is fine.
    let writer = app.key(KeySpec { scopes: Some(vec!["grants:write"]), ..KeySpec::default() }).await;
    of_key(&app, &writer, Mode::PlainKey).constraints("grants:read").send().await.ok();
    assert_eq!(upstream.hits(), 2);
}

#[tokio::test]
async fn b107_a_rule_that_would_not_be_enforced_is_refused() {
    let app = app().await;
    for mode in MODES {
        let request = list(&app, mode).label(header::REQUEST_RULE, "eyJydWxlX3R5cGUiOiJqc29uX21hdGNoIn0");
        request.send().await.refused(400, "constraint_not_supported");
        let call = app.client_of(&app.key, mode).forward("GET", "https://x.example/", "x");
        call.label(header::REQUEST_RULE, "e30").send().await.refused(400, "constraint_not_supported");
    }
}

#[tokio::test]
async fn b113_caller_and_context_have_a_form() {
    let app = app().await;
    let long = "x".repeat(256);
    let many: serde_json::Map<String, _> = (0..21).map(|i| (format!("k{i}"), json!("v"))).collect();
    for (name, value) in [
        (header::CALLER, long.as_str()),
        (header::CALLER, "tab\there"),
        (header::CALLER, "ünï"),
        (header::CALLER_TYPE, "human"),
        (header::ACTOR_CONTEXT, "[]"),
        (header::ACTOR_CONTEXT, "{\"a\":1}"),
        (header::ACTOR_CONTEXT, "{"),
        (header::ACTOR_CONTEXT, &json!(many).to_string()),
        (header::ACTOR_CONTEXT, &json!({ "x".repeat(65): "v" }).to_string()),
        (header::ACTOR_CONTEXT, &json!({ "k": "v".repeat(513) }).to_string()),
    ] {
        list(&app, Mode::PlainKey).label(name, value).send().await.refused(400, "invalid_request");
    }
    let fits = json!({ "k".repeat(64): "v".repeat(512), "tool": "t" }).to_string();
    list(&app, Mode::PlainKey)
        .label(header::CALLER, &long[..255])
        .label(header::ACTOR_CONTEXT, &fits)
        .send()
        .await
        .ok();
}

#[tokio::test]
async fn b109_an_agent_named_as_caller_must_be_the_apps_own() {
    let app = app().await;
    let (agent, other) = (app.agent().await, app.agent().await);
    let foreign = app.vault.app().await.agent().await;
    let revoked = app.agent().await;
    app.revoke_agent(&revoked).await;
    let naming =
        |id: &str| list(&app, Mode::PlainKey).label(header::CALLER, id).label(header::CALLER_TYPE, "agent");
    naming(&agent.id.to_string()).send().await.ok();
    let none = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90".to_owned();
    let mut answers = Vec::new();
    for id in [none, foreign.id.to_string(), revoked.id.to_string()] {
        answers.push(naming(&id).send().await.refused(404, "caller_agent_unresolved").json());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let own =
        |id: &str| agent.client().request("POST", "/sdk/grants/list").bytes(LIST).label(header::CALLER, id);
    own(&agent.id.to_string()).send().await.ok();
    own("a label").send().await.ok();
    own(&other.id.to_string()).send().await.refused(400, "caller_agent_mismatch");
    own(&foreign.id.to_string()).send().await.refused(400, "caller_agent_mismatch");
}

#[tokio::test]
async fn a_call_without_any_of_the_headers_is_unauthenticated() {
    let app = app().await;
    let upstream = Upstream::silent().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    let agent = app.agent().await;
    app.grant(
        &app.secret(alter_tests::SecretSpec::bearer("b", TOKEN, upstream.host())).await,
        GrantSpec::agent(&agent),
    )
    .await;
    let call = || app.client().request("POST", "/sdk/proxy").json(&get(&upstream.url("/"), grant));
    let none: HeaderMap = call().build().headers().clone();
    for name in none.keys().filter(|name| **name != HeaderName::from_static("content-type")).cloned() {
        let without = call().tamper(move |request| {
            request.headers_mut().remove(&name);
        });
        without.send().await.refused(401, "unauthenticated");
    }
    assert_eq!(upstream.connections(), 0);
}
