//! What a grant is and can do.

use alter_api_types::{
    portal::GrantStatus,
    wallet::{AgentCard, AppCard, GrantCard, Holder},
};
use leptos::prelude::*;

use crate::{
    format,
    page::{grant_actions::CopyId, names::capital},
    state::use_clock,
    text::{common, connections, grant as words, record::fill},
    ui::{Ago, Card, Countdown, Foreign, Logo, Moment, ProviderMark, Status, agent_name},
    visible::visible_line,
};

/// What it can do, in words; the provider's own terms folded below.
#[component]
pub fn Abilities(grant: GrantCard) -> impl IntoView {
    let mut can: Vec<String> = grant
        .scopes
        .iter()
        .filter_map(|scope| scope.words.as_deref())
        .map(|known| capital(&visible_line(known)))
        .collect();
    can.dedup();
    let none = can.is_empty() && !grant.scopes.is_empty();
    let secret = grant.connection_id.is_none();
    let raw: Vec<_> = grant.scopes.iter().map(|scope| visible_line(&scope.scope)).collect();
    let account = grant.account.as_ref().map(|account| account.identifier.clone());
    view! {
        <Card class="about">
            <div class="about-who">
                <ProviderMark id=&grant.provider_id name=&grant.provider_name />
                <div class="about-name">
                    <p class="about-provider"><Foreign text=grant.provider_name.clone() /></p>
                    {account.map(|account| view! { <p class={"about-account"}><Foreign text=account /></p> })}
                </div>
                <Status grant=&grant />
            </div>
            <h2 class="about-can">{words::WHAT}</h2>
            {secret.then(|| view! { <p>{connections::SECRET}</p> })}
            {none.then(|| view! { <p>{words::NO_WORDS}</p> })}
            <ul class="can">
                {can.into_iter().map(|words| view! { <li><Foreign text=words /></li> }).collect_view()}
            </ul>
            {(!raw.is_empty())
                .then(|| {
                    view! {
                        <details class="raw">
                            <summary>{words::RAW}</summary>
                            <ul>
                                {raw.into_iter().map(|scope| view! { <li><code>{scope}</code></li> }).collect_view()}
                            </ul>
                        </details>
                    }
                })}
        </Card>
    }
}

#[component]
pub fn Facts(app: AppCard, grant: GrantCard, agents: Vec<AgentCard>) -> impl IntoView {
    let account = grant.account.clone().map(|account| {
        let name = account.display_name.filter(|name| *name != account.identifier);
        view! {
            <Foreign text=account.identifier />
            {name.map(|name| view! { <span class={"beside"}><Foreign text=name /></span> })}
        }
        .into_any()
    });
    let holder = match &grant.holder {
        Holder::You => words::YOU.to_owned(),
        Holder::Group { name } => fill(words::EVERYBODY_IN, &[("group", &visible_line(name))]),
        Holder::Agent { agent_id } => {
            let known = agents.iter().find(|agent| agent.agent_id == *agent_id);
            fill(words::AN_AGENT, &[("agent", &known.map(agent_name).unwrap_or_default())])
        }
    };
    let used = match grant.last_used_at {
        Some(at) => view! { <Ago at /> }.into_any(),
        None => common::NEVER_USED.into_any(),
    };
    let ends_name = if grant.status == GrantStatus::Expired { words::EXPIRED } else { words::EXPIRES };
    view! {
        <dl class="sheet">
            {fact(
                words::APP,
                view! {
                    <span class={"with-logo"}>
                        <Logo app=&app class="small" />
                        <Foreign text=app.name.clone() />
                    </span>
                }
                .into_any(),
            )}
            {account.map(|account| fact(words::ACCOUNT, account))}
            {fact(words::HOLDER, view! { <bdi>{holder}</bdi> }.into_any())}
            {grant.label.clone().map(|label| fact(words::NAME, view! { <Foreign text=label /> }.into_any()))}
            {fact(words::CREATED, view! { <Moment at=grant.created_at /> }.into_any())}
            {(grant.status != GrantStatus::Revoked).then(|| fact(ends_name, ends(&grant)))}
            {fact(words::LAST_USED, used)}
            {fact(words::ID, view! { <CopyId id=grant.grant_id.to_string() /> }.into_any())}
        </dl>
    }
}

/// When it ends, and how long that is from now.
fn ends(grant: &GrantCard) -> AnyView {
    let Some(at) = grant.expires_at else { return words::NO_END.into_any() };
    let clock = use_clock();
    let left = Memo::new(move |_| format::duration_until(at, clock.second()));
    let far = move || at.as_second() - clock.now().as_second() > 86_400;
    view! {
        <Countdown at />
        {move || {
            let left = left.get();
            (far() && !left.is_empty())
                .then(|| view! { <span class={"beside"}>{fill(words::LEFT, &[("time", &left)])}</span> })
        }}
    }
    .into_any()
}

fn fact(name: &'static str, value: AnyView) -> impl IntoView {
    view! {
        <div>
            <dt>{name}</dt>
            <dd>{value}</dd>
        </div>
    }
}
