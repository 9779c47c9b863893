//! The classic attacks on JWTs, each refused (RFC 8725, and the CVEs behind it).

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use ring::{hmac, signature::KeyPair as _};
use serde_json::{Value, json};

use super::issuer::{ALGORITHMS, ISSUER, Issuer, Signer, b64, check, jwks, now, ordinary_claims, over};
use crate::oidc::{ClaimNames, Expected, JwksError, KeySet, MAX_TOKEN_CHARS, TokenError, verify};

/// A token whose signature is put there as it is.
fn raw(header: &Value, claims: &Value, signature: &[u8]) -> String {
    format!("{}.{}.{}", b64(header.to_string()), b64(claims.to_string()), b64(signature))
}

#[test]
fn no_signature_is_no_token() {
    let keys = Issuer::new("RS256").keys();
    for alg in ["none", "None", "NONE", "nOnE", "", "null"] {
        for signature in [&b""[..], b"x"] {
            let token = raw(&json!({"alg": alg, "kid": "k1"}), &ordinary_claims(), signature);
            assert_eq!(check(&token, &keys), Err(TokenError::Algorithm), "{alg}");
        }
    }
    for header in
        [json!({"kid": "k1"}), json!({"alg": null}), json!({"alg": 1}), json!({"alg": ["RS256", "none"]})]
    {
        assert_eq!(
            check(&raw(&header, &ordinary_claims(), b""), &keys),
            Err(TokenError::Algorithm),
            "{header}"
        );
    }
    for alg in ALGORITHMS {
        let token = raw(&json!({"alg": alg}), &ordinary_claims(), b"");
        assert_eq!(check(&token, &Issuer::new(alg).keys()), Err(TokenError::UnknownKey), "{alg}");
    }
}

/// The public key is known to all: as the key of an HMAC it would let anybody sign.
#[test]
fn the_public_key_is_no_shared_secret() {
    let issuer = Issuer::new("RS256");
    let Signer::Rsa(pair) = &issuer.signer else { unreachable!() };
    let der = pair.public().as_ref().to_vec();
    let pem = format!("-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n", b64(&der));
    let jwk = issuer.signer.named("k1").to_string();
    for (alg, method) in
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        for secret in [&der[..], pem.as_bytes(), jwk.as_bytes(), b""] {
            let message = raw(&json!({"alg": alg, "kid": "k1"}), &ordinary_claims(), b"");
            let message = message.trim_end_matches('.');
            let tag = hmac::sign(&hmac::Key::new(method, secret), message.as_bytes());
            let token = format!("{message}.{}", b64(tag));
            assert_eq!(check(&token, &issuer.keys()), Err(TokenError::Algorithm), "{alg}");
        }
    }
}

#[test]
fn the_name_of_a_key_is_compared_and_nothing_else() {
    let issuer = Issuer::new("ES256");
    let keys = issuer.keys();
    for kid in [
        "",
        "K1",
        "k1 ",
        " k1",
        "../../dev/null",
        "/dev/null",
        "k1\0",
        "' OR '1'='1",
        "k1' UNION SELECT 'x",
        "*",
    ] {
        let token = issuer.token_with(&json!({"kid": kid}), &json!({}));
        assert_eq!(check(&token, &keys), Err(TokenError::UnknownKey), "{kid}");
    }
    for kid in [json!(1), json!(["k1"]), json!({"k1": 1}), json!(true)] {
        let token = issuer.token_with(&json!({"kid": kid}), &json!({}));
        assert_eq!(check(&token, &keys), Err(TokenError::Malformed), "{kid}");
    }
}

/// The attacker signs properly, with a key that the token brings along or points at.
#[test]
fn keys_that_a_token_brings_are_not_looked_at() {
    let (issuer, attacker) = (Issuer::new("ES256"), Issuer::new("ES256"));
    let jwk = attacker.signer.named("k1");
    for header in [
        json!({"jwk": jwk}),
        json!({"jku": "https://evil.example/jwks.json"}),
        json!({"x5u": "https://evil.example/cert.pem"}),
        json!({"x5c": ["MIIB"]}),
        json!({"jwk": jwk, "jku": "https://evil.example/", "x5t": "AA", "x5t#S256": "AA"}),
    ] {
        let token = attacker.token_with(&header, &json!({}));
        assert_eq!(check(&token, &issuer.keys()), Err(TokenError::Signature), "{header}");
        let nameless = attacker.token_with(&over(header.clone(), &json!({"kid": null})), &json!({}));
        assert!(check(&nameless, &issuer.keys()).is_err(), "{header}");
    }
}

#[test]
fn critical_extensions_and_unencoded_payloads_are_refused() {
    let issuer = Issuer::new("ES256");
    for header in [
        json!({"crit": ["exp"], "exp": 1}),
        json!({"crit": []}),
        json!({"crit": "b64"}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"b64": false}),
        json!({"b64": "false"}),
    ] {
        assert_eq!(
            check(&issuer.token_with(&header, &json!({})), &issuer.keys()),
            Err(TokenError::Critical),
            "{header}"
        );
    }
    // RFC 7797: the payload as it is, between the dots.
    let header = b64(r#"{"alg":"ES256","kid":"k1","b64":false,"crit":["b64"]}"#);
    let message = format!("{header}.{}", ordinary_claims());
    let token = format!("{message}.{}", b64(issuer.signer.sign("ES256", message.as_bytes())));
    assert!(check(&token, &issuer.keys()).is_err());
}

#[test]
fn tokens_of_other_types_are_refused() {
    let issuer = Issuer::new("ES256");
    for typ in [
        json!("secevent+jwt"),
        json!("logout+jwt"),
        json!("dpop+jwt"),
        json!("application/secevent+jwt"),
        json!("JOSE"),
        json!(""),
        json!(1),
        json!(["JWT"]),
        json!("application/application/jwt"),
        json!("text/jwt"),
    ] {
        let token = issuer.token_with(&json!({"typ": typ}), &json!({}));
        assert_eq!(check(&token, &issuer.keys()), Err(TokenError::Type), "{typ}");
    }
    // Without a type, by what it says.
    for events in [json!({"http://schemas.openid.net/event/backchannel-logout": {}}), json!([]), json!(false)]
    {
        let token = issuer.token(&json!({"events": events}));
        assert_eq!(check(&token, &issuer.keys()), Err(TokenError::Type), "{events}");
    }
}

#[test]
fn what_is_longer_than_a_token_may_be_is_not_read() {
    let issuer = Issuer::new("ES256");
    let sized = |length: usize| issuer.token(&json!({"x": "x".repeat(length)}));
    let base = sized(0).len();
    let fits = (1..MAX_TOKEN_CHARS).rev().map(sized).find(|token| token.len() <= MAX_TOKEN_CHARS).unwrap();
    assert!(base < fits.len() && fits.len() >= MAX_TOKEN_CHARS - 1);
    assert!(check(&fits, &issuer.keys()).is_ok());
    assert_eq!(check(&sized(MAX_TOKEN_CHARS), &issuer.keys()), Err(TokenError::TooLong));
    assert_eq!(check(&".".repeat(10_000_000), &issuer.keys()), Err(TokenError::TooLong));
}

#[test]
fn members_that_stand_twice_are_refused() {
    let issuer = Issuer::new("ES256");
    let header = r#"{"alg":"ES256","kid":"k1"}"#;
    let claims = ordinary_claims().to_string();
    let twice = claims.replacen('{', r#"{"sub":"eve","#, 1);
    for (header, claims) in [
        (header, twice.as_str()),
        (r#"{"alg":"none","alg":"ES256","kid":"k1"}"#, &claims),
        (r#"{"alg":"ES256","kid":"k2","kid":"k1"}"#, &claims),
        (r#"{"alg":"ES256","kid":"k1","\u0061lg":"ES256"}"#, &claims),
    ] {
        assert_eq!(
            check(&issuer.signer.compact(header, claims), &issuer.keys()),
            Err(TokenError::Malformed),
            "{header}"
        );
    }
    assert!(check(&issuer.signer.compact(header, &claims), &issuer.keys()).is_ok());
}

#[test]
fn what_is_signed_must_be_an_object() {
    let issuer = Issuer::new("ES256");
    let header = r#"{"alg":"ES256","kid":"k1"}"#;
    for claims in ["", "null", "[]", "\"sub\"", "1", "{", "{} {}", "\u{feff}{}"] {
        assert_eq!(
            check(&issuer.signer.compact(header, claims), &issuer.keys()),
            Err(TokenError::Malformed),
            "{claims}"
        );
    }
}

/// One token, one spelling: what is cached by its digest and revoked by its name has no second form.
#[test]
fn base64_has_one_spelling_and_a_token_three_parts() {
    let issuer = Issuer::new("RS256");
    let keys = issuer.keys();
    let token = issuer.token(&json!({}));
    assert!(check(&token, &keys).is_ok());
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { unreachable!() };
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
    let padded = URL_SAFE.encode(&bytes);
    assert_ne!(padded, signature);
    let standard = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&bytes);
    assert_ne!(standard, signature);
    // The last character of 256 bytes carries four bits that mean nothing: another one there decodes to the same, if let.
    let mut loose = signature.to_owned();
    let last = loose.pop().unwrap();
    loose.push(char::from(last as u8 + 1));
    for other in [
        format!("{header}.{payload}.{padded}"),
        format!("{header}.{payload}.{standard}"),
        format!("{header}.{payload}.{loose}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}==.{signature}"),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{header}\n.{payload}.{signature}"),
        format!("{header}.{} {}.{signature}", &payload[..8], &payload[8..]),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{token}.e30.e30"),
        format!("{header}.{payload}"),
        format!("{header}..{signature}"),
        format!("{header}.{payload}."),
        header.to_owned(),
        String::new(),
        "..".to_owned(),
        format!("Bearer {token}"),
        format!("{}.{payload}.{signature}", "é".repeat(3)),
    ] {
        assert!(check(&other, &keys).is_err(), "{other}");
    }
    let json = json!({"protected": header, "payload": payload, "signature": signature}).to_string();
    assert_eq!(check(&json, &keys), Err(TokenError::Malformed), "JSON serialization");
}

#[test]
fn b070_a_changed_token_is_refused_wherever_it_was_changed() {
    for alg in ALGORITHMS {
        let issuer = Issuer::new(alg);
        let keys = issuer.keys();
        let token = issuer.token(&json!({}));
        for at in (0..token.len()).step_by(7) {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(check(&changed, &keys).is_err(), "{alg} at {at}");
        }
    }
}

/// CVE-2022-21449: r = s = 0 verified everything. And DER, which JWS does not use.
#[test]
fn signatures_of_zeros_and_in_der_are_refused() {
    for (alg, bytes) in [("ES256", 64), ("ES384", 96), ("EdDSA", 64), ("RS256", 256), ("PS256", 256)] {
        let issuer = Issuer::new(alg);
        let header = json!({"alg": alg, "kid": "k1"});
        for signature in [vec![0; bytes], vec![1; bytes], vec![255; bytes], vec![0; 1], vec![0; bytes * 2]] {
            let token = raw(&header, &ordinary_claims(), &signature);
            assert_eq!(
                check(&token, &issuer.keys()),
                Err(TokenError::Signature),
                "{alg} {}",
                signature.len()
            );
        }
    }
    let random = ring::rand::SystemRandom::new();
    let method = &ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let pkcs8 = ring::signature::EcdsaKeyPair::generate_pkcs8(method, &random).unwrap();
    let pair = ring::signature::EcdsaKeyPair::from_pkcs8(method, pkcs8.as_ref(), &random).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let keys = jwks(&[json!({"kty": "EC", "crv": "P-256", "kid": "k1", "x": b64(x), "y": b64(y)})]);
    let message = raw(&json!({"alg": "ES256", "kid": "k1"}), &ordinary_claims(), b"");
    let message = message.trim_end_matches('.');
    let der = pair.sign(&random, message.as_bytes()).unwrap();
    let token = format!("{message}.{}", b64(der));
    assert_eq!(check(&token, &KeySet::from_slice(keys.as_bytes()).unwrap()), Err(TokenError::Signature));
}

#[test]
fn keys_that_must_not_be_used_are_not() {
    let (rsa, ec, ed) = (Signer::new("RS256").jwk(), Signer::new("ES256").jwk(), Signer::new("EdDSA").jwk());
    let weak = b64([0xff; 128]);
    let just_short = b64([&[0x7f][..], &[0xff; 255]].concat());
    let huge = b64(vec![0xff; 1025]);
    for (key, change) in [
        (&rsa, json!({"n": weak})),
        (&rsa, json!({"n": just_short})),
        (&rsa, json!({"n": huge})),
        (&rsa, json!({"n": ""})),
        (&rsa, json!({"n": null})),
        (&rsa, json!({"n": 5})),
        (&rsa, json!({"e": "AQ"})),
        (&rsa, json!({"e": "Ag"})),
        (&rsa, json!({"e": ""})),
        (&rsa, json!({"e": "AQAAAAAAAQ"})),
        (&rsa, json!({"use": "enc"})),
        (&rsa, json!({"use": 1})),
        (&rsa, json!({"key_ops": ["encrypt"]})),
        (&rsa, json!({"key_ops": "verify"})),
        (&rsa, json!({"alg": "RSA-OAEP"})),
        (&rsa, json!({"alg": "HS256"})),
        (&rsa, json!({"alg": "none"})),
        (&rsa, json!({"alg": "ES256"})),
        (&rsa, json!({"kty": "oct", "k": "AAAA"})),
        (&rsa, json!({"kty": null})),
        (&rsa, json!({"kid": 1})),
        (&rsa, json!({"kid": "k".repeat(257)})),
        (&rsa, json!({"d": "AAAA"})),
        (&rsa, json!({"p": "AAAA", "q": "AAAA"})),
        (&ec, json!({"d": "AAAA"})),
        (&ec, json!({"crv": "P-384"})),
        (&ec, json!({"crv": "secp256k1"})),
        (&ec, json!({"crv": null})),
        (&ec, json!({"x": "AAAA"})),
        (&ec, json!({"y": null})),
        (&ec, json!({"alg": "ES384"})),
        (&ed, json!({"crv": "X25519"})),
        (&ed, json!({"crv": "Ed448"})),
        (&ed, json!({"x": "AAAA"})),
    ] {
        let set = jwks(&[over(key.clone(), &change)]);
        assert_eq!(KeySet::from_slice(set.as_bytes()), Err(JwksError::NoUsableKey), "{change}");
    }
    // A point that is not on the curve is found out with the first signature.
    let set = jwks(&[over(ec, &json!({"y": b64([7; 32]), "kid": "k1"}))]);
    let keys = KeySet::from_slice(set.as_bytes()).unwrap();
    assert_eq!(check(&Issuer::new("ES256").token(&json!({})), &keys), Err(TokenError::Signature));
}

#[test]
fn sets_that_lie_are_refused() {
    let key = Signer::new("ES256").jwk();
    for set in ["", "[]", "{}", "<html>", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(KeySet::from_slice(set.as_bytes()), Err(JwksError::Malformed), "{set}");
    }
    assert_eq!(KeySet::from_slice(br#"{"keys":[]}"#), Err(JwksError::NoUsableKey));
    let many: Vec<_> = (0..101).map(|n| over(key.clone(), &json!({"kid": n.to_string()}))).collect();
    assert_eq!(KeySet::from_slice(jwks(&many).as_bytes()), Err(JwksError::TooMany));
    assert_eq!(KeySet::from_slice(jwks(&many[..100]).as_bytes()).unwrap().len(), 100);
    // Ten thousand copies of one are too many, too.
    assert_eq!(KeySet::from_slice(jwks(&vec![key; 10_000]).as_bytes()), Err(JwksError::TooMany));
}

#[test]
fn b070_the_issuer_is_compared_to_the_letter() {
    let issuer = Issuer::new("ES256");
    let names = ClaimNames::default();
    for (iss, expected) in [
        (json!("https://idp.example.com/"), TokenError::Issuer),
        (json!("https://IDP.example.com"), TokenError::Issuer),
        (json!("http://idp.example.com"), TokenError::Issuer),
        (json!("https://idp.example.com.evil.example"), TokenError::Issuer),
        (json!(""), TokenError::Issuer),
        (json!([ISSUER]), TokenError::Claim("iss")),
        (json!(null), TokenError::Claim("iss")),
    ] {
        assert_eq!(check(&issuer.token(&json!({"iss": iss})), &issuer.keys()), Err(expected), "{iss}");
    }
    let with_slash = format!("{ISSUER}/");
    let expected = Expected { issuer: &with_slash, audience: None, client_id: None, claims: &names };
    let taken =
        |iss: &str| verify(&issuer.token(&json!({"iss": iss})), &issuer.keys(), &expected, now()).is_ok();
    assert!(taken(&with_slash) && !taken(ISSUER));
}
