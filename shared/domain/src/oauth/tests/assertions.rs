//! Assertions: what is signed, with which keys.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey,
    },
};

use super::{
    super::{AssertionAlgorithm, AssertionError, check_private_key, one_line_pem},
    *,
};

/// Made for these tests, used nowhere else.
pub(super) const RSA_PKCS8: &str = include_str!("testdata/rsa-pkcs8.pem");
const RSA_PKCS1: &str = include_str!("testdata/rsa-pkcs1.pem");

pub(super) fn p256_pem() -> String {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(key.as_ref()))
}

fn der(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(base64).unwrap()
}

/// Header and claims of a JWT whose signature is right.
pub(super) fn verify(jwt: &str, pem: &str) -> (Value, Value) {
    let (message, signature) = jwt.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let read =
        |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let key = der(pem);
    let right = if read(header)["alg"] == "ES256" {
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &SystemRandom::new()).unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
        key.verify(message.as_bytes(), &signature)
    } else {
        let pair = RsaKeyPair::from_pkcs8(&key).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public().as_ref());
        key.verify(message.as_bytes(), &signature)
    };
    right.expect("the signature is right");
    (read(header), read(claims))
}

fn service(own: Value) -> Provider {
    let mut service = json!({
        "flow": "jwt_bearer",
        "authorization": null,
        "variables": variables(&[("subject", json!("operator"), json!("text"))]),
        "token": {
            "auth": "none",
            "grant": {
                "algorithm": "RS256",
                "claims": { "iss": "{client_id}", "scope": "{scope}", "sub": "{subject}" },
                "lifetime_seconds": 3600,
            },
        },
        "refresh": { "kind": "assertion", "access_ttl_seconds": 3600 },
    });
    merge(&mut service, own);
    entry(service)
}

#[tokio::test]
async fn an_assertion_is_the_grant_where_no_browser_is() {
    let service = service(json!({}));
    let bench = Bench::new([tokens(json!({})), tokens(json!({}))])
        .set(&service, "subject", "ops@acme.example")
        .scopes(&["a", "b"])
        .private_key(RSA_PKCS8);
    let engine = bench.engine();
    let minted = engine.mint(&service, &bench.client(), &bench.values, &bench.scopes).await.unwrap();
    assert_eq!(minted.tokens.expires_at, Some(in_seconds(3600)));
    bench.refresh(&service).await.unwrap();
    for seen in bench.seen() {
        let mut sent = seen.form();
        let (header, claims) = verify(&sent.remove("assertion").unwrap(), RSA_PKCS8);
        assert_eq!(header, json!({ "alg": "RS256", "typ": "JWT" }));
        let issued = in_seconds(-30).as_second();
        assert_eq!(
            claims,
            json!({
                "iss": CLIENT_ID, "scope": "a b", "sub": "ops@acme.example", "iat": issued, "exp": issued + 3600,
            })
        );
        let rest =
            map(&[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("client_id", CLIENT_ID)]);
        assert_eq!(sent, rest);
    }
}

#[tokio::test]
async fn an_assertion_can_be_a_header_and_nothing_else() {
    let service = service(json!({
        "variables": [{ "name": "subject", "label": "", "source": "operator", "shape": "text", "optional": true }],
        "token": {
            "url": "https://api.toy.example/installations/access_tokens",
            "body": "json",
            "headers": { "authorization": "Bearer {assertion}" },
            "params": { "grant_type": "", "assertion": "", "client_id": "" },
            "reply": { "access_token": ["token"], "expires_at": ["expires_at"] },
        },
    }));
    let reply = json!({ "token": ACCESS, "expires_at": "2026-11-22T13:00:00Z" });
    let bench = Bench::new([says(201, reply)]).private_key(RSA_PKCS1);
    let minted = bench.engine().mint(&service, &bench.client(), &bench.values, &[]).await.unwrap();
    assert_eq!(minted.tokens.expires_at, Some(in_seconds(3600)));
    let seen = bench.only();
    assert_eq!(seen.body, "");
    let jwt = seen.header("authorization").strip_prefix("Bearer ").unwrap().to_owned();
    // Empty scopes and the optional subject leave their claims out. The same key in its other form verifies.
    let (_, claims) = verify(&jwt, RSA_PKCS8);
    assert_eq!(claims.as_object().unwrap().keys().collect::<Vec<_>>(), ["exp", "iat", "iss"]);
}

#[tokio::test]
async fn a_client_assertion_has_an_id_that_never_repeats() {
    let pem = p256_pem();
    let claims = json!({ "iss": "{client_id}", "sub": "{client_id}", "aud": "https://login.toy.example" });
    let assertion = json!({ "algorithm": "ES256", "claims": claims, "lifetime_seconds": 60 });
    let toy = entry(json!({ "token": { "auth": { "private_key_jwt": assertion } } }));
    let bench = Bench::new([tokens(json!({})), tokens(json!({}))]).private_key(&pem);
    bench.connect(&toy, &[]).await.unwrap();
    bench.refresh(&toy).await.unwrap();
    let ids = bench.seen().into_iter().map(|seen| {
        let sent = seen.form();
        assert!(!sent.contains_key("client_secret"));
        assert_eq!(sent["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let (_, claims) = verify(&sent["client_assertion"], &pem);
        claims["jti"].as_str().unwrap().to_owned()
    });
    let ids: std::collections::BTreeSet<_> = ids.collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| id.len() == 32));
}

#[test]
fn a_key_is_read_in_every_way_in_which_it_is_pasted() {
    let p256 = p256_pem();
    for (pem, algorithm) in [
        (RSA_PKCS8, AssertionAlgorithm::Rs256),
        (RSA_PKCS1, AssertionAlgorithm::Rs256),
        (&p256, AssertionAlgorithm::Es256),
    ] {
        for text in
            [pem.to_owned(), pem.replace('\n', "\r\n"), pem.replace('\n', "\\n"), pem.replace('\n', " ")]
        {
            let text = Secret::new(text);
            check_private_key(&text, algorithm).unwrap();
            let line = one_line_pem(&text).unwrap();
            assert!(!line.expose_secret().contains(char::is_control));
            check_private_key(&line, algorithm).unwrap();
        }
    }
}

#[test]
fn what_is_no_key_for_the_algorithm_is_refused() {
    let p256 = p256_pem();
    let check =
        |pem: &str, algorithm| check_private_key(&Secret::new(pem.to_owned()), algorithm).unwrap_err();
    let (rs256, es256) = (AssertionAlgorithm::Rs256, AssertionAlgorithm::Es256);
    assert_eq!(check(&p256, rs256), AssertionError::Key("RS256"));
    assert_eq!(check(RSA_PKCS8, es256), AssertionError::Key("ES256"));
    assert_eq!(check(RSA_PKCS1, es256), AssertionError::Key("ES256"));
    for pem in [
        "",
        "-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY----- %%%% -----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY----- AAAA -----END RSA PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE----- AAAA -----END CERTIFICATE-----",
        "MIIB",
    ] {
        assert_eq!(check(pem, rs256), AssertionError::Pem, "{pem}");
        assert!(one_line_pem(&Secret::new(pem.to_owned())).is_err());
    }
}

#[tokio::test]
async fn without_its_key_or_secret_nothing_is_sent() {
    let service = service(json!({ "variables": [
        { "name": "subject", "label": "", "source": "operator", "shape": "text", "default": "me" },
    ] }));
    let bench = Bench::new([]);
    let error = bench.engine().mint(&service, &bench.client(), &bench.values, &[]).await.unwrap_err().error;
    let (code, description) = ("configuration".to_owned(), Some("the client has no private_key".to_owned()));
    assert_eq!(error, ExchangeError::Client { code, description });
    let bench = bench.private_key(RSA_PKCS8);
    for auth in ["post", "basic", "secret_as_user"] {
        let error = bench.connect(&entry(json!({ "token": { "auth": auth } })), &[]).await.unwrap_err();
        let (code, description) =
            ("configuration".to_owned(), Some("the client has no client_secret".to_owned()));
        assert_eq!(error, ExchangeError::Client { code, description }, "{auth}");
    }
    assert!(bench.seen().is_empty());
}
