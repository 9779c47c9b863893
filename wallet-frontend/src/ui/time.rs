//! Times that stay right while one looks at them.

use alter_api_types::Timestamp;
use leptos::prelude::*;

use super::plain::{El, el};
use crate::{format, state::use_clock, text};

/// From here on a countdown shows what is left instead of the date.
const COUNTDOWN_SECONDS: i64 = 86_400;

/// `3 minutes ago`.
#[component]
pub fn Ago(at: Timestamp) -> AnyView {
    let clock = use_clock();
    time("", at).says(move || format::relative(at, clock.now())).view()
}

/// `22 Nov 2026`.
#[component]
pub fn Day(at: Timestamp) -> AnyView {
    time("", at).text(&format::date(at)).view()
}

/// `22 Nov 2026, 14:05`.
#[component]
pub fn Moment(at: Timestamp) -> AnyView {
    time("", at).text(&format::date_time(at)).view()
}

/// The date; on the last day what is left, to the second at the end. Not read out while it runs.
#[component]
pub fn Countdown(at: Timestamp) -> AnyView {
    let clock = use_clock();
    let left = move || at.as_second() - clock.second().as_second();
    let words = move || {
        if left() > COUNTDOWN_SECONDS {
            format::date(at)
        } else if left() > 0 {
            text::connections::left(&format::duration_until(at, clock.second()))
        } else {
            format::date_time(at)
        }
    };
    let soon = move || (1..=COUNTDOWN_SECONDS).contains(&left());
    time("countdown", at).class_while("soon", soon).says(words).view()
}

/// The moment as programs read it, and to the second in its `title`.
fn time(class: &str, at: Timestamp) -> El {
    el("time", class).set("datetime", &at.to_string()).set("title", &format::exact(at))
}
