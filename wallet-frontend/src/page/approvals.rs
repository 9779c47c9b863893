use leptos::prelude::*;

use crate::{text, ui::Head};

#[component]
pub fn Approvals() -> impl IntoView {
    view! { <Head title=text::approvals::TITLE /> }
}
