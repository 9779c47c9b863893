//! Keys and agents of an app.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Vault, column};

#[tokio::test]
async fn keys_are_minted_rotated_and_revoked() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let keys = format!("/apps/{}/keys", vault.app("Demo").await);
    let body =
        json!({"name": "production", "scopes": ["proxy:execute", "grants:admin"], "expires_in": "12h"});
    let minted = admin.post(&keys, body).await;
    assert_snapshot!(minted.shown(), @r#"
    201 {
      "api_key": "[key text]",
      "key": {
        "agent_id": null,
        "app_id": "[id]",
        "created_at": "[time]",
        "expires_at": "[time]",
        "grace_ends_at": null,
        "key_id": "[id]",
        "key_prefix": "[key text]",
        "name": "production",
        "revoked_at": null,
        "rotated_at": null,
        "scopes": [
          "grants:admin",
          "proxy:execute"
        ],
        "status": "active",
        "successor_key_id": null
      }
    }
    "#);
    assert!(minted.text_at("api_key").starts_with(&minted.text_at("key.key_prefix")));
    let path = format!("{keys}/{}", minted.text_at("key.key_id"));
    assert_eq!(admin.get(&path).await.json(), minted.json()["key"]);

    let rotated = admin.post(&format!("{path}/rotate"), json!({"grace_seconds": 60})).await;
    assert_snapshot!(rotated.shown(), @r#"
    200 {
      "api_key": "[key text]",
      "key": {
        "agent_id": null,
        "app_id": "[id]",
        "created_at": "[time]",
        "expires_at": "[time]",
        "grace_ends_at": null,
        "key_id": "[id]",
        "key_prefix": "[key text]",
        "name": "production",
        "revoked_at": null,
        "rotated_at": null,
        "scopes": [
          "grants:admin",
          "proxy:execute"
        ],
        "status": "active",
        "successor_key_id": null
      },
      "previous": {
        "agent_id": null,
        "app_id": "[id]",
        "created_at": "[time]",
        "expires_at": "[time]",
        "grace_ends_at": "[time]",
        "key_id": "[id]",
        "key_prefix": "[key text]",
        "name": "production",
        "revoked_at": null,
        "rotated_at": "[time]",
        "scopes": [
          "grants:admin",
          "proxy:execute"
        ],
        "status": "rotated_in_grace",
        "successor_key_id": "[id]"
      }
    }
    "#);
    assert_eq!(rotated.json()["previous"]["successor_key_id"], rotated.json()["key"]["key_id"]);
    assert_eq!(admin.get(&path).await.text_at("status"), "rotated_in_grace");
    vault.clock.advance(60);
    assert_eq!(admin.get(&path).await.text_at("status"), "rotated");
    vault.clock.advance(12 * 3600);
    let successor = format!("{keys}/{}", rotated.text_at("key.key_id"));
    assert_eq!(admin.get(&successor).await.text_at("status"), "expired");
    admin.send("POST", &format!("{successor}/rotate"), None).await.refused(409, "key_not_active");

    assert_eq!(admin.delete(&path).await.expect(200).text_at("status"), "revoked");
    admin.delete(&path).await.refused(409, "key_revoked");
    assert_eq!(column(&admin.get(&keys).await, "status"), ["revoked", "expired"]);
}

#[tokio::test]
async fn agents_have_keys_that_end_with_them() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Demo").await;
    let agents = format!("/apps/{app}/agents");
    let created = admin.post(&agents, json!({"name": "bot", "display_name": "The bot"})).await;
    assert_snapshot!(created.shown(), @r#"
    201 {
      "agent_id": "[id]",
      "app_id": "[id]",
      "created_at": "[time]",
      "display_name": "The bot",
      "name": "bot",
      "revoked_at": null,
      "status": "active"
    }
    "#);
    let agent = created.text_at("agent_id");
    let path = format!("{agents}/{agent}");
    assert_eq!(admin.get(&path).await.json(), created.json());
    admin.post(&agents, json!({"name": "bot"})).await.refused(409, "agent_name_exists");
    let mint = json!({"name": "bot's", "agent_id": agent});
    let key = admin.post(&format!("/apps/{app}/keys"), mint.clone()).await.expect(201);
    assert_eq!(key.text_at("key.agent_id"), agent);
    assert!(key.text_at("api_key").starts_with("alter_key_agent_"));

    assert_snapshot!(admin.delete(&path).await.shown(), @r#"
    200 {
      "agent_id": "[id]",
      "app_id": "[id]",
      "created_at": "[time]",
      "display_name": "The bot",
      "name": "bot",
      "revoked_at": "[time]",
      "status": "revoked"
    }
    "#);
    let key = format!("/apps/{app}/keys/{}", key.text_at("key.key_id"));
    assert_eq!(admin.get(&key).await.text_at("status"), "revoked");
    admin.post(&format!("/apps/{app}/keys"), mint).await.refused(409, "agent_revoked");
    admin.delete(&path).await.refused(409, "agent_revoked");
    // The name is free again.
    admin.post(&agents, json!({"name": "bot"})).await.expect(201);
    assert_eq!(column(&admin.get(&agents).await, "status"), ["revoked", "active"]);
}
