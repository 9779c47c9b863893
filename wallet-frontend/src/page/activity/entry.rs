//! A row of the record, as small as it can be kept: 100,000 of them stay in memory while somebody scrolls.

use std::rc::Rc;

use alter_api_types::Timestamp;
use alter_api_types::{AgentId, AppId, EventId, GrantId};

use crate::wire::Row;

/// Texts that occur again and again, each kept once; sorted.
#[derive(Debug, Default)]
pub struct Names(Vec<Rc<str>>);

impl Names {
    fn keep(&mut self, text: &str) -> Rc<str> {
        match self.0.binary_search_by(|known| (**known).cmp(text)) {
            Ok(at) => self.0.get(at).map_or_else(|| text.into(), Rc::clone),
            Err(at) => {
                let fresh: Rc<str> = text.into();
                self.0.insert(at, Rc::clone(&fresh));
                fresh
            }
        }
    }

    fn maybe(&mut self, text: Option<&str>) -> Option<Rc<str>> {
        text.map(|text| self.keep(text))
    }
}

/// What the page shows of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: EventId,
    pub at: Timestamp,
    pub event: Rc<str>,
    pub outcome: Rc<str>,
    pub actor: Rc<str>,
    pub surface: Option<Rc<str>>,
    pub app: Option<AppId>,
    pub agent: Option<AgentId>,
    /// The agent that owns the grant.
    pub owner: Option<AgentId>,
    pub grant: Option<GrantId>,
    pub provider: Option<Rc<str>>,
    /// What people gave the grant for a name.
    pub label: Option<Rc<str>>,
    /// Only of what came over an app's own words: who it says that it acted for.
    pub caller: Option<Rc<str>>,
    pub code: Option<Rc<str>>,
    pub status: Option<u16>,
    pub latency_ms: Option<u64>,
    pub method: Option<Rc<str>>,
    pub host: Option<Rc<str>>,
    pub path: Option<Box<str>>,
    /// Word for word.
    pub reason: Option<Box<str>>,
    /// Bytes to and from the provider.
    pub sent: Option<u64>,
    pub received: Option<u64>,
    /// `tool: search`, one to a line.
    pub context: Option<Box<str>>,
}

impl Entry {
    pub fn new(row: Row, names: &mut Names) -> Self {
        let detail =
            |name: &str| row.detail.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let reason =
            row.reason.as_deref().or_else(|| detail("reason")).filter(|reason| !reason.trim().is_empty());
        let context: Vec<_> = row.context.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        Self {
            id: row.id,
            at: row.created_at,
            event: names.keep(&row.event),
            outcome: names.keep(&row.outcome),
            actor: names.keep(&row.actor_type),
            surface: names.maybe(row.surface.as_deref()),
            app: row.app_id,
            agent: row.agent_id,
            owner: row.principal_agent_id,
            grant: row.grant_id,
            provider: names.maybe(row.provider_id.as_deref().or_else(|| detail("provider_id"))),
            label: names.maybe(row.grant_label.as_deref()),
            caller: names.maybe(row.caller.as_deref()),
            code: names.maybe(row.error_code.as_deref().or_else(|| detail("code"))),
            status: row.status,
            latency_ms: row.latency_ms,
            method: names.maybe(row.method.as_deref()),
            host: names.maybe(row.host.as_deref().filter(|host| !host.is_empty())),
            path: row.path.as_deref().filter(|path| !path.is_empty()).map(Into::into),
            reason: reason.map(Into::into),
            sent: row.request_bytes,
            received: row.response_bytes,
            context: (!context.is_empty()).then(|| context.join("\n").into()),
        }
    }

    pub fn is_call(&self) -> bool {
        &*self.event == "call"
    }

    /// The agent to name: who acted, else whose grant it is.
    pub fn agent(&self) -> Option<AgentId> {
        self.agent.or(self.owner)
    }
}

/// The part of a long text that is shown first, if something is left out: at most `letters` characters and `lines` lines.
pub fn fold(text: &str, letters: usize, lines: usize) -> Option<&str> {
    let mut breaks = 0;
    for (count, (at, letter)) in text.char_indices().enumerate() {
        breaks += usize::from(letter == '\n');
        // A few letters more are no reason to hide them.
        let long =
            count == letters && text.get(at..).is_some_and(|rest| rest.chars().nth(letters / 4).is_some());
        if breaks >= lines || long {
            return text.get(..at).map(str::trim_end);
        }
    }
    None
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn entry(fields: serde_json::Value) -> Entry {
        let mut row = serde_json::json!({
            "id": "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90", "created_at": "2026-03-09T10:00:00Z",
            "event": "call", "outcome": "success", "actor_type": "app", "truncated": false, "redacted": false,
            "context": {}, "detail": {},
        });
        row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Entry::new(read(&row), &mut Names::default())
    }

    /// A row as the API would write it.
    pub fn read(row: &serde_json::Value) -> Row {
        crate::wire::row(&crate::json::parse(&row.to_string()).unwrap()).unwrap()
    }

    #[test]
    fn an_entry_takes_from_the_detail_what_the_row_itself_does_not_say() {
        let broken = entry(serde_json::json!({
            "event": "connection.broken", "detail": {"provider_id": "google", "code": "invalid_grant"},
        }));
        assert_eq!(broken.provider.as_deref(), Some("google"));
        assert_eq!(broken.code.as_deref(), Some("invalid_grant"));
        let revoked = entry(serde_json::json!({"event": "grant.revoked", "detail": {"reason": "left"}}));
        assert_eq!(revoked.reason.as_deref(), Some("left"));
        assert_eq!(entry(serde_json::json!({"reason": "  "})).reason, None);
    }

    #[test]
    fn names_that_occur_again_are_kept_once() {
        let mut names = Names::default();
        let (first, second) = (names.keep("api.github.com"), names.keep("api.github.com"));
        assert!(Rc::ptr_eq(&first, &second));
    }

    #[test]
    fn a_long_text_is_folded_by_letters_and_by_lines_and_a_short_one_is_not() {
        assert_eq!(fold("short", 20, 3), None);
        assert_eq!(fold(&"x".repeat(24), 20, 3), None, "four more letters are shown");
        assert_eq!(fold(&"x".repeat(60), 20, 3), Some("x".repeat(20).as_str()));
        assert_eq!(fold("a\nb\nc\nd", 20, 3), Some("a\nb\nc"));
        assert_eq!(fold(&"ü".repeat(100), 20, 3), Some("ü".repeat(20).as_str()));
    }
}
