//! From the operator's switch to the calls that are denied, through the public entrance.

use std::time::{Duration, Instant};

use alter_domain::model::Permission;
use alter_tests::{GrantSpec, Operator, SecretSpec, Upstream};
use serde_json::{Value, json};

use super::{Sender, ada};
use crate::sender::{CLERK_SECRET, clerk};

impl Sender {
    async fn operator(&self) -> Operator {
        self.app.vault.operator(self.app.org, Permission::Admin).await
    }

    fn settings(&self, kind: &str) -> String {
        format!("/portal/v1/apps/{}/identity-provider/webhooks/{kind}", self.app.id)
    }
}

#[tokio::test]
async fn b081_b084_an_operator_switches_on_rotates_and_switches_off() {
    let sender = ada().await;
    let operator = sender.operator().await;
    let path = sender.settings("auth0");
    let on = operator.send("PUT", &path, None).await.ok();
    let address = format!("/webhooks/{}/auth0", sender.provider.id);
    assert!(on["webhook"]["url"].as_str().unwrap().ends_with(&address), "{on}");
    let first = on["secret"].as_str().unwrap().to_owned();
    assert!(first.starts_with("alwh_"));
    sender.auth0(&first, &[("ublkdu", "ada", 1)]).await.ok();
    assert_eq!(sender.state("ada").await, "suspended");

    // Shown once, and nowhere afterwards.
    operator.send("PUT", &path, None).await.refused(409, "webhook_enabled");
    let list = operator.get(&sender.settings("")[..sender.settings("").len() - 1]).await;
    assert!(!list.text().contains(&first["alwh_".len()..]));
    let rotated = operator.send("PUT", &path, Some(&json!({ "rotate": true }))).await.ok();
    let second = rotated["secret"].as_str().unwrap().to_owned();
    sender.auth0(&first, &[("sdu", "ada", 2)]).await.refused(401, "webhook_unauthorized");
    sender.auth0(&second, &[("ubuu", "ada", 2)]).await.ok();
    assert_eq!(sender.state("ada").await, "active");

    operator.send("DELETE", &path, None).await.ok();
    sender.auth0(&second, &[("sdu", "ada", 3)]).await.refused(401, "webhook_unauthorized");
    assert_eq!(sender.state("ada").await, "active");

    // With the identity provider its webhooks go, and the address of an app that has none is nobody's.
    let third = operator.send("PUT", &path, None).await.ok()["secret"].as_str().unwrap().to_owned();
    let provider = format!("/portal/v1/apps/{}/identity-provider", sender.app.id);
    assert!(operator.send("DELETE", &provider, None).await.status.is_success());
    sender.auth0(&third, &[("sdu", "ada", 4)]).await.refused(401, "webhook_unauthorized");
    assert_eq!(sender.state("ada").await, "active");
}

#[tokio::test]
async fn b082_a_pasted_secret_is_the_one_that_counts() {
    let sender = ada().await;
    let operator = sender.operator().await;
    let path = sender.settings("clerk");
    let set = |secret: &str| json!({ "secret": secret });
    operator.send("PUT", &path, Some(&set("whsec_short"))).await.refused(422, "invalid_webhook_secret");
    let on = operator.send("PUT", &path, Some(&set(CLERK_SECRET))).await.ok();
    assert_eq!(on["secret"], Value::Null);
    let body = clerk("user.deleted", &json!({ "id": "ada", "deleted": true }), sender.now());
    let headers = sender.svix("msg_1", &body, sender.now());
    let other = json!({ "secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "rotate": true });
    operator.send("PUT", &path, Some(&other)).await.ok();
    sender.post("clerk", &headers, &body).await.refused(401, "webhook_unauthorized");
    let back = json!({ "secret": CLERK_SECRET, "rotate": true });
    operator.send("PUT", &path, Some(&back)).await.ok();
    sender.post("clerk", &headers, &body).await.ok();
    assert_eq!(sender.state("ada").await, "deprovisioned");
}

/// From the delivery to the denial of each of a hundred grants, for twenty people one after the other.
#[tokio::test]
async fn b008_a_hundred_grants_are_denied_within_two_seconds() {
    const PEOPLE: usize = 20;
    const GRANTS: usize = 100;
    let sender = ada().await;
    let upstream = Upstream::echo().await;
    let token = sender.token_webhook("auth0").await;
    let secret = sender.app.secret(SecretSpec::bearer("provider", "token-0123456789", upstream.host())).await;
    let client = sender.app.client();
    let mut slowest = Duration::ZERO;
    for person in 0..PEOPLE {
        let sub = format!("user-{person}");
        sender.arrive(&sub).await;
        let user = sender.app.user_of(&sender.idp, &sub);
        let mut calls = Vec::new();
        for grant in 0..GRANTS {
            let grant = sender.app.grant(&secret, GrantSpec::of_user(user, &format!("{sub}-{grant}"))).await;
            calls.push(json!({ "method": "GET", "url": upstream.url("/"), "grant_id": grant }));
        }
        client.proxy(&calls[0]).await.ok();
        let reached = upstream.hits();
        let begun = Instant::now();
        sender.auth0(&token, &[("sdu", &sub, 1)]).await.ok();
        for call in &calls {
            client.proxy(call).await.refused(403, "user_deprovisioned");
        }
        slowest = slowest.max(begun.elapsed());
        assert_eq!(upstream.hits(), reached, "a denied call reached the provider");
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    println!("slowest of {PEOPLE}: {slowest:?} until {GRANTS} grants were denied");
}
