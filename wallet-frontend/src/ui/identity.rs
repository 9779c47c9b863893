//! Names and pictures of apps, agents and providers.

use alter_api_types::wallet::{AgentCard, AppCard};
use leptos::prelude::*;

use crate::{brand, format};

/// How many colours of tiles `style/` has.
const TILES: u32 = 6;

/// Text that somebody outside chose, kept apart from the text around it, with what it hides made visible.
#[component]
pub fn Foreign(#[prop(into)] text: String) -> impl IntoView {
    view! { <bdi class="foreign">{format::visible_line(&text)}</bdi> }
}

/// An app's picture, or its initials on its colour. The name stands beside it, so it is not read out.
#[component]
pub fn Logo<'a>(app: &'a AppCard, #[prop(optional)] class: &'static str) -> impl IntoView + use<> {
    let failed = RwSignal::new(false);
    let picture = brand::logo(&app.branding).map(str::to_owned);
    let initials = format::initials(&app.name);
    let (own, light, dark) = app_style(app);
    let tile = if own {
        "own".to_owned()
    } else {
        format!("tile-{}", crate::visible::slot(&app.app_id.to_string(), TILES))
    };
    view! {
        <span
            class={format!("tile logo {tile} {class}")}
            aria-hidden="true"
            style:--brand-light=light
            style:--brand-dark=dark
        >
            {move || match picture.clone().filter(|_| !failed.get()) {
                Some(src) => {
                    view! { <img src={src} alt="" decoding="async" on:error=move |_| failed.set(true) /> }.into_any()
                }
                None => initials.clone().into_any(),
            }}
        </span>
    }
}

/// A provider's initials. There is no picture of it: one would have to be asked for elsewhere.
#[component]
pub fn ProviderMark<'a>(id: &'a str, name: &'a str) -> impl IntoView + use<> {
    let class = format!("tile provider tile-{}", crate::visible::slot(id, TILES));
    view! { <span class={class} aria-hidden="true">{format::initials(name)}</span> }
}

/// Whether an app has an accent, and the accent for light and dark grounds, for `style:--brand-light` and `-dark`. Set through
/// the element's own interface, which the page's policy allows.
pub fn app_style(app: &AppCard) -> (bool, String, String) {
    brand::accent(&app.branding).map_or_else(
        || (false, "var(--accent-light)".to_owned(), "var(--accent-dark)".to_owned()),
        |accent| (true, accent.light, accent.dark),
    )
}

/// What people call an agent.
pub fn agent_name(agent: &AgentCard) -> String {
    format::visible_line(agent.display_name.as_deref().unwrap_or(&agent.name))
}
