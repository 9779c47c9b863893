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

use leptos::prelude::*;

pub use self::{feed::Feed, filter::Filter, kept::watch as watch_history};
use crate::{
    route::{self, Step},
    text,
    ui::Head,
};
use controls::Controls;
use plot::Plot;

#[component]
pub fn Activity() -> impl IntoView {
    let filter = Memo::new(|_| Filter::read(route::query));
    let filter = Signal::from(filter);
    let turn = RwSignal::new(0_u32);
    let change = Callback::new(move |(replace, filter): (bool, Filter)| {
        let step = if replace { Step::Instead } else { Step::Within };
        route::go(&format!("/activity{}", filter.write()), step);
    });
    let pick = Callback::new(move |day| {
        change.run((false, Filter { from: Some(day), to: Some(day), ..filter.get_untracked() }));
    });
    let refresh = Callback::new(move |()| turn.update(|turn| *turn += 1));
    view! {
        <Head title=text::frame::ACTIVITY lede=Signal::stored(text::record::LEDE.to_owned()) />
        <Plot filter turn pick />
        <h2 class="unseen">{move || text::record::ENTRIES}</h2>
        <Controls filter change refresh />
        <Feed filter turn clear=Callback::new(move |()| change.run((false, Filter::default()))) />
    }
}
