//! The chart of calls per day, drawn: bars for the eye, a readout for pointer and keyboard, a table for who prefers one.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use leptos::{prelude::AnyView, task::spawn_local};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlElement, KeyboardEvent};

use super::{
    change,
    chart::{Calendar, DAYS, MAX_ANSWERS, Sum, bars},
    day::Day,
    dom::{self, add, decimal, el, set, svg},
    filter::Filter,
    now,
};
use crate::{
    api, format,
    page::plain::{self, say, tag, words},
    text::record::{self as text, fill},
};

/// The bars' height in CSS pixels.
const HEIGHT: f64 = 96.0;
/// Above the bars, for half of the scale's number.
const ABOVE: f64 = 8.0;

/// It follows the filter, but for its days, its outcome and its kind; a day that is pressed becomes the filter's.
pub struct Plot {
    bars: HtmlElement,
    readout: HtmlElement,
    calendar: RefCell<Calendar>,
    asked: RefCell<Option<Filter>>,
    under_way: Cell<bool>,
    pointed: Cell<Option<usize>>,
    /// Counts what was asked, so that answers to what was asked before are dropped.
    run: Cell<u32>,
}

impl Plot {
    pub fn new() -> (AnyView, Rc<Self>) {
        let readout = plain::el("p", "plot-readout");
        let bars = plain::el("div", "plot-bars");
        let plot = Rc::new(Self {
            bars: bars.element(),
            readout: readout.element(),
            calendar: RefCell::new(Calendar::new(Day::of(format::browser_now()))),
            asked: RefCell::default(),
            under_way: Cell::new(true),
            pointed: Cell::default(),
            run: Cell::default(),
        });
        let bars = ["pointerover", "pointerleave", "focusin", "focusout", "click", "keydown"]
            .into_iter()
            .fold(bars, |bars, kind| {
                let plot = Rc::downgrade(&plot);
                bars.on(kind, move |event| {
                    if let Some(plot) = plot.upgrade() {
                        plot.happened(kind, &event);
                    }
                })
            });
        let head = vec![say("h2", "plot-title", text::CHART), readout.view()];
        let legend = vec![
            say("span", "plot-key good", ""),
            words(text::SUCCEEDED),
            say("span", "plot-key bad", ""),
            words(text::NOT_SUCCEEDED),
        ];
        let within = plain::el("div", "plot-scroll");
        let shown = Rc::downgrade(&plot);
        let table = plain::el("details", "plot-table")
            .on("toggle", move |event| tabulate_in(&shown, &event))
            .add(say("summary", "", text::AS_TABLE))
            .add(within.view());
        let foot = vec![tag("p", "plot-legend", legend), table.view()];
        let view = tag(
            "figure",
            "card plot",
            vec![tag("figcaption", "plot-head", head), bars.view(), tag("div", "plot-foot", foot)],
        );
        plot.draw();
        (view, plot)
    }

    pub fn ask(self: &Rc<Self>, filter: &Filter) {
        let asked = Filter { from: None, to: None, outcome: None, event: None, ..filter.clone() };
        if self.asked.borrow().as_ref() != Some(&asked) {
            self.asked.replace(Some(asked));
            self.count();
        }
    }

    /// Asks until all days are counted, or as often as is bearable.
    pub fn count(self: &Rc<Self>) {
        let mut calendar = Calendar::new(Day::of(format::browser_now()));
        let query = self.asked.borrow().as_ref().map(|filter| filter.query(Day::begins)).unwrap_or_default();
        let mut query = alter_api_types::wallet::ActivityQuery {
            since: calendar.first.begins(),
            event: Some("call".to_owned()),
            ..query
        };
        let mine = self.run.get() + 1;
        self.run.set(mine);
        self.under_way.set(true);
        self.say();
        let plot = Rc::downgrade(self);
        let still = move |plot: &Weak<Self>| plot.upgrade().filter(|plot| plot.run.get() == mine);
        spawn_local(async move {
            for _ in 0..MAX_ANSWERS {
                let answer = api::counts(&query).await;
                let Some(plot) = still(&plot) else { return };
                let Ok(answer) = answer else { break };
                calendar.add(&answer, day_at);
                plot.calendar.replace(calendar.clone());
                plot.draw();
                query.cursor = answer.next_cursor;
                if query.cursor.is_none() {
                    break;
                }
            }
            if let Some(plot) = still(&plot) {
                plot.calendar.replace(calendar);
                plot.under_way.set(false);
                plot.draw();
            }
        });
    }

    fn draw(&self) {
        draw(&self.bars, &self.calendar.borrow());
        self.say();
    }

    fn say(&self) {
        let calendar = self.calendar.borrow();
        let words = match self.pointed.get() {
            Some(day) => told(&calendar, day),
            None => overall(&calendar, self.under_way.get()),
        };
        self.readout.set_text_content(Some(&words));
    }

    fn happened(&self, kind: &str, event: &Event) {
        match kind {
            "pointerleave" | "focusout" => self.point(None),
            "pointerover" | "focusin" => self.point(day_of(event)),
            "click" => self.press(event),
            _ => {
                let key: &KeyboardEvent = event.unchecked_ref();
                if matches!(key.key().as_str(), "Enter" | " ") {
                    event.prevent_default();
                    self.press(event);
                } else {
                    walk(key);
                }
            }
        }
    }

    fn point(&self, day: Option<usize>) {
        if self.pointed.replace(day) != day {
            self.say();
        }
    }

    fn press(&self, event: &Event) {
        if let Some(day) = day_of(event) {
            let day = Some(self.calendar.borrow().day(day));
            change(false, &Filter { from: day, to: day, ..now() });
        }
    }
}

/// Fills the table when it is opened.
fn tabulate_in(plot: &Weak<Plot>, event: &Event) {
    let details = event.current_target().and_then(|details| details.dyn_into::<Element>().ok());
    let place = details.and_then(|details| details.query_selector(".plot-scroll").ok().flatten());
    if let (Some(plot), Some(place)) = (plot.upgrade(), place) {
        tabulate(&place, &plot.calendar.borrow());
    }
}

/// The day of an instant. Half hours come sorted, so that most are of the day of the one before: the calendar is asked once a
/// day.
fn day_at(at: alter_api_types::Timestamp) -> Day {
    thread_local! {
        static LAST: RefCell<Option<(i64, i64, Day)>> = const { RefCell::new(None) };
    }
    let second = at.as_second();
    let known = LAST.with_borrow(|last| last.filter(|(from, to, _)| (*from..*to).contains(&second)));
    if let Some((_, _, day)) = known {
        return day;
    }
    let day = Day::of(at);
    if let (Some(from), Some(to)) = (day.begins(), day.plus(1).begins()) {
        LAST.set(Some((from.as_second(), to.as_second(), day)));
    }
    day
}

fn draw(place: &HtmlElement, calendar: &Calendar) {
    // Redrawn as numbers come in: who stands on a bar goes on standing there.
    let held = leptos::prelude::document()
        .active_element()
        .filter(|it| place.contains(Some(it)))
        .and_then(|it| number(&it));
    let first =
        place.query_selector("[tabindex='0']").ok().flatten().and_then(|it| number(&it)).unwrap_or(DAYS - 1);
    place.set_text_content(None);
    let top = calendar.top();
    let drawing = svg("svg", "plot-drawing");
    set(&drawing, "role", "group");
    set(&drawing, "aria-label", text::CHART_LABEL);
    add(&drawing, &hatch());
    let scale = el("div", "plot-scale");
    set(&scale, "aria-hidden", "true");
    for (class, share, value) in [("", 1.0, top), ("half", 0.5, top / 2)] {
        let y = ABOVE + HEIGHT * (1.0 - share);
        let line = svg("line", "plot-line");
        for (name, at) in [("x1", "0"), ("x2", "100%")] {
            set(&line, name, at);
        }
        for name in ["y1", "y2"] {
            set(&line, name, &decimal(y, 1));
        }
        add(&drawing, &line);
        dom::say(&scale, "span", class, &format::number(u64::from(value)));
    }
    add(place, &scale);
    for (index, sum) in calendar.sums.iter().enumerate() {
        add(&drawing, &bar(calendar, index, *sum, top, index == held.unwrap_or(first)));
    }
    add(place, &drawing);
    let axis = el("div", "plot-axis");
    set(&axis, "aria-hidden", "true");
    for index in [0, DAYS / 2, DAYS - 1] {
        let day = calendar.day(index).noon().map(format::short_date).unwrap_or_default();
        dom::say(&axis, "span", "", if index == DAYS - 1 { text::TODAY } else { &day });
    }
    add(place, &axis);
    if let Some(held) = held {
        focus(place, held);
    }
}

fn bar(calendar: &Calendar, index: usize, sum: Sum, top: u32, reachable: bool) -> Element {
    let group = svg("g", "plot-day");
    set(&group, "role", "button");
    set(&group, "tabindex", if reachable { "0" } else { "-1" });
    set(&group, "data-day", &index.to_string());
    set(&group, "aria-label", &fill(text::SHOW_DAY, &[("day", &told(calendar, index))]));
    let width = 100.0 / DAYS as f64;
    let left = width * index as f64;
    let rect = |class: &str, inset: f64, y: f64, height: f64| {
        let rect = svg("rect", class);
        set(&rect, "x", &format!("{}%", decimal(left + width * inset, 3)));
        set(&rect, "width", &format!("{}%", decimal(width * (1.0 - 2.0 * inset), 3)));
        set(&rect, "y", &decimal(y, 1));
        set(&rect, "height", &decimal(height, 1));
        add(&group, &rect);
    };
    rect("plot-hit", 0.0, ABOVE, HEIGHT);
    if !calendar.is_known(index) {
        rect("plot-unknown", 0.18, ABOVE + HEIGHT - 8.0, 8.0);
    }
    let (good, bad) = bars(sum, top, HEIGHT);
    rect("plot-good", 0.18, ABOVE + HEIGHT - good, good);
    rect("plot-bad", 0.18, ABOVE + HEIGHT - good - bad, bad);
    group
}

/// Stripes, by which failures are told apart without colour.
fn hatch() -> Element {
    let defs = svg("defs", "");
    for (id, class) in [("plot-stripes", "plot-stripe"), ("plot-dots", "plot-dotted")] {
        let pattern = svg("pattern", "");
        for (name, value) in [
            ("id", id),
            ("width", "5"),
            ("height", "5"),
            ("patternUnits", "userSpaceOnUse"),
            ("patternTransform", "rotate(45)"),
        ] {
            set(&pattern, name, value);
        }
        for (part, width) in [("plot-ground", "5"), (class, "2")] {
            let rect = svg("rect", part);
            set(&rect, "width", width);
            set(&rect, "height", "5");
            add(&pattern, &rect);
        }
        add(&defs, &pattern);
    }
    defs
}

/// `9 March: 12 calls, 2 did not succeed`.
fn told(calendar: &Calendar, index: usize) -> String {
    let day = calendar.day(index).noon().map(format::long_date).unwrap_or_default();
    let sum = calendar.sums.get(index).copied().unwrap_or_default();
    let known = calendar.is_known(index);
    let words = if known || sum.calls > 0 { calls(sum) } else { text::NOT_COUNTED.to_owned() };
    let template = if !known && sum.calls > 0 { text::DAY_PARTLY } else { text::DAY_WHOLE };
    fill(template, &[("day", &day), ("calls", &words)])
}

fn overall(calendar: &Calendar, under_way: bool) -> String {
    let words = calls(calendar.total());
    if under_way {
        return fill(text::COUNTING, &[("calls", &words)]);
    }
    if calendar.is_whole() {
        return fill(text::COUNTED, &[("calls", &words)]);
    }
    match calendar.known_from.and_then(Day::noon) {
        Some(from) => fill(text::COUNTED_SINCE, &[("calls", &words), ("day", &format::date(from))]),
        None => text::NOT_COUNTED_ANY.to_owned(),
    }
}

fn calls(sum: Sum) -> String {
    let all = crate::text::count(sum.calls as usize, text::CALL, text::CALLS);
    if sum.failed == 0 {
        return all;
    }
    fill(text::CALLS_FAILED, &[("calls", &all), ("failed", &format::number(u64::from(sum.failed)))])
}

fn tabulate(place: &Element, calendar: &Calendar) {
    place.set_text_content(None);
    let table = el("table", "");
    let head = el("tr", "");
    for name in [text::DAY, text::ALL_CALLS, text::NOT_SUCCEEDED] {
        set(&dom::say(&head, "th", "", name), "scope", "col");
    }
    add(&table, &head);
    for index in (0..DAYS).rev() {
        let row = el("tr", "");
        let day = calendar.day(index).noon().map(format::date).unwrap_or_default();
        set(&dom::say(&row, "th", "", &day), "scope", "row");
        let sum = calendar.sums.get(index).copied().unwrap_or_default();
        let cell = |count: u32| match (calendar.is_known(index), count) {
            (true, count) => format::number(u64::from(count)),
            (false, 0) => text::NOT_COUNTED.to_owned(),
            (false, count) => fill(text::AT_LEAST, &[("n", &format::number(u64::from(count)))]),
        };
        dom::say(&row, "td", "", &cell(sum.calls));
        dom::say(&row, "td", "", &cell(sum.failed));
        add(&table, &row);
    }
    add(place, &table);
}

/// The day that an event is about.
fn day_of(event: &Event) -> Option<usize> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    number(&target.closest("[data-day]").ok().flatten()?)
}

fn number(bar: &Element) -> Option<usize> {
    bar.get_attribute("data-day")?.parse().ok()
}

/// Arrow keys go from day to day; Tab goes past the chart.
fn walk(event: &KeyboardEvent) {
    let Some(day) = day_of(event) else { return };
    let next = match event.key().as_str() {
        "ArrowLeft" => day.saturating_sub(1),
        "ArrowRight" => (day + 1).min(DAYS - 1),
        "Home" => 0,
        "End" => DAYS - 1,
        _ => return,
    };
    event.prevent_default();
    let place = event.current_target().and_then(|place| place.dyn_into::<HtmlElement>().ok());
    if let Some(place) = place {
        if let Ok(Some(old)) = place.query_selector("[tabindex='0']") {
            set(&old, "tabindex", "-1");
        }
        focus(&place, next);
    }
}

fn focus(place: &HtmlElement, day: usize) {
    if let Ok(Some(bar)) = place.query_selector(&format!("[data-day='{day}']")) {
        set(&bar, "tabindex", "0");
        // An element of SVG takes the focus as one of HTML does.
        let _ = bar.unchecked_into::<HtmlElement>().focus();
    }
}
