//! Giving a grant more time.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use alter_api_types::{
    GrantId, Timestamp,
    portal::GrantStatus,
    wallet::{ExtendRequest, GrantCard},
};
use leptos::{prelude::*, task::spawn_local};
use send_wrapper::SendWrapper;
use wasm_bindgen::JsCast;
use web_sys::{Event, HtmlInputElement};

use super::more_time::{Offer, at_end_of_day, offers};
use crate::{
    api::{self, ApiError},
    format,
    page::{
        activity::day::Day,
        plain::{El, el, live, nothing, say, tag},
    },
    state::{Clock, use_clock, use_overview},
    text::{self, grant as words, record::fill},
    ui::{Button, Dialog, ErrorBox, Kind, next_id, use_toast},
    visible::visible_line,
};

struct Extending {
    id: GrantId,
    in_force: Timestamp,
    most: Timestamp,
    clock: Clock,
    offered: RefCell<Vec<(Offer, Timestamp)>>,
    /// One of those; otherwise the user's own day.
    chosen: Cell<Option<usize>>,
    own: Cell<Option<Day>>,
    /// Whether what is chosen can be sent.
    ready: RwSignal<bool>,
}

/// Nothing where the expiry is not the user's to change. `on_extended` is told when it is another one.
pub fn extend_button(grant: GrantCard, on_extended: Option<Callback<()>>) -> AnyView {
    let most = grant.extendable_to.filter(|_| grant.status != GrantStatus::Revoked);
    let (Some(most), Some(in_force)) = (most, grant.expires_at) else { return nothing() };
    if most <= in_force {
        return nothing();
    }
    let (overview, toast) = (use_overview(), use_toast());
    let open = RwSignal::new(false);
    let busy = RwSignal::new(false);
    let failed = RwSignal::new(None::<ApiError>);
    let ready = RwSignal::new(false);
    let extending = Extending {
        id: grant.grant_id,
        in_force,
        most,
        clock: use_clock(),
        offered: RefCell::default(),
        chosen: Cell::default(),
        own: Cell::default(),
        ready,
    };
    // The page has one thread.
    let extending = SendWrapper::new(Rc::new(extending));
    let provider = visible_line(&grant.provider_name);
    let title = fill(words::EXTEND_TITLE, &[("provider", &provider)]);
    let label = fill(words::EXTEND_OF, &[("provider", &provider)]);

    let sent = extending.clone();
    let extend = Callback::new(move |()| {
        let Some(expires_at) = sent.until().filter(|_| !busy.get_untracked()) else { return };
        busy.set(true);
        failed.set(None);
        let id = sent.id;
        spawn_local(async move {
            let answer = api::extend(id, &ExtendRequest { expires_at }).await;
            busy.try_set(false);
            match answer {
                Ok(card) => {
                    open.try_set(false);
                    let at = card.expires_at.unwrap_or(expires_at);
                    toast.good(fill(words::EXTENDED_TO, &[("date", &format::date_time(at))]));
                    overview.changed(&card);
                    if let Some(on_extended) = on_extended {
                        on_extended.try_run(());
                    }
                }
                Err(error) => {
                    failed.try_set(Some(ApiError { retry: false, ..error }));
                }
            }
        });
    });
    let shown = extending.clone();
    let show = Callback::new(move |()| {
        shown.begin();
        failed.set(None);
        open.set(true);
    });
    let content = move || {
        let problem = live(move || match failed.get() {
            Some(error) => view! { <ErrorBox error /> }.into_any(),
            None => nothing(),
        });
        let unready = Signal::derive(move || !ready.get());
        let leave = Callback::new(move |()| open.set(false));
        let cancel = view! { <Button on_press=leave disabled=busy>{text::common::CANCEL}</Button> };
        let go = view! {
            <Button kind=Kind::Primary busy disabled=unready on_press=extend>{words::EXTEND}</Button>
        };
        vec![
            say("p", "dialog-lede", fill(words::EXTEND_LEDE, &[("date", &format::date_time(in_force))])),
            choices(&extending),
            problem,
            tag("div", "dialog-actions", vec![cancel.into_any(), go.into_any()]),
        ]
        .into_any()
    };
    let button = view! { <Button label={label} on_press=show>{words::EXTEND}</Button> };
    let dialog = view! { <Dialog open title={title} locked=busy>{content()}</Dialog> };
    vec![button.into_any(), dialog.into_any()].into_any()
}

impl Extending {
    fn begin(&self) {
        let offers = offers(untrack(|| self.clock.second()), self.in_force, self.most);
        self.own.set(None);
        let first = if offers.is_empty() { None } else { Some(0) };
        self.offered.replace(offers);
        self.choose(first);
    }

    fn choose(&self, chosen: Option<usize>) {
        self.chosen.set(chosen);
        self.ready.set(self.until().is_some());
    }

    /// What is chosen, if it is an extension.
    fn until(&self) -> Option<Timestamp> {
        match self.chosen.get() {
            Some(index) => self.offered.borrow().get(index).map(|(_, at)| *at),
            None => {
                let next = self.own.get()?.plus(1).begins()?;
                at_end_of_day(next, untrack(|| self.clock.now()), self.in_force, self.most)
            }
        }
    }
}

/// The times that are offered, and a day of the user's own choice.
fn choices(extending: &Rc<Extending>) -> AnyView {
    let group = next_id();
    let mut lines = vec![say("legend", "", words::UNTIL)];
    for (index, (offer, at)) in extending.offered.borrow().iter().enumerate() {
        let content = vec![
            radio(extending, &group, Some(index)).view(),
            say("span", "", offer_words(*offer)),
            say("span", "offer-date", format::date(*at)),
        ];
        lines.push(tag("label", "offer", content));
    }
    let entered = Rc::clone(extending);
    let day = el("input", "")
        .set("type", "date")
        .set("aria-label", words::OWN_DAY)
        .set("min", &Day::of(extending.in_force).text())
        .set("max", &Day::of(extending.most).text())
        .on("input", move |event| {
            if let Some(radio) = beside(&event, "radio") {
                radio.set_checked(true);
            }
            entered.own.set(Day::parse(&event_target_value(&event)));
            entered.choose(None);
        });
    let own = radio(extending, &group, None).on("change", |event| {
        if let Some(field) = beside(&event, "date") {
            let _ = field.focus();
        }
    });
    lines.push(tag("label", "offer", vec![own.view(), say("span", "", words::OWN_DAY), day.view()]));
    tag("fieldset", "offers", lines)
}

fn radio(extending: &Rc<Extending>, group: &str, index: Option<usize>) -> El {
    let chosen = Rc::clone(extending);
    let radio = el("input", "").set("type", "radio").set("name", group).on("change", move |_| {
        chosen.choose(index);
    });
    radio.element().unchecked_into::<HtmlInputElement>().set_checked(extending.chosen.get() == index);
    radio
}

/// The other field of the line that an event is about.
fn beside(event: &Event, kind: &str) -> Option<HtmlInputElement> {
    let field = event.target()?.dyn_into::<HtmlInputElement>().ok()?;
    let line = field.closest(".offer").ok()??;
    line.query_selector(&format!("[type={kind}]")).ok()?.map(JsCast::unchecked_into)
}

fn offer_words(offer: Offer) -> String {
    match offer {
        Offer::Days(days) => fill(words::DAYS_FROM_NOW, &[("n", &days.to_string())]),
        Offer::Most => words::MOST.to_owned(),
    }
}
