//! Who may use a grant's connection: the app, and agents, each of which can be shut out alone.

use alter_api_types::{
    portal::GrantStatus,
    wallet::{AgentCard, AppCard, GrantCard, Holder},
};
use leptos::prelude::*;

use crate::{
    page::grant_actions::RevokeButton,
    text::{common, grant as words},
    ui::{Ago, Card, Foreign, Logo, Status, agent_name},
};

#[component]
pub fn People(
    app: AppCard,
    grant: GrantCard,
    siblings: Vec<GrantCard>,
    agents: Vec<AgentCard>,
    changed: Callback<GrantCard>,
) -> impl IntoView {
    let own = !matches!(grant.holder, Holder::Agent { .. });
    let line = move |held: GrantCard| {
        let Holder::Agent { agent_id } = held.holder else { return None };
        let agent = agents.iter().find(|agent| agent.agent_id == agent_id);
        let name = agent.map_or_else(|| held.provider_name.clone(), agent_name);
        let off = agent.is_some_and(|agent| !agent.active);
        let used = match held.last_used_at {
            Some(at) => view! { <Ago at /> }.into_any(),
            None => common::NEVER_USED.into_any(),
        };
        let over = held.status == GrantStatus::Revoked;
        let href = format!("/grants/{}", held.grant_id);
        Some(view! {
            <li class="person" class:over=over>
                <div class="person-words">
                    <a href={href}><Foreign text=common::agent(&name) /></a>
                    <p class="person-more">
                        {off.then_some(words::SWITCHED_OFF)} {off.then_some(" · ")} {used}
                    </p>
                </div>
                <Status grant=&held />
                {(!over).then(|| view! { <RevokeButton grant=held.clone() on_ended=changed /> })}
            </li>
        })
    };
    let mut held: Vec<_> =
        siblings.into_iter().filter(|held| matches!(held.holder, Holder::Agent { .. })).collect();
    // Those that ended stand last.
    held.sort_by_key(|held| held.status == GrantStatus::Revoked);
    let alone = held.is_empty();
    let this = (!own).then(|| line(grant.clone())).flatten();
    view! {
        <section class="part">
            <h2>{words::WHO}</h2>
            <Card>
                <ul class="people">
                    {own
                        .then(|| {
                            view! {
                                <li class={"person"}>
                                    <Logo app=&app class="small" />
                                    <div class={"person-words"}>
                                        <Foreign text=app.name.clone() />
                                        <p class={"person-more"}>{words::APP_ITSELF}</p>
                                    </div>
                                </li>
                            }
                        })}
                    {this} {held.into_iter().filter_map(line).collect_view()}
                </ul>
                {(alone && own).then(|| view! { <p class={"aside-words"}>{words::NO_AGENTS}</p> })}
            </Card>
        </section>
    }
}
