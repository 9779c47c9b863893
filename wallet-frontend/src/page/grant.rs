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
use leptos_router::hooks::use_params_map;

use super::{
    activity::{Feed, Filter},
    grant_actions::{ExtendButton, Receipt, RevokeButton},
    not_found::NotFound,
};
use crate::{
    api::{self, ApiError},
    format,
    text::{self, connections, grant as words, record::fill},
    ui::{Card, ErrorBox, Head, Icon, Shape, Skeleton},
    visible::visible_line,
};
use concern::Concern;
use facts::{Abilities, Facts};
use people::People;

type Answer = Option<Result<Arc<GrantDetail>, ApiError>>;

#[component]
pub fn Grant() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<GrantId>().ok())));
    let detail = RwSignal::new(None::<Result<Arc<GrantDetail>, ApiError>>);
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
    Effect::new(move || {
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
    view! {
        {move || match (id.get(), detail.get()) {
            (None, _) => view! { <NotFound /> }.into_any(),
            (_, None) => view! {
                <Head title=Signal::stored(text::connections::TITLE.to_owned()) />
                <Skeleton cards=3 />
            }
            .into_any(),
            (_, Some(Err(error))) => view! {
                <Head title=Signal::stored(text::connections::TITLE.to_owned()) />
                <ErrorBox error on_retry=again />
            }
            .into_any(),
            (_, Some(Ok(detail))) => view! { <Detail detail again /> }.into_any(),
        }}
        {move || id.get().map(|id| view! { <History id detail /> })}
    }
}

#[component]
fn Detail(detail: Arc<GrantDetail>, again: Callback<()>) -> impl IntoView {
    let GrantDetail { app, grant, siblings, agents, .. } = GrantDetail::clone(&detail);
    let provider = visible_line(&grant.provider_name);
    let app_name = visible_line(&app.name);
    let title = fill(words::TITLE, &[("provider", &provider), ("app", &app_name)]);
    let changed = Callback::new(move |_: GrantCard| again.run(()));
    let ended = (grant.status == GrantStatus::Revoked).then(|| {
        let grant = grant.clone();
        view! {
            <section class="part">
                <h2>{words::RECEIPT}</h2>
                <Card>
                    <Receipt grant />
                </Card>
            </section>
        }
    });
    let acts = (grant.may_revoke && grant.status != GrantStatus::Revoked).then(|| grant.clone());
    let (whose, of_app) = (grant.clone(), app.clone());
    view! {
        <a class="back" href="/connections">
            <Icon shape=Shape::Back />
            {words::BACK}
        </a>
        <Head title=Signal::stored(title) />
        {broken(&grant, &provider, &app_name)}
        <div class="grant-grid">
            <div class="grant-main">
                <Abilities grant=grant.clone() />
                {ended}
                <People app=app.clone() grant=grant.clone() siblings agents=agents.clone() changed />
            </div>
            <div class="grant-side">
                <section class="part">
                    <h2>{words::FACTS}</h2>
                    <Card>
                        <Facts app=of_app grant=whose agents=agents.clone() />
                        {acts
                            .map(|grant| {
                                view! {
                                    <div class="sheet-actions">
                                        <ExtendButton grant=grant.clone() on_extended=changed />
                                        <RevokeButton grant on_ended=changed />
                                    </div>
                                }
                            })}
                    </Card>
                </section>
                <Concern app grant />
            </div>
        </div>
    }
}

/// Why it does not work, and what to do.
fn broken(grant: &GrantCard, provider: &str, app: &str) -> Option<impl IntoView + use<>> {
    let reconnect = grant.reconnect.as_ref().filter(|_| grant.status == GrantStatus::Active)?;
    let cause = connections::cause(provider, &reconnect.cause);
    let since = reconnect.since.map(|at| fill(words::SINCE, &[("date", &format::date_time(at))]));
    let again = fill(words::AGAIN_FROM, &[("app", app)]);
    Some(view! {
        <div class="hint" role="note">
            <Icon shape=Shape::Alert />
            <div>
                <p class="hint-title">{words::BROKEN}</p>
                <p>{cause} " " {since}</p>
                <p>{again}</p>
            </div>
        </div>
    })
}

#[component]
fn History(id: GrantId, detail: RwSignal<Answer>) -> impl IntoView {
    let filter = Signal::stored(Filter { grant: Some(id), ..Filter::default() });
    let turn = RwSignal::new(0_u32);
    // What was just done to it belongs to its history.
    Effect::new(move |last: Option<bool>| {
        let known = detail.with(|detail| detail.as_ref().is_some_and(Result::is_ok));
        if last == Some(true) && known {
            turn.update(|turn| *turn += 1);
        }
        last == Some(true) || known
    });
    view! {
        <Show when=move || detail.with(|detail| detail.as_ref().is_none_or(Result::is_ok))>
            <section class="part">
                <h2>{words::HISTORY}</h2>
                <Feed filter turn />
            </section>
        </Show>
    }
}

/// The grant that is shown now.
fn id_of(detail: RwSignal<Answer>) -> Option<GrantId> {
    detail.with_untracked(|detail| detail.as_ref()?.as_ref().ok().map(|detail| detail.grant.grant_id))
}

/// Whether another grant is shown by now, so that an answer about this one comes too late.
fn id_now(shown: Option<GrantId>, asked: GrantId) -> bool {
    shown.is_some_and(|shown| shown != asked)
}
