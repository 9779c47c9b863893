//! How long a session lives, what ends it, and what each request costs.

use std::sync::{Arc, OnceLock};

use alter_domain::{
    model::{IdentityProvider, Permission, SETTLE, Webhook, WebhookKind, WebhookProof},
    oidc::ClaimNames,
    port::Work,
    repo::{IdentityProviders, Stored},
};
use alter_table_contract::CountingTable;
use alter_tests::{Setup, TestIdp};
use serde_json::{Value, json};

use crate::world::{Person, World};

const SESSION: &str = "/wallet/api/session";
const HOUR: i64 = 3600;

async fn ended(person: &Person) {
    for path in [SESSION, "/wallet/api/overview", "/wallet/api/activity"] {
        person.get(path).await.refused(401, "wallet_session_required");
    }
}

/// An operator's change of a user: `suspend`, `reactivate` or `deprovision`.
async fn operator(world: &World, person: &Person, change: &str) {
    let operator = world.app.vault.operator(world.app.org, Permission::Admin).await;
    let path = format!("/portal/v1/apps/{}/users/{}/{change}", world.app.id, person.user);
    let answer = operator.post(&path, &json!({})).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

/// Switches a webhook of the identity provider's on.
async fn webhook(world: &World, kind: WebhookKind, proof: WebhookProof) {
    let now = world.app.vault.now();
    world
        .app
        .change_identity_provider(|idp| {
            idp.webhooks.insert(kind, Webhook { proof, enabled_at: now, rotated_at: now });
        })
        .await;
}

/// What the identity provider tells by a webhook.
async fn told(world: &World, kind: &str, headers: &[(&str, &str)], body: &str) {
    let idp = IdentityProvider::id_of(world.app.id, &world.idp.issuer());
    let path = format!("/webhooks/{idp}/{kind}");
    let answer = world.app.vault.anonymous().send("POST", &path, headers, body.to_owned()).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_for_eight_hours() {
    let world = World::new().await;
    let clock = &world.app.vault.clock;
    clock.advance(8 * HOUR - 1);
    world.alice.get(SESSION).await.ok();
    clock.advance(1);
    ended(&world.bob).await;
    clock.advance(8 * HOUR - 2);
    world.alice.get(SESSION).await.ok();
}

#[tokio::test]
async fn a_session_ends_after_a_day_however_much_it_is_used() {
    let world = World::new().await;
    for hour in 1..24 {
        world.app.vault.clock.advance(HOUR);
        assert_eq!(world.alice.get(SESSION).await.status, 200, "after {hour} hours");
    }
    world.app.vault.clock.advance(HOUR - 1);
    world.alice.get(SESSION).await.ok();
    world.app.vault.clock.advance(1);
    ended(&world.alice).await;
}

#[tokio::test]
async fn who_is_suspended_is_told_so_and_who_comes_back_goes_on() {
    let world = World::new().await;
    operator(&world, &world.alice, "suspend").await;
    world.alice.get(SESSION).await.refused(403, "user_suspended");
    world.alice.post("/wallet/api/approvals/x/decide", &json!({})).await.refused(403, "user_suspended");
    world.bob.get(SESSION).await.ok();
    operator(&world, &world.alice, "reactivate").await;
    world.alice.get(SESSION).await.ok();
    // They may leave in the meantime.
    operator(&world, &world.alice, "suspend").await;
    world.alice.post("/wallet/api/sign-out", &json!({})).await.ok();
    operator(&world, &world.alice, "reactivate").await;
    ended(&world.alice).await;
}

#[tokio::test]
async fn what_an_operator_did_is_shown_and_who_it_was_is_not() {
    let world = World::new().await;
    operator(&world, &world.alice, "suspend").await;
    operator(&world, &world.alice, "reactivate").await;
    let query = "event=user.suspended";
    let of_app = format!("/v1/audit?user_id={}&{query}", world.alice.user);
    let of_app = world.app.client().get(&of_app).await.ok();
    let row = &of_app["items"][0];
    assert!(row["operator_token_id"].is_string(), "{row}");
    let mut expected = row.clone();
    (expected["operator_token_id"], expected["ip"]) = (Value::Null, Value::Null);
    let of_alice = world.alice.get(&format!("/wallet/api/activity?{query}")).await.ok();
    assert_eq!(of_alice["items"], json!([expected]));
    let file = world.alice.get(&format!("/wallet/api/activity/export?format=jsonl&{query}")).await;
    assert_eq!(serde_json::from_str::<Value>(&file.text()).unwrap(), expected);
}

#[tokio::test]
async fn a_departure_ends_it_for_good() {
    let world = World::new().await;
    operator(&world, &world.alice, "deprovision").await;
    world.alice.get(SESSION).await.refused(403, "user_deprovisioned");
    for _ in 0..10 {
        world.app.vault.clock.advance(SETTLE.as_secs());
        world.app.vault.revoker().run(Work::Due).await.unwrap();
    }
    operator(&world, &world.alice, "reactivate").await;
    ended(&world.alice).await;
    world.app.vault.clock.advance(5);
    world.person("alice").await.get(SESSION).await.ok();
}

#[tokio::test]
async fn a_departure_that_a_webhook_tells_of_ends_it_at_once() {
    let world = World::new().await;
    let minted = alter_domain::webhook::shared_token::mint(world.app.vault.ports.rng.as_ref()).unwrap();
    let proof = WebhookProof::Token { digest: hex::encode(minted.digest) };
    webhook(&world, WebhookKind::Auth0, proof).await;
    world.app.vault.clock.advance(5);
    let now = world.app.vault.now().to_string();
    let item =
        json!([{ "log_id": "1", "data": { "log_id": "1", "type": "sdu", "user_id": "alice", "date": now } }]);
    let token = minted.plain.expose_secret().clone();
    told(&world, "auth0", &[("authorization", &token)], &item.to_string()).await;
    world.alice.get(SESSION).await.refused(403, "user_deprovisioned");
    world.bob.get(SESSION).await.ok();
}

#[tokio::test]
async fn a_back_channel_logout_ends_it() {
    let world = World::new().await;
    webhook(&world, WebhookKind::BackchannelLogout, WebhookProof::IdentityProvider).await;
    world.app.vault.clock.advance(5);
    let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let token = world.idp.claims("alice").header("typ", json!("logout+jwt"));
    let token = token.claim("jti", json!("1")).claim("events", events).aud(alter_tests::SIGN_IN_CLIENT);
    let kind = ("content-type", "application/x-www-form-urlencoded");
    told(&world, "backchannel-logout", &[kind], &format!("logout_token={}", token.sign())).await;
    ended(&world.alice).await;
    world.bob.get(SESSION).await.ok();
    world.app.vault.clock.advance(2);
    let again = world.person("alice").await;
    again.get(SESSION).await.ok();
    ended(&world.alice).await;
}

#[tokio::test]
async fn a_logout_while_somebody_signs_in_ends_what_they_get() {
    let world = World::new().await;
    webhook(&world, WebhookKind::BackchannelLogout, WebhookProof::IdentityProvider).await;
    // The ID token is older than the logout, the session younger.
    let late = world.person_as("alice", |token| token.issued_ago(10)).await;
    late.get(SESSION).await.ok();
    let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let token = world.idp.claims("alice").header("typ", json!("logout+jwt")).issued_ago(5);
    let token = token.claim("jti", json!("1")).claim("events", events).aud(alter_tests::SIGN_IN_CLIENT);
    let kind = ("content-type", "application/x-www-form-urlencoded");
    told(&world, "backchannel-logout", &[kind], &format!("logout_token={}", token.sign())).await;
    ended(&late).await;
}

#[tokio::test]
async fn an_identity_provider_that_is_gone_or_another_ends_it() {
    let world = World::new().await;
    let admin = world.app.vault.operator(world.app.org, Permission::Admin).await;
    let path = format!("/portal/v1/apps/{}/identity-provider", world.app.id);
    let answer = admin.send("DELETE", &path, None).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    ended(&world.alice).await;
    // There is still a way out.
    let out = world.alice.post("/wallet/api/sign-out", &json!({})).await.ok();
    assert_eq!(out["location"], format!("/sign-in?app={}&switch=1", world.app.id));

    let world = World::new().await;
    let other = TestIdp::start().await;
    let ports = world.app.vault.calm();
    let idps = IdentityProviders(ports.table.as_ref());
    let Stored { mut value, version } = idps.get(world.app.id).await.unwrap();
    value.id = IdentityProvider::id_of(world.app.id, &other.issuer());
    value.issuer = other.issuer();
    idps.update(&Stored { value, version }, None).await.unwrap();
    ended(&world.alice).await;
}

#[tokio::test]
async fn a_client_that_is_gone_or_an_identity_provider_that_was_added_again_ends_it() {
    let world = World::new().await;
    let mut client = None;
    world.app.change_identity_provider(|idp| client = idp.client.take()).await;
    ended(&world.alice).await;

    let world = World::new().await;
    let admin = world.app.vault.operator(world.app.org, Permission::Admin).await;
    let path = format!("/portal/v1/apps/{}/identity-provider", world.app.id);
    assert!(admin.send("DELETE", &path, None).await.status.is_success());
    world.app.vault.clock.advance(1);
    world.app.signs_in_at(&world.idp).await;
    ended(&world.alice).await;
    world.app.vault.clock.advance(1);
    world.person("alice").await.get(SESSION).await.ok();
}

/// An email address may be given to somebody else, whom it then is all about. Entra ID's object id never is, but `sub` is another one
/// for each application there: what an app shows of a user does not sign them out.
#[tokio::test]
async fn who_bears_a_users_name_now_ends_it_and_another_applications_sub_does_not() {
    let world = World::new().await;
    for (claim, value, goes_on) in [("email", "alice@example.com", false), ("oid", "7-7", true)] {
        let app = world.app.vault.app_in(world.app.org).await;
        app.signs_in_at_as(&world.idp, |provider| {
            let claims = ClaimNames::new(claim.to_owned(), None, None).unwrap();
            IdentityProvider { claims, ..provider }
        })
        .await;
        world.idp.next_id_token(move |token| token.claim(claim, json!(value)));
        let person = Person::sign_in(&app, &world.idp, "first").await;
        world.app.vault.clock.advance(1);
        let token = world.idp.claims("second").claim(claim, json!(value)).sign();
        assert_eq!(world.seen(&app, &token).await, person.user);
        if goes_on {
            person.get(SESSION).await.ok();
        } else {
            ended(&person).await;
        }
    }
}

#[tokio::test]
async fn who_granted_something_to_an_app_that_is_archived_still_comes_in() {
    let world = World::new().await;
    let admin = world.app.vault.operator(world.app.org, Permission::Admin).await;
    let path = format!("/portal/v1/apps/{}/archive", world.app.id);
    let answer = admin.post(&path, &json!({})).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    assert_eq!(world.alice.get(SESSION).await.ok()["app"]["name"], "Shop");
    world.person("carol").await.get("/wallet/api/overview").await.ok();
}

#[tokio::test]
async fn a_session_of_one_app_is_none_of_another() {
    let world = World::new().await;
    let other = world.beside("Other").await;
    let there = Person::sign_in(&other, &world.idp, "alice").await;
    assert_eq!(there.user, world.alice.user, "one person");
    // The cookie says which app it is for, and another is not believed.
    let mut bytes = decoded(world.alice.cookie());
    bytes[32..48].copy_from_slice(other.id.as_bytes());
    let mut browser = world.browser();
    browser.cookies.insert(crate::world::COOKIE.to_owned(), encoded(&bytes));
    browser.get(SESSION).await.refused(401, "wallet_session_required");
    there.post("/wallet/api/sign-out", &json!({})).await.ok();
    world.alice.get(SESSION).await.ok();
}

#[tokio::test]
async fn what_is_no_cookie_of_ours_is_nobodys() {
    let world = World::new().await;
    let good = decoded(world.alice.cookie());
    let mut flipped: Vec<String> = Vec::new();
    for at in [0, 15, 16, 31, 32, 47, 48, 79] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        flipped.push(encoded(&bytes));
    }
    let more = [String::new(), "x".to_owned(), encoded(&good[..79]), encoded(&[&good[..], &[0]].concat())];
    for cookie in flipped.into_iter().chain(more) {
        let mut browser = world.browser();
        browser.cookies.insert(crate::world::COOKIE.to_owned(), cookie.clone());
        let answer = browser.get(SESSION).await.refused(401, "wallet_session_required");
        assert_eq!(answer.json().as_object().unwrap().len(), 2, "{cookie}: one answer for all");
    }
}

#[tokio::test]
async fn who_somebody_is_takes_one_round_of_storage_and_no_key() {
    let slot: Arc<OnceLock<Arc<CountingTable>>> = Arc::default();
    let kept = Arc::clone(&slot);
    let setup = Setup::default().layer(move |table| {
        let table = Arc::new(CountingTable::new(table));
        assert!(kept.set(Arc::clone(&table)).is_ok());
        table
    });
    let world = World::of(setup.build().await).await;
    let table = slot.get().unwrap();
    let opened = world.app.vault.wrapper.unwraps() + world.app.vault.wrapper.made();
    let cost = async |path: &str| {
        table.reset();
        world.alice.get(path).await.ok();
        let counts = table.counts();
        (counts.rounds, counts.calls(), counts.put + counts.transact + counts.delete)
    };
    // Approvals need nothing more than that; the session shows the app beside.
    assert_eq!(cost("/wallet/api/approvals").await, (1, 1, 0));
    assert_eq!(cost(SESSION).await, (2, 2, 0));
    // Its use is noted once in five minutes.
    world.app.vault.clock.advance(300);
    assert_eq!(cost("/wallet/api/approvals").await, (2, 2, 1));
    assert_eq!(cost("/wallet/api/approvals").await, (1, 1, 0));
    // What is refused before the cookie is looked at costs nothing, and what is no session one round.
    table.reset();
    world.alice.send("POST", "/wallet/api/sign-out", &[], "").await.refused(403, "csrf_failed");
    assert_eq!(table.counts().calls(), 0);
    // With everything that the Wallet answers no key was opened, and none was made.
    world.alice.get("/wallet/api/overview").await.ok();
    world.alice.get("/wallet/api/activity").await.ok();
    world.alice.post("/wallet/api/sign-out", &json!({})).await.ok();
    let wrapper = &world.app.vault.wrapper;
    assert_eq!(wrapper.unwraps() + wrapper.made(), opened);
}

#[tokio::test]
async fn requests_at_once_are_one_use() {
    let world = World::new().await;
    world.app.vault.clock.advance(HOUR);
    let answers = futures_util::future::join_all((0..20).map(|_| world.alice.get(SESSION))).await;
    for answer in answers {
        answer.ok();
    }
    // One that comes while the session is given back does not bring it back.
    world.app.vault.clock.advance(HOUR);
    let (nothing, path) = (Value::Null, "/wallet/api/sign-out");
    let (_, out) = tokio::join!(world.alice.get(SESSION), world.alice.post(path, &nothing));
    out.ok();
    ended(&world.alice).await;
}

fn decoded(cookie: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(cookie).unwrap()
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
