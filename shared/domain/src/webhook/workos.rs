//! WorkOS: `WorkOS-Signature: t=<milliseconds>, v1=<hex>` with HMAC-SHA256 over `t.body`, and the events that act
//! (<https://workos.com/docs/events/data-syncing/webhooks>). A body is one event.

use http::HeaderMap;
use jiff::Timestamp;

use super::{
    Change, IdpEvent, Malformed, Unverified,
    fields::{Fields, json},
    ignored,
    signed_at::{check_time, digits, single},
};
use crate::{crypto::hmac_sha256_verify, secret::Secret};

const SIGNATURE: &str = "workos-signature";
/// Lengths of a signing secret, in characters. It is used as the text that WorkOS shows.
const SECRET_CHARACTERS: std::ops::RangeInclusive<usize> = 16..=256;
/// A tag of HMAC-SHA256 in hex.
const HEX_CHARACTERS: usize = 64;

/// The HMAC key out of a pasted signing secret, whose text it is; `None` for what cannot be one.
pub fn key(pasted: &Secret<String>) -> Option<Secret<Vec<u8>>> {
    let shown = pasted.expose_secret();
    let valid = SECRET_CHARACTERS.contains(&shown.len()) && shown.bytes().all(|byte| byte.is_ascii_graphic());
    valid.then(|| Secret::new(shown.as_bytes().to_vec()))
}

/// Verifies the signature over the body as it was received, byte for byte; tells when it was signed.
pub fn verify(
    key: &Secret<Vec<u8>>,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Timestamp, Unverified> {
    let header = single(headers, SIGNATURE)?.ok_or(Unverified::Missing)?;
    let (time, tag) = header.split_once(',').ok_or(Unverified::Unreadable)?;
    let time = time.strip_prefix("t=").ok_or(Unverified::Unreadable)?;
    let tag = tag.trim_start_matches(' ').strip_prefix("v1=").ok_or(Unverified::Unreadable)?;
    let signed_at = digits(time)
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .ok_or(Unverified::Unreadable)?;
    check_time(signed_at, now)?;
    if tag.len() != HEX_CHARACTERS {
        return Err(Unverified::Unreadable);
    }
    let tag = hex::decode(tag).map_err(|_| Unverified::Unreadable)?;
    let signed = [time.as_bytes(), b".", body].concat();
    if hmac_sha256_verify(key.expose_secret(), &signed, &tag) {
        Ok(signed_at)
    } else {
        Err(Unverified::Forged)
    }
}

/// Parses a verified body.
pub fn parse(body: &[u8]) -> Result<IdpEvent, Malformed> {
    let value = json(body)?;
    let event = Fields::of(&value, "event")?;
    let kind = event.required_name("event")?;
    let change = match kind {
        "user.deleted" => Change::Deleted { sub: event.required_object("data")?.required_subject("id")? },
        "user.updated" => {
            let user = event.required_object("data")?;
            Change::Profile {
                sub: user.required_subject("id")?,
                email: user.email("email"),
                name: user.display_name(&["first_name", "last_name"]),
                suspended: None,
            }
        }
        "organization_membership.deleted" => left_organization(event.required_object("data")?)?,
        other => ignored(other),
    };
    Ok(IdpEvent { id: event.required_event_id("id")?, at: event.time("created_at")?, change })
}

/// Tokens name the organization by `org_id` and the person's role in it by its slug.
fn left_organization(membership: Fields<'_>) -> Result<Change, Malformed> {
    let organization = membership.group("organization_id")?.ok_or(Malformed::Missing("organization_id"))?;
    let mut groups = vec![organization.to_owned()];
    let name = membership.group("organization_name")?;
    let role = membership.object("role")?.map(|role| role.group("slug")).transpose()?.flatten();
    let mut roles = Vec::new();
    for role in membership.objects("roles")? {
        roles.extend(role.group("slug")?);
    }
    for group in name.into_iter().chain(role).chain(roles) {
        if !groups.iter().any(|known| known == group) {
            groups.push(group.to_owned());
        }
    }
    Ok(Change::LeftGroup { sub: membership.required_subject("user_id")?, groups })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::{Value, json};

    use super::*;
    use crate::crypto::hmac_sha256;

    const SECRET: &str = "wosec_3Zk1oQe9yJ7mT4xV";
    const AT: i64 = 1_781_000_000_123;

    fn key() -> Secret<Vec<u8>> {
        super::key(&Secret::new(SECRET.to_owned())).unwrap()
    }

    fn tag(time: &str, body: &[u8]) -> String {
        hex::encode(hmac_sha256(SECRET.as_bytes(), &[time.as_bytes(), b".", body].concat()))
    }

    fn check(header: &str, body: &[u8], after: i64) -> Result<Timestamp, Unverified> {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE, HeaderValue::from_str(header).unwrap());
        verify(&key(), &headers, body, Timestamp::from_millisecond(AT + after).unwrap())
    }

    fn event(kind: &str, data: &Value) -> Value {
        json!({ "id": "event_01J0", "event": kind, "data": data, "created_at": "2026-06-09T10:13:20.000Z" })
    }

    fn parsed(value: &Value) -> Result<Change, Malformed> {
        parse(value.to_string().as_bytes()).map(|event| event.change)
    }

    #[test]
    fn a_signature_of_now_verifies() {
        let at = AT.to_string();
        let signed = Timestamp::from_millisecond(AT).unwrap();
        for header in [format!("t={at}, v1={}", tag(&at, b"{}")), format!("t={at},v1={}", tag(&at, b"{}"))] {
            for after in [0, 300_000, -300_000] {
                assert_eq!(check(&header, b"{}", after), Ok(signed), "{header} {after}");
            }
            assert_eq!(check(&header, b"{}", 300_001), Err(Unverified::Late));
            assert_eq!(check(&header, b"{}", -300_001), Err(Unverified::Early));
            assert_eq!(check(&header, b"{} ", 0), Err(Unverified::Forged));
        }
        // The vector of the construction itself, made with another implementation of HMAC.
        assert_eq!(
            tag("1781000000123", br#"{"id":"event_1"}"#),
            "8a2360e4d5abf6a87503a6ef9e56d5e61eb922f6dad12075c59f31d3aa3c4865"
        );
    }

    #[test]
    fn forged_and_unreadable_signatures_are_refused() {
        let at = AT.to_string();
        let good = tag(&at, b"{}");
        let later = (AT + 1).to_string();
        for (header, expected) in [
            (format!("t={later}, v1={good}"), Unverified::Forged),
            (format!("t={at}, v1={}", "0".repeat(64)), Unverified::Forged),
            (format!("t={at}, v1={good}00"), Unverified::Unreadable),
            (format!("t={at}, v1={}", &good[2..]), Unverified::Unreadable),
            (format!("t={at}, v1={good}, v1={good}"), Unverified::Unreadable),
            (format!("t={at}, v1="), Unverified::Unreadable),
            (format!("t={at}, v0={good}"), Unverified::Unreadable),
            (format!("v1={good}, t={at}"), Unverified::Unreadable),
            (format!("t= {at}, v1={good}"), Unverified::Unreadable),
            (format!("t=-{at}, v1={good}"), Unverified::Unreadable),
            (format!("t={at}"), Unverified::Unreadable),
            (good.clone(), Unverified::Unreadable),
            (String::new(), Unverified::Unreadable),
        ] {
            assert_eq!(check(&header, b"{}", 0), Err(expected), "{header}");
        }
        let now = Timestamp::from_millisecond(AT).unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(verify(&key(), &headers, b"{}", now), Err(Unverified::Missing));
        for _ in 0..2 {
            headers.append(SIGNATURE, HeaderValue::from_str(&format!("t={at}, v1={good}")).unwrap());
        }
        assert_eq!(verify(&key(), &headers, b"{}", now), Err(Unverified::Unreadable));
    }

    #[test]
    fn only_what_can_be_a_secret_is_taken() {
        for (text, taken) in [
            (SECRET.to_owned(), true),
            ("x".repeat(256), true),
            ("x".repeat(15), false),
            ("x".repeat(257), false),
            (format!("{SECRET} "), false),
            (format!("{SECRET}\n"), false),
        ] {
            assert_eq!(super::key(&Secret::new(text.clone())).is_some(), taken, "{text}");
        }
    }

    #[test]
    fn the_three_events_act_and_others_are_ignored() {
        let user = json!({
            "object": "user", "id": "user_01", "email": "ada@example.com", "first_name": "Ada", "last_name": null,
        });
        let deleted = parse(event("user.deleted", &user).to_string().as_bytes()).unwrap();
        assert_eq!(deleted.id, "event_01J0");
        assert_eq!(deleted.at, Some("2026-06-09T10:13:20Z".parse().unwrap()));
        assert_eq!(deleted.change, Change::Deleted { sub: "user_01".to_owned() });
        let profile = Change::Profile {
            sub: "user_01".to_owned(),
            email: Some("ada@example.com".to_owned()),
            name: Some("Ada".to_owned()),
            suspended: None,
        };
        assert_eq!(parsed(&event("user.updated", &user)), Ok(profile));
        let membership = json!({
            "object": "organization_membership", "id": "om_01", "user_id": "user_01", "organization_id": "org_01",
            "role": { "slug": "member" }, "roles": [{ "slug": "member" }, { "slug": "billing" }], "status": "inactive",
        });
        let groups = ["org_01", "member", "billing"].map(str::to_owned).to_vec();
        let left = Change::LeftGroup { sub: "user_01".to_owned(), groups };
        assert_eq!(parsed(&event("organization_membership.deleted", &membership)), Ok(left));
        for other in
            ["user.created", "organization_membership.updated", "session.created", "dsync.user.deleted"]
        {
            assert_eq!(parsed(&event(other, &json!({}))), Ok(ignored(other)));
        }
    }

    #[test]
    fn malformed_events_are_refused() {
        let user = event("user.deleted", &json!({ "id": "user_01" }));
        let without = |name: &str| {
            let mut value = user.clone();
            value.as_object_mut().unwrap().remove(name);
            value
        };
        assert_eq!(parsed(&without("id")), Err(Malformed::Missing("id")));
        assert_eq!(parsed(&without("event")), Err(Malformed::Missing("event")));
        assert_eq!(parsed(&without("data")), Err(Malformed::Missing("data")));
        assert!(parsed(&without("created_at")).is_ok());
        assert_eq!(parsed(&event("user.deleted", &json!({ "id": 7 }))), Err(Malformed::WrongType("id")));
        let nobody = json!({ "organization_id": "org_01" });
        let nowhere = json!({ "user_id": "user_01" });
        let kind = "organization_membership.deleted";
        assert_eq!(parsed(&event(kind, &nobody)), Err(Malformed::Missing("user_id")));
        assert_eq!(parsed(&event(kind, &nowhere)), Err(Malformed::Missing("organization_id")));
        let mut late = user.clone();
        late["created_at"] = json!("yesterday");
        assert_eq!(parsed(&late), Err(Malformed::NotATime("created_at")));
        assert_eq!(parse(b"[]"), Err(Malformed::WrongType("event")));
        assert!(matches!(parse(b""), Err(Malformed::NotJson { .. })));
    }
}
