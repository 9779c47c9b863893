//! Which connections are shown. The address says it, so that a choice can be kept, sent and gone back to.

use alter_api_types::{AppId, wallet::GrantCard};
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use web_sys::HtmlSelectElement;

use crate::{
    format,
    holdings::Standing,
    page::plain::{el, say, tag},
    query,
    route::{self, Step},
    state::use_overview,
    text,
    ui::next_id,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub app: Option<AppId>,
    pub standing: Standing,
}

impl Choice {
    /// As the address has it; tracked.
    pub fn now() -> Self {
        Self {
            app: route::query("app").and_then(|id| id.parse().ok()),
            standing: Standing::named(&route::query("status").unwrap_or_default()),
        }
    }

    pub fn has(&self, grant: &GrantCard) -> bool {
        self.app.is_none_or(|app| app == grant.app_id) && self.standing.has(grant)
    }

    fn address(&self) -> String {
        let app = self.app.map(|app| app.to_string());
        let standing = Some(self.standing.name()).filter(|name| !name.is_empty());
        query::path("/connections", &[("app", app.as_deref()), ("status", standing)])
    }
}

/// `shown` counts what they leave.
pub fn filters(shown: impl Fn() -> usize + 'static) -> AnyView {
    let go = |to: Choice| route::go(&to.address(), Step::Instead);
    let overview = use_overview();
    let apps = move || overview.ok().map(|it| it.apps.clone()).unwrap_or_default();
    let id = next_id();
    let label = el("label", "").set("for", &id).text(text::connections::APP).view();
    let select = el("select", "").set("id", &id);
    let field: HtmlSelectElement = select.element().unchecked_into();
    let select = select.on("change", move |_| {
        go(Choice { app: field.value().parse().ok(), ..untrack(Choice::now) });
    });
    // A choice can be made of what is there only: the options come first.
    let keys = move || {
        let ids = apps().into_iter().map(|app| app.app_id.to_string());
        [String::new()].into_iter().chain(ids).collect()
    };
    let option = move |id: &str| {
        let app = apps().into_iter().find(|app| app.app_id.to_string() == id);
        let name =
            app.map_or_else(|| text::connections::ALL_APPS.to_owned(), |app| format::visible_line(&app.name));
        el("option", "").set("value", id).text(&name).view()
    };
    let select = select.each(keys, option).holds("value", move || {
        apps();
        Choice::now().app.map(|app| app.to_string()).unwrap_or_default().into()
    });
    let standings = Standing::EACH.into_iter().map(|standing| {
        let input = el("input", "").set("type", "radio").set("name", "status").set("value", standing.name());
        let input = input
            .holds("checked", move || (Choice::now().standing == standing).into())
            .on("change", move |_| go(Choice { standing, ..untrack(Choice::now) }));
        tag("label", "", vec![input.view(), say("span", "", words(standing))])
    });
    let segments = tag("div", "segments", standings.collect());
    let count = el("p", "unseen").set("role", "status").says(move || text::connections::shown(shown()));
    let parts = vec![
        tag("div", "filter", vec![label, select.view()]),
        tag("fieldset", "choice", vec![say("legend", "unseen", text::connections::STATUS), segments]),
        count.view(),
    ];
    tag("div", "filters", parts)
}

fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::All => text::connections::ALL,
        Standing::Active => text::connections::ACTIVE,
        Standing::NeedsYou => text::connections::NEEDS_YOU,
        Standing::Ended => text::connections::ENDED,
    }
}
