//! Whom a token is for, and whom it names.

use serde_json::{Value, json};

use super::issuer::{ISSUER, Issuer, now};
use crate::oidc::{ClaimNameError, ClaimNames, Expected, TokenError, Verified, verify};

fn names(user_id: &str, groups: Option<&str>, roles: Option<&str>) -> ClaimNames {
    ClaimNames::new(user_id.to_owned(), groups.map(str::to_owned), roles.map(str::to_owned)).unwrap()
}

fn with_names(issuer: &Issuer, names: &ClaimNames, claims: &Value) -> Result<Verified, TokenError> {
    let expected = Expected { issuer: ISSUER, audience: None, client_id: None, claims: names };
    verify(&issuer.token(claims), &issuer.keys(), &expected, now())
}

#[test]
fn b070_the_audience_must_be_the_configured_one_or_our_own_client() {
    let issuer = Issuer::new("ES256");
    let names = ClaimNames::default();
    let (keys, ok) = (issuer.keys(), Ok(()));
    let wrong = Err(TokenError::Audience);
    let party = Err(TokenError::AuthorizedParty);
    for (audience, client_id, claims, result) in [
        (None, None, json!({"aud": null}), ok),
        (None, Some("vault"), json!({"aud": "whatever"}), ok),
        (Some("api"), None, json!({"aud": "api"}), ok),
        (Some("api"), None, json!({"aud": ["other", "api"]}), ok),
        (Some("api"), None, json!({"aud": ["other", "api"], "azp": "spa"}), ok),
        (Some("api"), None, json!({"aud": null}), wrong),
        (Some("api"), None, json!({"aud": []}), wrong),
        (Some("api"), None, json!({"aud": "API"}), wrong),
        (Some("api"), None, json!({"aud": "api/"}), wrong),
        (Some("api"), None, json!({"aud": ["ap", "i"]}), wrong),
        (Some("api"), None, json!({"aud": "vault", "azp": "vault"}), wrong),
        (Some("api"), None, json!({"aud": {"api": 1}}), Err(TokenError::Claim("aud"))),
        (Some("api"), None, json!({"aud": ["api", 1]}), Err(TokenError::Claim("aud"))),
        (None, None, json!({"aud": 7}), Err(TokenError::Claim("aud"))),
        (Some("api"), Some("vault"), json!({"aud": "vault"}), ok),
        (Some("api"), Some("vault"), json!({"aud": ["vault", "api"], "azp": "spa"}), ok),
        (Some("api"), Some("vault"), json!({"aud": ["vault", "x"]}), party),
        (Some("api"), Some("vault"), json!({"aud": ["vault", "x"], "azp": "spa"}), party),
        (Some("api"), Some("vault"), json!({"aud": ["vault", "x"], "azp": ["vault"]}), party),
        (Some("api"), Some("vault"), json!({"aud": ["vault", "x"], "azp": "vault"}), ok),
        (Some("api"), Some("vault"), json!({"aud": "x", "azp": "vault"}), wrong),
        // An ID token for sign-in: the audience is the client.
        (Some("vault"), Some("vault"), json!({"aud": "vault"}), ok),
        (Some("vault"), Some("vault"), json!({"aud": ["vault", "x"]}), party),
        (Some("vault"), Some("vault"), json!({"aud": "api"}), wrong),
    ] {
        let expected = Expected { issuer: ISSUER, audience, client_id, claims: &names };
        let verified = verify(&issuer.token(&claims), &keys, &expected, now()).map(drop);
        assert_eq!(verified, result, "{audience:?} {client_id:?} {claims}");
    }
}

#[test]
fn a_token_without_what_it_needs_is_refused() {
    let issuer = Issuer::new("ES256");
    let names = ClaimNames::default();
    for (claims, what) in [
        (json!({"exp": null}), "exp"),
        (json!({"exp": "1900000000"}), "exp"),
        (json!({"exp": [1_900_000_000]}), "exp"),
        (json!({"exp": true}), "exp"),
        (json!({"nbf": "0"}), "nbf"),
        (json!({"iat": "0"}), "iat"),
        (json!({"iat": {}}), "iat"),
        (json!({"sub": null}), "sub"),
        (json!({"sub": ""}), "sub"),
        (json!({"sub": 7}), "sub"),
        (json!({"sub": ["ada"]}), "sub"),
        (json!({"sub": "a\u{0}da"}), "sub"),
        (json!({"sub": "a\nda"}), "sub"),
        (json!({"sub": "a".repeat(1025)}), "sub"),
    ] {
        assert_eq!(with_names(&issuer, &names, &claims), Err(TokenError::Claim(what)), "{claims}");
    }
}

#[test]
fn the_users_id_is_the_claim_of_that_very_name() {
    let issuer = Issuer::new("ES256");
    let subject = |name: &str, claims: &Value| {
        with_names(&issuer, &names(name, None, None), claims).map(|verified| verified.subject)
    };
    let absent = Err(TokenError::Claim("user id"));
    assert_eq!(subject("oid", &json!({"oid": "7-7"})), Ok("7-7".to_owned()));
    assert_eq!(subject("oid", &json!({})), absent, "`sub` is no substitute");
    assert_eq!(subject("oid", &json!({"OID": "7-7"})), absent);
    assert_eq!(subject("oid", &json!({"oid": 7})), absent);
    assert_eq!(subject("https://a.example/id", &json!({"https://a.example/id": "x"})), Ok("x".to_owned()));
    assert_eq!(subject("user.id", &json!({"user": {"id": "x"}})), Ok("x".to_owned()));
    // The exact name goes first, even if what stands there cannot be used.
    let both = json!({"user.id": "exact", "user": {"id": "nested"}});
    assert_eq!(subject("user.id", &both), Ok("exact".to_owned()));
    assert_eq!(subject("user.id", &json!({"user.id": 1, "user": {"id": "nested"}})), absent);
    assert_eq!(subject("user.id", &json!({"user": "x"})), absent);
    assert_eq!(subject("a.b", &json!({"a": ["x", "y"]})), absent);
}

/// Anybody can register with anybody's address.
#[test]
fn an_address_that_is_known_to_be_unverified_is_nobodys_id() {
    let issuer = Issuer::new("ES256");
    let by_email = names("email", None, None);
    let refused = Err(TokenError::EmailNotVerified);
    for no in [json!(false), json!("false")] {
        let claims = json!({"email": "ada@example.com", "email_verified": no});
        assert_eq!(with_names(&issuer, &by_email, &claims), refused);
        assert!(with_names(&issuer, &ClaimNames::default(), &claims).is_ok(), "it is no id there");
    }
    for yes in [json!(null), json!(true), json!("true")] {
        let claims = json!({"email": "ada@example.com", "email_verified": yes});
        assert_eq!(with_names(&issuer, &by_email, &claims).unwrap().subject, "ada@example.com");
    }
}

#[test]
fn groups_come_in_the_shapes_that_products_write() {
    let issuer = Issuer::new("ES256");
    let names = names("sub", Some("groups"), None);
    let groups =
        |value: Value| with_names(&issuer, &names, &json!({"groups": value})).map(|verified| verified.groups);
    let list = |names: &[&str]| Ok(Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()));
    assert_eq!(groups(json!(["b", "a", "a"])), list(&["a", "b"]));
    assert_eq!(groups(json!([])), list(&[]));
    assert_eq!(groups(json!("org:admin")), list(&["org:admin"]));
    assert_eq!(groups(json!("with two words")), list(&["with two words"]));
    assert_eq!(groups(json!("")), list(&[]));
    assert_eq!(groups(json!({"acme": {"id": "1"}, "zeta": {}})), list(&["acme", "zeta"]));
    assert_eq!(groups(json!(null)), Ok(None), "absent");
    let refused = Err(TokenError::Claim("groups"));
    for value in [json!(7), json!(true), json!([1]), json!(["a", null]), json!([["a"]]), json!(["a\nb"])] {
        assert_eq!(groups(value.clone()), refused, "{value}");
    }
    let unset =
        with_names(&issuer, &ClaimNames::default(), &json!({"groups": ["a"], "roles": ["b"]})).unwrap();
    assert_eq!((unset.groups, unset.roles), (None, None));
}

#[test]
fn a_profile_that_cannot_be_shown_keeps_nobody_out() {
    let issuer = Issuer::new("ES256");
    for claims in [
        json!({"email": 7, "name": ["x"], "email_verified": "maybe"}),
        json!({"email": "", "name": "  "}),
        json!({"email": "a@b\r\nBcc: x", "name": "x".repeat(321)}),
        json!({"email": {}, "name": "\u{1b}[31m", "nonce": 7, "sid": "", "auth_time": "x", "azp": []}),
    ] {
        let verified = with_names(&issuer, &ClaimNames::default(), &claims).unwrap();
        assert_eq!((verified.email, verified.name, verified.email_verified), (None, None, None), "{claims}");
        assert_eq!((verified.nonce, verified.session_id, verified.authenticated_at), (None, None, None));
    }
}

#[test]
fn names_of_claims_are_bounded_when_made_and_when_read() {
    let long = "x".repeat(257);
    for name in ["", long.as_str(), "a\nb", "\u{0}"] {
        assert_eq!(ClaimNames::new(name.to_owned(), None, None), Err(ClaimNameError), "{name}");
        assert_eq!(ClaimNames::new("sub".to_owned(), Some(name.to_owned()), None), Err(ClaimNameError));
        assert_eq!(ClaimNames::new("sub".to_owned(), None, Some(name.to_owned())), Err(ClaimNameError));
        assert!(serde_json::from_value::<ClaimNames>(json!({"user_id": name})).is_err());
    }
    assert!(ClaimNames::new("é".repeat(256), None, None).is_ok());
    for names in [ClaimNames::default(), names("https://a.example/id", Some("g"), Some("r.s"))] {
        let json = serde_json::to_string(&names).unwrap();
        assert_eq!(serde_json::from_str::<ClaimNames>(&json).unwrap(), names);
    }
    assert_eq!(serde_json::to_string(&ClaimNames::default()).unwrap(), r#"{"user_id":"sub"}"#);
}
