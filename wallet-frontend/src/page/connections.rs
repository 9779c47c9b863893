use leptos::prelude::*;

use crate::{text, ui::Head};

#[component]
pub fn Connections() -> impl IntoView {
    view! { <Head title=text::connections::TITLE /> }
}
