//! The Wallet's site, as it runs in the browser: what has access to a person's data, what it did, and one click to end it.
//!
//! Who calls it: `boot.js`, which loads it. What it may touch: the Wallet's API on its own origin, and nothing else; it
//! holds no token. Texts from outside are shown as text: no markup is ever made of a string.

#![allow(unreachable_pub, reason = "a program: `pub` says what its other modules may use")]
#![allow(clippy::needless_pass_by_value, reason = "a component owns what it shows")]

mod api;
mod brand;
mod format;
mod holdings;
mod json;
mod later;
mod page;
mod query;
mod route;
mod span;
mod state;
mod store;
mod text;
mod ui;
mod visible;
mod wire;

use leptos::prelude::*;
use route::Page;
use ui::Frame;

fn main() {
    // What the page showed while this was on its way.
    if let Some(waiting) = document().get_element_by_id("boot") {
        waiting.remove();
    }
    leptos::mount::mount_to_body(Site);
}

#[component]
fn Site() -> impl IntoView {
    // Before the router: it shows the page within the event that this listens to.
    page::watch_history();
    route::provide();
    state::provide();
    let page = route::page();
    view! {
        <Frame>
            {move || match page.get() {
                Page::Apps => view! { <page::Apps /> }.into_any(),
                Page::Connections => view! { <later::Connections /> }.into_any(),
                Page::Activity => view! { <later::Activity /> }.into_any(),
                Page::Approvals => view! { <later::Approvals /> }.into_any(),
                Page::Grant => view! { <later::Grant /> }.into_any(),
                Page::SignIn => view! { <page::SignIn /> }.into_any(),
                Page::None => view! { <page::NotFound /> }.into_any(),
            }}
        </Frame>
    }
}
