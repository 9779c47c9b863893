//! The operator's own organization: tokens, apps, templates.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Vault, column};

#[tokio::test]
async fn the_token_says_who_it_is() {
    let vault = Vault::new().await;
    assert_snapshot!(vault.admin().get("/me").await.shown(), @r#"
    200 {
      "org_id": "[id]",
      "org_name": "Acme",
      "token": {
        "created_at": "[time]",
        "expires_at": null,
        "name": "first operator",
        "permission": "admin",
        "revoked_at": null,
        "status": "active",
        "token_id": "[id]",
        "token_prefix": "[key text]"
      }
    }
    "#);
}

#[tokio::test]
async fn operator_tokens_are_minted_listed_and_revoked() {
    let vault = Vault::new().await;
    let body = json!({"name": "dashboard", "permission": "read", "expires_in": "30d"});
    let minted = vault.admin().post("/tokens", body).await;
    assert_snapshot!(minted.shown(), @r#"
    201 {
      "operator_token": "[key text]",
      "token": {
        "created_at": "[time]",
        "expires_at": "[time]",
        "name": "dashboard",
        "permission": "read",
        "revoked_at": null,
        "status": "active",
        "token_id": "[id]",
        "token_prefix": "[key text]"
      }
    }
    "#);
    let dashboard = minted.text_at("operator_token");
    vault.client(&dashboard).get("/me").await.expect(200);
    assert_eq!(column(&vault.admin().get("/tokens").await, "name"), ["first operator", "dashboard"]);
    let path = format!("/tokens/{}", minted.text_at("token.token_id"));
    let revoked = vault.admin().delete(&path).await.expect(200);
    assert_eq!(revoked.text_at("status"), "revoked");
    vault.client(&dashboard).get("/me").await.refused(401, "invalid_operator_token");
    vault.admin().delete(&path).await.refused(409, "token_revoked");
}

#[tokio::test]
async fn a_token_mints_none_that_may_do_more() {
    let vault = Vault::new().await;
    let writer = vault.token("write").await;
    let body = json!({"name": "more", "permission": "admin"});
    vault.client(&writer).post("/tokens", body).await.refused(403, "insufficient_scope");
    vault.client(&writer).post("/tokens", json!({"name": "same", "permission": "write"})).await.expect(201);
}

#[tokio::test]
async fn apps_are_created_changed_and_archived() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let body = json!({"name": " Demo ", "description": "A demo", "website_url": "https://example.com"});
    let created = admin.post("/apps", body).await;
    assert_snapshot!(created.shown(), @r#"
    201 {
      "app_id": "[id]",
      "archived_at": null,
      "color": null,
      "color_dark": null,
      "created_at": "[time]",
      "description": "A demo",
      "logo": null,
      "name": "Demo",
      "status": "active",
      "support_email": null,
      "wallet_listed": false,
      "website_url": "https://example.com/"
    }
    "#);
    let path = format!("/apps/{}", created.text_at("app_id"));
    let changed = admin.patch(&path, json!({"name": "Shop", "description": null})).await.expect(200);
    assert_eq!(changed.json()["description"], json!(null));
    assert_eq!(changed.text_at("website_url"), "https://example.com/");
    assert_eq!(admin.get(&path).await.json(), changed.json());
    assert_snapshot!(admin.send("POST", &format!("{path}/archive"), None).await.shown(), @r#"
    200 {
      "app_id": "[id]",
      "archived_at": "[time]",
      "color": null,
      "color_dark": null,
      "created_at": "[time]",
      "description": null,
      "logo": null,
      "name": "Shop",
      "status": "archived",
      "support_email": null,
      "wallet_listed": false,
      "website_url": "https://example.com/"
    }
    "#);
    assert!(column(&admin.get("/apps").await, "name").is_empty());
    assert_eq!(column(&admin.get("/apps?include_archived=true").await, "name"), ["Shop"]);
    // What is archived goes on working.
    admin.post(&format!("{path}/keys"), json!({"name": "k"})).await.expect(201);
    admin.send("POST", &format!("{path}/archive"), None).await.refused(409, "app_archived");
    let back = admin.send("POST", &format!("{path}/unarchive"), None).await.expect(200);
    assert_eq!(back.text_at("status"), "active");
    admin.send("POST", &format!("{path}/unarchive"), None).await.refused(409, "app_not_archived");
}

#[tokio::test]
async fn pages_of_apps_are_full_although_archived_ones_lie_between() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    for number in 0..7 {
        let app = vault.app(&format!("app {number}")).await;
        if number % 2 == 1 {
            admin.send("POST", &format!("/apps/{app}/archive"), None).await.expect(200);
        }
    }
    let first = admin.get("/apps?limit=3").await.expect(200);
    assert_eq!(column(&first, "name"), ["app 0", "app 2", "app 4"]);
    let cursor = first.text_at("next_cursor");
    let second = admin.get(&format!("/apps?limit=3&cursor={cursor}")).await.expect(200);
    assert_eq!(column(&second, "name"), ["app 6"]);
    assert_eq!(second.json()["next_cursor"], json!(null));
}

#[tokio::test]
async fn templates_are_listed_by_pages() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    assert_snapshot!(admin.get("/templates/stripe").await.shown(), @r#"
    200 {
      "allowed_hosts": [
        "api.stripe.com",
        "files.stripe.com"
      ],
      "category": "payments",
      "credential_type": "bearer",
      "default_headers": [],
      "docs_url": "https://docs.stripe.com/api/authentication",
      "fields": [
        {
          "help": null,
          "label": "Secret or restricted key",
          "name": "token",
          "required": true,
          "secret": true
        }
      ],
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
      "slug": "stripe"
    }
    "#);
    admin.get("/templates/nope").await.refused(404, "template_not_found");
    let (mut slugs, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/templates?limit=50&cursor={cursor}")).await.expect(200);
        slugs.extend(column(&page, "slug"));
        match page.json()["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    let all: Vec<_> =
        alter_domain::catalogue::templates().iter().map(|template| template.slug.clone()).collect();
    assert_eq!(slugs, all);
}
