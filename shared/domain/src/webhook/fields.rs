//! Reading the members of a sender's JSON: typed, bounded, and told by name when wrong.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{MAX_BODY_BYTES, MAX_EVENT_ID_BYTES, MAX_GROUP_BYTES, MAX_SUBJECT_BYTES, Malformed};

/// Longest text that is read only to be compared with known names.
const MAX_NAME_BYTES: usize = 1024;
/// Longest e-mail address (RFC 5321 section 4.5.3.1: 64 + 1 + 255).
const MAX_EMAIL_BYTES: usize = 320;
/// Longest display name.
const MAX_DISPLAY_BYTES: usize = 256;

/// Unix times from here on are in milliseconds; as seconds this would be the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Parses a body that holds one JSON value.
pub(super) fn json(body: &[u8]) -> Result<Value, Malformed> {
    within_bounds(body)?;
    serde_json::from_slice(body).map_err(|error| not_json(&error))
}

/// Refuses a body that is too large, whoever has let it come this far.
pub(super) fn within_bounds(body: &[u8]) -> Result<(), Malformed> {
    if body.len() > MAX_BODY_BYTES { Err(Malformed::TooLarge) } else { Ok(()) }
}

pub(super) fn not_json(error: &serde_json::Error) -> Malformed {
    Malformed::NotJson { line: error.line(), column: error.column() }
}

/// The members of a JSON object. An absent member and `null` are the same.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn new(members: &'a Map<String, Value>) -> Self {
        Self(members)
    }

    pub(super) fn of(value: &'a Value, name: &'static str) -> Result<Self, Malformed> {
        value.as_object().map(Self).ok_or(Malformed::WrongType(name))
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A text of at most `max` bytes without control characters; an empty one counts as absent.
    fn text(self, name: &'static str, max: usize) -> Result<Option<&'a str>, Malformed> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if text.len() > max || text.chars().any(char::is_control) => {
                Err(Malformed::BadText(name))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Malformed::WrongType(name)),
        }
    }

    /// A name that is compared with known ones.
    pub(super) fn name(self, name: &'static str) -> Result<Option<&'a str>, Malformed> {
        self.text(name, MAX_NAME_BYTES)
    }

    pub(super) fn required_name(self, name: &'static str) -> Result<&'a str, Malformed> {
        self.name(name)?.ok_or(Malformed::Missing(name))
    }

    pub(super) fn subject(self, name: &'static str) -> Result<Option<String>, Malformed> {
        Ok(self.text(name, MAX_SUBJECT_BYTES)?.map(str::to_owned))
    }

    pub(super) fn required_subject(self, name: &'static str) -> Result<String, Malformed> {
        self.subject(name)?.ok_or(Malformed::Missing(name))
    }

    pub(super) fn event_id(self, name: &'static str) -> Result<Option<String>, Malformed> {
        Ok(self.text(name, MAX_EVENT_ID_BYTES)?.map(str::to_owned))
    }

    pub(super) fn required_event_id(self, name: &'static str) -> Result<String, Malformed> {
        self.event_id(name)?.ok_or(Malformed::Missing(name))
    }

    pub(super) fn group(self, name: &'static str) -> Result<Option<&'a str>, Malformed> {
        self.text(name, MAX_GROUP_BYTES)
    }

    /// An e-mail address of the profile. It decides nothing, so one that cannot be kept is as good as none.
    pub(super) fn email(self, name: &'static str) -> Option<String> {
        self.text(name, MAX_EMAIL_BYTES).ok().flatten().map(str::to_owned)
    }

    /// Display name out of several members, in their order; like [`Fields::email`] it decides nothing.
    pub(super) fn display_name(self, names: &[&'static str]) -> Option<String> {
        let parts: Vec<&str> =
            names.iter().filter_map(|name| self.text(name, MAX_DISPLAY_BYTES).ok().flatten()).collect();
        let mut whole = parts.join(" ");
        while whole.len() > MAX_DISPLAY_BYTES {
            whole.pop();
        }
        (!whole.is_empty()).then_some(whole)
    }

    pub(super) fn flag(self, name: &'static str) -> Result<Option<bool>, Malformed> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Malformed::WrongType(name)),
        }
    }

    pub(super) fn object(self, name: &'static str) -> Result<Option<Fields<'a>>, Malformed> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => Self::of(value, name).map(Some),
        }
    }

    pub(super) fn required_object(self, name: &'static str) -> Result<Fields<'a>, Malformed> {
        self.object(name)?.ok_or(Malformed::Missing(name))
    }

    /// The objects of a list; an absent list is empty.
    pub(super) fn objects(self, name: &'static str) -> Result<Vec<Fields<'a>>, Malformed> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(|value| Self::of(value, name)).collect(),
            Some(_) => Err(Malformed::WrongType(name)),
        }
    }

    /// The members with an object for a value, by name.
    pub(super) fn entries(self, what: &'static str) -> Result<Vec<(&'a str, Fields<'a>)>, Malformed> {
        self.0.iter().map(|(name, value)| Ok((name.as_str(), Self::of(value, what)?))).collect()
    }

    /// A time in RFC 3339.
    pub(super) fn time(self, name: &'static str) -> Result<Option<Timestamp>, Malformed> {
        self.name(name)?.map(|text| text.parse().map_err(|_| Malformed::NotATime(name))).transpose()
    }

    /// A Unix time, in milliseconds or in seconds: senders have changed their mind about that.
    pub(super) fn unix_time(self, name: &'static str) -> Result<Option<Timestamp>, Malformed> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number,
            Some(_) => return Err(Malformed::WrongType(name)),
        };
        // A fraction of a second is cut off, as in a JWT's NumericDate.
        let whole = number.as_i64().or_else(|| number.as_f64().and_then(whole_part));
        let time = whole.filter(|whole| *whole >= 0).and_then(|whole| {
            let time = if whole < MILLISECONDS_FROM {
                Timestamp::from_second(whole)
            } else {
                Timestamp::from_millisecond(whole)
            };
            time.ok()
        });
        time.map(Some).ok_or(Malformed::NotATime(name))
    }
}

/// The whole part of a number that a signed 53-bit integer can hold.
fn whole_part(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "truncation is what is asked for; the range is checked"
    )]
    (number.abs() <= EXACT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: &Value) -> Fields<'_> {
        Fields::of(value, "whole").unwrap()
    }

    #[test]
    fn texts_are_typed_and_bounded() {
        let value = json!({
            "ok": "x", "none": null, "empty": "", "number": 1, "nul": "a\u{0}b", "line": "a\nb",
            "long": "x".repeat(MAX_SUBJECT_BYTES + 1), "longest": "x".repeat(MAX_SUBJECT_BYTES),
        });
        let value = fields(&value);
        assert_eq!(value.subject("ok"), Ok(Some("x".to_owned())));
        assert!(value.required_subject("longest").is_ok());
        for absent in ["none", "empty", "missing"] {
            assert_eq!(value.required_subject(absent), Err(Malformed::Missing(absent)));
        }
        for bad in ["nul", "line", "long"] {
            assert_eq!(value.subject(bad), Err(Malformed::BadText(bad)));
            assert_eq!(value.email(bad), None);
        }
        assert_eq!(value.subject("number"), Err(Malformed::WrongType("number")));
        assert_eq!(value.flag("number"), Err(Malformed::WrongType("number")));
        assert_eq!(value.object("number").err(), Some(Malformed::WrongType("number")));
        assert_eq!(value.objects("number").err(), Some(Malformed::WrongType("number")));
    }

    #[test]
    fn unix_times_are_seconds_or_milliseconds() {
        let second: Timestamp = "2024-05-28T08:00:00Z".parse().unwrap();
        let value = json!({
            "s": second.as_second(), "ms": second.as_millisecond(), "fraction": 1_716_883_200.75,
            "text": "1716883200", "negative": -1, "huge": 1e300, "far": i64::MAX,
        });
        let value = fields(&value);
        for name in ["s", "ms", "fraction"] {
            assert_eq!(value.unix_time(name), Ok(Some(second)), "{name}");
        }
        assert_eq!(value.unix_time("text"), Err(Malformed::WrongType("text")));
        for name in ["negative", "huge", "far"] {
            assert_eq!(value.unix_time(name), Err(Malformed::NotATime(name)));
        }
        assert_eq!(value.unix_time("missing"), Ok(None));
    }

    #[test]
    fn a_display_name_is_put_together_and_cut() {
        let value =
            json!({ "first": "Ada", "last": "Lovelace", "bad": 7, "long": "é".repeat(128), "more": "x" });
        let value = fields(&value);
        assert_eq!(value.display_name(&["first", "last"]).as_deref(), Some("Ada Lovelace"));
        assert_eq!(value.display_name(&["bad", "last"]).as_deref(), Some("Lovelace"));
        assert_eq!(value.display_name(&["bad", "none"]), None);
        assert_eq!(value.display_name(&["long", "more"]).map(|name| name.len()), Some(256));
    }

    #[test]
    fn a_body_has_a_bound() {
        let body = format!("\"{}\"", "x".repeat(MAX_BODY_BYTES - 2));
        assert!(json(body.as_bytes()).is_ok());
        assert_eq!(json(format!("{body} ").as_bytes()), Err(Malformed::TooLarge));
        assert_eq!(json(b"{\n  ]"), Err(Malformed::NotJson { line: 2, column: 3 }));
    }
}
