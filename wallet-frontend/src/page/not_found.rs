//! An address that leads nowhere.

use leptos::prelude::*;

use super::plain::{link, tag, words};
use crate::{text, ui::Head};

#[component]
pub fn NotFound() -> AnyView {
    let head = view! { <Head title=text::not_found::TITLE lede=text::not_found::BODY /> }.into_any();
    let home = link("button primary", "/", vec![words(text::not_found::HOME)]);
    vec![head, tag("p", "", vec![home])].into_any()
}
