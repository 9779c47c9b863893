//! One connection: whose account, for which app, what the app may do, until when.

use alter_api_types::{
    GrantId,
    portal::{GrantKind, GrantStatus},
    wallet::{AppCard, GrantCard, Holder, Overview},
};
use leptos::prelude::*;

use crate::{
    format,
    holdings::{self, Row},
    page::{
        grant_actions::{ExtendButton, RevokeButton},
        plain::{fact, nothing, say, tag, words},
    },
    state::{Find as _, Grants, use_overview},
    text,
    ui::{Ago, Countdown, Day, Icon, Logo, Moment, Shape, Status, agent_name},
};

#[component]
pub fn GrantRow(rows: Memo<Vec<Row>>, id: GrantId, #[prop(optional)] names_provider: bool) -> impl IntoView {
    let overview = use_overview();
    let row = Memo::new(move |_| rows.with(|rows| rows.iter().find(|row| row.grant.grant_id == id).cloned()));
    let is_over = move || row.with(|row| row.as_ref().is_none_or(|row| !holdings::is_live(&row.grant)));
    let content = move || match (row.get(), overview.ok_untracked()) {
        (Some(row), Some(overview)) => content(&row, &overview, names_provider),
        _ => nothing(),
    };
    // Made anew only when what can be done changes: a question that is open in there stays open meanwhile.
    let able = Memo::new(move |_| {
        row.with(|row| {
            row.as_ref().map(|row| {
                (row.grant.may_revoke, row.grant.status, row.grant.expires_at, row.grant.extendable_to)
            })
        })
    });
    let actions = move || {
        able.track();
        let Some(row) = row.get_untracked() else { return nothing() };
        let grant = row.grant;
        view! { <ExtendButton grant=grant.clone() /> <RevokeButton grant /> }.into_any()
    };
    view! {
        <li class="card grant" class:over=is_over>
            {content}
            <div class="grant-actions">
                {move || row.get().map_or_else(nothing, |row| details(&row, overview))} {actions}
            </div>
        </li>
    }
}

fn details(row: &Row, overview: Grants) -> AnyView {
    let grant = &row.grant;
    let app = overview
        .ok_untracked()
        .and_then(|it| it.app(grant.app_id).map(|app| format::visible_line(&app.name)));
    let label =
        text::connections::details_of(&format::visible_line(&grant.provider_name), &app.unwrap_or_default());
    view! {
        <a class="button quiet" href={format!("/grants/{}", grant.grant_id)} aria-label={label}>
            {text::connections::DETAILS}
        </a>
    }
    .into_any()
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
