//! An address that leads nowhere.

use leptos::prelude::*;

use crate::{text, ui::Head};

#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <Head title=text::not_found::TITLE lede=text::not_found::BODY />
        <p>
            <a class={"button primary"} href={"/"}>{text::not_found::HOME}</a>
        </p>
    }
}
