//! Dates, times and numbers as the person's region writes them, in the browser's time zone.

use alter_api_types::Timestamp;
use js_sys::{Array, Date, Function, Intl, Object, Reflect};
use wasm_bindgen::JsValue;

pub use crate::visible::{initials, visible, visible_line};
use crate::{
    span::{self, Left},
    text,
};

/// `22 Nov 2026`.
pub fn date(at: Timestamp) -> String {
    FORMATS.with(|it| call(&it.date, at))
}

/// `Sunday, 22 November 2026`, for headings.
pub fn long_date(at: Timestamp) -> String {
    FORMATS.with(|it| call(&it.long_date, at))
}

/// `22 Nov`, where the year goes without saying.
pub fn short_date(at: Timestamp) -> String {
    FORMATS.with(|it| call(&it.short_date, at))
}

/// `14:05`.
pub fn time(at: Timestamp) -> String {
    FORMATS.with(|it| call(&it.time, at))
}

/// `22 Nov 2026, 14:05`.
pub fn date_time(at: Timestamp) -> String {
    FORMATS.with(|it| call(&it.date_time, at))
}

/// To the second and with the zone's name: what stands in a `title`.
pub fn exact(at: Timestamp) -> String {
    FORMATS.with(|it| call(&it.exact, at))
}

/// `3 minutes ago`, `in 2 days`, `now`.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let (count, unit) = span::told(at.as_second() - now.as_second());
    // Past numbers that a double holds exactly there is nothing to tell.
    #[expect(clippy::cast_precision_loss, reason = "years since the epoch")]
    FORMATS.with(|it| String::from(it.relative.format(count as f64, unit)))
}

/// What is left until then: `3 days`, `5 h 12 min`, `4 min 09 s`; empty when it is over.
pub fn duration_until(at: Timestamp, now: Timestamp) -> String {
    text::left(Left::of(at.as_second() - now.as_second()))
}

/// `12,345`.
pub fn number(value: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let value = JsValue::from_f64(value as f64);
    FORMATS.with(|it| {
        it.number.call1(&JsValue::UNDEFINED, &value).ok().and_then(|it| it.as_string()).unwrap_or_default()
    })
}

/// The browser's clock.
pub fn browser_now() -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
    let ms = Date::now() as i64;
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

struct Formats {
    date: Function,
    long_date: Function,
    short_date: Function,
    time: Function,
    date_time: Function,
    exact: Function,
    number: Function,
    relative: Intl::RelativeTimeFormat,
}

thread_local! {
    static FORMATS: Formats = Formats::new();
}

impl Formats {
    fn new() -> Self {
        let languages = leptos::prelude::window().navigator().languages();
        let languages: Vec<String> = languages.iter().filter_map(|tag| tag.as_string()).collect();
        let locale = span::locale(text::LANGUAGE, languages.iter().map(String::as_str));
        let locales = Array::of1(&JsValue::from_str(&locale));
        let dates = |options: &[(&str, &str)]| Intl::DateTimeFormat::new(&locales, &object(options)).format();
        Self {
            date: dates(&[("year", "numeric"), ("month", "short"), ("day", "numeric")]),
            long_date: dates(&[
                ("year", "numeric"),
                ("month", "long"),
                ("day", "numeric"),
                ("weekday", "long"),
            ]),
            short_date: dates(&[("month", "short"), ("day", "numeric")]),
            time: dates(&[("hour", "2-digit"), ("minute", "2-digit")]),
            date_time: dates(&[("dateStyle", "medium"), ("timeStyle", "short")]),
            exact: dates(&[("dateStyle", "full"), ("timeStyle", "long")]),
            number: Intl::NumberFormat::new(&locales, &Object::new()).format(),
            relative: Intl::RelativeTimeFormat::new(&locales, &object(&[("numeric", "auto")])),
        }
    }
}

fn object(options: &[(&str, &str)]) -> Object {
    let object = Object::new();
    for (name, value) in options {
        let _ = Reflect::set(&object, &JsValue::from_str(name), &JsValue::from_str(value));
    }
    object
}

fn call(format: &Function, at: Timestamp) -> String {
    format.call1(&JsValue::UNDEFINED, &js_date(at)).ok().and_then(|it| it.as_string()).unwrap_or_default()
}

fn js_date(at: Timestamp) -> Date {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era")]
    Date::new(&JsValue::from_f64(at.as_millisecond() as f64))
}
