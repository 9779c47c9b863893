//! Times that stay right while one looks at them.

use alter_api_types::Timestamp;
use leptos::prelude::*;

use crate::{format, state::use_clock, text};

/// From here on a countdown shows what is left instead of the date.
const COUNTDOWN_SECONDS: i64 = 86_400;

/// `3 minutes ago`.
#[component]
pub fn Ago(at: Timestamp) -> impl IntoView {
    let clock = use_clock();
    view! {
        <time datetime={at.to_string()} title={format::exact(at)}>
            {move || format::relative(at, clock.now())}
        </time>
    }
}

/// `22 Nov 2026`.
#[component]
pub fn Day(at: Timestamp) -> impl IntoView {
    view! { <time datetime={at.to_string()} title={format::exact(at)}>{format::date(at)}</time> }
}

/// `22 Nov 2026, 14:05`.
#[component]
pub fn Moment(at: Timestamp) -> impl IntoView {
    view! { <time datetime={at.to_string()} title={format::exact(at)}>{format::date_time(at)}</time> }
}

/// The date; on the last day what is left, to the second at the end. Not read out while it runs.
#[component]
pub fn Countdown(at: Timestamp) -> impl IntoView {
    let clock = use_clock();
    let left = move || at.as_second() - clock.second().as_second();
    let words = Memo::new(move |_| {
        if left() > COUNTDOWN_SECONDS {
            format::date(at)
        } else if left() > 0 {
            text::connections::left(&format::duration_until(at, clock.second()))
        } else {
            format::date_time(at)
        }
    });
    let soon = Memo::new(move |_| (1..=COUNTDOWN_SECONDS).contains(&left()));
    view! {
        <time class="countdown" class:soon=soon datetime={at.to_string()} title={format::exact(at)}>
            {move || words.get()}
        </time>
    }
}
