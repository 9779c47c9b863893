//! Security Event Tokens (RFC 8417) of OpenID Shared Signals transmitters, pushed as in RFC 8935: CAEP session-revoked,
//! RISC account-disabled, account-enabled and account-purged.
//!
//! The token's signature, issuer, audience and type are checked before, by module `oidc`; here its claims become events.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Change, IdpEvent, Malformed, fields::Fields, ignored};

/// Where the event types' URIs begin; drafts of the standards had other paths, and transmitters still send them.
const SCHEMAS: &str = "https://schemas.openid.net/secevent/";
/// The most events of one token; the specification of Shared Signals asks for one.
const MAX_EVENTS: usize = 8;

/// What the URI of an event type means to the vault.
#[derive(Clone, Copy)]
enum Kind {
    Deleted,
    Suspended,
    Restored,
    SessionsRevoked,
    Verification,
}

/// The events of a token's claims. `issuer` is the identity provider's: a subject of another issuer is nobody the vault
/// knows.
pub fn parse(claims: &Map<String, Value>, issuer: &str) -> Result<Vec<IdpEvent>, Malformed> {
    let claims = Fields::new(claims);
    let id = claims.required_event_id("jti")?;
    let events = claims.required_object("events")?.entries("events")?;
    if events.is_empty() {
        return Err(Malformed::Missing("events"));
    }
    if events.len() > MAX_EVENTS {
        return Err(Malformed::TooMany);
    }
    let mut parsed = Vec::with_capacity(events.len());
    for (number, (uri, event)) in events.into_iter().enumerate() {
        let change = match kind(uri) {
            None => ignored(uri),
            Some(Kind::Verification) => Change::Verification,
            Some(kind) => change(kind, uri, subject(claims, event, issuer)?),
        };
        let id = if number == 0 { id.clone() } else { format!("{id}.{number}") };
        parsed.push(IdpEvent { id, at: happened_at(claims, event)?, change });
    }
    Ok(parsed)
}

fn kind(uri: &str) -> Option<Kind> {
    match uri.strip_prefix(SCHEMAS)? {
        "risc/event-type/account-purged" => Some(Kind::Deleted),
        "risc/event-type/account-disabled" => Some(Kind::Suspended),
        "risc/event-type/account-enabled" => Some(Kind::Restored),
        "caep/event-type/session-revoked"
        | "risc/event-type/sessions-revoked"
        | "oauth/event-type/tokens-revoked" => Some(Kind::SessionsRevoked),
        "ssf/event-type/verification" | "sse/event-type/verification" | "risc/event-type/verification" => {
            Some(Kind::Verification)
        }
        _ => None,
    }
}

fn change(kind: Kind, uri: &str, subject: Subject) -> Change {
    let sub = match subject {
        Subject::Person(sub) => sub,
        Subject::Unknown(why) => return ignored(&format!("{uri} of a subject {why}")),
    };
    match kind {
        Kind::Deleted => Change::Deleted { sub },
        Kind::Suspended => Change::Suspended { sub },
        Kind::Restored => Change::Restored { sub },
        Kind::SessionsRevoked => Change::SessionsRevoked { sub },
        Kind::Verification => Change::Verification,
    }
}

/// The event's own time, else the token's time of event (`toe`), else the time of issue.
fn happened_at(claims: Fields<'_>, event: Fields<'_>) -> Result<Option<Timestamp>, Malformed> {
    for (fields, name) in [(event, "event_timestamp"), (claims, "toe"), (claims, "iat")] {
        if let Some(at) = fields.unix_time(name)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

#[derive(PartialEq)]
enum Subject {
    Person(String),
    /// Nobody that the vault can name; the text completes "of a subject …".
    Unknown(&'static str),
}

/// The subject of the token (`sub_id`, RFC 9493 section 4.1), or of the event as in the drafts. Two that differ are
/// refused: one of them would be the wrong person.
fn subject(claims: Fields<'_>, event: Fields<'_>, issuer: &str) -> Result<Subject, Malformed> {
    let of = |fields: Fields<'_>, name| fields.object(name)?.map(|id| identified(id, issuer)).transpose();
    match (of(claims, "sub_id")?, of(event, "subject")?) {
        (Some(outer), Some(inner)) if outer != inner => Err(Malformed::Contradiction("subject")),
        (Some(subject), _) | (None, Some(subject)) => Ok(subject),
        (None, None) => Err(Malformed::Missing("sub_id")),
    }
}

/// A subject identifier (RFC 9493 section 3), or several together of which one is the user.
fn identified(id: Fields<'_>, issuer: &str) -> Result<Subject, Malformed> {
    match format(id)? {
        Some("complex") | None => match id.object("user")? {
            // One level only: a user is no complex subject.
            Some(user) => simple(user, issuer),
            None => Ok(Subject::Unknown("that names no user")),
        },
        Some(_) => simple(id, issuer),
    }
}

fn simple(id: Fields<'_>, issuer: &str) -> Result<Subject, Malformed> {
    match format(id)? {
        Some("iss_sub" | "iss-sub") => {
            let named = id.required_name("iss")?;
            let sub = id.required_subject("sub")?;
            Ok(if named == issuer { Subject::Person(sub) } else { Subject::Unknown("of another issuer") })
        }
        Some("opaque") => Ok(Subject::Person(id.required_subject("id")?)),
        // An address is not who somebody is: it can be given to the next person.
        Some("email") => Ok(Subject::Unknown("that is an e-mail address")),
        Some(_) => Ok(Subject::Unknown("in another format")),
        None => Err(Malformed::Missing("format")),
    }
}

/// `format`, which drafts called `subject_type`.
fn format(id: Fields<'_>) -> Result<Option<&str>, Malformed> {
    match id.name("format")? {
        Some(format) => Ok(Some(format)),
        None => id.name("subject_type"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://idp.example.com/";
    const DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
    const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

    fn parsed(claims: &Value) -> Result<Vec<IdpEvent>, Malformed> {
        parse(claims.as_object().unwrap(), ISSUER)
    }

    fn one(uri: &str, sub_id: &Value) -> Result<Change, Malformed> {
        let claims = json!({ "jti": "t1", "iat": 1_795_341_600, "sub_id": sub_id, "events": { uri: {} } });
        parsed(&claims).map(|mut events| events.remove(0).change)
    }

    fn ada() -> Value {
        json!({ "format": "iss_sub", "iss": ISSUER, "sub": "ada" })
    }

    #[test]
    fn the_standards_events_act() {
        let sub = || "ada".to_owned();
        for (path, change) in [
            ("risc/event-type/account-purged", Change::Deleted { sub: sub() }),
            ("risc/event-type/account-disabled", Change::Suspended { sub: sub() }),
            ("risc/event-type/account-enabled", Change::Restored { sub: sub() }),
            ("risc/event-type/sessions-revoked", Change::SessionsRevoked { sub: sub() }),
            ("oauth/event-type/tokens-revoked", Change::SessionsRevoked { sub: sub() }),
            ("caep/event-type/session-revoked", Change::SessionsRevoked { sub: sub() }),
        ] {
            assert_eq!(one(&format!("{SCHEMAS}{path}"), &ada()), Ok(change), "{path}");
        }
        for other in [
            "https://schemas.openid.net/secevent/caep/event-type/credential-change",
            "https://schemas.openid.net/secevent/risc/event-type/credential-compromise",
            "https://schemas.openid.net/secevent/ssf/event-type/stream-updated",
            "https://schemas.openid.net/secevent/risc/event-type/account-disabled/",
            "http://schemas.openid.net/secevent/risc/event-type/account-disabled",
            "https://example.com/event-type/account-disabled",
        ] {
            assert_eq!(one(other, &ada()), Ok(ignored(other)));
        }
    }

    #[test]
    fn a_verification_needs_no_subject_of_ours() {
        for path in ["ssf", "sse", "risc"] {
            let uri = format!("{SCHEMAS}{path}/event-type/verification");
            let claims = json!({
                "jti": "t1", "iat": 1_795_341_600, "sub_id": { "format": "opaque", "id": "stream-1" },
                "events": { uri: { "state": "c2Vzc2lvbg" } },
            });
            let events = parsed(&claims).unwrap();
            assert_eq!(events[0].change, Change::Verification);
            assert_eq!(events[0].at, Some("2026-11-22T10:00:00Z".parse().unwrap()));
        }
    }

    #[test]
    fn subjects_in_every_form() {
        let act = |id: &str| Ok(Change::Suspended { sub: id.to_owned() });
        let ignore = |why: &str| Ok(ignored(&format!("{DISABLED} of a subject {why}")));
        let stranger = json!({ "format": "iss_sub", "iss": "https://other.example.com/", "sub": "ada" });
        for (id, expected) in [
            (ada(), act("ada")),
            (json!({ "subject_type": "iss-sub", "iss": ISSUER, "sub": "ada" }), act("ada")),
            (json!({ "subject_type": "iss_sub", "iss": ISSUER, "sub": "ada" }), act("ada")),
            (json!({ "format": "opaque", "id": "ada" }), act("ada")),
            (
                json!({ "format": "complex", "user": ada(), "device": { "format": "opaque", "id": "d" } }),
                act("ada"),
            ),
            (json!({ "user": ada(), "tenant": { "format": "opaque", "id": "t" } }), act("ada")),
            (stranger.clone(), ignore("of another issuer")),
            (json!({ "format": "complex", "user": stranger }), ignore("of another issuer")),
            (
                json!({ "format": "iss_sub", "iss": "https://idp.example.com", "sub": "ada" }),
                ignore("of another issuer"),
            ),
            (json!({ "format": "email", "email": "ada@example.com" }), ignore("that is an e-mail address")),
            (json!({ "format": "phone_number", "phone_number": "+1" }), ignore("in another format")),
            (
                json!({ "format": "complex", "session": { "format": "opaque", "id": "s" } }),
                ignore("that names no user"),
            ),
            (json!({ "format": "iss_sub", "iss": ISSUER }), Err(Malformed::Missing("sub"))),
            (json!({ "format": "iss_sub", "sub": "ada" }), Err(Malformed::Missing("iss"))),
            (json!({ "format": "opaque" }), Err(Malformed::Missing("id"))),
            (json!({ "format": "complex", "user": { "user": ada() } }), Err(Malformed::Missing("format"))),
            (json!({ "format": 1 }), Err(Malformed::WrongType("format"))),
            (json!("ada"), Err(Malformed::WrongType("sub_id"))),
            (json!(null), Err(Malformed::Missing("sub_id"))),
        ] {
            assert_eq!(one(DISABLED, &id), expected, "{id}");
        }
    }

    #[test]
    fn a_subject_in_the_event_counts_unless_it_is_another() {
        let claims = |sub_id: Value, subject: Value| {
            let event = json!({ "subject": subject });
            parsed(&json!({ "jti": "t1", "sub_id": sub_id, "events": { REVOKED: event } }))
        };
        let other = json!({ "format": "iss_sub", "iss": ISSUER, "sub": "bob" });
        let expected = Change::SessionsRevoked { sub: "ada".to_owned() };
        assert_eq!(claims(Value::Null, ada()).unwrap()[0].change, expected);
        assert_eq!(claims(ada(), ada()).unwrap()[0].change, expected);
        assert_eq!(claims(ada(), other), Err(Malformed::Contradiction("subject")));
    }

    #[test]
    fn the_time_is_the_events_own_if_it_has_one() {
        let at = |event: Value, toe: Value| {
            let claims = json!({
                "jti": "t1", "iat": 1_795_341_600, "toe": toe, "sub_id": ada(), "events": { REVOKED: event },
            });
            parsed(&claims).map(|events| events[0].at.unwrap().to_string())
        };
        let seconds = json!({ "event_timestamp": 1_795_341_500 });
        let millis = json!({ "event_timestamp": 1_795_341_500_250_i64 });
        assert_eq!(at(seconds, json!(null)).unwrap(), "2026-11-22T09:58:20Z");
        assert_eq!(at(millis, json!(1_795_341_550)).unwrap(), "2026-11-22T09:58:20.25Z");
        assert_eq!(at(json!({}), json!(1_795_341_550)).unwrap(), "2026-11-22T09:59:10Z");
        assert_eq!(at(json!({}), json!(null)).unwrap(), "2026-11-22T10:00:00Z");
        assert_eq!(at(json!({}), json!("x")), Err(Malformed::WrongType("toe")));
    }

    #[test]
    fn several_events_of_one_token_have_ids_of_their_own() {
        let claims = json!({ "jti": "t1", "sub_id": ada(), "events": { DISABLED: {}, REVOKED: {} } });
        let events = parsed(&claims).unwrap();
        let mut ids: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["t1", "t1.1"]);
    }

    #[test]
    fn malformed_tokens_are_refused() {
        for (claims, error) in [
            (json!({ "events": { DISABLED: {} }, "sub_id": ada() }), Malformed::Missing("jti")),
            (json!({ "jti": 1, "events": { DISABLED: {} } }), Malformed::WrongType("jti")),
            (json!({ "jti": "x".repeat(257), "events": {} }), Malformed::BadText("jti")),
            (json!({ "jti": "t1" }), Malformed::Missing("events")),
            (json!({ "jti": "t1", "events": {} }), Malformed::Missing("events")),
            (json!({ "jti": "t1", "events": [] }), Malformed::WrongType("events")),
            (json!({ "jti": "t1", "events": { DISABLED: 1 } }), Malformed::WrongType("events")),
        ] {
            assert_eq!(parsed(&claims), Err(error), "{claims}");
        }
        let many: Map<String, Value> = (0..9).map(|number| (format!("urn:{number}"), json!({}))).collect();
        assert_eq!(parsed(&json!({ "jti": "t1", "events": many })), Err(Malformed::TooMany));
    }
}
