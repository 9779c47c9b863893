//! A question that has to be answered before anything else.

use std::sync::atomic::{AtomicU32, Ordering};

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use web_sys::HtmlDialogElement;

use super::plain::{el, live, nothing, tag, watch};

/// The browser's own dialog: it holds the focus, gives it back, and closes on Escape. Its content is made each time anew.
#[component]
pub fn Dialog(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    /// It stays, whatever is pressed: something is under way.
    #[prop(optional, into)]
    locked: Signal<bool>,
    children: ChildrenFn,
) -> AnyView {
    let id = next_id();
    let dialog = el("dialog", "dialog").set("aria-labelledby", &id);
    let element: HtmlDialogElement = dialog.element().unchecked_into();
    let own = element.clone();
    watch(move || {
        let is_open = open.get();
        if is_open && !element.open() {
            let _ = element.show_modal();
        } else if !is_open && element.open() {
            element.close();
        }
    });
    let content = live(move || {
        if !open.get() {
            return nothing();
        }
        let heading = el("h2", "").set("id", &id).says(move || title.get());
        tag("div", "dialog-body", vec![heading.view(), children()])
    });
    dialog
        .on("close", move |_| {
            open.try_set(false);
        })
        .on("cancel", move |event| {
            if locked.get_untracked() {
                event.prevent_default();
            }
        })
        .on("click", move |event| {
            let outside = event.target().is_some_and(|target| js_sys::Object::is(&target, &own));
            if outside && !locked.get_untracked() {
                open.set(false);
            }
        })
        .add(content)
        .view()
}

/// An id that no other element has.
pub fn next_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("id-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
