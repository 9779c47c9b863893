//! Okta event hooks (<https://developer.okta.com/docs/concepts/event-hooks/>). The sender is proven by
//! [`super::shared_token`]; before the first delivery Okta asks with a `GET` whether the address is willing.

use http::HeaderMap;

use super::{
    Change, IdpEvent, MAX_EVENTS, Malformed, Unverified,
    fields::{Fields, json},
    ignored,
    signed_at::single,
};

const CHALLENGE: &str = "x-okta-verification-challenge";
const MAX_CHALLENGE_BYTES: usize = 512;

/// What Okta wants to read back in `{"verification": …}` when it registers the address: plain text that is not secret.
pub fn challenge(headers: &HeaderMap) -> Result<&str, Unverified> {
    let challenge = single(headers, CHALLENGE)?.ok_or(Unverified::Missing)?;
    let plain = !challenge.is_empty()
        && challenge.len() <= MAX_CHALLENGE_BYTES
        && challenge.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { Ok(challenge) } else { Err(Unverified::Unreadable) }
}

/// Parses a verified body.
pub fn parse(body: &[u8]) -> Result<Vec<IdpEvent>, Malformed> {
    let value = json(body)?;
    let events = Fields::of(&value, "body")?.required_object("data")?.objects("events")?;
    let mut parsed = Vec::new();
    for event in events {
        one(event, &mut parsed)?;
        if parsed.len() > MAX_EVENTS {
            return Err(Malformed::TooMany);
        }
    }
    Ok(parsed)
}

/// An event about several people becomes one for each.
fn one(event: Fields<'_>, parsed: &mut Vec<IdpEvent>) -> Result<(), Malformed> {
    let id = event.required_event_id("uuid")?;
    let kind = event.required_name("eventType")?;
    let changes = match kind {
        "user.lifecycle.delete.initiated" | "user.lifecycle.deactivate" => {
            of_users(event, |sub| Change::Deleted { sub })
        }
        "user.lifecycle.suspend" => of_users(event, |sub| Change::Suspended { sub }),
        "user.lifecycle.unsuspend" | "user.lifecycle.activate" | "user.lifecycle.reactivate" => {
            of_users(event, |sub| Change::Restored { sub })
        }
        "user.session.clear" => of_users(event, |sub| Change::SessionsRevoked { sub }),
        "group.user_membership.remove" => {
            let groups = groups(event)?;
            of_users(event, |sub| Change::LeftGroup { sub, groups: groups.clone() })
        }
        "group.lifecycle.delete" => groups(event).map(|groups| vec![Change::GroupDeleted { groups }]),
        other => {
            parsed.push(IdpEvent { id, at: None, change: ignored(other) });
            return Ok(());
        }
    };
    // What Okta tried and did not do has changed nothing.
    if event.object("outcome")?.map(|outcome| outcome.name("result")).transpose()?.flatten()
        != Some("SUCCESS")
    {
        let change = ignored(&format!("{kind} without success"));
        parsed.push(IdpEvent { id, at: None, change });
        return Ok(());
    }
    let at = event.time("published")?;
    for (number, change) in changes?.into_iter().enumerate() {
        let id = if number == 0 { id.clone() } else { format!("{id}.{number}") };
        parsed.push(IdpEvent { id, at, change });
    }
    Ok(())
}

fn of_users(event: Fields<'_>, change: impl Fn(String) -> Change) -> Result<Vec<Change>, Malformed> {
    let mut changes = Vec::new();
    for target in event.objects("target")? {
        if target.name("type")? == Some("User") {
            changes.push(change(target.required_subject("id")?));
        }
    }
    if changes.is_empty() { Err(Malformed::Missing("target")) } else { Ok(changes) }
}

/// Tokens name a group by its display name, or by its id where the operator chose so.
fn groups(event: Fields<'_>) -> Result<Vec<String>, Malformed> {
    let mut groups = Vec::new();
    for target in event.objects("target")? {
        if target.name("type")? == Some("UserGroup") {
            groups.push(target.group("id")?.ok_or(Malformed::Missing("id"))?.to_owned());
            groups.extend(target.group("displayName")?.map(str::to_owned));
        }
    }
    if groups.is_empty() { Err(Malformed::Missing("target")) } else { Ok(groups) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::{Value, json};

    use super::*;

    /// The shape of an event hook's delivery, as documented; the values are made up.
    const EVENTS: &str = include_str!("testdata/okta-events.json");

    fn body(events: &[Value]) -> String {
        json!({ "eventType": "com.okta.event_hook", "data": { "events": events } }).to_string()
    }

    fn event(kind: &str, target: &Value) -> Value {
        json!({ "uuid": "u1", "eventType": kind, "outcome": { "result": "SUCCESS" }, "target": target })
    }

    fn parsed(event: &Value) -> Result<Vec<Change>, Malformed> {
        let events = parse(body(std::slice::from_ref(event)).as_bytes())?;
        Ok(events.into_iter().map(|event| event.change).collect())
    }

    #[test]
    fn lifecycle_group_and_session_events_act_when_they_succeeded() {
        let events = parse(EVENTS.as_bytes()).unwrap();
        let sub = || "00u1ab2CD3".to_owned();
        let groups = || vec!["00g9zy8XW7".to_owned(), "Engineers".to_owned()];
        let changes: Vec<_> = events.iter().map(|event| event.change.clone()).collect();
        assert_eq!(
            changes,
            [
                Change::Suspended { sub: sub() },
                Change::Restored { sub: sub() },
                Change::LeftGroup { sub: sub(), groups: groups() },
                Change::GroupDeleted { groups: groups() },
                Change::SessionsRevoked { sub: sub() },
                Change::Deleted { sub: sub() },
                ignored("user.lifecycle.delete.initiated without success"),
                Change::Deleted { sub: sub() },
                ignored("user.session.start"),
            ]
        );
        assert_eq!(events[0].id, "b1c2d3e4-0000-11f0-8000-000000000001");
        assert_eq!(events[0].at, Some("2026-11-22T10:00:01.125Z".parse().unwrap()));
        let user = json!([{ "type": "User", "id": "00u1" }]);
        for kind in ["user.lifecycle.activate", "user.lifecycle.reactivate"] {
            assert_eq!(parsed(&event(kind, &user)), Ok(vec![Change::Restored { sub: "00u1".to_owned() }]));
        }
    }

    #[test]
    fn an_event_about_two_people_is_two_events() {
        let target = json!([{ "type": "User", "id": "00u1" }, { "type": "User", "id": "00u2" }]);
        let events = parse(body(&[event("user.lifecycle.suspend", &target)]).as_bytes()).unwrap();
        let told: Vec<_> = events.iter().map(|event| (event.id.as_str(), event.change.clone())).collect();
        let suspended = |sub: &str| Change::Suspended { sub: sub.to_owned() };
        assert_eq!(told, [("u1", suspended("00u1")), ("u1.1", suspended("00u2"))]);
    }

    #[test]
    fn only_an_event_that_says_it_succeeded_acts() {
        let target = json!([{ "type": "User", "id": "00u1" }]);
        let ignored = vec![ignored("user.lifecycle.suspend without success")];
        for outcome in
            [json!(null), json!({}), json!({ "result": "FAILURE" }), json!({ "result": "success" })]
        {
            let mut event = event("user.lifecycle.suspend", &target);
            event["outcome"] = outcome;
            assert_eq!(parsed(&event), Ok(ignored.clone()));
        }
    }

    #[test]
    fn malformed_events_refuse_the_batch() {
        let user = json!([{ "type": "User", "id": "00u1" }]);
        let good = event("user.lifecycle.suspend", &user);
        let without = |name: &str| {
            let mut event = good.clone();
            event.as_object_mut().unwrap().remove(name);
            event
        };
        let (user_gone, group_gone) = ("user.lifecycle.suspend", "group.lifecycle.delete");
        for (bad, error) in [
            (without("uuid"), Malformed::Missing("uuid")),
            (without("eventType"), Malformed::Missing("eventType")),
            (without("target"), Malformed::Missing("target")),
            (event(user_gone, &json!([])), Malformed::Missing("target")),
            (event(user_gone, &json!({})), Malformed::WrongType("target")),
            (event(user_gone, &json!([7])), Malformed::WrongType("target")),
            (event(user_gone, &json!([{ "type": "User" }])), Malformed::Missing("id")),
            (event(user_gone, &json!([{ "type": "UserGroup", "id": "00g1" }])), Malformed::Missing("target")),
            (event(group_gone, &user), Malformed::Missing("target")),
            (event(group_gone, &json!([{ "type": "UserGroup" }])), Malformed::Missing("id")),
            (event("group.user_membership.remove", &user), Malformed::Missing("target")),
            (json!("text"), Malformed::WrongType("events")),
        ] {
            assert_eq!(parse(body(&[good.clone(), bad]).as_bytes()), Err(error));
        }
        let mut late = good.clone();
        late["published"] = json!("now");
        assert_eq!(parsed(&late), Err(Malformed::NotATime("published")));
        assert_eq!(parse(b"{}"), Err(Malformed::Missing("data")));
        assert_eq!(parse(br#"{"data":{"events":{}}}"#), Err(Malformed::WrongType("events")));
        assert_eq!(parse(b"[]"), Err(Malformed::WrongType("body")));
        let many = vec![json!({ "uuid": "u", "eventType": "x" }); MAX_EVENTS + 1];
        assert_eq!(parse(body(&many).as_bytes()), Err(Malformed::TooMany));
        assert_eq!(parse(body(&many[1..]).as_bytes()).map(|events| events.len()), Ok(MAX_EVENTS));
    }

    #[test]
    fn the_challenge_is_read_back_if_it_is_plain_text() {
        let mut headers = HeaderMap::new();
        assert_eq!(challenge(&headers), Err(Unverified::Missing));
        headers.insert(CHALLENGE, HeaderValue::from_static("w8hZ-Q_3"));
        assert_eq!(challenge(&headers), Ok("w8hZ-Q_3"));
        headers.append(CHALLENGE, HeaderValue::from_static("again"));
        assert_eq!(challenge(&headers), Err(Unverified::Unreadable));
        for wrong in ["", "a b", "tab\t", &"x".repeat(513)] {
            headers.insert(CHALLENGE, HeaderValue::from_str(wrong).unwrap());
            assert_eq!(challenge(&headers), Err(Unverified::Unreadable), "{wrong}");
        }
    }
}
