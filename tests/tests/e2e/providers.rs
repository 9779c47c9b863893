//! OAuth providers as operators set them up, and what grants on connections look like to operators and to apps (B100, B121).

use alter_domain::{
    api::GrantId,
    flow::provider_usage,
    model::{Connection, ConnectionState, Permission},
    repo::{Connections, ProviderConfigs, Stored},
};
use alter_tests::{
    Answer, ConnectionSpec, Operator, Setup, TestApp, TestVault, Upstream, canary, find_canary, find_in,
    find_in_dir, logged, reply, toy_provider,
};
use serde_json::{Value, json};

use crate::get;

const ACCESS: &str = "access-0123456789";
const REFRESH: &str = "refresh-0123456789";

struct World {
    upstream: Upstream,
    app: TestApp,
    admin: Operator,
    /// Of the app's toy provider.
    path: String,
}

impl World {
    async fn new() -> Self {
        let upstream = Upstream::serving(|_| async { reply(200, "notes") }).await;
        let app = TestVault::new().await.app().await;
        let admin = app.vault.operator(app.org, Permission::Admin).await;
        let definition = definition(&upstream);
        let body = json!({ "definition": definition, "client_id": "client", "client_secret": "s3cret-of-the-client" });
        admin.create(&format!("/portal/v1/apps/{}/providers", app.id), &body).await;
        let path = format!("/portal/v1/apps/{}/providers/toy", app.id);
        Self { upstream, app, admin, path }
    }

    async fn connect(&self, account: &'static str) -> GrantId {
        let ports = self.app.vault.calm();
        let config = ProviderConfigs(ports.table.as_ref()).get(self.app.id, "toy").await;
        self.app.vault.clock.advance(1);
        let spec = ConnectionSpec { account: Some(account), ..ConnectionSpec::new(ACCESS, Some(REFRESH)) };
        self.app.connect(&config.unwrap().value, spec).await.1
    }

    async fn patch(&self, change: Value) -> Value {
        self.admin.send("PATCH", &self.path, Some(&change)).await.ok()
    }

    async fn delete(&self, how: &str) -> Answer {
        self.admin.send("DELETE", &format!("{}{how}", self.path), None).await
    }

    async fn switch(&self, to: &str) -> Value {
        self.admin.send("POST", &format!("{}/{to}", self.path), None).await.ok()
    }

    async fn provider(&self) -> Value {
        self.admin.get(&self.path).await.ok()
    }

    /// The grant as the portal and as the app's list show it.
    async fn shown(&self, grant: GrantId) -> (Value, Value) {
        let portal = self.admin.get(&format!("/portal/v1/apps/{}/grants/{grant}", self.app.id)).await.ok();
        let listed = self.list(json!({})).await;
        let items = listed["grants"].as_array().unwrap();
        let item = items.iter().find(|item| item["grant_id"] == grant.to_string()).unwrap();
        (portal, item.clone())
    }

    async fn list(&self, mut query: Value) -> Value {
        query["limit"] = 100.into();
        query["offset"] = 0.into();
        self.app.client().post("/sdk/grants/list", &query).await.ok()
    }

    async fn call(&self, grant: GrantId) -> Answer {
        let url = format!("http://{}/notes", self.upstream.addr);
        self.app.client().proxy(&get(&url, grant)).await
    }
}

fn definition(upstream: &Upstream) -> Value {
    let mut definition = toy_provider(&format!("http://{}", upstream.addr), &upstream.host());
    definition["monogram"] = "T".into();
    definition["evidence"]["sources"] = json!(["https://example.com/docs"]);
    definition["api"]["base_url"] = format!("http://{}/v2", upstream.addr).into();
    definition
}

#[tokio::test]
async fn b100_a_scope_that_is_required_later_flags_the_grants_that_lack_it() {
    let world = World::new().await;
    let grant = world.connect("ada@example.com").await;
    let (portal, item) = world.shown(grant).await;
    assert_eq!(
        (&portal["connection"]["scope_mismatch"], &item["scope_mismatch"]),
        (&json!(false), &json!(false))
    );
    let scopes = json!({ "allowed": ["notes:read", "notes:write"], "required": ["notes:write"] });
    let patched = world.patch(json!({ "scopes": scopes })).await;
    assert_eq!(
        (&patched["usage"]["live_grants"], &patched["usage"]["scope_mismatches"]),
        (&json!(1), &json!(1))
    );
    let (portal, item) = world.shown(grant).await;
    assert_eq!(portal["connection"]["missing_scopes"], json!(["notes:write"]));
    assert_eq!(item["scope_mismatch"], true);
    // It is a flag: what was granted goes on working.
    world.call(grant).await.ok();
    let back = world.patch(json!({ "scopes": { "required": [] } })).await;
    assert_eq!(back["usage"]["scope_mismatches"], 0);
}

#[tokio::test]
async fn a_grant_on_a_connection_is_listed_with_all_that_clients_read() {
    let world = World::new().await;
    let grant = world.connect("ada@example.com").await;
    let (portal, item) = world.shown(grant).await;
    assert_eq!((&portal["kind"], &portal["secret_id"]), (&json!("oauth"), &Value::Null));
    assert_eq!(portal["connection"]["account_identifier"], "ada@example.com");
    assert_eq!(portal["connection"]["provider_revocation"], Value::Null);
    let in_an_hour = world.app.vault.now() + jiff::SignedDuration::from_hours(1);
    for (name, value) in [
        ("grant_kind", json!("oauth")),
        ("provider_id", json!("toy")),
        ("status", json!("active")),
        ("principal_type", json!("system")),
        ("access_via", json!("ownership")),
        ("scopes", json!(["notes:read"])),
        ("account_identifier", json!("ada@example.com")),
        ("account_display_name", Value::Null),
        ("label", Value::Null),
        ("parent_grant_id", Value::Null),
        ("api_base_url", json!(format!("http://{}", world.upstream.addr))),
        ("expires_at", json!(in_an_hour)),
        ("grant_expires_at", Value::Null),
        ("delegated_at", Value::Null),
        ("scope_mismatch", json!(false)),
        ("needs_reconnect", json!(false)),
        ("delegable", json!(false)),
        ("delegated_agent_ids", json!([])),
        ("depth", json!(0)),
        ("scope_constraint", Value::Null),
    ] {
        assert_eq!(item[name], value, "{name}");
    }
    assert!(
        item["credential_id"].is_string()
            && item["created_at"].is_string()
            && item["grant_policy"].is_object()
    );
}

#[tokio::test]
async fn grants_are_found_by_account() {
    let world = World::new().await;
    let (ada, bob) = (world.connect("ada@example.com").await, world.connect("bob@example.com").await);
    world.app.vault.clock.advance(1);
    let (_, secret) = world.app.bearer(crate::TOKEN, world.upstream.host()).await;
    let ids = async |query: Value| -> Vec<String> {
        let listed = world.list(query).await;
        let grants = listed["grants"].as_array().unwrap();
        assert_eq!(listed["total"], grants.len());
        grants.iter().map(|grant| grant["grant_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(json!({})).await, [secret.to_string(), bob.to_string(), ada.to_string()]);
    assert_eq!(ids(json!({ "account": "ada@example.com" })).await, [ada.to_string()]);
    assert_eq!(ids(json!({ "account": "bob@example.com", "provider_id": "toy" })).await, [bob.to_string()]);
    assert!(ids(json!({ "account": "bob@example.com", "provider_id": "other" })).await.is_empty());
    assert!(ids(json!({ "account": "carol@example.com" })).await.is_empty());
}

#[tokio::test]
async fn a_broken_connection_asks_to_be_connected_again() {
    let world = World::new().await;
    let grant = world.connect("ada@example.com").await;
    let (portal, _) = world.shown(grant).await;
    let id = portal["connection_id"].as_str().unwrap().parse().unwrap();
    let found = world.app.connection(id).await;
    let state = ConnectionState::Broken { at: world.app.vault.now(), code: "invalid_grant".to_owned() };
    let broken = Stored { value: Connection { state, ..found.value }, version: found.version };
    let ports = world.app.vault.calm();
    Connections(ports.table.as_ref()).update(&broken, None).await.unwrap();
    let (portal, item) = world.shown(grant).await;
    assert_eq!(
        (&portal["connection"]["needs_reconnect"], &item["needs_reconnect"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(world.provider().await["usage"]["need_reconnect"], 1);
}

#[tokio::test]
async fn counting_ends_somewhere_and_says_so() {
    let world = World::new().await;
    for account in ["ada@example.com", "bob@example.com", "carol@example.com"] {
        world.connect(account).await;
    }
    let ports = world.app.vault.calm();
    let config = ProviderConfigs(ports.table.as_ref()).get(world.app.id, "toy").await.unwrap().value;
    let counted = async |limit| {
        let usage = provider_usage(&ports, &config, limit).await.unwrap();
        (usage.live_grants, usage.truncated)
    };
    assert_eq!((counted(2).await, counted(3).await), ((2, true), (3, false)));
}

#[tokio::test]
async fn disabling_acts_on_the_next_call_and_enabling_too() {
    let world = World::new().await;
    let grant = world.connect("ada@example.com").await;
    world.call(grant).await.ok();
    let disabled = world.switch("disable").await;
    assert_eq!(disabled["status"], "disabled");
    world.call(grant).await.refused(403, "provider_disabled");
    world.switch("enable").await;
    world.call(grant).await.ok();
}

#[tokio::test]
async fn a_provider_goes_once_its_grants_are_gone_and_the_provider_knows() {
    let world = World::new().await;
    let (ada, bob) = (world.connect("ada@example.com").await, world.connect("bob@example.com").await);
    assert_eq!(world.provider().await["usage"]["live_grants"], 2);
    world.delete("").await.refused(409, "provider_in_use");
    world.call(ada).await.ok();
    // Forced: the grants end at once; the registration stays until the provider was told, which takes it.
    world.delete("?force=true").await.refused(409, "revocations_pending");
    for grant in [ada, bob] {
        world.call(grant).await.refused(403, "grant_revoked");
    }
    let left = world.provider().await;
    assert_eq!(left["status"], "disabled");
    assert_eq!(
        (&left["usage"]["live_grants"], &left["usage"]["pending_revocations"]),
        (&json!(0), &json!(2))
    );
    assert_eq!(world.shown(ada).await.0["connection"]["provider_revocation"]["status"], "pending");
    for work in world.app.vault.work.take() {
        world.app.vault.revoker().run(work).await.unwrap();
    }
    let receipt = world.shown(ada).await.0["connection"]["provider_revocation"].clone();
    assert_eq!(receipt["status"], "revoked");
    assert!(receipt["at"].is_string());
    world.delete("").await.ok();
    world.admin.get(&world.path).await.refused(404, "provider_not_found");
}

#[tokio::test]
async fn revocations_that_nobody_waits_for_can_be_given_up() {
    let world = World::new().await;
    let grant = world.connect("ada@example.com").await;
    world.delete("?force=true&abandon_revocations=true").await.ok();
    world.call(grant).await.refused(403, "grant_revoked");
    for work in world.app.vault.work.take() {
        world.app.vault.revoker().run(work).await.unwrap();
    }
    let receipt = world.shown(grant).await.0["connection"]["provider_revocation"].clone();
    assert_eq!(receipt["status"], "failed", "and it says so: {receipt}");
    assert!(receipt["reason"].is_string());
    assert_eq!(world.upstream.to("/revoke"), 0);
}

#[tokio::test]
async fn a_client_secret_stays_with_the_hosts_that_it_was_given_for() {
    let world = World::new().await;
    let patched = async |pointer: &str, value: &str| {
        let mut definition = definition(&world.upstream);
        *definition.pointer_mut(pointer).unwrap() = value.into();
        world.admin.send("PATCH", &world.path, Some(&json!({ "definition": definition }))).await
    };
    for pointer in ["/token/url", "/revocation/url"] {
        patched(pointer, "https://elsewhere.example.com/token").await.refused(409, "client_secret_bound");
    }
    patched("/token/url", &world.upstream.url("/other/token")).await.ok();
}

#[tokio::test]
async fn tokens_stay_with_the_client_and_the_hosts_that_they_are_for() {
    let world = World::new().await;
    let mut public = definition(&world.upstream);
    public["id"] = "public".into();
    public["token"]["auth"] = "none".into();
    let providers = format!("/portal/v1/apps/{}/providers", world.app.id);
    world.admin.create(&providers, &json!({ "definition": public, "client_id": "client" })).await;
    let ports = world.app.vault.calm();
    let config = ProviderConfigs(ports.table.as_ref()).get(world.app.id, "public").await.unwrap().value;
    let (_, grant) = world.app.connect(&config, ConnectionSpec::new(ACCESS, Some(REFRESH))).await;
    let mut moved = public.clone();
    moved["token"]["url"] = "https://elsewhere.example.com/token".into();
    let path = format!("{providers}/public");
    let patch = async |change: Value| world.admin.send("PATCH", &path, Some(&change)).await;
    let (moved, other) = (json!({ "definition": moved }), json!({ "client_id": "another" }));
    for change in [&moved, &other] {
        patch(change.clone()).await.refused(409, "provider_in_use");
    }
    patch(json!({ "client_id": "client" })).await.ok();
    world.app.client().post(&format!("/sdk/oauth/grants/{grant}/revoke"), &json!({})).await.ok();
    patch(other.clone()).await.refused(409, "provider_in_use");
    for work in world.app.vault.work.take() {
        world.app.vault.revoker().run(work).await.unwrap();
    }
    for change in [moved, other] {
        patch(change).await.ok();
    }
}

/// The secret of a client: in no answer, no log line, no audit row, and nowhere on the disk in clear.
#[tokio::test]
async fn a_client_secret_is_never_seen_again() {
    logged();
    let app = Setup::default().files().build().await.app().await;
    let admin = app.vault.operator(app.org, Permission::Admin).await;
    let definition = definition(&Upstream::silent().await);
    let providers = format!("/portal/v1/apps/{}/providers", app.id);
    let path = format!("{providers}/toy");
    let secret = format!("{path}/client-secret");
    let mut seen = Vec::new();
    let mut keep = |status: u16, answer: Answer| {
        assert_eq!(answer.status, status, "{}", answer.text());
        seen.extend(answer.everything());
    };
    let (first, second) = (canary("first"), canary("second"));
    let add =
        |secret: &Value| json!({ "definition": definition, "client_id": "client", "client_secret": secret });
    for (status, bad) in
        [(400, json!({ "x": first })), (400, json!([first])), (422, json!(format!("{first}\n")))]
    {
        keep(status, admin.post(&providers, &add(&bad)).await);
    }
    keep(201, admin.post(&providers, &add(&json!(first))).await);
    for (status, body) in [
        (400, json!({ "client_secret": { "x": second } })),
        (400, json!({ "secret": second })),
        (400, json!(second)),
        (422, json!({ "private_key": second })),
        (422, json!({ "client_secret": second, "private_key": second })),
        (422, json!({ "client_secret": format!("{second}\n") })),
        (200, json!({ "client_secret": second })),
    ] {
        keep(status, admin.send("PUT", &secret, Some(&body)).await);
    }
    for read in [&providers, &path, &format!("/portal/v1/apps/{}/audit", app.id)] {
        keep(200, admin.get(read).await);
    }
    let events = app.vault.audit.events();
    let rows: Vec<u8> = events.iter().flat_map(|event| event.encode().unwrap().0.to_vec()).collect();
    assert_eq!(find_canary(&seen), None, "came out");
    assert_eq!(find_canary(logged().as_bytes()), None, "in the log");
    assert_eq!(find_canary(&rows), None, "in an audit row");
    assert_eq!(find_in_dir(app.vault.dir(), &find_canary), None, "on the disk");
    // The search finds what is there.
    let name = |bytes: &[u8]| find_in(bytes, "example.com/docs");
    assert!(name(&seen).is_some() && find_in_dir(app.vault.dir(), &name).is_some());
}
