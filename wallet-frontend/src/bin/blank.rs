//! A page with nothing on it but that it is there: how fast the Wallet could be at best.

use leptos::{html, prelude::*};

fn main() {
    // Not by `view!`: what never changes it would write as markup, which the pages' policy refuses.
    leptos::mount::mount_to_body(|| html::main().child(html::h1().child("Blank")));
}
