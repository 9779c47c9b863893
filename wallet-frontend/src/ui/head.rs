//! The heading of a page.

use std::cell::Cell;

use leptos::prelude::*;

use super::plain::{el, tag, watch};
use crate::text;

/// The page's one first heading. It names the browser's window and, when one came here from another page of the site, takes
/// the focus, so that a screen reader says where one is.
#[component]
pub fn Head(
    #[prop(into)] title: Signal<String>,
    /// What the window is called, where it is not the heading.
    #[prop(optional)]
    window: Option<&'static str>,
    #[prop(optional, into)] lede: Option<Signal<String>>,
    #[prop(optional)] children: Option<Children>,
) -> AnyView {
    let heading = el("h1", "").set("tabindex", "-1").says(move || title.get());
    watch(move || {
        let name = window.map_or_else(|| title.get(), ToOwned::to_owned);
        document().set_title(&text::title(&name));
    });
    let element = heading.element();
    watch(move || {
        if !FIRST.replace(false) {
            let _ = element.focus();
        }
    });
    let mut words = vec![heading.view()];
    words.extend(lede.map(|lede| el("p", "lede").says(move || lede.get()).view()));
    let mut parts = vec![tag("div", "head-words", words)];
    parts.extend(children.map(|children| tag("div", "head-side", vec![children()])));
    tag("div", "head", parts)
}

thread_local! {
    /// The first page leaves the focus where the browser puts it.
    static FIRST: Cell<bool> = const { Cell::new(true) };
}
