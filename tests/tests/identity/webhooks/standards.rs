//! The standards' way: security event tokens pushed to the vault (RFC 8417, RFC 8935), and back-channel logout.

use std::collections::BTreeMap;

use alter_domain::{
    Error,
    model::{IdentityProvider, SignInClient, WebhookKind, WebhookProof},
    repo::{IdentityProviders, Stored},
};
use alter_tests::{TestIdp, TokenSpec};
use serde_json::{Value, json};

use super::{Sender, ada};

const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
const STREAM: &str = "https://vault.example/stream";
const CLIENT: &str = "vault-client";

/// The identity provider is its own transmitter.
async fn transmitting() -> Sender {
    let sender = ada().await;
    let proof = WebhookProof::Transmitter {
        issuer: sender.idp.issuer(),
        jwks_uri: sender.idp.jwks_uri(),
        audience: STREAM.to_owned(),
    };
    sender.webhook(WebhookKind::Ssf, proof, None).await;
    sender
}

fn set(sender: &Sender, jti: &str, event: &str, sub: &str) -> TokenSpec {
    let subject = json!({ "format": "iss_sub", "iss": sender.idp.issuer(), "sub": sub });
    let claims = BTreeMap::from([
        ("jti", json!(jti)),
        ("aud", json!([STREAM])),
        ("sub_id", subject),
        ("events", json!({ event: {} })),
    ]);
    sender.event_token("secevent+jwt", claims).without("exp")
}

async fn push(sender: &Sender, token: TokenSpec) -> (u16, Value) {
    let headers = [("content-type", "application/secevent+jwt".to_owned())];
    let answer = sender.post("ssf", &headers, &token.sign()).await;
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
}

async fn taken(sender: &Sender, token: TokenSpec) {
    assert_eq!(push(sender, token).await, (202, Value::Null));
}

async fn refused(sender: &Sender, token: TokenSpec) {
    let (status, body) = push(sender, token).await;
    assert_eq!(
        (status, &body["err"], &body["error"]),
        (400, &json!("authentication_failed"), &json!("webhook_unauthorized"))
    );
    assert!(body["description"].as_str().is_some_and(|text| !text.is_empty()));
}

#[tokio::test]
async fn shared_signals_suspend_restore_end_sessions_and_purge() {
    let sender = transmitting().await;
    taken(&sender, set(&sender, "1", &format!("{RISC}account-disabled"), "ada")).await;
    assert_eq!(sender.comes("ada").await, Err(Error::UserSuspended));
    sender.app.vault.clock.advance(5);
    taken(&sender, set(&sender, "2", &format!("{RISC}account-enabled"), "ada")).await;
    let before = sender.idp.token("ada");
    assert_eq!(sender.comes_with(&before).await, Ok(()));
    taken(&sender, set(&sender, "3", &format!("{CAEP}session-revoked"), "ada")).await;
    assert_eq!(sender.comes_with(&before).await, Err(Error::JwtValidation));
    sender.app.vault.clock.advance(5);
    assert_eq!(sender.comes("ada").await, Ok(()));
    taken(&sender, set(&sender, "4", &format!("{RISC}account-purged"), "ada")).await;
    assert_eq!(sender.comes("ada").await, Err(Error::UserDeprovisioned));
    let rows = sender.record();
    taken(&sender, set(&sender, "4", &format!("{RISC}account-purged"), "ada")).await;
    assert_eq!(sender.record(), rows);
}

#[tokio::test]
async fn a_transmitter_may_try_its_stream_and_tell_of_what_the_vault_ignores() {
    let sender = transmitting().await;
    let verification = "https://schemas.openid.net/secevent/ssf/event-type/verification";
    taken(&sender, set(&sender, "1", verification, "ada")).await;
    taken(&sender, set(&sender, "2", &format!("{RISC}credential-compromise"), "ada")).await;
    let subject =
        |value: Value| set(&sender, "3", &format!("{RISC}account-purged"), "ada").claim("sub_id", value);
    let elsewhere = json!({ "format": "iss_sub", "iss": "https://other.example", "sub": "ada" });
    for stranger in [elsewhere, json!({ "format": "email", "email": "ada@example.com" })] {
        taken(&sender, subject(stranger)).await;
    }
    assert_eq!(sender.comes("ada").await, Ok(()));
    assert!(sender.record().is_empty());
    let (status, body) = push(&sender, subject(json!({ "format": "iss_sub" }))).await;
    assert_eq!((status, &body["err"]), (400, &json!("invalid_request")));
}

#[tokio::test]
async fn only_the_transmitters_own_tokens_for_this_stream_count() {
    let sender = transmitting().await;
    let purge = || set(&sender, "1", &format!("{RISC}account-purged"), "ada");
    let other = TestIdp::start().await;
    let week = 7 * 24 * 3600;
    for forged in [
        purge().signed_by(&other),
        purge().claim("iss", json!(other.issuer())),
        purge().claim("aud", json!("https://other.example/stream")),
        purge().without("aud"),
        purge().without("jti"),
        purge().without("iat"),
        purge().without("events"),
        purge().claim("events", json!({})),
        purge().header("typ", json!("JWT")),
        purge().header("typ", Value::Null),
        purge().header("alg", json!("none")),
        purge().header("alg", json!("HS256")),
        purge().issued_ago(week + 1),
        purge().issued_ago(-120),
        purge().expires_in(-120),
        sender.idp.claims("ada").aud(STREAM),
    ] {
        refused(&sender, forged).await;
    }
    for body in ["", "nonsense", "a.b.c"] {
        let answer = sender.post("ssf", &[], body).await;
        assert_eq!(answer.header("content-language"), Some("en"));
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "webhook_unauthorized"));
    }
    assert_eq!(sender.comes("ada").await, Ok(()));
    taken(&sender, purge().issued_ago(week)).await;
    assert_eq!(sender.comes("ada").await, Err(Error::UserDeprovisioned));
}

#[tokio::test]
async fn a_transmitters_keys_may_be_out_of_reach_for_a_while() {
    let sender = transmitting().await;
    let purge = set(&sender, "1", &format!("{RISC}account-purged"), "ada");
    let vault = sender.app.vault.restarted();
    sender.idp.fail(alter_tests::IdpFault::Down);
    let path = format!("/webhooks/{}/ssf", sender.provider.id);
    let token = purge.sign();
    let answer = vault.anonymous().send("POST", &path, &[], token.clone()).await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    answer.refused(503, "identity_provider_unavailable");
    assert_eq!(sender.state("ada").await, "active");
    sender.idp.fail(alter_tests::IdpFault::None);
    sender.app.vault.clock.advance(11);
    assert_eq!(vault.anonymous().send("POST", &path, &[], token).await.status, 202);
    assert_eq!(sender.state("ada").await, "deprovisioned");
}

/// With the vault's own registration at the identity provider.
async fn signing_in() -> Sender {
    let sender = ada().await;
    let table = sender.app.vault.calm().table;
    let table = IdentityProviders(table.as_ref());
    let Stored { value, version } = table.get(sender.app.id).await.unwrap();
    let client = Some(SignInClient { client_id: CLIENT.to_owned(), secret: None });
    table.update(&Stored { value: IdentityProvider { client, ..value }, version }, None).await.unwrap();
    sender.webhook(WebhookKind::BackchannelLogout, WebhookProof::IdentityProvider, None).await;
    sender
}

fn logout_token(sender: &Sender) -> TokenSpec {
    let claims =
        BTreeMap::from([("aud", json!(CLIENT)), ("sub", json!("ada")), ("events", json!({ LOGOUT: {} }))]);
    sender.event_token("logout+jwt", claims)
}

async fn log_out(sender: &Sender, token: TokenSpec) -> (u16, String) {
    let headers = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    let answer = sender.post("backchannel-logout", &headers, &format!("logout_token={}", token.sign())).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    (answer.status.as_u16(), answer.code())
}

#[tokio::test]
async fn a_logout_ends_the_sessions_of_the_vaults_own_sign_in_and_no_others() {
    let sender = signing_in().await;
    let own = sender.idp.claims("ada").aud(CLIENT).sign();
    let of_the_app = sender.idp.claims("ada").aud("another-client").sign();
    assert_eq!(sender.comes_with(&own).await, Ok(()));
    assert_eq!(log_out(&sender, logout_token(&sender)).await, (200, String::new()));
    assert_eq!(sender.comes_with(&own).await, Err(Error::JwtValidation));
    assert_eq!(sender.comes_with(&of_the_app).await, Ok(()));
    sender.app.vault.clock.advance(2);
    assert_eq!(sender.comes_with(&sender.idp.claims("ada").aud(CLIENT).sign()).await, Ok(()));
    assert_eq!(sender.state("ada").await, "active");
}

#[tokio::test]
async fn what_is_no_logout_token_logs_nobody_out() {
    let sender = signing_in().await;
    let own = sender.idp.claims("ada").aud(CLIENT).sign();
    let token = || logout_token(&sender);
    let other = TestIdp::start().await;
    for forged in [
        token().signed_by(&other),
        token().aud("another-client"),
        token().claim("nonce", json!("n")),
        token().without("events"),
        token().claim("events", json!({ "urn:other": {} })),
        token().without("sub"),
        token().without("jti"),
        token().without("exp"),
        token().expires_in(-120),
        token().header("typ", json!("secevent+jwt")),
        sender.idp.claims("ada").aud(CLIENT),
    ] {
        assert_eq!(log_out(&sender, forged).await, (400, "webhook_unauthorized".to_owned()));
    }
    for body in
        ["", "logout_token=", "token=x", &format!("logout_token={0}&logout_token={0}", token().sign())]
    {
        let answer = sender.post("backchannel-logout", &[], body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "webhook_unauthorized"));
    }
    assert_eq!(sender.comes_with(&own).await, Ok(()));
    assert!(sender.record().is_empty());
}
