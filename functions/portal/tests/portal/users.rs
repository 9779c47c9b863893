//! End users of an app: finding them, suspending, letting back, ending; and what may be granted to them and their groups.

use alter_api_types::AppId;
use alter_domain::model::{Surface, UserState};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{CANARY, Vault, column};

/// A vault with an app that has an identity provider, and the path of its users.
async fn vault() -> (Vault, AppId, String) {
    let vault = Vault::new().await;
    let app = vault.app("Demo").await;
    vault.issuers.add("https://idp.example.com");
    let idp = json!({ "issuer": "https://idp.example.com" });
    vault.admin().post(&format!("/apps/{app}/identity-provider"), idp).await.expect(201);
    (vault, app, format!("/apps/{app}/users"))
}

#[tokio::test]
async fn a_user_is_shown_with_their_belonging_to_the_app() {
    let (vault, app, path) = vault().await;
    let id = vault.arrives(app, "ada", &["engineering", "admins"]).await;
    let shown = vault.admin().get(&format!("{path}/{id}")).await.expect(200);
    assert_snapshot!(shown.shown(), @r#"
    200 {
      "app_id": "[id]",
      "claim": "sub",
      "created_at": "[time]",
      "email": "ada@example.com",
      "groups": [
        "admins",
        "engineering"
      ],
      "idp_id": "[id]",
      "issuer": "https://idp.example.com",
      "name": "ADA",
      "roles": [],
      "status": "active",
      "status_from": null,
      "status_since": null,
      "subject": "ada",
      "updated_at": "[time]",
      "user_id": "[id]"
    }
    "#);
}

#[tokio::test]
async fn users_are_listed_by_pages_newest_first_and_found_by_address_and_status() {
    let (vault, app, path) = vault().await;
    let admin = vault.admin();
    for n in 0..7 {
        vault.arrives(app, &format!("user-{n}"), &[]).await;
    }
    let (mut subjects, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("{path}?limit=3{cursor}")).await.expect(200);
        subjects.extend(column(&page, "subject"));
        match page.json()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(subjects, ["user-6", "user-5", "user-4", "user-3", "user-2", "user-1", "user-0"]);
    let found =
        async |query: &str| column(&admin.get(&format!("{path}?{query}")).await.expect(200), "subject");
    assert_eq!(found("email=User-3%40Example.com").await, ["user-3"]);
    assert!(found("email=user-3").await.is_empty(), "the whole address");
    let id = admin.get(&format!("{path}?email=user-5%40example.com")).await.json();
    let id = id["items"][0]["user_id"].as_str().unwrap().to_owned();
    admin.send("POST", &format!("{path}/{id}/suspend"), None).await.expect(200);
    assert_eq!(found("status=suspended").await, ["user-5"]);
    // What does not match makes a page no shorter than it has to be.
    assert_eq!(found("status=active&limit=6").await.len(), 6);
    assert!(found("status=deprovisioned").await.is_empty());
    for bad in ["status=gone", "name=ada", "limit=0", "cursor=x"] {
        let answer = admin.get(&format!("{path}?{bad}")).await.expect(422);
        assert!(answer.json()["error"].as_str().unwrap().starts_with("invalid_"), "{bad}: {}", answer.text);
    }
}

#[tokio::test]
async fn somebody_whom_the_app_has_not_seen_does_not_exist_there() {
    let (vault, app, _) = vault().await;
    let id = vault.arrives(app, "ada", &[]).await;
    let other = vault.app("Other").await;
    let admin = vault.admin();
    assert_eq!(admin.get(&format!("/apps/{other}/users")).await.expect(200).json()["items"], json!([]));
    for act in ["suspend", "reactivate", "deprovision"] {
        let path = format!("/apps/{other}/users/{id}/{act}");
        admin.send("POST", &path, None).await.refused(404, "user_not_found");
    }
    // The same issuer there makes them one user of both.
    let idp = json!({ "issuer": "https://idp.example.com" });
    admin.post(&format!("/apps/{other}/identity-provider"), idp).await.expect(201);
    assert_eq!(vault.arrives(other, "ada", &["guests"]).await, id);
    admin.send("POST", &format!("/apps/{other}/users/{id}/suspend"), None).await.expect(200);
    let here = admin.get(&format!("/apps/{app}/users/{id}")).await.expect(200).json();
    assert_eq!((&here["status"], &here["groups"]), (&json!("suspended"), &json!([])));
}

#[tokio::test]
async fn suspending_and_letting_back_are_on_the_record() {
    let (vault, app, path) = vault().await;
    let admin = vault.admin();
    let id = vault.arrives(app, "ada", &[]).await;
    let act = async |what: &str| admin.send("POST", &format!("{path}/{id}/{what}"), None).await;
    act("reactivate").await.refused(409, "user_active");
    let suspended = act("suspend").await.expect(200).json();
    assert_eq!((&suspended["status"], &suspended["status_from"]), (&json!("suspended"), &json!("portal")));
    act("suspend").await.refused(409, "user_suspended");
    assert_eq!(act("reactivate").await.expect(200).json()["status"], "active");
    // The identity provider's clock was ahead: the operator's word is the newest all the same.
    let ahead = vault.user(id).await.unwrap().try_map(|user| {
        let at = "2030-01-01T00:00:00Z".parse().unwrap();
        Ok(user.suspend(at, Surface::Webhook).unwrap())
    });
    let put = alter_domain::repo::Users::put(&ahead.unwrap()).unwrap();
    vault.ports.table.transact(vec![put]).await.unwrap();
    assert_eq!(act("reactivate").await.expect(200).json()["status"], "active");

    let events = vault.record.events();
    let about: Vec<_> = events.iter().filter(|event| event.user() == Some(id)).collect();
    assert!(about.len() >= 6 && about.iter().all(|event| event.app_id == Some(app)), "{about:?}");
    let done = vault.record.outcomes();
    let of = |wanted: &str| done.iter().filter(|event| *event == wanted).count();
    assert_eq!((of("user.suspended success"), of("user.reactivated success")), (1, 2));
}

#[tokio::test]
async fn who_was_deprovisioned_comes_back_when_all_that_they_had_is_ended() {
    let (vault, app, path) = vault().await;
    let admin = vault.admin();
    let id = vault.arrives(app, "ada", &[]).await;
    let act = async |what: &str| admin.send("POST", &format!("{path}/{id}/{what}"), None).await;
    let gone = act("deprovision").await.expect(200).json();
    assert_eq!(
        (&gone["status"], &gone["deprovision"]["grants_revoked"]),
        (&json!("deprovisioned"), &json!(0))
    );
    assert!(vault.departure_of(id).await.is_some(), "the task is written with the departure");
    act("deprovision").await.refused(409, "user_deprovisioned");
    act("suspend").await.refused(409, "user_deprovisioned");
    act("reactivate").await.refused(409, "deprovision_pending");
    assert!(matches!(vault.user(id).await.unwrap().value.state, UserState::Deprovisioned { .. }));

    vault.departure_is_over(id).await;
    let back = act("reactivate").await.expect(200).json();
    assert!(back["status"] == "active" && back.get("deprovision").is_none(), "{back}");
    assert!(vault.user(id).await.unwrap().value.reinstated_at.is_some());
    assert_eq!(act("deprovision").await.expect(200).json()["status"], "deprovisioned");
    assert!(vault.record.outcomes().contains(&"user.deprovisioned success".to_owned()));
}

#[tokio::test]
async fn b086_grants_are_for_known_users_and_groups_of_the_app_s_own_identity_provider() {
    let (vault, app, path) = vault().await;
    let admin = vault.admin();
    let secret = json!({ "template": "stripe", "fields": { "token": CANARY } });
    let secret = admin.post(&format!("/apps/{app}/secrets"), secret).await.text_at("secret_id");
    let idp = admin.get(&format!("/apps/{app}/identity-provider")).await.text_at("idp_id");
    let id = vault.arrives(app, "ada", &["engineering"]).await;
    let nobody: alter_api_types::UserId = vault.ports.new_id().unwrap();
    let mut labels = 0;
    let mut grant = async |principal: Value| {
        labels += 1;
        let body = json!({ "secret_id": secret, "principal": principal, "label": format!("label {labels}") });
        let first = admin.post(&format!("/apps/{app}/grants"), body).await;
        // With a secret's first grant it is the same.
        let new = json!({ "template": "stripe", "fields": { "token": CANARY },
            "grant": { "principal": principal, "label": "first" } });
        let along = admin.post(&format!("/apps/{app}/secrets"), new).await;
        assert_eq!(first.status, along.status, "{} {}", first.text, along.text);
        first
    };
    let user = |id: &str| json!({ "type": "user", "user_id": id });
    let group = |idp: &str| json!({ "type": "group", "idp_id": idp, "external_group_id": "engineering" });
    grant(user(&id.to_string())).await.expect(201);
    grant(group(&idp)).await.expect(201);
    grant(user(&nobody.to_string())).await.refused(422, "invalid_principal");
    grant(group(&nobody.to_string())).await.refused(422, "invalid_principal");
    let act = async |what: &str| admin.send("POST", &format!("{path}/{id}/{what}"), None).await.expect(200);
    act("suspend").await;
    grant(user(&id.to_string())).await.refused(403, "user_suspended");
    act("deprovision").await;
    grant(user(&id.to_string())).await.refused(403, "user_deprovisioned");
    let secrets = admin.get(&format!("/apps/{app}/secrets")).await.json()["items"].as_array().unwrap().len();
    assert_eq!(secrets, 3, "what was refused left nothing");
}
