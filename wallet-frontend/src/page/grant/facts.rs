//! What a grant is and can do.

use alter_api_types::Timestamp;
use alter_api_types::{
    portal::GrantStatus,
    wallet::{AgentCard, AppCard, GrantCard, Holder},
};
use leptos::prelude::*;

use crate::{
    format,
    page::{
        grant_actions::copy_id,
        names::capital,
        plain::{fact, live, nothing, say, tag, told, words},
    },
    state::use_clock,
    text::{common, connections, grant as text, record::fill},
    ui::{Ago, Countdown, Foreign, Logo, Moment, ProviderMark, Status, agent_name},
    visible::visible_line,
};

/// What it can do, in words; the provider's own terms folded below.
pub fn abilities(grant: &GrantCard) -> AnyView {
    let known = grant.scopes.iter().filter_map(|scope| scope.words.as_deref());
    let mut can: Vec<String> = known.map(|known| capital(&visible_line(known))).collect();
    can.dedup();
    let account = grant.account.as_ref().map(|account| foreign("about-account", account.identifier.clone()));
    let mut name = vec![foreign("about-provider", grant.provider_name.clone())];
    name.extend(account);
    let who = vec![
        view! { <ProviderMark id=&grant.provider_id name=&grant.provider_name /> }.into_any(),
        tag("div", "about-name", name),
        view! { <Status grant=grant /> }.into_any(),
    ];
    let mut content = vec![tag("div", "about-who", who), say("h2", "about-can", text::WHAT)];
    if grant.connection_id.is_none() {
        content.push(say("p", "", connections::SECRET));
    }
    if can.is_empty() && !grant.scopes.is_empty() {
        content.push(say("p", "", text::NO_WORDS));
    }
    content.push(tag("ul", "can", can.into_iter().map(|can| foreign_in("li", can)).collect()));
    if !grant.scopes.is_empty() {
        let raw =
            grant.scopes.iter().map(|scope| tag("li", "", vec![say("code", "", visible_line(&scope.scope))]));
        let raw = vec![say("summary", "", text::RAW), tag("ul", "", raw.collect())];
        content.push(tag("details", "fold raw", raw));
    }
    tag("div", "card about", content)
}

pub fn facts(app: &AppCard, grant: &GrantCard, agents: &[AgentCard]) -> AnyView {
    let logo = view! { <Logo app=app class="small" /> }.into_any();
    let named = tag("span", "with-logo", vec![logo, whose(app.name.clone())]);
    let mut facts = vec![fact(text::APP, vec![named])];
    if let Some(account) = &grant.account {
        let mut value = vec![whose(account.identifier.clone())];
        let name = account.display_name.clone().filter(|name| *name != account.identifier);
        value.extend(name.map(|name| foreign("beside", name)));
        facts.push(fact(text::ACCOUNT, value));
    }
    facts.push(fact(text::HOLDER, vec![say("bdi", "", holder(grant, agents))]));
    if let Some(label) = grant.label.clone() {
        facts.push(fact(text::NAME, vec![whose(label)]));
    }
    facts.push(fact(text::CREATED, vec![view! { <Moment at=grant.created_at /> }.into_any()]));
    if grant.status != GrantStatus::Revoked {
        let name = if grant.status == GrantStatus::Expired { text::EXPIRED } else { text::EXPIRES };
        facts.push(fact(name, grant.expires_at.map_or_else(|| vec![words(text::NO_END)], ends)));
    }
    facts.push(fact(text::LAST_USED, vec![used(grant.last_used_at)]));
    facts.push(fact(text::ID, vec![copy_id(&grant.grant_id.to_string())]));
    tag("dl", "sheet", facts)
}

/// When it was last used.
pub fn used(at: Option<Timestamp>) -> AnyView {
    at.map_or_else(|| words(common::NEVER_USED), |at| view! { <Ago at /> }.into_any())
}

/// A text from outside.
pub fn whose(text: String) -> AnyView {
    view! { <Foreign text /> }.into_any()
}

fn foreign(class: &'static str, text: String) -> AnyView {
    tag("p", class, vec![whose(text)])
}

fn foreign_in(name: &'static str, text: String) -> AnyView {
    tag(name, "", vec![whose(text)])
}

fn holder(grant: &GrantCard, agents: &[AgentCard]) -> String {
    match &grant.holder {
        Holder::You => text::YOU.to_owned(),
        Holder::Group { name } => fill(text::EVERYBODY_IN, &[("group", &visible_line(name))]),
        Holder::Agent { agent_id } => {
            let known = agents.iter().find(|agent| agent.agent_id == *agent_id);
            fill(text::AN_AGENT, &[("agent", &known.map(agent_name).unwrap_or_default())])
        }
    }
}

/// When it ends, and how long that is from now.
fn ends(at: Timestamp) -> Vec<AnyView> {
    let clock = use_clock();
    let left = told(move || format::duration_until(at, clock.second()));
    // On the last day the countdown says it itself.
    let far = move || at.as_second() - clock.now().as_second() > 86_400;
    let beside = live(move || {
        let left = left.get();
        if far() && !left.is_empty() {
            say("span", "beside", fill(text::LEFT, &[("time", &left)]))
        } else {
            nothing()
        }
    });
    vec![view! { <Countdown at /> }.into_any(), beside]
}
