//! Managed secrets and the grants on them.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{CANARY, Vault, column};

#[tokio::test]
async fn a_secret_from_a_template_with_its_first_grant() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let secrets = format!("/apps/{}/secrets", vault.app("Demo").await);
    let body = json!({
        "template": "stripe",
        "fields": {"token": CANARY},
        "grant": {"principal": {"type": "system"}, "grant_policy": {"max_ttl_seconds": 3600}},
    });
    let created = admin.post(&secrets, body).await;
    assert_snapshot!(created.shown(), @r#"
    201 {
      "allowed_hosts": [
        "api.stripe.com",
        "files.stripe.com"
      ],
      "app_id": "[id]",
      "created_at": "[time]",
      "credential_type": "bearer",
      "default_headers": [],
      "fields": [
        "token"
      ],
      "grant": {
        "app_id": "[id]",
        "connection_id": null,
        "created_at": "[time]",
        "grant_id": "[id]",
        "grant_policy": {
          "expires_at": "[time]",
          "max_ttl_seconds": 3600
        },
        "kind": "managed_secret",
        "label": null,
        "last_used_at": null,
        "principal": {
          "type": "system"
        },
        "provider_id": "stripe",
        "revoke_reason": null,
        "revoked_at": null,
        "revoked_from": null,
        "secret_id": "[id]",
        "status": "active"
      },
      "injection": {
        "rules": [
          {
            "format": "Bearer {token}",
            "name": "authorization",
            "target": "header"
          }
        ],
        "type": "rules"
      },
      "name": "Stripe",
      "rotated_at": "[time]",
      "secret_id": "[id]",
      "slug": "stripe",
      "template": "stripe"
    }
    "#);
    let path = format!("{secrets}/{}", created.text_at("secret_id"));
    let read = admin.get(&path).await.expect(200);
    assert_eq!(read.json()["active_grants"], 1);
    assert_eq!(read.json().get("grant"), None);
    vault.clock.advance(3600);
    assert_eq!(admin.get(&path).await.json()["active_grants"], 0);
}

#[tokio::test]
async fn a_secret_of_ones_own_is_changed_and_its_value_replaced() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let secrets = format!("/apps/{}/secrets", vault.app("Demo").await);
    let body = json!({
        "name": "Internal API",
        "credential_type": "custom",
        "fields": {"api_key": CANARY, "application_id": "12345678"},
        "injection": [
            {"target": "header", "name": "X-Api-Key", "format": "Key {api_key}"},
            {"target": "query", "name": "app", "format": "{application_id}"},
        ],
        "default_headers": [{"name": "X-Version", "value": "2"}],
        "allowed_hosts": ["api.example.com", "*.example.org:*"],
    });
    let created = admin.post(&secrets, body).await;
    assert_snapshot!(created.shown(), @r#"
    201 {
      "allowed_hosts": [
        "api.example.com",
        "*.example.org:*"
      ],
      "app_id": "[id]",
      "created_at": "[time]",
      "credential_type": "custom",
      "default_headers": [
        {
          "name": "x-version",
          "value": "2"
        }
      ],
      "fields": [
        "api_key",
        "application_id"
      ],
      "injection": {
        "rules": [
          {
            "format": "Key {api_key}",
            "name": "x-api-key",
            "target": "header"
          },
          {
            "format": "{application_id}",
            "name": "app",
            "target": "query"
          }
        ],
        "type": "rules"
      },
      "name": "Internal API",
      "rotated_at": "[time]",
      "secret_id": "[id]",
      "slug": "internal-api",
      "template": null
    }
    "#);
    let path = format!("{secrets}/{}", created.text_at("secret_id"));

    let rules =
        json!([{"target": "header", "name": "Authorization", "format": "{application_id}:{api_key}"}]);
    let change = json!({"name": "Renamed", "injection": rules, "allowed_hosts": ["10.1.2.3:8443"], "default_headers": []});
    let changed = admin.patch(&path, change).await;
    assert_snapshot!(changed.shown(), @r#"
    200 {
      "allowed_hosts": [
        "10.1.2.3:8443"
      ],
      "app_id": "[id]",
      "created_at": "[time]",
      "credential_type": "custom",
      "default_headers": [],
      "fields": [
        "api_key",
        "application_id"
      ],
      "injection": {
        "rules": [
          {
            "format": "{application_id}:{api_key}",
            "name": "authorization",
            "target": "header"
          }
        ],
        "type": "rules"
      },
      "name": "Renamed",
      "rotated_at": "[time]",
      "secret_id": "[id]",
      "slug": "internal-api",
      "template": null
    }
    "#);

    let value = json!({"fields": {"api_key": "another value", "application_id": "87654321"}});
    let replaced = admin.put(&format!("{path}/value"), value).await.expect(200);
    assert_ne!(replaced.json()["rotated_at"], changed.json()["rotated_at"]);
    assert_eq!(replaced.text_at("slug"), "internal-api");
    assert_eq!(column(&admin.get(&secrets).await, "name"), ["Renamed"]);
}

#[tokio::test]
async fn slugs_are_numbered_when_taken_and_free_again_after_a_deletion() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let (app, other) = (vault.app("Demo").await, vault.app("Other").await);
    let body = json!({"template": "stripe", "name": "Stripe (live)", "fields": {"token": CANARY}});
    let mut last = String::new();
    for slug in ["stripe-live", "stripe-live-2", "stripe-live-3"] {
        let created = admin.post(&format!("/apps/{app}/secrets"), body.clone()).await.expect(201);
        assert_eq!(created.text_at("slug"), slug);
        last = created.text_at("secret_id");
    }
    let elsewhere = admin.post(&format!("/apps/{other}/secrets"), body.clone()).await.expect(201);
    assert_eq!(elsewhere.text_at("slug"), "stripe-live");
    admin.delete(&format!("/apps/{app}/secrets/{last}")).await.expect(200);
    let again = admin.post(&format!("/apps/{app}/secrets"), body).await.expect(201);
    assert_eq!(again.text_at("slug"), "stripe-live-3");
}

#[tokio::test]
async fn deleting_a_secret_revokes_its_grants() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Demo").await;
    let secret = json!({"template": "stripe", "fields": {"token": CANARY}, "grant": {"principal": {"type": "system"}}});
    let secret = admin.post(&format!("/apps/{app}/secrets"), secret).await.expect(201).text_at("secret_id");
    let grants = format!("/apps/{app}/grants");
    let body = json!({"secret_id": secret, "principal": {"type": "system"}, "label": "second"});
    let second = admin.post(&grants, body.clone()).await.expect(201).text_at("grant_id");
    admin.post(&format!("{grants}/{second}/revoke"), json!({})).await.expect(200);

    admin.delete(&format!("/apps/{app}/secrets/{secret}")).await.expect(200);
    admin.get(&format!("/apps/{app}/secrets/{secret}")).await.refused(404, "secret_not_found");
    admin.post(&grants, body).await.refused(404, "secret_not_found");
    assert_eq!(column(&admin.get(&grants).await, "status"), ["revoked", "revoked"]);
    let outcomes = vault.record.outcomes();
    assert_eq!(outcomes[outcomes.len() - 2..], ["grant.revoked success", "secret.deleted success"]);
}

#[tokio::test]
async fn grants_are_made_found_and_revoked() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Demo").await;
    let agent = admin.post(&format!("/apps/{app}/agents"), json!({"name": "bot"})).await.text_at("agent_id");
    let secret = json!({"template": "stripe", "fields": {"token": CANARY}});
    let secret = admin.post(&format!("/apps/{app}/secrets"), secret).await.text_at("secret_id");
    let grants = format!("/apps/{app}/grants");
    let user = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90";
    let principals = [
        json!({"type": "user", "user_id": user}),
        json!({"type": "group", "idp_id": user, "external_group_id": "sales"}),
        json!({"type": "system"}),
        json!({"type": "agent", "agent_id": agent}),
    ];
    let mut made = Vec::new();
    for (number, principal) in principals.into_iter().enumerate() {
        let body = json!({"secret_id": secret, "principal": principal, "label": format!("label {number}")});
        made.push(admin.post(&grants, body).await.expect(201));
    }
    assert_snapshot!(made[0].shown(), @r#"
    201 {
      "app_id": "[id]",
      "connection_id": null,
      "created_at": "[time]",
      "grant_id": "[id]",
      "grant_policy": {
        "expires_at": null,
        "max_ttl_seconds": null
      },
      "kind": "managed_secret",
      "label": "label 0",
      "last_used_at": null,
      "principal": {
        "type": "user",
        "user_id": "[id]"
      },
      "provider_id": "stripe",
      "revoke_reason": null,
      "revoked_at": null,
      "revoked_from": null,
      "secret_id": "[id]",
      "status": "active"
    }
    "#);
    let labels =
        async |query: &str| column(&admin.get(&format!("{grants}?{query}")).await.expect(200), "label");
    assert_eq!(labels("").await, ["label 3", "label 2", "label 1", "label 0"]);
    assert_eq!(labels(&format!("user_id={user}")).await, ["label 0"]);
    assert_eq!(labels(&format!("agent_id={agent}&principal_type=agent")).await, ["label 3"]);
    assert_eq!(labels("principal_type=group").await, ["label 1"]);
    assert_eq!(labels("provider_id=stripe&status=active").await.len(), 4);
    assert!(labels("provider_id=other").await.is_empty());
    let first = admin.get(&format!("{grants}?limit=3")).await;
    let rest = format!("limit=3&cursor={}", first.text_at("next_cursor"));
    assert_eq!(labels(&rest).await, ["label 0"]);

    let path = format!("{grants}/{}", made[0].text_at("grant_id"));
    assert_eq!(admin.get(&path).await.json(), made[0].json());
    assert_snapshot!(admin.post(&format!("{path}/revoke"), json!({"reason": "left"})).await.shown(), @r#"
    200 {
      "app_id": "[id]",
      "connection_id": null,
      "created_at": "[time]",
      "grant_id": "[id]",
      "grant_policy": {
        "expires_at": null,
        "max_ttl_seconds": null
      },
      "kind": "managed_secret",
      "label": "label 0",
      "last_used_at": null,
      "principal": {
        "type": "user",
        "user_id": "[id]"
      },
      "provider_id": "stripe",
      "revoke_reason": "left",
      "revoked_at": "[time]",
      "revoked_from": "portal",
      "secret_id": "[id]",
      "status": "revoked"
    }
    "#);
    admin.post(&format!("{path}/revoke"), json!({})).await.refused(409, "grant_revoked");
    assert_eq!(labels("status=revoked").await, ["label 0"]);
}
