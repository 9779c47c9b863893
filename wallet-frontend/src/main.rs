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
mod page;
mod query;
mod span;
mod state;
mod store;
mod text;
mod ui;
mod visible;

use leptos::prelude::*;
use leptos_router::{
    components::{FlatRoutes, Route, Router},
    path,
};
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
    state::provide();
    page::watch_history();
    view! {
        <Router>
            <Frame>
                <FlatRoutes fallback=page::NotFound>
                    <Route path=path!("/") view=page::Apps />
                    <Route path=path!("/connections") view=page::Connections />
                    <Route path=path!("/activity") view=page::Activity />
                    <Route path=path!("/approvals") view=page::Approvals />
                    <Route path=path!("/grants/:id") view=page::Grant />
                    <Route path=path!("/sign-in") view=page::SignIn />
                </FlatRoutes>
            </Frame>
        </Router>
    }
}
