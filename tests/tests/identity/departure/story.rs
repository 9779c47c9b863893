//! Somebody leaves, is suspended, comes back.

use alter_domain::{
    flow::identity::{reactivate_user, suspend_user},
    model::{EventKind, GrantState},
    port::Work,
};

use super::world::{World, world};

async fn is_denied_at_once_and_ended_behind(grants: usize, calls: usize) {
    let world = world(grants).await;
    assert_eq!(world.alive().await, grants);
    world.leave().await.unwrap();
    assert_eq!(world.vault.work.take(), [world.work()]);
    assert_eq!(world.alive().await, grants, "nothing is ended yet");
    for place in &world.apps {
        for grant in place.grants.iter().take(calls) {
            world.call(place, *grant).await.refused(403, "user_deprovisioned");
        }
    }
    assert_eq!(world.upstream.hits(), 0);
    world.vault.revoker().run(world.work()).await.unwrap();
    assert_eq!(world.alive().await, 0);
    let signalled = world.vault.work.take();
    let connections: usize = world.apps.iter().map(|place| place.connections.len()).sum();
    assert!(signalled.iter().all(|work| matches!(work, Work::Revocation { .. })), "{signalled:?}");
    assert_eq!(signalled.len(), connections, "each provider is to be told once");
    world.settle().await;
    world.is_over().await;
    assert_eq!(world.told(EventKind::GrantRevoked).len(), grants);
    let intents = world.vault.audit.events();
    let tried = intents.iter().filter(|event| event.kind == EventKind::GrantRevoked).count();
    assert_eq!(tried, 2 * grants, "each was tried once: none was in another's way");
}

#[tokio::test]
async fn b008_a_user_with_100_grants_is_denied_at_once_and_all_is_ended_behind() {
    is_denied_at_once_and_ended_behind(100, 50).await;
}

#[tokio::test]
async fn b008_a_user_with_5000_grants_is_denied_at_once_and_all_is_ended_behind() {
    is_denied_at_once_and_ended_behind(5000, 5).await;
}

async fn calls(world: &World) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    for place in &world.apps {
        for grant in &place.grants {
            let answer = world.call(place, *grant).await;
            answers.push((answer.status.as_u16(), answer.code()));
        }
    }
    answers
}

#[tokio::test]
async fn a_suspension_denies_and_keeps_and_its_end_restores() {
    let world = world(12).await;
    let before = calls(&world).await;
    assert!(before.iter().any(|(status, _)| *status == 200));
    suspend_user(&world.vault.ports, world.change(), world.user).await.unwrap();
    for (status, code) in calls(&world).await {
        assert_eq!((status, code.as_str()), (403, "user_suspended"));
    }
    world.vault.revoker().run(world.work()).await.unwrap();
    world.vault.revoker().run(Work::Due).await.unwrap();
    assert_eq!(world.alive().await, 12);
    for place in &world.apps {
        for id in &place.connections {
            assert!(place.has_tokens(&place.app.connection(*id).await.value).await);
        }
    }
    reactivate_user(&world.vault.ports, world.change(), world.user).await.unwrap();
    assert_eq!(calls(&world).await, before);
}

#[tokio::test]
async fn somebody_who_is_let_back_has_nothing_and_can_be_granted_anew() {
    let world = world(12).await;
    world.leave().await.unwrap();
    let early = reactivate_user(&world.vault.ports, world.change(), world.user).await;
    assert!(early.is_err(), "what the user had is still being ended");
    world.vault.revoker().run(world.work()).await.unwrap();
    world.settle().await;
    world.is_over().await;
    reactivate_user(&world.vault.ports, world.change(), world.user).await.unwrap();
    for (status, code) in calls(&world).await {
        assert_eq!((status, code.as_str()), (403, "grant_revoked"));
    }
    let place = &world.apps[1];
    let anew = place.app.grant(&place.secret, alter_tests::GrantSpec::of_user(world.user, "anew")).await;
    world.call(place, anew).await.ok();
    // And they leave again: what is counted is of this time.
    world.vault.clock.advance(1);
    world.vault.audit.forget();
    world.leave().await.unwrap();
    world.vault.revoker().run(world.work()).await.unwrap();
    world.settle().await;
    assert!(matches!(place.grant(anew).await.state, GrantState::Revoked { .. }));
    let finished = world.told(EventKind::UserDeprovisionFinished).into_values().next().unwrap();
    assert_eq!(finished.detail["grants_revoked"], "1");
}

#[tokio::test]
async fn a_departure_that_is_told_again_changes_nothing() {
    let world = world(12).await;
    world.leave().await.unwrap();
    world.vault.revoker().run(world.work()).await.unwrap();
    world.settle().await;
    world.vault.revoker().run(Work::Due).await.unwrap();
    let (rows, user) = (world.vault.audit.events().len(), world.stored(world.user).await);
    assert!(world.leave().await.is_err());
    world.vault.clock.advance(3600);
    for work in [world.work(), Work::Due, world.work()] {
        world.vault.revoker().run(work).await.unwrap();
    }
    assert_eq!(world.stored(world.user).await, user);
    assert_eq!(world.vault.audit.events().len(), rows);
    world.is_over().await;
}
