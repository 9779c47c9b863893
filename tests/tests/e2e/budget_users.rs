//! What a user's token costs beside the rest of a call: at most one more round of storage when cold, and none when warm.

use std::sync::{Arc, atomic::Ordering};

use alter_domain::{
    api::GrantId,
    model::{Actor, IdentityProvider, Principal},
    oidc::ClaimNames,
};
use alter_tests::{ConnectionSpec, GrantSpec, MemoryNonces, SecretSpec, TestApp, TestIdp, toy_provider};
use serde_json::{Value, json};

use crate::{
    TOKEN,
    budget::{URL, World, world, writes},
};

struct Users {
    idp: TestIdp,
    world: World,
    /// A grant of `alice`'s, and one of a group that `bob` is in: on the secret `p`; and one of hers on a connection.
    alices: GrantId,
    groups: GrantId,
    connected: GrantId,
}

impl Users {
    async fn new() -> Self {
        Self::told_of(|as_it_is| as_it_is).await
    }

    async fn told_of(change: impl FnOnce(IdentityProvider) -> IdentityProvider) -> Self {
        let idp = TestIdp::start().await;
        let world = world(Some(Arc::new(MemoryNonces::default()))).await;
        *world.keys.jwks.lock().unwrap() = idp.jwks();
        let app = &world.app;
        let provider = app.identity_provider_as(&idp, change).await;
        let secret = app.secret(SecretSpec::bearer("p", TOKEN, "api.example.com")).await;
        let identity = app.vault.identity();
        let alice = identity.identify(app.id, &idp.token("alice"), &Actor::of_vault()).await.unwrap();
        let alices = app.grant(&secret, GrantSpec::of_user(alice.user_id(), "alice")).await;
        let groups = app.grant(&secret, GrantSpec::of_group(provider.id, "team", "team")).await;
        let toy = app.provider(toy_provider("https://auth.example.com", "api.example.com")).await;
        let principal = Principal::User { user_id: alice.user_id() };
        let spec = ConnectionSpec { principal, ..ConnectionSpec::new("access-0123456789", None) };
        let (_, connected) = app.connect(&toy, spec).await;
        Self { idp, world, alices, groups, connected }
    }

    fn alice(&self) -> String {
        self.idp.token("alice")
    }

    fn bob(&self) -> String {
        self.idp.claims("bob").group("team").group("all").sign()
    }

    /// Rounds and calls of storage before the provider is reached, keys of the identity provider fetched, data keys opened.
    async fn cost(&self, app: &TestApp, call: &Value) -> (u64, u64, u64, u64) {
        let vault = &self.world.app.vault;
        let (fetched, opened) = (self.world.keys.fetches.load(Ordering::SeqCst), vault.wrapper.unwraps());
        let (before, all) = self.world.cost(app.client().proxy(call)).await;
        assert_eq!(writes(&all), 0, "the call path writes configuration: {all:?}");
        let fetched = self.world.keys.fetches.load(Ordering::SeqCst) - fetched;
        (before.rounds, before.calls(), fetched, vault.wrapper.unwraps() - opened)
    }
}

fn by_grant(grant: GrantId, token: &str) -> Value {
    json!({ "method": "GET", "url": URL, "grant_id": grant, "user_token": token })
}

fn by_provider(provider: &str, token: &str) -> Value {
    json!({ "method": "GET", "url": URL, "provider_id": provider, "user_token": token })
}

#[tokio::test]
async fn a_users_token_costs_no_round_when_warm_and_one_at_most_when_cold() {
    let users = Users::new().await;
    let (alice, bob) = (users.alice(), users.bob());
    // Bob is known from here on.
    users.world.app.client().proxy(&by_grant(users.groups, &bob)).await.ok();
    // By grant id two rounds and one call are what a call without a token costs; by provider there are lists beside the batch, one for
    // the user and one for each group.
    for (name, call, cold_rounds, warm_calls) in [
        ("own, by grant", by_grant(users.alices, &alice), 2, 1),
        ("own, by provider", by_provider("p", &alice), 3, 2),
        ("the group's, by grant", by_grant(users.groups, &bob), 2, 1),
        ("the group's, by provider", by_provider("p", &bob), 3, 4),
        ("connected, by grant", by_grant(users.connected, &alice), 2, 1),
        ("connected, by provider", by_provider("toy", &alice), 3, 2),
    ] {
        let app = users.world.restarted();
        let (rounds, _, fetched, opened) = users.cost(&app, &call).await;
        assert_eq!((rounds, fetched, opened), (cold_rounds, 1, 1), "cold: {name}");
        for _ in 0..2 {
            let warm = users.cost(&app, &call).await;
            assert_eq!(warm, (1, warm_calls, 0, 0), "warm: {name}");
        }
    }
}

/// Tokens live for minutes: a new one of somebody who is known costs what the old one did. Only where groups are told is the date of
/// the newest one written.
#[tokio::test]
async fn a_new_token_of_a_known_user_is_warm() {
    let users =
        Users::told_of(|provider| IdentityProvider { claims: ClaimNames::default(), ..provider }).await;
    let app = users.world.restarted();
    users.cost(&app, &by_provider("p", &users.alice())).await;
    let newer = users.idp.claims("alice").issued_ago(-10).expires_in(7200).sign();
    assert_eq!(users.cost(&app, &by_provider("p", &newer)).await, (1, 2, 0, 0));
}

/// What was guessed ahead was wrong: the call costs a round more, and ends where it must.
#[tokio::test]
async fn a_wrong_guess_costs_a_round_and_changes_nothing() {
    let users = Users::new().await;
    let app = users.world.restarted();
    let call = by_provider("p", &users.alice());
    users.cost(&app, &call).await;
    let secret = app.secret(SecretSpec::bearer("q", TOKEN, "api.example.com")).await;
    let alice = app.user_of(&users.idp, "alice");
    // The grant of last time is gone, and there is another.
    let revoke = format!("/sdk/oauth/grants/{}/revoke", users.alices);
    app.client().post(&revoke, &json!({})).await.ok();
    app.client().proxy(&call).await.refused(404, "grant_not_found");
    let next = app.grant(&secret, GrantSpec::of_user(alice, "next")).await;
    let call = by_provider("q", &users.alice());
    assert_eq!(users.cost(&app, &call).await.0, 2);
    assert_eq!(users.cost(&app, &call).await, (1, 2, 0, 0));
    assert_eq!(app.vault.audit.calls().pop().unwrap().grant.unwrap().id, next);
}

/// Without a token, a user's grant costs what others cost, although its user's state is read with it.
#[tokio::test]
async fn a_users_grant_costs_the_app_what_others_cost() {
    let users = Users::new().await;
    for grant in [users.alices, users.groups, users.connected] {
        let app = users.world.restarted();
        let call = json!({ "method": "GET", "url": URL, "grant_id": grant });
        let cold = users.cost(&app, &call).await;
        assert_eq!((cold.0, cold.2), (2, 0), "cold");
        assert_eq!(users.cost(&app, &call).await, (1, 1, 0, 0), "warm");
    }
}
