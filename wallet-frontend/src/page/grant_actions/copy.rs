//! An id, with a button that copies it.

use js_sys::Reflect;
use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Element;

use crate::{page::plain::el, text::grant as words, ui::Kind};

/// Where the browser does not let the page copy, it selects the id, so that the keyboard's own copy takes it.
pub fn copy_id(id: &str) -> AnyView {
    let said = RwSignal::new(String::new());
    let code = el("code", "copy-id").text(id).view();
    let button = el("button", Kind::Text.class())
        .set("type", "button")
        .set("aria-label", words::COPY_ID)
        .text(words::COPY)
        .on("click", move |event| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let code = target.and_then(|it| it.closest(".copy").ok()??.query_selector(".copy-id").ok()?);
            if let Some(code) = code {
                spawn_local(copy(code, said));
            }
        });
    let status = el("span", "copy-said").set("role", "status").says(move || said.get());
    el("span", "copy").add(code).add(button.view()).add(status.view()).view()
}

async fn copy(code: Element, said: RwSignal<String>) {
    let done = write(&code.text_content().unwrap_or_default()).await;
    if !done {
        select(&code);
    }
    said.try_set(if done { words::COPIED } else { words::SELECTED }.to_owned());
}

async fn write(text: &str) -> bool {
    let navigator = window().navigator();
    // Absent where the page does not come over https.
    let there = Reflect::get(&navigator, &JsValue::from_str("clipboard"))
        .is_ok_and(|clipboard| clipboard.is_object());
    there && JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

fn select(place: &Element) {
    if let Ok(Some(selection)) = window().get_selection() {
        let _ = selection.select_all_children(place);
    }
}
