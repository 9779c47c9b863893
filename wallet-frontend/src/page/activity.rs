//! What was done for the person: a chart, filters, and every row of the record.

pub mod chart;
mod controls;
pub mod day;
mod dom;
mod entry;
mod feed;
mod filter;
mod heights;
mod kept;
mod list;
mod plot;
mod record;
mod row;
mod sight;
mod words;

use std::rc::Rc;

use leptos::prelude::*;

pub use self::{feed::Feed, filter::Filter, kept::watch as watch_history};
use super::plain::{say, watch};
use crate::{
    route::{self, Page, Step},
    text,
    ui::Head,
};
use controls::Controls;
use plot::Plot;

#[component]
pub fn Activity() -> AnyView {
    let (drawing, plot) = Plot::new();
    let (rows, feed) = Feed::new(Some(|| change(false, &Filter::default())));
    let (counted, read) = (Rc::downgrade(&plot), Rc::downgrade(&feed));
    let (fields, controls) = Controls::new(move || {
        if let (Some(plot), Some(feed)) = (counted.upgrade(), read.upgrade()) {
            plot.count();
            feed.restart();
        }
    });
    let mut last = None;
    watch(move || {
        let filter = Filter::read(route::query);
        // Whoever leaves has an address of another page by now, and this one is about to go.
        if last.as_ref() != Some(&filter) && Page::of(&address()) == Page::Activity {
            controls.show(&filter);
            plot.ask(&filter);
            feed.ask(&filter);
            last = Some(filter);
        }
    });
    let head =
        view! { <Head title=text::frame::ACTIVITY lede=Signal::stored(text::record::LEDE.to_owned()) /> };
    vec![head.into_any(), drawing, say("h2", "unseen", text::record::ENTRIES), fields, rows].into_any()
}

/// What the address selects.
fn now() -> Filter {
    untrack(|| Filter::read(route::query))
}

/// Selects something else. `replace`: going back leads past what was selected until now.
fn change(replace: bool, filter: &Filter) {
    let step = if replace { Step::Instead } else { Step::Within };
    route::go(&format!("/activity{}", filter.write()), step);
}

fn address() -> String {
    window().location().pathname().unwrap_or_default()
}
