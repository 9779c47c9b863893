//! Which connections are shown. The address says it, so that a choice can be kept, sent and gone back to.

use alter_api_types::{AppId, wallet::GrantCard};
use leptos::prelude::*;

use crate::{
    format,
    holdings::Standing,
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
    pub fn has(&self, grant: &GrantCard) -> bool {
        self.app.is_none_or(|app| app == grant.app_id) && self.standing.has(grant)
    }

    fn address(&self) -> String {
        let app = self.app.map(|app| app.to_string());
        let standing = Some(self.standing.name()).filter(|name| !name.is_empty());
        query::path("/connections", &[("app", app.as_deref()), ("status", standing)])
    }
}

#[component]
pub fn Filters(choice: Memo<Choice>, #[prop(into)] shown: Signal<usize>) -> impl IntoView {
    let overview = use_overview();
    let go = Callback::new(|to: Choice| route::go(&to.address(), Step::Instead));
    let apps = Memo::new(move |_| {
        let overview = overview.ok()?;
        Some(
            overview.apps.iter().map(|app| (app.app_id, format::visible_line(&app.name))).collect::<Vec<_>>(),
        )
    });
    let id = next_id();
    view! {
        <div class="filters">
            <div class="filter">
                <label for={id.clone()}>{text::connections::APP}</label>
                <select
                    id={id}
                    prop:value=move || choice.get().app.map(|app| app.to_string()).unwrap_or_default()
                    on:change=move |event| {
                        let app = event_target_value(&event).parse().ok();
                        go.run(Choice { app, ..choice.get_untracked() });
                    }
                >
                    <option value="">{text::connections::ALL_APPS}</option>
                    {move || {
                        let chosen = choice.with_untracked(|choice| choice.app);
                        let apps = apps.get().unwrap_or_default().into_iter();
                        apps.map(|(id, name)| {
                            view! { <option value={id.to_string()} selected={chosen == Some(id)}>{name}</option> }
                        })
                        .collect_view()
                        .into_any()
                    }}
                </select>
            </div>
            <fieldset class="choice">
                <legend class="unseen">{text::connections::STATUS}</legend>
                <div class="segments">
                    {Standing::EACH
                        .into_iter()
                        .map(|standing| {
                            view! {
                                <label>
                                    <input
                                        type="radio"
                                        name="status"
                                        value={standing.name()}
                                        prop:checked=move || choice.with(|choice| choice.standing == standing)
                                        on:change=move |_| {
                                            go.run(Choice { standing, ..choice.get_untracked() });
                                        }
                                    />
                                    <span>{words(standing)}</span>
                                </label>
                            }
                        })
                        .collect_view()}
                </div>
            </fieldset>
            <p class="unseen" role="status">{move || text::connections::shown(shown.get())}</p>
        </div>
    }
}

fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::All => text::connections::ALL,
        Standing::Active => text::connections::ACTIVE,
        Standing::NeedsYou => text::connections::NEEDS_YOU,
        Standing::Ended => text::connections::ENDED,
    }
}
