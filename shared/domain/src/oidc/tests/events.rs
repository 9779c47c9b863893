//! Security event tokens and logout tokens.

use serde_json::{Value, json};

use super::issuer::{ISSUER, Issuer, check, now, over};
use crate::oidc::{EventKind, EventToken, ExpectedEvent, TokenError, verify_event_token};

const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

fn secevent(issuer: &Issuer, header: &Value, claims: &Value) -> String {
    let event = json!({"exp": null, "sub": null, "jti": "e-1", "events": {REVOKED: {"event_timestamp": 1}},
        "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "ada"}});
    issuer.token_with(&over(json!({"typ": "secevent+jwt"}), header), &keeping_null(event, claims))
}

fn logout(issuer: &Issuer, header: &Value, claims: &Value) -> String {
    let event = json!({"jti": "l-1", "aud": "vault", "sid": "s-1", "events": {EventToken::LOGOUT: {}}});
    issuer.token_with(&keeping_null(json!({"typ": "logout+jwt"}), header), &keeping_null(event, claims))
}

/// Members of `above` over those of `below`, nulls too: they take away further down.
fn keeping_null(mut below: Value, above: &Value) -> Value {
    let members = below.as_object_mut().unwrap();
    members.extend(above.as_object().unwrap().clone());
    below
}

fn read(issuer: &Issuer, kind: EventKind, token: &str) -> Result<EventToken, TokenError> {
    let audiences: &[&str] = if kind == EventKind::Logout { &["vault"] } else { &["other", "api"] };
    verify_event_token(token, &issuer.keys(), &ExpectedEvent { kind, issuer: ISSUER, audiences }, now())
}

#[test]
fn a_security_event_is_read() {
    let issuer = Issuer::new("RS256");
    let token = read(&issuer, EventKind::SecurityEvent, &secevent(&issuer, &json!({}), &json!({}))).unwrap();
    assert_eq!((token.id.as_str(), token.issued_at), ("e-1", now().as_second() - 10));
    assert_eq!(token.events.keys().collect::<Vec<_>>(), [REVOKED]);
    assert_eq!(token.claims["sub_id"]["sub"], "ada");
    let typed = secevent(&issuer, &json!({"typ": "application/SecEvent+JWT"}), &json!({"aud": ["x", "api"]}));
    assert!(read(&issuer, EventKind::SecurityEvent, &typed).is_ok());
    // Delivered late, it is no less true.
    let late = secevent(&issuer, &json!({}), &json!({"iat": now().as_second() - 86_400 * 7}));
    assert!(read(&issuer, EventKind::SecurityEvent, &late).is_ok());
}

#[test]
fn a_logout_token_is_read_with_or_without_its_type() {
    let issuer = Issuer::new("ES256");
    for typ in [json!("logout+jwt"), json!("JWT"), json!(null)] {
        let token = logout(&issuer, &json!({"typ": typ}), &json!({}));
        let token = read(&issuer, EventKind::Logout, &token).unwrap();
        assert_eq!((token.id.as_str(), &token.claims["sid"]), ("l-1", &json!("s-1")));
    }
    assert!(read(&issuer, EventKind::Logout, &logout(&issuer, &json!({}), &json!({"sub": null}))).is_ok());
    assert!(read(&issuer, EventKind::Logout, &logout(&issuer, &json!({}), &json!({"sid": null}))).is_ok());
}

#[test]
fn neither_passes_for_the_other_nor_for_a_user() {
    let issuer = Issuer::new("ES256");
    let event = secevent(&issuer, &json!({}), &json!({"sub": "ada", "exp": now().as_second() + 300}));
    let out = logout(&issuer, &json!({}), &json!({"sub": "ada", "aud": ["vault", "api"]}));
    let bare = logout(&issuer, &json!({"typ": null}), &json!({"sub": "ada", "aud": ["vault", "api"]}));
    let user = issuer.token(&json!({"jti": "u-1", "aud": ["vault", "api"]}));
    for token in [&event, &out, &bare] {
        assert_eq!(check(token, &issuer.keys()), Err(TokenError::Type));
    }
    assert_eq!(read(&issuer, EventKind::Logout, &event), Err(TokenError::Type));
    for token in [&out, &bare, &user] {
        assert_eq!(read(&issuer, EventKind::SecurityEvent, token), Err(TokenError::Type));
    }
    assert_eq!(read(&issuer, EventKind::Logout, &user), Err(TokenError::Claim("events")));
}

#[test]
fn what_no_honest_transmitter_sends_is_refused() {
    let issuer = Issuer::new("ES256");
    let claim = TokenError::Claim;
    for (claims, error) in [
        (json!({"iss": "https://other.example"}), TokenError::Issuer),
        (json!({"aud": "elsewhere"}), TokenError::Audience),
        (json!({"aud": null}), TokenError::Audience),
        (json!({"aud": 7}), claim("aud")),
        (json!({"iat": null}), claim("iat")),
        (json!({"iat": now().as_second() + 61}), TokenError::NotYetValid),
        (json!({"exp": now().as_second() - 60}), TokenError::Expired),
        (json!({"jti": null}), claim("jti")),
        (json!({"jti": ""}), claim("jti")),
        (json!({"jti": 7}), claim("jti")),
        (json!({"events": null}), claim("events")),
        (json!({"events": {}}), claim("events")),
        (json!({"events": [EventToken::LOGOUT]}), claim("events")),
        (json!({"events": {EventToken::LOGOUT: 1}}), claim("events")),
    ] {
        let token = secevent(&issuer, &json!({}), &claims);
        assert_eq!(read(&issuer, EventKind::SecurityEvent, &token), Err(error), "{claims}");
        let token = logout(&issuer, &json!({}), &claims);
        assert_eq!(read(&issuer, EventKind::Logout, &token), Err(error), "{claims}");
    }
    for (claims, error) in [
        (json!({"events": {REVOKED: {}}}), claim("events")),
        (json!({"nonce": "n"}), claim("nonce")),
        (json!({"nonce": null, "sub": null, "sid": null}), claim("sub")),
        (json!({"sub": 7}), claim("sub")),
        (json!({"sid": ""}), claim("sid")),
        (json!({"exp": null}), claim("exp")),
    ] {
        let token = logout(&issuer, &json!({}), &claims);
        assert_eq!(read(&issuer, EventKind::Logout, &token), Err(error), "{claims}");
    }
    for header in
        [json!({"typ": null}), json!({"typ": "JWT"}), json!({"alg": "none"}), json!({"crit": ["x"]})]
    {
        let token = secevent(&issuer, &header, &json!({}));
        assert!(read(&issuer, EventKind::SecurityEvent, &token).is_err(), "{header}");
    }
    let forged = secevent(&Issuer::new("ES256"), &json!({}), &json!({}));
    assert_eq!(read(&issuer, EventKind::SecurityEvent, &forged), Err(TokenError::Signature));
    let token = secevent(&issuer, &json!({}), &json!({}));
    let nobody = ExpectedEvent { kind: EventKind::SecurityEvent, issuer: ISSUER, audiences: &[] };
    assert_eq!(verify_event_token(&token, &issuer.keys(), &nobody, now()), Err(TokenError::Audience));
}
