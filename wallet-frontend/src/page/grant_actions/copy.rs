//! An id, with a button that copies it.

use js_sys::Reflect;
use leptos::{html, prelude::*, task::spawn_local};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::{
    text::grant as words,
    ui::{Button, Kind},
};

/// Where the browser does not let the page copy, it selects the id, so that the keyboard's own copy takes it.
#[component]
pub fn CopyId(#[prop(into)] id: String) -> impl IntoView {
    let place = NodeRef::<html::Code>::new();
    let said = RwSignal::new("");
    let text = id.clone();
    let copy = Callback::new(move |()| {
        let text = text.clone();
        spawn_local(async move {
            let done = write(&text).await;
            if !done && let Some(place) = place.get_untracked() {
                select(&place);
            }
            said.try_set(if done { words::COPIED } else { words::SELECTED });
        });
    });
    view! {
        <span class="copy">
            <code class="copy-id" node_ref=place>{id}</code>
            <Button kind=Kind::Text label={words::COPY_ID} on_press=copy>{words::COPY}</Button>
            <span class="copy-said" role="status">{move || said.get()}</span>
        </span>
    }
}

async fn write(text: &str) -> bool {
    let navigator = window().navigator();
    // Absent where the page does not come over https.
    let there = Reflect::get(&navigator, &JsValue::from_str("clipboard"))
        .is_ok_and(|clipboard| clipboard.is_object());
    there && JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

fn select(place: &web_sys::HtmlElement) {
    if let Ok(Some(selection)) = window().get_selection() {
        let _ = selection.select_all_children(place);
    }
}
