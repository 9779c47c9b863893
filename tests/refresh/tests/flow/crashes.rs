//! Processes that die or stall between the steps, and what others did meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alter_domain::{
    Error,
    model::{Connection, ConnectionState, EventKind, Phase, Receipt, TokenFacts},
    port::{Expect, Item, Key, Op, Page, Query, StoreError, Table, TableName, Version, Work},
    repo::{Connections, Credentials, Revocations, Stored},
};
use alter_refresh_tests::{AuthServer, Counts, Trouble, World};
use async_trait::async_trait;
use jiff::SignedDuration;
use tokio::time::{Instant, sleep};

use crate::support::{Scene, rotating, steady};

/// When a process comes to grief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    DiesBeforeClaim,
    DiesAfterClaim,
    DiesBeforeStore,
    DiesAfterStore,
    /// Stands still for that long, with the provider's answer in its hands.
    StallsBeforeStore(Duration),
}

/// The table as one process sees it. What is dead asks nothing more of it, and never hears again.
struct Fated {
    inner: Arc<dyn Table>,
    fate: Fate,
    stalled: AtomicBool,
}

#[async_trait]
impl Table for Fated {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        self.inner.get(table, key).await
    }

    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        self.inner.get_many(keys).await
    }

    async fn put(&self, table: TableName, item: Item, expect: Expect) -> Result<Version, StoreError> {
        self.inner.put(table, item, expect).await
    }

    async fn put_many(&self, table: TableName, items: Vec<Item>) -> Result<(), StoreError> {
        self.inner.put_many(table, items).await
    }

    async fn delete(&self, table: TableName, key: &Key, expect: Expect) -> Result<(), StoreError> {
        self.inner.delete(table, key, expect).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.inner.query(query).await
    }

    /// A refresh writes twice: the lease by one operation, the tokens by several.
    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        match (self.fate, ops.len() > 1) {
            (Fate::DiesBeforeClaim, false) | (Fate::DiesBeforeStore, true) => std::future::pending().await,
            (Fate::DiesAfterClaim, false) | (Fate::DiesAfterStore, true) => {
                self.inner.transact(ops).await?;
                std::future::pending().await
            }
            (Fate::StallsBeforeStore(time), true) if !self.stalled.swap(true, Ordering::SeqCst) => {
                sleep(time).await;
                self.inner.transact(ops).await
            }
            _ => self.inner.transact(ops).await,
        }
    }

    async fn add(
        &self,
        table: TableName,
        key: &Key,
        delta: i64,
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<i64, StoreError> {
        self.inner.add(table, key, delta, now, expires_at).await
    }
}

/// A process with that fate begins a refresh, and has gone as far as it will.
async fn fated(scene: &Scene, fate: Fate) -> tokio::task::JoinHandle<alter_domain::Result<u64>> {
    let world = scene.other_at(Arc::new(Fated {
        inner: Arc::clone(&scene.table),
        fate,
        stalled: AtomicBool::new(false),
    }));
    let caller = tokio::spawn(async move { Ok(world.call_within(LONG).await?.0.seal_version) });
    sleep(Duration::from_secs(1)).await;
    caller
}

/// Longer than a lease.
const LONG: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(25);

#[tokio::test(start_paused = true)]
async fn who_dies_before_the_claim_holds_nobody_up() {
    let scene = Scene::expired(rotating(false)).await;
    fated(&scene, Fate::DiesBeforeClaim).await;
    let begun = Instant::now();
    assert_eq!(scene.call().await.unwrap().0.seal_version, 2);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    scene.assert_in_step().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_holder_that_died_the_next_one_sends_when_the_lease_is_over() {
    for grace in [false, true] {
        let scene = Scene::expired(rotating(grace)).await;
        let begun = Instant::now();
        fated(&scene, Fate::DiesAfterClaim).await;
        assert_eq!(
            scene.call_within(Duration::from_secs(10)).await.unwrap_err(),
            Error::TokenRefreshInProgress { grant_id: scene.grant_id() }
        );
        assert_eq!(scene.far.sent(), 0);
        assert_eq!(scene.call_within(LONG).await.unwrap().0.seal_version, 2);
        let took = begun.elapsed();
        assert!(LEASE <= took && took <= LEASE + Duration::from_millis(300), "{took:?}");
        let attempts = scene.audit.rows(EventKind::ConnectionRefreshed, Phase::Final);
        assert_eq!(attempts[0].detail["attempt"], "2", "the record says that there was one before");
        scene.assert_in_step().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_died_with_its_holder_is_had_again_within_the_grace() {
    let scene = Scene::expired(rotating(true)).await;
    fated(&scene, Fate::DiesBeforeStore).await;
    assert_eq!(scene.call_within(LONG).await.unwrap().0.seal_version, 2);
    let counts = Counts { requests: 2, rotations: 1, repeats: 1, reuses: 0 };
    assert_eq!(scene.far.server.counts(), counts);
    scene.assert_in_step().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_died_with_its_holder_breaks_the_connection_where_there_is_no_grace() {
    let scene = Scene::expired(rotating(false)).await;
    let begun = Instant::now();
    fated(&scene, Fate::DiesBeforeStore).await;
    let error = scene.call_within(LONG).await.unwrap_err();
    assert!(matches!(error, Error::CredentialRevoked { .. }), "{error:?}");
    assert!(begun.elapsed() >= LEASE, "it was tried, and not while the first request could be under way");
    assert_eq!(scene.far.server.counts().reuses, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_before_the_end_is_everybodys() {
    let scene = Scene::expired(rotating(false)).await;
    fated(&scene, Fate::DiesAfterStore).await;
    assert_eq!(scene.call().await.unwrap().0.seal_version, 2);
    assert_eq!(scene.far.sent(), 1);
    scene.assert_in_step().await;
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_comes_late_uses_what_the_next_one_stored() {
    let scene = Scene::expired(rotating(true)).await;
    let slow = fated(&scene, Fate::StallsBeforeStore(Duration::from_secs(40))).await;
    assert_eq!(scene.call_within(LONG).await.unwrap().0.seal_version, 2);
    assert_eq!(slow.await.unwrap().unwrap(), 2);
    assert_eq!(scene.connection().await.value.seal_version, 2);
    scene.assert_in_step().await;
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_comes_late_stores_what_the_next_one_has_not_got_yet() {
    let scene = Scene::expired(rotating(true)).await;
    let slow = fated(&scene, Fate::StallsBeforeStore(Duration::from_secs(30))).await;
    scene.far.plan([Trouble::Slow(Duration::from_secs(6))]);
    let world = scene.world.clone();
    let next = tokio::spawn(async move { world.call_within(LONG).await.map(|fresh| fresh.0.seal_version) });
    assert_eq!(slow.await.unwrap().unwrap(), 2);
    let connection = scene.connection().await.value;
    assert_eq!(connection.seal_version, 2);
    let rest = connection.lease.expect("the other's request is still under way");
    assert_eq!((rest.attempts, rest.first_sent_at), (0, None));
    scene.assert_in_step().await;
    assert_eq!(next.await.unwrap().unwrap(), 2);
    scene.assert_in_step().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_mends_what_another_had_to_call_broken() {
    let scene = Scene::expired(rotating(false)).await;
    let slow = fated(&scene, Fate::StallsBeforeStore(Duration::from_secs(40))).await;
    let error = scene.call_within(Duration::from_secs(35)).await.unwrap_err();
    assert!(matches!(error, Error::CredentialRevoked { .. }), "{error:?}");
    assert_eq!(slow.await.unwrap().unwrap(), 2);
    assert_eq!(scene.connection().await.value.state, ConnectionState::Active);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_only_when_the_request_has_surely_ended() {
    for (trouble, lost) in [(Trouble::LostRequest, false), (Trouble::LostReply, true)] {
        let scene = Scene::expired(rotating(false)).await;
        scene.far.plan([trouble.clone()]);
        let begun = Instant::now();
        assert!(matches!(scene.call().await, Err(Error::UpstreamUnreachable(_))), "{trouble:?}");
        let early = scene.call_within(Duration::from_secs(5)).await;
        assert!(matches!(early, Err(Error::TokenRefreshInProgress { .. })), "{trouble:?}");
        assert_eq!(scene.far.sent(), 1, "{trouble:?}");
        let result = scene.call_within(LONG).await;
        assert!(begun.elapsed() >= LEASE, "{trouble:?}");
        if lost {
            assert!(matches!(result, Err(Error::CredentialRevoked { .. })), "{trouble:?}");
        } else {
            assert_eq!(result.unwrap().0.seal_version, 2, "{trouble:?}");
            scene.assert_in_step().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_rotate_is_sent_again_at_once() {
    let scene = Scene::expired(steady()).await;
    scene.far.plan([Trouble::LostReply]);
    let begun = Instant::now();
    assert_eq!(scene.call().await.unwrap().0.seal_version, 2);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_was_held_up_before_it_sent_does_not_send() {
    let scene = Scene::expired(rotating(false)).await;
    let held_up = scene.other_at(Arc::new(SlowClaim(Arc::clone(&scene.table))));
    let error = held_up.call_within(LONG).await.unwrap_err();
    assert_eq!(error, Error::TokenRefreshInProgress { grant_id: scene.grant_id() });
    assert_eq!(scene.far.sent(), 0);
    held_up.refresher.settled().await;
    assert_eq!(scene.call().await.unwrap().0.seal_version, 2);
}

/// A table whose answers to single writes take longer than a holder may wait before it sends.
struct SlowClaim(Arc<dyn Table>);

#[async_trait]
impl Table for SlowClaim {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        self.0.get(table, key).await
    }

    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        self.0.get_many(keys).await
    }

    async fn put(&self, table: TableName, item: Item, expect: Expect) -> Result<Version, StoreError> {
        self.0.put(table, item, expect).await
    }

    async fn put_many(&self, table: TableName, items: Vec<Item>) -> Result<(), StoreError> {
        self.0.put_many(table, items).await
    }

    async fn delete(&self, table: TableName, key: &Key, expect: Expect) -> Result<(), StoreError> {
        self.0.delete(table, key, expect).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.0.query(query).await
    }

    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        self.0.transact(ops).await?;
        sleep(Duration::from_secs(6)).await;
        Ok(())
    }

    async fn add(
        &self,
        table: TableName,
        key: &Key,
        delta: i64,
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<i64, StoreError> {
        self.0.add(table, key, delta, now, expires_at).await
    }
}

/// Begins a call whose exchange takes four seconds, and lets two of them pass.
async fn half_way(scene: &Scene) -> tokio::task::JoinHandle<alter_domain::Result<u64>> {
    scene.far.plan([Trouble::Slow(Duration::from_secs(2))]);
    let world = scene.world.clone();
    let caller = tokio::spawn(async move { Ok(world.call().await?.0.seal_version) });
    sleep(Duration::from_secs(2)).await;
    caller
}

#[tokio::test(start_paused = true)]
async fn tokens_that_come_for_a_revoked_connection_are_revoked_at_the_provider() {
    let scene = Scene::expired(rotating(false)).await;
    let caller = half_way(&scene).await;
    let Stored { value, version } = scene.connection().await;
    let table = scene.table.as_ref();
    let mut ops = Connections::revoke_ops(&value);
    let (gone, last) = value.drop_grant(scene.now(), Receipt::Pending);
    assert!(last);
    ops.push(Connections::put(&Stored { value: gone.clone(), version }, None).unwrap());
    table.transact(ops).await.unwrap();
    let error = caller.await.unwrap().unwrap_err();
    assert_eq!(error, Error::GrantRevoked { grant_id: scene.grant_id() });
    assert_eq!(scene.connection().await.value, gone, "nothing came back to life");
    assert!(Credentials(table).get(gone.app_id, gone.credential_id).await.is_err());
    let signals = scene.work.signals();
    let [Work::Revocation { id }] = signals[..] else { panic!("{signals:?}") };
    let task = Revocations(table).find(id).await.unwrap().unwrap().value;
    assert_eq!((task.connection_id, task.attempts), (gone.id, 0));
    let parked = Credentials(table).parked(id).await.unwrap().unwrap();
    let fresh = (Arc::new(gone), Arc::new(parked));
    assert_eq!(scene.keys.access_token(&fresh).await, AuthServer::access(2), "the pair that nobody can use");
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_is_added_meanwhile_stays() {
    let scene = Scene::expired(rotating(false)).await;
    let caller = half_way(&scene).await;
    scene.amend(|connection| connection.add_grant().unwrap()).await;
    assert_eq!(caller.await.unwrap().unwrap(), 2);
    let connection = scene.connection().await.value;
    assert_eq!((connection.seal_version, connection.live_grants), (2, 2));
    scene.assert_in_step().await;
}

#[tokio::test(start_paused = true)]
async fn a_user_who_connects_again_meanwhile_is_believed() {
    let scene = Scene::expired(rotating(false)).await;
    let caller = half_way(&scene).await;
    let Stored { value, version } = scene.connection().await;
    let facts = TokenFacts {
        obtained_at: scene.now(),
        expires_at: scene.now().checked_add(SignedDuration::from_hours(1)).ok(),
        ..value.tokens
    };
    let (_, old) = scene.stored().await;
    let fields = scene.keys.fields(value.org_id, &old).await;
    let place = (value.credential_id, 2);
    let sealer = scene.keys.sealer();
    let sealed =
        sealer.seal_credential(&scene.ports, value.org_id, value.app_id, place, &fields).await.unwrap();
    let renewed = Connection { seal_version: 2, tokens: facts, lease: None, ..value };
    let renewed = Stored { value: renewed, version };
    Connections(scene.table.as_ref()).store_tokens(&renewed, &sealed, None).await.unwrap();
    assert_eq!(caller.await.unwrap().unwrap(), 2);
    let (connection, tokens) = scene.stored().await;
    assert_eq!(connection.seal_version, 2);
    assert_eq!(tokens.sealed.as_bytes(), sealed.sealed.as_bytes(), "the user's tokens, not the refresh's");
    assert!(scene.work.signals().is_empty(), "revoking the old line might end the new one");
}

#[tokio::test(start_paused = true)]
async fn a_key_service_that_is_down_costs_nothing() {
    let scene = Scene::expired(rotating(false)).await;
    let dir = tempfile::TempDir::new().unwrap();
    let foreign = alter_refresh_tests::Keys::of_file(&dir.path().join("key"), scene.ports.clock.clone());
    let provider = scene.config.definition().unwrap().clone();
    let clock = scene.ports.clock.clone();
    let world = World::new(Arc::clone(&scene.table), foreign, clock, scene.far.clone(), provider);
    let before = scene.connection().await;
    assert!(world.call().await.is_err());
    assert_eq!((scene.far.sent(), scene.connection().await), (0, before), "no request, no lease");
}
