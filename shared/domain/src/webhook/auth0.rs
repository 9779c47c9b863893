//! Auth0 log streams ("Custom Webhook"): items of the tenant's log, as a JSON array, as JSON Lines or one at a time,
//! whichever the stream is set to. The sender is proven by [`super::shared_token`].
//!
//! Acted on are the three lifecycle events of an administrator: `sdu` (deleted), `ublkdu` (blocked) and `ubuu`
//! (unblocked). Logins (`sul`), limits (`limit_sul`) and everything else say nothing about whether a person may stay.

use serde_json::Value;

use super::{
    Change, IdpEvent, MAX_EVENTS, Malformed,
    fields::{Fields, json, not_json, within_bounds},
    ignored,
};

/// Parses a verified body.
pub fn parse(body: &[u8]) -> Result<Vec<IdpEvent>, Malformed> {
    let values = if body.trim_ascii_start().starts_with(b"[") { array(body)? } else { lines(body)? };
    if values.len() > MAX_EVENTS {
        return Err(Malformed::TooMany);
    }
    values.iter().map(|value| item(Fields::of(value, "item")?)).collect()
}

fn array(body: &[u8]) -> Result<Vec<Value>, Malformed> {
    match json(body)? {
        Value::Array(values) => Ok(values),
        _ => Err(Malformed::WrongType("body")),
    }
}

/// One object, or one after another.
fn lines(body: &[u8]) -> Result<Vec<Value>, Malformed> {
    within_bounds(body)?;
    let mut values = Vec::new();
    for value in serde_json::Deserializer::from_slice(body).into_iter() {
        values.push(value.map_err(|error| not_json(&error))?);
        if values.len() > MAX_EVENTS {
            return Err(Malformed::TooMany);
        }
    }
    if values.is_empty() { Err(Malformed::Missing("item")) } else { Ok(values) }
}

fn item(item: Fields<'_>) -> Result<IdpEvent, Malformed> {
    let data = item.required_object("data")?;
    let id = match item.event_id("log_id")? {
        Some(id) => id,
        None => data.required_event_id("log_id")?,
    };
    let kind = data.required_name("type")?;
    let change: fn(String) -> Change = match kind {
        "sdu" => |sub| Change::Deleted { sub },
        "ublkdu" => |sub| Change::Suspended { sub },
        "ubuu" => |sub| Change::Restored { sub },
        // What is not acted on need not be of any form beyond this.
        other => return Ok(IdpEvent { id, at: None, change: ignored(other) }),
    };
    // Auth0's documents do not promise that a log entry names its user, and a stream that is refused stops: what names nobody is
    // passed over.
    let change = match data.subject("user_id")? {
        Some(sub) => change(sub),
        None => ignored(&format!("{kind} without user_id")),
    };
    Ok(IdpEvent { id, at: data.time("date")?, change })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The shape of a custom log stream's items, as documented; the values are made up.
    const STREAM: &str = include_str!("testdata/auth0-stream.json");

    fn change(kind: &str, sub: &str) -> Change {
        let sub = sub.to_owned();
        match kind {
            "sdu" => Change::Deleted { sub },
            "ublkdu" => Change::Suspended { sub },
            _ => Change::Restored { sub },
        }
    }

    fn one(data: &Value) -> Result<IdpEvent, Malformed> {
        let body = json!({ "log_id": "900", "data": data }).to_string();
        parse(body.as_bytes()).map(|mut events| events.remove(0))
    }

    #[test]
    fn b080_only_deleted_blocked_and_unblocked_act() {
        let events = parse(STREAM.as_bytes()).unwrap();
        let told: Vec<_> = events.iter().map(|event| (event.id.as_str(), event.change.clone())).collect();
        let ada = "auth0|66f0a1b2c3d4e5f601020304";
        assert_eq!(
            told,
            [
                ("90020261122100000000001000000000000001223372036854775701", ignored("sul")),
                ("90020261122100000000001000000000000001223372036854775702", change("ublkdu", ada)),
                ("90020261122100000000001000000000000001223372036854775703", change("ubuu", ada)),
                ("90020261122100000000001000000000000001223372036854775704", ignored("limit_sul")),
                ("90020261122100000000001000000000000001223372036854775705", change("sdu", ada)),
                ("90020261122100000000001000000000000001223372036854775706", ignored("sapi")),
            ]
        );
        assert_eq!(events[4].at, Some("2026-11-22T10:00:05.250Z".parse().unwrap()));
        for other in ["f", "s", "ss", "fdu", "du", "SDU", "sdu ", "limit_mu", "mgmt_api_read"] {
            assert_eq!(one(&json!({ "type": other, "user_id": ada })).unwrap().change, ignored(other));
        }
    }

    #[test]
    fn an_array_lines_and_single_objects_are_the_same() {
        let items: Vec<Value> = serde_json::from_str(STREAM).unwrap();
        let whole = parse(STREAM.as_bytes()).unwrap();
        let lines: Vec<String> = items.iter().map(Value::to_string).collect();
        for body in [lines.join("\n"), format!("{}\r\n\n", lines.join("\r\n")), lines.join("")] {
            assert_eq!(parse(body.as_bytes()), Ok(whole.clone()));
        }
        for (item, event) in items.iter().zip(&whole) {
            let pretty = serde_json::to_string_pretty(item).unwrap();
            assert_eq!(parse(pretty.as_bytes()).as_deref(), Ok(std::slice::from_ref(event)));
        }
        assert_eq!(parse(b" []"), Ok(Vec::new()));
    }

    #[test]
    fn what_does_not_act_needs_no_form() {
        assert!(one(&json!({ "type": "sul", "user_id": 7, "date": "never" })).is_ok());
        // The id of the item may be in the log entry only.
        let inner = json!({ "data": { "type": "sul", "log_id": "901" } }).to_string();
        assert_eq!(parse(inner.as_bytes()).unwrap()[0].id, "901");
    }

    #[test]
    fn one_malformed_item_refuses_the_batch() {
        let good = json!({ "log_id": "1", "data": { "type": "sdu", "user_id": "auth0|1" } });
        for (bad, error) in [
            (json!({ "log_id": "2" }), Malformed::Missing("data")),
            (json!({ "log_id": "2", "data": [] }), Malformed::WrongType("data")),
            (json!({ "log_id": "2", "data": {} }), Malformed::Missing("type")),
            (json!({ "log_id": "2", "data": { "type": 1 } }), Malformed::WrongType("type")),
            (json!({ "data": { "type": "sdu", "user_id": "auth0|1" } }), Malformed::Missing("log_id")),
            (json!({ "log_id": 2, "data": { "type": "sul" } }), Malformed::WrongType("log_id")),
            (json!({ "log_id": "x".repeat(257), "data": { "type": "sul" } }), Malformed::BadText("log_id")),
            (
                json!({ "log_id": "2", "data": { "type": "ubuu", "user_id": 1 } }),
                Malformed::WrongType("user_id"),
            ),
            (
                json!({ "log_id": "2", "data": { "type": "ublkdu", "user_id": "x".repeat(1025) } }),
                Malformed::BadText("user_id"),
            ),
            (
                json!({ "log_id": "2", "data": { "type": "sdu", "user_id": "x", "date": "soon" } }),
                Malformed::NotATime("date"),
            ),
            (json!("text"), Malformed::WrongType("item")),
            (json!([good]), Malformed::WrongType("item")),
        ] {
            let array = json!([good, bad]).to_string();
            assert_eq!(parse(array.as_bytes()), Err(error.clone()), "{array}");
            let lines = format!("{good}\n{bad}");
            assert_eq!(parse(lines.as_bytes()), Err(error), "{lines}");
        }
        for broken in ["[", "{", "[{}", "nonsense", "{}}", "[]{}", "[] []"] {
            assert!(parse(broken.as_bytes()).is_err(), "{broken}");
        }
        assert_eq!(parse(b""), Err(Malformed::Missing("item")));
        assert_eq!(parse(b" \n "), Err(Malformed::Missing("item")));
    }

    #[test]
    fn an_entry_that_names_nobody_is_passed_over_and_the_rest_acts() {
        let nobody =
            [json!({ "type": "sdu" }), json!({ "type": "ubuu", "user_id": "" }), json!({ "type": "ublkdu" })];
        let mut items: Vec<_> = nobody
            .iter()
            .enumerate()
            .map(|(n, data)| json!({ "log_id": n.to_string(), "data": data }))
            .collect();
        items.push(json!({ "log_id": "9", "data": { "type": "sdu", "user_id": "auth0|1" } }));
        let events = parse(Value::Array(items).to_string().as_bytes()).unwrap();
        let told: Vec<_> = events.into_iter().map(|event| event.change).collect();
        assert_eq!(
            told,
            [
                ignored("sdu without user_id"),
                ignored("ubuu without user_id"),
                ignored("ublkdu without user_id"),
                change("sdu", "auth0|1"),
            ]
        );
    }

    #[test]
    fn a_delivery_has_a_bound() {
        let item = json!({ "log_id": "1", "data": { "type": "sul" } }).to_string();
        let lines = |count: usize| format!("{item}\n").repeat(count);
        assert_eq!(parse(lines(MAX_EVENTS).as_bytes()).map(|events| events.len()), Ok(MAX_EVENTS));
        assert_eq!(parse(lines(MAX_EVENTS + 1).as_bytes()), Err(Malformed::TooMany));
        let array = format!("[{}]", vec![item.as_str(); MAX_EVENTS + 1].join(","));
        assert_eq!(parse(array.as_bytes()), Err(Malformed::TooMany));
        for body in [format!("[{}]", " ".repeat(1 << 20)), " ".repeat((1 << 20) + 1)] {
            assert_eq!(parse(body.as_bytes()), Err(Malformed::TooLarge));
        }
    }
}
