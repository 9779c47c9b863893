//! Ending a grant: what it will do, the word, and the receipt.

use std::time::Duration;

use alter_api_types::{
    portal::GrantStatus,
    wallet::{GrantCard, Holder, RevokeReceipt, RevokeRequest},
};
use leptos::{html, prelude::*, task::spawn_local};

use super::{Receipt, consequences::consequences};
use crate::{
    api::{self, ApiError},
    page::names::Cast,
    state::use_overview,
    text::{self, grant as words, record::fill},
    ui::{Button, Dialog, ErrorBox, Kind, next_id},
    visible::visible_line,
};

/// In bytes, as the API has it.
const MAX_REASON: usize = 2048;

/// How far it is.
#[derive(Clone)]
enum Step {
    Ask,
    Busy,
    Failed(ApiError),
    Done(RevokeReceipt),
    /// Somebody was faster.
    Already(GrantCard),
    /// It is not there any more.
    Gone,
}

/// Nothing where the user may not end it, or it has ended. `on_ended` is told once the user has seen the receipt.
#[component]
pub fn RevokeButton(
    grant: GrantCard,
    #[prop(optional)] on_ended: Option<Callback<GrantCard>>,
) -> impl IntoView {
    if !grant.may_revoke || grant.status == GrantStatus::Revoked {
        return ().into_any();
    }
    let overview = use_overview();
    let open = RwSignal::new(false);
    let step = RwSignal::new(Step::Ask);
    let seen = StoredValue::new(false);
    // The rest of the page follows when the receipt was seen: the button, and with it the dialog, may go then.
    let spread = move || {
        if seen.try_get_value() != Some(false) {
            return;
        }
        let ended = match step.try_get_untracked() {
            Some(Step::Done(receipt)) => {
                overview.revoked(&receipt);
                receipt.grant
            }
            Some(Step::Already(grant)) => {
                overview.changed(&grant);
                grant
            }
            Some(Step::Gone) => {
                overview.refresh();
                return;
            }
            _ => return,
        };
        seen.set_value(true);
        if let Some(on_ended) = on_ended {
            on_ended.try_run(ended);
        }
        set_timeout(find_focus, Duration::from_millis(60));
    };
    Effect::new(move |was: Option<bool>| {
        let now = open.get();
        if was == Some(true) && !now {
            spread();
        }
        now
    });
    on_cleanup(spread);

    let stored = StoredValue::new(grant);
    let agent = move || {
        let all = overview.ok();
        stored.with_value(|grant| match grant.holder {
            Holder::Agent { agent_id } => Some(Cast(all.as_deref()).agent(agent_id)),
            _ => None,
        })
    };
    let provider = stored.with_value(|grant| visible_line(&grant.provider_name));
    let label = {
        let provider = provider.clone();
        let who = agent().unwrap_or_else(|| {
            let all = overview.ok_untracked();
            stored.with_value(|grant| Cast(all.as_deref()).app(Some(grant.app_id)))
        });
        fill(words::REVOKE_OF, &[("who", &who), ("provider", &provider)])
    };
    let title = Signal::derive(move || {
        let template = match step.get() {
            Step::Done(_) => words::ENDED_TITLE,
            Step::Already(_) | Step::Gone => words::ALREADY_TITLE,
            _ => words::REVOKE_TITLE,
        };
        let all = overview.ok_untracked();
        let app = stored.with_value(|grant| Cast(all.as_deref()).app(Some(grant.app_id)));
        fill(template, &[("provider", &provider), ("who", &untrack(agent).unwrap_or(app))])
    });
    let busy = Signal::derive(move || matches!(step.get(), Step::Busy));
    let reason = RwSignal::new(String::new());
    let revoke = Callback::new(move |()| {
        if matches!(step.get_untracked(), Step::Busy | Step::Done(_)) {
            return;
        }
        step.set(Step::Busy);
        let (id, reason) = (stored.with_value(|grant| grant.grant_id), reason.get_untracked());
        let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        spawn_local(async move {
            let answer = api::revoke(id, &RevokeRequest { reason }).await;
            let next = match answer {
                Ok(receipt) => Step::Done(receipt),
                Err(error) => after(id, error).await,
            };
            if let (Step::Done(receipt), true) = (&next, step.is_disposed()) {
                // The page was left meanwhile.
                overview.revoked(receipt);
            }
            step.try_set(next);
        });
    });
    view! {
        <Button
            kind=Kind::Danger
            label={label}
            on_press=move |()| {
                step.set(Step::Ask);
                open.set(true);
            }
        >
            {words::REVOKE}
        </Button>
        <Dialog open title locked=busy>
            {move || match step.get() {
                Step::Done(receipt) => finished(Some(receipt.grant), receipt.ended_with_it.len(), open),
                Step::Already(grant) => finished(Some(grant), 0, open),
                Step::Gone => finished(None, 0, open),
                Step::Ask | Step::Busy | Step::Failed(_) => ().into_any(),
            }}
            <Asking grant=stored step reason busy open revoke />
        </Dialog>
    }
    .into_any()
}

/// The question. It stays in the page while the answer is under way, so that the focus stays where it is.
#[component]
fn Asking(
    grant: StoredValue<GrantCard>,
    step: RwSignal<Step>,
    reason: RwSignal<String>,
    busy: Signal<bool>,
    open: RwSignal<bool>,
    revoke: Callback<()>,
) -> impl IntoView {
    let overview = use_overview();
    let asking =
        Memo::new(move |_| step.with(|step| matches!(step, Step::Ask | Step::Busy | Step::Failed(_))));
    let failed = move || match step.get() {
        Step::Failed(error) => Some(view! { <ErrorBox error=ApiError { retry: false, ..error } /> }),
        _ => None,
    };
    let cancel = NodeRef::<html::Button>::new();
    Effect::new(move || focus_soon(cancel));
    let id = next_id();
    view! {
        <Show when=move || asking.get()>
            <ul class="consequences">
                {
                    let all = overview.ok_untracked();
                    grant
                        .with_value(|grant| consequences(grant, all.as_deref()))
                        .into_iter()
                        .map(|sentence| view! { <li>{sentence}</li> })
                        .collect_view()
                }
            </ul>
            <label class="field" for={id.clone()}>
                <span>{words::WHY}</span>
            </label>
            <textarea
                id={id.clone()}
                class="why"
                rows="2"
                maxlength={MAX_REASON / 4}
                prop:value=move || reason.get()
                on:input=move |event| reason.set(event_target_value(&event))
            ></textarea>
            {failed}
            <div class="dialog-actions">
                <button
                    type="button"
                    class={Kind::Quiet.class()}
                    node_ref=cancel
                    aria-disabled={move || busy.get().then_some("true")}
                    on:click=move |_| {
                        if !busy.get_untracked() {
                            open.set(false);
                        }
                    }
                >
                    {text::common::CANCEL}
                </button>
                <Button kind=Kind::Danger busy on_press=revoke>
                    {move || if busy.get() { words::REVOKING } else { words::REVOKE }}
                </Button>
            </div>
            <p class="unseen" role="status">{move || busy.get().then_some(words::REVOKING)}</p>
        </Show>
    }
}

fn finished(grant: Option<GrantCard>, with_it: usize, open: RwSignal<bool>) -> AnyView {
    let close = NodeRef::<html::Button>::new();
    Effect::new(move || focus_soon(close));
    let next = grant.as_ref().filter(|grant| grant.connection_id.is_some()).map(|_| words::RECONNECT_LATER);
    view! {
        <p class="dialog-lede">{if grant.is_some() { words::ENDED_LEDE } else { words::GONE_LEDE }}</p>
        {grant.map(|grant| view! { <Receipt grant with_it /> })}
        {next.map(|words| view! { <p class={"aside-words"}>{words}</p> })}
        <div class="dialog-actions">
            <button type="button" class={Kind::Primary.class()} node_ref=close on:click=move |_| open.set(false)>
                {words::DONE}
            </button>
        </div>
    }
    .into_any()
}

/// What to make of an error: perhaps it has ended, by another window or by the request whose answer was lost.
async fn after(id: alter_api_types::GrantId, error: ApiError) -> Step {
    if error.signed_out() {
        return Step::Failed(error);
    }
    match api::grant(id).await {
        Ok(detail) if detail.grant.status == GrantStatus::Revoked => Step::Already(detail.grant),
        Err(gone) if gone.status == 404 => Step::Gone,
        _ => Step::Failed(error),
    }
}

fn focus_soon(button: NodeRef<html::Button>) {
    if let Some(button) = button.get() {
        request_animation_frame(move || {
            let _ = button.focus();
        });
    }
}

/// The opener may have gone with what it ended: then the focus goes to the page's heading, not nowhere.
fn find_focus() {
    let document = document();
    let lost = document.active_element().is_none_or(|at| at.tag_name() == "BODY");
    if lost && let Ok(Some(heading)) = document.query_selector("h1") {
        use wasm_bindgen::JsCast;
        let _ = heading.unchecked_into::<web_sys::HtmlElement>().focus();
    }
}
