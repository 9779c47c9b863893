//! Lists, grants and revocations with a user's token (B011, B086).

use alter_domain::{
    api::GrantId,
    model::{EventKind, Permission, Phase},
};
use alter_tests::{GrantSpec, SignedClient};
use serde_json::{Value, json};

use crate::world::World;

async fn list(client: &SignedClient, token: &str, more: Value) -> Value {
    let mut query = json!({ "limit": 100, "offset": 0, "user_token": token });
    query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("/sdk/grants/list", &query).await.ok()
}

fn ids(list: &Value) -> Vec<Value> {
    list["grants"].as_array().unwrap().iter().map(|grant| grant["grant_id"].clone()).collect()
}

#[tokio::test]
async fn a_list_with_a_users_token_has_what_the_user_may_use_and_nothing_else() {
    let world = World::new().await;
    let (notes, mail) = (world.secret("notes").await, world.secret("mail").await);
    let toy = world.toy().await;
    let own = world.own(&notes, "alice").await;
    world.app.vault.clock.advance(1);
    let team = world.of_group(&mail, "team").await;
    world.app.vault.clock.advance(1);
    let account = world.connected(&toy, "alice", "alice@toy.example").await;
    let agent = world.app.agent().await;
    // What is none of hers: another's, the app's, an agent's, another group's.
    world.own(&mail, "bob").await;
    world.connected(&toy, "bob", "bob@toy.example").await;
    world.app.grant(&notes, GrantSpec::system()).await;
    world.app.grant(&notes, GrantSpec::agent(&agent)).await;
    world.of_group(&notes, "other").await;
    let token = world.idp.claims("alice").group("team").sign();
    let client = world.client();
    let all = list(&client, &token, json!({})).await;
    assert_eq!(ids(&all), [json!(account), json!(team), json!(own)], "newest first");
    assert_eq!(
        (&all["total"], &all["has_more"], &all["is_truncated"]),
        (&json!(3), &json!(false), &json!(false))
    );
    for (filter, expected) in [
        (json!({ "provider_id": "mail" }), vec![team]),
        (json!({ "label": "alice" }), vec![own]),
        (json!({ "account": "alice@toy.example" }), vec![account]),
        (json!({ "account": "bob@toy.example" }), vec![]),
        (json!({ "status": "active" }), vec![account, team, own]),
        (json!({ "status": "revoked" }), vec![]),
        (json!({ "status": "nonsense" }), vec![]),
        (json!({ "limit": 1, "offset": 1 }), vec![team]),
        (json!({ "offset": 3 }), vec![]),
    ] {
        let found = list(&client, &token, filter.clone()).await;
        let expected: Vec<Value> = expected.iter().map(|id: &GrantId| json!(id)).collect();
        assert_eq!(ids(&found), expected, "{filter}");
    }
    assert_eq!(list(&client, &token, json!({ "limit": 1, "offset": 0 })).await["has_more"], true);
    assert_eq!(ids(&list(&client, &world.idp.token("carol"), json!({})).await), Vec::<Value>::new());
    // Nothing is both an agent's own and a user's.
    assert_eq!(list(&agent.client(), &token, json!({})).await["total"], 0);
    // Out of the group.
    let out = world.idp.claims("alice").no_groups().issued_ago(-5).sign();
    assert_eq!(ids(&list(&client, &out, json!({})).await), [json!(account), json!(own)]);
}

#[tokio::test]
async fn a_secret_is_granted_to_whom_a_token_names() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let path = format!("/sdk/managed-secrets/{}/grants", secret.id);
    let token = world.idp.token("alice");
    let to = |principal: Value| json!({ "principal": principal, "grant_policy": {} });
    let user = json!({ "type": "user", "user_token": token, "label": "Alice's" });
    let issued = world.client().post(&path, &to(user.clone())).await.ok();
    assert_eq!((&issued["principal_type"], &issued["label"]), (&json!("user"), &json!("Alice's")));
    let grant: GrantId = issued["grant_id"].as_str().unwrap().parse().unwrap();
    world.proxy(&world.by_provider("notes", &token)).await.ok();
    let used = world.last_call().grant.unwrap();
    let alice = world.app.user_of(&world.idp, "alice");
    assert_eq!((used.id, used.principal), (grant, alter_domain::model::Principal::User { user_id: alice }));
    // A group is one of the app's identity provider, named or not.
    let idp = alter_domain::model::IdentityProvider::id_of(world.app.id, &world.idp.issuer());
    for (group, idp) in [("a", Some(idp)), ("b", None)] {
        let mut principal = json!({ "type": "group", "external_group_id": group, "label": group });
        if let Some(idp) = idp {
            principal["idp_id"] = json!(idp);
        }
        let issued = world.client().post(&path, &to(principal)).await.ok();
        assert_eq!(issued["principal_type"], "group");
        let member = world.idp.claims(group).group(group).sign();
        world.proxy(&world.by_provider("notes", &member)).await.ok();
        assert_eq!(json!(world.last_call().grant.unwrap().id), issued["grant_id"]);
    }
    let other = json!({ "type": "group", "external_group_id": "a", "idp_id": alice, "label": "x" });
    for (principal, status, code) in [
        (user, 409, "sibling_label_conflict"),
        (json!({ "type": "user", "user_token": token }), 422, "label_required"),
        (json!({ "type": "user", "label": "x" }), 422, "invalid_principal"),
        (json!({ "type": "user", "user_token": "x.y.z", "label": "x" }), 401, "jwt_validation_error"),
        (json!({ "type": "group", "label": "x" }), 422, "invalid_principal"),
        (other, 422, "invalid_principal"),
    ] {
        world.client().post(&path, &to(principal)).await.refused(status, code);
    }
    world.operator(alice, "suspend").await;
    let again = json!({ "type": "user", "user_token": token, "label": "more" });
    world.client().post(&path, &to(again)).await.refused(403, "user_suspended");
}

#[tokio::test]
async fn with_their_token_users_end_what_is_theirs_and_nothing_else() {
    let world = World::new().await;
    let (secret, toy) = (world.secret("notes").await, world.toy().await);
    let own = world.own(&secret, "alice").await;
    let account = world.connected(&toy, "alice", "alice@toy.example").await;
    let others = [
        world.own(&secret, "bob").await,
        world.of_group(&secret, "team").await,
        world.app.grant(&secret, GrantSpec::system()).await,
        world.app.vault.ports.new_id().unwrap(),
    ];
    let token = world.idp.claims("alice").group("team").sign();
    let revoke = async |grant: GrantId, token: &str| {
        let path = format!("/sdk/oauth/grants/{grant}/revoke");
        world.client().post(&path, &json!({ "user_token": token, "reason": "I am done" })).await
    };
    let mut bodies = Vec::new();
    for grant in others {
        bodies.push(revoke(grant, &token).await.refused(404, "grant_not_found").body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    revoke(own, "x.y.z").await.refused(401, "jwt_validation_error");
    for grant in [own, account] {
        assert_eq!(revoke(grant, &token).await.ok()["success"], true);
        world.proxy(&world.by_grant(grant, &token)).await.refused(403, "grant_revoked");
        revoke(grant, &token).await.refused(404, "grant_not_found");
    }
    // Nobody else lost anything.
    for grant in others.into_iter().take(3) {
        world.proxy(&world.plain(grant)).await.ok();
    }
    let rows = world.app.vault.audit.events();
    let ended =
        rows.iter().filter(|event| event.kind == EventKind::GrantRevoked && event.phase == Phase::Final);
    assert_eq!(ended.count(), 2);
}

#[tokio::test]
async fn the_record_tells_whose_token_a_call_carried() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    world.of_group(&secret, "team").await;
    let token = world.idp.claims("alice").group("team").sign();
    world.proxy(&world.by_provider("notes", &token)).await.ok();
    let alice = world.app.user_of(&world.idp, "alice");
    let operator = world.app.vault.operator(world.app.org, Permission::Read).await;
    let base = format!("/portal/v1/apps/{}/audit", world.app.id);
    let rows = operator.get(&format!("{base}?user_id={alice}&event=call")).await.ok();
    assert_eq!(rows["items"].as_array().unwrap().len(), 1, "{rows}");
    let row = &rows["items"][0];
    assert_eq!((&row["user_id"], &row["principal_type"]), (&json!(alice), &json!("group")));
    assert_eq!((&row["principal_group_id"], &row["principal_user_id"]), (&json!("team"), &Value::Null));
    let csv = operator.get(&format!("{base}/export?event=call")).await;
    let text = csv.text();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().ends_with(",detail,user_id"), "{text}");
    assert!(lines.next().unwrap().ends_with(&alice.to_string()), "{text}");
}
