//! Who may be acted for: users who are suspended, have left, or are somebody else's (B009, B011).

use alter_domain::{
    auth::signature::header,
    model::{IdentityProvider, OutcomeKind},
};
use alter_tests::{GrantSpec, SecretSpec, TestApp, TestIdp, TestVault};
use serde_json::{Value, json};

use crate::world::World;

struct Alice {
    world: World,
    own: alter_domain::api::GrantId,
    id: alter_domain::api::UserId,
    token: String,
}

impl Alice {
    async fn new() -> Self {
        let world = World::new().await;
        let secret = world.secret("notes").await;
        let own = world.own(&secret, "alice").await;
        let (id, token) = (world.app.user_of(&world.idp, "alice"), world.idp.token("alice"));
        Self { world, own, id, token }
    }

    /// The codes of all ways to use the user's grant or token; `ok` where it worked.
    async fn ways(&self) -> Vec<(&'static str, String)> {
        let (world, client) = (&self.world, self.world.client());
        let url = world.upstream.url("/");
        let mut for_user = world.by_provider("notes", &self.token);
        for_user.as_object_mut().unwrap().remove("user_token");
        for_user["app_user_id"] = json!(self.id);
        let list = json!({ "limit": 10, "offset": 0, "user_token": self.token });
        let by_token = client.forward("GET", &url, self.own).label(header::USER_TOKEN, &self.token);
        let answers = [
            ("by token and grant", client.proxy(&world.by_grant(self.own, &self.token)).await),
            ("by token and provider", client.proxy(&world.by_provider("notes", &self.token)).await),
            ("by grant", client.proxy(&world.plain(self.own)).await),
            ("by provider", client.proxy(&for_user).await),
            ("stream", client.forward("GET", &url, self.own).send().await),
            ("stream by token", by_token.send().await),
            ("list by token", client.post("/sdk/grants/list", &list).await),
        ];
        let code =
            |answer: alter_tests::Answer| if answer.status == 200 { "ok".to_owned() } else { answer.code() };
        answers.map(|(way, answer)| (way, code(answer))).into()
    }

    async fn all_are(&self, wanted: &str) {
        for (way, code) in self.ways().await {
            assert_eq!(code, wanted, "{way}");
        }
    }
}

#[tokio::test]
async fn a_suspended_user_is_denied_in_every_way_at_once_and_keeps_everything() {
    let alice = Alice::new().await;
    let world = &alice.world;
    // Warm: all that can be remembered is.
    alice.all_are("ok").await;
    let bobs = world
        .app
        .grant(&world.secret("other").await, GrantSpec::of_user(world.user("bob").await, "bob"))
        .await;
    let reached = world.upstream.hits();
    assert_eq!(world.operator(alice.id, "suspend").await.status, 200);
    alice.all_are("user_suspended").await;
    let row = world.app.vault.audit.calls().into_iter().find(|row| {
        row.outcome.as_ref().and_then(|outcome| outcome.code.as_deref()) == Some("user_suspended")
    });
    let row = row.expect("the refusal is on record");
    assert_eq!((row.user_id, row.outcome.unwrap().kind), (Some(alice.id), OutcomeKind::Denied));
    // Nothing new is granted, nothing is ended by them, and others are as they were.
    let path = format!("/sdk/oauth/grants/{}/revoke", alice.own);
    let refused = world.client().post(&path, &json!({ "user_token": alice.token })).await;
    refused.refused(403, "user_suspended");
    assert_eq!(world.upstream.hits(), reached);
    world.proxy(&world.by_grant(bobs, &world.idp.token("bob"))).await.ok();
    assert_eq!(world.operator(alice.id, "reactivate").await.status, 200);
    alice.all_are("ok").await;
}

#[tokio::test]
async fn b009_a_token_that_is_still_valid_is_refused_once_its_user_has_left() {
    let alice = Alice::new().await;
    alice.all_are("ok").await;
    let reached = alice.world.upstream.hits();
    let left = alice.world.operator(alice.id, "deprovision").await;
    assert!(left.status.is_success(), "{}", left.text());
    alice.all_are("user_deprovisioned").await;
    let newer = alice.world.idp.claims("alice").issued_ago(-30).sign();
    let refused = alice.world.proxy(&alice.world.by_grant(alice.own, &newer)).await;
    refused.refused(403, "user_deprovisioned");
    assert_eq!(alice.world.upstream.hits(), reached);
}

#[tokio::test]
async fn a_suspended_member_does_not_use_what_the_group_has_and_the_others_do() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let grant = world.of_group(&secret, "team").await;
    let token = |sub| world.idp.claims(sub).group("team").sign();
    let (alice, bob) = (token("alice"), token("bob"));
    for token in [&alice, &bob] {
        world.proxy(&world.by_provider("notes", token)).await.ok();
    }
    world.operator(world.app.user_of(&world.idp, "alice"), "suspend").await;
    for call in [world.by_provider("notes", &alice), world.by_grant(grant, &alice)] {
        world.proxy(&call).await.refused(403, "user_suspended");
    }
    world.proxy(&world.by_provider("notes", &bob)).await.ok();
    world.proxy(&world.plain(grant)).await.ok();
}

/// An operator may grant to somebody whom the vault has not seen; nobody has suspended them.
#[tokio::test]
async fn a_user_whom_the_vault_has_not_seen_is_no_obstacle_to_the_app() {
    let vault = TestVault::new().await;
    let (app, upstream) = (vault.app().await, alter_tests::Upstream::echo().await);
    let secret = app.secret(SecretSpec::bearer("p", "tok_0123456789", upstream.host())).await;
    let grant = app.grant(&secret, GrantSpec::user(&vault, "somebody")).await;
    for _ in 0..2 {
        app.client()
            .proxy(&json!({ "method": "GET", "url": upstream.url("/"), "grant_id": grant }))
            .await
            .ok();
    }
}

#[tokio::test]
async fn tokens_of_other_identity_providers_are_nothing_to_the_app() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let own = world.own(&secret, "alice").await;
    // Of nobody's, and of another app's of the same organization.
    let (foreign, other) = (TestIdp::start().await, TestIdp::start().await);
    foreign.follow(&world.app.vault.clock);
    let neighbour = world.app.vault.app_in(world.app.org).await;
    neighbour.identity_provider(&other).await;
    for token in [foreign.token("alice"), other.token("alice")] {
        for call in [world.by_grant(own, &token), world.by_provider("notes", &token)] {
            world.proxy(&call).await.refused(401, "jwt_validation_error");
        }
    }
    assert_eq!((foreign.requests(), world.upstream.hits()), (0, 0));
}

#[tokio::test]
async fn two_apps_of_one_issuer_share_their_users_and_nothing_else() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let own = world.own(&secret, "alice").await;
    let second = world.app.vault.app_in(world.app.org).await;
    second.identity_provider(&world.idp).await;
    assert_eq!(second.user_of(&world.idp, "alice"), world.app.user_of(&world.idp, "alice"));
    let token = world.idp.token("alice");
    // B011: one person, and yet the other app's grant does not exist.
    second.client().proxy(&world.by_grant(own, &token)).await.refused(404, "grant_not_found");
    second.client().proxy(&world.by_provider("notes", &token)).await.refused(404, "grant_not_found");
    assert_eq!(listed(&second, &token).await, json!(0));
    world.proxy(&world.by_grant(own, &token)).await.ok();
    // Suspended is suspended in both.
    world.operator(world.app.user_of(&world.idp, "alice"), "suspend").await;
    for app in [&world.app, &second] {
        app.client().proxy(&world.by_provider("notes", &token)).await.refused(403, "user_suspended");
    }
}

#[tokio::test]
async fn two_organizations_that_trust_one_issuer_have_users_of_their_own() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    world.own(&secret, "alice").await;
    let other = world.app.vault.app().await;
    other.identity_provider(&world.idp).await;
    let (here, there) = (world.app.user_of(&world.idp, "alice"), other.user_of(&world.idp, "alice"));
    assert_ne!(here, there);
    let token = world.idp.token("alice");
    assert_eq!(listed(&other, &token).await, json!(0));
    let operator = world.app.vault.operator(other.org, alter_domain::model::Permission::Write).await;
    let path = |user| format!("/portal/v1/apps/{}/users/{user}/suspend", other.id);
    assert_eq!(operator.post(&path(there), &json!({})).await.status, 200);
    assert_eq!(operator.post(&path(here), &json!({})).await.status, 404);
    other.client().proxy(&world.by_provider("notes", &token)).await.refused(403, "user_suspended");
    world.proxy(&world.by_provider("notes", &token)).await.ok();
}

/// The identity provider was exchanged: what its groups were called says nothing about the new one's.
#[tokio::test]
async fn groups_of_an_identity_provider_that_was_removed_are_no_groups_of_the_next() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let grant = world.of_group(&secret, "team").await;
    let token = world.idp.claims("alice").group("team").sign();
    world.proxy(&world.by_provider("notes", &token)).await.ok();
    let table = world.app.vault.calm().table;
    let idps = alter_domain::repo::IdentityProviders(table.as_ref());
    idps.delete(&idps.get(world.app.id).await.unwrap()).await.unwrap();
    world.proxy(&world.by_provider("notes", &token)).await.refused(401, "jwt_validation_error");
    let next = TestIdp::start().await;
    let provider: IdentityProvider = world.app.identity_provider(&next).await;
    assert_ne!(provider.id, IdentityProvider::id_of(world.app.id, &world.idp.issuer()));
    world.proxy(&world.by_provider("notes", &token)).await.refused(401, "jwt_validation_error");
    let new = next.claims("alice").group("team").sign();
    for call in [world.by_provider("notes", &new), world.by_grant(grant, &new)] {
        world.proxy(&call).await.refused(404, "grant_not_found");
    }
}

async fn listed(app: &TestApp, token: &str) -> Value {
    let query = json!({ "limit": 10, "offset": 0, "user_token": token });
    app.client().post("/sdk/grants/list", &query).await.ok()["total"].clone()
}
