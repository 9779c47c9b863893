//! Buttons and badges.

use alter_api_types::{portal::GrantStatus, wallet::GrantCard};
use leptos::prelude::*;

use super::plain::el;
use crate::text;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// What one came for; one on a page.
    Primary,
    #[default]
    Quiet,
    /// Ends something.
    Danger,
    /// Words that can be pressed.
    Text,
}

impl Kind {
    pub fn class(self) -> &'static str {
        match self {
            Kind::Primary => "button primary",
            Kind::Quiet => "button quiet",
            Kind::Danger => "button danger",
            Kind::Text => "button text",
        }
    }
}

/// While it is busy it keeps its place and the focus, and does nothing.
#[component]
pub fn Button(
    #[prop(optional)] kind: Kind,
    #[prop(into)] on_press: Callback<()>,
    #[prop(optional, into)] busy: Signal<bool>,
    #[prop(optional, into)] disabled: Signal<bool>,
    #[prop(optional, into)] label: Option<String>,
    children: Children,
) -> AnyView {
    let set = |on: bool| on.then(|| "true".to_owned());
    let mut button = el("button", kind.class()).set("type", "button");
    if let Some(label) = label {
        button = button.set("aria-label", &label);
    }
    button
        .tells("aria-busy", move || set(busy.get()))
        .tells("aria-disabled", move || set(busy.get() || disabled.get()))
        .on("click", move |_| {
            if !busy.get_untracked() && !disabled.get_untracked() {
                on_press.run(());
            }
        })
        .add(children())
        .view()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Warn,
    Bad,
}

impl Tone {
    pub fn class(self) -> &'static str {
        match self {
            Tone::Plain => "plain",
            Tone::Good => "good",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
        }
    }
}

/// A word or two about a state. The words say it; the colour only helps.
#[component]
pub fn Badge(#[prop(optional)] tone: Tone, #[prop(into)] text: String) -> AnyView {
    badge(tone, &text)
}

fn badge(tone: Tone, words: &str) -> AnyView {
    el("span", &format!("badge {}", tone.class())).text(words).view()
}

/// How a grant stands.
#[component]
pub fn Status<'a>(grant: &'a GrantCard) -> AnyView {
    let (tone, words) = match grant.status {
        GrantStatus::Revoked => (Tone::Plain, text::status::REVOKED),
        GrantStatus::Expired => (Tone::Plain, text::status::EXPIRED),
        GrantStatus::Active if grant.reconnect.is_some() => (Tone::Warn, text::status::RECONNECT),
        GrantStatus::Active => (Tone::Good, text::status::ACTIVE),
    };
    badge(tone, words)
}
