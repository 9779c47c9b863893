//! What of the list is in the page: rows and the days that they are of, each put at its place.

use std::sync::Arc;

use alter_api_types::wallet::{ActivityQuery, AgentCard, Overview};
use leptos::prelude::{document, window};
use web_sys::HtmlElement;

use super::{
    day::Day,
    dom::{add, el, px, say, set, style},
    record::{HEADING, Record, Run},
    row::{self, Open},
};
use crate::{format, page::names::Cast, text::record as text};

/// Rows are kept so far beyond the view, in CSS pixels.
const MARGIN: f64 = 700.0;
/// In one frame, at most so many rows are made that are not in view: a jump costs no more than what is seen of it.
const UNSEEN_A_FRAME: usize = 5;

/// What was loaded, and what of it is in the page.
#[derive(Default)]
pub struct State {
    pub record: Record,
    pub query: ActivityQuery,
    pub all: Option<Arc<Overview>>,
    /// The agents that occur in the record.
    pub agents: Vec<AgentCard>,
    pub today: Option<Day>,
    /// In the page now, by row.
    pub shown: Vec<Shown>,
    pub sections: Vec<Section>,
    /// What is unfolded: a few rows, if any.
    pub open: Vec<(usize, Open)>,
    pub cursor: Option<String>,
    /// Counts what was begun, so that answers to what was asked before are dropped.
    pub turn: u64,
    pub busy: bool,
    pub halted: bool,
    pub fruitless: u32,
    pub width: f64,
    /// How far the list was scrolled when it was last looked at: what of it was above the view.
    pub scroll: f64,
}

/// A row that is in the page now.
pub struct Shown {
    pub row: usize,
    pub item: HtmlElement,
}

/// A day that is in the page now.
pub struct Section {
    pub run: usize,
    pub section: HtmlElement,
    pub list: HtmlElement,
}

impl State {
    /// Puts what is in view into the page; `true` if corrections call for another look.
    pub fn draw(&mut self, place: &HtmlElement) -> bool {
        let bounds = place.get_bounding_client_rect();
        let tall = window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(800.0);
        let top = -bounds.top();
        self.scroll = top;
        let wanted = self.record.heights().window(top - MARGIN, top + tall + MARGIN);
        // What stands at the view's upper edge stays there.
        let anchor = (top > 0.0).then(|| self.record.heights().at(top));
        let before = anchor.map(|row| self.record.heights().before(row));

        let seen = self.record.heights().window(top, top + tall);
        let seen = if seen.is_empty() { wanted.start..wanted.start } else { seen };
        self.remove(&wanted);
        for row in seen.clone() {
            self.insert(row, place);
        }
        // What is not seen yet can wait for the next frame.
        let mut made = 0;
        for row in (seen.end..wanted.end).chain((wanted.start..seen.start).rev()) {
            if made < UNSEEN_A_FRAME {
                made += usize::from(self.insert(row, place));
            }
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
        moved || made == UNSEEN_A_FRAME
    }

    /// What is unfolded of a row.
    pub fn unfolded(&self, row: usize) -> Open {
        self.open.iter().find(|(known, _)| *known == row).map(|(_, open)| *open).unwrap_or_default()
    }

    /// Takes out what is no longer wanted, but not what has the focus.
    fn remove(&mut self, wanted: &std::ops::Range<usize>) {
        let focus = document().active_element();
        self.shown.retain(|shown| {
            let stays = wanted.contains(&shown.row)
                || focus.as_ref().is_some_and(|focus| shown.item.contains(Some(focus)));
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

    /// Whether it was not there before.
    fn insert(&mut self, row: usize, place: &HtmlElement) -> bool {
        let at = self.shown.partition_point(|shown| shown.row < row);
        if self.shown.get(at).is_some_and(|shown| shown.row == row) {
            return false;
        }
        let index = self.record.run_of(row);
        let (Some(entry), Some(run)) = (self.record.entry(row), self.record.run(index)) else { return false };
        let item = row::build(entry, Cast(self.all.as_deref(), &self.agents), self.unfolded(row));
        set(&item, "aria-posinset", &(row - run.first + 1).to_string());
        let next = self.shown.get(at).filter(|shown| self.record.run_of(shown.row) == index);
        let next = next.map(|shown| shown.item.clone());
        let list = self.section(index, run, place);
        let _ = list.insert_before(&item, next.as_deref().map(AsRef::as_ref));
        self.shown.insert(at, Shown { row, item });
        true
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
            let open = self.open.iter().any(|(row, open)| *row == shown.row && !open.is_closed());
            moved |= self.record.measured(shown.row, height, !open);
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
            let rows =
                self.shown.iter().filter(|shown| (run.first..run.first + run.count).contains(&shown.row));
            for shown in rows {
                set(&shown.item, "aria-setsize", &size);
                style(&shown.item, "top", &px(self.record.top(shown.row) - top - f64::from(HEADING)));
            }
        }
    }
}
