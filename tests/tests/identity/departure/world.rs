//! Somebody with grants of all kinds in two apps, and somebody else beside them.

use std::{collections::BTreeMap, sync::Arc};

use alter_domain::{
    api::{ConnectionId, EventId, GrantId, UserId},
    flow::{Change, identity::deprovision_user},
    model::{
        Actor, AuditEvent, Connection, ConnectionState, EventKind, Grant, GrantState, Identity, Membership,
        OutcomeKind, Phase, Principal, ProviderConfig, SETTLE, Surface, User, UserState,
    },
    port::{Key, TableName, Work},
    repo::{Deprovisions, Grants, Stored, Users},
};
use alter_tests::{
    Answer, ConnectionSpec, GrantSpec, SecretSpec, Setup, TestApp, TestSecret, TestVault, Upstream, reply,
    toy_provider,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::life::{Life, Mortal};

const ACCESS: &str = "access-0123456789";
const REFRESH: &str = "refresh-0123456789";

pub(super) struct World {
    pub(super) vault: TestVault,
    pub(super) life: Arc<Life>,
    pub(super) apps: Vec<Place>,
    pub(super) user: UserId,
    pub(super) upstream: Upstream,
}

/// An app, and what the user has in it.
pub(super) struct Place {
    pub(super) app: TestApp,
    pub(super) secret: TestSecret,
    pub(super) config: ProviderConfig,
    pub(super) grants: Vec<GrantId>,
    pub(super) connections: Vec<ConnectionId>,
    /// The bystander's, on a secret and on a connection.
    pub(super) others: Vec<GrantId>,
    pub(super) others_connection: ConnectionId,
}

/// Somebody with so many grants.
pub(super) async fn world(grants: usize) -> World {
    let life = Life::new();
    let alive = Arc::clone(&life);
    let vault = Setup::default().layer(move |table| Arc::new(Mortal::new(table, alive))).build().await;
    let alive = Arc::clone(&life);
    let upstream = Upstream::serving(|_| async { reply(200, "") }).await;
    let first = vault.app().await;
    let second = vault.app_in(first.org).await;
    let (user, bystander) = (known(&[&first, &second], "ada").await, known(&[&first, &second], "bob").await);
    let mut apps = Vec::new();
    for app in [first, second] {
        apps.push(Place::new(app, &upstream, bystander).await);
    }
    let mut world = World { vault, life, apps, user, upstream };
    for n in 0..grants {
        world.give(n).await;
    }
    // Some have expired by now.
    world.vault.clock.advance(120);
    world.vault.work.take();
    world.vault.audit.forget();
    world.vault.audit.refuse(move |_| !alive.lives());
    world
}

/// Somebody whom all these apps have seen.
pub(super) async fn known(apps: &[&TestApp], sub: &str) -> UserId {
    let (ports, org) = (apps[0].vault.calm(), apps[0].org);
    let now = apps[0].vault.now();
    let identity = Identity {
        issuer: "https://idp.example".to_owned(),
        claim: "sub".to_owned(),
        subject: sub.to_owned(),
    };
    let user = User {
        id: identity.user_id(org),
        org_id: org,
        identity,
        sub: sub.to_owned(),
        email: None,
        name: None,
        profile_as_of: 0,
        state: UserState::Active,
        state_as_of: Timestamp::UNIX_EPOCH,
        tokens_valid_after: None,
        signed_out_at: None,
        reinstated_at: None,
        created_at: now,
        updated_at: now,
    };
    let mut ops = vec![Users::create_op(&user).unwrap()];
    for app in apps {
        let membership = Membership {
            user_id: user.id,
            app_id: app.id,
            idp_id: ports.new_id().unwrap(),
            claims: alter_domain::oidc::ClaimNames::default(),
            groups: std::collections::BTreeSet::new(),
            roles: std::collections::BTreeSet::new(),
            as_of: 0,
            left: BTreeMap::new(),
            created_at: now,
            updated_at: now,
        };
        ops.extend(Users::create_membership_ops(&membership).unwrap());
    }
    ports.table.transact(ops).await.unwrap();
    user.id
}

impl Place {
    async fn new(app: TestApp, upstream: &Upstream, bystander: UserId) -> Self {
        let secret = app.secret(SecretSpec::bearer("key", "token-0123456789", upstream.host())).await;
        let base = format!("http://{}", upstream.addr);
        let config = app.provider(toy_provider(&base, &upstream.host())).await;
        let own = app.grant(&secret, GrantSpec::of_user(bystander, "of bob")).await;
        let (others_connection, connected) = app.connect(&config, spec(bystander)).await;
        let others = vec![own, connected];
        Self { app, secret, config, grants: Vec::new(), connections: Vec::new(), others, others_connection }
    }

    pub(super) async fn grant(&self, id: GrantId) -> Grant {
        Grants(self.app.vault.calm().table.as_ref()).get(self.app.id, id).await.unwrap().value
    }

    pub(super) async fn has_tokens(&self, connection: &Connection) -> bool {
        let key = Key::new(format!("credential#{}", connection.credential_id), "credential");
        self.app.vault.calm().table.get(TableName::Vault, &key).await.unwrap().is_some()
    }
}

pub(super) fn spec(user: UserId) -> ConnectionSpec {
    let principal = Principal::User { user_id: user };
    ConnectionSpec { principal, expires_in: None, ..ConnectionSpec::new(ACCESS, Some(REFRESH)) }
}

impl World {
    /// The `n`-th grant: on a connection of its own, on one that is there, on a secret; some of them expire.
    async fn give(&mut self, n: usize) {
        let user = self.user;
        let soon = self.vault.now() + SignedDuration::from_secs(60);
        let place = &mut self.apps[n % 2];
        match (n / 2 % 5, place.connections.last()) {
            (0, _) | (1, None) => {
                let (connection, grant) = place.app.connect(&place.config, spec(user)).await;
                place.connections.push(connection);
                place.grants.push(grant);
            }
            (1, Some(connection)) => place.grants.push(place.app.sibling(*connection).await),
            (kind, _) => {
                let spec = GrantSpec::of_user(user, &format!("grant {n}"));
                let spec = if kind == 2 { spec.expiring(soon) } else { spec };
                place.grants.push(place.app.grant(&place.secret, spec).await);
            }
        }
    }

    pub(super) fn count(&self) -> usize {
        self.apps.iter().map(|place| place.grants.len()).sum()
    }

    pub(super) fn work(&self) -> Work {
        Work::Deprovision { user: self.user }
    }

    pub(super) fn change(&self) -> Change {
        let app = &self.apps[0].app;
        Change { org_id: app.org, app_id: app.id, actor: Actor::of_vault(), surface: Surface::Portal }
    }

    /// The departure, as an operator's word.
    pub(super) async fn leave(&self) -> alter_domain::Result<()> {
        deprovision_user(&self.vault.ports, self.change(), self.user).await
    }

    /// A call with one of the grants, without a token of the user's.
    pub(super) async fn call(&self, place: &Place, grant: GrantId) -> Answer {
        let url = format!("http://{}/notes", self.upstream.addr);
        let call = json!({ "method": "GET", "url": url, "grant_id": grant });
        place.app.client().proxy(&call).await
    }

    pub(super) async fn task(&self) -> Option<Stored<alter_domain::model::Deprovision>> {
        Deprovisions(self.vault.calm().table.as_ref()).find(self.user).await.unwrap()
    }

    pub(super) async fn stored(&self, user: UserId) -> Stored<User> {
        Users(self.vault.calm().table.as_ref()).find(user).await.unwrap().unwrap()
    }

    /// How many of the user's grants are not revoked.
    pub(super) async fn alive(&self) -> usize {
        let mut alive = 0;
        for place in &self.apps {
            for id in &place.grants {
                alive += usize::from(place.grant(*id).await.state == GrantState::Active);
            }
        }
        alive
    }

    /// Has the clock look at what is due until the departure is done with.
    pub(super) async fn settle(&self) {
        for _ in 0..10 {
            self.vault.clock.advance(SETTLE.as_secs());
            self.vault.revoker().run(Work::Due).await.unwrap();
            if self.task().await.is_none() {
                return;
            }
        }
        panic!("the departure is never done with: {:?}", self.task().await);
    }

    /// The rows of a kind that tell of a success, by their ids.
    pub(super) fn told(&self, kind: EventKind) -> BTreeMap<EventId, AuditEvent> {
        let success = |event: &AuditEvent| {
            event.phase == Phase::Final
                && event.outcome.as_ref().is_some_and(|outcome| outcome.kind == OutcomeKind::Success)
        };
        let events = self.vault.audit.events().into_iter();
        events.filter(|event| event.kind == kind && success(event)).map(|event| (event.id, event)).collect()
    }

    /// All that the user had is ended, it is said once, and nobody else has lost anything.
    pub(super) async fn is_over(&self) {
        assert!(matches!(self.stored(self.user).await.value.state, UserState::Deprovisioned { .. }));
        assert_eq!(self.task().await, None);
        for place in &self.apps {
            for id in &place.grants {
                let grant = place.grant(*id).await;
                let GrantState::Revoked { reason, .. } = grant.state else { panic!("alive: {grant:?}") };
                assert_eq!(reason.as_deref(), Some("The user has left."));
            }
            for id in &place.connections {
                let connection = place.app.connection(*id).await.value;
                assert!(matches!(connection.state, ConnectionState::Revoked { .. }), "{connection:?}");
                assert_eq!(connection.live_grants, 0);
                assert!(!place.has_tokens(&connection).await, "its tokens are still there");
            }
            for id in &place.others {
                assert_eq!(place.grant(*id).await.state, GrantState::Active, "the bystander's");
            }
            let others = place.app.connection(place.others_connection).await.value;
            assert!(place.has_tokens(&others).await, "the bystander's");
        }
        let finished = self.told(EventKind::UserDeprovisionFinished);
        let [finished] = finished.values().collect::<Vec<_>>()[..] else { panic!("not once: {finished:?}") };
        assert_eq!(finished.detail["grants_revoked"], self.count().to_string());
        assert_eq!(finished.user_id, Some(self.user));
        self.each_was_told_at_most_once();
    }

    fn each_was_told_at_most_once(&self) {
        let mut told: BTreeMap<GrantId, usize> = BTreeMap::new();
        for event in self.told(EventKind::GrantRevoked).into_values() {
            *told.entry(event.grant.unwrap().id).or_default() += 1;
        }
        let twice: Vec<_> = told.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "revoked twice: {twice:?}");
    }
}
