//! What of the record is asked for, as the page's address says it: so that going back, reloading and sharing keep it.

use alter_api_types::{AgentId, AppId, GrantId, wallet::ActivityQuery};

use super::day::Day;
use crate::query;

/// The longest text that is searched for, in bytes, as the API has it.
const MAX_SEARCH: usize = 200;

/// All conditions hold at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub app: Option<AppId>,
    pub provider: Option<String>,
    pub agent: Option<AgentId>,
    pub outcome: Option<String>,
    /// `call`, or another kind of event.
    pub event: Option<String>,
    /// Both days are in it.
    pub from: Option<Day>,
    pub to: Option<Day>,
    pub search: String,
    /// Set by the page of a grant, never by the address.
    pub grant: Option<GrantId>,
}

impl Filter {
    /// From the address's parameters. What cannot be read is left out: a link that somebody mangled still shows the page.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name| get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let day = |name| text(name).and_then(|day| Day::parse(&day));
        let (mut from, mut to) = (day("from"), day("to"));
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            (from, to) = (to, from);
        }
        Self {
            app: text("app").and_then(|id| id.parse().ok()),
            provider: text("provider"),
            agent: text("agent").and_then(|id| id.parse().ok()),
            outcome: text("outcome").filter(|outcome| OUTCOMES.contains(&outcome.as_str())),
            event: text("show").filter(|event| event == "call"),
            from,
            to,
            search: text("q").map(|text| shortened(&text).to_owned()).unwrap_or_default(),
            grant: None,
        }
    }

    /// What belongs behind the path: nothing, or `?app=…`.
    pub fn write(&self) -> String {
        let (app, agent) = (self.app.map(|id| id.to_string()), self.agent.map(|id| id.to_string()));
        let (from, to) = (self.from.map(Day::text), self.to.map(Day::text));
        query::path(
            "",
            &[
                ("app", app.as_deref()),
                ("provider", self.provider.as_deref()),
                ("agent", agent.as_deref()),
                ("outcome", self.outcome.as_deref()),
                ("show", self.event.as_deref()),
                ("from", from.as_deref()),
                ("to", to.as_deref()),
                ("q", Some(self.search.as_str()).filter(|search| !search.is_empty())),
            ],
        )
    }

    /// What the API is asked. `begins` says when a day begins where the user is.
    pub fn query(&self, begins: impl Fn(Day) -> Option<alter_api_types::Timestamp>) -> ActivityQuery {
        let search = shortened(self.search.trim());
        ActivityQuery {
            app_id: self.app,
            grant_id: self.grant,
            agent_id: self.agent,
            provider_id: self.provider.clone(),
            event: self.event.clone(),
            outcome: self.outcome.clone(),
            q: (!search.is_empty()).then(|| search.to_owned()),
            since: self.from.and_then(&begins),
            until: self.to.and_then(|day| begins(day.plus(1))),
            ..ActivityQuery::default()
        }
    }

    /// How many conditions the user set, the search left out.
    pub fn count(&self) -> usize {
        let set = [
            self.app.is_some(),
            self.provider.is_some(),
            self.agent.is_some(),
            self.outcome.is_some(),
            self.event.is_some(),
            self.from.is_some() || self.to.is_some(),
        ];
        set.into_iter().filter(|set| *set).count()
    }

    pub fn is_empty(&self) -> bool {
        self.count() == 0 && self.search.trim().is_empty()
    }
}

/// As the API names them.
pub const OUTCOMES: [&str; 6] =
    ["success", "denied", "provider_error", "network_error", "vault_error", "aborted"];

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(MAX_SEARCH);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90";

    fn parse(address: &str) -> Filter {
        let pairs: Vec<_> =
            address.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('=')).collect();
        Filter::read(|name| {
            let (_, value) = pairs.iter().find(|(key, _)| *key == name)?;
            let mut bytes = Vec::new();
            let mut rest = value.bytes();
            while let Some(byte) = rest.next() {
                let escaped = |rest: &mut std::str::Bytes<'_>| {
                    let hex = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
                };
                bytes.push(if byte == b'%' { escaped(&mut rest) } else { byte });
            }
            String::from_utf8(bytes).ok()
        })
    }

    #[test]
    fn an_address_says_the_whole_filter() {
        let filter = Filter {
            app: APP.parse().ok(),
            provider: Some("google".to_owned()),
            agent: APP.parse().ok(),
            outcome: Some("denied".to_owned()),
            event: Some("call".to_owned()),
            from: Day::parse("2026-03-01"),
            to: Day::parse("2026-03-09"),
            search: "a&b=c #?/ü \u{202e}".trim().to_owned(),
            grant: None,
        };
        assert_eq!(parse(&filter.write()), filter);
        assert_eq!(filter.count(), 6);
        assert_eq!(Filter::default().write(), "");
        assert!(Filter::default().is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_the_rest_stays() {
        let filter = parse(
            "?app=x&agent=1&outcome=fine&from=yesterday&show=grant.revoked&to=2026-02-30&provider=%20&q=ok",
        );
        assert_eq!(filter, Filter { search: "ok".to_owned(), ..Filter::default() });
    }

    #[test]
    fn days_in_the_wrong_order_are_put_right() {
        let filter = parse("?from=2026-03-09&to=2026-03-01");
        assert_eq!(filter.write(), "?from=2026-03-01&to=2026-03-09");
    }

    #[test]
    fn both_days_are_asked_for_whole() {
        let hour = |day: Day| alter_api_types::Timestamp::from_second(i64::from(day.0) * 86_400 + 3600).ok();
        let day = Day::parse("2026-03-09");
        let query = Filter { from: day, to: day, ..Filter::default() }.query(hour);
        assert_eq!(query.since.unwrap().to_string(), "2026-03-09T01:00:00Z");
        assert_eq!(query.until.unwrap().to_string(), "2026-03-10T01:00:00Z");
    }

    #[test]
    fn a_long_search_is_cut_between_characters() {
        let filter = Filter { search: "ü".repeat(150), ..Filter::default() };
        assert_eq!(filter.query(|_| None).q.unwrap(), "ü".repeat(100));
    }
}
