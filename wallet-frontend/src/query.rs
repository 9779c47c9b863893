//! Query strings (RFC 3986 section 3.4).

use alter_api_types::wallet::ActivityQuery;

/// `path?name=value&…` with the filters that are set.
pub fn of(address: &str, query: &ActivityQuery) -> String {
    let ids = [
        query.app_id.map(|id| id.to_string()),
        query.grant_id.map(|id| id.to_string()),
        query.agent_id.map(|id| id.to_string()),
    ];
    let [app, grant, agent] = &ids;
    let [since, until] = [query.since, query.until].map(|at| at.map(|at| at.to_string()));
    let limit = query.limit.map(|limit| limit.to_string());
    path(
        address,
        &[
            ("agent_id", agent.as_deref()),
            ("app_id", app.as_deref()),
            ("cursor", query.cursor.as_deref()),
            ("event", query.event.as_deref()),
            ("format", query.format.as_deref()),
            ("grant_id", grant.as_deref()),
            ("limit", limit.as_deref()),
            ("outcome", query.outcome.as_deref()),
            ("provider_id", query.provider_id.as_deref()),
            ("q", query.q.as_deref()),
            ("since", since.as_deref()),
            ("until", until.as_deref()),
        ],
    )
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
                encoded.push('%');
                for digit in [byte >> 4, byte & 15] {
                    encoded.extend(
                        char::from_digit(u32::from(digit), 16).map(|digit| digit.to_ascii_uppercase()),
                    );
                }
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
    use super::*;

    #[test]
    fn only_fields_with_a_value_are_sent() {
        assert_eq!(of("/a", &ActivityQuery::default()), "/a");
        let query = ActivityQuery { q: Some("a&b=ü ".into()), limit: Some(50), ..ActivityQuery::default() };
        assert_eq!(of("/a", &query), "/a?limit=50&q=a%26b%3D%C3%BC%20");
    }

    #[test]
    fn every_filter_is_sent_by_the_name_that_the_server_reads() {
        let id = "0198c2f4-7b1e-7c3a-9d52-000000000001";
        let query = ActivityQuery {
            app_id: id.parse().ok(),
            grant_id: id.parse().ok(),
            agent_id: id.parse().ok(),
            provider_id: Some("p".into()),
            event: Some("call".into()),
            outcome: Some("denied".into()),
            q: Some("x".into()),
            since: "2026-11-22T10:00:00Z".parse().ok(),
            until: "2026-11-23T10:00:00Z".parse().ok(),
            limit: Some(5),
            cursor: Some("c".into()),
            format: Some("csv".into()),
        };
        let serde_json::Value::Object(fields) = serde_json::to_value(&query).unwrap() else { panic!() };
        let mut expected = "/a".to_owned();
        for (name, value) in fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            add(&mut expected, &name, &value);
        }
        assert_eq!(of("/a", &query), expected);
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
