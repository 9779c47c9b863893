//! What is taken.

use serde_json::json;

use super::issuer::{ALGORITHMS, ISSUER, Issuer, Signer, at, check, jwks, now};
use crate::oidc::{ClaimNames, Expected, KeySet, TokenError, jwks::Algorithm, verify};

#[test]
fn every_algorithm_is_taken_with_its_own_key_and_no_other() {
    let issuers: Vec<_> = ALGORITHMS.into_iter().map(Issuer::new).collect();
    for issuer in &issuers {
        let token = issuer.token(&json!({}));
        for other in &issuers {
            // RSA's key is the same for all six, and the set does not say for which it is.
            let rsa = |issuer: &Issuer| matches!(issuer.signer, Signer::Rsa(_));
            let same = std::ptr::eq(issuer, other) || (rsa(issuer) && rsa(other));
            assert_eq!(
                check(&token, &other.keys()).is_ok(),
                same,
                "{} {}",
                issuer.algorithm,
                other.algorithm
            );
        }
        // Its own algorithm in the set, and each other one.
        for alg in ALGORITHMS {
            let mut key = issuer.signer.named("k1");
            key["alg"] = alg.into();
            let checked =
                KeySet::from_slice(jwks(&[key]).as_bytes()).map(|keys| check(&token, &keys).is_ok());
            assert_eq!(checked == Ok(true), alg == issuer.algorithm, "{} as {alg}", issuer.algorithm);
        }
    }
}

#[test]
fn all_that_a_token_says_is_read() {
    let issuer = Issuer::new("ES256");
    let token = issuer.token(&json!({
        "sub": "00u1", "email": "ada@example.com", "email_verified": "true", "name": " Ada L. ", "nonce": "n", "sid": "s-1",
        "azp": "web", "aud": ["api", "https://idp.example.com/userinfo"], "auth_time": 1_789_999_000,
        "https://example.com/groups": ["b", "a", "b", ""], "realm_access": {"roles": ["admin"]}, "uid": "ada-7",
    }));
    let claims = ClaimNames::new(
        "uid".to_owned(),
        Some("https://example.com/groups".to_owned()),
        Some("realm_access.roles".to_owned()),
    );
    let claims = claims.unwrap();
    let expected = Expected { issuer: ISSUER, audience: Some("api"), client_id: None, claims: &claims };
    let verified = verify(&token, &issuer.keys(), &expected, now()).unwrap();
    assert_eq!((verified.subject.as_str(), verified.sub.as_str()), ("ada-7", "00u1"));
    assert_eq!((verified.email.as_deref(), verified.email_verified), (Some("ada@example.com"), Some(true)));
    assert_eq!(verified.name.as_deref(), Some("Ada L."));
    assert_eq!(verified.groups, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(verified.roles, Some(vec!["admin".to_owned()]));
    assert_eq!((verified.nonce.as_deref(), verified.session_id.as_deref()), (Some("n"), Some("s-1")));
    assert_eq!(verified.authorized_party.as_deref(), Some("web"));
    assert_eq!(verified.audience, ["api", "https://idp.example.com/userinfo"]);
    assert_eq!(verified.issued_at, Some(now().as_second() - 10));
    assert_eq!(
        (verified.expires_at, verified.authenticated_at),
        (now().as_second() + 300, Some(1_789_999_000))
    );
    assert_eq!(format!("{verified:?}"), r#"Verified { subject: "ada-7", .. }"#);
}

#[test]
fn types_of_id_and_access_tokens_are_taken_however_they_are_written() {
    let issuer = Issuer::new("EdDSA");
    let keys = issuer.keys();
    for typ in [
        json!(null),
        json!("JWT"),
        json!("jwt"),
        json!("at+jwt"),
        json!("AT+JWT"),
        json!("application/at+jwt"),
    ] {
        assert!(check(&issuer.token_with(&json!({"typ": typ}), &json!({})), &keys).is_ok(), "{typ}");
    }
    assert!(check(&issuer.token_with(&json!({"alg": "Ed25519"}), &json!({})), &keys).is_ok(), "RFC 9864");
    assert!(check(&issuer.token_with(&json!({"b64": true, "x-own": 1}), &json!({})), &keys).is_ok());
}

#[test]
fn without_a_name_the_only_key_that_fits_is_taken() {
    let (rsa, ec, second) = (Signer::new("RS256"), Issuer::new("ES256"), Signer::new("ES256"));
    let token = ec.token_with(&json!({"kid": null}), &json!({}));
    let keys = |keys: &[serde_json::Value]| KeySet::from_slice(jwks(keys).as_bytes()).unwrap();
    assert!(check(&token, &keys(&[rsa.named("r"), ec.signer.named("e")])).is_ok());
    assert!(check(&token, &keys(&[ec.signer.jwk(), ec.signer.jwk()])).is_ok(), "the same key, listed twice");
    let two = keys(&[ec.signer.named("e"), second.named("f")]);
    assert_eq!(check(&token, &two), Err(TokenError::UnknownKey), "two fit");
    // One name for two kinds of key (RFC 7517 section 4.5): the algorithm tells them apart.
    assert!(check(&ec.token(&json!({})), &keys(&[rsa.named("k1"), ec.signer.named("k1")])).is_ok());
}

#[test]
fn b070_times_have_a_minute_of_leeway_to_the_second() {
    let issuer = Issuer::new("ES256");
    let keys = issuer.keys();
    let now = now().as_second();
    let ok = |claims| check(&issuer.token(&claims), &keys).map(drop);
    assert_eq!(ok(json!({"exp": now - 59})), Ok(()));
    assert_eq!(ok(json!({"exp": now - 60})), Err(TokenError::Expired));
    assert_eq!(ok(json!({"nbf": now + 60})), Ok(()));
    assert_eq!(ok(json!({"nbf": now + 61})), Err(TokenError::NotYetValid));
    assert_eq!(ok(json!({"iat": now + 60})), Ok(()));
    assert_eq!(ok(json!({"iat": now + 61})), Err(TokenError::NotYetValid));
    assert_eq!(ok(json!({"iat": null})), Ok(()), "`iat` is optional");
    // Fractions are allowed (RFC 7519 section 2), and the ends of the number line are no way round.
    assert_eq!(ok(json!({"exp": now as f64 - 59.5})), Err(TokenError::Expired));
    assert_eq!(ok(json!({"exp": 1e300})), Ok(()));
    assert_eq!(ok(json!({"exp": i64::MAX, "iat": i64::MIN, "nbf": -1e300})), Ok(()));
    assert_eq!(ok(json!({"exp": -1e300})), Err(TokenError::Expired));
    assert_eq!(ok(json!({"nbf": u64::MAX})), Err(TokenError::NotYetValid));

    let verified = check(&issuer.token(&json!({"exp": now + 10})), &keys).unwrap();
    assert!(!verified.is_expired(at(69)) && verified.is_expired(at(70)));
}

#[test]
fn keys_of_odd_but_honest_sets_are_used() {
    let issuer = Issuer::new("RS256");
    let mut key = issuer.signer.named("k1");
    // A zero in front of the modulus, which RFC 7518 forbids and some products write.
    let n =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, key["n"].as_str().unwrap())
            .unwrap();
    key["n"] = super::issuer::b64([&[0][..], &n].concat()).into();
    key["key_ops"] = json!(["verify"]);
    key["x5c"] = json!(["not looked at"]);
    let odd = json!({"keys": [{"kty": "XYZ"}, 7, {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}, key], "more": 1});
    let keys = KeySet::from_slice(odd.to_string().as_bytes()).unwrap();
    assert_eq!(keys.len(), 1);
    assert!(check(&issuer.token(&json!({})), &keys).is_ok());
}

/// The check asks for itself whether the key may be used so: it does not rely on having been found for the algorithm.
#[test]
fn a_key_checks_its_own_algorithm_alone() {
    let signer = Signer::new("RS256");
    let mut key = signer.named("k1");
    key["alg"] = "RS256".into();
    let keys = KeySet::from_slice(jwks(&[key]).as_bytes()).unwrap();
    let key = keys.find(None, Algorithm::Rs256).unwrap();
    let verifies = |algorithm, name| key.verifies(algorithm, b"message", &signer.sign(name, b"message"));
    assert!(verifies(Algorithm::Rs256, "RS256"));
    assert!(!verifies(Algorithm::Ps256, "PS256") && !verifies(Algorithm::Rs512, "RS512"));
}
