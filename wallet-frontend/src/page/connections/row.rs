//! One connection: whose account, for which app, what the app may do, until when.

use alter_api_types::{
    GrantId,
    portal::{GrantKind, GrantStatus},
    wallet::{AppCard, GrantCard, Holder, Overview},
};
use leptos::prelude::*;

use super::Shown;
use crate::{
    format,
    holdings::{self, Row},
    page::{
        grant_actions::{extend_button, revoke_button},
        plain::{el, fact, live, nothing, say, tag, told, words},
    },
    state::{Find as _, Grants, use_overview},
    text,
    ui::{Ago, Countdown, Day, Icon, Logo, Moment, Shape, Status, agent_name},
};

pub fn grant_row(shown: Shown, id: GrantId, names_provider: bool) -> AnyView {
    let overview = use_overview();
    let row = Memo::new(move |_| shown.row(id));
    let is_over = move || row.with(|row| row.as_ref().is_none_or(|row| !holdings::is_live(&row.grant)));
    let content = live(move || match (row.get(), overview.ok_untracked()) {
        (Some(row), Some(overview)) => content(&row, &overview, names_provider),
        _ => nothing(),
    });
    // Made anew only when what can be done changes: a question that is open in there stays open meanwhile.
    let able = told(move || {
        let able = |row: &Row| {
            let GrantCard { may_revoke, status, expires_at, extendable_to, .. } = &row.grant;
            let status = match status {
                GrantStatus::Active => "active",
                GrantStatus::Expired => "expired",
                GrantStatus::Revoked => "revoked",
            };
            let [ends, may_end] = [expires_at, extendable_to].map(|at| at.map(|at| at.to_string()));
            let may_revoke = if *may_revoke { "revocable" } else { "" };
            [may_revoke, status, &ends.unwrap_or_default(), &may_end.unwrap_or_default()].join(" ")
        };
        row.with(|row| row.as_ref().map(able).unwrap_or_default())
    });
    let actions = live(move || {
        able.get();
        let Some(row) = row.get_untracked() else { return nothing() };
        let grant = row.grant;
        vec![extend_button(grant.clone(), None), revoke_button(grant, None)].into_any()
    });
    let details = row.get_untracked().map_or_else(nothing, |row| details(&row, overview));
    el("li", "card grant")
        .class_while("over", is_over)
        .all(vec![content, tag("div", "grant-actions", vec![details, actions])])
        .view()
}

fn details(row: &Row, overview: Grants) -> AnyView {
    let grant = &row.grant;
    let app = overview
        .ok_untracked()
        .and_then(|it| it.app(grant.app_id).map(|app| format::visible_line(&app.name)));
    let label =
        text::connections::details_of(&format::visible_line(&grant.provider_name), &app.unwrap_or_default());
    el("a", "button quiet")
        .set("href", &format!("/grants/{}", grant.grant_id))
        .set("aria-label", &label)
        .text(text::connections::DETAILS)
        .view()
}

fn content(row: &Row, overview: &Overview, names_provider: bool) -> AnyView {
    let grant = &row.grant;
    let mut name = Vec::new();
    if names_provider {
        name.push(tag("p", "grant-provider", vec![foreign(&grant.provider_name)]));
    }
    name.push(tag("h3", "", vec![foreign(name_of(grant))]));
    name.extend(second_name(grant));
    let status = view! { <Status grant /> }.into_any();
    let mut parts = vec![tag("div", "grant-top", vec![tag("div", "grant-name", name), status])];
    if let Some(app) = overview.app(grant.app_id) {
        parts.extend(used_by(app, &grant.holder, overview));
    }
    parts.extend(hint(grant));
    parts.extend(permissions(grant));
    let mut facts = times(grant);
    facts.extend(agents(row, overview));
    parts.push(tag("dl", "facts", facts));
    parts.into_any()
}

/// The account, or what else tells this one from others.
fn name_of(grant: &GrantCard) -> &str {
    let label = grant.label.as_deref().filter(|label| !label.trim().is_empty());
    match (&grant.account, label) {
        (Some(account), _) => &account.identifier,
        (None, Some(label)) => label,
        (None, None) => &grant.provider_name,
    }
}

fn second_name(grant: &GrantCard) -> Option<AnyView> {
    let account = grant.account.as_ref()?;
    let names = [account.display_name.as_deref(), grant.label.as_deref()].into_iter().flatten();
    let names: Vec<AnyView> = names.filter(|name| *name != account.identifier).map(foreign).collect();
    (!names.is_empty()).then(|| tag("p", "grant-second", names))
}

fn used_by(app: &AppCard, holder: &Holder, overview: &Overview) -> Vec<AnyView> {
    let logo = view! { <Logo app class="small" /> }.into_any();
    let name = tag("span", "", vec![words(text::connections::USED_BY), words(" "), foreign(&app.name)]);
    let mut parts = vec![tag("p", "used-by", vec![logo, name])];
    let holder = match holder {
        Holder::You => None,
        Holder::Group { name } => Some(text::connections::for_group(&format::visible_line(name))),
        Holder::Agent { agent_id } => {
            let agent = overview.agent(*agent_id).map_or_else(|| agent_id.to_string(), agent_name);
            Some(text::connections::for_agent(&agent))
        }
    };
    parts.extend(holder.map(|holder| say("p", "grant-holder", holder)));
    parts
}

/// Why it does not work, and what to do.
fn hint(grant: &GrantCard) -> Option<AnyView> {
    let reconnect = grant.reconnect.as_ref().filter(|_| holdings::is_live(grant))?;
    let cause = text::connections::cause(&format::visible_line(&grant.provider_name), &reconnect.cause);
    let mut why = vec![words(cause)];
    if let Some(at) = reconnect.since {
        let at = view! { <Moment at /> }.into_any();
        why.extend([words(format!(" {} ", text::connections::SINCE)), at, words(".")]);
    }
    let lines = vec![
        say("p", "hint-title", text::connections::RECONNECT_TITLE),
        tag("p", "", why),
        say("p", "", text::connections::RECONNECT_DO),
    ];
    let icon = view! { <Icon shape=Shape::Alert /> }.into_any();
    Some(tag("div", "hint", vec![icon, tag("div", "", lines)]))
}

fn permissions(grant: &GrantCard) -> Vec<AnyView> {
    if grant.kind == GrantKind::ManagedSecret {
        return vec![say("p", "permissions", text::connections::SECRET)];
    }
    if grant.scopes.is_empty() {
        return vec![];
    }
    let list = grant.scopes.iter().map(|it| tag("li", "", vec![tag("code", "", vec![foreign(&it.scope)])]));
    let list = tag("ul", "scopes", list.collect());
    match text::scopes(&grant.scopes) {
        Some(plain) => vec![
            say("p", "permissions", plain),
            tag("details", "fold", vec![say("summary", "", text::connections::SCOPES), list]),
        ],
        None => vec![tag("div", "permissions", vec![say("p", "", text::connections::NO_WORDS), list])],
    }
}

fn times(grant: &GrantCard) -> Vec<AnyView> {
    let used = grant
        .last_used_at
        .map_or_else(|| words(text::common::NEVER_USED), |at| view! { <Ago at /> }.into_any());
    let moment = |at| view! { <Moment at /> }.into_any();
    let (ends, end) = match (grant.status, &grant.ended, grant.expires_at) {
        (GrantStatus::Revoked, Some(ended), _) => (text::connections::REVOKED, moment(ended.at)),
        (GrantStatus::Expired, _, Some(at)) => (text::connections::EXPIRED, moment(at)),
        (_, _, Some(at)) => (text::connections::EXPIRES, view! { <Countdown at /> }.into_any()),
        _ => (text::connections::EXPIRES, words(text::connections::NO_END)),
    };
    let created = view! { <Day at={grant.created_at} /> }.into_any();
    vec![
        fact(text::connections::USED, vec![used]),
        fact(ends, vec![end]),
        fact(text::connections::CREATED, vec![created]),
    ]
}

fn agents(row: &Row, overview: &Overview) -> Option<AnyView> {
    // Of an agent's own grant the line above says it, and a group's has none.
    if row.grant.holder != Holder::You {
        return None;
    }
    let of_rows = row.agents.iter().filter_map(|grant| match grant.holder {
        Holder::Agent { agent_id } => Some(agent_id),
        _ => None,
    });
    let mut ids: Vec<_> = row.grant.agent_ids.iter().copied().chain(of_rows).collect();
    ids.sort_unstable();
    ids.dedup();
    let names = ids.iter().filter_map(|id| overview.agent(*id)).map(|agent| {
        let off = if agent.active { String::new() } else { format!(" ({})", text::connections::INACTIVE) };
        tag("li", "", vec![foreign(&agent_name(agent)), words(off)])
    });
    let names: Vec<AnyView> = names.collect();
    let names =
        if names.is_empty() { words(text::connections::NO_AGENTS) } else { tag("ul", "chips", names) };
    Some(tag("div", "wide", vec![say("dt", "", text::connections::AGENTS), tag("dd", "", vec![names])]))
}

fn foreign(text: &str) -> AnyView {
    say("bdi", "foreign", format::visible_line(text))
}
