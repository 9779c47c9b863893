//! The first tokens of somebody, many at once.

use alter_domain::{
    model::{EventKind, IdentityProvider},
    repo::{IdentityProviders, Users},
};
use futures_util::future::join_all;

use crate::world::World;

/// A hundred calls at once, all of them the first: one user, one record of it, one lock of the claims, and each call is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b072_a_hundred_first_calls_at_once_make_one_user() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    world.of_group(&secret, "engineering").await;
    let token = world.idp.claims("alice").group("engineering").sign();
    let client = world.client();
    let call = world.by_provider("notes", &token);
    let answers = join_all((0..100).map(|_| client.proxy(&call))).await;
    for answer in answers {
        answer.ok();
    }
    assert_eq!(world.upstream.hits(), 100);
    let created: Vec<_> = world.app.vault.audit.events();
    let made = |event: &&alter_domain::model::AuditEvent| {
        event.kind == EventKind::UserCreated
            && event
                .outcome
                .as_ref()
                .is_some_and(|outcome| outcome.kind == alter_domain::model::OutcomeKind::Success)
    };
    assert_eq!(created.iter().filter(made).count(), 1);
    let ports = world.app.vault.calm();
    let users = Users(ports.table.as_ref());
    let members = users.members(world.app.id, 10, None).await.unwrap().items;
    assert_eq!(members.len(), 1);
    let idp = IdentityProviders(ports.table.as_ref()).get(world.app.id).await.unwrap();
    // The lock was written by one of them, once.
    assert!(idp.value.claims_are_locked());
    assert_eq!(users.find(members[0].user_id).await.unwrap().unwrap().version, 1);
    assert_eq!(idp.version, 2);
    assert_eq!(idp.value.id, IdentityProvider::id_of(world.app.id, &world.idp.issuer()));
    // Keys were fetched by one of them, for all.
    assert_eq!(world.idp.key_fetches(), 1);
}

/// Fifty people come for the first time at the same moment: each is somebody, and the lock is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_calls_of_many_users_at_once_all_succeed() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    world.of_group(&secret, "all").await;
    let client = world.client();
    let tokens: Vec<_> =
        (0..50).map(|n| world.idp.claims(&format!("user-{n}")).group("all").sign()).collect();
    let calls: Vec<_> = tokens.iter().map(|token| world.by_provider("notes", token)).collect();
    for answer in join_all(calls.iter().map(|call| client.proxy(call))).await {
        answer.ok();
    }
    let ports = world.app.vault.calm();
    let members = Users(ports.table.as_ref()).members(world.app.id, 100, None).await.unwrap().items;
    assert_eq!(members.len(), 50);
}
