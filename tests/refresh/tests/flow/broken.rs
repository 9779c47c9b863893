//! Connections that people have to make again.

use std::time::Duration;

use alter_domain::{
    Error,
    model::{ConnectionState, EXPIRED, EventKind, OutcomeKind, Phase},
};
use alter_refresh_tests::{Trouble, World};
use jiff::SignedDuration;

use crate::support::{Scene, rotating};

fn revoked(scene: &Scene) -> Error {
    Error::CredentialRevoked { grant_id: scene.grant_id(), provider_id: "toy".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_dead_refresh_token_breaks_the_connection_once_for_all_callers() {
    let scene = Scene::expired(rotating(false)).await;
    scene.far.server.withdraw();
    scene.far.plan([Trouble::Slow(Duration::from_secs(1))]);
    let other = scene.other();
    let (one, two, three) = tokio::join!(scene.call(), scene.call(), other.call());
    for result in [one, two, three] {
        assert_eq!(result.unwrap_err(), revoked(&scene));
    }
    assert_eq!(scene.far.sent(), 1);
    let connection = scene.connection().await.value;
    assert!(matches!(&connection.state, ConnectionState::Broken { code, .. } if code == "invalid_grant"));
    assert_eq!((connection.lease, connection.seal_version), (None, 1));
    scene.stored().await;
    let rows: Vec<_> = [&scene.world, &other]
        .iter()
        .flat_map(|world| world.audit.rows(EventKind::ConnectionBroken, Phase::Final))
        .collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].detail["code"], "invalid_grant");
    let refreshed = [&scene.world, &other]
        .iter()
        .flat_map(|world| world.audit.rows(EventKind::ConnectionRefreshed, Phase::Final))
        .next()
        .unwrap();
    let outcome = refreshed.outcome.unwrap();
    assert_eq!((outcome.kind, outcome.code.as_deref()), (OutcomeKind::ProviderError, Some("invalid_grant")));
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_not_broken_off_the_record() {
    let scene = Scene::expired(rotating(false)).await;
    scene.far.server.withdraw();
    scene.far.plan([Trouble::Slow(Duration::from_secs(1))]);
    let world = scene.world.clone();
    let caller = tokio::spawn(async move { world.call().await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.audit.set_down(true);
    assert!(matches!(caller.await.unwrap(), Err(Error::AuditUnavailable(_))));
    assert_eq!(scene.connection().await.value.state, ConnectionState::Active);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_refreshed_breaks_when_it_has_expired() {
    let scene = Scene::unconnected(rotating(false), World::memory());
    scene.connect_with(SignedDuration::from_secs(10), None).await;
    assert_eq!(scene.call().await.unwrap().0.seal_version, 1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(scene.call().await.unwrap_err(), revoked(&scene));
    let state = scene.connection().await.value.state;
    assert!(matches!(&state, ConnectionState::Broken { code, .. } if code == EXPIRED));
    assert_eq!(scene.audit.rows(EventKind::ConnectionBroken, Phase::Final).len(), 1);
    assert_eq!(scene.far.sent(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_broke_meanwhile_is_not_asked_for_again() {
    let scene = Scene::expired(rotating(false)).await;
    let (connection, tokens) = scene.stored().await;
    let code = "invalid_grant".to_owned();
    let at = scene.now();
    scene
        .amend(|connection| alter_domain::model::Connection {
            state: ConnectionState::Broken { at, code: code.clone() },
            ..connection
        })
        .await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(25);
    assert_eq!(scene.call_with(connection, tokens, deadline).await.unwrap_err(), revoked(&scene));
    assert_eq!(scene.far.sent(), 0);
}
