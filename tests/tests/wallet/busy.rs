//! Two apps in which much was done.

use alter_domain::{
    api::{ConnectionId, GrantId},
    model::{Connection, Grant, GrantPolicy, GrantSource, GrantState, Principal, ProviderConfig},
    repo::Connections,
};
use alter_tests::{ConnectionSpec, GrantSpec, TestAgent, TestApp};
use serde_json::json;

use crate::world::World;

/// Text that somebody hopes is taken for something else.
pub(crate) const HOSTILE: [&str; 6] = [
    "<img src=x onerror=alert(1)>",
    "\u{202e}gnp.exe pays \u{2066}you\u{2069}",
    "=HYPERLINK(\"https://evil.example\",\"click\")",
    "line one\r\nline two, with a comma and a \"quote\"",
    "&lt;b&gt; %3Cscript%3E {{7*7}} ${7*7}",
    "@SUM(A1)\t\u{0}null",
];

/// An agent's grant on somebody's connection.
pub(crate) async fn delegated(app: &TestApp, connection: ConnectionId, agent: &TestAgent) -> GrantId {
    let ports = app.vault.calm();
    let connections = Connections(ports.table.as_ref());
    let found = connections.get(app.id, connection).await.unwrap();
    let grant = Grant {
        id: ports.new_id().unwrap(),
        app_id: app.id,
        source: GrantSource::OAuth { connection_id: connection },
        credential_id: found.value.credential_id,
        provider_id: found.value.provider_id.clone(),
        principal: Principal::Agent { agent_id: agent.id },
        label: None,
        policy: GrantPolicy::default(),
        state: GrantState::Active,
        created_at: app.vault.now(),
    };
    let more = found.try_map(Connection::add_grant).unwrap();
    connections.add_grant(&more, &grant, None).await.unwrap();
    grant.id
}

/// Two apps in which Alice and Bob have something, and what was done with it.
pub(crate) struct Busy {
    pub(crate) world: World,
    pub(crate) other: TestApp,
    pub(crate) agent: TestAgent,
    /// Alice's own, on a managed secret of the first app; on her connection there; the agent's on it; in the other app.
    pub(crate) grants: [GrantId; 4],
    pub(crate) bobs: GrantId,
}

impl Busy {
    pub(crate) async fn new() -> Self {
        Self::of(World::new().await).await
    }

    pub(crate) async fn of(world: World) -> Self {
        let other = world.beside("Library").await;
        let agent = world.app.agent().await;
        let (here, there) = (world.secret(&world.app, "here").await, world.secret(&other, "there").await);
        let own = world.own(&world.app, &here, &world.alice).await;
        let elsewhere = world.own(&other, &there, &world.alice).await;
        let bobs = world.app.grant(&here, GrantSpec::of_user(world.bob.user, "bobs")).await;
        let toy = world.toy(&world.app).await;
        let (connection, connected) = connection(&world, &toy).await;
        let of_agent = delegated(&world.app, connection, &agent).await;
        let busy = Self { world, other, agent, grants: [own, connected, of_agent, elsewhere], bobs };
        busy.call_everything().await;
        busy
    }

    /// Calls by everybody with everything: some reach the provider, some are refused.
    pub(crate) async fn call_everything(&self) {
        let Self { world, other, agent, grants: [own, connected, of_agent, elsewhere], bobs } = self;
        let app = world.app.client();
        for (number, reason) in HOSTILE.into_iter().enumerate() {
            let call = |grant: &GrantId, path: &str| json!({ "method": "GET", "url": world.upstream.url(path), "grant_id": grant, "reason": reason });
            app.proxy(&call(own, &format!("/Notes/{number}"))).await.ok();
            app.proxy(&call(connected, "/calendar")).await.ok();
            agent.client().proxy(&call(of_agent, "/by-agent")).await.ok();
            other.client().proxy(&call(elsewhere, "/books")).await.ok();
            app.proxy(&call(bobs, "/bobs-secret-diary")).await.ok();
            world.app.vault.clock.advance(1200);
        }
        let elsewhere_to =
            json!({ "method": "GET", "url": "https://evil.example/", "grant_id": own, "reason": "no" });
        app.proxy(&elsewhere_to).await.refused(422, "blocked_destination");
        let elsewhere_to = json!({ "method": "POST", "url": "https://evil.example/", "grant_id": of_agent });
        agent.client().proxy(&elsewhere_to).await.refused(422, "blocked_destination");
    }
}

async fn connection(world: &World, toy: &ProviderConfig) -> (ConnectionId, GrantId) {
    let spec = ConnectionSpec {
        principal: Principal::User { user_id: world.alice.user },
        account: Some("alice@toy"),
        ..ConnectionSpec::new("access-of-alice", Some("refresh-0123456789"))
    };
    world.app.connect(toy, ConnectionSpec { expires_in: Some(86_400), ..spec }).await
}
