//! Grants in use: revoking, expiry, agents, calls by provider, lists (B002 to B005, B012, B066 to B068, B088, B099,
//! B120).

use std::sync::Arc;

use alter_domain::{
    api::GrantId,
    auth::signature::header,
    model::{EventKind, OutcomeKind},
};
use alter_table_contract::{HarshOptions, HarshTable};
use alter_tests::{AppClient, GrantSpec, SecretSpec, Setup, TestApp, TestVault, Upstream, reply};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};

use crate::{TOKEN, get};

async fn set_up() -> (TestApp, Upstream) {
    (TestVault::new().await.app().await, Upstream::echo().await)
}

async fn revoke(client: &AppClient, grant: GrantId, body: &Value) -> alter_tests::Answer {
    client.post(&format!("/sdk/oauth/grants/{grant}/revoke"), body).await
}

async fn list(client: &alter_tests::SignedClient, query: Value) -> Value {
    let mut body = json!({ "limit": 100, "offset": 0 });
    body.as_object_mut().unwrap().extend(query.as_object().unwrap().clone());
    client.post("/sdk/grants/list", &body).await.ok()
}

#[tokio::test]
async fn b002_b005_the_very_next_call_after_a_revoke_fails() {
    let (app, upstream) = set_up().await;
    let (secret, grant) = app.bearer(TOKEN, upstream.host()).await;
    let other = app.grant(&secret, GrantSpec::system()).await;
    let call = get(&upstream.url("/"), grant);
    app.client().proxy(&call).await.ok();
    let json = revoke(&app.client(), grant, &json!({ "reason": "No longer <i>needed</i>" })).await.ok();
    assert_eq!((&json["success"], &json["grant_id"]), (&json!(true), &json!(grant)));
    assert_eq!(json["revoked_at"], app.vault.now().to_string());
    assert!(json["message"].as_str().is_some_and(|message| !message.is_empty()));
    // Warm memories, cold memories, the stream: all of them.
    let refused = app.client().proxy(&call).await.refused(403, "grant_revoked");
    assert_eq!(refused.json()["grant_id"], json!(grant));
    let restarted = TestApp { vault: app.vault.restarted(), ..app.clone() };
    restarted.client().proxy(&call).await.refused(403, "grant_revoked");
    app.client().forward("GET", &upstream.url("/"), grant).send().await.refused(403, "grant_revoked");
    assert_eq!(upstream.hits(), 1);
    // Status is told at once; the other grant on the secret goes on.
    let grants = list(&app.client(), json!({ "status": "revoked" })).await;
    assert_eq!(grants["grants"][0]["grant_id"], json!(grant));
    app.client().proxy(&get(&upstream.url("/"), other)).await.ok();
    let rows = app.vault.audit.events();
    let row = rows.iter().rev().find(|event| event.kind == EventKind::GrantRevoked).unwrap();
    assert_eq!(row.detail["reason"], "No longer <i>needed</i>");
    assert_eq!(row.actor.key_prefix.as_deref(), Some(app.key.public_part.as_str()));
    assert_eq!(row.outcome.as_ref().unwrap().kind, OutcomeKind::Success);
    // Revoking what is revoked, what is another's, what is nothing: the same answer.
    let again = revoke(&app.client(), grant, &json!({})).await.refused(404, "grant_not_found");
    let foreign = app.vault.app().await.client();
    let theirs = revoke(&foreign, other, &json!({})).await.refused(404, "grant_not_found");
    let nothing =
        revoke(&foreign, app.vault.ports.new_id().unwrap(), &json!({})).await.refused(404, "grant_not_found");
    assert!(again.body == nothing.body && theirs.body == nothing.body);
    app.client().proxy(&get(&upstream.url("/"), other)).await.ok();
}

#[tokio::test]
async fn b004_a_call_in_flight_completes_when_its_grant_is_revoked() {
    let arrived = Arc::new(Notify::new());
    let (release, released) = oneshot::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(Some(released)));
    let upstream = {
        let arrived = Arc::clone(&arrived);
        Upstream::serving(move |_| {
            let (arrived, released) = (Arc::clone(&arrived), released.lock().unwrap().take());
            async move {
                arrived.notify_one();
                let _ = released.expect("one call").await;
                reply(200, "whole answer")
            }
        })
        .await
    };
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    let client = app.client();
    let call = get(&upstream.url("/"), grant);
    let (answer, ()) = tokio::join!(client.proxy(&call), async {
        arrived.notified().await;
        revoke(&app.client(), grant, &json!({})).await.ok();
        app.client().proxy(&call).await.refused(403, "grant_revoked");
        release.send(()).unwrap();
    });
    assert_eq!(answer.provider_body(), b"whole answer");
}

#[tokio::test]
async fn of_two_revokes_at_once_one_succeeds() {
    for _ in 0..10 {
        let (app, upstream) = set_up().await;
        let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
        let (client, body) = (app.client(), json!({}));
        let answers = tokio::join!(
            revoke(&client, grant, &body),
            revoke(&client, grant, &body),
            revoke(&client, grant, &body)
        );
        let mut statuses =
            [answers.0.status, answers.1.status, answers.2.status].map(|status| status.as_u16());
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404, 404]);
    }
}

#[tokio::test]
async fn b099_an_expired_grant_says_so() {
    let (app, upstream) = set_up().await;
    let secret = app.secret(SecretSpec::bearer("timed", TOKEN, upstream.host())).await;
    let expires = app.vault.now().checked_add(SignedDuration::from_secs(60)).unwrap();
    let grant = app.grant(&secret, GrantSpec::system().expiring(expires)).await;
    let call = get(&upstream.url("/"), grant);
    app.vault.clock.advance(59);
    app.client().proxy(&call).await.ok();
    app.vault.clock.advance(1);
    let json = app.client().proxy(&call).await.refused(403, "grant_expired").json();
    assert_eq!((&json["provider_id"], &json["grant_id"]), (&json!("timed"), &json!(grant)));
    assert_eq!(upstream.hits(), 1);
    let listed = list(&app.client(), json!({ "status": "expired" })).await;
    assert_eq!(listed["grants"][0]["status"], "expired");
    assert_eq!(listed["grants"][0]["grant_expires_at"], expires.to_string());
    // An expired grant can still be revoked.
    revoke(&app.client(), grant, &json!({})).await.ok();
    app.client().proxy(&call).await.refused(403, "grant_revoked");
}

#[tokio::test]
async fn b012_b109_an_agents_grant_is_for_that_agent_alone() {
    let (app, upstream) = set_up().await;
    let (agent, other) = (app.agent().await, app.agent().await);
    let secret = app.secret(SecretSpec::bearer("p", TOKEN, upstream.host())).await;
    let bound = app.grant(&secret, GrantSpec::agent(&agent)).await;
    let system = app.grant(&secret, GrantSpec::system()).await;
    let call = get(&upstream.url("/"), bound);
    let acting =
        |id: String| app.client().request("POST", "/sdk/proxy").json(&call).label(header::CALLER, &id);
    // By its own key, and by the app's key acting for it.
    agent.client().proxy(&call).await.ok();
    acting(agent.id.to_string()).send().await.ok();
    assert_eq!(upstream.hits(), 2);
    let rows = app.vault.audit.calls();
    assert_eq!(rows.len(), 2);
    assert!(
        rows.iter().all(|row| row.actor.agent_id == Some(agent.id)),
        "both are the agent's in the record"
    );
    // Not by the app itself, not by another agent, not by the app acting for another.
    app.client().proxy(&call).await.refused(404, "grant_not_found");
    acting("a label".to_owned()).send().await.refused(404, "grant_not_found");
    other.client().proxy(&call).await.refused(404, "grant_not_found");
    acting(other.id.to_string()).send().await.refused(404, "grant_not_found");
    // An agent's own key sees nothing but what is bound to it.
    agent.client().proxy(&get(&upstream.url("/"), system)).await.refused(404, "grant_not_found");
    assert_eq!(upstream.hits(), 2);
    let mine = list(&agent.client(), json!({})).await;
    assert_eq!((&mine["total"], &mine["grants"][0]["grant_id"]), (&json!(1), &json!(bound)));
    assert_eq!(list(&other.client(), json!({})).await["total"], 0);
    assert_eq!(list(&app.client(), json!({})).await["total"], 2);
    // An agent that is revoked takes its grant with it.
    app.revoke_agent(&agent).await;
    agent.client().proxy(&call).await.refused(401, "agent_revoked");
    acting(agent.id.to_string()).send().await.refused(404, "caller_agent_unresolved");
    assert_eq!(upstream.hits(), 2);
}

#[tokio::test]
async fn b066_b067_b068_b088_a_provider_finds_one_grant_or_none() {
    let (app, upstream) = set_up().await;
    let secret = app.secret(SecretSpec::bearer("shop", TOKEN, upstream.host())).await;
    let call = |more: Value| {
        let mut call = json!({ "method": "GET", "url": upstream.url("/"), "provider_id": "shop" });
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call
    };
    let none = app.client().proxy(&call(json!({}))).await.refused(404, "grant_not_found");
    assert_eq!(none.json()["provider_id"], "shop");
    // A system grant is never found, only named.
    let system = app.grant(&secret, GrantSpec::system()).await;
    let agent = app.agent().await;
    app.grant(&secret, GrantSpec::agent(&agent)).await;
    app.client().proxy(&call(json!({}))).await.refused(404, "grant_not_found");
    let one = app.grant(&secret, GrantSpec::group(&app.vault, "one")).await;
    app.client().proxy(&call(json!({}))).await.ok();
    assert_eq!(app.vault.audit.calls().pop().unwrap().grant.unwrap().id, one);
    // Several: none is picked.
    let user = GrantSpec::user(&app.vault, "two");
    let user_id = match &user.principal {
        alter_domain::model::Principal::User { user_id } => *user_id,
        _ => unreachable!(),
    };
    let two = app.grant(&secret, user).await;
    let json = app.client().proxy(&call(json!({}))).await.refused(409, "ambiguous_grant").json();
    let mut ids: Vec<_> =
        json["grant_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    ids.sort();
    let mut both = [one.to_string(), two.to_string()];
    both.sort();
    assert_eq!(ids, both);
    assert_eq!((&json["provider_id"], &json["candidates_truncated"]), (&json!("shop"), &json!(false)));
    assert!(json["candidates"][0]["label"].is_string());
    for more in [json!({ "label": "two" }), json!({ "app_user_id": user_id })] {
        app.client().proxy(&call(more)).await.ok();
        assert_eq!(app.vault.audit.calls().pop().unwrap().grant.unwrap().id, two);
    }
    app.client().proxy(&call(json!({ "label": "three" }))).await.refused(404, "grant_not_found");
    app.client().proxy(&call(json!({ "account": "me@example.com" }))).await.refused(404, "grant_not_found");
    // Revoked ones are no candidates.
    revoke(&app.client(), two, &json!({})).await.ok();
    app.client().proxy(&call(json!({}))).await.ok();
    assert_eq!(app.vault.audit.calls().pop().unwrap().grant.unwrap().id, one);
    // Another app's provider of the same name is nobody's business.
    let foreign = app.vault.app().await;
    foreign.client().proxy(&call(json!({}))).await.refused(404, "grant_not_found");
    // An agent finds its own, acting by either key, and is told so when it has none.
    agent.client().proxy(&call(json!({}))).await.ok();
    let stranger = app.agent().await;
    let json = stranger.client().proxy(&call(json!({}))).await.refused(404, "no_delegated_grant").json();
    assert_eq!((&json["provider_id"], &json["agent_id"]), (&json!("shop"), &json!(stranger.id)));
    assert_ne!(app.vault.audit.calls().pop().unwrap().grant.map(|grant| grant.id), Some(system));
}

#[tokio::test]
async fn b120_lists_page_through_everything_once() {
    let vault = Setup::default()
        .layer(|table| Arc::new(HarshTable::new(table, HarshOptions::default())))
        .build()
        .await;
    let (app, upstream) = (vault.app().await, Upstream::silent().await);
    let secret = app.secret(SecretSpec::bearer("p", TOKEN, upstream.host())).await;
    let mut made = Vec::new();
    for number in 0..23 {
        let spec = if number % 3 == 0 {
            GrantSpec::group(&vault, &format!("label {number}"))
        } else {
            GrantSpec::system()
        };
        made.push(app.grant(&secret, spec).await.to_string());
        vault.clock.advance(1);
    }
    made.reverse();
    for limit in [1, 2, 7, 23, 100] {
        let mut found = Vec::new();
        loop {
            let page = list(&app.client(), json!({ "limit": limit, "offset": found.len() })).await;
            assert_eq!(
                (&page["total"], &page["limit"], &page["offset"]),
                (&json!(23), &json!(limit), &json!(found.len()))
            );
            found.extend(
                page["grants"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|grant| grant["grant_id"].as_str().unwrap().to_owned()),
            );
            assert_eq!(page["has_more"], found.len() < 23);
            if page["has_more"] == false {
                break;
            }
        }
        assert_eq!(found, made, "newest first, each once");
    }
    let page = list(&app.client(), json!({ "label": "label 3" })).await;
    assert_eq!(page["total"], 1);
    let item = &page["grants"][0];
    assert_eq!(item["grant_kind"], "managed_secret");
    assert_eq!((&item["managed_secret_id"], &item["managed_secret_slug"]), (&json!(secret.id), &json!("p")));
    assert_eq!(
        (&item["principal_type"], &item["status"], &item["access_via"]),
        (&json!("group"), &json!("active"), &json!("ownership"))
    );
    for (filter, total) in [
        (json!({ "provider_id": "p" }), 23),
        (json!({ "provider_id": "q" }), 0),
        (json!({ "status": "active" }), 23),
        (json!({ "status": "revoked" }), 0),
        (json!({ "status": "deprovisioned" }), 0),
        (json!({ "account": "x" }), 0),
    ] {
        assert_eq!(list(&app.client(), filter.clone()).await["total"], total, "{filter}");
    }
    for bad in [json!({ "limit": 0, "offset": 0 }), json!({ "limit": 1001, "offset": 0 })] {
        app.client().post("/sdk/grants/list", &bad).await.refused(422, "invalid_limit");
    }
    app.client()
        .post("/sdk/grants/list", &json!({ "limit": -1, "offset": 0 }))
        .await
        .refused(400, "invalid_request");
    let token = json!({ "limit": 1, "offset": 0, "user_token": "x" });
    app.client().post("/sdk/grants/list", &token).await.refused(401, "jwt_validation_error");
}

#[tokio::test]
async fn an_app_issues_grants_on_its_own_secrets() {
    let (app, upstream) = set_up().await;
    let secret = app.secret(SecretSpec::bearer("p", TOKEN, upstream.host())).await;
    let path = format!("/sdk/managed-secrets/{}/grants", secret.id);
    let idp = app.vault.ports.new_id::<alter_domain::api::IdpId>().unwrap();
    let json = app
        .client()
        .post(&path, &json!({ "principal": { "type": "system", "label": null }, "grant_policy": {} }))
        .await
        .ok();
    assert!(json["label"].is_null() && json.as_object().unwrap().contains_key("label"));
    assert_eq!(
        (&json["principal_type"], &json["credential_id"]),
        (&json!("system"), &json!(secret.credential_id))
    );
    let grant = json["grant_id"].as_str().unwrap().parse().unwrap();
    app.client().proxy(&get(&upstream.url("/"), grant)).await.ok();
    let group = json!({ "principal": { "type": "group", "external_group_id": "g", "idp_id": idp, "label": "Team" }, "grant_policy": { "max_ttl_seconds": 60 } });
    app.client().post(&path, &group).await.ok();
    let again = app.client().post(&path, &group).await.refused(409, "sibling_label_conflict");
    assert_eq!(again.json()["label"], "Team");
    for (body, status, code) in [
        (json!({ "principal": { "type": "agent", "agent_id": "x" } }), 422, "invalid_principal"),
        (json!({ "principal": { "type": "group", "label": "x" } }), 422, "invalid_principal"),
        (json!({ "principal": { "type": "everyone" } }), 422, "invalid_principal"),
        (
            json!({ "principal": { "type": "user", "user_token": "x", "label": "x" } }),
            401,
            "jwt_validation_error",
        ),
        (
            json!({ "principal": { "type": "system" }, "grant_policy": { "requires_approval": true } }),
            422,
            "invalid_grant_policy",
        ),
        (
            json!({ "principal": { "type": "system" }, "grant_policy": { "max_ttl_seconds": 0 } }),
            422,
            "invalid_grant_policy",
        ),
        (
            json!({ "principal": { "type": "system" }, "grant_policy": { "expires_at": "2020-01-01T00:00:00Z" } }),
            422,
            "invalid_grant_policy",
        ),
        (json!({}), 400, "invalid_request"),
    ] {
        app.client().post(&path, &body).await.refused(status, code);
    }
    assert_eq!(list(&app.client(), json!({})).await["total"], 2, "a refusal makes no grant");
}
