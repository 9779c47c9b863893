//! Search and filters.

use std::{collections::BTreeMap, time::Duration};

use leptos::prelude::*;

use super::{
    day::Day,
    filter::{Filter, OUTCOMES},
};
use crate::{
    api,
    state::use_overview,
    text::{connections, record as text},
    ui::{Button, Icon, Kind, Shape, agent_name, next_id},
    visible::visible_line,
};

/// After the last key, so long nothing is asked for.
const PAUSE: Duration = Duration::from_millis(350);

/// What the user chose goes to `change`: whether it replaces the last entry of the browser's history, and the filter.
#[component]
pub fn Controls(
    filter: Signal<Filter>,
    change: Callback<(bool, Filter)>,
    refresh: Callback<()>,
) -> impl IntoView {
    let open = RwSignal::new(filter.get_untracked().count() > 0);
    let count = Memo::new(move |_| filter.get().count());
    let id = next_id();
    let body = id.clone();
    let edit = move |how: &dyn Fn(&mut Filter)| {
        let mut changed = filter.get_untracked();
        how(&mut changed);
        change.run((false, changed));
    };
    let export = move || {
        let query = filter.get().query(Day::begins);
        api::export_address(&alter_api_types::wallet::ActivityQuery {
            format: Some("csv".to_owned()),
            ..query
        })
    };
    view! {
        <div class="controls" role="search" aria-label={text::SEARCH_LABEL}>
            <div class="controls-line">
                <Search filter change />
                <button
                    type="button"
                    class={Kind::Quiet.class()}
                    aria-expanded={move || if open.get() { "true" } else { "false" }}
                    aria-controls={id}
                    on:click=move |_| open.update(|open| *open = !*open)
                >
                    {text::FILTERS}
                    {move || (count.get() > 0).then(|| view! { <span class="controls-count">{count.get()}</span> })}
                </button>
                <Button on_press=refresh>{crate::text::common::REFRESH}</Button>
                <a class={Kind::Quiet.class()} href={export} download="activity.csv" rel="external">
                    <Icon shape=Shape::Download />
                    {text::DOWNLOAD}
                </a>
            </div>
            <div class="controls-body" id={body} hidden={move || !open.get()}>
                <Choices filter change />
                <label class="field">
                    <span>{text::FROM}</span>
                    <input
                        type="date"
                        prop:value=move || filter.get().from.map(Day::text).unwrap_or_default()
                        on:change=move |event| {
                            let day = Day::parse(&event_target_value(&event));
                            edit(&|filter| filter.from = day);
                        }
                    />
                </label>
                <label class="field">
                    <span>{text::TO}</span>
                    <input
                        type="date"
                        prop:value=move || filter.get().to.map(Day::text).unwrap_or_default()
                        on:change=move |event| {
                            let day = Day::parse(&event_target_value(&event));
                            edit(&|filter| filter.to = day);
                        }
                    />
                </label>
                <Show when=move || { count.get() > 0 }>
                    <Button
                        kind=Kind::Text
                        on_press=move |()| {
                            let search = filter.get_untracked().search;
                            change.run((false, Filter { search, ..Filter::default() }));
                        }
                    >
                        {connections::CLEAR}
                    </Button>
                </Show>
            </div>
        </div>
    }
}

#[component]
fn Search(filter: Signal<Filter>, change: Callback<(bool, Filter)>) -> impl IntoView {
    let typed = RwSignal::new(filter.get_untracked().search);
    // The address changed otherwise: back, or a link.
    Effect::new(move || {
        let search = filter.get().search;
        if typed.get_untracked().trim() != search {
            typed.set(search);
        }
    });
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let go = move || {
        let mut changed = filter.get_untracked();
        typed.get_untracked().trim().clone_into(&mut changed.search);
        if changed != filter.get_untracked() {
            // One search is one step back, however many letters it took.
            let replace = !filter.get_untracked().search.is_empty() && !changed.search.is_empty();
            change.run((replace, changed));
        }
    };
    on_cleanup(move || {
        if let Some(Some(waiting)) = waiting.try_get_value() {
            waiting.clear();
        }
    });
    view! {
        <label class="search">
            <span class="unseen">{text::SEARCH}</span>
            <Icon shape=Shape::Search />
            <input
                type="search"
                maxlength="200"
                placeholder={text::SEARCH_HINT}
                autocomplete="off"
                spellcheck="false"
                prop:value=move || typed.get()
                on:input=move |event| {
                    typed.set(event_target_value(&event));
                    if let Some(waiting) = waiting.get_value() {
                        waiting.clear();
                    }
                    waiting.set_value(set_timeout_with_handle(go, PAUSE).ok());
                }
                on:change=move |_| go()
            />
        </label>
    }
}

/// The lists that one chooses from, filled with what occurs among the user's grants.
#[component]
fn Choices(filter: Signal<Filter>, change: Callback<(bool, Filter)>) -> impl IntoView {
    let overview = use_overview();
    overview.want();
    let apps = Signal::derive(move || {
        let all = overview.ok();
        all.map(|all| all.apps.iter().map(|app| (app.app_id.to_string(), visible_line(&app.name))).collect())
            .unwrap_or_default()
    });
    let providers = Signal::derive(move || {
        let all = overview.ok();
        let names = all.map(|all| {
            let names = all
                .grants
                .iter()
                .map(|grant| (grant.provider_id.clone(), visible_line(&grant.provider_name)));
            names.collect::<BTreeMap<_, _>>()
        });
        names.unwrap_or_default().into_iter().collect::<Vec<_>>()
    });
    let agents = Signal::derive(move || {
        let all = overview.ok();
        all.map(|all| {
            all.agents.iter().map(|agent| (agent.agent_id.to_string(), agent_name(agent))).collect()
        })
        .unwrap_or_default()
    });
    let outcomes = Signal::derive(|| {
        OUTCOMES
            .iter()
            .zip(text::OUTCOMES)
            .map(|(code, words)| ((*code).to_owned(), words.to_owned()))
            .collect()
    });
    let kinds = Signal::derive(|| vec![("call".to_owned(), text::ONLY_CALLS.to_owned())]);
    let now = move |field: fn(&Filter) -> Option<String>| {
        Signal::derive(move || filter.with(field).unwrap_or_default())
    };
    let set = move |field: fn(&mut Filter, Option<String>)| {
        Callback::new(move |chosen: String| {
            let mut changed = filter.get_untracked();
            field(&mut changed, Some(chosen).filter(|chosen| !chosen.is_empty()));
            change.run((false, changed));
        })
    };
    view! {
        <Choice
            name=text::APP
            all=connections::ALL_APPS
            options=apps
            now=now(|filter| filter.app.map(|id| id.to_string()))
            choose=set(|filter, id| filter.app = id.and_then(|id| id.parse().ok()))
        />
        <Choice
            name=text::PROVIDER
            all=text::ALL_PROVIDERS
            options=providers
            now=now(|filter| filter.provider.clone())
            choose=set(|filter, id| filter.provider = id)
        />
        <Choice
            name=text::AGENT_FIELD
            all=text::ALL_AGENTS
            options=agents
            now=now(|filter| filter.agent.map(|id| id.to_string()))
            choose=set(|filter, id| filter.agent = id.and_then(|id| id.parse().ok()))
        />
        <Choice
            name=text::OUTCOME
            all=text::ALL_OUTCOMES
            options=outcomes
            now=now(|filter| filter.outcome.clone())
            choose=set(|filter, outcome| filter.outcome = outcome)
        />
        <Choice
            name=text::SHOW
            all=text::EVERYTHING
            options=kinds
            now=now(|filter| filter.event.clone())
            choose=set(|filter, event| filter.event = event)
        />
    }
}

#[component]
fn Choice(
    name: &'static str,
    all: &'static str,
    options: Signal<Vec<(String, String)>>,
    now: Signal<String>,
    choose: Callback<String>,
) -> impl IntoView {
    let chosen = move |value: &str| now.with(|now| now == value);
    view! {
        <label class="field">
            <span>{name}</span>
            <select on:change=move |event| choose.run(event_target_value(&event))>
                <option value="" prop:selected=move || now.with(String::is_empty)>{all}</option>
                {move || {
                    let mut options = options.get();
                    let now = now.get();
                    // What the address names is chosen although it is not among the user's own any more.
                    if !now.is_empty() && !options.iter().any(|(value, _)| *value == now) {
                        options.push((now.clone(), visible_line(&now)));
                    }
                    options
                        .into_iter()
                        .map(|(value, words)| {
                            let mine = value.clone();
                            view! { <option value={value} prop:selected=move || chosen(&mine)>{words}</option> }
                        })
                        .collect_view()
                }}
            </select>
        </label>
    }
}
