//! A page with nothing on it but that it is there: how fast the Wallet could be at best.

use leptos::prelude::*;

fn main() {
    leptos::mount::mount_to_body(|| view! { <main><h1>"Blank"</h1></main> });
}
