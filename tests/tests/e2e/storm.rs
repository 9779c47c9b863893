//! Bad weather: a store that throttles, loses answers, invents competitors and lags behind, under a story of calls and
//! revokes. Whatever is answered stays true.

use std::{collections::BTreeMap, sync::Arc};

use alter_domain::{
    api::GrantId,
    model::{OutcomeKind, Phase},
    port::{Rng as _, SeededRng},
};
use alter_table_contract::{HarshOptions, HarshTable};
use alter_tests::{GrantSpec, Mode, SecretSpec, Setup, TestApp, Upstream};
use serde_json::{Value, json};

use crate::{TOKEN, get};

/// What the callers were told.
#[derive(Default)]
struct Told {
    calls: u64,
    revoked: BTreeMap<GrantId, bool>,
    rows: Vec<String>,
}

#[tokio::test]
async fn b002_b015_what_was_acknowledged_holds_in_any_weather() {
    for seed in 1..=4 {
        let harsh = HarshOptions { seed, max_page: 3, ..HarshOptions::default() };
        let slot: Arc<std::sync::OnceLock<Arc<HarshTable>>> = Arc::default();
        let keep = Arc::clone(&slot);
        let layer = move |table| {
            let table = Arc::new(HarshTable::new(table, harsh));
            assert!(keep.set(Arc::clone(&table)).is_ok());
            table
        };
        let vault = Setup::default().layer(layer).build().await;
        let (app, upstream) = (vault.app().await, Upstream::silent().await);
        let secret = app.secret(SecretSpec::bearer("p", TOKEN, upstream.host())).await;
        let mut told = Told::default();
        for _ in 0..8 {
            told.revoked.insert(app.grant(&secret, GrantSpec::system()).await, false);
        }
        slot.get().unwrap().set(|harsh| {
            (harsh.throttles, harsh.lost_answers, harsh.conflicts, harsh.stale_writes) = (60, 60, 60, 3);
        });
        let rng = SeededRng::new(seed);
        let random = |below: u64| {
            let mut bytes = [0; 8];
            rng.fill(&mut bytes).unwrap();
            u64::from_le_bytes(bytes) % below
        };
        for step in 0..150 {
            let grant = *told.revoked.keys().nth(random(8) as usize).unwrap();
            let cold = random(4) == 0;
            let app = if cold { TestApp { vault: vault.restarted(), ..app.clone() } } else { app.clone() };
            let mode = if random(2) == 0 { Mode::PlainKey } else { Mode::KeyId };
            if random(12) == 0 {
                revoke(&app, grant, &mut told).await;
            } else {
                call(&app, mode, &upstream, grant, &mut told).await;
            }
            if step % 10 == 0 {
                vault.clock.advance(1);
            }
        }
        slot.get().unwrap().set(|harsh| *harsh = HarshOptions::default());
        settle(&app, &upstream, &told).await;
    }
}

async fn call(app: &TestApp, mode: Mode, upstream: &Upstream, grant: GrantId, told: &mut Told) {
    let before = upstream.hits();
    let answer = app.client_of(&app.key, mode).proxy(&get(&upstream.url("/"), grant)).await;
    let revoked = told.revoked[&grant];
    match (answer.status.as_u16(), answer.code().as_str()) {
        (200, _) => {
            assert!(!revoked, "a call passed after its grant's revoke was acknowledged");
            told.calls += 1;
            told.rows.push(answer.json()["call_id"].as_str().unwrap().to_owned());
            assert_eq!(upstream.hits(), before + 1);
        }
        // A revoke whose answer was lost may have happened.
        (403, "grant_revoked") | (503, "throttled" | "store_unavailable") => {
            assert_eq!(upstream.hits(), before);
        }
        // An invented competitor for a fresh nonce looks like a replay.
        (401, "nonce_replayed") => assert_eq!(upstream.hits(), before),
        other => panic!("{other:?}: {}", answer.text()),
    }
}

async fn revoke(app: &TestApp, grant: GrantId, told: &mut Told) {
    let answer = app.client().post(&format!("/sdk/oauth/grants/{grant}/revoke"), &json!({})).await;
    match (answer.status.as_u16(), answer.code().as_str()) {
        (200, _) => {
            assert!(!told.revoked.insert(grant, true).unwrap(), "revoked twice");
        }
        (404, "grant_not_found") => {
            // It is revoked: by an acknowledged revoke, or by one whose answer was lost.
            told.revoked.insert(grant, true);
        }
        (503, "throttled" | "store_unavailable") | (401, "nonce_replayed") => {}
        other => panic!("{other:?}: {}", answer.text()),
    }
}

/// In calm weather: the record is whole, and says what the callers were told.
async fn settle(app: &TestApp, upstream: &Upstream, told: &Told) {
    assert!(told.calls > 10, "the storm let only {} calls pass", told.calls);
    assert_eq!(upstream.hits(), told.calls);
    for (grant, revoked) in told.revoked.iter().filter(|(_, revoked)| **revoked) {
        assert!(revoked);
        let answer = app.client().proxy(&get(&upstream.url("/"), *grant)).await;
        answer.refused(403, "grant_revoked");
    }
    let rows = app.vault.audit.calls();
    let reached: Vec<_> =
        rows.iter().filter(|row| row.outcome.as_ref().is_some_and(|o| o.status.is_some())).collect();
    assert_eq!(reached.len() as u64, told.calls);
    assert!(reached.iter().all(|row| row.outcome.as_ref().unwrap().kind == OutcomeKind::Success));
    assert!(rows.iter().all(|row| row.phase == Phase::Final), "a call has no final row");
    app.vault.clock.advance(5);
    let lines = app.client().get("/v1/audit/export?format=jsonl&event=call&outcome=success").await.text();
    let mut listed: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    let mut rows = told.rows.clone();
    listed.sort();
    rows.sort();
    assert_eq!(listed, rows);
}
