//! Connecting again: the same account keeps its grants, another one is another connection.

use alter_domain::model::{ConnectionState, EventKind};
use serde_json::json;

use crate::support::{Session, Stage};

/// Makes a first grant and returns its id.
async fn first_grant(stage: &Stage) -> String {
    let session = stage.session(json!({})).await;
    stage.connect(&session, "alice").await;
    grant_of(stage, &session).await
}

async fn grant_of(stage: &Stage, session: &Session) -> String {
    let result = stage.poll(session).await;
    result["grants"][0]["grant_id"].as_str().unwrap_or_else(|| panic!("{result}")).to_owned()
}

async fn break_off(stage: &Stage) {
    let ports = stage.vault.calm();
    let connections = alter_domain::repo::Connections(ports.table.as_ref());
    let id = stage.connections("toy").await[0].id;
    let mut connection = connections.get(stage.app.id, id).await.unwrap();
    connection.value.state =
        ConnectionState::Broken { at: stage.vault.now(), code: "invalid_grant".to_owned() };
    connections.update(&connection, None).await.unwrap();
}

#[tokio::test]
async fn b061_a_repair_renews_a_broken_connection_and_keeps_the_grant() {
    let stage = Stage::new().await;
    let grant = first_grant(&stage).await;
    break_off(&stage).await;
    let call = json!({ "method": "GET", "url": "https://toy.example/api", "grant_id": grant });
    stage.client().proxy(&call).await.refused(403, "credential_revoked");

    let body = json!({ "allowed_providers": ["toy"], "repair_grant_id": grant });
    let session = stage.session(body).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    page.shows("Reconnect TOY to");
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    browser.come_back(&back).await.shows("Connected to");
    let result = stage.poll(&session).await;
    assert_eq!(result["grants"][0]["grant_id"], json!(grant));
    assert_eq!(result["grants"][0]["operation"], "reauth");
    assert_eq!(stage.grants().await.len(), 1);
    let connection = stage.connections("toy").await.remove(0);
    assert_eq!(connection.state, ConnectionState::Active);
    assert_eq!((connection.seal_version, connection.live_grants), (2, 1));
    assert_eq!(stage.client().proxy(&call).await.ok()["status_code"], 200);
    assert!(stage.vault.audit.events().iter().any(|event| event.kind == EventKind::ConnectionRenewed));
}

#[tokio::test]
async fn a_repair_with_another_account_changes_nothing_and_ends_the_new_tokens() {
    let stage = Stage::new().await;
    let grant = first_grant(&stage).await;
    let before = stage.connections("toy").await;
    let session = stage.session(json!({ "repair_grant_id": grant })).await;
    let (mut browser, page) = stage.connect(&session, "mallory").await;
    page.shows("This is another account than the one to reconnect.");
    assert_eq!(stage.connections("toy").await, before);
    assert_eq!(stage.poll(&session).await["status"], "pending", "the user may try again");
    stage.work().await;
    assert_eq!(stage.provider.revoked().len(), 1);
    // With the right account it goes on.
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    browser.come_back(&back).await;
    assert_eq!(grant_of(&stage, &session).await, grant);
}

#[tokio::test]
async fn a_direct_repair_with_another_account_ends_with_the_reason() {
    let stage = Stage::new().await;
    let grant = first_grant(&stage).await;
    let session = stage.session(json!({ "repair_grant_id": grant, "direct": true })).await;
    let (_, page) = stage.connect(&session, "mallory").await;
    assert_eq!(page.message()["error"], "account_mismatch");
    assert_eq!(stage.poll(&session).await["error"]["error_code"], "account_mismatch");
}

#[tokio::test]
async fn the_same_account_again_is_the_same_grant_with_new_tokens() {
    let stage = Stage::new().await;
    let grant = first_grant(&stage).await;
    let session = stage.session(json!({})).await;
    stage.connect(&session, "alice").await;
    assert_eq!(grant_of(&stage, &session).await, grant);
    assert_eq!(stage.poll(&session).await["grants"][0]["operation"], "reauth");
    assert_eq!(stage.connections("toy").await.len(), 1);
    assert_eq!(stage.provider.revoked(), Vec::<String>::new());
}

#[tokio::test]
async fn another_account_is_another_grant() {
    let stage = Stage::new().await;
    let grant = first_grant(&stage).await;
    let session = stage.session(json!({})).await;
    stage.connect(&session, "bob").await;
    assert_ne!(grant_of(&stage, &session).await, grant);
    assert_eq!(stage.connections("toy").await.len(), 2);
}

#[tokio::test]
async fn another_label_is_another_grant_on_the_same_connection() {
    let stage = Stage::new().await;
    let grant = first_grant(&stage).await;
    let labelled = json!({ "requested_grant": { "label": "Reports" } });
    let session = stage.session(labelled.clone()).await;
    stage.connect(&session, "alice").await;
    let second = grant_of(&stage, &session).await;
    assert_ne!(second, grant);
    assert_eq!(stage.poll(&session).await["grants"][0]["operation"], "creation");
    let connection = stage.connections("toy").await.remove(0);
    assert_eq!(connection.live_grants, 2);
    // And that label again is that grant again.
    let session = stage.session(labelled).await;
    stage.connect(&session, "alice").await;
    assert_eq!(grant_of(&stage, &session).await, second);
    assert_eq!(stage.connections("toy").await[0].live_grants, 2);
}

#[tokio::test]
async fn a_policy_that_comes_with_a_renewal_applies_to_the_grant() {
    let stage = Stage::new().await;
    let grant = first_grant(&stage).await;
    let session = stage.session(json!({ "grant_policy": { "max_ttl_seconds": 60 } })).await;
    stage.connect(&session, "alice").await;
    assert_eq!(grant_of(&stage, &session).await, grant);
    assert!(stage.grants().await[0].policy.expires_at.is_some());
}

#[tokio::test]
async fn b062_after_a_revoke_the_account_gets_a_new_grant() {
    let stage = Stage::new().await;
    let grant = first_grant(&stage).await;
    stage.client().post(&format!("/sdk/oauth/grants/{grant}/revoke"), &json!({})).await.ok();
    stage.create(json!({ "repair_grant_id": grant })).await.refused(404, "grant_not_found");
    let session = stage.session(json!({})).await;
    stage.connect(&session, "alice").await;
    assert_ne!(grant_of(&stage, &session).await, grant);
    assert_eq!(stage.connections("toy").await.len(), 1);
}

#[tokio::test]
async fn a_grant_that_is_revoked_during_its_repair_stays_revoked() {
    let stage = Stage::new().await;
    let grant = first_grant(&stage).await;
    let session = stage.session(json!({ "repair_grant_id": grant, "direct": true })).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    stage.client().post(&format!("/sdk/oauth/grants/{grant}/revoke"), &json!({})).await.ok();
    browser.come_back(&back).await;
    assert_eq!(stage.poll(&session).await["error"]["error_code"], "grant_revoked");
    assert_eq!(stage.connections("toy").await, []);
    // The old tokens and the new ones.
    stage.work().await;
    assert_eq!(stage.provider.revoked().len(), 2);
}

#[tokio::test]
async fn a_working_connection_keeps_its_refresh_token_where_none_came() {
    let stage = Stage::new().await;
    first_grant(&stage).await;
    stage.provider.keep_refresh_tokens();
    let session = stage.session(json!({})).await;
    stage.connect(&session, "alice").await;
    assert!(stage.connections("toy").await[0].tokens.refreshable);
    // A broken one has none worth keeping.
    break_off(&stage).await;
    let session = stage.session(json!({})).await;
    stage.connect(&session, "alice").await;
    assert!(!stage.connections("toy").await[0].tokens.refreshable);
}

#[tokio::test]
async fn an_account_without_a_name_is_a_connection_of_its_own() {
    let stage = Stage::new().await;
    for _ in 0..2 {
        let session = stage.session(json!({ "return_url": "https://app.example/" })).await;
        let mut browser = stage.browser();
        let page = browser.open(&session).await;
        let back = stage.provider.allow_nameless(&browser.start(&page, "toy").await);
        let page = browser.come_back(&back).await;
        assert!(page.data("return").unwrap().contains("account_identifier=unknown"));
    }
    assert_eq!(stage.connections("toy").await.len(), 2);
}

#[tokio::test]
async fn an_agents_key_repairs_no_grant_but_its_own() {
    let stage = Stage::new().await;
    let grant = first_grant(&stage).await;
    let agent = stage.app.agent().await;
    let body = json!({ "repair_grant_id": grant });
    agent.client().post("/sdk/oauth/connect/session", &body).await.refused(404, "grant_not_found");
}
