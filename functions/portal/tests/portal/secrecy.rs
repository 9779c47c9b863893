//! A credential goes in and is never seen again; a key is seen once.

use serde_json::json;

use crate::support::{CANARY, Vault, toy};

#[tokio::test]
async fn no_answer_and_no_record_holds_a_value() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Demo").await;
    let secrets = format!("/apps/{app}/secrets");
    let fields = json!({"token": CANARY});
    let grant = json!({"principal": {"type": "system"}});
    let secret = json!({"template": "stripe", "fields": fields, "grant": grant});
    let secret = admin.post(&secrets, secret).await.expect(201).text_at("secret_id");
    let path = format!("{secrets}/{secret}");
    admin.put(&format!("{path}/value"), json!({"fields": fields})).await.expect(200);
    // Refusals must not repeat it either, wherever it was put by mistake.
    let own = json!({"name": "x", "credential_type": "bearer", "fields": fields, "allowed_hosts": []});
    admin.post(&secrets, own).await.refused(422, "invalid_allowed_hosts");
    for body in [
        json!({"template": "stripe", "fields": {"token": [CANARY]}}),
        json!({"template": "stripe", "fields": CANARY}),
        json!({"template": "stripe", "fields": {"token": CANARY}, CANARY: 1}),
        json!(CANARY),
    ] {
        admin.post(&secrets, body).await.refused(400, "invalid_request");
    }
    let broken = format!(r#"{{"fields": {{"token": "{CANARY}" "#);
    admin.raw("POST", &secrets, Some("application/json"), broken).await.refused(400, "invalid_request");
    for read in [path.clone(), secrets, format!("/apps/{app}/grants"), format!("/apps/{app}/audit")] {
        admin.get(&read).await.expect(200);
    }
    admin.get(&format!("/apps/{app}/audit/export")).await.expect(200);
    admin.delete(&path).await.expect(200);

    // The same for what proves an app to an OAuth provider.
    let providers = format!("/apps/{app}/providers");
    let provider = json!({"definition": toy("toy"), "client_id": "c", "client_secret": CANARY});
    admin.post(&providers, provider).await.expect(201);
    let path = format!("{providers}/toy");
    let secret = format!("{path}/client-secret");
    admin.put(&secret, json!({"client_secret": CANARY})).await.expect(200);
    admin.put(&secret, json!({"private_key": CANARY})).await.refused(422, "client_secret_required");
    for body in [json!({"client_secret": [CANARY]}), json!({CANARY: 1}), json!(CANARY)] {
        admin.put(&secret, body).await.refused(400, "invalid_request");
    }
    for read in [&providers, &path, &format!("/apps/{app}/audit")] {
        admin.get(read).await.expect(200);
    }
    admin.patch(&path, json!({"client_id": "changed"})).await.expect(200);
    admin.delete(&path).await.expect(200);

    for answer in vault.answers() {
        assert!(!answer.contains(CANARY), "{answer}");
    }
    for event in vault.record.events() {
        assert!(!serde_json::to_string(&event).unwrap().contains(CANARY), "{event:?}");
    }
}

/// The key service of these tests opens no data key, as on AWS: not for an app that has sealed before, and not when the
/// key in memory is too old (docs/adr/0008-no-key-ring.md).
#[tokio::test]
async fn sealing_again_after_minutes_opens_no_data_key() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Demo").await;
    let secrets = format!("/apps/{app}/secrets");
    let (fields, key) = (json!({"token": CANARY}), json!({"name": "k"}));
    let secret = json!({"template": "stripe", "fields": fields});
    let id = admin.post(&secrets, secret).await.expect(201).text_at("secret_id");
    admin.post(&format!("/apps/{app}/keys"), key.clone()).await.expect(201);
    vault.clock.advance(3600);
    admin.put(&format!("{secrets}/{id}/value"), json!({"fields": fields})).await.expect(200);
    admin.post(&format!("/apps/{app}/keys"), key).await.expect(201);
}

#[tokio::test]
async fn keys_and_tokens_are_shown_once() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Demo").await;
    let keys = format!("/apps/{app}/keys");
    let minted = admin.post(&keys, json!({"name": "k"})).await;
    let path = format!("{keys}/{}", minted.text_at("key.key_id"));
    let rotated = admin.send("POST", &format!("{path}/rotate"), None).await;
    let token = admin.post("/tokens", json!({"name": "t", "permission": "read"})).await;
    for read in [
        keys,
        path,
        "/tokens".to_owned(),
        "/me".to_owned(),
        "/audit".to_owned(),
        format!("/apps/{app}/audit"),
    ] {
        admin.get(&read).await.expect(200);
    }
    let texts = [minted.text_at("api_key"), rotated.text_at("api_key"), token.text_at("operator_token")];
    let answers = vault.answers();
    for text in texts {
        assert_eq!(answers.iter().filter(|answer| answer.contains(&text)).count(), 1);
        // Not in parts: what is shown of a key elsewhere is its public beginning.
        let secret_part = &text[text.len() - 24..];
        assert_eq!(answers.iter().filter(|answer| answer.contains(secret_part)).count(), 1);
        for event in vault.record.events() {
            assert!(!serde_json::to_string(&event).unwrap().contains(secret_part));
        }
    }
}
