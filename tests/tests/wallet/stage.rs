//! People with grants of every kind in several apps, at a provider that can be told that access has ended.

use std::sync::{Arc, OnceLock};

use alter_domain::{
    api::{ConnectionId, GrantId, UserId},
    flow::{NewGrant, issue_grant},
    model::{
        Actor, AuditEvent, Connection, EventKind, Grant, GrantPolicy, GrantSource, GrantState,
        IdentityProvider, Phase, Principal, ProviderConfig, Surface,
    },
    port::{Key, TableName, Work},
    repo::{Connections, Grants, Users},
};
use alter_table_contract::{CountingTable, HarshOptions, HarshTable};
use alter_tests::{
    Answer, ConnectionSpec, FaultTable, GrantSpec, SecretSpec, Setup, TestAgent, TestApp, TestIdp,
    TestSecret, TestVault, TokenSpec, Upstream, reply, toy_provider,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::Person;

pub(crate) struct Stage {
    pub(crate) vault: TestVault,
    pub(crate) idp: TestIdp,
    pub(crate) upstream: Upstream,
    pub(crate) shop: TestApp,
    /// Another app of the organization with the same identity provider.
    pub(crate) desk: TestApp,
    /// The shop's provider.
    pub(crate) toy: ProviderConfig,
    pub(crate) secret: TestSecret,
    /// What lies between the vault and its store; setting up goes past it.
    pub(crate) harsh: Arc<HarshTable>,
    pub(crate) counting: Arc<CountingTable>,
    pub(crate) faults: Arc<FaultTable>,
}

pub(crate) async fn stage() -> Stage {
    let kept: Arc<OnceLock<_>> = Arc::default();
    let keep = Arc::clone(&kept);
    let layer = move |table| {
        let calm = HarshOptions { max_page: 10_000, empty_pages: 0, ..HarshOptions::default() };
        let harsh = Arc::new(HarshTable::new(table, calm));
        let counting = Arc::new(CountingTable::new(Arc::clone(&harsh) as _));
        let faults = Arc::new(FaultTable::new(Arc::clone(&counting) as _));
        let (.., faults) = keep.get_or_init(|| (harsh, counting, faults));
        Arc::clone(faults)
    };
    let vault = Setup::default().layer(layer).build().await;
    let upstream = Upstream::serving(|_| async { reply(200, "") }).await;
    let idp = TestIdp::start().await;
    let shop = vault.app().await;
    let desk = vault.app_in(shop.org).await;
    for app in [&shop, &desk] {
        app.signs_in_at(&idp).await;
    }
    let toy = shop.provider(toy_provider(&format!("http://{}", upstream.addr), &upstream.host())).await;
    let secret = shop.secret(SecretSpec::bearer("key", "token-0123456789", upstream.host())).await;
    let (harsh, counting, faults) = kept.get().unwrap().clone();
    Stage { vault, idp, upstream, shop, desk, toy, secret, harsh, counting, faults }
}

impl Stage {
    /// Somebody who signs in through the shop.
    pub(crate) async fn person(&self, sub: &str) -> Person {
        Person::sign_in(&self.shop, &self.idp, sub).await
    }

    /// The user whom an app's token is for, known from here on.
    pub(crate) async fn known(&self, app: &TestApp, token: &str) -> UserId {
        self.vault.identity().identify(app.id, token, &Actor::of_vault()).await.unwrap().user_id()
    }

    /// Somebody whose ID token names groups.
    pub(crate) async fn member(&self, sub: &str, groups: &'static [&'static str]) -> Person {
        let with = |token: TokenSpec| groups.iter().fold(token, |token, group| token.group(group));
        self.idp.next_id_token(with);
        self.person(sub).await
    }

    pub(crate) async fn own(&self, person: &Person, label: &str) -> GrantId {
        self.shop.grant(&self.secret, GrantSpec::of_user(person.user, label)).await
    }

    /// A grant on the shop's secret with a life of so many seconds, and at most so many.
    pub(crate) async fn limited(&self, principal: Principal, lives: i64, longest: Option<i64>) -> GrantId {
        let policy = GrantPolicy { expires_at: Some(self.in_seconds(lives)), max_ttl_seconds: longest };
        let label = Some(format!("limited {}", self.vault.ports.new_id::<GrantId>().unwrap()));
        let new = NewGrant { secret_id: self.secret.id, principal, label, policy };
        let ids = (self.shop.org, self.shop.id);
        issue_grant(&self.vault.calm(), ids, new, Actor::of_vault(), Surface::Portal).await.unwrap().id
    }

    pub(crate) async fn of_group(&self, group: &str) -> GrantId {
        let idp = IdentityProvider::id_of(self.shop.id, &self.idp.issuer());
        self.shop.grant(&self.secret, GrantSpec::of_group(idp, group, group)).await
    }

    /// The person's account at the shop's provider.
    pub(crate) async fn connected(&self, person: &Person, account: &'static str) -> (ConnectionId, GrantId) {
        let spec = ConnectionSpec::new(format!("access-of-{account}"), Some("refresh-0123456789"));
        let principal = Principal::User { user_id: person.user };
        self.shop.connect(&self.toy, ConnectionSpec { principal, account: Some(account), ..spec }).await
    }

    /// A grant of an agent's on a connection.
    pub(crate) async fn delegated(&self, connection: ConnectionId, agent: &TestAgent) -> GrantId {
        self.beside(connection, Principal::Agent { agent_id: agent.id }, GrantPolicy::default()).await
    }

    /// One more grant on a connection.
    pub(crate) async fn beside(
        &self,
        id: ConnectionId,
        principal: Principal,
        policy: GrantPolicy,
    ) -> GrantId {
        let ports = self.vault.calm();
        let connections = Connections(ports.table.as_ref());
        let connection = connections.get(self.shop.id, id).await.unwrap();
        let grant = Grant {
            id: ports.new_id().unwrap(),
            app_id: self.shop.id,
            source: GrantSource::OAuth { connection_id: id },
            credential_id: connection.value.credential_id,
            provider_id: connection.value.provider_id.clone(),
            principal,
            label: None,
            policy,
            state: GrantState::Active,
            created_at: self.vault.now(),
        };
        let more = connection.try_map(Connection::add_grant).unwrap();
        connections.add_grant(&more, &grant, None).await.unwrap();
        grant.id
    }

    /// A call of the shop's with a grant.
    pub(crate) async fn call(&self, grant: GrantId) -> Answer {
        self.shop.client().proxy(&self.by(grant)).await
    }

    pub(crate) fn by(&self, grant: GrantId) -> Value {
        json!({ "method": "GET", "url": self.upstream.url("/notes"), "grant_id": grant })
    }

    pub(crate) async fn stored(&self, id: GrantId) -> Grant {
        Grants(self.vault.calm().table.as_ref()).get(self.shop.id, id).await.unwrap().value
    }

    pub(crate) async fn is_live(&self, id: GrantId) -> bool {
        self.stored(id).await.state == GrantState::Active
    }

    pub(crate) async fn has_tokens(&self, id: ConnectionId) -> bool {
        let credential = self.shop.connection(id).await.value.credential_id;
        let key = Key::new(format!("credential#{credential}"), "credential");
        self.vault.calm().table.get(TableName::Vault, &key).await.unwrap().is_some()
    }

    pub(crate) async fn reach(&self, user: UserId) -> Vec<alter_domain::api::AppId> {
        Users(self.vault.calm().table.as_ref()).reach(user).await.unwrap()
    }

    /// The worker does what was signalled.
    pub(crate) async fn work(&self) -> usize {
        let work = self.vault.work.take();
        for work in &work {
            if let Work::Revocation { .. } = work {
                self.vault.revoker().run(*work).await.unwrap();
            }
        }
        work.len()
    }

    /// Rows on record of one kind, in their last phase.
    pub(crate) fn on_record(&self, kind: EventKind) -> Vec<AuditEvent> {
        let events = self.vault.audit.events().into_iter();
        events.filter(|event| event.kind == kind && event.phase == Phase::Final).collect()
    }

    pub(crate) fn in_seconds(&self, seconds: i64) -> Timestamp {
        self.vault.now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
    }
}

impl Person {
    pub(crate) async fn overview(&self) -> Value {
        self.get("/wallet/api/overview").await.ok()
    }

    /// The grants of the overview.
    pub(crate) async fn grants(&self) -> Vec<Value> {
        self.overview().await["grants"].as_array().unwrap().clone()
    }

    /// One card of the overview.
    pub(crate) async fn card(&self, id: GrantId) -> Value {
        let card = self.grants().await.into_iter().find(|card| card["grant_id"] == json!(id));
        card.unwrap_or_else(|| panic!("{id} is not in the overview"))
    }

    pub(crate) async fn sees(&self, id: GrantId) -> bool {
        let listed = self.grants().await.iter().any(|card| card["grant_id"] == json!(id));
        let shown = self.show(id).await.status == 200;
        assert_eq!(listed, shown, "{id}: list and detail do not agree");
        listed
    }

    pub(crate) async fn show(&self, id: impl ToString) -> Answer {
        self.get(&format!("/wallet/api/grants/{}", id.to_string())).await
    }

    pub(crate) async fn detail(&self, id: GrantId) -> Value {
        self.show(id).await.ok()
    }

    pub(crate) async fn revoke(&self, id: impl ToString) -> Answer {
        self.post(&format!("/wallet/api/grants/{}/revoke", id.to_string()), &json!({})).await
    }

    pub(crate) async fn extend(&self, id: impl ToString, to: Timestamp) -> Answer {
        let path = format!("/wallet/api/grants/{}/extend", id.to_string());
        self.post(&path, &json!({ "expires_at": to })).await
    }
}
