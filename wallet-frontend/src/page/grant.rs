//! One grant, with its history.

use leptos::prelude::*;

use crate::{text, ui::Head};

#[component]
pub fn Grant() -> impl IntoView {
    view! { <Head title=text::frame::CONNECTIONS /> }
}
