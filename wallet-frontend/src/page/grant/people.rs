//! Who may use a grant's connection: the app, and agents, each of which can be shut out alone.

use alter_api_types::{
    portal::GrantStatus,
    wallet::{GrantCard, GrantDetail, Holder},
};
use leptos::prelude::*;

use super::facts::{used, whose};
use crate::{
    page::{
        grant_actions::revoke_button,
        plain::{link, part, say, tag, words},
    },
    text::{common, grant as text},
    ui::{Logo, Status, agent_name},
};

/// `changed` is told that a grant ended here.
pub fn people(detail: &GrantDetail, changed: Callback<()>) -> AnyView {
    let own = !matches!(detail.grant.holder, Holder::Agent { .. });
    let is_agents = |held: &&GrantCard| matches!(held.holder, Holder::Agent { .. });
    let (over, mut held): (Vec<_>, Vec<_>) =
        detail.siblings.iter().filter(is_agents).partition(|held| held.status == GrantStatus::Revoked);
    // Those that ended stand last.
    held.extend(over);
    let alone = held.is_empty();
    let mut lines = Vec::new();
    if own {
        let name = vec![whose(detail.app.name.clone()), say("p", "person-more", text::APP_ITSELF)];
        let logo = view! { <Logo app=&detail.app class="small" /> }.into_any();
        lines.push(tag("li", "person", vec![logo, tag("div", "person-words", name)]));
    } else {
        lines.extend(line(detail, &detail.grant, changed));
    }
    lines.extend(held.into_iter().filter_map(|held| line(detail, held, changed)));
    let mut content = vec![tag("ul", "people", lines)];
    if alone && own {
        content.push(say("p", "aside-words", text::NO_AGENTS));
    }
    part(text::WHO, content)
}

fn line(detail: &GrantDetail, held: &GrantCard, changed: Callback<()>) -> Option<AnyView> {
    let Holder::Agent { agent_id } = held.holder else { return None };
    let agent = detail.agents.iter().find(|agent| agent.agent_id == agent_id);
    let name = common::agent(&agent.map_or_else(|| held.provider_name.clone(), agent_name));
    let name = if held.grant_id == detail.grant.grant_id {
        whose(name)
    } else {
        let address = format!("/grants/{}", held.grant_id);
        link("", &address, vec![whose(name)])
    };
    let mut more = vec![used(held.last_used_at)];
    if agent.is_some_and(|agent| !agent.active) {
        more.insert(0, words(format!("{} · ", text::SWITCHED_OFF)));
    }
    let over = held.status == GrantStatus::Revoked;
    let mut parts = vec![
        tag("div", "person-words", vec![name, tag("p", "person-more", more)]),
        view! { <Status grant=held /> }.into_any(),
    ];
    // The page's own grant has its button beside its facts.
    if held.grant_id != detail.grant.grant_id {
        parts.push(revoke_button(held.clone(), Some(changed)));
    }
    Some(tag("li", if over { "person over" } else { "person" }, parts))
}
