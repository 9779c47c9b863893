//! What people see (B020 to B023, B025, B027, C13).

use std::collections::BTreeSet;

use alter_domain::{
    api::GrantId,
    model::{AppState, ConnectionState, Grant, GrantPolicy, IdentityProvider, Principal, Surface, UserState},
    oidc::ClaimNames,
    repo::{Apps, Connections, Grants, ManagedSecrets, Stored, Users},
};
use alter_tests::{ConnectionSpec, GrantSpec, SecretSpec, TestIdp};
use serde_json::{Value, json};

use crate::{
    stage::{Stage, stage},
    world::Person,
};

pub(crate) fn ids(cards: &[Value]) -> BTreeSet<String> {
    cards.iter().map(|card| card["grant_id"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn texts(ids: &[GrantId]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn b020_two_apps_of_one_identity_provider_show_together_and_one_of_another_does_not() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let mut own = vec![stage.own(&alice, "shop").await];
    let desk = stage.desk.secret(SecretSpec::bearer("d", "token-0123456789", stage.upstream.host())).await;
    own.push(stage.desk.grant(&desk, GrantSpec::of_user(alice.user, "desk")).await);
    // Another identity provider's alice, in the same organization; and this one's, in another organization.
    let (third, elsewhere) = (stage.vault.app_in(stage.shop.org).await, stage.vault.app().await);
    let other_idp = TestIdp::start().await;
    third.identity_provider(&other_idp).await;
    elsewhere.identity_provider(&stage.idp).await;
    let mut others = Vec::new();
    for (app, idp) in [(&third, &other_idp), (&elsewhere, &stage.idp)] {
        let stranger = stage.known(app, &idp.token("alice")).await;
        assert_ne!(stranger, alice.user);
        let secret = app.secret(SecretSpec::bearer("t", "token-0123456789", stage.upstream.host())).await;
        others.push(app.grant(&secret, GrantSpec::of_user(stranger, "other")).await);
    }
    let overview = alice.overview().await;
    assert_eq!(ids(overview["grants"].as_array().unwrap()), texts(&own));
    let apps: BTreeSet<_> =
        overview["apps"].as_array().unwrap().iter().map(|app| app["app_id"].as_str().unwrap()).collect();
    let known = [stage.shop.id.to_string(), stage.desk.id.to_string()];
    assert_eq!(apps, known.iter().map(String::as_str).collect());
    assert_eq!((&overview["truncated"], &overview["pending_approvals"]), (&json!(false), &json!(0)));
    assert_eq!(overview["now"], json!(stage.vault.now()));
    for id in others {
        alice.show(id).await.refused(404, "grant_not_found");
    }
    // Signed in through the other app, the person is the same.
    let from_desk = Person::sign_in(&stage.desk, &stage.idp, "alice").await;
    assert_eq!(ids(&from_desk.grants().await), texts(&own));
}

#[tokio::test]
async fn an_app_that_granted_before_the_user_came_shows_and_one_that_granted_nothing_does_not() {
    let stage = stage().await;
    let user = stage.shop.user_of(&stage.idp, "alice");
    stage.known(&stage.shop, &stage.idp.token("alice")).await;
    stage.known(&stage.desk, &stage.idp.token("alice")).await;
    let apps: BTreeSet<_> = stage.reach(user).await.into_iter().collect();
    assert_eq!(apps, BTreeSet::from([stage.shop.id, stage.desk.id]), "seen in both");
    let alice = stage.person("alice").await;
    let overview = alice.overview().await;
    assert_eq!((&overview["apps"], &overview["grants"]), (&json!([]), &json!([])), "and nothing granted");
    // A third app of the organization names the user without having seen them.
    let third = stage.vault.app_in(stage.shop.org).await;
    let secret = third.secret(SecretSpec::bearer("t", "token-0123456789", stage.upstream.host())).await;
    let grant = third.grant(&secret, GrantSpec::of_user(user, "named")).await;
    assert_eq!(stage.reach(user).await.len(), 3);
    assert!(alice.sees(grant).await);
    // An archived app's grants go on working, and are shown.
    let ports = stage.vault.calm();
    let apps = Apps(ports.table.as_ref());
    let found = apps.get(third.org, third.id).await.unwrap();
    apps.update(&found.try_map(|app| app.archive(stage.vault.now())).unwrap()).await.unwrap();
    assert!(matches!(apps.get(third.org, third.id).await.unwrap().value.state, AppState::Archived { .. }));
    assert!(alice.sees(grant).await);
}

#[tokio::test]
async fn b025_another_organization_that_names_the_user_puts_nothing_before_them() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let own = stage.own(&alice, "own").await;
    // An app without an identity provider may grant to whatever id it likes.
    let elsewhere = stage.vault.app().await;
    assert_ne!(elsewhere.org, stage.shop.org);
    elsewhere.agent().await;
    let host = stage.upstream.host();
    let secret = elsewhere.secret(SecretSpec::bearer("bait", "token-0123456789", host)).await;
    let bait = elsewhere.grant(&secret, GrantSpec::of_user(alice.user, "Your bank: call us")).await;
    assert!(!stage.reach(alice.user).await.contains(&elsewhere.id), "nothing is written to her");
    // One that was written before that was so.
    let ports = stage.vault.calm();
    ports.table.transact(vec![Users::reach_op(alice.user, elsewhere.id).unwrap()]).await.unwrap();
    let overview = alice.overview().await;
    assert_eq!(overview["user_id"], json!(alice.user), "it says whose it is");
    assert_eq!(ids(overview["grants"].as_array().unwrap()), texts(&[own]));
    assert!(!overview.to_string().contains(&elsewhere.id.to_string()), "{overview}");
    let path = format!("/wallet/api/grants/{bait}");
    alice.get(&path).await.refused(404, "grant_not_found");
    alice.post(&format!("{path}/revoke"), &json!({})).await.refused(404, "grant_not_found");
}

#[tokio::test]
async fn concerns_go_to_the_app_whose_grant_it_is() {
    let stage = stage().await;
    let apps = stage.vault.calm().table;
    for (app, mail) in [(&stage.shop, "help@shop.example"), (&stage.desk, "help@desk.example")] {
        let Stored { mut value, version } = Apps(apps.as_ref()).get(app.org, app.id).await.unwrap();
        value.support_email = Some(mail.to_owned());
        Apps(apps.as_ref()).update(&Stored { value, version }).await.unwrap();
    }
    let alice = stage.person("alice").await;
    let shop = stage.own(&alice, "shop").await;
    let desk = stage.desk.secret(SecretSpec::bearer("d", "token-0123456789", stage.upstream.host())).await;
    let desk = stage.desk.grant(&desk, GrantSpec::of_user(alice.user, "desk")).await;
    assert_eq!(alice.detail(shop).await["support_email"], json!("help@shop.example"));
    assert_eq!(alice.detail(desk).await["support_email"], json!("help@desk.example"));
}

#[tokio::test]
async fn b022_b023_a_connection_says_what_it_is_in_plain_words() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let (connection, grant) = stage.connected(&alice, "alice@toy.example").await;
    let ports = stage.vault.calm();
    let connections = Connections(ports.table.as_ref());
    let mut found = connections.get(stage.shop.id, connection).await.unwrap();
    found.value.scopes.push("notes:unheard-of".to_owned());
    connections.update(&found, None).await.unwrap();
    let before = alice.card(grant).await;
    assert_eq!(before["last_used_at"], Value::Null);
    assert_eq!(
        before["scopes"],
        json!([{ "scope": "notes:read", "words": "read your notes" }, { "scope": "notes:unheard-of", "words": null }])
    );
    assert_eq!(before["account"], json!({ "identifier": "alice@toy.example", "display_name": null }));
    assert_eq!(before["connection_id"], json!(connection));
    assert_eq!((&before["provider_id"], &before["provider_name"]), (&json!("toy"), &json!("Toy")));
    assert_eq!((&before["kind"], &before["status"]), (&json!("oauth"), &json!("active")));
    assert_eq!(before["created_at"], json!(stage.vault.now()));
    assert_eq!(before["holder"], json!({ "type": "you" }));
    for absent in ["expires_at", "extendable_to", "ended", "reconnect", "label"] {
        assert_eq!(before[absent], Value::Null, "{absent}");
    }
    assert_eq!(before["may_revoke"], json!(true));
    stage.vault.clock.advance(60);
    stage.call(grant).await.ok();
    assert_eq!(alice.card(grant).await["last_used_at"], json!(stage.vault.now()));
    assert_eq!(alice.detail(grant).await["grant"], alice.card(grant).await, "detail and list agree");
}

#[tokio::test]
async fn a_managed_secret_is_shown_by_its_name_as_long_as_there_is_one() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let grant = stage.own(&alice, "My label").await;
    let card = alice.card(grant).await;
    assert_eq!((&card["kind"], &card["provider_name"]), (&json!("managed_secret"), &json!("key")));
    assert_eq!((&card["label"], &card["connection_id"]), (&json!("My label"), &Value::Null));
    let ports = stage.vault.calm();
    let secrets = ManagedSecrets(ports.table.as_ref());
    let mut found = secrets.get(stage.shop.id, stage.secret.id).await.unwrap();
    found.value.name = "Payments".to_owned();
    secrets.update(&found).await.unwrap();
    assert_eq!(alice.card(grant).await["provider_name"], json!("Payments"));
    let found = secrets.get(stage.shop.id, stage.secret.id).await.unwrap();
    secrets.delete(&found).await.unwrap();
    assert_eq!(alice.card(grant).await["provider_name"], json!("key"), "the name that calls had for it");
}

#[tokio::test]
async fn a_broken_connection_says_why_and_what_is_over_does_not_ask_to_be_connected_again() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let (connection, grant) = stage.connected(&alice, "alice@toy.example").await;
    let ports = stage.vault.calm();
    let connections = Connections(ports.table.as_ref());
    let mut found = connections.get(stage.shop.id, connection).await.unwrap();
    let at = stage.vault.now();
    found.value.state = ConnectionState::Broken { at, code: "invalid_grant".to_owned() };
    connections.update(&found, None).await.unwrap();
    let card = alice.card(grant).await;
    assert_eq!(card["reconnect"], json!({ "since": at, "cause": "invalid_grant" }));
    assert_eq!((&card["status"], &card["may_revoke"]), (&json!("active"), &json!(true)));
    alice.revoke(grant).await.ok();
    let card = alice.card(grant).await;
    assert_eq!((&card["reconnect"], &card["status"]), (&Value::Null, &json!("revoked")));
}

pub(crate) struct Everything {
    pub(crate) stage: Stage,
    pub(crate) alice: Person,
    /// What Alice may see: her own, her group's, an agent's on her connection.
    pub(crate) seen: Vec<GrantId>,
    pub(crate) group: GrantId,
    pub(crate) delegated: GrantId,
    /// What she may not.
    pub(crate) hidden: Vec<GrantId>,
}

pub(crate) async fn everything() -> Everything {
    let stage = stage().await;
    let alice = stage.member("alice", &["team", "all"]).await;
    let bob = stage.person("bob").await;
    let (agent, other) = (stage.shop.agent().await, stage.shop.agent().await);
    let (connection, connected) = stage.connected(&alice, "alice@toy.example").await;
    let delegated = stage.delegated(connection, &agent).await;
    let group = stage.of_group("team").await;
    let seen = vec![stage.own(&alice, "alice's").await, connected, delegated, group];
    let (bobs, bobs_grant) = stage.connected(&bob, "bob@toy.example").await;
    let system = ConnectionSpec::new("access-of-the-system", None);
    let (systems, system_grant) = stage.shop.connect(&stage.toy, system).await;
    let desk = stage.desk.secret(SecretSpec::bearer("d", "token-0123456789", stage.upstream.host())).await;
    let desk_idp = IdentityProvider::id_of(stage.desk.id, &stage.idp.issuer());
    let hidden = vec![
        stage.own(&bob, "bob's").await,
        bobs_grant,
        stage.delegated(bobs, &agent).await,
        system_grant,
        stage.delegated(systems, &agent).await,
        stage.shop.grant(&stage.secret, GrantSpec::system()).await,
        stage.shop.grant(&stage.secret, GrantSpec::agent(&other)).await,
        stage.of_group("board").await,
        // A group of the same name at an app where she never came.
        stage.desk.grant(&desk, GrantSpec::of_group(desk_idp, "team", "the desk's team")).await,
        stage.desk.grant(&desk, GrantSpec::of_user(bob.user, "bob's at the desk")).await,
        // What stands beside hers on her own connection and is another's.
        stage.beside(connection, Principal::System, GrantPolicy::default()).await,
        stage.beside(connection, Principal::User { user_id: bob.user }, GrantPolicy::default()).await,
    ];
    Everything { stage, alice, seen, group, delegated, hidden }
}

#[tokio::test]
async fn b025_c13_people_see_their_own_their_groups_and_their_agents_and_nothing_else() {
    let Everything { alice, seen, group, delegated, hidden, .. } = everything().await;
    let overview = alice.overview().await;
    let cards = overview["grants"].as_array().unwrap();
    assert_eq!(ids(cards), texts(&seen));
    let group = alice.card(group).await;
    assert_eq!(group["holder"], json!({ "type": "group", "name": "team" }));
    assert_eq!((&group["may_revoke"], &group["extendable_to"]), (&json!(false), &Value::Null));
    let agents = alice.card(delegated).await;
    assert_eq!((&agents["holder"]["type"], &agents["may_revoke"]), (&json!("agent"), &json!(true)));
    let agent = &agents["holder"]["agent_id"];
    assert_eq!(agents["agent_ids"], json!([agent]));
    assert_eq!(alice.card(seen[1]).await["agent_ids"], json!([agent]));
    let named = overview["agents"].as_array().unwrap().iter().find(|known| known["agent_id"] == *agent);
    assert_eq!(named.unwrap()["active"], json!(true));
    // The detail of her connection's grant names the agent's beside it, and neither the system's nor Bob's.
    let detail = alice.detail(seen[1]).await;
    assert_eq!(ids(detail["siblings"].as_array().unwrap()), texts(&[delegated]));
    assert_eq!(detail["agents"].as_array().unwrap().len(), 1);
    for id in hidden {
        assert!(!alice.sees(id).await, "{id}");
    }
}

#[tokio::test]
async fn b027_what_is_anothers_answers_as_if_it_did_not_exist() {
    let Everything { stage, alice, hidden, .. } = everything().await;
    let nothing = stage.vault.ports.new_id::<GrantId>().unwrap();
    let later = stage.in_seconds(3600);
    let shown = alice.show(nothing).await.refused(404, "grant_not_found");
    let revoked = alice.revoke(nothing).await.refused(404, "grant_not_found");
    let extended = alice.extend(nothing, later).await.refused(404, "grant_not_found");
    assert_eq!((&shown.body, &shown.body), (&revoked.body, &extended.body));
    let mut live = Vec::new();
    for id in &hidden {
        live.push(find(&stage, *id).await);
    }
    let guesses = hidden.iter().map(ToString::to_string);
    let no_ids = ["x", "%00", "%ff", "..%2f", "00000000-0000-0000-0000-000000000000"].map(str::to_owned);
    for guess in guesses.chain(no_ids) {
        for answer in
            [alice.show(&guess).await, alice.revoke(&guess).await, alice.extend(&guess, later).await]
        {
            assert_eq!((answer.status.as_u16(), &answer.body), (404, &shown.body), "{guess}");
            let names = |answer: &alter_tests::Answer| {
                answer.headers.keys().map(ToString::to_string).collect::<BTreeSet<_>>()
            };
            assert_eq!(names(&answer), names(&shown), "{guess}");
        }
    }
    for (id, before) in hidden.iter().zip(live) {
        assert_eq!(find(&stage, *id).await, before, "{id} was touched");
    }
    // Approvals have no ids that are anybody's yet.
    let decide = format!("/wallet/api/approvals/{nothing}/decide");
    alice.post(&decide, &json!({ "decision": "approve" })).await.refused(404, "approval_not_found");
    alice.post(&decide, &json!({ "decision": "perhaps" })).await.refused(400, "invalid_request");
    assert_eq!(alice.get("/wallet/api/approvals").await.ok(), json!({ "items": [] }));
}

async fn find(stage: &Stage, id: GrantId) -> Grant {
    Grants(stage.vault.calm().table.as_ref()).find(id).await.unwrap().unwrap().value
}

#[tokio::test]
async fn a_groups_grant_goes_with_the_group() {
    let Everything { stage, alice, group, seen, .. } = everything().await;
    assert!(alice.sees(group).await);
    alice.revoke(group).await.refused(403, "grant_not_yours_to_revoke");
    assert!(stage.is_live(group).await);
    stage.vault.clock.advance(10);
    let left = stage.idp.claims("alice").group("all").sign();
    stage.known(&stage.shop, &left).await;
    assert!(!alice.sees(group).await);
    alice.revoke(group).await.refused(404, "grant_not_found");
    stage.vault.clock.advance(10);
    let back = stage.idp.claims("alice").group("team").sign();
    stage.known(&stage.shop, &back).await;
    assert!(alice.sees(group).await);
    // The app reads groups from another claim by now: what the old one said is in force no more.
    stage
        .shop
        .change_identity_provider(|idp| {
            idp.claims = ClaimNames::new("sub".to_owned(), Some("teams".to_owned()), None).unwrap();
        })
        .await;
    assert!(!alice.sees(group).await);
    assert!(alice.sees(seen[0]).await, "what is hers stays hers");
}

#[tokio::test]
async fn who_is_suspended_or_gone_sees_and_ends_nothing() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let grant = stage.own(&alice, "alice's").await;
    let (at, from) = (stage.vault.now(), Surface::Portal);
    for (state, code) in [
        (UserState::Suspended { at, from }, "user_suspended"),
        (UserState::Deprovisioned { at, from }, "user_deprovisioned"),
    ] {
        let ports = stage.vault.calm();
        let found = Users(ports.table.as_ref()).find(alice.user).await.unwrap().unwrap();
        let mut user = found.value;
        user.state = state;
        let changed = Stored { value: user, version: found.version };
        ports.table.transact(vec![Users::put(&changed).unwrap()]).await.unwrap();
        alice.get("/wallet/api/overview").await.refused(403, code);
        alice.show(grant).await.refused(403, code);
        alice.revoke(grant).await.refused(403, code);
        alice.extend(grant, stage.in_seconds(60)).await.refused(403, code);
        alice.get("/wallet/api/approvals").await.refused(403, code);
    }
    assert!(stage.is_live(grant).await);
}

/// Apps that tell users apart by another claim know the same person by another id.
#[tokio::test]
async fn one_person_by_two_claims_is_one_person() {
    let stage = stage().await;
    let by_name = stage.vault.app_in(stage.shop.org).await;
    let claims = ClaimNames::new("nickname".to_owned(), None, None).unwrap();
    by_name.signs_in_at_as(&stage.idp, |idp| IdentityProvider { claims, ..idp }).await;
    let alice = stage.person("alice").await;
    let token = |sub: &str, name: &str| stage.idp.claims(sub).claim("nickname", json!(name)).sign();
    let also_alice = stage.known(&by_name, &token("alice", "ally")).await;
    let bob = stage.known(&by_name, &token("bob", "bobby")).await;
    assert_ne!(also_alice, alice.user);
    let secret = by_name.secret(SecretSpec::bearer("n", "token-0123456789", stage.upstream.host())).await;
    let hers = by_name.grant(&secret, GrantSpec::of_user(also_alice, "ally")).await;
    let bobs = by_name.grant(&secret, GrantSpec::of_user(bob, "bobby")).await;
    let own = stage.own(&alice, "alice").await;
    assert_eq!(ids(&alice.grants().await), texts(&[own, hers]));
    alice.show(bobs).await.refused(404, "grant_not_found");
    alice.revoke(hers).await.ok();
    let body = json!({ "method": "GET", "url": stage.upstream.url("/"), "grant_id": hers });
    by_name.client().proxy(&body).await.refused(403, "grant_revoked");
    // Signed in by that name she is the same person.
    stage.idp.next_id_token(|token| token.claim("nickname", json!("ally")));
    let by_that_name = Person::sign_in(&by_name, &stage.idp, "alice").await;
    assert_eq!((by_that_name.user, ids(&by_that_name.grants().await)), (also_alice, texts(&[own, hers])));
    // The name goes to somebody else: who had it before has nothing of what is that user's.
    stage.vault.clock.advance(10);
    stage.known(&by_name, &token("carol", "ally")).await;
    assert!(!alice.sees(hers).await);
    by_that_name.get("/wallet/api/overview").await.refused(401, "wallet_session_required");
}
