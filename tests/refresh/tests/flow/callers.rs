//! Who calls while tokens are renewed.

use std::{sync::Arc, time::Duration};

use alter_domain::{
    Error,
    flow::Need,
    model::{EventKind, OutcomeKind, Phase, REFRESH_TOKEN},
};
use alter_refresh_tests::{AuthServer, Trouble, World};
use jiff::SignedDuration;
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};

use crate::support::{Scene, rotating, steady};

#[tokio::test(start_paused = true)]
async fn two_hundred_callers_are_one_exchange() {
    let scene = Scene::expired(rotating(false)).await;
    scene.far.plan([Trouble::Slow(Duration::from_secs(2))]);
    let worlds = [scene.world.clone(), scene.other(), scene.other(), scene.other()];
    let mut callers = JoinSet::new();
    for n in 0..200 {
        let world = worlds[n % worlds.len()].clone();
        callers.spawn(async move { world.call().await.unwrap() });
    }
    for fresh in callers.join_all().await {
        assert_eq!(fresh.0.seal_version, 2);
        assert_eq!(scene.keys.access_token(&fresh).await, AuthServer::access(2));
    }
    assert_eq!((scene.far.sent(), scene.far.most_at_once()), (1, 1));
    scene.assert_in_step().await;
    let refreshed: usize =
        worlds.iter().map(|world| world.audit.rows(EventKind::ConnectionRefreshed, Phase::Final).len()).sum();
    assert_eq!(refreshed, 1, "and one row of the record");
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_good_are_used_as_they_are() {
    let scene = Scene::with(rotating(false), World::memory(), SignedDuration::from_mins(30)).await;
    let (connection, tokens) = scene.stored().await;
    let fresh = scene.call_with(Arc::clone(&connection), Arc::clone(&tokens), Instant::now()).await.unwrap();
    assert!(Arc::ptr_eq(&fresh.0, &connection) && Arc::ptr_eq(&fresh.1, &tokens), "nothing is read again");
    assert_eq!(scene.far.sent(), 0);
}

#[tokio::test(start_paused = true)]
async fn soon_makes_one_caller_wait_and_the_others_not() {
    let scene = Scene::with(rotating(false), World::memory(), SignedDuration::from_mins(4)).await;
    scene.far.plan([Trouble::Slow(Duration::from_secs(1))]);
    let (connection, tokens) = scene.stored().await;
    assert_eq!(scene.need(&connection), Need::Soon);
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let (world, connection, tokens) = (scene.world.clone(), Arc::clone(&connection), Arc::clone(&tokens));
        callers.spawn(async move {
            let begun = Instant::now();
            let fresh = world.call_with(connection, tokens, begun + Duration::from_secs(25)).await.unwrap();
            (fresh.0.seal_version, begun.elapsed())
        });
    }
    let (waited, went_on): (Vec<_>, Vec<_>) =
        callers.join_all().await.into_iter().partition(|(version, _)| *version == 2);
    assert_eq!((waited.len(), went_on.len()), (1, 19));
    assert!(went_on.iter().all(|(version, took)| (*version, *took) == (1, Duration::ZERO)), "{went_on:?}");
    assert_eq!(scene.far.sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn soon_goes_on_with_the_token_it_has_when_the_refresh_fails_or_takes_long() {
    for trouble in [Trouble::Unreachable, Trouble::LostRequest, Trouble::NoReply] {
        let scene = Scene::with(rotating(true), World::memory(), SignedDuration::from_mins(4)).await;
        scene.far.plan([trouble.clone()]);
        let begun = Instant::now();
        assert_eq!(scene.call().await.unwrap().0.seal_version, 1, "{trouble:?}");
        assert!(begun.elapsed() <= Duration::from_secs(5), "{trouble:?}: {:?}", begun.elapsed());
        // The next call does not try at once again, a later one does.
        assert_eq!(scene.call().await.unwrap().0.seal_version, 1, "{trouble:?}");
        assert_eq!(scene.far.sent(), 1, "{trouble:?}");
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert_eq!(scene.call().await.unwrap().0.seal_version, 2, "{trouble:?}");
        scene.assert_in_step().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_hangs_up_does_not_end_the_exchange() {
    let scene = Scene::expired(rotating(false)).await;
    scene.far.plan([Trouble::Slow(Duration::from_secs(2))]);
    let world = scene.world.clone();
    let caller = tokio::spawn(async move { world.call().await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert_eq!(scene.far.sent(), 1);
    scene.refresher.settled().await;
    assert_eq!(scene.connection().await.value.seal_version, 2);
    scene.assert_in_step().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_without_time_is_told_that_a_refresh_is_under_way() {
    let scene = Scene::expired(rotating(false)).await;
    scene.far.plan([Trouble::Slow(Duration::from_secs(3))]);
    let begun = Instant::now();
    let error = scene.call_within(Duration::from_secs(4)).await.unwrap_err();
    assert_eq!(error, Error::TokenRefreshInProgress { grant_id: scene.grant_id() });
    assert_eq!(begun.elapsed(), Duration::from_secs(3), "with a second in reserve");
    // The exchange goes on, and the caller's repeat has its result.
    assert_eq!(scene.call().await.unwrap().0.seal_version, 2);
    assert_eq!(scene.far.sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reply_without_a_refresh_token_keeps_the_old_one() {
    let scene = Scene::expired(steady()).await;
    for version in 2..5 {
        let fresh = scene.call().await.unwrap();
        assert_eq!(fresh.0.seal_version, version);
        let fields = scene.keys.fields(fresh.0.org_id, &fresh.1).await;
        assert_eq!(fields.get(REFRESH_TOKEN).unwrap().expose_secret(), &AuthServer::refresh(1));
        assert!(fresh.0.tokens.refreshable);
        scene.assert_in_step().await;
        scene.expire().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_provider_refused_is_renewed_by_the_next_call() {
    let scene = Scene::with(rotating(false), World::memory(), SignedDuration::from_mins(30)).await;
    let (connection, _) = scene.stored().await;
    assert!(scene.refresher.refused(&connection).await.unwrap());
    assert!(scene.refresher.refused(&connection).await.unwrap(), "once more is no change");
    assert_eq!(scene.call().await.unwrap().0.seal_version, 2);
    assert!(scene.refresher.refused(&connection).await.unwrap(), "the newer token is worth a try");
    // The provider refuses that one too: it has another reason than age.
    let (connection, _) = scene.stored().await;
    assert!(!scene.refresher.refused(&connection).await.unwrap());
    assert_eq!(scene.call().await.unwrap().0.seal_version, 2);
    assert_eq!(scene.far.sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_nothing_to_a_connection_without_a_refresh_token() {
    let scene = Scene::unconnected(rotating(false), World::memory());
    scene.connect_with(SignedDuration::from_mins(30), None).await;
    let before = scene.connection().await;
    assert!(!scene.refresher.refused(&before.value).await.unwrap());
    assert_eq!(scene.connection().await, before);
}

#[tokio::test(start_paused = true)]
async fn one_broken_connection_does_not_fail_those_who_wait() {
    for trouble in [Trouble::Unreachable, Trouble::LostRequest, Trouble::LostReply, Trouble::Garbled] {
        let scene = Scene::expired(rotating(true)).await;
        scene.far.plan([trouble.clone()]);
        assert_eq!(scene.call().await.unwrap().0.seal_version, 2, "{trouble:?}");
        assert_eq!(scene.far.server.counts().rotations, 1, "{trouble:?}");
        scene.assert_in_step().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_stays_unreachable_is_said_to_be_and_leaves_the_lease_free() {
    let scene = Scene::expired(rotating(false)).await;
    scene.far.plan([Trouble::Unreachable, Trouble::Unreachable]);
    assert!(matches!(scene.call().await, Err(Error::UpstreamUnreachable(_))));
    let lease = scene.connection().await.value.lease.unwrap();
    assert!(lease.until <= scene.now() && lease.first_sent_at.is_none(), "{lease:?}");
    assert_eq!(scene.call().await.unwrap().0.seal_version, 2, "the next call needs no patience");
    let outcomes: Vec<_> = scene.audit.rows(EventKind::ConnectionRefreshed, Phase::Final);
    let kinds: Vec<_> = outcomes.iter().map(|row| row.outcome.as_ref().unwrap().kind).collect();
    assert_eq!(kinds, [OutcomeKind::NetworkError, OutcomeKind::NetworkError, OutcomeKind::Success]);
}

#[tokio::test(start_paused = true)]
async fn without_a_durable_intent_there_is_no_exchange() {
    let scene = Scene::expired(rotating(false)).await;
    scene.audit.set_down(true);
    assert!(matches!(scene.call().await, Err(Error::AuditUnavailable(_))));
    assert_eq!(scene.far.sent(), 0);
    scene.audit.set_down(false);
    assert_eq!(scene.call().await.unwrap().0.seal_version, 2);
    let rows = scene.audit.rows(EventKind::ConnectionRefreshed, Phase::Intent);
    let detail = &rows[0].detail;
    assert_eq!(detail["connection_id"], scene.connection_id().to_string());
    assert_eq!((detail["provider_id"].as_str(), detail["seal_version"].as_str()), ("toy", "1"));
    assert!(rows[0].grant.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_about_to_expire_is_used_when_nothing_better_can_be_had() {
    let scene = Scene::with(rotating(false), World::memory(), SignedDuration::from_secs(20)).await;
    let (connection, _) = scene.stored().await;
    assert_eq!(scene.need(&connection), Need::Now);
    scene.far.plan([Trouble::Unreachable, Trouble::Unreachable]);
    assert_eq!(scene.call().await.unwrap().0.seal_version, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_breaks_nothing_and_tells_the_operator() {
    let scene = Scene::expired(rotating(false)).await;
    scene.far.plan([Trouble::Answer(401, json!({ "error": "invalid_client" }))]);
    let error = scene.call().await.unwrap_err();
    assert!(
        matches!(&error, Error::UpstreamBroken(detail) if detail.contains("invalid_client")),
        "{error:?}"
    );
    let row = scene.audit.rows(EventKind::ConnectionRefreshed, Phase::Final).pop().unwrap();
    let outcome = row.outcome.unwrap();
    assert_eq!((outcome.kind, outcome.code.as_deref()), (OutcomeKind::ProviderError, Some("invalid_client")));
    scene.call().await.unwrap_err();
    assert_eq!(scene.far.sent(), 1, "not every call is another exchange");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(scene.call().await.unwrap().0.seal_version, 2, "once it is mended all goes on");
}
