//! The list of rows: only those in and near the view are in the page, each at its place in a box that is as high as all of
//! them. Places come from estimates that are corrected once a row was seen; what is being read does not move by that.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
};

use alter_api_types::wallet::{ActivityQuery, Overview};
use leptos::{
    prelude::{Set, document, request_animation_frame, window},
    task::spawn_local,
};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlElement};

use super::{
    day::Day,
    dom::{add, el, px, say, set, style},
    record::{HEADING, Record, Run},
    row::{self, Open},
};
use crate::{api, api::ApiError, format, page::names::Cast, text::record as text};

/// Rows are kept so far beyond the view, in CSS pixels.
const MARGIN: f64 = 700.0;
/// More is asked for when fewer rows than this follow the view.
const AHEAD: usize = 400;
/// The first page is short, so that it is seen soon.
const FIRST_PAGE: usize = 50;
const PAGE: usize = 100;
/// Browsers draw boxes up to a height (Firefox to 17.9 million pixels); a longer list is for the file.
const MAX_ROWS: usize = 120_000;
/// So many answers without a row are followed on their own; then the user is asked.
const PATIENCE: u32 = 12;

/// How far the list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// More is on its way, or follows when it is scrolled to.
    Loading,
    /// That was all.
    Done,
    /// There is more than a page can hold.
    Full,
    /// Much was searched and nothing found; older rows are left.
    Paused,
    Failed(ApiError),
}

/// What the list tells the page around it.
pub trait Watcher {
    fn told(&self, phase: Phase, rows: usize);
}

impl<P: Set<Value = (Phase, usize)>> Watcher for P {
    fn told(&self, phase: Phase, rows: usize) {
        self.set((phase, rows));
    }
}

pub struct List {
    place: HtmlElement,
    state: RefCell<State>,
    queued: Cell<bool>,
    gone: Cell<bool>,
    watcher: Box<dyn Watcher>,
}

#[derive(Default)]
struct State {
    record: Record,
    query: ActivityQuery,
    all: Option<Arc<Overview>>,
    today: Option<Day>,
    /// In the page now, by row.
    shown: Vec<Shown>,
    sections: Vec<Section>,
    open: HashMap<usize, Open>,
    cursor: Option<String>,
    /// Counts what was begun, so that answers to what was asked before are dropped.
    turn: u64,
    busy: bool,
    halted: bool,
    fruitless: u32,
    width: f64,
}

struct Shown {
    row: usize,
    item: HtmlElement,
}

struct Section {
    run: usize,
    section: HtmlElement,
    list: HtmlElement,
}

impl List {
    pub fn new(place: HtmlElement, watcher: Box<dyn Watcher>) -> Rc<Self> {
        Rc::new(Self {
            place,
            state: RefCell::default(),
            queued: Cell::new(false),
            gone: Cell::new(false),
            watcher,
        })
    }

    /// Begins anew with other rows.
    pub fn restart(self: &Rc<Self>, query: ActivityQuery) {
        {
            let mut state = self.state.borrow_mut();
            let turn = state.turn + 1;
            let (all, record) = (state.all.take(), std::mem::take(&mut state.record));
            *state = State { query, all, record, turn, today: Some(Day::of(format::browser_now())), ..State::default() };
            state.record.clear();
        }
        self.place.set_text_content(None);
        style(&self.place, "height", "0");
        self.load();
    }

    /// The names became known, or changed.
    pub fn name(self: &Rc<Self>, all: Option<Arc<Overview>>) {
        {
            let mut state = self.state.borrow_mut();
            state.all = all;
            for shown in state.shown.drain(..) {
                shown.item.remove();
            }
        }
        self.draw_soon();
    }

    /// Goes on after a failure or a pause.
    pub fn resume(self: &Rc<Self>) {
        {
            let mut state = self.state.borrow_mut();
            state.halted = false;
            state.fruitless = 0;
        }
        self.load();
    }

    pub fn leave(&self) {
        self.gone.set(true);
    }

    /// Once before the next frame, however often it is asked for.
    pub fn draw_soon(self: &Rc<Self>) {
        if self.gone.get() || self.queued.replace(true) {
            return;
        }
        let list = Rc::clone(self);
        request_animation_frame(move || {
            list.queued.set(false);
            if !list.gone.get() {
                list.draw();
            }
        });
    }

    /// A click somewhere in the list.
    pub fn clicked(self: &Rc<Self>, event: &Event) {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let Some(button) = target.and_then(|target| target.closest("[data-act]").ok().flatten()) else { return };
        let act = button.get_attribute("data-act").unwrap_or_default();
        let Some(item) = button.closest("li").ok().flatten() else { return };
        let fresh = {
            let mut state = self.state.borrow_mut();
            let State { shown, open, record, all, .. } = &mut *state;
            let Some(shown) = shown.iter_mut().find(|shown| shown.item.is_same_node(Some(&item))) else { return };
            let Some(entry) = record.entry(shown.row) else { return };
            let now = open.entry(shown.row).or_default();
            if act == "details" {
                now.details = !now.details;
            } else {
                now.whole = !now.whole;
            }
            let fresh = row::build(entry, Cast(all.as_deref()), *now);
            for name in ["aria-setsize", "aria-posinset"] {
                set(&fresh, name, &item.get_attribute(name).unwrap_or_default());
            }
            let _ = shown.item.replace_with_with_node_1(&fresh);
            shown.item = fresh.clone();
            fresh
        };
        // The button was replaced with its row: the focus goes to its successor.
        if let Ok(Some(button)) = fresh.query_selector(&format!("[data-act={act}]")) {
            let _ = button.unchecked_into::<HtmlElement>().focus();
        }
        self.draw();
    }

    fn draw(self: &Rc<Self>) {
        let again = self.state.borrow_mut().draw(&self.place);
        if again {
            self.draw_soon();
        }
        self.load();
    }

    /// Asks for the next page if there is one and it will be wanted.
    fn load(self: &Rc<Self>) {
        let (query, turn) = {
            let mut state = self.state.borrow_mut();
            let begun = state.turn > 0 && (!state.record.is_empty() || state.cursor.is_some() || state.fruitless > 0);
            let ended = begun && state.cursor.is_none();
            let far = state.shown.last().map_or(0, |shown| shown.row);
            let enough = state.record.len() > far + AHEAD;
            if state.busy || state.halted || ended || enough || state.record.len() >= MAX_ROWS || self.gone.get() {
                return;
            }
            state.busy = true;
            let limit = if begun { PAGE } else { FIRST_PAGE };
            let query =
                ActivityQuery { cursor: state.cursor.clone(), limit: Some(limit), ..state.query.clone() };
            (query, state.turn)
        };
        self.tell(Phase::Loading);
        let list = Rc::clone(self);
        spawn_local(async move {
            let answer = api::activity(&query).await;
            if list.gone.get() || list.state.borrow().turn != turn {
                return;
            }
            let phase = list.state.borrow_mut().take(answer);
            list.tell(phase);
            list.draw_soon();
        });
    }

    fn tell(&self, phase: Phase) {
        if !self.gone.get() {
            self.watcher.told(phase, self.state.borrow().record.len());
        }
    }
}

impl State {
    fn take(&mut self, answer: Result<alter_api_types::wallet::ActivityPage, ApiError>) -> Phase {
        self.busy = false;
        let page = match answer {
            Ok(page) => page,
            Err(error) => {
                self.halted = true;
                return Phase::Failed(error);
            }
        };
        self.fruitless = if page.items.is_empty() { self.fruitless + 1 } else { 0 };
        self.cursor = page.next_cursor;
        self.record.append(page.items, Day::of);
        if self.cursor.is_none() {
            self.fruitless = self.fruitless.max(1);
            return Phase::Done;
        }
        if self.record.len() >= MAX_ROWS {
            return Phase::Full;
        }
        self.halted = self.fruitless >= PATIENCE;
        if self.halted { Phase::Paused } else { Phase::Loading }
    }

    /// Puts what is in view into the page; `true` if corrections call for another look.
    fn draw(&mut self, place: &HtmlElement) -> bool {
        let bounds = place.get_bounding_client_rect();
        let tall = window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(800.0);
        let top = -bounds.top();
        let wanted = self.record.heights().window(top - MARGIN, top + tall + MARGIN);
        // What stands at the view's upper edge stays there.
        let anchor = (top > 0.0).then(|| self.record.heights().at(top));
        let before = anchor.map(|row| self.record.heights().before(row));

        self.remove(&wanted);
        for row in wanted {
            self.insert(row, place);
        }
        let moved = self.measure((bounds.width() - self.width).abs() > 0.5);
        self.width = bounds.width();
        self.put(place);
        if let (Some(row), Some(before)) = (anchor, before) {
            let shift = self.record.heights().before(row) - before;
            if shift.abs() >= 1.0 {
                window().scroll_by_with_x_and_y(0.0, shift);
            }
        }
        moved
    }

    /// Takes out what is no longer wanted, but not what has the focus.
    fn remove(&mut self, wanted: &std::ops::Range<usize>) {
        let focus = document().active_element();
        self.shown.retain(|shown| {
            let stays = wanted.contains(&shown.row) || focus.as_ref().is_some_and(|focus| shown.item.contains(Some(focus)));
            if !stays {
                shown.item.remove();
            }
            stays
        });
        let record = &self.record;
        let shown = &self.shown;
        self.sections.retain(|section| {
            let stays = shown.iter().any(|shown| record.run_of(shown.row) == section.run);
            if !stays {
                section.section.remove();
            }
            stays
        });
    }

    fn insert(&mut self, row: usize, place: &HtmlElement) {
        let at = self.shown.partition_point(|shown| shown.row < row);
        if self.shown.get(at).is_some_and(|shown| shown.row == row) {
            return;
        }
        let index = self.record.run_of(row);
        let (Some(entry), Some(run)) = (self.record.entry(row), self.record.run(index)) else { return };
        let item = row::build(entry, Cast(self.all.as_deref()), self.open.get(&row).copied().unwrap_or_default());
        set(&item, "aria-posinset", &(row - run.first + 1).to_string());
        let next = self.shown.get(at).filter(|shown| self.record.run_of(shown.row) == index);
        let next = next.map(|shown| shown.item.clone());
        let list = self.section(index, run, place);
        let _ = list.insert_before(&item, next.as_deref().map(AsRef::as_ref));
        self.shown.insert(at, Shown { row, item });
    }

    /// The list of the day's rows; made, at its place among the others, if it is not there.
    fn section(&mut self, index: usize, run: Run, place: &HtmlElement) -> HtmlElement {
        let at = self.sections.partition_point(|section| section.run < index);
        if let Some(section) = self.sections.get(at).filter(|section| section.run == index) {
            return section.list.clone();
        }
        let section = el("section", "day");
        let name = self.day_name(run.day);
        set(&section, "aria-label", &name);
        say(&section, "h3", "day-name", &name);
        let list = el("ul", "day-rows");
        set(&list, "role", "list");
        add(&section, &list);
        let next = self.sections.get(at).map(|section| section.section.clone());
        let _ = place.insert_before(&section, next.as_deref().map(AsRef::as_ref));
        self.sections.insert(at, Section { run: index, section, list: list.clone() });
        list
    }

    fn day_name(&self, day: Day) -> String {
        match self.today.map(|today| today.0 - day.0) {
            Some(0) => text::TODAY.to_owned(),
            Some(1) => text::YESTERDAY.to_owned(),
            _ => day.noon().map(format::long_date).unwrap_or_default(),
        }
    }

    fn measure(&mut self, wider: bool) -> bool {
        let mut moved = wider;
        let heights: Vec<_> =
            self.shown.iter().map(|shown| shown.item.get_bounding_client_rect().height() as f32).collect();
        for (shown, height) in self.shown.iter().zip(heights) {
            let closed = self.open.get(&shown.row).is_none_or(|open| open.is_closed());
            moved |= self.record.measured(shown.row, height, closed);
        }
        moved
    }

    fn put(&self, place: &HtmlElement) {
        style(place, "height", &px(self.record.heights().total()));
        let last = self.record.run_of(self.record.len().saturating_sub(1));
        for section in &self.sections {
            let Some(run) = self.record.run(section.run) else { continue };
            let (top, height) = self.record.extent(run);
            style(&section.section, "top", &px(top));
            style(&section.section, "height", &px(height));
            // How many rows the oldest day has is not known while more follow.
            let unknown = section.run == last && self.cursor.is_some();
            let size = if unknown { "-1".to_owned() } else { run.count.to_string() };
            let rows = self.shown.iter().filter(|shown| (run.first..run.first + run.count).contains(&shown.row));
            for shown in rows {
                set(&shown.item, "aria-setsize", &size);
                style(&shown.item, "top", &px(self.record.top(shown.row) - top - f64::from(HEADING)));
            }
        }
    }
}
