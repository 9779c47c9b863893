//! Names and pictures of apps, agents and providers.

use alter_api_types::wallet::{AgentCard, AppCard};
use leptos::prelude::*;

use super::plain::{el, say};
use crate::{brand, format};

/// How many colours of tiles `style/` has.
const TILES: u32 = 6;

/// Text that somebody outside chose, kept apart from the text around it, with what it hides made visible.
#[component]
pub fn Foreign(#[prop(into)] text: String) -> AnyView {
    say("bdi", "foreign", format::visible_line(&text))
}

/// An app's picture, or its initials on its colour. The name stands beside it, so it is not read out.
#[component]
pub fn Logo<'a>(app: &'a AppCard, #[prop(optional)] class: &'static str) -> AnyView {
    let initials = format::initials(&app.name);
    let (own, light, dark) = app_style(app);
    let tile = if own {
        "own".to_owned()
    } else {
        format!("tile-{}", crate::visible::slot(&app.app_id.to_string(), TILES))
    };
    let tile = el("span", &format!("tile logo {tile} {class}"))
        .set("aria-hidden", "true")
        .style("--brand-light", &light)
        .style("--brand-dark", &dark);
    let Some(picture) = brand::logo(&app.branding) else { return tile.text(&initials).view() };
    let place = tile.element();
    let picture = el("img", "").set("alt", "").set("decoding", "async").set("src", picture);
    let picture = picture.on("error", move |_| place.set_text_content(Some(&initials)));
    tile.add(picture.view()).view()
}

/// A provider's initials. There is no picture of it: one would have to be asked for elsewhere.
#[component]
pub fn ProviderMark<'a>(id: &'a str, name: &'a str) -> AnyView {
    let tile = el("span", &format!("tile provider tile-{}", crate::visible::slot(id, TILES)));
    tile.set("aria-hidden", "true").text(&format::initials(name)).view()
}

/// Whether an app has an accent, and the accent for light and dark grounds, for the properties `--brand-light` and
/// `--brand-dark`.
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
