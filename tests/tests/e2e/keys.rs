//! Keys and their states, scopes and constraints, callers (wire protocol sections 2.4 to 2.6).

use alter_domain::{
    auth::signature::header,
    model::{ApiKey, KeyState},
};
use alter_tests::{GrantSpec, KeySpec, Mode, TestApp, TestKey, Upstream};
use http::{HeaderMap, HeaderName};
use jiff::SignedDuration;
use serde_json::json;

use crate::{
    TOKEN,
    authentication::{LIST, MODES, app, list, of_key, set},
    get,
};

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
        ("POST", "/sdk/oauth/connect/session".to_owned(), "connect:initiate"),
        ("POST", "/sdk/oauth/connect/session/poll".to_owned(), "connect:initiate"),
        ("GET", "/sdk/oauth/provider-catalog".to_owned(), "providers:read"),
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
    for name in none.keys().filter(|name| **name != HeaderName::from_static("content-type")) {
        let name = name.clone();
        let without = call().tamper(move |request| {
            request.headers_mut().remove(&name);
        });
        without.send().await.refused(401, "unauthenticated");
    }
    assert_eq!(upstream.connections(), 0);
}
