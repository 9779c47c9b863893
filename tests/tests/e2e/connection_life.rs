//! How connections end: by the clock, one after the other, beside a provider that hangs, and against one another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alter_domain::{
    api::GrantId,
    model::{ClientSecret, GrantPolicy, Principal, ProviderConfig, Receipt},
    port::{Expect, Item, Key, Op, Page, Query, StoreError, Table, TableName, Version, Work},
    repo::{Connections, Grants, ProviderConfigs, Stored},
};
use alter_tests::{ConnectionSpec, Setup, TestApp, TestVault, Upstream, json_reply, reply, toy_provider};
use async_trait::async_trait;
use jiff::SignedDuration;
use serde_json::json;

use crate::connections::{Toy, toy};

const ACCESS: &str = "access-0123456789";
const REFRESH: &str = "refresh-0123456789";
const DAY: i64 = 86_400;

fn spec() -> ConnectionSpec {
    ConnectionSpec { expires_in: None, ..ConnectionSpec::new(ACCESS, Some(REFRESH)) }
}

/// Lets the grant expire in so many days.
async fn limit(app: &TestApp, grant: GrantId, days: i64) {
    let (ports, now) = (app.vault.calm(), app.vault.now());
    let grants = Grants(ports.table.as_ref());
    let found = grants.get(app.id, grant).await.unwrap();
    let expires_at = Some(now + SignedDuration::from_hours(24 * days));
    let policy = GrantPolicy { expires_at, max_ttl_seconds: None };
    let limited = found.try_map(|grant| Ok(alter_domain::model::Grant { policy, ..grant })).unwrap();
    grants.update(&limited, now).await.unwrap();
}

async fn due(toy: &Toy) {
    toy.app.vault.revoker().run(Work::Due).await.unwrap();
}

#[tokio::test]
async fn a_connection_whose_grants_have_all_expired_ends_thirty_days_later() {
    let toy = toy(200).await;
    let (id, grant) = toy.connect(spec()).await;
    let (shared, expiring) = toy.connect(spec()).await;
    let lasting = toy.app.sibling(shared).await;
    for grant in [grant, expiring] {
        limit(&toy.app, grant, 1).await;
    }
    toy.app.vault.clock.advance(DAY);
    toy.call(grant).await.refused(403, "grant_expired");
    toy.app.vault.clock.advance(30 * DAY - 1);
    due(&toy).await;
    assert!(toy.has_tokens(id).await, "it may still be given more time");
    toy.app.vault.clock.advance(1);
    due(&toy).await;
    assert!(!toy.has_tokens(id).await);
    for work in toy.app.vault.work.take() {
        toy.app.vault.revoker().run(work).await.unwrap();
    }
    assert!(matches!(toy.receipt(id).await, Receipt::Revoked { .. }), "and the provider knows");
    toy.call(grant).await.refused(403, "grant_revoked");
    assert!(toy.has_tokens(shared).await, "another grant on it lives");
    toy.call(expiring).await.refused(403, "grant_revoked");
    toy.call(lasting).await.ok();
    let ports = toy.app.vault.calm();
    assert!(Grants(ports.table.as_ref()).ends_due(toy.app.vault.now(), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_grant_that_was_given_more_time_is_not_ended_for_the_old_one() {
    let toy = toy(200).await;
    let (id, grant) = toy.connect(spec()).await;
    limit(&toy.app, grant, 1).await;
    toy.app.vault.clock.advance(20 * DAY);
    limit(&toy.app, grant, 20).await;
    toy.app.vault.clock.advance(15 * DAY);
    due(&toy).await;
    toy.call(grant).await.ok();
    toy.app.vault.clock.advance(36 * DAY);
    due(&toy).await;
    assert!(!toy.has_tokens(id).await);
}

/// GitHub and Google end all that an account has given the app when they are told of one token.
#[tokio::test]
async fn an_account_that_was_connected_again_is_not_cut_off_by_an_old_revocation() {
    let toy = toy(200).await;
    let ada = || ConnectionSpec { account: Some("ada@example.com"), ..spec() };
    let (old, grant) = toy.connect(ada()).await;
    toy.revoke(grant).await.ok();
    let [work] = toy.app.vault.work.take()[..] else { panic!("one task") };
    let (new, grant) = toy.connect(ada()).await;
    toy.app.vault.revoker().run(work).await.unwrap();
    assert_eq!(toy.upstream.to("/revoke"), 0);
    assert!(matches!(toy.receipt(old).await, Receipt::Superseded { .. }));
    toy.call(grant).await.ok();
    // The end of the new one is told, and of another's account whatever else there is.
    toy.revoke(grant).await.ok();
    let [work] = toy.app.vault.work.take()[..] else { panic!("one task") };
    toy.connect(ConnectionSpec { account: Some("bob@example.com"), ..spec() }).await;
    toy.app.vault.revoker().run(work).await.unwrap();
    assert!(matches!(toy.receipt(new).await, Receipt::Revoked { .. }));
}

#[tokio::test]
async fn a_provider_that_hangs_keeps_no_other_waiting() {
    let (hung, gate) = (Arc::new(AtomicBool::new(false)), Arc::new(tokio::sync::Semaphore::new(0)));
    let held = Arc::clone(&gate);
    let upstream = Upstream::serving(move |received| {
        let (hung, held) = (Arc::clone(&hung), Arc::clone(&held));
        async move {
            if received.target == "/revoke" && !hung.swap(true, Ordering::SeqCst) {
                drop(held.acquire().await);
            }
            reply(200, "")
        }
    })
    .await;
    let app = TestVault::new().await.app().await;
    let config = app.provider(toy_provider(&format!("http://{}", upstream.addr), &upstream.host())).await;
    let toy = Toy { upstream, app, config };
    toy.app.vault.work.fail(true);
    let mut ids = Vec::new();
    for _ in 0..12 {
        let (id, grant) = toy.connect(spec()).await;
        toy.revoke(grant).await.ok();
        ids.push(id);
    }
    let look = due(&toy);
    tokio::pin!(look);
    let told = async {
        loop {
            let mut waiting = 0;
            for id in &ids {
                waiting += usize::from(toy.receipt(*id).await == Receipt::Pending);
            }
            if waiting == 1 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = &mut look => panic!("the look ends with the provider that hangs"),
        told = tokio::time::timeout(Duration::from_secs(10), told) => told.expect("eleven of twelve are told"),
    }
    gate.add_permits(1);
    look.await;
    for id in ids {
        assert!(matches!(toy.receipt(id).await, Receipt::Revoked { .. }));
    }
}

#[tokio::test]
async fn a_refresh_token_that_cannot_be_used_now_makes_way_for_the_others() {
    let upstream = Upstream::silent().await;
    let app = TestVault::new().await.app().await;
    let mut definition = toy_provider(&format!("http://{}", upstream.addr), &upstream.host());
    definition["refresh"]["keep"] = json!({ "seconds": 10 * DAY, "idle": true });
    let config = app.provider(definition).await;
    app.connect(&config, spec()).await;
    // The secret is not the one that the registration names: nothing can be sent.
    change(&app, |config| {
        let secret = config.secret.map(|secret| ClientSecret { seal_version: 9, ..secret });
        ProviderConfig { secret, ..config }
    })
    .await;
    app.vault.clock.advance(6 * DAY);
    let listed = async || {
        let ports = app.vault.calm();
        Connections(ports.table.as_ref()).keep_alive_due(app.vault.now(), 10).await.unwrap().len()
    };
    assert_eq!(listed().await, 1);
    app.vault.revoker().run(Work::Due).await.unwrap_err();
    assert_eq!(listed().await, 0, "others get their turn");
    app.vault.clock.advance(3600);
    assert_eq!(listed().await, 1, "and then it gets another");
}

#[tokio::test]
async fn a_grant_ends_though_the_vault_no_longer_knows_its_provider() {
    let toy = toy(200).await;
    let (id, grant) = toy.connect(spec()).await;
    change(&toy.app, |config| ProviderConfig { custom: None, ..config }).await;
    toy.revoke(grant).await.ok();
    assert!(!toy.has_tokens(id).await);
    assert_eq!(toy.receipt(id).await, Receipt::NotSupported);
}

#[tokio::test]
async fn a_refused_client_is_asked_for_once_and_not_by_every_call() {
    let mended = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&mended);
    let upstream = Upstream::serving(move |received| {
        let mended = now.load(Ordering::SeqCst);
        async move {
            match (received.target.as_str(), mended) {
                ("/token", false) => json_reply(401, &json!({ "error": "invalid_client" })),
                ("/token", true) => json_reply(
                    200,
                    &json!({ "access_token": "access-of-the-second-kind", "token_type": "Bearer" }),
                ),
                _ => reply(200, "notes"),
            }
        }
    })
    .await;
    let app = TestVault::new().await.app().await;
    let config = app.provider(toy_provider(&format!("http://{}", upstream.addr), &upstream.host())).await;
    let toy = Toy { upstream, app, config };
    let (_, grant) = toy.connect(spec().expiring_in(-1)).await;
    for _ in 0..5 {
        toy.call(grant).await.refused(502, "upstream_error");
    }
    assert_eq!(toy.upstream.to("/token"), 1);
    // The operator mends it: the very next call tries again.
    mended.store(true, Ordering::SeqCst);
    toy.app.vault.clock.advance(1);
    let at = toy.app.vault.now();
    change(&toy.app, |config| ProviderConfig { updated_at: at, ..config }).await;
    toy.call(grant).await.ok();
    assert_eq!(toy.upstream.to("/token"), 2);
}

/// A call by provider and account, of an app with more connections than an ambiguous answer tells of.
#[tokio::test]
async fn the_one_grant_is_found_behind_many_others() {
    let toy = toy(200).await;
    let accounts: Vec<&'static str> =
        (0..25).map(|n| &*Box::leak(format!("user-{n}@example.com").into_boxed_str())).collect();
    let mut last = None;
    for account in &accounts {
        let principal = Principal::User { user_id: toy.app.vault.calm().new_id().unwrap() };
        let spec = ConnectionSpec { principal, account: Some(account), ..spec() };
        last = Some(toy.connect(spec).await.1);
    }
    let call = |account: &str| json!({ "method": "GET", "url": toy.url(), "provider_id": "toy", "account": account });
    toy.app.client().proxy(&call("user-24@example.com")).await.ok();
    assert_eq!(toy.app.vault.audit.calls().pop().unwrap().grant.map(|grant| grant.id), last);
    toy.app.client().proxy(&call("nobody@example.com")).await.refused(404, "grant_not_found");
    let all = json!({ "method": "GET", "url": toy.url(), "provider_id": "toy" });
    let ambiguous = toy.app.client().proxy(&all).await.refused(409, "ambiguous_grant").json();
    assert_eq!(ambiguous["candidates_truncated"], true);
}

/// The lists by which a removal counts what is left to be told lag behind on AWS.
#[tokio::test]
async fn a_provider_stays_while_what_its_removal_revoked_is_not_told() {
    let setup = Setup::default().layer(|table| Arc::new(Lagging(table)));
    let app = setup.build().await.app().await;
    let upstream = Upstream::silent().await;
    let config = app.provider(toy_provider(&format!("http://{}", upstream.addr), &upstream.host())).await;
    app.connect(&config, spec()).await;
    let admin = app.vault.operator(app.org, alter_domain::model::Permission::Admin).await;
    let path = format!("/portal/v1/apps/{}/providers/toy?force=true", app.id);
    admin.send("DELETE", &path, None).await.refused(409, "revocations_pending");
    for work in app.vault.work.take() {
        app.vault.revoker().run(work).await.unwrap();
    }
    admin.send("DELETE", &path, None).await.ok();
}

async fn change(app: &TestApp, change: impl FnOnce(ProviderConfig) -> ProviderConfig) {
    let ports = app.vault.calm();
    let configs = ProviderConfigs(ports.table.as_ref());
    let Stored { value, version } = configs.get(app.id, "toy").await.unwrap();
    configs.update(&Stored { value: change(value), version }, None).await.unwrap();
}

/// A table whose list of connections that are ending has not caught up.
struct Lagging(Arc<dyn Table>);

#[async_trait]
impl Table for Lagging {
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
        match query.partition.contains("/ending#") {
            true => Ok(Page { items: Vec::new(), next: None }),
            false => self.0.query(query).await,
        }
    }

    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        self.0.transact(ops).await
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
