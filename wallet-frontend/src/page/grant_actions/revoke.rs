//! Ending a grant: what it will do, the word, and the receipt.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use alter_api_types::{
    portal::GrantStatus,
    wallet::{GrantCard, Holder, RevokeReceipt, RevokeRequest},
};
use leptos::{prelude::*, task::spawn_local};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::HtmlElement;

use super::{consequences::consequences, receipt};
use crate::{
    api::{self, ApiError},
    page::{
        names::Cast,
        plain::{El, el, live, nothing, say, tag, watch},
    },
    state::{Grants, use_overview},
    text::{self, grant as words, record::fill},
    ui::{Dialog, ErrorBox, Kind},
    visible::visible_line,
};

/// In bytes, as the API has it.
const MAX_REASON: usize = 2048;

/// What came of asking.
#[derive(Clone)]
enum Outcome {
    Done(RevokeReceipt),
    /// Somebody was faster.
    Already(GrantCard),
    /// It is not there any more.
    Gone,
    Failed(ApiError),
}

struct Ending {
    grant: GrantCard,
    overview: Grants,
    reason: RefCell<String>,
    /// How it ended; nothing while it is asked.
    outcome: RefCell<Option<Outcome>>,
    asking: RwSignal<bool>,
    busy: RwSignal<bool>,
    failed: RwSignal<Option<ApiError>>,
    open: RwSignal<bool>,
    title: RwSignal<String>,
    on_ended: Option<Callback<()>>,
    spread: Cell<bool>,
}

/// Nothing where the user may not end it, or it has ended. `on_ended` is told once the user has seen the receipt.
pub fn revoke_button(grant: GrantCard, on_ended: Option<Callback<()>>) -> AnyView {
    if !grant.may_revoke || grant.status == GrantStatus::Revoked {
        return nothing();
    }
    let ending = Ending {
        grant,
        overview: use_overview(),
        reason: RefCell::default(),
        outcome: RefCell::default(),
        asking: RwSignal::new(true),
        busy: RwSignal::new(false),
        failed: RwSignal::new(None),
        open: RwSignal::new(false),
        title: RwSignal::new(String::new()),
        on_ended,
        spread: Cell::default(),
    };
    // The page has one thread.
    let ending = SendWrapper::new(Rc::new(ending));
    let Ending { open, busy, title, .. } = **ending;

    let (closed, mut was) = (ending.clone(), false);
    watch(move || {
        let now = open.get();
        if was && !now {
            closed.spread();
        }
        was = now;
    });
    let left = ending.clone();
    on_cleanup(move || left.spread());

    let (named, ask) = (ending.clone(), ending.clone());
    let button = el("button", Kind::Danger.class())
        .set("type", "button")
        .tells("aria-label", move || {
            Some(named.fill(words::REVOKE_OF, &Cast(named.overview.ok().as_deref(), &[])))
        })
        .text(words::REVOKE)
        .on("click", move |_| ask.ask());
    let content = move || {
        let ending = ending.clone();
        live(move || if ending.asking.get() { asking(&ending) } else { finished(&ending) })
    };
    let dialog = view! { <Dialog open title locked=busy>{content()}</Dialog> };
    vec![button.view(), dialog.into_any()].into_any()
}

impl Ending {
    /// Puts the names of the one who loses the access, and of the provider, into a text.
    fn fill(&self, template: &str, cast: &Cast<'_>) -> String {
        let who = match self.grant.holder {
            Holder::Agent { agent_id } => cast.agent(agent_id),
            _ => cast.app(Some(self.grant.app_id)),
        };
        fill(template, &[("who", &who), ("provider", &visible_line(&self.grant.provider_name))])
    }

    fn name(&self, template: &str) {
        let all = self.overview.ok_untracked();
        self.title.try_set(self.fill(template, &Cast(all.as_deref(), &[])));
    }

    fn ask(&self) {
        self.outcome.replace(None);
        self.failed.set(None);
        self.asking.set(true);
        self.name(words::REVOKE_TITLE);
        self.open.set(true);
    }

    fn revoke(self: &Rc<Self>) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.failed.set(None);
        let reason = self.reason.borrow().trim().to_owned();
        let ending = Rc::clone(self);
        spawn_local(async move {
            let id = ending.grant.grant_id;
            let reason = Some(reason).filter(|reason| !reason.is_empty());
            let outcome = match api::revoke(id, &RevokeRequest { reason }).await {
                Ok(receipt) => Outcome::Done(receipt),
                Err(error) => after(id, error).await,
            };
            ending.over(outcome);
        });
    }

    fn over(&self, outcome: Outcome) {
        if let (Outcome::Done(receipt), true) = (&outcome, self.open.is_disposed()) {
            // The page was left meanwhile.
            self.overview.revoked(receipt);
            return;
        }
        self.busy.try_set(false);
        self.name(match &outcome {
            Outcome::Done(_) => words::ENDED_TITLE,
            Outcome::Already(_) | Outcome::Gone => words::ALREADY_TITLE,
            Outcome::Failed(error) => {
                self.failed.try_set(Some(ApiError { retry: false, ..error.clone() }));
                return;
            }
        });
        self.outcome.replace(Some(outcome));
        self.asking.try_set(false);
    }

    /// The rest of the page follows when the receipt was seen: the button, and with it the dialog, may go then.
    fn spread(&self) {
        let Some(outcome) = self.outcome.borrow().clone().filter(|_| !self.spread.get()) else { return };
        match outcome {
            Outcome::Done(receipt) => self.overview.revoked(&receipt),
            Outcome::Already(grant) => self.overview.changed(&grant),
            Outcome::Gone | Outcome::Failed(_) => {
                self.overview.refresh();
                return;
            }
        }
        self.spread.set(true);
        if let Some(on_ended) = self.on_ended {
            on_ended.try_run(());
        }
        set_timeout(find_focus, Duration::from_millis(60));
    }
}

/// The question. It stays in the page while the answer is under way, so that the focus stays where it is.
fn asking(ending: &Rc<Ending>) -> AnyView {
    let Ending { open, busy, failed, .. } = **ending;
    let all = ending.overview.ok_untracked();
    let sentences = consequences(&ending.grant, all.as_deref());
    let sentences = sentences.into_iter().map(|sentence| say("li", "", sentence)).collect();
    let (written, go) = (Rc::clone(ending), Rc::clone(ending));
    let field = el("textarea", "why")
        .set("rows", "2")
        .set("maxlength", &(MAX_REASON / 4).to_string())
        .property("value", &JsValue::from_str(&ending.reason.borrow()))
        .on("input", move |event| {
            written.reason.replace(event_target_value(&event));
        });
    let problem = live(move || match failed.get() {
        Some(error) => view! { <ErrorBox error /> }.into_any(),
        None => nothing(),
    });
    let is_busy = move || busy.get().then(|| "true".to_owned());
    let cancel = button(Kind::Quiet).tells("aria-disabled", is_busy).text(text::common::CANCEL).on(
        "click",
        move |_| {
            if !busy.get_untracked() {
                open.set(false);
            }
        },
    );
    let go = button(Kind::Danger)
        .tells("aria-busy", is_busy)
        .tells("aria-disabled", is_busy)
        .says(move || if busy.get() { words::REVOKING } else { words::REVOKE }.to_owned())
        .on("click", move |_| go.revoke());
    let said = move || if busy.get() { words::REVOKING } else { "" }.to_owned();
    focus_soon(cancel.element());
    vec![
        tag("ul", "consequences", sentences),
        tag("label", "field", vec![say("span", "", words::WHY), field.view()]),
        problem,
        tag("div", "dialog-actions", vec![cancel.view(), go.view()]),
        el("p", "unseen").set("role", "status").says(said).view(),
    ]
    .into_any()
}

fn finished(ending: &Ending) -> AnyView {
    let open = ending.open;
    let outcome = ending.outcome.borrow();
    let (ended, with_it) = match &*outcome {
        Some(Outcome::Done(receipt)) => (Some(&receipt.grant), receipt.ended_with_it.len()),
        Some(Outcome::Already(grant)) => (Some(grant), 0),
        _ => (None, 0),
    };
    let lede = if ended.is_some() { words::ENDED_LEDE } else { words::GONE_LEDE };
    let mut content = vec![say("p", "dialog-lede", lede)];
    if let Some(grant) = ended {
        content.push(receipt(grant, with_it));
        if grant.connection_id.is_some() {
            content.push(say("p", "aside-words", words::RECONNECT_LATER));
        }
    }
    let done = button(Kind::Primary).text(words::DONE).on("click", move |_| open.set(false));
    focus_soon(done.element());
    content.push(tag("div", "dialog-actions", vec![done.view()]));
    content.into_any()
}

fn button(kind: Kind) -> El {
    el("button", kind.class()).set("type", "button")
}

/// What to make of an error: perhaps it has ended, by another window or by the request whose answer was lost.
async fn after(id: alter_api_types::GrantId, error: ApiError) -> Outcome {
    if error.signed_out() {
        return Outcome::Failed(error);
    }
    match api::grant(id).await {
        Ok(detail) if detail.grant.status == GrantStatus::Revoked => Outcome::Already(detail.grant),
        Err(gone) if gone.status == 404 => Outcome::Gone,
        _ => Outcome::Failed(error),
    }
}

fn focus_soon(button: HtmlElement) {
    request_animation_frame(move || {
        let _ = button.focus();
    });
}

/// The opener may have gone with what it ended: then the focus goes to the page's heading, not nowhere.
fn find_focus() {
    let document = document();
    let lost = document.active_element().is_none_or(|at| at.tag_name() == "BODY");
    if lost && let Ok(Some(heading)) = document.query_selector("h1") {
        let _ = heading.unchecked_into::<HtmlElement>().focus();
    }
}
