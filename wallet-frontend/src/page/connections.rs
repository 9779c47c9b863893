//! What apps can use for the person, by provider.

mod filter;
mod row;

use alter_api_types::{AppId, GrantId};
use filter::{Choice, Filters};
use leptos::prelude::*;
use row::GrantRow;

use crate::{
    format, holdings,
    holdings::{Row, Standing},
    route,
    state::use_overview,
    text,
    ui::{Empty, Head, Load, ProviderMark, Shape, Stale},
};

#[component]
pub fn Connections() -> impl IntoView {
    let overview = use_overview();
    overview.want_fresh();
    let since = Signal::derive(move || overview.ok().map(|it| it.now).unwrap_or_default());
    view! {
        <Head title=text::connections::TITLE lede=text::connections::LEDE />
        <Stale of=overview since />
        <Load of=overview show=move |_| view! { <All /> }.into_any() />
    }
}

/// A provider, and the grants of it that are shown.
#[derive(Clone, PartialEq)]
struct Section {
    provider_id: String,
    provider_name: String,
    grants: Vec<GrantId>,
}

#[component]
fn All() -> impl IntoView {
    let overview = use_overview();
    let rows = Memo::new(move |_| overview.ok().map(|it| holdings::rows(&it)).unwrap_or_default());
    // What ends while one looks at it stays where it is, and says so.
    let ended_before: Vec<GrantId> = rows.with_untracked(|rows| {
        rows.iter().filter(|row| !holdings::is_live(&row.grant)).map(|row| row.grant.grant_id).collect()
    });
    let ended_before = StoredValue::new(ended_before);
    let choice = Memo::new(move |_| Choice {
        app: route::query("app").and_then(|id| id.parse::<AppId>().ok()),
        standing: Standing::named(&route::query("status").unwrap_or_default()),
    });
    let shown = Memo::new(move |_| {
        let choice = choice.get();
        let mut shown: Vec<Row> = rows.get();
        shown.retain(|row| choice.has(&row.grant));
        shown
    });
    let fold = move |row: &Row| {
        choice.with(|it| it.standing == Standing::All)
            && ended_before.with_value(|ids| ids.contains(&row.grant.grant_id))
    };
    let live = Memo::new(move |_| shown.with(|rows| sections(rows.iter().filter(|row| !fold(row)))));
    let ended = Memo::new(move |_| {
        shown.with(|rows| {
            rows.iter().filter(|row| fold(row)).map(|row| row.grant.grant_id).collect::<Vec<_>>()
        })
    });
    let none = Memo::new(move |_| rows.with(Vec::is_empty));
    let no_match = Memo::new(move |_| !none.get() && shown.with(Vec::is_empty));
    view! {
        <Show when=move || none.get()>
            <Empty
                title=text::connections::EMPTY_TITLE
                body=text::connections::EMPTY
                shape=Shape::Connections
            />
        </Show>
        <Show when=move || !none.get()>
            <Filters choice shown=Signal::derive(move || shown.with(Vec::len)) />
        </Show>
        <Show when=move || no_match.get()>
            <Empty title=text::connections::NO_MATCH_TITLE body=text::connections::NO_MATCH>
                <p>
                    <a class={"button quiet"} href={"/connections"}>
                        {text::connections::CLEAR}
                    </a>
                </p>
            </Empty>
        </Show>
        <For each=move || live.get() key=|section| section.provider_id.clone() let:section>
            <Provider live rows section />
        </For>
        <Show when=move || !ended.with(Vec::is_empty)>
            <details class="fold ended-part">
                <summary>
                    <h2>{move || text::connections::ended(ended.with(Vec::len))}</h2>
                </summary>
                <ul class="grants">
                    <For each=move || ended.get() key=|id| *id let:id>
                        <GrantRow rows id names_provider=true />
                    </For>
                </ul>
            </details>
        </Show>
    }
}

#[component]
fn Provider(live: Memo<Vec<Section>>, rows: Memo<Vec<Row>>, section: Section) -> impl IntoView {
    let id = section.provider_id.clone();
    let grants = move || {
        live.with(|live| {
            live.iter()
                .find(|section| section.provider_id == id)
                .map(|it| it.grants.clone())
                .unwrap_or_default()
        })
    };
    let name = format::visible_line(&section.provider_name);
    view! {
        <section class="provider-part">
            <div class="provider-head">
                <ProviderMark id=&section.provider_id name=&name />
                <h2>
                    <bdi>{name}</bdi>
                </h2>
            </div>
            <ul class="grants">
                <For each=grants key=|id| *id let:id>
                    <GrantRow rows id />
                </For>
            </ul>
        </section>
    }
}

/// By provider, in the order of its name.
fn sections<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<Section> {
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
