//! The list as it was left, for who comes back to it: the same rows at the same place, with nothing asked for anew.

use std::cell::{Cell, RefCell};

use alter_api_types::wallet::{ActivityQuery, AgentCard};
use leptos::{ev, prelude::window_event_listener};

use super::{record::Record, row::Open};

/// After so many milliseconds it is asked for anew.
const LASTS_MS: f64 = 600_000.0;
/// A step in the browser's history shows its page within so many milliseconds.
const STEP_MS: f64 = 1_500.0;

pub struct Kept {
    pub query: ActivityQuery,
    pub record: Record,
    pub open: Vec<(usize, Open)>,
    pub agents: Vec<AgentCard>,
    pub cursor: Option<String>,
    /// How much of the list was above the view, in CSS pixels; negative where the list begins within it.
    pub scroll: f64,
}

thread_local! {
    static KEPT: RefCell<Option<(f64, Kept)>> = const { RefCell::new(None) };
    static STEPPED: Cell<Option<f64>> = const { Cell::new(None) };
}

/// Once, and before the router: it shows the page within the event that this listens to.
pub fn watch() {
    // For as long as the site is open.
    std::mem::forget(window_event_listener(ev::popstate, |_| STEPPED.set(Some(js_sys::Date::now()))));
}

/// Only the last one is kept.
pub fn keep(kept: Kept) {
    KEPT.set(Some((js_sys::Date::now(), kept)));
}

/// What was kept of this query, if the page is shown because one went back to it and not because one asked for it.
pub fn take(query: &ActivityQuery) -> Option<Kept> {
    if query.grant_id.is_some() {
        // A grant's own history, from which one goes back to what is kept.
        return None;
    }
    let now = js_sys::Date::now();
    let stepped = STEPPED.get().is_some_and(|at| now - at < STEP_MS);
    let (at, kept) = KEPT.take()?;
    (stepped && now - at < LASTS_MS && kept.query == *query).then_some(kept)
}
