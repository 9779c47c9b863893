//! How much storage and key service a call costs before the provider is reached (architecture section 4).

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use alter_domain::port::NonceStore;
use alter_table_contract::{CountingTable, Counts};
use alter_tests::{
    AgentClient, AppClient, ConnectionSpec, GrantSpec, KeySpec, MemoryNonces, Mode, ScriptedClient,
    SecretSpec, Setup, TestApp, TestVault, json_reply, toy_provider,
};
use axum::body::Body;
use http::Response;
use serde_json::Value;

use crate::{TOKEN, get};

pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) table: Arc<CountingTable>,
    /// The counts when the provider was reached.
    at_provider: Arc<Mutex<Option<Counts>>>,
    pub(crate) keys: Arc<PublishedKeys>,
}

/// The keys of an identity provider, answered by script like the rest of the world.
#[derive(Default)]
pub(crate) struct PublishedKeys {
    pub(crate) jwks: Mutex<Value>,
    pub(crate) fetches: AtomicU64,
}

pub(crate) async fn world(nonces: Option<Arc<dyn NonceStore>>) -> World {
    let table: Arc<OnceLock<Arc<CountingTable>>> = Arc::default();
    let at_provider = Arc::new(Mutex::new(None));
    let keys: Arc<PublishedKeys> = Arc::default();
    let (slot, seen, counted) = (Arc::clone(&table), Arc::clone(&at_provider), Arc::clone(&table));
    let published = Arc::clone(&keys);
    let provider = ScriptedClient::new(move |request| {
        let answer = if request.target.ends_with("/jwks") {
            published.fetches.fetch_add(1, Ordering::SeqCst);
            json_reply(200, &published.jwks.lock().unwrap())
        } else {
            *seen.lock().unwrap() = Some(counted.get().unwrap().counts());
            Response::new(Body::empty())
        };
        async { Ok(answer) }
    });
    let setup = Setup::default().http(provider).layer(move |table| {
        let table = Arc::new(CountingTable::new(table));
        assert!(slot.set(Arc::clone(&table)).is_ok());
        table
    });
    let setup = match nonces {
        Some(nonces) => setup.nonces(nonces),
        None => setup,
    };
    let app = setup.build().await.app().await;
    let table = Arc::clone(table.get().unwrap());
    World { app, table, at_provider, keys }
}

impl World {
    /// What one call costs until the provider is reached, and in all.
    pub(crate) async fn cost(&self, call: impl Future<Output = alter_tests::Answer>) -> (Counts, Counts) {
        self.table.reset();
        *self.at_provider.lock().unwrap() = None;
        call.await.ok();
        let before = self.at_provider.lock().unwrap().expect("the provider was reached");
        (before, self.table.counts())
    }

    pub(crate) fn restarted(&self) -> TestApp {
        TestApp { vault: self.app.vault.restarted(), ..self.app.clone() }
    }
}

pub(crate) fn writes(counts: &Counts) -> u64 {
    counts.put + counts.put_many + counts.delete + counts.transact + counts.add
}

pub(crate) const URL: &str = "https://api.example.com/";

/// Nonces and intents have their own journal, as in the local binary: what is counted is reading.
#[tokio::test]
async fn a_warm_call_reads_once_and_a_cold_one_twice() {
    let world = world(Some(Arc::new(MemoryNonces::default()))).await;
    let secret = world.app.secret(SecretSpec::bearer("p", TOKEN, "api.example.com")).await;
    let agent = world.app.agent().await;
    let system = world.app.grant(&secret, GrantSpec::system()).await;
    let bound = world.app.grant(&secret, GrantSpec::agent(&agent)).await;
    for mode in [Mode::PlainKey, Mode::KeyId] {
        for by_agent in [false, true] {
            let app = world.restarted();
            let grant = if by_agent { bound } else { system };
            let agent = app.agent_again(&agent);
            let (one, other): (AppClient, AgentClient) = (app.client_of(&app.key, mode), agent.in_mode(mode));
            let call = || async {
                let call = get(URL, grant);
                if by_agent { other.proxy(&call).await } else { one.proxy(&call).await }
            };
            let unwraps = world.app.vault.wrapper.unwraps();
            let (cold, cold_all) = world.cost(call()).await;
            assert!(cold.rounds <= 2, "cold, {mode:?}, agent {by_agent}: {cold:?}");
            let opened = world.app.vault.wrapper.unwraps() - unwraps;
            // One data key for the credential; one for signatures, when the key itself did not come along.
            assert_eq!(opened, if mode == Mode::KeyId { 2 } else { 1 });
            let (warm, warm_all) = world.cost(call()).await;
            assert_eq!(
                (warm.rounds, warm.get_many, warm.calls()),
                (1, 1, 1),
                "warm, {mode:?}, agent {by_agent}: {warm:?}"
            );
            assert_eq!(
                world.app.vault.wrapper.unwraps() - unwraps,
                opened,
                "a warm call asks no key service"
            );
            for counts in [cold_all, warm_all] {
                assert_eq!(writes(&counts), 0, "the call path writes configuration: {counts:?}");
            }
        }
    }
}

/// A connection costs what a managed secret costs: as many rounds, and no key service when warm.
#[tokio::test]
async fn a_call_through_a_connection_costs_what_a_managed_secret_costs() {
    let world = world(Some(Arc::new(MemoryNonces::default()))).await;
    let config = world.app.provider(toy_provider("https://auth.example.com", "api.example.com")).await;
    let spec = ConnectionSpec::new("access-0123456789", Some("refresh-0123456789"));
    let (_, connected) = world.app.connect(&config, spec).await;
    let (_, plain) = world.app.bearer(TOKEN, "api.example.com").await;
    let mut costs = Vec::new();
    for grant in [connected, plain] {
        let app = world.restarted();
        let mut cost = Vec::new();
        for _ in 0..3 {
            let unwraps = world.app.vault.wrapper.unwraps();
            let (before, all) = world.cost(app.client().proxy(&get(URL, grant))).await;
            cost.push((
                before.rounds,
                before.calls(),
                writes(&all),
                world.app.vault.wrapper.unwraps() - unwraps,
            ));
        }
        costs.push(cost);
    }
    let [connected, plain] = costs.as_slice() else { unreachable!() };
    assert_eq!(connected, plain);
    assert_eq!(connected.as_slice(), [(2, 2, 0, 1), (1, 1, 0, 0), (1, 1, 0, 0)]);
}

/// With nonces in the table, as on AWS, the nonce's write is the only one, and it runs beside the intent.
#[tokio::test]
async fn with_nonces_in_the_table_a_call_writes_one_of_them_and_nothing_else() {
    let world = world(None).await;
    let (_, grant) = world.app.bearer(TOKEN, "api.example.com").await;
    let (cold, _) = world.cost(world.app.client().proxy(&get(URL, grant))).await;
    assert!(cold.rounds <= 3, "{cold:?}");
    let (warm, all) = world.cost(world.app.client().proxy(&get(URL, grant))).await;
    assert_eq!((warm.rounds, warm.calls()), (2, 2), "{warm:?}");
    assert_eq!((all.put, writes(&all), all.calls()), (1, 1, 2), "{all:?}");
}

#[tokio::test]
async fn a_stream_costs_what_a_call_costs() {
    let world = world(Some(Arc::new(MemoryNonces::default()))).await;
    let (_, grant) = world.app.bearer(TOKEN, "api.example.com").await;
    let forward = |app: &TestApp| app.client().forward("GET", URL, grant).open();
    let app = world.restarted();
    for rounds in [2, 1, 1] {
        world.table.reset();
        let answer = forward(&app).await;
        assert_eq!(answer.status(), 200);
        let before = world.at_provider.lock().unwrap().expect("the provider was reached");
        assert_eq!(before.rounds, rounds, "{before:?}");
        assert_eq!(writes(&world.table.counts()), 0);
    }
}

/// A call by provider has to look the grant up; it must not read the whole app for that.
#[tokio::test]
async fn a_call_by_provider_has_a_bounded_number_of_rounds() {
    let world = world(Some(Arc::new(MemoryNonces::default()))).await;
    let secret = world.app.secret(SecretSpec::bearer("p", TOKEN, "api.example.com")).await;
    world.app.grant(&secret, GrantSpec::group(&world.app.vault, "team")).await;
    let call = serde_json::json!({ "method": "GET", "url": URL, "provider_id": "p" });
    world.cost(world.app.client().proxy(&call)).await;
    let (few, _) = world.cost(world.app.client().proxy(&call)).await;
    let other = world.app.secret(SecretSpec::bearer("q", TOKEN, "api.example.com")).await;
    for _ in 0..50 {
        world.app.grant(&other, GrantSpec::system()).await;
    }
    let (many, _) = world.cost(world.app.client().proxy(&call)).await;
    assert_eq!(few.calls(), many.calls(), "the cost grows with grants that have nothing to do with the call");
    assert!(many.rounds <= 7, "{many:?}");
}

#[tokio::test]
async fn a_second_vault_in_the_same_process_is_cold() {
    let vault = TestVault::new().await;
    let app = vault.app().await;
    let before = vault.wrapper.unwraps();
    let restarted = TestApp { vault: vault.restarted(), ..app };
    restarted
        .client_by_id()
        .post("/sdk/grants/list", &serde_json::json!({ "limit": 1, "offset": 0 }))
        .await
        .ok();
    assert_eq!(vault.wrapper.unwraps(), before + 1);
}

/// Whoever seals may not open (docs/adr/0008-no-key-ring.md): for five minutes it makes one data key for each purpose.
#[tokio::test]
async fn sealing_makes_data_keys_and_opens_none_however_cold() {
    let vault = TestVault::new().await;
    let first = vault.app().await;
    first.bearer(TOKEN, "api.example.com").await;
    let made = vault.wrapper.made();
    assert_eq!(made, 2);
    for round in 1..=3 {
        let app = TestApp { vault: vault.restarted(), ..first.clone() };
        for _ in 0..5 {
            app.key(KeySpec::default()).await;
        }
        for name in ["a", "b", "c"] {
            let name = format!("{name}{round}").leak();
            app.secret(SecretSpec::bearer(name, TOKEN, "api.example.com")).await;
        }
        assert_eq!((vault.wrapper.made(), vault.wrapper.unwraps()), (made + 2 * round, 0));
    }
}
