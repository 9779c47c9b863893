//! The list of rows, as it is loaded and moved through. Only those in and near the view are in the page, each at its place
//! in a box that is as high as all of them. Places come from estimates that are corrected once a row was seen; what is being read does not move by that.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use alter_api_types::wallet::{ActivityQuery, Overview};
use leptos::{
    prelude::{request_animation_frame, window},
    task::spawn_local,
};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, FocusOptions, HtmlElement};

use super::{
    day::Day,
    dom::{px, set, style},
    kept::{self, Kept},
    row,
    sight::State,
};
use crate::{api, api::ApiError, format, page::names::Cast, wire::Rows};

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

pub type Told = Box<dyn Fn(&Phase, usize)>;

pub struct List {
    place: HtmlElement,
    state: RefCell<State>,
    queued: Cell<bool>,
    gone: Cell<bool>,
    /// The page around it is told how far the list is, and how many rows it has.
    told: Told,
}

impl List {
    pub fn new(place: HtmlElement, told: Told) -> Rc<Self> {
        Rc::new(Self {
            place,
            state: RefCell::default(),
            queued: Cell::new(false),
            gone: Cell::new(false),
            told,
        })
    }

    /// Begins anew with other rows; or where it was left, for who comes back.
    pub fn restart(self: &Rc<Self>, query: ActivityQuery) {
        let kept = kept::take(&query);
        let back = kept.as_ref().map(|kept| kept.scroll);
        {
            let mut state = self.state.borrow_mut();
            let turn = state.turn + 1;
            let (all, mut record) = (state.all.take(), std::mem::take(&mut state.record));
            record.clear();
            let today = Some(Day::of(format::browser_now()));
            let fresh = State { query, all, record, turn, today, ..State::default() };
            *state = match kept {
                Some(Kept { record, open, agents, cursor, .. }) => {
                    State { record, open, agents, cursor, ..fresh }
                }
                None => fresh,
            };
            let height = state.record.heights().total();
            self.place.set_text_content(None);
            style(&self.place, "height", &px(height));
        }
        if let Some(scroll) = back {
            let done = self.state.borrow().cursor.is_none();
            self.tell(&if done { Phase::Done } else { Phase::Loading });
            let list = Rc::clone(self);
            request_animation_frame(move || {
                // What stands above the list may be of another height now.
                window().scroll_by_with_x_and_y(0.0, scroll + list.place.get_bounding_client_rect().top());
                list.draw_soon();
            });
        } else {
            self.load();
        }
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
        if self.gone.replace(true) {
            return;
        }
        let State { query, record, open, agents, cursor, scroll, .. } = self.state.take();
        // A grant's own history is short, and would take the place of the record that one came from.
        if !record.is_empty() && query.grant_id.is_none() {
            kept::keep(Kept { query, record, open, agents, cursor, scroll });
        }
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
        // A link leaves at once, perhaps before a frame has looked where the list is.
        self.state.borrow_mut().scroll = -self.place.get_bounding_client_rect().top();
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let Some(button) = target.and_then(|target| target.closest("[data-act]").ok().flatten()) else {
            return;
        };
        let act = button.get_attribute("data-act").unwrap_or_default();
        let Some(item) = button.closest("li").ok().flatten() else { return };
        let fresh = {
            let mut state = self.state.borrow_mut();
            let State { shown, open, record, all, agents, .. } = &mut *state;
            let Some(shown) = shown.iter_mut().find(|shown| shown.item.is_same_node(Some(&item))) else {
                return;
            };
            let Some(entry) = record.entry(shown.row) else { return };
            let at = open.iter().position(|(row, _)| *row == shown.row);
            let (_, mut now) = at.map(|at| open.swap_remove(at)).unwrap_or_default();
            if act == "details" {
                now.details = !now.details;
            } else {
                now.whole = !now.whole;
            }
            open.push((shown.row, now));
            let fresh = row::build(entry, Cast(all.as_deref(), agents), now);
            // It stays where it is, or the focus would take the view with it.
            style(&fresh, "top", &top_of(&shown.item));
            for name in ["aria-setsize", "aria-posinset"] {
                set(&fresh, name, &item.get_attribute(name).unwrap_or_default());
            }
            let _ = shown.item.replace_with_with_node_1(&fresh);
            shown.item = fresh.clone();
            fresh
        };
        // The button was replaced with its row: the focus goes to its successor.
        if let Ok(Some(button)) = fresh.query_selector(&format!("[data-act={act}]")) {
            // Not scrolled to: below a long text it may be far away.
            let options = FocusOptions::new();
            options.set_prevent_scroll(true);
            let _ = button.unchecked_into::<HtmlElement>().focus_with_options(&options);
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
            let begun =
                state.turn > 0 && (!state.record.is_empty() || state.cursor.is_some() || state.fruitless > 0);
            let ended = begun && state.cursor.is_none();
            let far = state.shown.last().map_or(0, |shown| shown.row);
            let enough = state.record.len() > far + AHEAD;
            if state.busy
                || state.halted
                || ended
                || enough
                || state.record.len() >= MAX_ROWS
                || self.gone.get()
            {
                return;
            }
            state.busy = true;
            let limit = if begun { PAGE } else { FIRST_PAGE };
            let query =
                ActivityQuery { cursor: state.cursor.clone(), limit: Some(limit), ..state.query.clone() };
            (query, state.turn)
        };
        self.tell(&Phase::Loading);
        let list = Rc::clone(self);
        spawn_local(async move {
            let answer = api::activity(&query).await;
            if list.gone.get() || list.state.borrow().turn != turn {
                return;
            }
            let phase = list.state.borrow_mut().take(answer);
            list.tell(&phase);
            list.draw_soon();
        });
    }

    fn tell(&self, phase: &Phase) {
        if !self.gone.get() {
            let rows = self.state.borrow().record.len();
            (self.told)(phase, rows);
        }
    }
}

impl State {
    fn take(&mut self, answer: Result<Rows, ApiError>) -> Phase {
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
        for agent in page.agents {
            if !self.agents.iter().any(|known| known.agent_id == agent.agent_id) {
                self.agents.push(agent);
            }
        }
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
}

fn top_of(item: &HtmlElement) -> String {
    item.style().get_property_value("top").unwrap_or_default()
}
