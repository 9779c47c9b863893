//! Refresh tokens that would idle out.

use std::time::Duration;

use alter_domain::{
    Error,
    model::{EventKind, Phase},
    repo::{Connections, ProviderConfigs},
};
use alter_refresh_tests::{AuthServer, Trouble, World};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::Scene;

const DAY: Duration = Duration::from_secs(86_400);

/// Ten days of idling end the refresh token.
fn idling() -> (AuthServer, Value) {
    let keep = json!({ "seconds": 864_000, "idle": true });
    let refresh = json!({ "kind": "refresh_token", "rotation": "always", "keep": keep });
    (AuthServer::rotating(None), refresh)
}

async fn scene() -> Scene {
    Scene::with(idling(), World::memory(), SignedDuration::from_hours(1)).await
}

async fn due(scene: &Scene) -> usize {
    Connections(scene.table.as_ref()).keep_alive_due(scene.now(), 10).await.unwrap().len()
}

async fn keep_alive(scene: &Scene) -> alter_domain::Result<()> {
    scene.refresher.keep_alive(scene.app(), scene.connection_id()).await
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_half_way_and_then_again() {
    let scene = scene().await;
    for round in 1..=3 {
        sleep(5 * DAY - Duration::from_secs(60)).await;
        assert_eq!(due(&scene).await, 0);
        keep_alive(&scene).await.unwrap();
        assert_eq!(scene.far.sent(), round - 1, "not before it is due");
        sleep(Duration::from_secs(60)).await;
        assert_eq!(due(&scene).await, 1);
        keep_alive(&scene).await.unwrap();
        assert_eq!((scene.far.sent(), due(&scene).await), (round, 0));
        keep_alive(&scene).await.unwrap();
        assert_eq!(scene.far.sent(), round, "a second signal is one too many");
        scene.assert_in_step().await;
    }
    assert_eq!(scene.audit.rows(EventKind::ConnectionRefreshed, Phase::Final).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_refreshes_puts_it_off() {
    let scene = scene().await;
    sleep(4 * DAY).await;
    scene.call().await.unwrap();
    sleep(DAY + DAY).await;
    assert_eq!(due(&scene).await, 0);
}

#[tokio::test(start_paused = true)]
async fn workers_and_callers_at_once_are_one_exchange() {
    let scene = scene().await;
    sleep(5 * DAY).await;
    scene.far.plan([Trouble::Slow(Duration::from_secs(1))]);
    let other = scene.other();
    let (one, two, three) = tokio::join!(
        keep_alive(&scene),
        other.refresher.keep_alive(scene.app(), scene.connection_id()),
        scene.call(),
    );
    one.unwrap();
    two.unwrap();
    assert_eq!(three.unwrap().0.seal_version, 2);
    assert_eq!(scene.far.sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_rests_for_an_hour() {
    let scene = scene().await;
    sleep(5 * DAY).await;
    scene.far.plan([Trouble::Unreachable]);
    assert!(matches!(keep_alive(&scene).await, Err(Error::UpstreamUnreachable(_))));
    assert_eq!(due(&scene).await, 0, "others get their turn");
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(due(&scene).await, 1);
    keep_alive(&scene).await.unwrap();
    scene.assert_in_step().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_alive_leaves_the_list() {
    let scene = scene().await;
    sleep(5 * DAY).await;
    let configs = ProviderConfigs(scene.table.as_ref());
    let config = configs.get(scene.app(), "toy").await.unwrap();
    configs.delete(&config).await.unwrap();
    assert_eq!(due(&scene).await, 1);
    keep_alive(&scene).await.unwrap();
    assert_eq!((due(&scene).await, scene.far.sent()), (0, 0));
}
