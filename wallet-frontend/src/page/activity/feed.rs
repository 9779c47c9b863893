//! The feed: the list, and around it what is on its way, failed or over.

use std::rc::Rc;

use leptos::{ev, html, prelude::*};

use super::{
    day::Day,
    filter::Filter,
    list::{List, Phase},
};
use crate::{
    format,
    page::plain::{live, nothing, say, tag, words},
    state::use_overview,
    text,
    ui::{Button, Empty, ErrorBox, Shape, Skeleton},
};

/// All that the filter selects, newest first. `clear` is offered where the filters leave nothing.
#[component]
pub fn Feed(
    filter: Signal<Filter>,
    turn: RwSignal<u32>,
    #[prop(optional)] clear: Option<Callback<()>>,
) -> AnyView {
    let overview = use_overview();
    overview.want();
    let place = NodeRef::<html::Div>::new();
    let told = RwSignal::new((Phase::Loading, 0_usize));
    let list = StoredValue::new_local(None::<Rc<List>>);
    let with = move |act: fn(&Rc<List>)| {
        list.try_with_value(|list| list.as_ref().map(act));
    };

    Effect::new(move || {
        if let Some(place) = place.get() {
            let made = list.with_value(Clone::clone).unwrap_or_else(|| List::new((*place).clone(), told));
            list.set_value(Some(Rc::clone(&made)));
            turn.track();
            made.restart(filter.get().query(Day::begins));
        }
    });
    Effect::new(move || {
        let all = overview.ok();
        if place.get().is_some() {
            list.with_value(|list| list.as_ref().map(|list| list.name(all)));
        }
    });
    let scroll = window_event_listener(ev::scroll, move |_| with(List::draw_soon));
    let resize = window_event_listener(ev::resize, move |_| with(List::draw_soon));
    on_cleanup(move || {
        scroll.remove();
        resize.remove();
        with(|list| list.leave());
    });

    let phase = Memo::new(move |_| told.get().0);
    let any = Memo::new(move |_| told.get().1 > 0);
    let summary = Memo::new(move |last: Option<&String>| match told.get() {
        (Phase::Loading, 0) => String::new(),
        // Said once: that more rows came while one scrolls is no news.
        (Phase::Loading, _) if last.is_some_and(|last| !last.is_empty()) => last.cloned().unwrap_or_default(),
        (Phase::Done, rows) => text::record::all(&format::number(rows as u64)),
        (_, rows) => text::record::newest(&format::number(rows as u64)),
    });
    let resume = Callback::new(move |()| with(List::resume));
    let after = live(move || {
        let any = any.get();
        match phase.get() {
            Phase::Loading => view! { <Skeleton cards={if any { 2 } else { 6 }} /> }.into_any(),
            Phase::Failed(error) => view! { <ErrorBox error on_retry=resume /> }.into_any(),
            Phase::Paused => {
                let further = view! { <Button on_press=resume>{text::record::FURTHER}</Button> };
                tag("div", "feed-end", vec![say("p", "", text::record::PAUSED), further.into_any()])
            }
            Phase::Full => say("p", "feed-end", text::record::FULL),
            Phase::Done if any => say("p", "feed-end", text::record::END),
            Phase::Done => nothing_found(filter.get().is_empty(), clear),
        }
    });
    let summary = live(move || words(summary.get()));
    let days = html::div().class("days").node_ref(place).on(ev::click, move |event| {
        list.with_value(|list| list.as_ref().map(|list| list.clicked(&event)));
    });
    let summary = html::p().class("unseen").role("status").child(summary).into_any();
    tag("div", "feed", vec![summary, days.into_any(), after])
}

/// Nothing is on the record; or nothing of it fits.
fn nothing_found(unfiltered: bool, clear: Option<Callback<()>>) -> AnyView {
    let record = text::record::NOTHING_TITLE;
    let (title, body, shape) = if unfiltered {
        (record, text::record::NOTHING, Shape::Activity)
    } else {
        (text::connections::NO_MATCH_TITLE, text::record::NO_MATCH, Shape::Search)
    };
    let clear = clear.filter(|_| !unfiltered);
    let way = move || match clear {
        Some(clear) => view! { <Button on_press=clear>{text::connections::CLEAR}</Button> }.into_any(),
        None => nothing(),
    };
    view! { <Empty title body shape>{way()}</Empty> }.into_any()
}
