//! Light, dark, or as the system has it. `boot.js` sets what was chosen before the first picture.

use leptos::prelude::*;

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
pub fn ThemeChoice() -> impl IntoView {
    let chosen = RwSignal::new(store::theme().unwrap_or_default());
    view! {
        <fieldset class="choice">
            <legend>{text::THEME}</legend>
            <div class="segments">
                {THEMES
                    .into_iter()
                    .map(|(name, words)| {
                        view! {
                            <label>
                                <input
                                    type="radio"
                                    name="theme"
                                    value={name}
                                    prop:checked=move || chosen.get() == name
                                    on:change=move |_| {
                                        chosen.set(name.to_owned());
                                        store::set_theme(name);
                                        apply(name);
                                    }
                                />
                                <span>{words}</span>
                            </label>
                        }
                    })
                    .collect_view()}
            </div>
        </fieldset>
    }
}
