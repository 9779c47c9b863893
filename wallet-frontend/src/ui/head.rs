//! The heading of a page.

use std::cell::Cell;

use leptos::{html, prelude::*};

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
) -> impl IntoView {
    let node = NodeRef::<html::H1>::new();
    Effect::new(move || {
        let name = window.map_or_else(|| title.get(), ToOwned::to_owned);
        document().set_title(&text::title(&name));
    });
    Effect::new(move || {
        if let Some(heading) = node.get()
            && !FIRST.replace(false)
        {
            let _ = heading.focus();
        }
    });
    view! {
        <div class="head">
            <div class="head-words">
                <h1 node_ref=node tabindex="-1">{move || title.get()}</h1>
                {lede.map(|lede| view! { <p class={"lede"}>{move || lede.get()}</p> })}
            </div>
            {children.map(|children| view! { <div class={"head-side"}>{children()}</div> })}
        </div>
    }
}

thread_local! {
    /// The first page leaves the focus where the browser puts it.
    static FIRST: Cell<bool> = const { Cell::new(true) };
}
