//! Which apps can act for the person: a card for each.

use alter_api_types::AppId;
use leptos::prelude::*;

use crate::{
    format, holdings,
    holdings::AppSum,
    query,
    state::use_overview,
    text,
    ui::{Ago, Badge, Empty, Foreign, Head, Icon, Load, Logo, Shape, Stale, Tone, app_style},
};

#[component]
pub fn Apps() -> impl IntoView {
    let overview = use_overview();
    overview.want_fresh();
    let sums = Memo::new(move |_| overview.ok().map(|it| holdings::apps(&it)).unwrap_or_default());
    let summary = Signal::derive(move || {
        if overview.ok().is_none() {
            return String::new();
        }
        let live = sums.with(|sums| {
            (sums.iter().filter(|sum| sum.live > 0).count(), sums.iter().map(|sum| sum.live).sum())
        });
        match live {
            (0, _) => text::apps::NONE_ACTIVE.to_owned(),
            (apps, connections) => text::apps::summary(apps, connections),
        }
    });
    let since = Signal::derive(move || overview.ok().map(|it| it.now).unwrap_or_default());
    view! {
        <Head title=text::apps::TITLE lede=summary />
        <Stale of=overview since />
        <Load of=overview show=move |_| view! { <Cards sums /> }.into_any() />
    }
}

#[component]
fn Cards(sums: Memo<Vec<AppSum>>) -> impl IntoView {
    let ids = move |is_live: bool| {
        sums.with(|sums| {
            let of = sums.iter().filter(|sum| (sum.live > 0) == is_live);
            of.map(|sum| sum.app.app_id).collect::<Vec<AppId>>()
        })
    };
    let none = Memo::new(move |_| sums.with(Vec::is_empty));
    let ended = Memo::new(move |_| ids(false));
    let truncated = move || use_overview().ok().is_some_and(|it| it.truncated);
    view! {
        <Show when=move || none.get()>
            <Nothing />
        </Show>
        <Show when=truncated>
            <p class="note">{text::apps::TRUNCATED}</p>
        </Show>
        <ul class="app-cards">
            <For each=move || ids(true) key=|id| *id let:id>
                <AppCard sums id />
            </For>
        </ul>
        <Show when=move || !ended.with(Vec::is_empty)>
            <h2 class="section-title">{text::apps::ENDED}</h2>
            <ul class="app-cards over">
                <For each=move || ended.get() key=|id| *id let:id>
                    <AppCard sums id />
                </For>
            </ul>
        </Show>
    }
}

#[component]
fn AppCard(sums: Memo<Vec<AppSum>>, id: AppId) -> impl IntoView {
    let sum = Memo::new(move |_| sums.with(|sums| sums.iter().find(|sum| sum.app.app_id == id).cloned()));
    let shown = sum.get_untracked().map(|sum| sum.app);
    shown.map(|app| {
        let (_, light, dark) = app_style(&app);
        let description = app.description.clone().filter(|it| !it.trim().is_empty());
        view! {
            <li class="app-card" style:--brand-light=light style:--brand-dark=dark>
                <div class="app-top">
                    <Logo app=&app />
                    <div class="app-words">
                        <h2>
                            <a class="stretched" href={query::path("/connections", &[("app", Some(&id.to_string()))])}>
                                <Foreign text={app.name.clone()} />
                            </a>
                        </h2>
                        {description
                            .map(|it| view! { <p class={"app-description"}><Foreign text={it} /></p> })}
                    </div>
                    <Icon shape=Shape::Next />
                </div>
                <div class="app-facts">{move || sum.get().map_or_else(|| ().into_any(), |sum| facts(&sum))}</div>
            </li>
        }
    })
}

fn facts(sum: &AppSum) -> AnyView {
    let (live, agents, broken) = (sum.live, sum.agents, sum.broken);
    let used = match sum.last_used_at {
        Some(at) => view! { {text::apps::LAST_USED}" "<Ago at /> }.into_any(),
        None => text::common::NEVER_USED.into_any(),
    };
    view! {
        <p class="facts-line">
            {(live > 0).then(|| view! { <strong>{text::apps::connections(live)}</strong> })}
            {(agents > 0).then(|| view! { <span>{text::apps::agents(agents)}</span> })}
        </p>
        <p class="facts-used">{used}</p>
        {(broken > 0).then(|| view! { <Badge tone=Tone::Warn text={text::apps::reconnect(broken)} /> })}
    }
    .into_any()
}

/// No app has ever had access: what would be here, and how it comes.
#[component]
fn Nothing() -> impl IntoView {
    view! {
        <Empty title=text::apps::EMPTY_TITLE body=text::apps::EMPTY shape=Shape::Apps>
            <ol class="steps">
                {text::apps::EMPTY_STEPS
                    .into_iter()
                    .zip(1..)
                    .map(|(step, n)| {
                        view! {
                            <li>
                                <span class="step" aria-hidden="true">{format::number(n)}</span>
                                <span>{step}</span>
                            </li>
                        }
                    })
                    .collect_view()}
            </ol>
        </Empty>
    }
}
