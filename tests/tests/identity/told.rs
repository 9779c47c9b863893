//! What is told of people before they come, by another name, or against what a token still says (B073, B080, B083, B086).

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use alter_domain::{
    Error,
    flow::{Change, identity::suspend_user},
    model::{Actor, EventKind, IdentityProvider, Surface},
    oidc::ClaimNames,
    port::{Expect, Item, Key, Op, Page, Query, StoreError, Table, TableName, Version},
    repo::IdentityProviders,
};
use alter_table_contract::{HarshOptions, HarshTable};
use alter_tests::{Setup, TestIdp, TestVault};
use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Notify;

use crate::sender::{Sender, okta};

async fn fresh() -> Sender {
    Sender::new(TestVault::new().await.app().await, TestIdp::start().await).await
}

/// With `oid` for the claim by which users are told apart.
async fn by_oid() -> Sender {
    Sender::reading(TestVault::new().await.app().await, TestIdp::start().await, "oid").await
}

impl Sender {
    /// Removes the identity provider and adds it again, reading these claims.
    async fn added_again(&self, claims: ClaimNames) {
        let ports = self.app.vault.calm();
        let table = IdentityProviders(ports.table.as_ref());
        table.delete(&table.get(self.app.id).await.unwrap()).await.unwrap();
        self.app.identity_provider_as(&self.idp, |idp| IdentityProvider { claims, ..idp }).await;
    }

    /// Somebody has left a group, or without `sub` the group is gone.
    async fn group_ends(&self, token: &str, sub: Option<&str>, group: &str, after: i64) {
        let group = json!({ "type": "UserGroup", "id": "00g1", "displayName": group });
        let (kind, target) = match sub {
            Some(sub) => ("group.user_membership.remove", json!([{ "type": "User", "id": sub }, group])),
            None => ("group.lifecycle.delete", json!([group])),
        };
        let body = okta(&format!("{kind}-{sub:?}-{after}"), kind, &target, "SUCCESS", self.at(after));
        self.post("okta", &[("authorization", token.to_owned())], &body).await.ok();
    }

    async fn of_user(&self, token: &str, kind: &str, sub: &str, after: i64) {
        let target = json!([{ "type": "User", "id": sub }]);
        let body = okta(&format!("{kind}-{after}"), kind, &target, "SUCCESS", self.at(after));
        self.post("okta", &[("authorization", token.to_owned())], &body).await.ok();
    }
}

#[tokio::test]
async fn whoever_left_before_they_came_has_left_whatever_is_told_of_them_later() {
    for (kind, at) in [("ubuu", 5), ("ubuu", 20), ("ublkdu", 20)] {
        let sender = fresh().await;
        let token = sender.token_webhook("auth0").await;
        sender.auth0(&token, &[("sdu", "gone", 10)]).await.ok();
        sender.auth0(&token, &[(kind, "gone", at)]).await.ok();
        assert_eq!(sender.state("gone").await, "unknown");
        assert_eq!(sender.comes("gone").await, Err(Error::UserDeprovisioned), "{kind} {at}");
    }
    let sender = fresh().await;
    let token = sender.token_webhook("okta").await;
    sender.of_user(&token, "user.lifecycle.deactivate", "gone", -30).await;
    for kind in ["user.session.clear", "user.lifecycle.activate", "user.lifecycle.unsuspend"] {
        sender.of_user(&token, kind, "gone", -10).await;
        assert_eq!(sender.state("gone").await, "unknown", "{kind}");
    }
    assert_eq!(sender.comes("gone").await, Err(Error::UserDeprovisioned));
    // Who they are is on the record, with what they are.
    let events = sender.app.vault.audit.events();
    let row = events.iter().rfind(|event| event.kind == EventKind::UserCreated).unwrap();
    assert_eq!(row.detail["status"], "deprovisioned");
}

#[tokio::test]
async fn sessions_that_ended_before_somebody_came_are_over() {
    let sender = fresh().await;
    let token = sender.token_webhook("okta").await;
    sender.app.vault.clock.advance(60);
    let before = sender.idp.claims("ada").issued_ago(20).sign();
    sender.of_user(&token, "user.session.clear", "ada", -10).await;
    assert_eq!(sender.comes_with(&before).await, Err(Error::JwtValidation));
    assert_eq!(sender.comes("ada").await, Ok(()));
}

#[tokio::test]
async fn what_is_told_of_somebody_counts_whatever_claim_tells_them_apart() {
    let sender = by_oid().await;
    let token = sender.token_webhook("auth0").await;
    let jwt = |sub: &str, oid: &str| sender.idp.claims(sub).claim("oid", json!(oid)).sign();
    sender.auth0(&token, &[("ublkdu", "ada", 10)]).await.ok();
    let ada = jwt("ada", "o-1");
    assert_eq!(sender.comes_with(&ada).await, Err(Error::UserSuspended));
    sender.auth0(&token, &[("ubuu", "ada", 20)]).await.ok();
    assert_eq!(sender.comes_with(&ada).await, Ok(()));
    // Blocked again, and known in another app of the organization by another claim.
    sender.auth0(&token, &[("ublkdu", "ada", 30)]).await.ok();
    let sibling = sender.beside(sender.app.vault.app_in(sender.app.org).await).await;
    assert_eq!(sibling.comes_with(&ada).await, Err(Error::UserSuspended));
    sender.auth0(&token, &[("sdu", "ada", 40)]).await.ok();
    assert_eq!(sender.comes_with(&ada).await, Err(Error::UserDeprovisioned));
    assert_eq!(sibling.comes_with(&ada).await, Err(Error::UserDeprovisioned));
    // Somebody whom the vault knows comes by the name of one who has left.
    assert_eq!(sender.comes_with(&jwt("bob", "o-2")).await, Ok(()));
    sender.app.vault.clock.advance(5);
    assert_eq!(sender.comes_with(&jwt("ada", "o-2")).await, Err(Error::UserDeprovisioned));
    assert_eq!(sender.comes_with(&jwt("bob", "o-2")).await, Ok(()));
    // By a new name they are found, and by the old one no more.
    assert_eq!(sender.comes_with(&jwt("rob", "o-2")).await, Ok(()));
    sender.auth0(&token, &[("sdu", "bob", 50)]).await.ok();
    assert_eq!(sender.comes_with(&jwt("rob", "o-2")).await, Ok(()));
    sender.auth0(&token, &[("sdu", "rob", 60)]).await.ok();
    assert_eq!(sender.comes_with(&jwt("rob", "o-2")).await, Err(Error::UserDeprovisioned));
}

/// DynamoDB's indexes lag behind: a departure a moment after the first token finds its user all the same.
#[tokio::test]
async fn a_departure_finds_its_user_while_the_indexes_lag() {
    let options = HarshOptions { stale_writes: 1000, empty_pages: 0, ..HarshOptions::default() };
    let table = Arc::new(OnceLock::new());
    let keep = Arc::clone(&table);
    let calm = HarshOptions { stale_writes: 0, empty_pages: 0, ..HarshOptions::default() };
    let setup = Setup::default()
        .layer(move |inner| Arc::clone(keep.get_or_init(|| Arc::new(HarshTable::new(inner, calm)))));
    let sender = Sender::reading(setup.build().await.app().await, TestIdp::start().await, "oid").await;
    let token = sender.token_webhook("auth0").await;
    table.get().unwrap().set(|harsh| *harsh = options);
    let jwt = sender.idp.claims("ada").claim("oid", json!("o-1")).sign();
    assert_eq!(sender.comes_with(&jwt).await, Ok(()));
    sender.auth0(&token, &[("sdu", "ada", 10)]).await.ok();
    assert_eq!(sender.comes_with(&jwt).await, Err(Error::UserDeprovisioned));
}

#[tokio::test]
async fn groups_end_with_the_claim_that_they_were_read_from() {
    let sender = fresh().await;
    let token = sender.idp.claims("ada").group("eng").sign();
    assert_eq!(sender.groups(&token).await, ["eng"]);
    sender.added_again(ClaimNames::default()).await;
    assert!(sender.groups(&token).await.is_empty(), "at once, also for the token of before");
    sender.added_again(ClaimNames::new("sub".to_owned(), Some("teams".to_owned()), None).unwrap()).await;
    sender.app.vault.clock.advance(60);
    let teams = sender.idp.claims("ada").group("eng").claim("teams", json!(["ops"])).sign();
    assert_eq!(sender.groups(&teams).await, ["ops"]);
}

#[tokio::test]
async fn claims_are_locked_again_by_the_first_who_comes_after_the_provider_was_added_again() {
    let sender = fresh().await;
    sender.arrive("ada").await;
    assert!(sender.stored().await.claims_are_locked());
    let claims = sender.provider.claims.clone();
    sender.added_again(claims).await;
    assert!(!sender.stored().await.claims_are_locked());
    sender.arrive("ada").await;
    assert!(sender.stored().await.claims_are_locked());
}

#[tokio::test]
async fn b086_a_group_that_was_left_is_left_in_apps_that_have_not_seen_the_user() {
    let sender = fresh().await;
    let sibling = sender.beside(sender.app.vault.app_in(sender.app.org).await).await;
    let token = sender.token_webhook("okta").await;
    sender.app.vault.clock.advance(100);
    let old = sender.idp.claims("ada").group("eng").group("ops").issued_ago(60).sign();
    sender.group_ends(&token, Some("bob"), "eng", 0).await;
    assert_eq!(sender.groups(&old).await, ["eng", "ops"]);
    sender.group_ends(&token, Some("ada"), "eng", 0).await;
    assert_eq!(sender.groups(&old).await, ["ops"]);
    assert_eq!(sibling.groups(&old).await, ["ops"]);
    // Before the first token in any app.
    let bob = sender.idp.claims("bob").group("eng").group("ops").issued_ago(60).sign();
    assert_eq!(sender.groups(&bob).await, ["ops"]);
    sender.app.vault.clock.advance(5);
    let again = sender.idp.claims("bob").group("eng").sign();
    assert_eq!(sender.groups(&again).await, ["eng"]);
}

#[tokio::test]
async fn a_group_that_is_gone_comes_back_by_no_older_token() {
    let sender = fresh().await;
    let token = sender.token_webhook("okta").await;
    sender.app.vault.clock.advance(100);
    let first = sender.idp.claims("ada").group("ops").issued_ago(60).sign();
    let second = sender.idp.claims("ada").group("eng").group("ops").issued_ago(30).sign();
    sender.groups(&first).await;
    sender.group_ends(&token, None, "eng", 0).await;
    for _ in 0..2 {
        assert_eq!(sender.groups(&second).await, ["ops"]);
    }
    let stranger = sender.idp.claims("bob").group("eng").issued_ago(30).sign();
    assert!(sender.groups(&stranger).await.is_empty());
    // Made anew under its old name.
    sender.app.vault.clock.advance(5);
    let third = sender.idp.claims("ada").group("eng").sign();
    assert_eq!(sender.groups(&third).await, ["eng"]);
}

/// Tokens are taken from an issuer whose clock is up to a minute ahead; so are the ends of what they said.
#[tokio::test]
async fn an_issuer_whose_clock_is_ahead_ends_sessions_and_memberships_by_its_own_clock() {
    let sender = fresh().await;
    let token = sender.token_webhook("okta").await;
    let ahead = sender.idp.claims("ada").group("eng").issued_ago(-30).sign();
    assert_eq!(sender.groups(&ahead).await, ["eng"]);
    sender.group_ends(&token, Some("ada"), "eng", 40).await;
    assert!(sender.groups(&ahead).await.is_empty());
    sender.of_user(&token, "user.session.clear", "ada", 40).await;
    assert_eq!(sender.comes_with(&ahead).await, Err(Error::JwtValidation));
    // No further than that: an event of next year ends no session of next month.
    sender.of_user(&token, "user.session.clear", "ada", 365 * 86_400).await;
    sender.app.vault.clock.advance(61);
    assert_eq!(sender.comes("ada").await, Ok(()));
}

#[tokio::test]
async fn an_operator_suspends_whom_a_webhook_has_suspended_and_the_webhook_does_not_let_them_back() {
    let sender = fresh().await;
    sender.arrive("ada").await;
    sender.app.vault.clock.advance(100);
    let token = sender.token_webhook("auth0").await;
    sender.auth0(&token, &[("ublkdu", "ada", 3610)]).await.ok();
    let app = &sender.app;
    let change =
        Change { org_id: app.org, app_id: app.id, actor: Actor::of_vault(), surface: Surface::Portal };
    let id = app.user_of(&sender.idp, "ada");
    let said = suspend_user(&app.vault.calm(), change.clone(), id).await;
    assert_eq!(said, Ok(()));
    app.vault.clock.advance(100);
    sender.auth0(&token, &[("ubuu", "ada", 3720)]).await.ok();
    assert_eq!(sender.comes("ada").await, Err(Error::UserSuspended));
    let again = suspend_user(&app.vault.calm(), change, id).await;
    assert!(matches!(again, Err(Error::Conflict { code: "user_suspended", .. })), "{again:?}");
}

/// The first token was read and weighed, its user is about to be written, and at this moment they leave.
#[tokio::test]
async fn who_leaves_between_the_reads_and_the_write_of_their_first_token_is_refused() {
    let gate = Arc::new(OnceLock::new());
    let keep = Arc::clone(&gate);
    let setup =
        Setup::default().layer(move |inner| Arc::clone(keep.get_or_init(|| Arc::new(Gate::of(inner)))));
    let sender = Sender::new(setup.build().await.app().await, TestIdp::start().await).await;
    let token = sender.token_webhook("auth0").await;
    let gate: &Arc<Gate> = gate.get().unwrap();
    gate.closed.store(true, Ordering::SeqCst);
    let leaves = async {
        gate.reached.notified().await;
        sender.auth0(&token, &[("sdu", "ada", 1)]).await.ok();
        gate.go.notify_one();
    };
    let (came, ()) = futures_util::join!(sender.comes("ada"), leaves);
    assert_eq!(came, Err(Error::UserDeprovisioned));
    assert_eq!(sender.state("ada").await, "deprovisioned");
}

/// Holds the first write of a user until it may go on.
struct Gate {
    inner: Arc<dyn Table>,
    closed: AtomicBool,
    reached: Notify,
    go: Notify,
}

impl Gate {
    fn of(inner: Arc<dyn Table>) -> Self {
        Self { inner, closed: AtomicBool::new(false), reached: Notify::new(), go: Notify::new() }
    }
}

#[async_trait]
impl Table for Gate {
    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        let of_user = |op: &Op| matches!(op, Op::Put { item, .. } if item.key.sort == "user");
        if ops.iter().any(of_user) && self.closed.swap(false, Ordering::SeqCst) {
            self.reached.notify_one();
            self.go.notified().await;
        }
        self.inner.transact(ops).await
    }

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
