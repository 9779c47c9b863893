//! What ending a grant will do, in words, before it is done.

use alter_api_types::{
    portal::{GrantKind, GrantStatus},
    wallet::{GrantCard, Holder, Overview},
};

use crate::{
    page::names::Cast,
    text::{
        self,
        grant::{self as words, AND_TOLD},
        record::fill,
    },
    visible::visible_line,
};

/// A sentence each, the most important one first.
pub fn consequences(grant: &GrantCard, all: Option<&Overview>) -> Vec<String> {
    let cast = Cast(all, &[]);
    let app = cast.app(Some(grant.app_id));
    let provider = visible_line(&grant.provider_name);
    let account = grant.account.as_ref().map(|account| visible_line(&account.identifier));
    let slots = [
        ("app", app.as_str()),
        ("provider", provider.as_str()),
        ("account", account.as_deref().unwrap_or(words::YOUR_ACCOUNT)),
    ];
    let mut sentences = Vec::new();
    let mut say = |template: &str| sentences.push(fill(template, &slots));
    match &grant.holder {
        Holder::Agent { agent_id } => {
            let agent = cast.agent(*agent_id);
            say(&fill(words::AGENT_FAILS, &[("agent", &agent), ("app", &app), ("provider", &provider)]));
            say(words::ONLY_AGENT);
        }
        _ => say(words::NEXT_FAILS),
    }
    let agents: Vec<String> = grant.agent_ids.iter().map(|agent| cast.agent(*agent)).collect();
    if grant.holder == Holder::You && !agents.is_empty() {
        let template = if agents.len() == 1 { words::AGENT_TOO } else { words::AGENTS_TOO };
        let number = agents.len().to_string();
        say(&fill(template, &[("n", &number), ("agents", &text::list(&agents))]));
    }
    match grant.kind {
        GrantKind::ManagedSecret => say(words::SECRET_STAYS),
        GrantKind::Oauth if is_last(grant, all) => say(&format!("{} {AND_TOLD}", words::TOKENS_GO)),
        GrantKind::Oauth => say(words::TOKENS_STAY),
    }
    say(words::IN_FLIGHT);
    say(match (grant.kind, &grant.holder) {
        (GrantKind::ManagedSecret, _) => words::FINAL_SECRET,
        (GrantKind::Oauth, Holder::Agent { .. }) => words::FINAL_AGENT,
        (GrantKind::Oauth, _) => words::FINAL,
    });
    sentences
}

/// Whether no other grant stays on the connection, as far as the user sees them. An own one ends those of agents with it.
fn is_last(grant: &GrantCard, all: Option<&Overview>) -> bool {
    let Some(all) = all else { return false };
    !all.grants.iter().any(|other| {
        let ends_too = grant.holder == Holder::You && matches!(other.holder, Holder::Agent { .. });
        other.connection_id == grant.connection_id
            && other.grant_id != grant.grant_id
            && other.status != GrantStatus::Revoked
            && !ends_too
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90";
    const OTHER: &str = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f91";

    fn grant(fields: Value) -> GrantCard {
        let mut card = json!({
            "grant_id": ID, "app_id": ID, "provider_id": "google", "provider_name": "Google", "kind": "oauth",
            "connection_id": ID, "holder": {"type": "you"}, "label": null,
            "account": {"identifier": "mia@example.com", "display_name": null}, "scopes": [], "status": "active",
            "reconnect": null, "created_at": "2026-03-09T10:00:00Z", "expires_at": null, "last_used_at": null,
            "agent_ids": [], "may_revoke": true, "extendable_to": null, "ended": null,
        });
        card.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(card).unwrap()
    }

    fn overview(grants: Vec<GrantCard>) -> Overview {
        let mut all: Overview = serde_json::from_value(json!({
            "user_id": ID,
            "apps": [{"app_id": ID, "name": "Acme", "description": null, "website_url": null, "branding": {}}],
            "agents": [{"agent_id": OTHER, "app_id": ID, "name": "Tidy", "display_name": null, "active": true}],
            "grants": [], "truncated": false, "pending_approvals": 0, "now": "2026-03-09T10:00:00Z",
        }))
        .unwrap();
        all.grants = grants;
        all
    }

    fn agents_grant() -> GrantCard {
        grant(json!({"grant_id": OTHER, "holder": {"type": "agent", "agent_id": OTHER}}))
    }

    #[test]
    fn the_last_grant_takes_the_tokens_and_the_agents_with_it() {
        let own = grant(json!({"agent_ids": [OTHER]}));
        let said = consequences(&own, Some(&overview(vec![own.clone(), agents_grant()])));
        assert_eq!(said[0], "The next time Acme uses Google for you, it fails. This takes effect at once.");
        assert!(said[1].contains("agent loses") && said[1].contains("Tidy"), "{said:?}");
        assert!(
            said[2].contains("tokens for mia@example.com are deleted") && said[2].contains("Google is told"),
            "{said:?}"
        );
        assert!(said.last().unwrap().contains("cannot be undone"));
    }

    #[test]
    fn an_agents_grant_leaves_the_users_own_and_the_tokens() {
        let own = grant(json!({"agent_ids": [OTHER]}));
        let said = consequences(&agents_grant(), Some(&overview(vec![own, agents_grant()])));
        assert!(said[0].contains("Tidy"), "{said:?}");
        assert!(said.iter().any(|words| words.contains("tokens stay")), "{said:?}");
        assert!(!said.iter().any(|words| words.contains("deleted")), "{said:?}");
    }

    #[test]
    fn other_access_to_the_same_connection_is_said_to_stay() {
        let (own, other) = (grant(json!({})), grant(json!({"grant_id": OTHER})));
        let said = consequences(&own, Some(&overview(vec![own.clone(), other.clone()])));
        assert!(said.iter().any(|words| words.contains("tokens stay")), "{said:?}");
        let ended = GrantCard { status: GrantStatus::Revoked, ..other };
        let said = consequences(&own, Some(&overview(vec![own.clone(), ended])));
        assert!(said.iter().any(|words| words.contains("deleted")), "{said:?}");
        let said = consequences(&own, None);
        assert!(
            !said.iter().any(|words| words.contains("are deleted")),
            "nothing is promised that is not known: {said:?}"
        );
    }

    #[test]
    fn a_managed_secret_is_the_apps_and_stays() {
        let secret = grant(json!({"kind": "managed_secret", "connection_id": null, "account": null}));
        let said = consequences(&secret, Some(&overview(vec![secret.clone()])));
        assert!(said.iter().any(|words| words.contains("belongs to Acme and stays")), "{said:?}");
        assert!(!said.iter().any(|words| words.contains("token")), "{said:?}");
    }
}
