//! Search and filters.

use std::{collections::BTreeMap, time::Duration};

use leptos::{ev, html, prelude::*};

use super::{
    day::Day,
    filter::{Filter, OUTCOMES},
};
use crate::{
    api,
    page::plain::{live, nothing, say, tag, words},
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
    let fold = html::button()
        .r#type("button")
        .class(Kind::Quiet.class())
        .aria_expanded(move || if open.get() { "true" } else { "false" })
        .aria_controls(id)
        .on(ev::click, move |_| open.update(|open| *open = !*open))
        .child(vec![
            words(text::FILTERS),
            live(move || match count.get() {
                0 => nothing(),
                count => say("span", "controls-count", count.to_string()),
            }),
        ]);
    let download =
        html::a().class(Kind::Quiet.class()).href(export).download("activity.csv").rel("external").child(
            vec![
                view! { <Icon shape=Shape::Download /> }.into_any(),
                say("span", "roomy", text::DOWNLOAD),
                words(text::CSV),
            ],
        );
    let line = vec![
        view! { <Search filter change /> }.into_any(),
        fold.into_any(),
        view! { <Button on_press=refresh>{crate::text::common::REFRESH}</Button> }.into_any(),
        download.into_any(),
    ];
    let from = date(
        text::FROM,
        Signal::derive(move || filter.get().from),
        Callback::new(move |day| edit(&|it| it.from = day)),
    );
    let to = date(
        text::TO,
        Signal::derive(move || filter.get().to),
        Callback::new(move |day| edit(&|it| it.to = day)),
    );
    let clear = Callback::new(move |()| {
        let search = filter.get_untracked().search;
        change.run((false, Filter { search, ..Filter::default() }));
    });
    let clear = live(move || match count.get() {
        0 => nothing(),
        _ => view! { <Button kind=Kind::Text on_press=clear>{connections::CLEAR}</Button> }.into_any(),
    });
    let fields = vec![view! { <Choices filter change /> }.into_any(), from, to, clear];
    let fields =
        html::div().class("controls-body").id(body).hidden(move || !open.get()).child(fields).into_any();
    html::div()
        .class("controls")
        .role("search")
        .aria_label(text::SEARCH_LABEL)
        .child(vec![tag("div", "controls-line", line), fields])
        .into_any()
}

fn date(name: &'static str, now: Signal<Option<Day>>, choose: Callback<Option<Day>>) -> AnyView {
    let field = html::input()
        .r#type("date")
        .prop("value", move || now.get().map(Day::text).unwrap_or_default())
        .on(ev::change, move |event| choose.run(Day::parse(&event_target_value(&event))));
    tag("label", "field", vec![say("span", "", name), field.into_any()])
}

#[component]
fn Search(filter: Signal<Filter>, change: Callback<(bool, Filter)>) -> AnyView {
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
    let field = html::input()
        .r#type("search")
        .maxlength("200")
        .placeholder(text::SEARCH_HINT)
        .autocomplete("off")
        .spellcheck("false")
        .prop("value", move || typed.get())
        .on(ev::input, move |event| {
            typed.set(event_target_value(&event));
            if let Some(waiting) = waiting.get_value() {
                waiting.clear();
            }
            waiting.set_value(set_timeout_with_handle(go, PAUSE).ok());
        })
        .on(ev::change, move |_| go());
    let icon = view! { <Icon shape=Shape::Search /> }.into_any();
    tag("label", "search", vec![say("span", "unseen", text::SEARCH), icon, field.into_any()])
}

/// The lists that one chooses from, filled with what occurs among the user's grants.
#[component]
fn Choices(filter: Signal<Filter>, change: Callback<(bool, Filter)>) -> AnyView {
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
    vec![
        choice(
            [text::APP, connections::ALL_APPS],
            apps,
            now(|filter| filter.app.map(|id| id.to_string())),
            set(|filter, id| filter.app = id.and_then(|id| id.parse().ok())),
        ),
        choice(
            [text::PROVIDER, text::ALL_PROVIDERS],
            providers,
            now(|filter| filter.provider.clone()),
            set(|filter, id| filter.provider = id),
        ),
        choice(
            [text::AGENT_FIELD, text::ALL_AGENTS],
            agents,
            now(|filter| filter.agent.map(|id| id.to_string())),
            set(|filter, id| filter.agent = id.and_then(|id| id.parse().ok())),
        ),
        choice(
            [text::OUTCOME, text::ALL_OUTCOMES],
            outcomes,
            now(|filter| filter.outcome.clone()),
            set(|filter, outcome| filter.outcome = outcome),
        ),
        choice(
            [text::SHOW, text::EVERYTHING],
            kinds,
            now(|filter| filter.event.clone()),
            set(|filter, event| filter.event = event),
        ),
    ]
    .into_any()
}

/// A list to choose from: its name, and what stands for no choice.
fn choice(
    [name, all]: [&'static str; 2],
    options: Signal<Vec<(String, String)>>,
    now: Signal<String>,
    choose: Callback<String>,
) -> AnyView {
    let option = move |value: String, words: String| {
        let mine = value.clone();
        let chosen = move || now.with(|now| *now == mine);
        html::option().value(value).prop("selected", chosen).child(words).into_any()
    };
    let shown = live(move || {
        let mut options = options.get();
        let now = now.get();
        // What the address names is chosen although it is not among the user's own any more.
        if !now.is_empty() && !options.iter().any(|(value, _)| *value == now) {
            options.push((now.clone(), visible_line(&now)));
        }
        options.insert(0, (String::new(), all.to_owned()));
        options.into_iter().map(|(value, words)| option(value, words)).collect_view().into_any()
    });
    let list =
        html::select().on(ev::change, move |event| choose.run(event_target_value(&event))).child(shown);
    tag("label", "field", vec![say("span", "", name), list.into_any()])
}
