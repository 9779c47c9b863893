//! Ending a grant: what it will do, the word, and the receipt.

use std::time::Duration;

use alter_api_types::{
    portal::GrantStatus,
    wallet::{GrantCard, Holder, RevokeReceipt, RevokeRequest},
};
use leptos::{ev, html, prelude::*, task::spawn_local};

use super::{Receipt, consequences::consequences};
use crate::{
    api::{self, ApiError},
    page::{
        names::Cast,
        plain::{self, live, nothing, say, tag},
    },
    state::use_overview,
    text::{self, grant as words, record::fill},
    ui::{Button, Dialog, ErrorBox, Kind},
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
        return nothing();
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
    let content = move || {
        let after = live(move || match step.get() {
            Step::Done(receipt) => finished(Some(receipt.grant), receipt.ended_with_it.len(), open),
            Step::Already(grant) => finished(Some(grant), 0, open),
            Step::Gone => finished(None, 0, open),
            Step::Ask | Step::Busy | Step::Failed(_) => nothing(),
        });
        vec![after, asking(stored, step, reason, busy, open, revoke)].into_any()
    };
    let ask = Callback::new(move |()| {
        step.set(Step::Ask);
        open.set(true);
    });
    let button = view! { <Button kind=Kind::Danger label={label} on_press=ask>{words::REVOKE}</Button> };
    let dialog = view! { <Dialog open title locked=busy>{content()}</Dialog> };
    vec![button.into_any(), dialog.into_any()].into_any()
}

/// The question. It stays in the page while the answer is under way, so that the focus stays where it is.
fn asking(
    grant: StoredValue<GrantCard>,
    step: RwSignal<Step>,
    reason: RwSignal<String>,
    busy: Signal<bool>,
    open: RwSignal<bool>,
    revoke: Callback<()>,
) -> AnyView {
    let overview = use_overview();
    let asking =
        Memo::new(move |_| step.with(|step| matches!(step, Step::Ask | Step::Busy | Step::Failed(_))));
    let failed = move || match step.get() {
        Step::Failed(error) => view! { <ErrorBox error=ApiError { retry: false, ..error } /> }.into_any(),
        _ => nothing(),
    };
    let cancel = NodeRef::<html::Button>::new();
    Effect::new(move || focus_soon(cancel));
    live(move || {
        if !asking.get() {
            return nothing();
        }
        let all = overview.ok_untracked();
        let sentences = grant.with_value(|grant| consequences(grant, all.as_deref()));
        let sentences = sentences.into_iter().map(|sentence| say("li", "", sentence)).collect();
        let field = html::textarea()
            .class("why")
            .rows(2)
            .maxlength(MAX_REASON / 4)
            .prop("value", move || reason.get())
            .on(ev::input, move |event| reason.set(event_target_value(&event)));
        let leave = move |_| {
            if !busy.get_untracked() {
                open.set(false);
            }
        };
        let cancel = html::button()
            .r#type("button")
            .class(Kind::Quiet.class())
            .node_ref(cancel)
            .aria_disabled(move || busy.get().then_some("true"))
            .on(ev::click, leave)
            .child(text::common::CANCEL);
        let go = live(move || plain::words(if busy.get() { words::REVOKING } else { words::REVOKE }));
        let go = view! { <Button kind=Kind::Danger busy on_press=revoke>{go}</Button> };
        let said = live(move || plain::words(if busy.get() { words::REVOKING } else { "" }));
        vec![
            tag("ul", "consequences", sentences),
            tag("label", "field", vec![say("span", "", words::WHY), field.into_any()]),
            live(failed),
            tag("div", "dialog-actions", vec![cancel.into_any(), go.into_any()]),
            html::p().class("unseen").role("status").child(said).into_any(),
        ]
        .into_any()
    })
}

fn finished(grant: Option<GrantCard>, with_it: usize, open: RwSignal<bool>) -> AnyView {
    let close = NodeRef::<html::Button>::new();
    Effect::new(move || focus_soon(close));
    let again = grant.as_ref().is_some_and(|grant| grant.connection_id.is_some());
    let mut content =
        vec![say("p", "dialog-lede", if grant.is_some() { words::ENDED_LEDE } else { words::GONE_LEDE })];
    content.extend(grant.map(|grant| view! { <Receipt grant with_it /> }.into_any()));
    if again {
        content.push(say("p", "aside-words", words::RECONNECT_LATER));
    }
    let done = html::button()
        .r#type("button")
        .class(Kind::Primary.class())
        .node_ref(close)
        .on(ev::click, move |_| open.set(false))
        .child(words::DONE);
    content.push(tag("div", "dialog-actions", vec![done.into_any()]));
    content.into_any()
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
