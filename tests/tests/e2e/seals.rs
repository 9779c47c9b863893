//! Sealed rows in other places: none of them opens (B013).

use alter_domain::{
    keyspace,
    port::{Item, Key, KeyPurpose, TableName},
};
use alter_tests::{GrantSpec, SecretSpec, TestApp, TestSecret, TestVault, Upstream};
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
            let refused = answer.status.is_server_error() || answer.code() == "grant_revoked";
            assert!(refused, "{} {}", answer.status, answer.text());
        }
        assert_eq!(self.upstream.connections(), 0, "the provider was reached");
    }
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
    world.put(&key, other).await;
    world.fails(&world.one, &call).await;
    world.put(&key, named.clone()).await;
    world.fails(&world.one, &call).await;
    // Even with the other app's data keys put in place: they are wrapped for that app.
    let rings = [
        keyspace::data_keys(world.one.id, KeyPurpose::Credential),
        keyspace::data_keys(world.two.id, KeyPurpose::Credential),
    ];
    let (own_ring, other_ring) = (world.body(&rings[0]).await, world.body(&rings[1]).await);
    world.put(&rings[0], other_ring).await;
    world.fails(&world.one, &call).await;
    world.put(&rings[0], own_ring).await;
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
    let (_, call) = world.secret(&world.one, "a").await;
    let [credential, signing] = [KeyPurpose::Credential, KeyPurpose::Signing]
        .map(|purpose| keyspace::data_keys(world.one.id, purpose));
    let (credential_ring, signing_ring) = (world.body(&credential).await, world.body(&signing).await);
    world.put(&credential, signing_ring.clone()).await;
    let restarted = TestApp { vault: world.one.vault.restarted(), ..world.one.clone() };
    let answer = restarted.client().proxy(&call).await;
    assert!(answer.status.is_server_error(), "{}", answer.text());
    world.put(&signing, credential_ring).await;
    world.put(&credential, signing_ring).await;
    let restarted = TestApp { vault: world.one.vault.restarted(), ..world.one.clone() };
    let answer = restarted.client_by_id().proxy(&call).await;
    assert!(answer.status.is_server_error(), "{}", answer.text());
    assert_eq!(world.upstream.connections(), 0);
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
