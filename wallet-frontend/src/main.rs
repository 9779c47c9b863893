//! The Wallet's site, as it runs in the browser.
//!
//! Who calls it: `boot.js`, which loads it. What it may touch: the Wallet's API on its own origin, and nothing else; it
//! holds no token.

use leptos::prelude::*;
use leptos_router::{
    components::{Route, Router, Routes},
    path,
};

fn main() {
    leptos::mount::mount_to_body(Site);
}

#[component]
fn Site() -> impl IntoView {
    view! {
        <Router>
            <main>
                <Routes fallback=|| "Not found">
                    <Route path=path!("/") view=|| view! { <h1>"Wallet"</h1> } />
                </Routes>
            </main>
        </Router>
    }
}
