//! Which values and hosts a connection's calls and renewals are held to.

use std::sync::{Arc, OnceLock};

use alter_domain::{
    api::ConnectionId,
    egress::AllowedHosts,
    model::{Connection, ProviderConfig},
    oauth::Values,
    port::Work,
    repo::{Connections, ProviderConfigs, Stored},
};
use alter_tests::{ConnectionSpec, Received, TestApp, TestVault, Upstream, json_reply, reply, toy_provider};
use serde_json::json;

use crate::connections::Toy;

const ACCESS: &str = "access-0123456789";
const REFRESH: &str = "refresh-0123456789";

fn spec() -> ConnectionSpec {
    ConnectionSpec::new(ACCESS, Some(REFRESH))
}

/// Apple's key id: the operator rotates the key, and every connection has to follow.
#[tokio::test]
async fn what_the_operator_changes_holds_for_connections_that_exist() {
    let upstream = Upstream::serving(|received: Received| async move {
        match received.target.as_str() {
            "/token" => json_reply(
                200,
                &json!({ "access_token": "access-of-the-second-kind", "token_type": "Bearer", "expires_in": 3600 }),
            ),
            _ => reply(200, "notes"),
        }
    })
    .await;
    let app = TestVault::new().await.app().await;
    let mut definition = toy_provider(&format!("http://{}", upstream.addr), &upstream.host());
    definition["variables"] = json!([
        { "name": "key_id", "label": "Key", "source": "operator", "shape": "dns_label", "example": "abc" },
        { "name": "shop", "label": "Shop", "source": "user", "shape": "dns_label", "example": "acme" }
    ]);
    definition["token"]["params"] = json!({ "kid": "{key_id}", "shop": "{shop}" });
    definition["revocation"]["params"] = json!({ "token": "{token}", "kid": "{key_id}", "shop": "{shop}" });
    let config = app.provider(definition).await;
    let toy = Toy { upstream, app, config };
    let provider = toy.config.definition().unwrap();
    let values = |pairs: &[(&str, &str)]| {
        let mut values = Values::default();
        pairs.iter().for_each(|(name, value)| values.set(provider, name, value).unwrap());
        values
    };
    let (id, grant) = toy.connect(spec().expiring_in(-1)).await;
    rewrite(&toy.app, id, |old| Connection {
        values: values(&[("key_id", "first"), ("shop", "mine")]),
        ..old
    })
    .await;
    let ports = toy.app.vault.calm();
    let configs = ProviderConfigs(ports.table.as_ref());
    let Stored { value, version } = configs.get(toy.app.id, "toy").await.unwrap();
    let rotated = ProviderConfig { values: values(&[("key_id", "second")]), ..value };
    configs.update(&Stored { value: rotated, version }, None).await.unwrap();
    toy.call(grant).await.ok();
    toy.revoke(grant).await.ok();
    let [work @ Work::Revocation { .. }] = toy.app.vault.work.take()[..] else { panic!("one task") };
    toy.app.vault.revoker().run(work).await.unwrap();
    for path in ["/token", "/revoke"] {
        let sent = toy.upstream.received(path);
        let body = String::from_utf8_lossy(&sent[0].body).into_owned();
        assert!(body.contains("kid=second") && body.contains("shop=mine"), "{path}: {body}");
    }
}

/// The connection was renewed for other hosts while a call was under way: its new token does not go to the old ones.
#[tokio::test]
async fn a_renewed_token_goes_to_the_hosts_of_its_connection_only() {
    type Renew = Arc<OnceLock<(TestApp, ConnectionId)>>;
    let place: Renew = Arc::default();
    let renew = Arc::clone(&place);
    let upstream = Upstream::serving(move |received: Received| {
        let renew = Arc::clone(&renew);
        async move {
            if received.target == "/token" {
                return json_reply(
                    200,
                    &json!({ "access_token": "access-of-the-second-kind", "token_type": "Bearer" }),
                );
            }
            let (app, id) = renew.get().unwrap();
            rewrite(app, *id, |old| {
                let allowed_hosts = AllowedHosts(vec!["api.example.com".parse().unwrap()]);
                Connection {
                    delivery: alter_domain::model::Delivery { allowed_hosts, ..old.delivery },
                    ..old
                }
            })
            .await;
            reply(401, "expired")
        }
    })
    .await;
    let app = TestVault::new().await.app().await;
    let config = app.provider(toy_provider(&format!("http://{}", upstream.addr), &upstream.host())).await;
    let toy = Toy { upstream, app, config };
    let (id, grant) = toy.connect(spec()).await;
    place.set((toy.app.clone(), id)).ok().unwrap();
    assert_eq!(toy.call(grant).await.ok()["status_code"], 401, "the provider's own answer");
    assert_eq!((toy.upstream.to("/token"), toy.upstream.to("/notes")), (1, 1));
    toy.call(grant).await.refused(422, "blocked_destination");
}

async fn rewrite(app: &TestApp, id: ConnectionId, change: impl FnOnce(Connection) -> Connection) {
    let Stored { value, version } = app.connection(id).await;
    let ports = app.vault.calm();
    let new = Stored { value: change(value), version };
    Connections(ports.table.as_ref()).update(&new, None).await.unwrap();
}
