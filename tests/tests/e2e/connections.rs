//! Calls through connections: what they carry, what they cost, and how they end (architecture sections 4 and 6).

use std::sync::Arc;

use alter_domain::{
    api::{ConnectionId, GrantId},
    model::{ConnectionState, ProviderConfig, ProviderState, Receipt},
    port::{Key, TableName, Work},
    repo::{ProviderConfigs, Stored},
};
use alter_tests::{ConnectionSpec, Received, TestApp, TestVault, Upstream, json_reply, reply, toy_provider};
use axum::body::Body;
use http::Response;
use serde_json::json;

use crate::get;

const ACCESS: &str = "access-0123456789";
const REFRESH: &str = "refresh-0123456789";

/// A provider that answers like a good one: `/token` rotates, `/revoke` forgets, everything else is the API.
pub(crate) struct Toy {
    pub(crate) upstream: Upstream,
    pub(crate) app: TestApp,
    pub(crate) config: ProviderConfig,
}

pub(crate) async fn toy(revoke_status: u16) -> Toy {
    let upstream = Upstream::serving(move |received| async move { answer(&received, revoke_status) }).await;
    let app = TestVault::new().await.app().await;
    let base = format!("http://{}", upstream.addr);
    let config = app.provider(toy_provider(&base, &upstream.host())).await;
    Toy { upstream, app, config }
}

fn answer(received: &Received, revoke_status: u16) -> Response<Body> {
    match received.target.split('?').next().unwrap_or_default() {
        "/token" => json_reply(
            200,
            &json!({
                "access_token": "access-of-the-second-kind",
                "refresh_token": "refresh-of-the-second-kind",
                "expires_in": 3600,
                "token_type": "Bearer"
            }),
        ),
        "/revoke" => reply(revoke_status, ""),
        _ if received.header("authorization") == Some("Bearer refused-0123456789") => reply(401, "expired"),
        _ => reply(200, "notes"),
    }
}

impl Toy {
    pub(crate) async fn connect(&self, spec: ConnectionSpec) -> (ConnectionId, GrantId) {
        self.app.connect(&self.config, spec).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/notes", self.upstream.addr)
    }

    pub(crate) async fn call(&self, grant: GrantId) -> alter_tests::Answer {
        self.app.client().proxy(&get(&self.url(), grant)).await
    }

    pub(crate) async fn revoke(&self, grant: GrantId) -> alter_tests::Answer {
        self.app.client().post(&format!("/sdk/oauth/grants/{grant}/revoke"), &json!({})).await
    }

    async fn parked(&self, work: &[Work]) -> bool {
        let [Work::Revocation { id }] = work else { panic!("one task, not {work:?}") };
        let key = Key::new(format!("revocation#{id}"), "revocation");
        self.app.vault.calm().table.get(TableName::Vault, &key).await.unwrap().is_some()
    }

    pub(crate) async fn receipt(&self, id: ConnectionId) -> Receipt {
        match self.app.connection(id).await.value.state {
            ConnectionState::Revoked { receipt, .. } => receipt,
            other => panic!("not revoked: {other:?}"),
        }
    }

    pub(crate) async fn has_tokens(&self, id: ConnectionId) -> bool {
        let credential = self.app.connection(id).await.value.credential_id;
        let key = Key::new(format!("credential#{credential}"), "credential");
        self.app.vault.calm().table.get(TableName::Vault, &key).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn b006_a_call_carries_the_access_token_and_nothing_else_of_the_connection() {
    let toy = toy(200).await;
    let (_, grant) = toy.connect(ConnectionSpec::new(ACCESS, Some(REFRESH))).await;
    toy.call(grant).await.ok();
    let sent = toy.upstream.last();
    assert_eq!(sent.header("authorization"), Some("Bearer access-0123456789"));
    assert!(!format!("{sent:?}").contains(REFRESH));
}

#[tokio::test]
async fn b007_an_expired_token_is_refreshed_and_the_caller_sees_only_the_answer() {
    let toy = toy(200).await;
    let (id, grant) = toy.connect(ConnectionSpec::new(ACCESS, Some(REFRESH)).expiring_in(-1)).await;
    let answer = toy.call(grant).await;
    assert_eq!(answer.ok()["status_code"], 200);
    assert_eq!(toy.upstream.last().header("authorization"), Some("Bearer access-of-the-second-kind"));
    assert_eq!(toy.app.connection(id).await.value.seal_version, 2);
    toy.call(grant).await.ok();
    assert_eq!(toy.upstream.to("/token"), 1, "refreshed once");
}

#[tokio::test]
async fn a_refused_token_is_refreshed_and_the_call_repeated_once() {
    let toy = toy(200).await;
    let spec =
        ConnectionSpec { expires_in: None, ..ConnectionSpec::new("refused-0123456789", Some(REFRESH)) };
    let (_, grant) = toy.connect(spec).await;
    assert_eq!(toy.call(grant).await.ok()["status_code"], 200);
    assert_eq!((toy.upstream.to("/token"), toy.upstream.to("/notes")), (1, 2));
    let lasting = ConnectionSpec { expires_in: None, ..ConnectionSpec::new("refused-0123456789", None) };
    let (_, grant) = toy.connect(lasting).await;
    assert_eq!(
        toy.call(grant).await.ok()["status_code"],
        401,
        "nothing to refresh with: the provider's answer"
    );
    assert_eq!(toy.upstream.to("/token"), 1);
}

#[tokio::test]
async fn a_disabled_provider_stops_the_next_call() {
    let toy = toy(200).await;
    let (_, grant) = toy.connect(ConnectionSpec::new(ACCESS, Some(REFRESH))).await;
    toy.call(grant).await.ok();
    let ports = toy.app.vault.calm();
    let configs = ProviderConfigs(ports.table.as_ref());
    let found = configs.get(toy.app.id, "toy").await.unwrap();
    let state = ProviderState::Disabled { at: toy.app.vault.now() };
    let disabled = Stored { value: ProviderConfig { state, ..found.value }, version: found.version };
    configs.update(&disabled, None).await.unwrap();
    toy.call(grant).await.refused(403, "provider_disabled");
    assert_eq!(toy.upstream.to("/notes"), 1);
}

#[tokio::test]
async fn b003_revoking_deletes_the_tokens_at_once_and_tells_the_provider() {
    let toy = toy(200).await;
    let (id, grant) = toy.connect(ConnectionSpec::new(ACCESS, Some(REFRESH))).await;
    toy.revoke(grant).await.ok();
    assert!(!toy.has_tokens(id).await);
    assert_eq!(toy.receipt(id).await, Receipt::Pending);
    toy.call(grant).await.refused(403, "grant_revoked");
    let work = toy.app.vault.work.take();
    assert!(toy.parked(&work).await);
    toy.app.vault.revoker().run(work[0]).await.unwrap();
    let told = toy.upstream.last();
    assert_eq!((told.method.as_str(), told.target.as_str()), ("POST", "/revoke"));
    assert!(String::from_utf8_lossy(&told.body).contains(REFRESH));
    assert!(matches!(toy.receipt(id).await, Receipt::Revoked { .. }));
    assert!(!toy.parked(&work).await, "the tokens are gone from the vault");
    toy.app.vault.revoker().run(work[0]).await.unwrap();
    assert_eq!(toy.upstream.to("/revoke"), 1, "told once");
}

#[tokio::test]
async fn a_provider_that_is_down_is_told_when_it_is_back() {
    let toy = toy(503).await;
    let (id, grant) = toy.connect(ConnectionSpec::new(ACCESS, Some(REFRESH))).await;
    toy.app.vault.work.fail(true);
    toy.revoke(grant).await.ok();
    assert!(toy.app.vault.work.take().is_empty(), "the signal was lost");
    let revoker = toy.app.vault.revoker();
    for attempts in 1..=3 {
        let _ = revoker.run(Work::Due).await;
        let _ = revoker.run(Work::Due).await;
        assert_eq!(toy.upstream.to("/revoke"), attempts, "once, and not again before its time");
        assert_eq!(toy.receipt(id).await, Receipt::Pending);
        toy.app.vault.clock.advance(60);
    }
    for _ in 0..13 {
        toy.app.vault.clock.advance(36_000);
        let _ = revoker.run(Work::Due).await;
    }
    assert!(matches!(toy.receipt(id).await, Receipt::Failed { .. }), "given up after a day, and it says so");
    let told = toy.upstream.to("/revoke");
    revoker.run(Work::Due).await.unwrap();
    assert_eq!(toy.upstream.to("/revoke"), told);
}

#[tokio::test]
async fn a_shared_connection_ends_with_its_last_grant() {
    let toy = toy(200).await;
    let (id, first) = toy.connect(ConnectionSpec::new(ACCESS, Some(REFRESH))).await;
    let second = toy.app.sibling(id).await;
    toy.revoke(first).await.ok();
    toy.call(first).await.refused(403, "grant_revoked");
    toy.call(second).await.ok();
    assert!(toy.has_tokens(id).await);
    assert!(toy.app.vault.work.take().is_empty(), "nobody is told while a grant lives");
    toy.revoke(second).await.ok();
    assert!(!toy.has_tokens(id).await);
    assert_eq!(toy.app.vault.work.take().len(), 1);
}

#[tokio::test]
async fn two_grants_revoked_at_once_leave_no_tokens() {
    let toy = Arc::new(toy(200).await);
    for _ in 0..20 {
        let (id, first) = toy.connect(ConnectionSpec::new(ACCESS, Some(REFRESH))).await;
        let second = toy.app.sibling(id).await;
        let (one, other) = tokio::join!(toy.revoke(first), toy.revoke(second));
        one.ok();
        other.ok();
        assert!(!toy.has_tokens(id).await);
        assert_eq!(toy.app.vault.work.take().len(), 1);
    }
}

/// The answer of a revoke and the start of a call may be as close as they like.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b002_the_call_after_a_revoke_that_was_answered_is_refused_always() {
    const RACES: usize = 10_000;
    let toy = Arc::new(toy(200).await);
    let mut races = tokio::task::JoinSet::new();
    for lane in 0..16 {
        let toy = Arc::clone(&toy);
        races.spawn(async move {
            let mut raced = 0;
            for _ in 0..RACES / 16 {
                let (_, grant) = toy.connect(ConnectionSpec::new(ACCESS, Some(REFRESH))).await;
                // A call that may win or lose, a revoke, and at the moment of its answer a call that must lose.
                let (_, refused) = tokio::join!(toy.call(grant), async {
                    toy.revoke(grant).await.ok();
                    toy.call(grant).await
                });
                refused.refused(403, "grant_revoked");
                raced += 1;
            }
            (lane, raced)
        });
    }
    let raced: usize = races.join_all().await.into_iter().map(|(_, raced)| raced).sum();
    assert_eq!(raced, RACES);
}
