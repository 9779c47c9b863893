//! Rows of the record in plain words.

use super::entry::Entry;
use crate::{
    page::names::{Cast, capital},
    text::record::{self as text, fill},
    visible::visible_line,
};

/// How a row went, for its sign and its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    /// The vault said no.
    Refused,
    Failed,
    /// No result is on the record.
    Open,
    /// Not a call.
    Note,
    /// Not a call, and somebody's access ended or does not work.
    Ended,
}

impl Tone {
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "tone-good",
            Self::Refused => "tone-refused",
            Self::Failed => "tone-failed",
            Self::Open => "tone-open",
            Self::Note => "tone-note",
            Self::Ended => "tone-ended",
        }
    }
}

/// What happened, where it is no call: a sentence.
pub fn event(entry: &Entry, cast: Cast<'_>) -> String {
    let surface = entry.surface.as_deref().unwrap_or_default();
    let for_agent = entry.owner.is_some();
    let Some(template) = template(entry, surface, for_agent) else { return plain(&entry.event) };
    let provider = cast.provider(entry.provider.as_deref());
    let agent = entry.agent().map_or_else(|| text::SOME_AGENT.to_owned(), |agent| cast.agent(agent));
    capital(&fill(template, &[("app", &cast.app(entry.app)), ("provider", &provider), ("agent", &agent)]))
}

pub fn tone(entry: &Entry) -> Tone {
    match (&*entry.outcome, entry.is_call()) {
        ("success", true) => Tone::Good,
        ("denied", true) => Tone::Refused,
        ("started", true) => Tone::Open,
        (_, true) => Tone::Failed,
        ("success" | "started", false) => match &*entry.event {
            "grant.revoked" | "connection.broken" | "connect.declined" | "sign_in.failed"
            | "user.suspended" | "user.deprovisioned" => Tone::Ended,
            _ => Tone::Note,
        },
        (_, false) => Tone::Ended,
    }
}

/// How a call went, in words: `Succeeded`, `Refused: the access was revoked`.
pub fn outcome(entry: &Entry, cast: Cast<'_>) -> String {
    let provider = || cast.provider(entry.provider.as_deref());
    let of_provider = |template| capital(&fill(template, &[("provider", &provider())]));
    match &*entry.outcome {
        "success" => text::SUCCEEDED.to_owned(),
        "started" => text::NO_RESULT.to_owned(),
        "denied" => refusal(entry.code.as_deref().unwrap_or_default()).to_owned(),
        "provider_error" => of_provider(text::provider_error(entry.status.unwrap_or_default())),
        "network_error" => of_provider(match entry.code.as_deref() {
            Some("upstream_timeout") => text::TIMED_OUT,
            Some("upstream_error") => text::BROKE_OFF,
            _ => text::UNREACHABLE,
        }),
        "vault_error" => text::VAULT_ERROR.to_owned(),
        "aborted" => text::ABORTED.to_owned(),
        other => plain(other),
    }
}

/// `842 ms`, `3.2 s`, `2 min`.
pub fn latency(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min", ms / 60_000),
    }
}

/// `512 bytes`, `12 KB`, `3.4 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => fill(text::BYTES, &[("n", &bytes.to_string())]),
        1000..1_000_000 => format!("{} KB", bytes / 1000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// A kind that this page has no words for, as readable as its name allows: `key.rotated_late` is `Key: rotated late`.
pub fn plain(kind: &str) -> String {
    let mut words = String::with_capacity(kind.len() + 2);
    for (at, part) in kind.splitn(2, '.').enumerate() {
        if at > 0 {
            words.push_str(": ");
        }
        words.extend(part.chars().map(|letter| if matches!(letter, '_' | '.' | '-') { ' ' } else { letter }));
    }
    capital(&visible_line(&words))
}

fn template(entry: &Entry, surface: &str, for_agent: bool) -> Option<&'static str> {
    let worked = matches!(&*entry.outcome, "success" | "started");
    Some(match (&*entry.event, surface) {
        (_, "wallet") if entry.event.starts_with("sign_in.") && worked => text::SIGNED_IN_WALLET,
        ("grant.created", "connect") => text::CONNECTED,
        ("grant.created", "portal") => text::OPERATOR_GAVE,
        ("grant.created", _) if for_agent => text::AGENT_GIVEN,
        ("grant.created", _) => text::APP_GOT,
        ("grant.revoked", "wallet") if for_agent => text::YOU_ENDED_AGENT,
        ("grant.revoked", "wallet") => text::YOU_ENDED,
        ("grant.revoked", "portal") => text::OPERATOR_ENDED,
        ("grant.revoked", "webhook") => text::ACCOUNT_ENDED,
        ("grant.revoked", "vault") => text::VAULT_ENDED,
        ("grant.revoked", _) if for_agent => text::APP_ENDED_AGENT,
        ("grant.revoked", _) => text::APP_ENDED,
        ("grant.extended", _) => text::EXTENDED,
        ("connect_session.created", _) => text::ASKED_TO_CONNECT,
        ("connect.declined", _) => match entry.code.as_deref() {
            Some("access_denied" | "declined" | "user_declined") | None => text::DECLINED,
            Some(_) => text::NOT_CONNECTED,
        },
        ("connection.renewed", _) => text::CONNECTED_AGAIN,
        ("connection.refreshed", _) if worked => text::REFRESHED,
        ("connection.refreshed", _) => text::NOT_REFRESHED,
        ("connection.broken", _) => text::BROKEN,
        ("connection.revoked_at_provider", _) if worked => text::PROVIDER_TOLD,
        ("connection.revoked_at_provider", _) => text::PROVIDER_NOT_TOLD,
        ("user.created", _) => text::USER_CREATED,
        ("user.suspended", _) => text::USER_SUSPENDED,
        ("user.reactivated", _) => text::USER_REACTIVATED,
        ("user.deprovisioned", _) => text::USER_LEFT,
        ("user.deprovision_finished", _) => text::USER_LEFT_DONE,
        ("user.sessions_ended", _) => text::SESSIONS_ENDED,
        ("user.updated", _) => text::USER_UPDATED,
        ("user.groups_changed", _) => text::GROUPS_CHANGED,
        ("sign_in.completed", _) => text::SIGNED_IN,
        ("sign_in.failed", _) => text::SIGN_IN_FAILED,
        _ => return None,
    })
}

/// Why the vault said no.
fn refusal(code: &str) -> &'static str {
    text::REFUSALS.iter().find(|(known, _)| *known == code).map_or(text::REFUSED, |(_, words)| words)
}

#[cfg(test)]
mod tests {
    use alter_api_types::wallet::Overview;
    use serde_json::{Value, json};

    use super::{super::entry::tests::entry, *};

    const APP: &str = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90";

    fn overview() -> Overview {
        let overview = json!({
            "user_id": APP,
            "apps": [{"app_id": APP, "name": "Acme", "description": null, "website_url": null, "branding": {}}],
            "agents": [{"agent_id": APP, "app_id": APP, "name": "helper", "display_name": "Tidy helper", "active": true}],
            "grants": [], "truncated": false, "pending_approvals": 0, "now": "2026-03-09T10:00:00Z",
        });
        serde_json::from_value(overview).unwrap()
    }

    fn said(fields: Value) -> String {
        let mut all = json!({"app_id": APP, "provider_id": "github"});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        event(&entry(all), Cast(Some(&overview()), &[]))
    }

    #[test]
    fn events_are_told_as_people_would_tell_them() {
        for (fields, expected) in [
            (json!({"event": "grant.created", "surface": "connect"}), "You connected Github to Acme"),
            (
                json!({"event": "grant.revoked", "surface": "portal"}),
                "Acme's operator ended its access to Github",
            ),
            (json!({"event": "grant.revoked", "surface": "wallet"}), "You ended Acme's access to Github"),
            (
                json!({"event": "grant.revoked", "surface": "wallet", "principal_agent_id": APP}),
                "You ended the access of the agent Tidy helper to Github",
            ),
            (json!({"event": "sign_in.completed", "surface": "wallet"}), "You signed in to the Wallet"),
            (json!({"event": "sign_in.completed", "surface": "connect"}), "You signed in to Acme"),
        ] {
            assert_eq!(said(fields), expected);
        }
        assert_eq!(
            event(&entry(json!({"event": "grant.created", "surface": "portal"})), Cast(None, &[])),
            "The operator of an app gave it access to a provider"
        );
    }

    #[test]
    fn a_kind_that_is_new_is_still_readable() {
        assert_eq!(said(json!({"event": "approval.was_requested"})), "Approval: was requested");
        assert_eq!(said(json!({"event": "odd"})), "Odd");
        assert_eq!(plain(""), "");
    }

    #[test]
    fn a_name_with_slots_in_it_is_a_name_and_no_template() {
        assert_eq!(
            fill("{app} and {provider}", &[("app", "{provider}"), ("provider", "x")]),
            "{provider} and x"
        );
        assert_eq!(fill("{app", &[("app", "x")]), "{app");
        assert_eq!(fill("{other} {app}", &[("app", "x")]), "{other} x");
    }

    #[test]
    fn outcomes_say_who_said_no_and_why() {
        let said = |fields| outcome(&entry(fields), Cast(None, &[]));
        assert_eq!(said(json!({})), "Succeeded");
        assert_eq!(
            said(json!({"outcome": "denied", "error_code": "grant_revoked"})),
            "Refused: access had been revoked"
        );
        assert_eq!(said(json!({"outcome": "denied", "error_code": "unheard_of"})), "Refused by the vault");
        assert_eq!(
            said(json!({"outcome": "provider_error", "status": 404, "provider_id": "github"})),
            "Github found nothing there"
        );
        assert_eq!(said(json!({"outcome": "provider_error", "status": 503})), "A provider had a problem");
        assert_eq!(said(json!({"outcome": "lost_in_space"})), "Lost in space");
    }

    #[test]
    fn every_outcome_has_words_and_a_tone() {
        for known in crate::page::activity::filter::OUTCOMES {
            let row = entry(json!({"outcome": known}));
            assert_ne!(outcome(&row, Cast(None, &[])), plain(known), "{known}");
            assert_eq!(tone(&row) == Tone::Good, known == "success");
        }
        assert_eq!(tone(&entry(json!({"event": "grant.revoked"}))), Tone::Ended);
        assert_eq!(tone(&entry(json!({"event": "user.updated"}))), Tone::Note);
    }

    #[test]
    fn times_and_sizes_are_short() {
        assert_eq!([latency(7), latency(1250), latency(185_000)], ["7 ms", "1.2 s", "3 min"]);
        assert_eq!([size(12), size(12_345), size(3_456_789)], ["12 bytes", "12 KB", "3.4 MB"]);
    }
}
