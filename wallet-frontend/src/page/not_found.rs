use leptos::prelude::*;

use crate::{text, ui::Head};

#[component]
pub fn NotFound() -> impl IntoView {
    view! { <Head title=text::not_found::TITLE /> }
}
