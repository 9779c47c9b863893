//! Query strings (RFC 3986 section 3.4).

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

/// `path?name=value&…` with the fields of `query` that have a value.
pub fn of(path: &str, query: &impl Serialize) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(query) else { return path.to_owned() };
    let mut address = path.to_owned();
    for (name, value) in fields {
        match value {
            Value::Null => {}
            Value::String(value) => add(&mut address, &name, &value),
            value => add(&mut address, &name, &value.to_string()),
        }
    }
    address
}

/// `path?name=value&…` with the pairs that have a value.
pub fn path(path: &str, pairs: &[(&str, Option<&str>)]) -> String {
    let mut address = path.to_owned();
    for (name, value) in pairs {
        if let Some(value) = value {
            add(&mut address, name, value);
        }
    }
    address
}

/// Percent-encoded but for unreserved characters.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

fn add(address: &mut String, name: &str, value: &str) {
    address.push(if address.contains('?') { '&' } else { '?' });
    address.push_str(name);
    address.push('=');
    address.push_str(&encode(value));
}

#[cfg(test)]
mod tests {
    use alter_api_types::wallet::ActivityQuery;

    use super::*;

    #[test]
    fn only_fields_with_a_value_are_sent() {
        assert_eq!(of("/a", &ActivityQuery::default()), "/a");
        let query = ActivityQuery { q: Some("a&b=ü ".into()), limit: Some(50), ..ActivityQuery::default() };
        assert_eq!(of("/a", &query), "/a?limit=50&q=a%26b%3D%C3%BC%20");
    }

    #[test]
    fn times_are_sent_as_they_are_read() {
        let query = ActivityQuery { since: "2026-11-22T10:00:00Z".parse().ok(), ..ActivityQuery::default() };
        assert_eq!(of("/a", &query), "/a?since=2026-11-22T10%3A00%3A00Z");
    }

    #[test]
    fn pairs_without_a_value_are_left_out() {
        assert_eq!(path("/s", &[("app", None), ("error", Some("x/y"))]), "/s?error=x%2Fy");
        assert_eq!(encode("../../etc?#"), "..%2F..%2Fetc%3F%23");
    }
}
