//! One connection: whose account, for which app, what the app may do, until when.

use alter_api_types::{
    GrantId,
    portal::{GrantKind, GrantStatus},
    wallet::{AgentCard, AppCard, GrantCard, Holder, Overview},
};
use leptos::prelude::*;

use crate::{
    format,
    holdings::{self, Row},
    page::grant_actions::{ExtendButton, RevokeButton},
    state::{Find as _, Grants, use_overview},
    text,
    ui::{Ago, Countdown, Day, Foreign, Icon, Logo, Moment, Shape, Status, agent_name},
};

#[component]
pub fn GrantRow(rows: Memo<Vec<Row>>, id: GrantId, #[prop(optional)] names_provider: bool) -> impl IntoView {
    let overview = use_overview();
    let row = Memo::new(move |_| rows.with(|rows| rows.iter().find(|row| row.grant.grant_id == id).cloned()));
    let is_over = move || row.with(|row| row.as_ref().is_none_or(|row| !holdings::is_live(&row.grant)));
    let content = move || {
        let row = row.get()?;
        let overview = overview.ok_untracked()?;
        Some(content(&row, &overview, names_provider))
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
        let grant = row.get_untracked()?.grant;
        Some(view! { <ExtendButton grant=grant.clone() /> <RevokeButton grant /> })
    };
    view! {
        <li class="card grant" class:over=is_over>
            {content}
            <div class="grant-actions">
                {move || row.with(|row| row.as_ref().map(|row| details(row, overview)))} {actions}
            </div>
        </li>
    }
}

fn details(row: &Row, overview: Grants) -> impl IntoView + use<> {
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
}

fn content(row: &Row, overview: &Overview, names_provider: bool) -> impl IntoView + use<> {
    let grant = &row.grant;
    let app = overview.app(grant.app_id).cloned();
    let provider = format::visible_line(&grant.provider_name);
    let above = names_provider.then(|| view! { <p class="grant-provider"><bdi>{provider.clone()}</bdi></p> });
    view! {
        <div class="grant-top">
            <div class="grant-name">
                {above} <h3><Foreign text={name(grant)} /></h3> {second_name(grant)}
            </div>
            <Status grant />
        </div>
        {app.map(|app| used_by(&app, &grant.holder, overview))} {hint(grant)} {permissions(grant)}
        <dl class="facts">{times(grant)} {agents(row, overview)}</dl>
    }
}

/// The account, or what else tells this one from others.
fn name(grant: &GrantCard) -> String {
    let label = grant.label.as_ref().filter(|label| !label.trim().is_empty());
    match (&grant.account, label) {
        (Some(account), _) => account.identifier.clone(),
        (None, Some(label)) => label.clone(),
        (None, None) => grant.provider_name.clone(),
    }
}

fn second_name(grant: &GrantCard) -> Option<AnyView> {
    let account = grant.account.as_ref()?;
    let names = [account.display_name.clone(), grant.label.clone()];
    let names: Vec<String> = names.into_iter().flatten().filter(|name| *name != account.identifier).collect();
    let names = names.into_iter().map(|name| view! { <Foreign text={name} /> }).collect_view();
    (!names.is_empty()).then(|| view! { <p class="grant-second">{names}</p> }.into_any())
}

fn used_by(app: &AppCard, holder: &Holder, overview: &Overview) -> impl IntoView + use<> {
    let holder = match holder {
        Holder::You => None,
        Holder::Group { name } => Some(text::connections::for_group(&format::visible_line(name))),
        Holder::Agent { agent_id } => {
            let agent = overview.agent(*agent_id).map(agent_name).unwrap_or_else(|| agent_id.to_string());
            Some(text::connections::for_agent(&agent))
        }
    };
    view! {
        <p class="used-by">
            <Logo app class="small" />
            <span>{text::connections::USED_BY}" "<Foreign text={app.name.clone()} /></span>
        </p>
        {holder.map(|words| view! { <p class="grant-holder">{words}</p> })}
    }
}

/// Why it does not work, and what to do.
fn hint(grant: &GrantCard) -> Option<AnyView> {
    let reconnect = grant.reconnect.as_ref().filter(|_| holdings::is_live(grant))?;
    let cause = text::connections::cause(&format::visible_line(&grant.provider_name), &reconnect.cause);
    let since = reconnect.since.map(|at| view! { " " {text::connections::SINCE} " " <Moment at />"." });
    Some(
        view! {
            <div class="hint">
                <Icon shape=Shape::Alert />
                <div>
                    <p class="hint-title">{text::connections::RECONNECT_TITLE}</p>
                    <p>{cause} {since}</p>
                    <p>{text::connections::RECONNECT_DO}</p>
                </div>
            </div>
        }
        .into_any(),
    )
}

fn permissions(grant: &GrantCard) -> AnyView {
    if grant.kind == GrantKind::ManagedSecret {
        return view! { <p class="permissions">{text::connections::SECRET}</p> }.into_any();
    }
    if grant.scopes.is_empty() {
        return ().into_any();
    }
    let list = grant
        .scopes
        .iter()
        .map(|it| view! { <li><code><Foreign text={it.scope.clone()} /></code></li> })
        .collect_view();
    match text::scopes(&grant.scopes) {
        Some(words) => view! {
            <p class="permissions">{words}</p>
            <details class="fold">
                <summary>{text::connections::SCOPES}</summary>
                <ul class="scopes">{list}</ul>
            </details>
        }
        .into_any(),
        None => view! {
            <div class="permissions">
                <p>{text::connections::NO_WORDS}</p>
                <ul class="scopes">{list}</ul>
            </div>
        }
        .into_any(),
    }
}

fn times(grant: &GrantCard) -> impl IntoView + use<> {
    let used = match grant.last_used_at {
        Some(at) => view! { <Ago at /> }.into_any(),
        None => text::common::NEVER_USED.into_any(),
    };
    let (ends, end) = match (grant.status, &grant.ended, grant.expires_at) {
        (GrantStatus::Revoked, Some(ended), _) => {
            (text::connections::REVOKED, view! { <Moment at={ended.at} /> }.into_any())
        }
        (GrantStatus::Expired, _, Some(at)) => {
            (text::connections::EXPIRED, view! { <Moment at /> }.into_any())
        }
        (_, _, Some(at)) => (text::connections::EXPIRES, view! { <Countdown at /> }.into_any()),
        _ => (text::connections::EXPIRES, text::connections::NO_END.into_any()),
    };
    view! {
        <div>
            <dt>{text::connections::USED}</dt>
            <dd>{used}</dd>
        </div>
        <div>
            <dt>{ends}</dt>
            <dd>{end}</dd>
        </div>
        <div>
            <dt>{text::connections::CREATED}</dt>
            <dd>
                <Day at={grant.created_at} />
            </dd>
        </div>
    }
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
    let known: Vec<&AgentCard> = ids.iter().filter_map(|id| overview.agent(*id)).collect();
    let names = known
        .iter()
        .map(|agent| {
            let off = (!agent.active).then(|| format!(" ({})", text::connections::INACTIVE));
            view! { <li><Foreign text={agent_name(agent)} />{off}</li> }
        })
        .collect_view();
    let names = if known.is_empty() {
        text::connections::NO_AGENTS.into_any()
    } else {
        view! { <ul class="chips">{names}</ul> }.into_any()
    };
    Some(
        view! {
            <div class="wide">
                <dt>{text::connections::AGENTS}</dt>
                <dd>{names}</dd>
            </div>
        }
        .into_any(),
    )
}
