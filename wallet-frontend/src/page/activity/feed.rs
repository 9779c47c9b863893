//! The feed: the list, and around it what is on its way, failed or over.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use leptos::{prelude::*, tachys::view::any_view::AnyViewState};
use send_wrapper::SendWrapper;
use web_sys::HtmlElement;

use super::{
    day::Day,
    dom::press,
    filter::Filter,
    list::{List, Phase},
};
use crate::{
    format,
    page::plain::{el, nothing, say, tag, watch},
    state::use_overview,
    text,
    ui::{Empty, ErrorBox, Kind, Shape, Skeleton},
};

/// All that a filter selects, newest first.
pub struct Feed {
    list: Rc<List>,
    around: Rc<Around>,
    filter: RefCell<Filter>,
}

/// What stands before and after the rows.
struct Around {
    summary: HtmlElement,
    whole: HtmlElement,
    /// What is shown after the rows, and for what; it has signals of its own, which go with it.
    after: RefCell<Option<(Phase, bool, AnyViewState)>>,
    owner: Owner,
    unfiltered: Cell<bool>,
    list: RefCell<Weak<List>>,
    clear: Option<fn()>,
}

impl Feed {
    /// `clear` is offered where the filters leave nothing.
    pub fn new(clear: Option<fn()>) -> (AnyView, Rc<Self>) {
        let summary = el("p", "unseen").set("role", "status");
        let days = el("div", "days");
        let whole = el("div", "feed");
        let around = Rc::new(Around {
            summary: summary.element(),
            whole: whole.element(),
            after: RefCell::default(),
            owner: Owner::new(),
            unfiltered: Cell::new(true),
            list: RefCell::default(),
            clear,
        });
        let told = Rc::clone(&around);
        let list = List::new(days.element(), Box::new(move |phase, rows| told.tell(phase, rows)));
        around.list.replace(Rc::downgrade(&list));
        let clicked = Rc::downgrade(&list);
        let days = days.on("click", move |event| {
            if let Some(list) = clicked.upgrade() {
                list.clicked(&event);
            }
        });
        let view = whole.add(summary.view()).add(days.view()).view();
        around.tell(&Phase::Loading, 0);
        follow_window(&list);
        let (overview, named) = (use_overview(), Rc::clone(&list));
        overview.want();
        watch(move || named.name(overview.ok()));
        (view, Rc::new(Self { list, around, filter: RefCell::default() }))
    }

    pub fn ask(&self, filter: &Filter) {
        self.around.unfiltered.set(filter.is_empty());
        filter.clone_into(&mut self.filter.borrow_mut());
        self.restart();
    }

    pub fn restart(&self) {
        let query = self.filter.borrow().query(Day::begins);
        self.list.restart(query);
    }
}

impl Around {
    fn tell(&self, phase: &Phase, rows: usize) {
        let last = self.summary.text_content().unwrap_or_default();
        let summary = match phase {
            Phase::Loading if rows == 0 => String::new(),
            // Said once: that more rows came while one scrolls is no news.
            Phase::Loading if !last.is_empty() => last.clone(),
            Phase::Done => text::record::all(&format::number(rows as u64)),
            _ => text::record::newest(&format::number(rows as u64)),
        };
        if summary != last {
            self.summary.set_text_content(Some(&summary));
        }
        let any = rows > 0;
        let same = |after: &(Phase, bool, AnyViewState)| after.0 == *phase && after.1 == any;
        if self.after.borrow().as_ref().is_some_and(same) {
            return;
        }
        if let Some((_, _, mut old)) = self.after.take() {
            self.owner.cleanup();
            old.unmount();
        }
        let shown = self.owner.with(|| {
            let mut shown = untrack(|| self.after(phase, any)).build();
            shown.mount(&self.whole, None);
            shown
        });
        self.after.replace(Some((phase.clone(), any, shown)));
    }

    fn after(&self, phase: &Phase, any: bool) -> AnyView {
        match phase {
            Phase::Loading => view! { <Skeleton cards={if any { 2 } else { 6 }} /> }.into_any(),
            Phase::Failed(error) => {
                let list = SendWrapper::new(self.list.borrow().clone());
                let retry = Callback::new(move |()| resume(&list));
                view! { <ErrorBox error=error.clone() on_retry=retry /> }.into_any()
            }
            Phase::Paused => {
                let list = self.list.borrow().clone();
                let further = press(Kind::Quiet, text::record::FURTHER, move || resume(&list));
                tag("div", "feed-end", vec![say("p", "", text::record::PAUSED), further.view()])
            }
            Phase::Full => say("p", "feed-end", text::record::FULL),
            Phase::Done if any => say("p", "feed-end", text::record::END),
            Phase::Done => self.nothing_found(),
        }
    }

    /// Nothing is on the record; or nothing of it fits.
    fn nothing_found(&self) -> AnyView {
        if self.unfiltered.get() {
            let title = text::record::NOTHING_TITLE;
            return view! { <Empty title body=text::record::NOTHING shape=Shape::Activity /> }.into_any();
        }
        let title = text::connections::NO_MATCH_TITLE;
        let way = self
            .clear
            .map_or_else(nothing, |clear| press(Kind::Quiet, text::connections::CLEAR, clear).view());
        view! { <Empty title body=text::record::NO_MATCH shape=Shape::Search>{way}</Empty> }.into_any()
    }
}

fn resume(list: &Weak<List>) {
    if let Some(list) = list.upgrade() {
        list.resume();
    }
}

/// The list is drawn anew when the window moves over it, and left with the page.
fn follow_window(list: &Rc<List>) {
    for event in ["scroll", "resize"] {
        let list = Rc::downgrade(list);
        let heard = window_event_listener_untyped(event, move |_| {
            if let Some(list) = list.upgrade() {
                list.draw_soon();
            }
        });
        on_cleanup(move || heard.remove());
    }
    let list = SendWrapper::new(Rc::clone(list));
    on_cleanup(move || list.leave());
}
