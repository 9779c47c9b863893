//! Light, dark, or as the system has it. `boot.js` sets what was chosen before the first picture.

use leptos::prelude::*;

use super::plain::{el, say, tag};
use crate::{store, text::frame as text};

const THEMES: [(&str, &str); 3] =
    [("", text::THEME_SYSTEM), ("light", text::THEME_LIGHT), ("dark", text::THEME_DARK)];

/// Shows the theme of that name; an empty name is the system's.
fn apply(name: &str) {
    if let Some(root) = document().document_element() {
        let _ = if name.is_empty() {
            root.remove_attribute("data-theme")
        } else {
            root.set_attribute("data-theme", name)
        };
    }
}

#[component]
pub fn ThemeChoice() -> AnyView {
    let chosen = store::theme().unwrap_or_default();
    let choices = THEMES.into_iter().map(|(name, words)| {
        let input = el("input", "").set("type", "radio").set("name", "theme").set("value", name);
        let input = input.property("checked", &(chosen == name).into()).on("change", move |_| {
            store::set_theme(name);
            apply(name);
        });
        tag("label", "", vec![input.view(), say("span", "", words)])
    });
    let choices = tag("div", "segments", choices.collect());
    tag("fieldset", "choice", vec![say("legend", "", text::THEME), choices])
}
