//! What an app may ask of a session, and how long it lives.

use alter_domain::model::{ActorKind, EventKind, OutcomeKind};
use alter_tests::{KeySpec, Mode};
use jiff::ToSpan as _;
use serde_json::{Value, json};

use crate::{
    provider::{definition, query},
    support::Stage,
};

#[tokio::test]
async fn what_cannot_be_kept_is_refused() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let id = stage.app.id.to_string();
    let refusals: [(Value, u16, &str); 31] = [
        (json!({ "user_token": "x.y.z" }), 401, "jwt_validation_error"),
        (json!({ "agent": "bot" }), 400, "agent_requires_user_token"),
        (json!({ "delegable": true }), 422, "delegable_requires_agent"),
        (json!({ "scope_constraint": ["notes:read"] }), 422, "invalid_scope_constraint"),
        (json!({ "surprise": 1 }), 422, "unknown_field"),
        (json!({ "metadata": { "email": "a@b" } }), 422, "invalid_metadata"),
        (json!({ "allowed_providers": [] }), 422, "invalid_allowed_providers"),
        (json!({ "allowed_providers": ["nope"] }), 422, "provider_not_configured"),
        (json!({ "allowed_providers": [""] }), 422, "provider_not_configured"),
        (json!({ "direct": true }), 422, "one_provider_required"),
        (json!({ "required_scopes": { "toy": ["admin"] } }), 400, "scope_not_allowed"),
        (json!({ "required_scopes": { "nope": ["notes:read"] } }), 422, "provider_not_configured"),
        (json!({ "return_url": "http://app.example/" }), 422, "invalid_return_url"),
        (json!({ "return_url": "//evil.example" }), 422, "invalid_return_url"),
        (json!({ "return_url": "https://app.example/#x" }), 422, "invalid_return_url"),
        (json!({ "return_url": "https://app.example@evil.example/" }), 422, "invalid_return_url"),
        (json!({ "return_url": "javascript:alert(1)" }), 422, "invalid_return_url"),
        (json!({ "allowed_origin": "*" }), 422, "invalid_allowed_origin"),
        (json!({ "allowed_origin": "https://app.example/path" }), 422, "invalid_allowed_origin"),
        (json!({ "allowed_origin": "http://app.example" }), 422, "invalid_allowed_origin"),
        (json!({ "allowed_origin": "null" }), 422, "invalid_allowed_origin"),
        (json!({ "grant_policy": { "default_ttl_seconds": 0 } }), 422, "invalid_grant_policy"),
        (json!({ "grant_policy": { "requires_approval": true } }), 422, "invalid_grant_policy"),
        (json!({ "grant_policy": { "expires_at": "2020-01-01T00:00:00Z" } }), 422, "invalid_grant_policy"),
        (json!({ "requested_grant": {} }), 422, "invalid_label"),
        (json!({ "requested_grant": { "label": "a\nb" } }), 422, "invalid_label"),
        (
            json!({ "requested_grant": { "label": "a", "restrictions": { "allowed_methods": ["GET"] } } }),
            422,
            "invalid_requested_grant",
        ),
        (json!({ "requested_grant": { "label": "a", "tags": [] } }), 422, "invalid_requested_grant"),
        (json!({ "repair_grant_id": "nonsense" }), 404, "grant_not_found"),
        (json!({ "repair_grant_id": id, "allowed_providers": ["toy"] }), 404, "grant_not_found"),
        (json!({ "repair_grant_id": id, "switch_account": true }), 422, "invalid_repair"),
    ];
    for (body, status, code) in refusals {
        stage.create(body.clone()).await.refused(status, code);
    }
    let accepted = json!({
        "allowed_providers": null, "return_url": null, "allowed_origin": null,
        "metadata": { "ip_address": "192.0.2.1", "user_agent": "x" }, "allow_user_policy_rules": false
    });
    assert_eq!(stage.create(accepted).await.ok()["single_provider"], false);
}

#[tokio::test]
async fn a_session_needs_the_scope_and_a_provider() {
    let stage = Stage::new().await;
    let key = stage.app.key(KeySpec { scopes: Some(vec!["grants:write"]), ..KeySpec::default() }).await;
    let weak = stage.app.client_of(&key, Mode::PlainKey);
    weak.post("/sdk/oauth/connect/session", &json!({})).await.refused(403, "insufficient_scope");
    let poll = json!({ "session_token": "sess_x" });
    weak.post("/sdk/oauth/connect/session/poll", &poll).await.refused(403, "insufficient_scope");
    weak.get("/sdk/oauth/provider-catalog").await.refused(403, "insufficient_scope");

    stage.disable("toy").await;
    stage.create(json!({})).await.refused(409, "no_provider_configured");
    stage.create(json!({ "allowed_providers": ["toy"] })).await.refused(422, "provider_not_configured");
}

#[tokio::test]
async fn b052_a_session_expires_after_ten_minutes() {
    let stage = Stage::new().await;
    let answer = stage.create(json!({})).await.ok();
    assert_eq!(answer["expires_in"], 600);
    let session = stage.session(json!({})).await;
    let unopened = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    stage.vault.clock.advance(600);
    assert_eq!(stage.poll(&session).await, json!({ "status": "expired" }));
    assert_eq!(browser.get(&page.at).await.status, 410);
    assert_eq!(browser.bring(&unopened).await.status, 410);
    for what in ["start", "decline", "finish"] {
        assert_eq!(browser.press(&page, what, &[("provider", "toy")]).await.status, 303, "{what}");
    }
    stage.nothing_was_made().await;
}

#[tokio::test]
async fn a_visit_that_was_just_left_counts_with_what_was_connected() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let body = json!({ "return_url": "https://app.example/done" });
    let (session, unused) = (stage.session(body.clone()).await, stage.session(body).await);
    let (mut browser, page) = stage.connect(&session, "alice").await;
    let mut other = stage.browser();
    let unused_page = other.open(&unused).await;
    assert_eq!(stage.poll(&session).await["status"], "pending");
    stage.vault.clock.advance(600);
    let result = stage.poll(&session).await;
    assert_eq!(result["status"], "completed");
    assert_eq!(result["grants"].as_array().unwrap().len(), 1);
    assert_eq!(browser.visit(&page.at).await.message()["type"], "alter_connect_success");
    // The page of a visit that came to nothing says so, and tells the app where it can.
    let late = other.visit(&unused_page.at).await;
    assert_eq!(late.answer.status, 410);
    assert_eq!(late.message()["error"], "session_expired");
    assert!(late.data("return").unwrap().contains("alter_connect_error=session_expired"));
}

#[tokio::test]
async fn b053_a_finished_session_takes_nothing_more_and_tells_its_result_for_an_hour() {
    let stage = Stage::new().await;
    let session = stage.session(json!({})).await;
    let (mut browser, page) = stage.connect(&session, "alice").await;
    let before = stage.poll(&session).await;
    assert_eq!(before["status"], "completed");
    // Neither by its page, nor by its link.
    let other = stage.session(json!({})).await;
    let form_of_old = stage.browser().open(&other).await;
    let again = browser.press(&form_of_old, "start", &[("provider", "toy")]).await;
    assert_eq!(again.status, 403);
    let reopened = browser.bring(&session).await;
    assert_eq!(reopened.status, 303);
    assert_eq!(browser.visit(&page.at).await.message()["type"], "alter_connect_success");
    assert_eq!(stage.browser().bring(&session).await.status, 403);
    assert_eq!(stage.provider.exchanges().len(), 1);

    stage.vault.clock.advance(4000);
    assert_eq!(stage.poll(&session).await, before);
    stage.vault.clock.advance(600);
    assert_eq!(stage.poll(&session).await, json!({ "status": "expired" }));
}

#[tokio::test]
async fn a_result_is_told_to_the_app_of_the_session_alone() {
    let stage = Stage::new().await;
    let session = stage.session(json!({})).await;
    stage.connect(&session, "alice").await;
    let other = stage.vault.app().await;
    let client = other.client();
    let other_digit = if session.token.as_bytes()[40] == b'x' { "y" } else { "x" };
    let mut wrong = session.token.clone();
    wrong.replace_range(40..41, other_digit);
    let expired = json!({ "status": "expired" });
    let poll = |token: &str| json!({ "session_token": token });
    let path = "/sdk/oauth/connect/session/poll";
    assert_eq!(client.post(path, &poll(&session.token)).await.ok(), expired);
    for token in [wrong.as_str(), "", "sess_", "ms_sess_x"] {
        assert_eq!(stage.client().post(path, &poll(token)).await.ok(), expired);
    }
}

#[tokio::test]
async fn b058_scopes_are_the_sessions_or_the_apps_defaults_and_always_the_required_ones() {
    let stage = Stage::new().await;
    stage
        .change_provider("toy", |config| {
            config.scopes.default = vec!["notes:write".to_owned()];
            config.scopes.required = vec!["notes:read".to_owned()];
        })
        .await;
    for (body, expected) in [
        (json!({}), "notes:write notes:read"),
        (json!({ "required_scopes": { "TOY": ["notes:read"] } }), "notes:read"),
        (json!({ "required_scopes": { "toy": [] } }), "notes:read"),
    ] {
        let session = stage.session(body).await;
        let mut browser = stage.browser();
        let page = browser.open(&session).await;
        assert_eq!(query(&browser.start(&page, "toy").await)["scope"], expected);
    }
}

#[tokio::test]
async fn what_was_granted_is_stored_even_if_less_than_required() {
    let stage = Stage::new().await;
    stage.change_provider("toy", |config| config.scopes.required = vec!["notes:read".to_owned()]).await;
    stage.provider.grant_only("notes:write");
    let session = stage.session(json!({})).await;
    stage.connect(&session, "alice").await;
    assert_eq!(stage.poll(&session).await["grants"][0]["scopes"], json!(["notes:write"]));
    let listed = stage.client().post("/sdk/grants/list", &json!({})).await.ok();
    assert_eq!(listed["grants"][0]["scope_mismatch"], true);
}

#[tokio::test]
async fn the_grants_terms_are_the_sessions() {
    let stage = Stage::new().await;
    let body = json!({
        "requested_grant": { "label": " Work " },
        "grant_policy": { "default_ttl_seconds": 60, "max_ttl_seconds": 120 }
    });
    let session = stage.session(body).await;
    stage.vault.clock.advance(30);
    stage.connect(&session, "alice").await;
    let grant = stage.grants().await.remove(0);
    assert_eq!(grant.label.as_deref(), Some("Work"));
    assert_eq!(grant.policy.max_ttl_seconds, Some(120));
    let end = stage.vault.now() + 60.seconds();
    assert_eq!(grant.policy.expires_at, Some(end), "counted from the grant, not from the session");
    let told = stage.poll(&session).await["grants"][0]["grant_policy"].clone();
    assert_eq!(told["expires_at"], json!(end));
}

#[tokio::test]
async fn the_record_tells_who_asked_and_what_came_of_it() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    browser.press(&page, "decline", &[("provider", "two")]).await;
    let authorize = browser.start(&page, "toy").await;
    browser.come_back(&stage.provider.allow(&authorize, "alice")).await;
    let events: Vec<_> = stage.vault.audit.events().into_iter().filter(|e| e.outcome.is_some()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [EventKind::ConnectSessionCreated, EventKind::ConnectDeclined, EventKind::GrantCreated]
    );
    for event in &events {
        assert_eq!(event.actor.kind, ActorKind::App);
        assert!(event.actor.key_id.is_some());
        assert_eq!(event.outcome.as_ref().unwrap().kind, OutcomeKind::Success);
        assert_eq!(event.detail["session_id"], events[0].detail["session_id"]);
    }
    assert_eq!(events[2].detail["account"], "alice");
    assert_eq!(events[2].grant.as_ref().unwrap().provider_id, "toy");
    assert_eq!(events[2].actor.ip.as_deref(), Some("192.0.2.7"));
}

#[tokio::test]
async fn a_provider_that_refuses_is_on_the_record() {
    let stage = Stage::new().await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    stage.provider.answer_next(401, json!({ "error": "invalid_client" }));
    browser.come_back(&back).await.shows("Only the app&#39;s operator can change that.");
    let events = stage.vault.audit.events();
    let event = events.iter().find(|event| event.kind == EventKind::ConnectDeclined).unwrap();
    assert_eq!((&*event.detail["code"], &*event.detail["provider_id"]), ("invalid_client", "toy"));
}

#[tokio::test]
async fn nothing_happens_that_is_not_on_the_record() {
    let stage = Stage::new().await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let authorize = browser.start(&page, "toy").await;
    stage.vault.audit.refuse(|_| true);
    stage.create(json!({})).await.refused(503, "audit_unavailable");
    let page = browser.come_back(&stage.provider.allow(&authorize, "alice")).await;
    page.shows("The connection could not be stored.");
    stage.vault.audit.accept();
    assert_eq!(stage.grants().await, []);
    assert_eq!(stage.connections("toy").await, []);
    // What the provider gave is ended there.
    stage.work().await;
    assert_eq!(stage.provider.revoked().len(), 1);
}

#[tokio::test]
async fn the_catalogue_is_what_the_app_has_set_up() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    stage.disable("two").await;
    let catalog = stage.client().get("/sdk/oauth/provider-catalog").await.ok();
    assert_eq!(
        catalog["providers"]["toy"],
        json!({
            "id": "toy", "name": "TOY", "display_name": "TOY", "category": "developer_tools",
            "supports_refresh": true, "supports_pkce": true,
            "available_scopes": {
                "notes:read":
                    { "description": "read your notes", "required": false, "is_default": true, "requires": [] },
                "notes:write":
                    { "description": "write notes for you", "required": false, "is_default": true, "requires": [] }
            },
            "default_scopes": ["notes:read", "notes:write"], "required_scopes": [], "status": "active"
        })
    );
    assert!(catalog["providers"]["two"].is_null(), "what is disabled cannot be connected");
}
