//! Two workers, and an operator who lets the user back in the middle.

use alter_domain::{
    model::{EventKind, GrantState, Surface, TURN, User, UserState},
    port::{Op, Work},
    repo::{Stored, Users},
};
use alter_tests::GrantSpec;

use super::world::{World, world};

/// As `reactivate_user`, without its refusal while the user's departure is under way: what the flow itself holds against.
async fn let_back(world: &World) {
    let Stored { value, version } = world.stored(world.user).await;
    let back = value.reactivate(world.vault.now(), Surface::Portal).unwrap();
    let ops: Vec<Op> = vec![Users::put(&Stored::<User> { value: back, version }).unwrap()];
    world.vault.calm().table.transact(ops).await.unwrap();
}

/// How many storage calls a worker makes from the signal to the end of its passes.
async fn calls_of_a_turn(grants: usize) -> u64 {
    let world = world(grants).await;
    world.leave().await.unwrap();
    world.life.pause_at(0);
    world.vault.revoker().run(world.work()).await.unwrap();
    world.life.calls()
}

#[tokio::test]
async fn two_workers_at_once_end_each_grant_once() {
    for grants in [1, 60] {
        let world = world(grants).await;
        world.leave().await.unwrap();
        let work = || async { world.vault.revoker().run(world.work()).await };
        let (one, other, third) =
            tokio::join!(work(), work(), async { world.vault.revoker().run(Work::Due).await });
        one.and(other).and(third).unwrap();
        world.settle().await;
        world.is_over().await;
        assert_eq!(world.told(EventKind::GrantRevoked).len(), grants);
    }
}

#[tokio::test]
async fn a_worker_that_stood_still_for_its_whole_turn_does_no_harm() {
    for call in 1..=calls_of_a_turn(8).await {
        let world = world(8).await;
        world.leave().await.unwrap();
        world.life.pause_at(call);
        let slow = async { world.vault.revoker().run(world.work()).await };
        let fast = async {
            world.life.paused().await;
            world.vault.clock.advance(TURN.as_secs());
            let _ = world.vault.revoker().run(Work::Due).await;
            world.vault.clock.advance(30);
            let _ = world.vault.revoker().run(Work::Due).await;
            world.life.resume();
        };
        let (_, ()) = tokio::join!(slow, fast);
        if world.task().await.is_some() {
            world.settle().await;
        }
        world.is_over().await;
    }
}

#[tokio::test]
async fn what_is_granted_after_somebody_is_back_is_never_ended() {
    for call in 1..=calls_of_a_turn(8).await {
        let world = world(8).await;
        world.leave().await.unwrap();
        world.life.pause_at(call);
        let place = &world.apps[0];
        let slow = async { world.vault.revoker().run(world.work()).await };
        let meanwhile = async {
            world.life.paused().await;
            let_back(&world).await;
            let label = GrantSpec::of_user(world.user, "anew");
            let granted = place.app.grant(&place.secret, label).await;
            world.life.resume();
            granted
        };
        let (worked, granted) = tokio::join!(slow, meanwhile);
        worked.unwrap();
        if world.task().await.is_some() {
            world.settle().await;
        }
        assert_eq!(place.grant(granted).await.state, GrantState::Active, "call {call}");
        assert_eq!(world.stored(world.user).await.value.state, UserState::Active);
        assert!(world.told(EventKind::UserDeprovisionFinished).is_empty(), "it was called off");
        world.call(place, granted).await.ok();
    }
}

#[tokio::test]
async fn who_leaves_again_while_an_old_worker_stands_still_is_ended_anew() {
    for call in (1..=calls_of_a_turn(8).await).step_by(2) {
        let world = world(8).await;
        world.leave().await.unwrap();
        world.life.pause_at(call);
        let slow = async { world.vault.revoker().run(world.work()).await };
        let meanwhile = async {
            world.life.paused().await;
            let_back(&world).await;
            world.vault.clock.advance(1);
            world.leave().await.unwrap();
            world.life.resume();
        };
        let (_, ()) = tokio::join!(slow, meanwhile);
        world.settle().await;
        assert_eq!((world.alive().await, world.task().await), (0, None), "call {call}");
        assert_eq!(world.told(EventKind::UserDeprovisionFinished).len(), 1, "of the second departure");
    }
}
