//! When the store or the provider fails half-way: all or nothing, and no token that nobody knows of.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
};

use alter_domain::{
    inject::CredentialFields, model::ConnectionState, oauth::one_line_pem, port::StoreError,
    repo::Connections, secret::Secret,
};
use alter_table_contract::{HarshOptions, HarshTable};
use alter_tests::{FaultTable, Setup};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    provider::definition,
    support::{Stage, path_of},
};

/// A stage whose store can be told to fail.
async fn fragile() -> (Stage, Arc<FaultTable>) {
    let seen: Arc<Mutex<Option<Arc<FaultTable>>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let setup = Setup::default().layer(move |inner| {
        let table = Arc::new(FaultTable::new(inner));
        *keep.lock().unwrap() = Some(Arc::clone(&table));
        table
    });
    let stage = Stage::with(setup, &[definition("toy")]).await;
    let table = seen.lock().unwrap().take().unwrap();
    (stage, table)
}

#[tokio::test]
async fn whatever_the_store_does_there_is_all_or_nothing() {
    let errors = [StoreError::Conflict, StoreError::Throttled, StoreError::Unavailable("planned".to_owned())];
    for error in errors {
        let mut k = 0;
        loop {
            k += 1;
            let (stage, table) = fragile().await;
            let session = stage.session(json!({})).await;
            let mut browser = stage.browser();
            let page = browser.open(&session).await;
            let back = path_of(&stage.provider.allow(&browser.start(&page, "toy").await, "alice"));
            table.arm(k, error.clone());
            let answer = browser.get(&back).await;
            let calls = table.seen();
            table.disarm();
            if stage.provider.exchanges().is_empty() {
                assert!(
                    [400, 409, 503].contains(&answer.status.as_u16()),
                    "{error} at {k}: {}",
                    answer.text()
                );
                stage.nothing_was_made().await;
                // Starting again works.
                let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
                browser.come_back(&back).await;
            }
            // Once the provider has given something, a single failure of the store costs nothing.
            assert_eq!(stage.provider.exchanges().len(), 1, "{error} at {k}");
            assert_eq!(stage.poll(&session).await["status"], "completed", "{error} at {k}");
            assert_eq!((stage.grants().await.len(), stage.connections("toy").await.len()), (1, 1));
            assert_eq!(stage.provider.revoked(), Vec::<String>::new());
            if calls < k {
                assert!(k > 5, "the store was asked {calls} times");
                break;
            }
        }
    }
}

/// Invented competitors, throttles, and writes that happen although their answer says otherwise.
#[tokio::test]
async fn in_a_storm_page_poll_and_store_agree() {
    let mut connected = 0;
    for seed in 1..=60 {
        let slot: Arc<Mutex<Option<Arc<HarshTable>>>> = Arc::default();
        let keep = Arc::clone(&slot);
        let setup = Setup::default().layer(move |inner| {
            let table = Arc::new(HarshTable::new(inner, HarshOptions { seed, ..HarshOptions::default() }));
            *keep.lock().unwrap() = Some(Arc::clone(&table));
            table
        });
        let stage = Stage::with(setup, &[definition("toy")]).await;
        let table = slot.lock().unwrap().take().unwrap();
        let session = stage.session(json!({})).await;
        let mut browser = stage.browser();
        let page = browser.open(&session).await;
        let back = path_of(&stage.provider.allow(&browser.start(&page, "toy").await, "alice"));
        table.set(|harsh| {
            (harsh.conflicts, harsh.throttles, harsh.lost_answers) = (300, 100, 300);
        });
        let answer = browser.get(&back).await;
        table.set(|harsh| (harsh.conflicts, harsh.throttles, harsh.lost_answers) = (0, 0, 0));
        let (grants, connections) = (stage.grants().await, stage.connections("toy").await);
        assert_eq!(grants.len(), connections.len(), "seed {seed}");
        assert!(grants.len() <= 1, "seed {seed}");
        let result = stage.poll(&session).await;
        if grants.is_empty() {
            assert_eq!(result["status"], "pending", "seed {seed}");
            assert_eq!(stage.provider.exchanges(), [], "seed {seed}: what the provider gave is lost");
            assert!(answer.status.as_u16() >= 400, "seed {seed}");
        } else {
            assert_eq!(result["grants"][0]["grant_id"], json!(grants[0].id), "seed {seed}");
            assert_eq!((stage.vault.work.take(), stage.provider.revoked()), (vec![], vec![]), "seed {seed}");
            connected += 1;
        }
    }
    assert!((10..60).contains(&connected), "{connected} of 60");
}

#[tokio::test]
async fn a_provider_without_a_browser_connects_at_once() {
    let mut robot = definition("robot");
    robot["flow"] = json!("jwt_bearer");
    robot.as_object_mut().unwrap().remove("authorization");
    robot["refresh"] = json!({ "kind": "assertion" });
    robot["token"]["auth"] = json!("none");
    robot["token"]["grant"] = json!({
        "algorithm": "ES256", "claims": { "iss": "{client_id}", "scope": "{scope}" }, "lifetime_seconds": 300
    });
    robot["account"] = json!(null);
    let stage = Stage::of(&[robot]).await;
    private_key(&stage, "robot").await;
    let session = stage.session(json!({ "allowed_providers": ["robot"] })).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    stage.provider.answer_next(200, json!({ "access_token": "minted-token", "expires_in": 3600 }));
    let answer = browser.press(&page, "start", &[("provider", "robot")]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    browser.visit(answer.header("location").unwrap()).await.shows("Connected to");
    let asked = stage.provider.exchanges().remove(0);
    assert_eq!(asked["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert!(stage.connections("robot").await[0].tokens.refreshable);
}

/// Puts a fresh private key in the place of the client's secret.
async fn private_key(stage: &Stage, provider: &str) {
    let rng = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let der = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let key = one_line_pem(&Secret::new(pem)).unwrap();
    let fields = CredentialFields::from_pairs([("private_key", key)], &[]).unwrap();
    let ports = stage.vault.calm();
    let configs = alter_domain::repo::ProviderConfigs(ports.table.as_ref());
    let config = configs.get(stage.app.id, provider).await.unwrap();
    let place = (config.value.secret.unwrap().credential_id, 1);
    let sealer = stage.vault.sealer();
    let sealed = sealer.seal_credential(&ports, stage.app.org, stage.app.id, place, &fields).await.unwrap();
    let write = alter_domain::repo::Credentials::overwrite(&sealed).unwrap();
    configs.update(&config, Some(write)).await.unwrap();
}

#[tokio::test]
async fn tokens_that_were_not_kept_have_a_receipt() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let one = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let two = stage.provider.allow(&browser.start(&page, "toy").await, "bob");
    browser.come_back(&one).await;
    browser.come_back(&two).await;
    stage.work().await;
    let told = stage
        .vault
        .audit
        .events()
        .into_iter()
        .rev()
        .find(|event| event.kind == alter_domain::model::EventKind::ConnectionRevokedAtProvider);
    let id = told.unwrap().detail["connection_id"].parse().unwrap();
    let ports = stage.vault.calm();
    let connection = Connections(ports.table.as_ref()).get(stage.app.id, id).await.unwrap().value;
    let ConnectionState::Revoked { receipt, .. } = connection.state else { panic!("not ended") };
    assert_eq!(receipt.as_str(), "revoked");
}

#[tokio::test]
async fn a_browser_that_hangs_up_loses_nothing() {
    let stage = Stage::new().await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let path = path_of(&back);
    {
        // As far as the exchange, and no further.
        let mut answer = Box::pin(browser.get(&path));
        while stage.provider.exchanges().is_empty() {
            assert!(
                poll_fn(|context| Poll::Ready(answer.as_mut().poll(context).is_pending())).await,
                "the answer came before the exchange"
            );
            tokio::task::yield_now().await;
        }
    }
    while stage.poll(&session).await["status"] == "pending" {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.poll(&session).await["status"], "completed");
    assert_eq!(stage.grants().await.len(), 1);
}

#[tokio::test]
async fn tokens_that_cannot_be_kept_make_nothing() {
    let stage = Stage::with(Setup::default(), &[definition("toy")]).await;
    let session = stage.session(json!({ "direct": true })).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    // No provider has tokens this short; the vault cannot look for them in replies.
    stage.provider.answer_next(200, json!({ "access_token": "short" }));
    browser.come_back(&back).await;
    let result = stage.poll(&session).await;
    assert_eq!(result["status"], "error", "{result}");
    assert_eq!(stage.grants().await, []);
    assert_eq!(stage.connections("toy").await, []);
}

#[tokio::test]
async fn tokens_that_no_call_could_use_are_ended_at_the_provider() {
    let mut toy = definition("toy");
    toy["variables"] =
        json!([{ "name": "tenant", "label": "Tenant", "source": "operator", "shape": "word" }]);
    // The operator has given no value, and only calls need it.
    toy["api"]["headers"] = json!({ "x-tenant": "{tenant}" });
    let stage = Stage::of(&[toy]).await;
    let session = stage.session(json!({ "direct": true })).await;
    stage.connect(&session, "alice").await;
    assert_eq!(stage.poll(&session).await["error"]["error_code"], "connect_config_error");
    assert_eq!(stage.grants().await, []);
    stage.work().await;
    assert_eq!(stage.provider.revoked().len(), 1);
}

#[tokio::test]
async fn a_visit_that_was_ended_meanwhile_makes_nothing_of_the_answer() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    browser.press(&page, "finish", &[]).await;
    let answer = browser.get(&path_of(&back)).await;
    assert_eq!(answer.status, 410);
    stage.nothing_was_made().await;
}

#[tokio::test]
async fn two_tabs_with_one_account_make_one_connection() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let one = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let two = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let mut other_tab = stage.browser();
    other_tab.cookies.clone_from(&browser.cookies);
    let (one, two) = (path_of(&one), path_of(&two));
    let (one, two) = tokio::join!(browser.get(&one), other_tab.get(&two));
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (303, 303));
    assert_eq!(stage.connections("toy").await.len(), 1);
    assert_eq!(stage.grants().await.len(), 1);
}

#[tokio::test]
async fn a_second_account_in_one_session_is_ended_at_the_provider() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let one = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let two = stage.provider.allow(&browser.start(&page, "toy").await, "bob");
    browser.come_back(&one).await;
    browser.come_back(&two).await.shows("Connected as <strong>alice");
    assert_eq!(stage.connections("toy").await.len(), 1);
    stage.work().await;
    assert_eq!(stage.provider.revoked().len(), 1);
    browser.press(&page, "finish", &[]).await;
    assert_eq!(stage.poll(&session).await["grants"][0]["account_identifier"], "alice");
}
