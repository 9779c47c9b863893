//! A question that has to be answered before anything else.

use std::sync::atomic::{AtomicU32, Ordering};

use leptos::{html, prelude::*};

/// The browser's own dialog: it holds the focus, gives it back, and closes on Escape. Its content is made each time anew.
#[component]
pub fn Dialog(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    /// It stays, whatever is pressed: something is under way.
    #[prop(optional, into)]
    locked: Signal<bool>,
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    let id = next_id();
    let heading = id.clone();
    Effect::new(move || {
        let (Some(dialog), open) = (node.get(), open.get()) else { return };
        if open && !dialog.open() {
            let _ = dialog.show_modal();
        } else if !open && dialog.open() {
            dialog.close();
        }
    });
    view! {
        <dialog
            node_ref=node
            class="dialog"
            aria-labelledby={id}
            on:close=move |_| open.set(false)
            on:cancel=move |event: leptos::ev::Event| {
                if locked.get_untracked() {
                    event.prevent_default();
                }
            }
            on:click=move |event| {
                let outside = node.get_untracked().is_some_and(|dialog| {
                    event.target().is_some_and(|target| js_sys::Object::is(&target, &dialog))
                });
                if outside && !locked.get_untracked() {
                    open.set(false);
                }
            }
        >
            <Show when=move || open.get()>
                <div class="dialog-body">
                    <h2 id={heading.clone()}>{move || title.get()}</h2>
                    {children()}
                </div>
            </Show>
        </dialog>
    }
}

/// An id that no other element has.
pub fn next_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("id-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
