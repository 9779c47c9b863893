//! What apps can use for the person, by provider.

mod filter;
mod row;

use std::sync::Arc;

use alter_api_types::GrantId;
use filter::{Choice, filters};
use leptos::prelude::*;
use row::grant_row;

use super::plain::{el, link, live, nothing, say, tag, told, whether, words};
use crate::{
    format,
    holdings::{self, Derived, Row, Standing},
    state::use_overview,
    text,
    ui::{Empty, Head, ProviderMark, Shape, load, stale},
};

#[component]
pub fn Connections() -> AnyView {
    let overview = use_overview();
    overview.want_fresh();
    vec![
        view! { <Head title=text::connections::TITLE lede=text::connections::LEDE /> }.into_any(),
        stale(overview, |it| it.now),
        load(overview, 3, all),
    ]
    .into_any()
}

/// A provider, and the grants of it that are shown.
#[derive(Clone, PartialEq)]
struct Section {
    provider_id: String,
    provider_name: String,
    grants: Vec<GrantId>,
}

/// The rows that the choice leaves.
#[derive(Clone)]
struct Shown {
    rows: Derived<Row>,
    /// Ended when the page was opened. What ends while one looks at it stays where it is, and says so.
    ended_before: Arc<Vec<GrantId>>,
}

impl Shown {
    /// Tracked.
    fn rows(&self) -> Arc<Vec<Row>> {
        self.rows.of(use_overview().ok())
    }

    fn row(&self, id: GrantId) -> Option<Row> {
        self.rows().iter().find(|row| row.grant.grant_id == id).cloned()
    }

    /// Tracked: those that are folded away below the others, or the others.
    fn with<T>(&self, folded: bool, show: impl FnOnce(&[&Row]) -> T) -> T {
        let (rows, choice) = (self.rows(), Choice::now());
        let is_folded =
            |row: &Row| choice.standing == Standing::All && self.ended_before.contains(&row.grant.grant_id);
        let shown = rows.iter().filter(|row| choice.has(&row.grant) && is_folded(row) == folded);
        show(&shown.collect::<Vec<_>>())
    }

    fn count(&self) -> usize {
        self.with(false, |rows| rows.len()) + self.with(true, |rows| rows.len())
    }

    fn sections(&self) -> Vec<Section> {
        self.with(false, sections)
    }

    /// A list of connections by their ids.
    fn list(&self, ids: impl Fn() -> Vec<GrantId> + 'static, names_provider: bool) -> AnyView {
        let shown = self.clone();
        let make = move |id: &str| match id.parse::<GrantId>() {
            Ok(id) => grant_row(shown.clone(), id, names_provider),
            Err(_) => nothing(),
        };
        el("ul", "grants").each(move || ids().iter().map(ToString::to_string).collect(), make).view()
    }
}

fn all() -> AnyView {
    let rows = Derived::new(holdings::rows);
    let known = rows.of(use_overview().ok_untracked());
    let ended = known.iter().filter(|row| !holdings::is_live(&row.grant)).map(|row| row.grant.grant_id);
    let shown = Shown { rows, ended_before: Arc::new(ended.collect()) };
    let (every, left, counted, providers, folded) =
        (shown.clone(), shown.clone(), shown.clone(), shown.clone(), shown.clone());
    let none = whether(move || every.rows().is_empty());
    let no_match = whether(move || !none.get() && left.count() == 0);
    let names = told(move || {
        let ids: Vec<String> = providers.sections().into_iter().map(|section| section.provider_id).collect();
        ids.join("\n")
    });
    let ended = told(move || text::connections::ended(folded.with(true, |rows| rows.len())));
    let any_ended = whether({
        let shown = shown.clone();
        move || shown.with(true, |rows| !rows.is_empty())
    });
    let below = shown.clone();
    vec![
        live(move || {
            if none.get() {
                let (title, body) = (text::connections::EMPTY_TITLE, text::connections::EMPTY);
                return view! { <Empty title body shape=Shape::Connections /> }.into_any();
            }
            let counted = counted.clone();
            filters(move || counted.count())
        }),
        live(move || {
            if !no_match.get() {
                return nothing();
            }
            let clear = link("button quiet", "/connections", vec![words(text::connections::CLEAR)]);
            let clear = tag("p", "", vec![clear]);
            let (title, body) = (text::connections::NO_MATCH_TITLE, text::connections::NO_MATCH);
            view! { <Empty title body>{clear}</Empty> }.into_any()
        }),
        live(move || {
            names.get();
            let sections = untrack(|| shown.sections());
            sections.into_iter().map(|section| provider(&shown, section)).collect::<Vec<_>>().into_any()
        }),
        live(move || {
            if !any_ended.get() {
                return nothing();
            }
            let heading = tag("summary", "", vec![el("h2", "").says(move || ended.get()).view()]);
            let ids = below.clone();
            let ids = move || ids.with(true, |rows| rows.iter().map(|row| row.grant.grant_id).collect());
            tag("details", "fold ended-part", vec![heading, below.list(ids, true)])
        }),
    ]
    .into_any()
}

fn provider(shown: &Shown, section: Section) -> AnyView {
    let Section { provider_id: id, provider_name, .. } = section;
    let name = format::visible_line(&provider_name);
    let mark = view! { <ProviderMark id=&id name=&name /> }.into_any();
    let head = vec![mark, tag("h2", "", vec![say("bdi", "", name)])];
    let all = shown.clone();
    let grants = move || {
        let found = all.sections().into_iter().find(|section| section.provider_id == id);
        found.map(|section| section.grants).unwrap_or_default()
    };
    tag("section", "provider-part", vec![tag("div", "provider-head", head), shown.list(grants, false)])
}

/// By provider, in the order of its name.
fn sections(rows: &[&Row]) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for row in rows {
        let grant = &row.grant;
        match sections.iter_mut().find(|section| section.provider_id == grant.provider_id) {
            Some(section) => section.grants.push(grant.grant_id),
            None => sections.push(Section {
                provider_id: grant.provider_id.clone(),
                provider_name: grant.provider_name.clone(),
                grants: vec![grant.grant_id],
            }),
        }
    }
    sections.sort_by_key(|section| section.provider_name.to_lowercase());
    sections
}
