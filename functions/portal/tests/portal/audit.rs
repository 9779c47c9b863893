//! What is done is on the record, and the record can be read.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{CANARY, Vault, column};

/// One of each change; gives the app.
pub(crate) async fn live(vault: &Vault) -> String {
    let admin = vault.admin();
    let app = vault.app("Demo").await.to_string();
    let at = |path: &str| format!("/apps/{app}{path}");
    admin.patch(&at(""), json!({"description": "d"})).await.expect(200);
    admin.send("POST", &at("/archive"), None).await.expect(200);
    admin.send("POST", &at("/unarchive"), None).await.expect(200);
    let agent = admin.post(&at("/agents"), json!({"name": "bot"})).await.text_at("agent_id");
    admin.post(&at("/keys"), json!({"name": "bot's", "agent_id": agent})).await.expect(201);
    let key = admin.post(&at("/keys"), json!({"name": "k"})).await.text_at("key.key_id");
    admin.send("POST", &at(&format!("/keys/{key}/rotate")), None).await.expect(200);
    admin.delete(&at(&format!("/keys/{key}"))).await.expect(200);
    let secret = json!({"template": "stripe", "fields": {"token": CANARY}, "grant": {"principal": {"type": "system"}}});
    let secret = admin.post(&at("/secrets"), secret).await.expect(201);
    let (secret, grant) = (secret.text_at("secret_id"), secret.text_at("grant.grant_id"));
    let path = at(&format!("/secrets/{secret}"));
    admin.patch(&path, json!({"name": "Stripe (live)"})).await.expect(200);
    admin.put(&format!("{path}/value"), json!({"fields": {"token": CANARY}})).await.expect(200);
    let second = json!({"secret_id": secret, "principal": {"type": "agent", "agent_id": agent}});
    admin.post(&at("/grants"), second).await.expect(201);
    admin.post(&at(&format!("/grants/{grant}/revoke")), json!({"reason": "done"})).await.expect(200);
    admin.delete(&path).await.expect(200);
    admin.delete(&at(&format!("/agents/{agent}"))).await.expect(200);
    app
}

#[tokio::test]
async fn every_change_is_recorded_before_and_after() {
    let vault = Vault::new().await;
    live(&vault).await;
    let token = vault.admin().post("/tokens", json!({"name": "t", "permission": "read"})).await;
    vault.admin().delete(&format!("/tokens/{}", token.text_at("token.token_id"))).await.expect(200);
    let outcomes = vault.record.outcomes();
    assert_snapshot!(outcomes.join("\n"), @r#"
    operator_token.minted success
    app.created success
    app.updated success
    app.archived success
    app.unarchived success
    agent.created success
    key.minted success
    key.minted success
    key.rotated success
    key.revoked success
    grant.created success
    secret.created success
    secret.updated success
    secret.rotated success
    grant.created success
    grant.revoked success
    grant.revoked success
    secret.deleted success
    agent.revoked success
    key.revoked success
    operator_token.minted success
    operator_token.revoked success
    "#);
    assert_eq!(vault.record.events().len(), 2 * outcomes.len(), "an intent for each");
}

#[tokio::test]
async fn the_record_says_who_did_what_to_what() {
    let vault = Vault::new().await;
    let app = live(&vault).await;
    let page = vault.admin().get(&format!("/apps/{app}/audit?event=secret.created")).await.expect(200);
    let row = &page.json()["items"][0];
    assert_eq!(row["actor_type"], "operator");
    assert_eq!(row["surface"], "portal");
    assert_eq!(row["detail"]["slug"], "stripe");
    assert_eq!(row["detail"]["allowed_hosts"], "api.stripe.com files.stripe.com");
    let me = vault.admin().get("/me").await.text_at("token.token_id");
    assert_eq!(row["operator_token_id"], me.as_str());
    let id = row["id"].as_str().unwrap();
    assert_eq!(vault.admin().get(&format!("/apps/{app}/audit/{id}")).await.expect(200).json(), *row);
}

#[tokio::test]
async fn a_refused_change_is_recorded_as_refused() {
    let vault = Vault::new().await;
    let app = vault.app("Demo").await;
    let agents = format!("/apps/{app}/agents");
    vault.admin().post(&agents, json!({"name": "bot"})).await.expect(201);
    vault.admin().post(&agents, json!({"name": "bot"})).await.refused(409, "agent_name_exists");
    let newest = vault.admin().get(&format!("/apps/{app}/audit?limit=1")).await.json();
    assert_eq!(newest["items"][0]["event"], "agent.created");
    assert_eq!(newest["items"][0]["outcome"], "denied");
    assert_eq!(newest["items"][0]["error_code"], "agent_name_exists");
}

#[tokio::test]
async fn an_app_s_record_and_the_organization_s_are_apart_and_can_be_exported() {
    let vault = Vault::new().await;
    let app = live(&vault).await;
    let admin = vault.admin();
    assert_eq!(column(&admin.get("/audit").await, "event"), ["operator_token.minted"]);
    let rows = admin.get(&format!("/apps/{app}/audit?limit=1000")).await;
    assert!(!column(&rows, "event").contains(&"operator_token.minted".to_owned()));
    let count = column(&rows, "event").len();
    let csv = admin.get(&format!("/apps/{app}/audit/export")).await.expect(200);
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(csv.text.lines().count(), count + 1);
    let lines = admin.get(&format!("/apps/{app}/audit/export?format=jsonl")).await.expect(200);
    assert_eq!(lines.text.lines().count(), count);
    assert_eq!(admin.get("/audit/export?format=jsonl").await.expect(200).text.lines().count(), 1);
    admin.get(&format!("/apps/{app}/audit/export?format=xml")).await.refused(422, "invalid_format");
}
