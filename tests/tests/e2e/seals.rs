//! Sealed rows in other places: none of them opens (B013).

use alter_domain::{
    keyspace,
    port::{Item, Key, TableName},
};
use alter_tests::{GrantSpec, SecretSpec, TestApp, TestSecret, TestVault, Upstream};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::get;

struct World {
    upstream: Upstream,
    one: TestApp,
    two: TestApp,
}

async fn world() -> World {
    let vault = TestVault::new().await;
    let org = vault.org("Acme").await;
    World { upstream: Upstream::echo().await, one: vault.app_in(org).await, two: vault.app_in(org).await }
}

impl World {
    async fn secret(&self, app: &TestApp, name: &'static str) -> (TestSecret, Value) {
        let secret =
            app.secret(SecretSpec::bearer(name, &format!("value-of-{name}"), self.upstream.host())).await;
        let grant = app.grant(&secret, GrantSpec::system()).await;
        (secret, get(&self.upstream.url("/"), grant))
    }

    async fn body(&self, key: &Key) -> Vec<u8> {
        self.one.vault.calm().table.get(TableName::Vault, key).await.unwrap().expect("an item").body.to_vec()
    }

    async fn put(&self, key: &Key, body: Vec<u8>) {
        self.one.vault.overwrite(TableName::Vault, Item::new(key.clone(), body)).await;
    }

    /// The call fails on our side, with warm and with empty memories, and nothing leaves.
    async fn fails(&self, app: &TestApp, call: &Value) {
        let restarted = TestApp { vault: app.vault.restarted(), ..app.clone() };
        for app in [app, &restarted] {
            let answer = app.client().proxy(call).await;
            // What is stored is at fault, and never the key service. A value and a secret of different versions may have
            // been read in the middle of a change.
            let codes = ["internal_error", "grant_revoked", "store_unavailable"];
            assert!(codes.contains(&answer.code().as_str()), "{} {}", answer.status, answer.text());
        }
        assert_eq!(self.upstream.connections(), 0, "the provider was reached");
    }
}

/// The seal of a stored credential.
fn seal_of(body: &[u8]) -> Vec<u8> {
    let row: Value = serde_json::from_slice(&body[1..]).unwrap();
    STANDARD.decode(row["sealed"].as_str().unwrap()).unwrap()
}

/// The stored credential with another seal.
fn sealed_as(body: &[u8], seal: &[u8]) -> Vec<u8> {
    edited(body, |row| row["sealed"] = STANDARD.encode(seal).into())
}

/// A seal's data key (id, length and wrapping), and where the rest begins.
fn data_key(seal: &[u8]) -> (&[u8], usize) {
    let end = 19 + usize::from(u16::from_be_bytes([seal[17], seal[18]]));
    (&seal[1..end], end)
}

/// `seal` with the data key of `other`.
fn with_key_of(seal: &[u8], other: &[u8]) -> Vec<u8> {
    [&seal[..1], data_key(other).0, &seal[data_key(seal).1..]].concat()
}

/// `seal` with the wrapping of `other`, under its own data key's id.
fn with_wrapping_of(seal: &[u8], other: &[u8]) -> Vec<u8> {
    [&seal[..17], &data_key(other).0[16..], &seal[data_key(seal).1..]].concat()
}

/// A stored credential with some of its fields changed.
fn edited(body: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut row: Value = serde_json::from_slice(&body[1..]).unwrap();
    change(&mut row);
    [&body[..1], row.to_string().as_bytes()].concat()
}

#[tokio::test]
async fn b013_a_row_of_another_credential_does_not_open() {
    let world = world().await;
    let (a, call) = world.secret(&world.one, "a").await;
    let (b, _) = world.secret(&world.one, "b").await;
    let own = world.body(&keyspace::credential(a.credential_id)).await;
    let other = world.body(&keyspace::credential(b.credential_id)).await;
    let key = keyspace::credential(a.credential_id);
    // As it is, and with the names written over.
    world.put(&key, other.clone()).await;
    world.fails(&world.one, &call).await;
    world.put(&key, edited(&other, |row| row["id"] = json!(a.credential_id))).await;
    world.fails(&world.one, &call).await;
    // The other way round: own names, the other's seal.
    let seal: Value = serde_json::from_slice(&other[1..]).unwrap();
    world.put(&key, edited(&own, |row| row["sealed"] = seal["sealed"].clone())).await;
    world.fails(&world.one, &call).await;
    world.put(&key, own).await;
    world.one.client().proxy(&call).await.ok();
}

#[tokio::test]
async fn b013_a_row_of_another_app_does_not_open() {
    let world = world().await;
    let (a, call) = world.secret(&world.one, "a").await;
    let (b, theirs) = world.secret(&world.two, "a").await;
    let (key, other) =
        (keyspace::credential(a.credential_id), world.body(&keyspace::credential(b.credential_id)).await);
    let named = edited(&other, |row| {
        row["id"] = json!(a.credential_id);
        row["app_id"] = json!(world.one.id);
    });
    let own = world.body(&key).await;
    world.put(&key, other.clone()).await;
    world.fails(&world.one, &call).await;
    world.put(&key, named).await;
    world.fails(&world.one, &call).await;
    // Even where the seal is the app's own: the other app's data key does not open for it, under either id.
    let (seal, foreign) = (seal_of(&own), seal_of(&other));
    for mixed in [with_key_of(&seal, &foreign), with_wrapping_of(&seal, &foreign)] {
        world.put(&key, sealed_as(&own, &mixed)).await;
        world.fails(&world.one, &call).await;
    }
    world.put(&key, own).await;
    world.one.client().proxy(&call).await.ok();
    world.two.client().proxy(&theirs).await.ok();
}

#[tokio::test]
async fn b013_an_earlier_version_does_not_open_in_place_of_the_present_one() {
    let world = world().await;
    let (secret, call) = world.secret(&world.one, "a").await;
    let key = keyspace::credential(secret.credential_id);
    let old = world.body(&key).await;
    world.one.replace_value(&secret, &[("token", "the-new-value".to_owned())]).await;
    let new = world.body(&key).await;
    // The old seal under the new version, and the new seal under the old one.
    let (old_row, new_row): (Value, Value) =
        (serde_json::from_slice(&old[1..]).unwrap(), serde_json::from_slice(&new[1..]).unwrap());
    assert_ne!(old_row["seal_version"], new_row["seal_version"]);
    world.put(&key, edited(&new, |row| row["sealed"] = old_row["sealed"].clone())).await;
    world.fails(&world.one, &call).await;
    world.put(&key, edited(&new, |row| row["seal_version"] = old_row["seal_version"].clone())).await;
    world.fails(&world.one, &call).await;
    // A whole row brought back from a backup.
    world.put(&key, old).await;
    world.fails(&world.one, &call).await;
    world.put(&key, new).await;
    world.one.client().proxy(&call).await.ok();
    assert_eq!(world.upstream.last().header("authorization"), Some("Bearer the-new-value"));
}

#[tokio::test]
async fn b013_a_data_key_of_another_purpose_does_not_open() {
    let world = world().await;
    let (secret, call) = world.secret(&world.one, "a").await;
    let [credential, signing] = [
        keyspace::credential(secret.credential_id),
        keyspace::signing_key(world.one.key.public_part.as_str()),
    ];
    let (row, signing_seal) = (world.body(&credential).await, world.body(&signing).await);
    let seal = seal_of(&row);
    // The signing key's whole seal, its data key, and its wrapping under the right id, in the credential; and the other
    // way round.
    let with =
        |seal: &[u8], other: &[u8]| [other.to_vec(), with_key_of(seal, other), with_wrapping_of(seal, other)];
    for mixed in with(&seal, &signing_seal) {
        world.put(&credential, sealed_as(&row, &mixed)).await;
        world.fails(&world.one, &call).await;
    }
    world.put(&credential, row).await;
    for mixed in with(&signing_seal, &seal) {
        world.put(&signing, mixed).await;
        let restarted = TestApp { vault: world.one.vault.restarted(), ..world.one.clone() };
        for app in [&world.one, &restarted] {
            app.client_by_id().proxy(&call).await.refused(500, "internal_error");
        }
    }
    assert_eq!(world.upstream.connections(), 0);
    world.put(&signing, signing_seal).await;
    world.one.client_by_id().proxy(&call).await.ok();
}

/// Data keys change every few minutes; each opens what it sealed, and a value does not pass to another of them.
#[tokio::test]
async fn b013_a_data_key_of_another_time_does_not_open() {
    let world = world().await;
    let (a, call_a) = world.secret(&world.one, "a").await;
    world.one.vault.clock.advance(300);
    let (b, call_b) = world.secret(&world.one, "b").await;
    let key = keyspace::credential(a.credential_id);
    let own = world.body(&key).await;
    let later = seal_of(&world.body(&keyspace::credential(b.credential_id)).await);
    let seal = seal_of(&own);
    assert_ne!(data_key(&seal).0, data_key(&later).0);
    for call in [&call_a, &call_b] {
        world.one.client().proxy(call).await.ok();
    }
    let reached = world.upstream.hits();
    for mixed in [with_key_of(&seal, &later), with_wrapping_of(&seal, &later)] {
        world.put(&key, sealed_as(&own, &mixed)).await;
        let restarted = TestApp { vault: world.one.vault.restarted(), ..world.one.clone() };
        for app in [&world.one, &restarted] {
            app.client().proxy(&call_a).await.refused(500, "internal_error");
        }
    }
    assert_eq!(world.upstream.hits(), reached);
    world.put(&key, own).await;
    world.one.client().proxy(&call_a).await.ok();
}

#[tokio::test]
async fn b013_a_signing_key_of_another_key_does_not_open() {
    let world = world().await;
    let (_, call) = world.secret(&world.one, "a").await;
    let spare = world.one.key(alter_tests::KeySpec::default()).await;
    let row = |app: &TestApp| keyspace::signing_key(app.key.public_part.as_str());
    let own = world.body(&row(&world.one)).await;
    for other in [
        world.body(&keyspace::signing_key(spare.public_part.as_str())).await,
        world.body(&row(&world.two)).await,
    ] {
        world.put(&row(&world.one), other).await;
        // Whoever holds the other key signs with it in this one's name.
        for signer in [&spare, &world.two.key, &world.one.key] {
            for app in
                [world.one.clone(), TestApp { vault: world.one.vault.restarted(), ..world.one.clone() }]
            {
                let request = app.client_by_id().request("POST", "/sdk/proxy").json(&call).signed_by(signer);
                let answer = request.send().await;
                assert!(answer.status.is_server_error() || answer.status == 401, "{}", answer.text());
            }
        }
    }
    assert_eq!(world.upstream.connections(), 0);
    world.put(&row(&world.one), own).await;
    world.one.client_by_id().proxy(&call).await.ok();
}
