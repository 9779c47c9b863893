use leptos::prelude::*;

use crate::{text, ui::Head};

#[component]
pub fn SignIn() -> impl IntoView {
    view! { <Head title=text::sign_in::TITLE /> }
}
