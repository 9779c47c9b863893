//! The process dies, storage fails, a grant cannot be ended.

use alter_domain::{
    api::ConnectionId,
    keyspace,
    model::{EventKind, Grant, GrantPolicy, GrantSource, GrantState, Principal, Receipt, TURN, UserState},
    port::{Expect, Item, StoreError, TableName, Work},
    repo::Connections,
};
use alter_tests::FaultTable;
use bytes::Bytes;

use super::world::{Place, World, spec, world};

/// The whole of it, as one process would do it.
async fn depart(world: &World) -> alter_domain::Result<()> {
    world.leave().await?;
    world.vault.revoker().run(world.work()).await?;
    world.vault.clock.advance(30);
    world.vault.revoker().run(world.work()).await
}

/// A new process, which hears of the departure again if nobody was told that it had been taken in.
async fn restart(world: &World) {
    world.life.restart();
    world.vault.work.take();
    if world.stored(world.user).await.value.state == UserState::Active {
        world.leave().await.unwrap();
    }
}

#[tokio::test]
async fn b008_a_process_that_dies_at_any_step_leaves_nothing_alive() {
    let whole = world(8).await;
    whole.life.die_at(0, false);
    depart(&whole).await.unwrap();
    let steps = whole.life.steps();
    whole.settle().await;
    whole.is_over().await;
    assert!(steps > 60, "each grant alone takes more: {steps}");
    for unheard in [false, true] {
        for step in 1..=steps {
            let world = world(8).await;
            world.life.die_at(step, unheard);
            let died = depart(&world).await;
            assert!(died.is_err() || unheard || step > steps - 2, "step {step} was not taken");
            restart(&world).await;
            world.settle().await;
            world.is_over().await;
        }
    }
}

#[tokio::test]
async fn a_process_that_dies_again_and_again_comes_to_the_end() {
    let world = world(40).await;
    world.life.die_at(1, true);
    let mut step = 1;
    while depart(&world).await.is_err() || world.task().await.is_some() {
        restart(&world).await;
        if world.task().await.is_none() && world.alive().await == 0 {
            break;
        }
        world.vault.clock.advance(TURN.as_secs());
        step += 7;
        world.life.die_at(step, step % 2 == 0);
        assert!(step < 2000, "it never ends");
        // What is due is looked for by the clock alone.
        let _ = world.vault.revoker().run(Work::Due).await;
        world.life.die_at(step, step % 2 == 1);
    }
    world.life.restart();
    world.is_over().await;
}

#[tokio::test]
async fn one_storage_call_that_fails_keeps_nothing_alive() {
    let mut at = 1;
    loop {
        let world = world(8).await;
        world.leave().await.unwrap();
        let faults = std::sync::Arc::new(FaultTable::new(std::sync::Arc::clone(&world.vault.ports.table)));
        let mut revoker = world.vault.revoker();
        revoker.ports.table = faults.clone();
        faults.arm(at, StoreError::Throttled);
        let _ = revoker.run(world.work()).await;
        let met = faults.seen() >= at;
        faults.disarm();
        world.settle().await;
        world.is_over().await;
        if !met {
            assert!(at > 40, "only {at} calls");
            return;
        }
        at += 1;
    }
}

#[tokio::test]
async fn without_a_record_nothing_is_ended_and_it_is_tried_again() {
    let world = world(8).await;
    world.leave().await.unwrap();
    world.vault.audit.refuse(|_| true);
    assert!(world.vault.revoker().run(world.work()).await.is_err());
    assert_eq!(world.alive().await, 8);
    let waits = world.task().await.unwrap().value.due_at;
    assert_eq!(waits.duration_since(world.vault.now()).as_secs(), 1);
    world.vault.audit.accept();
    world.settle().await;
    world.is_over().await;
}

#[tokio::test]
async fn a_grant_that_cannot_be_ended_keeps_no_other_alive() {
    let world = world(24).await;
    let place = &world.apps[0];
    let key = keyspace::connection(place.connections[0]);
    let table = world.vault.calm().table;
    let item = table.get(TableName::Main, &key).await.unwrap().unwrap();
    let unreadable = Item { body: Bytes::from_static(b"{"), ..item.clone() };
    table.put(TableName::Main, unreadable, Expect::Any).await.unwrap();
    world.leave().await.unwrap();
    for _ in 0..3 {
        assert!(world.vault.revoker().run(world.work()).await.is_err());
        world.vault.clock.advance(300);
    }
    assert!((1..4).contains(&world.alive().await), "those of the unreadable connection");
    table.put(TableName::Main, item, Expect::Any).await.unwrap();
    world.settle().await;
    world.is_over().await;
}

/// What is not there any more has nothing to be ended, and is not tried for ever.
#[tokio::test]
async fn a_connection_that_is_gone_keeps_no_grant_alive() {
    let world = world(24).await;
    let key = keyspace::connection(world.apps[0].connections[0]);
    let table = world.vault.calm().table;
    table.delete(TableName::Main, &key, Expect::Any).await.unwrap();
    world.leave().await.unwrap();
    world.settle().await;
    assert_eq!(world.alive().await, 0);
    assert!(world.task().await.is_none());
}

/// The user's grants on one connection, many of them.
#[tokio::test]
async fn grants_on_one_connection_are_not_in_each_others_way() {
    let mut world = world(0).await;
    let place = &mut world.apps[0];
    let (connection, first) = place.app.connect(&place.config, spec(world.user)).await;
    place.connections.push(connection);
    place.grants.push(first);
    for _ in 1..1000 {
        place.grants.push(place.app.sibling(connection).await);
    }
    world.vault.audit.forget();
    world.leave().await.unwrap();
    world.vault.revoker().run(world.work()).await.unwrap();
    let tried = world.vault.audit.events();
    assert_eq!(tried.iter().filter(|event| event.kind == EventKind::GrantRevoked).count(), 2 * 1000);
    world.settle().await;
    world.is_over().await;
}

/// Gives an agent of the app a grant on a connection.
async fn lend(place: &Place, connection: ConnectionId) -> Grant {
    let ports = place.app.vault.calm();
    let connections = Connections(ports.table.as_ref());
    let found = connections.get(place.app.id, connection).await.unwrap();
    let grant = Grant {
        id: ports.new_id().unwrap(),
        app_id: place.app.id,
        source: GrantSource::OAuth { connection_id: connection },
        credential_id: found.value.credential_id,
        provider_id: found.value.provider_id.clone(),
        principal: Principal::Agent { agent_id: place.app.agent().await.id },
        label: None,
        policy: GrantPolicy::default(),
        state: GrantState::Active,
        created_at: place.app.vault.now(),
    };
    let more = found.try_map(alter_domain::model::Connection::add_grant).unwrap();
    connections.add_grant(&more, &grant, None).await.unwrap();
    grant
}

#[tokio::test]
async fn what_others_were_given_of_the_users_connection_ends_with_it() {
    let whole = world(8).await;
    let lent = lend(&whole.apps[0], whole.apps[0].connections[0]).await;
    let others = lend(&whole.apps[0], whole.apps[0].others_connection).await;
    whole.life.die_at(0, false);
    depart(&whole).await.unwrap();
    let steps = whole.life.steps();
    assert!(matches!(whole.apps[0].grant(lent.id).await.state, GrantState::Revoked { .. }));
    assert_eq!(whole.apps[0].grant(others.id).await.state, GrantState::Active);
    whole.is_over().await;
    for step in (1..steps).step_by(3) {
        let world = world(8).await;
        let lent = lend(&world.apps[0], world.apps[0].connections[0]).await;
        world.life.die_at(step, step % 2 == 0);
        let _ = depart(&world).await;
        restart(&world).await;
        world.settle().await;
        assert!(matches!(world.apps[0].grant(lent.id).await.state, GrantState::Revoked { .. }));
        world.is_over().await;
    }
}

#[tokio::test]
async fn providers_are_told_of_each_connection_once() {
    let world = world(20).await;
    depart(&world).await.unwrap();
    for work in world.vault.work.take() {
        world.vault.revoker().run(work).await.unwrap();
    }
    let mut connections = 0;
    for place in &world.apps {
        for id in &place.connections {
            let state = place.app.connection(*id).await.value.state;
            let alter_domain::model::ConnectionState::Revoked { receipt, .. } = state else {
                panic!("{state:?}")
            };
            assert!(matches!(receipt, Receipt::Revoked { .. }), "{receipt:?}");
            connections += 1;
        }
    }
    assert_eq!(world.upstream.to("/revoke"), connections);
    world.is_over().await;
}
