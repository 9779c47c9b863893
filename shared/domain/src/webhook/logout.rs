//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.4). The token's signature, issuer, audience and times
//! are checked before, by module `oidc`; here is what section 2.6 asks for beyond them, steps 4 to 7.

use serde_json::{Map, Value};

use super::{Change, IdpEvent, Malformed, fields::Fields};

/// The member of `events` that makes a JWT a logout token.
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The event of a logout token's claims.
pub fn parse(claims: &Map<String, Value>) -> Result<IdpEvent, Malformed> {
    let claims = Fields::new(claims);
    // An ID token has a nonce and no events: it must not pass for a logout token, nor the other way round.
    if claims.has("nonce") {
        return Err(Malformed::Forbidden("nonce"));
    }
    claims.required_object("events")?.required_object(LOGOUT)?;
    let (sub, sid) = (claims.subject("sub")?, claims.subject("sid")?);
    if sub.is_none() && sid.is_none() {
        return Err(Malformed::Missing("sub"));
    }
    let at = claims.unix_time("iat")?.ok_or(Malformed::Missing("iat"))?;
    Ok(IdpEvent {
        id: claims.required_event_id("jti")?,
        at: Some(at),
        change: Change::LoggedOut { sub, sid },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token() -> Value {
        json!({
            "iss": "https://idp.example.com/", "aud": "client", "iat": 1_795_341_600, "exp": 1_795_341_720,
            "jti": "bWJq", "sub": "ada", "sid": "08a5019c-17e1-4977-8f42-65a12843ea02", "events": { LOGOUT: {} },
        })
    }

    fn with(change: impl FnOnce(&mut Map<String, Value>)) -> Result<IdpEvent, Malformed> {
        let mut claims = token().as_object().unwrap().clone();
        change(&mut claims);
        parse(&claims)
    }

    #[test]
    fn a_logout_token_names_a_person_a_session_or_both() {
        let event = with(|_| ()).unwrap();
        assert_eq!(event.id, "bWJq");
        assert_eq!(event.at, Some("2026-11-22T10:00:00Z".parse().unwrap()));
        let sub = || Some("ada".to_owned());
        let sid = || Some("08a5019c-17e1-4977-8f42-65a12843ea02".to_owned());
        assert_eq!(event.change, Change::LoggedOut { sub: sub(), sid: sid() });
        let person = with(|claims| drop(claims.remove("sid"))).unwrap().change;
        assert_eq!(person, Change::LoggedOut { sub: sub(), sid: None });
        let session = with(|claims| drop(claims.remove("sub"))).unwrap().change;
        assert_eq!(session, Change::LoggedOut { sub: None, sid: sid() });
    }

    #[test]
    fn what_is_no_logout_token_is_refused() {
        let set = |name: &'static str, value: Value| {
            with(move |claims| drop(claims.insert(name.to_owned(), value)))
        };
        assert_eq!(set("nonce", json!("n")), Err(Malformed::Forbidden("nonce")));
        assert_eq!(set("nonce", json!(null)), Err(Malformed::Forbidden("nonce")));
        assert_eq!(set("events", json!(null)), Err(Malformed::Missing("events")));
        assert_eq!(set("events", json!([LOGOUT])), Err(Malformed::WrongType("events")));
        assert_eq!(set("events", json!({})), Err(Malformed::Missing(LOGOUT)));
        assert_eq!(set("events", json!({ LOGOUT: true })), Err(Malformed::WrongType(LOGOUT)));
        let https = LOGOUT.replace("http:", "https:");
        assert_eq!(set("events", json!({ https: {} })), Err(Malformed::Missing(LOGOUT)));
        for name in ["jti", "iat"] {
            assert_eq!(with(|claims| drop(claims.remove(name))), Err(Malformed::Missing(name)));
        }
        let nobody = with(|claims| {
            claims.remove("sub");
            claims.remove("sid");
        });
        assert_eq!(nobody, Err(Malformed::Missing("sub")));
        assert_eq!(set("sub", json!(7)), Err(Malformed::WrongType("sub")));
        assert_eq!(set("sid", json!({})), Err(Malformed::WrongType("sid")));
        assert_eq!(set("iat", json!("now")), Err(Malformed::WrongType("iat")));
    }
}
