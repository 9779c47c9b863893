//! One row of the feed.

use web_sys::{Element, HtmlElement};

use super::{
    dom::{add, el, say, set},
    entry::{Entry, fold},
    words::{self, Tone},
};
use crate::{
    format,
    page::names::Cast,
    text::record::{self as text, fill},
    visible::{visible, visible_line},
};

/// Longer reasons and addresses are folded.
const LETTERS: usize = 240;
const LINES: usize = 4;

/// What the row shows beyond the usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Open {
    pub details: bool,
    pub whole: bool,
}

impl Open {
    pub fn is_closed(self) -> bool {
        !self.details && !self.whole
    }
}

/// Its buttons say by `data-act` what they do: `details` or `whole`.
pub fn build(entry: &Entry, cast: Cast<'_>, open: Open) -> HtmlElement {
    let tone = words::tone(entry);
    let row = el("li", "act");
    let _ = row.class_list().add_1(tone.class());
    set(&say(&row, "span", "act-sign", sign(tone)), "aria-hidden", "true");
    let main = el("div", "act-main");
    if entry.is_call() {
        call(&main, entry, cast);
    } else {
        say(&main, "p", "act-title", &words::event(entry, cast));
    }
    if let Some(reason) = entry.reason.as_deref() {
        said(&main, reason, open);
    } else if entry.is_call() {
        say(&main, "p", "act-none", text::NO_REASON);
    }
    if entry.is_call() {
        result(&main, entry, cast);
    }
    add(&row, &main);
    add(&row, &side(entry, cast, open));
    if open.details {
        add(&row, &details(entry));
    }
    row
}

fn call(main: &Element, entry: &Entry, cast: Cast<'_>) {
    let title = el("p", "act-title");
    say(&title, "bdi", "act-provider", &cast.provider(entry.provider.as_deref()));
    let by = el("span", "act-by");
    say(&by, "bdi", "", &cast.app(entry.app));
    if let Some(agent) = entry.agent() {
        say(&by, "span", "act-dot", "·");
        say(&by, "bdi", "", &fill(text::AGENT, &[("agent", &cast.agent(agent))]));
    }
    add(&title, &by);
    add(main, &title);
    let line = el("p", "act-call");
    say(&line, "code", "act-method", &visible_line(entry.method.as_deref().unwrap_or("?")));
    let address =
        format!("{}{}", entry.host.as_deref().unwrap_or_default(), entry.path.as_deref().unwrap_or_default());
    let address = if address.is_empty() { text::NO_ADDRESS.to_owned() } else { visible_line(&address) };
    let shown = match fold(&address, LETTERS, LINES) {
        Some(part) => format!("{part}…"),
        None => address,
    };
    let url = say(&line, "bdi", "act-url", &shown);
    set(&url, "dir", "ltr");
    add(main, &line);
}

/// The reason, word for word.
fn said(main: &Element, reason: &str, open: Open) {
    let quote = el("p", "act-reason");
    let part = fold(reason, LETTERS, LINES);
    match part.filter(|_| !open.whole) {
        Some(part) => say(&quote, "bdi", "", &format!("{}…", visible(part))),
        None => say(&quote, "bdi", "", &visible(reason)),
    };
    if part.is_some() {
        let words = if open.whole { text::SHOW_LESS } else { text::SHOW_ALL };
        button(&quote, "act-fold", words, "whole", open.whole);
    }
    add(main, &quote);
}

fn result(main: &Element, entry: &Entry, cast: Cast<'_>) {
    let line = el("p", "act-result");
    say(&line, "span", "act-outcome", &words::outcome(entry, cast));
    if let Some(status) = entry.status {
        say(&line, "span", "act-fact", &fill(text::HTTP, &[("status", &status.to_string())]));
    }
    if let Some(ms) = entry.latency_ms {
        say(&line, "span", "act-fact", &words::latency(ms));
    }
    add(main, &line);
}

fn side(entry: &Entry, cast: Cast<'_>, open: Open) -> HtmlElement {
    let side = el("div", "act-side");
    let shown = format::time(entry.at);
    let time = say(&side, "time", "act-time", &shown);
    set(&time, "datetime", &entry.at.to_string());
    let more = button(&side, "act-more", "", "details", open.details);
    let what = if entry.is_call() {
        format!(
            "{} {}",
            entry.method.as_deref().unwrap_or_default(),
            cast.provider(entry.provider.as_deref())
        )
    } else {
        words::event(entry, cast)
    };
    set(&more, "aria-label", &fill(text::DETAILS_OF, &[("what", &visible_line(&what)), ("time", &shown)]));
    side
}

fn details(entry: &Entry) -> HtmlElement {
    let list = el("dl", "act-details");
    let fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let pair = el("div", "");
            say(&pair, "dt", "", name);
            let value_place = el("dd", "");
            say(&value_place, "bdi", "", &value);
            add(&pair, &value_place);
            add(&list, &pair);
        }
    };
    fact(text::TIME, Some(format::exact(entry.at)));
    let address = || Some(format!("{}{}", entry.host.as_deref()?, entry.path.as_deref().unwrap_or_default()));
    fact(text::ADDRESS, address().map(|address| visible_line(&address)));
    fact(text::CODE, entry.code.as_deref().map(visible_line));
    fact(text::SENT, entry.sent.map(words::size));
    fact(text::RECEIVED, entry.received.map(words::size));
    fact(text::CALLER, entry.caller.as_deref().map(visible_line));
    fact(text::CONTEXT, entry.context.as_deref().map(visible));
    fact(text::LABEL, entry.label.as_deref().map(visible_line));
    fact(text::RECORD_ID, Some(entry.id.to_string()));
    if let Some(grant) = entry.grant {
        let link = say(&list, "a", "act-link", text::OPEN_GRANT);
        set(&link, "href", &format!("/grants/{grant}"));
        // A list of pairs holds pairs only.
        let pair = el("div", "");
        say(&pair, "dt", "", text::CONNECTION);
        let place = el("dd", "");
        add(&place, &link);
        add(&pair, &place);
        add(&list, &pair);
    }
    list
}

fn button(parent: &Element, class: &str, words: &str, act: &str, pressed: bool) -> HtmlElement {
    let button = say(parent, "button", class, words);
    set(&button, "type", "button");
    set(&button, "data-act", act);
    set(&button, "aria-expanded", if pressed { "true" } else { "false" });
    button
}

/// A shape for each tone: they are told apart without colour.
fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✓",
        Tone::Refused => "⊘",
        Tone::Failed => "!",
        Tone::Open => "…",
        Tone::Note => "•",
        Tone::Ended => "×",
    }
}
