//! Storage that does what production may do: short and empty pages, lost races, throttles, answers that never came.

use std::sync::Arc;

use alter_adapter_local::SqliteTable;
use alter_domain::{
    port::Table,
    repo::{Credentials, ManagedSecrets},
};
use alter_table_contract::{HarshOptions, HarshTable};
use serde_json::{Value, json};

use crate::{
    audit::live,
    support::{CANARY, Vault},
};

fn harsh(seed: u64) -> (Vault, Arc<HarshTable>) {
    let inner: Arc<dyn Table> = Arc::new(SqliteTable::memory().unwrap());
    let table =
        Arc::new(HarshTable::new(Arc::clone(&inner), HarshOptions { seed, ..HarshOptions::default() }));
    (Vault::over(Arc::clone(&table) as _, inner), table)
}

/// All items of a list, over as many pages as it takes.
async fn all(vault: &Vault, list: &str) -> Vec<Value> {
    let (mut items, mut query) = (Vec::new(), String::new());
    loop {
        let page = vault.admin().get(&format!("{list}{query}")).await.expect(200).json();
        items.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => query = format!("?cursor={next}"),
            None => return items,
        }
    }
}

#[tokio::test]
async fn short_and_empty_pages_hide_nothing() {
    for seed in 0..10 {
        let (vault, _) = harsh(seed);
        let vault = vault.set_up().await;
        let app = live(&vault).await;
        let count = async |list: &str| all(&vault, &format!("/apps/{app}/{list}")).await.len();
        assert_eq!((count("keys").await, count("agents").await, count("grants").await), (3, 1, 2));
        assert_eq!(all(&vault, "/tokens").await.len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_left_half_written() {
    let mut refused = 0;
    for seed in 0..20 {
        let (vault, table) = harsh(seed);
        let vault = vault.set_up().await;
        let admin = vault.admin();
        let app = vault.app("Demo").await;
        let at = |path: &str| format!("/apps/{app}{path}");
        let key = admin.post(&at("/keys"), json!({"name": "k"})).await.expect(201).text_at("key.key_id");
        let body = json!({"template": "stripe", "fields": {"token": CANARY}, "grant": {"principal": {"type": "system"}}});
        admin.post(&at("/secrets"), body.clone()).await.expect(201);
        table.set(|options| {
            (options.conflicts, options.throttles, options.lost_answers) = (200, 100, 100);
        });
        for _ in 0..5 {
            let answers = [
                admin.post(&at("/secrets"), body.clone()).await,
                admin.post(&at(&format!("/keys/{key}/rotate")), json!({})).await,
                admin.post(&at("/agents"), json!({"name": "bot"})).await,
            ];
            for answer in answers {
                assert!(matches!(answer.status, 200 | 201 | 409 | 503), "{}", answer.text);
                refused += u32::from(answer.status >= 400);
            }
        }
        table.set(|options| (options.conflicts, options.throttles, options.lost_answers) = (0, 0, 0));

        // Each secret that is there has a value and its one grant, whatever its creator was told.
        let secrets = all(&vault, &at("/secrets")).await;
        let store = vault.ports.table.as_ref();
        for secret in &secrets {
            let id = secret["secret_id"].as_str().unwrap().parse().unwrap();
            let stored = ManagedSecrets(store).get(app, id).await.unwrap().value;
            assert!(Credentials(store).get(app, stored.credential_id).await.is_ok());
        }
        assert_eq!(all(&vault, &at("/grants")).await.len(), secrets.len());
        // The key was rotated once or never, and its successor is there.
        let keys = all(&vault, &at("/keys")).await;
        let next =
            keys.iter().find(|found| found["key_id"] == key.as_str()).unwrap()["successor_key_id"].clone();
        assert_eq!(keys.len(), if next.is_null() { 1 } else { 2 });
        assert!(next.is_null() || keys.iter().any(|found| found["key_id"] == next));
        assert!(all(&vault, &at("/agents")).await.len() <= 1);
    }
    assert!(refused > 50, "the weather was too calm: {refused}");
}
