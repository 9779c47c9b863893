use leptos::prelude::*;

use crate::{text, ui::Head};

#[component]
pub fn Apps() -> impl IntoView {
    view! { <Head title=text::apps::TITLE /> }
}
