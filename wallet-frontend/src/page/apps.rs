//! Which apps can act for the person: a card for each.

use std::sync::Arc;

use leptos::prelude::*;

use super::plain::{el, link, live, nothing, say, tag, told, whether, words};
use crate::{
    format, holdings,
    holdings::{AppSum, Derived},
    query,
    state::use_overview,
    text,
    ui::{Ago, Badge, Empty, Foreign, Head, Icon, Logo, Shape, Tone, app_style, load, stale},
};

#[component]
pub fn Apps() -> AnyView {
    let overview = use_overview();
    overview.want_fresh();
    let sums = Sums(Derived::new(holdings::apps));
    let all = sums.clone();
    let summary = told(move || {
        if !overview.is_there() {
            return String::new();
        }
        let sums = all.get();
        match sums.iter().filter(|sum| sum.live > 0).count() {
            0 => text::apps::NONE_ACTIVE.to_owned(),
            apps => text::apps::summary(apps, sums.iter().map(|sum| sum.live).sum()),
        }
    });
    vec![
        view! { <Head title=text::apps::TITLE lede=summary /> }.into_any(),
        stale(overview, |it| it.now),
        load(overview, 3, move || cards(&sums)),
    ]
    .into_any()
}

/// What each app has.
#[derive(Clone)]
struct Sums(Derived<AppSum>);

impl Sums {
    /// Tracked.
    fn get(&self) -> Arc<Vec<AppSum>> {
        self.0.of(use_overview().ok())
    }

    /// The apps that have access, or those that have none any more.
    fn ids(&self, live: bool) -> Vec<String> {
        let sums = self.get();
        sums.iter().filter(|sum| (sum.live > 0) == live).map(|sum| sum.app.app_id.to_string()).collect()
    }

    fn find(&self, id: &str) -> Option<AppSum> {
        self.get().iter().find(|sum| sum.app.app_id.to_string() == id).cloned()
    }

    /// A list of those of them, a card for each.
    fn list(&self, class: &str, live: bool) -> AnyView {
        let (keys, cards) = (self.clone(), self.clone());
        el("ul", class).each(move || keys.ids(live), move |id| card(&cards, id)).view()
    }
}

fn cards(sums: &Sums) -> AnyView {
    let overview = use_overview();
    let (all, gone, ended) = (sums.clone(), sums.clone(), sums.clone());
    let none = whether(move || all.get().is_empty());
    let truncated = whether(move || overview.ok().is_some_and(|it| it.truncated));
    let any_ended = whether(move || !gone.ids(false).is_empty());
    vec![
        live(move || if none.get() { no_app() } else { nothing() }),
        live(move || if truncated.get() { say("p", "note", text::apps::TRUNCATED) } else { nothing() }),
        sums.list("app-cards", true),
        live(move || {
            if !any_ended.get() {
                return nothing();
            }
            vec![say("h2", "section-title", text::apps::ENDED), ended.list("app-cards over", false)]
                .into_any()
        }),
    ]
    .into_any()
}

fn card(sums: &Sums, id: &str) -> AnyView {
    let Some(AppSum { app, .. }) = sums.find(id) else { return nothing() };
    let (_, light, dark) = app_style(&app);
    let to = query::path("/connections", &[("app", Some(id))]);
    let name = link("stretched", &to, vec![view! { <Foreign text=app.name.clone() /> }.into_any()]);
    let mut about = vec![tag("h2", "", vec![name])];
    if let Some(text) = app.description.clone().filter(|it| !it.trim().is_empty()) {
        about.push(tag("p", "app-description", vec![view! { <Foreign text /> }.into_any()]));
    }
    let top = vec![
        view! { <Logo app=&app /> }.into_any(),
        tag("div", "app-words", about),
        view! { <Icon shape=Shape::Next /> }.into_any(),
    ];
    let (sums, id) = (sums.clone(), id.to_owned());
    let facts = live(move || sums.find(&id).map_or_else(nothing, |sum| facts(&sum)));
    el("li", "app-card")
        .style("--brand-light", &light)
        .style("--brand-dark", &dark)
        .all(vec![tag("div", "app-top", top), tag("div", "app-facts", vec![facts])])
        .view()
}

fn facts(sum: &AppSum) -> AnyView {
    let (live, agents, broken) = (sum.live, sum.agents, sum.broken);
    let mut line = Vec::new();
    if live > 0 {
        line.push(say("strong", "", text::apps::connections(live)));
    }
    if agents > 0 {
        line.push(say("span", "", text::apps::agents(agents)));
    }
    let used = match sum.last_used_at {
        Some(at) => vec![words(format!("{} ", text::apps::LAST_USED)), view! { <Ago at /> }.into_any()],
        None => vec![words(text::common::NEVER_USED)],
    };
    let mut facts = vec![tag("p", "facts-line", line), tag("p", "facts-used", used)];
    if broken > 0 {
        facts.push(view! { <Badge tone=Tone::Warn text=text::apps::reconnect(broken) /> }.into_any());
    }
    facts.into_any()
}

/// No app has ever had access: what would be here, and how it comes.
fn no_app() -> AnyView {
    let steps = text::apps::EMPTY_STEPS.into_iter().zip(1..).map(|(step, n)| {
        let number = el("span", "step").set("aria-hidden", "true").text(&format::number(n));
        tag("li", "", vec![number.view(), say("span", "", step)])
    });
    let steps = tag("ol", "steps", steps.collect());
    view! { <Empty title=text::apps::EMPTY_TITLE body=text::apps::EMPTY shape=Shape::Apps>{steps}</Empty> }
        .into_any()
}
