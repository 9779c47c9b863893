//! Two at once: one wins, nothing is done by halves.

use std::collections::BTreeSet;

use alter_domain::{
    Error,
    flow::install,
    repo::{Credentials, ManagedSecrets, Orgs, ProviderConfigs},
};
use futures_util::future::join_all;
use serde_json::json;
use tokio::join;

use crate::support::{CANARY, Vault, column, plain, toy};

#[tokio::test]
async fn of_two_installations_one_wins() {
    let vault = Vault::empty();
    let (one, two) =
        join!(install(&vault.ports, "One", |_| Ok(())), install(&vault.ports, "Two", |_| Ok(())));
    let mut installed: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
    assert_eq!(installed.len(), 1);
    let winner = installed.remove(0);
    assert_eq!(Orgs(vault.ports.table.as_ref()).installed().await, Ok(Some(winner.org_id)));
    let me = vault.client(&plain(&winner.token)).get("/me").await.expect(200);
    assert_eq!(me.text_at("token.permission"), "admin");
    assert_eq!(install(&vault.ports, "Three", |_| Ok(())).await.unwrap().map(|late| late.org_id), None);
}

#[tokio::test]
async fn a_token_that_could_not_be_kept_is_not_installed() {
    let vault = Vault::empty();
    let failed = install(&vault.ports, "Acme", |_| Err(Error::Internal("disk full".to_owned()))).await;
    assert_eq!(failed.map(|_| ()), Err(Error::Internal("disk full".to_owned())));
    assert!(install(&vault.ports, "Acme", |_| Ok(())).await.unwrap().is_some());
}

#[tokio::test]
async fn of_two_rotations_one_wins() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let keys = format!("/apps/{}/keys", vault.app("Demo").await);
    let key = admin.post(&keys, json!({"name": "k"})).await.text_at("key.key_id");
    let path = format!("{keys}/{key}/rotate");
    let (one, two) = join!(admin.post(&path, json!({})), admin.post(&path, json!({})));
    let (won, lost) = if one.status == 200 { (one, two) } else { (two, one) };
    lost.refused(409, "key_not_active");
    let successor = won.expect(200).text_at("key.key_id");
    assert_eq!(admin.get(&format!("{keys}/{key}")).await.text_at("successor_key_id"), successor);
    assert_eq!(column(&admin.get(&keys).await, "key_id"), [key, successor]);
}

#[tokio::test]
async fn a_rotation_does_not_save_a_key_from_being_revoked() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let keys = format!("/apps/{}/keys", vault.app("Demo").await);
    let key = admin.post(&keys, json!({"name": "k"})).await.text_at("key.key_id");
    let path = format!("{keys}/{key}");
    let rotate = format!("{path}/rotate");
    let (revoked, rotated) = join!(admin.delete(&path), admin.post(&rotate, json!({})));
    revoked.expect(200);
    assert!(matches!(rotated.status, 200 | 409), "{}", rotated.text);
    assert_eq!(admin.get(&path).await.text_at("status"), "revoked");
}

#[tokio::test]
async fn an_app_has_a_hundred_keys_that_work() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let keys = format!("/apps/{}/keys", vault.app("Demo").await);
    let mut last = String::new();
    for _ in 0..90 {
        last = admin.post(&keys, json!({"name": "k"})).await.expect(201).text_at("key.key_id");
    }
    // Fifteen at once for the last ten places.
    let mint = || admin.post(&keys, json!({"name": "k"}));
    let answers = join_all((0..15).map(|_| mint())).await;
    let (minted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((minted.len(), refused.len()), (10, 5));
    for answer in refused {
        answer.refused(409, "key_limit_reached");
    }
    mint().await.refused(409, "key_limit_reached");
    // With a grace period both would work; without one the new key takes the old one's place.
    let rotate = format!("{keys}/{last}/rotate");
    admin.post(&rotate, json!({})).await.refused(409, "key_limit_reached");
    let next = admin.post(&rotate, json!({"grace_seconds": 0})).await.expect(200).text_at("key.key_id");
    admin.delete(&format!("{keys}/{next}")).await.expect(200);
    mint().await.expect(201);
    mint().await.refused(409, "key_limit_reached");
}

#[tokio::test]
async fn secrets_of_one_name_get_a_slug_each() {
    let vault = Vault::new().await;
    let secrets = format!("/apps/{}/secrets", vault.app("Demo").await);
    let admin = vault.admin();
    let grant = json!({"principal": {"type": "system"}});
    let body = json!({"template": "stripe", "fields": {"token": CANARY}, "grant": grant});
    let create = || admin.post(&secrets, body.clone());
    let (a, b, c) = join!(create(), create(), create());
    let mut slugs = BTreeSet::new();
    for answer in [a, b, c] {
        let answer = answer.expect(201);
        assert_eq!(answer.text_at("grant.provider_id"), answer.text_at("slug"));
        slugs.insert(answer.text_at("slug"));
    }
    assert_eq!(slugs.into_iter().collect::<Vec<_>>(), ["stripe", "stripe-2", "stripe-3"]);
}

#[tokio::test]
async fn of_two_new_values_one_is_stored() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Demo").await;
    let body = json!({"template": "stripe", "fields": {"token": CANARY}});
    let id = admin.post(&format!("/apps/{app}/secrets"), body).await.text_at("secret_id");
    let path = format!("/apps/{app}/secrets/{id}/value");
    let (one, two) = join!(
        admin.put(&path, json!({"fields": {"token": "the first new value"}})),
        admin.put(&path, json!({"fields": {"token": "the second new value"}})),
    );
    let (won, lost) = if one.status == 200 { (one, two) } else { (two, one) };
    lost.refused(409, "concurrent_update");
    won.expect(200);
    let table = vault.ports.table.as_ref();
    let secret = ManagedSecrets(table).get(app, id.parse().unwrap()).await.unwrap().value;
    let credential = Credentials(table).get(app, secret.credential_id).await.unwrap();
    assert_eq!((credential.value.seal_version, credential.version), (2, 2));
}

#[tokio::test]
async fn a_provider_is_registered_once_and_keeps_one_secret() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Demo").await;
    let providers = format!("/apps/{app}/providers");
    let body = json!({"definition": toy("toy"), "client_id": "c", "client_secret": CANARY});
    let (one, two) = join!(admin.post(&providers, body.clone()), admin.post(&providers, body));
    let (won, lost) = if one.status == 201 { (one, two) } else { (two, one) };
    lost.refused(409, "provider_configured");
    won.expect(201);
    let path = format!("{providers}/toy/client-secret");
    let (one, two) = join!(
        admin.put(&path, json!({"client_secret": "the first new value"})),
        admin.put(&path, json!({"client_secret": "the second new value"})),
    );
    let (won, lost) = if one.status == 200 { (one, two) } else { (two, one) };
    lost.refused(409, "concurrent_update");
    won.expect(200);
    let table = vault.ports.table.as_ref();
    let secret = ProviderConfigs(table).get(app, "toy").await.unwrap().value.secret.unwrap();
    let credential = Credentials(table).get(app, secret.credential_id).await.unwrap();
    assert_eq!((secret.seal_version, credential.value.seal_version), (2, 2));
}

#[tokio::test]
async fn a_grant_that_is_made_while_its_secret_goes_does_not_stay() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Demo").await;
    let body = json!({"template": "stripe", "fields": {"token": CANARY}});
    let secret = admin.post(&format!("/apps/{app}/secrets"), body).await.text_at("secret_id");
    let (path, grants) = (format!("/apps/{app}/secrets/{secret}"), format!("/apps/{app}/grants"));
    let grant = json!({"secret_id": secret, "principal": {"type": "system"}});
    let (deleted, granted) = join!(admin.delete(&path), admin.post(&grants, grant));
    deleted.expect(200);
    assert!(matches!(granted.status, 201 | 404 | 409), "{}", granted.text);
    let left = admin.get(&format!("{grants}?status=active")).await;
    assert!(column(&left, "status").is_empty(), "{}", left.text);
}
