//! What must hold before the provider is reached, and what happens when it does not (B016 to B018, B013).

use std::sync::Arc;

use alter_domain::{
    inject::CredentialFields,
    keyspace,
    model::{OutcomeKind, Phase},
    port::{Item, Op, StoreError, TableName},
    repo::Credentials,
    secret::Secret,
};
use alter_tests::{
    Answer, FaultTable, GrantSpec, Mode, SecretSpec, Setup, TestApp, TestVault, Upstream, canary, find_in,
};
use serde_json::{Value, json};

use crate::{TOKEN, get};

struct World {
    app: TestApp,
    upstream: Upstream,
    call: Value,
    secret: alter_tests::TestSecret,
}

async fn world_in(vault: TestVault) -> World {
    let upstream = Upstream::echo().await;
    let app = vault.app().await;
    let (secret, grant) = app.bearer(TOKEN, upstream.host()).await;
    let call = get(&upstream.url("/"), grant);
    World { app, upstream, call, secret }
}

async fn world() -> World {
    world_in(TestVault::new().await).await
}

impl World {
    async fn call(&self) -> Answer {
        self.app.client().proxy(&self.call).await
    }

    #[track_caller]
    fn not_reached(&self) {
        assert_eq!(self.upstream.connections(), 0, "the provider was reached");
    }

    /// Removes an item from the store, behind the vault's back.
    async fn lose(&self, table: TableName, key: &alter_domain::port::Key) {
        let calm = self.app.vault.calm();
        assert!(calm.table.get(table, key).await.unwrap().is_some(), "there is nothing to lose");
        calm.table.delete(table, key, alter_domain::port::Expect::Any).await.unwrap();
    }
}

#[tokio::test]
async fn b016_without_a_durable_intent_the_provider_is_not_reached() {
    let world = world().await;
    world.app.vault.audit.refuse(|event| event.phase == Phase::Intent);
    let answer = world.call().await.refused(503, "audit_unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let stream =
        world.app.client().forward("GET", &world.upstream.url("/"), world.call["grant_id"].as_str().unwrap());
    stream.send().await.refused(503, "audit_unavailable");
    world.not_reached();
    // A refusal that cannot be recorded is no better.
    let mut denied = world.call.clone();
    denied["url"] = "https://evil.example/".into();
    world.app.vault.audit.refuse(|_| true);
    world.app.client().proxy(&denied).await.refused(503, "audit_unavailable");
    world.app.vault.audit.accept();
    world.call().await.ok();
    assert_eq!(world.upstream.hits(), 1);
}

#[tokio::test]
async fn b102_a_replayed_call_does_not_reach_the_provider_again() {
    let world = world().await;
    let call = || world.app.client().request("POST", "/sdk/proxy").json(&world.call).nonce(&"7".repeat(32));
    call().send().await.ok();
    call().send().await.refused(401, "nonce_replayed");
    let rows = world.app.vault.audit.calls();
    assert_eq!((world.upstream.hits(), rows.len()), (1, 2));
    let outcome = rows[1].outcome.as_ref().unwrap();
    assert_eq!((outcome.kind, outcome.code.as_deref()), (OutcomeKind::Denied, Some("nonce_replayed")));
}

#[tokio::test]
async fn an_outcome_that_cannot_be_recorded_is_tried_again_and_the_intent_tells_the_rest() {
    let world = world().await;
    let audit = &world.app.vault.audit;
    let left = Arc::new(std::sync::atomic::AtomicI64::new(1));
    let counter = Arc::clone(&left);
    audit.refuse(move |event| {
        event.phase == Phase::Final && counter.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) > 0
    });
    world.call().await.ok();
    assert_eq!(audit.calls()[0].phase, Phase::Final, "one failure is retried");
    audit.forget();
    audit.refuse(|event| event.phase == Phase::Final);
    world.call().await.ok();
    assert_eq!(audit.calls()[0].phase, Phase::Intent, "the row says what was attempted");
}

#[tokio::test]
async fn b017_a_missing_fact_denies() {
    // Each of the facts that the decision rests on, lost.
    let w = world().await;
    w.lose(TableName::Main, &keyspace::secret(w.secret.id)).await;
    w.call().await.refused(403, "grant_revoked");
    w.not_reached();

    let w = world().await;
    w.lose(TableName::Vault, &keyspace::credential(w.secret.credential_id)).await;
    w.call().await.refused(403, "grant_revoked");
    w.not_reached();

    let w = world().await;
    let grant = w.call["grant_id"].as_str().unwrap().parse().unwrap();
    w.lose(TableName::Main, &keyspace::grant(grant)).await;
    w.call().await.refused(404, "grant_not_found");
    w.not_reached();

    let w = world().await;
    w.lose(TableName::Main, &keyspace::api_key(w.app.key.public_part.as_str())).await;
    w.call().await.refused(401, "invalid_key");
    w.not_reached();

    let w = world().await;
    w.lose(TableName::Vault, &keyspace::signing_key(w.app.key.public_part.as_str())).await;
    w.app.client_by_id().proxy(&w.call).await.refused(401, "invalid_key");
    w.not_reached();

    // The agent that a grant is bound to.
    let w = world().await;
    let agent = w.app.agent().await;
    let bound = w.app.grant(&w.secret, GrantSpec::agent(&agent)).await;
    w.lose(TableName::Main, &keyspace::agent(agent.id)).await;
    agent.client().proxy(&get(&w.upstream.url("/"), bound)).await.refused(401, "invalid_key");
    w.not_reached();
}

#[tokio::test]
async fn b017_a_fact_that_does_not_read_denies() {
    let bodies: [&[u8]; 5] = [b"", b"\x01", b"\x01{}", b"\x02{}", b"\xff\xff\xff"];
    for body in bodies {
        for which in 0..4 {
            let w = world().await;
            let grant = w.call["grant_id"].as_str().unwrap().parse().unwrap();
            let (table, key) = match which {
                0 => (TableName::Main, keyspace::grant(grant)),
                1 => (TableName::Main, keyspace::secret(w.secret.id)),
                2 => (TableName::Vault, keyspace::credential(w.secret.credential_id)),
                _ => (TableName::Main, keyspace::api_key(w.app.key.public_part.as_str())),
            };
            w.app.vault.overwrite(table, Item::new(key, body.to_vec())).await;
            w.call().await.refused(500, "internal_error");
            w.not_reached();
        }
    }
}

#[tokio::test]
async fn b013_a_credential_that_was_changed_does_not_open() {
    let w = world().await;
    let key = keyspace::credential(w.secret.credential_id);
    let table = w.app.vault.calm().table;
    let item = table.get(TableName::Vault, &key).await.unwrap().unwrap();
    let text = String::from_utf8(item.body[1..].to_vec()).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let sealed = json["sealed"].as_str().unwrap().to_owned();
    // Every character of the sealed value, changed one at a time: the key that it carries, too. Trying again would not
    // help, so no answer says so; the key service is well.
    for position in (0..sealed.len()).step_by(7) {
        let mut changed = sealed.clone().into_bytes();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        let mut row = json.clone();
        row["sealed"] = String::from_utf8(changed).unwrap().into();
        let body = [&[1u8][..], row.to_string().as_bytes()].concat();
        w.app.vault.overwrite(TableName::Vault, Item::new(key.clone(), body)).await;
        w.call().await.refused(500, "internal_error");
        let restarted = TestApp { vault: w.app.vault.restarted(), ..w.app.clone() };
        restarted.client().proxy(&w.call).await.refused(500, "internal_error");
    }
    w.not_reached();
    let row = w.app.vault.audit.calls().pop().unwrap();
    assert_eq!((row.phase, row.outcome.unwrap().kind), (Phase::Final, OutcomeKind::VaultError));
}

#[tokio::test]
async fn a_key_service_that_is_down_is_a_503() {
    let w = world().await;
    w.app.vault.wrapper.set_down(true);
    // What is in memory still works; a process that has just started has nothing in memory.
    w.call().await.ok();
    let restarted = TestApp { vault: w.app.vault.restarted(), ..w.app.clone() };
    restarted.client().proxy(&w.call).await.refused(503, "key_service_unavailable");
    restarted
        .client_by_id()
        .post("/sdk/grants/list", &json!({ "limit": 1, "offset": 0 }))
        .await
        .refused(503, "key_service_unavailable");
    assert_eq!(w.upstream.hits(), 1);
    w.app.vault.wrapper.set_down(false);
    restarted.client().proxy(&w.call).await.ok();
}

/// Another key file than the one that wrapped: waiting does not mend that either.
#[tokio::test]
async fn a_vault_with_another_key_opens_nothing_and_says_500() {
    let (w, stranger) = (world().await, TestVault::new().await);
    let key = keyspace::credential(w.secret.credential_id);
    let theirs = stranger.sealer();
    let fields = CredentialFields::from_pairs([("token", Secret::new(TOKEN.to_owned()))], &[]).unwrap();
    let place = (w.secret.credential_id, 1);
    let sealed = theirs.seal_credential(&stranger.ports, w.app.org, w.app.id, place, &fields).await.unwrap();
    let Op::Put { item, .. } = Credentials::create(&sealed).unwrap() else { panic!("a put") };
    assert_eq!(item.key, key);
    w.app.vault.overwrite(TableName::Vault, item).await;
    w.call().await.refused(500, "internal_error");
    w.not_reached();
}

#[tokio::test]
async fn a_plaintext_data_key_is_not_used_for_more_than_five_minutes() {
    let w = world().await;
    w.call().await.ok();
    w.app.vault.wrapper.set_down(true);
    w.app.vault.clock.advance(300);
    w.call().await.refused(503, "key_service_unavailable");
    assert_eq!(w.upstream.hits(), 1);
}

#[tokio::test]
async fn b018_a_refusal_opens_no_credential() {
    let w = world().await;
    let vault = w.app.vault.restarted();
    let app = TestApp { vault: vault.clone(), ..w.app.clone() };
    let before = vault.wrapper.unwraps();
    let mut call = w.call.clone();
    call["url"] = "https://evil.example/".into();
    app.client().proxy(&call).await.refused(422, "blocked_destination");
    app.client()
        .request("POST", "/sdk/proxy")
        .json(&w.call)
        .constraints("grants:read")
        .send()
        .await
        .refused(403, "insufficient_scope");
    app.client()
        .request("POST", "/sdk/proxy")
        .json(&w.call)
        .skew(301)
        .send()
        .await
        .refused(401, "timestamp_out_of_range");
    assert_eq!(vault.wrapper.unwraps(), before, "a data key was opened for a call that was refused");
    w.not_reached();
}

/// Each storage call of a call fails once, in each mode and warmth.
#[tokio::test]
async fn a_storage_call_that_fails_denies_whichever_it_is() {
    for warm in [true, false] {
        for mode in [Mode::PlainKey, Mode::KeyId] {
            for by_provider in [false, true] {
                for error in [StoreError::Throttled, StoreError::Unavailable("told to".to_owned())] {
                    each_call_fails(warm, mode, by_provider, &error).await;
                }
            }
        }
    }
}

async fn each_call_fails(warm: bool, mode: Mode, by_provider: bool, error: &StoreError) {
    let faults: Arc<std::sync::OnceLock<Arc<FaultTable>>> = Arc::default();
    let slot = Arc::clone(&faults);
    let vault = Setup::default()
        .layer(move |table| {
            let table = Arc::new(FaultTable::new(table));
            assert!(slot.set(Arc::clone(&table)).is_ok());
            table
        })
        .build()
        .await;
    let faults = faults.get().unwrap();
    let token = canary("fault");
    let upstream = Upstream::echo().await;
    let app = vault.app().await;
    let secret = app.secret(SecretSpec::bearer("provider", &token, upstream.host())).await;
    let grant = app.grant(&secret, GrantSpec::group(&vault, "team")).await;
    let mut call = get(&upstream.url("/"), grant);
    if by_provider {
        call.as_object_mut().unwrap().remove("grant_id");
        call["provider_id"] = "provider".into();
    }
    let client = |cold: bool| {
        let vault = if cold { vault.restarted() } else { vault.clone() };
        TestApp { vault, ..app.clone() }.client_of(&app.key, mode)
    };
    client(false).proxy(&call).await.ok();
    faults.disarm();
    client(!warm).proxy(&call).await.ok();
    let calls = faults.seen();
    assert!(calls >= 2, "a read and a nonce at least, not {calls}");
    let reached = upstream.hits();
    for k in 1..=calls {
        faults.arm(k, error.clone());
        let answer = client(!warm).proxy(&call).await;
        let what = format!(
            "call {k} of {calls}, warm {warm}, {mode:?}, by provider {by_provider}: {}",
            answer.text()
        );
        assert_eq!(answer.status, 503, "{what}");
        assert!(["throttled", "store_unavailable"].contains(&answer.code().as_str()), "{what}");
        assert_eq!(find_in(&answer.everything(), &token), None, "{what}");
        assert_eq!(upstream.hits(), reached, "the provider was reached: {what}");
    }
    // One more would be the call after: nothing is left broken.
    faults.disarm();
    client(!warm).proxy(&call).await.ok();
    assert_eq!(upstream.hits(), reached + 1);
    let unfinished = vault.audit.calls().into_iter().filter(|row| row.phase != Phase::Final).count();
    assert_eq!(unfinished, 0, "each refusal after the intent has its final row");
}
