//! One grant: what it is and can do, who may use it, what was done with it, and how to end it.

mod concern;
mod facts;
mod people;

use std::sync::Arc;

use alter_api_types::{
    GrantId,
    portal::GrantStatus,
    wallet::{GrantCard, GrantDetail},
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    activity::{Feed, Filter},
    grant_actions::{extend_button, receipt, revoke_button},
    not_found::NotFound,
    plain::{link, live, nothing, part, say, tag, watch, whether},
};
use crate::{
    api::{self, ApiError},
    format, route,
    text::{self, connections, grant as words, record::fill},
    ui::{ErrorBox, Head, Icon, Shape, Skeleton},
    visible::visible_line,
};
use concern::concern;
use facts::{abilities, facts};
use people::people;

type Answer = Option<Result<Arc<GrantDetail>, ApiError>>;

#[component]
pub fn Grant() -> AnyView {
    let id = route::grant();
    let detail = RwSignal::<Answer>::new(None);
    let read = move |id: GrantId| {
        spawn_local(async move {
            let answer = api::grant(id).await;
            if detail.is_disposed() || id_now(id_of(detail), id) {
                return;
            }
            if !answer.as_ref().is_err_and(ApiError::signed_out) {
                detail.set(Some(answer.map(Arc::new)));
            }
        });
    };
    watch(move || {
        if let Some(id) = id.get() {
            detail.set(None);
            read(id);
        }
    });
    let again = Callback::new(move |()| {
        if let Some(id) = id.get_untracked() {
            read(id);
        }
    });
    let head = || view! { <Head title=Signal::stored(text::connections::TITLE.to_owned()) /> }.into_any();
    let shown = live(move || match (id.get(), detail.get()) {
        (None, _) => view! { <NotFound /> }.into_any(),
        (_, None) => vec![head(), view! { <Skeleton cards=3 /> }.into_any()].into_any(),
        (_, Some(Err(error))) => {
            vec![head(), view! { <ErrorBox error on_retry=again /> }.into_any()].into_any()
        }
        (_, Some(Ok(detail))) => whole(&detail, again),
    });
    let history = live(move || id.get().map_or_else(nothing, |id| history(id, detail)));
    vec![shown, history].into_any()
}

fn whole(detail: &GrantDetail, again: Callback<()>) -> AnyView {
    let GrantDetail { app, grant, agents, .. } = detail;
    let (provider, app_name) = (visible_line(&grant.provider_name), visible_line(&app.name));
    let title = fill(words::TITLE, &[("provider", &provider), ("app", &app_name)]);
    let over = grant.status == GrantStatus::Revoked;
    let mut about = vec![facts(app, grant, agents)];
    if !over {
        let buttons =
            vec![extend_button(grant.clone(), Some(again)), revoke_button(grant.clone(), Some(again))];
        about.push(tag("div", "sheet-actions", buttons));
    }
    let about = vec![say("h2", "", words::FACTS), tag("div", "card", about)];
    let mut parts = vec![abilities(grant), tag("section", "part beside-parts", about)];
    if over {
        parts.push(part(words::RECEIPT, vec![receipt(grant, 0)]));
    }
    parts.push(people(detail, again));
    parts.push(concern(detail));
    let back = vec![view! { <Icon shape=Shape::Back /> }.into_any(), super::plain::words(words::BACK)];
    let content = vec![
        link("back", "/connections", back),
        view! { <Head title=Signal::stored(title) /> }.into_any(),
        broken(grant, &provider, &app_name),
        tag("div", "grant-grid", parts),
    ];
    content.into_any()
}

/// Why it does not work, and what to do.
fn broken(grant: &GrantCard, provider: &str, app: &str) -> AnyView {
    let Some(reconnect) = grant.reconnect.as_ref().filter(|_| grant.status == GrantStatus::Active) else {
        return nothing();
    };
    let cause = connections::cause(provider, &reconnect.cause);
    let since = reconnect.since.map(|at| fill(words::SINCE, &[("date", &format::date_time(at))]));
    let again = fill(words::AGAIN_FROM, &[("app", app)]);
    let said = vec![
        say("p", "hint-title", words::BROKEN),
        say("p", "", format!("{cause} {}", since.unwrap_or_default())),
        say("p", "", again),
    ];
    tag("div", "hint", vec![view! { <Icon shape=Shape::Alert /> }.into_any(), tag("div", "", said)])
}

fn history(id: GrantId, detail: RwSignal<Answer>) -> AnyView {
    let there = whether(move || detail.with(|detail| detail.as_ref().is_none_or(Result::is_ok)));
    live(move || {
        if !there.get() {
            return nothing();
        }
        let (rows, feed) = Feed::new(None);
        let filter = Filter { grant: Some(id), ..Filter::default() };
        let mut begun = false;
        let mut was_known = false;
        watch(move || {
            let known = detail.with(|detail| detail.as_ref().is_some_and(Result::is_ok));
            // What was just done to it belongs to its history.
            if !begun || (was_known && known) {
                feed.ask(&filter);
            }
            begun = true;
            was_known |= known;
        });
        tag("section", "part", vec![say("h2", "", words::HISTORY), rows])
    })
}

/// The grant that is shown now.
fn id_of(detail: RwSignal<Answer>) -> Option<GrantId> {
    detail.with_untracked(|detail| detail.as_ref()?.as_ref().ok().map(|detail| detail.grant.grant_id))
}

/// Whether another grant is shown by now, so that an answer about this one comes too late.
fn id_now(shown: Option<GrantId>, asked: GrantId) -> bool {
    shown.is_some_and(|shown| shown != asked)
}
