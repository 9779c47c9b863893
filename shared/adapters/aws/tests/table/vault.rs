//! A whole vault over DynamoDB: set up, called, looked up, revoked.

use std::sync::Arc;

use alter_tests::{GrantSpec, ScriptedClient, SecretSpec, Setup};
use serde_json::json;

use crate::support::{Emulator, Sent, Wire};

const URL: &str = "https://api.example.com/";
const TOKEN: &str = "tok_0123456789abcdef";

#[tokio::test]
async fn the_story_of_a_grant() {
    let (emulator, wire) = (Emulator::start(), Wire::default());
    let table = Arc::new(emulator.table(&wire).await);
    let provider = ScriptedClient::silent();
    let vault = Setup::default().store(table).http(Arc::clone(&provider) as _).build().await;
    let app = vault.app().await;
    let secret = app.secret(SecretSpec::bearer("provider", TOKEN, "api.example.com")).await;
    let grant = app.grant(&secret, GrantSpec::system()).await;
    let client = app.client();
    let call = json!({ "method": "GET", "url": URL, "grant_id": grant });

    client.proxy(&call).await.ok();
    assert_eq!(provider.last().header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));

    wire.sent();
    client.proxy(&call).await.ok();
    let not_audit = |sent: &Sent| !sent.body.to_string().contains("\"audit-");
    let sent: Vec<String> = wire.sent().into_iter().filter(not_audit).map(|sent| sent.operation).collect();
    assert_eq!(sent, ["BatchGetItem", "PutItem"], "a warm call is one read and the nonce");

    let once = || client.request("POST", "/sdk/proxy").json(&call).nonce("00112233445566778899aabbccddeeff");
    once().send().await.ok();
    once().send().await.refused(401, "nonce_replayed");

    let rows = client.get("/v1/audit?event=call").await.ok();
    assert_eq!(rows["items"].as_array().unwrap().len(), 4, "the replay too: {rows}");
    let listed = client.post("/sdk/grants/list", &json!({ "limit": 10, "offset": 0 })).await.ok();
    assert_eq!(listed["grants"][0]["grant_id"], json!(grant));

    client.post(&format!("/sdk/oauth/grants/{grant}/revoke"), &json!({ "reason": "done" })).await.ok();
    client.proxy(&call).await.refused(403, "grant_revoked");
    assert_eq!(provider.hits(), 3, "the provider is not reached again");
}
