//! Short messages about what was just done, also read out.

use std::time::Duration;

use leptos::prelude::*;

use super::{
    Icon, Shape, Tone,
    plain::{el, nothing, say},
};
use crate::text;

/// For how long a message stays that nobody has to act on.
const STAYS: Duration = Duration::from_secs(7);

#[derive(Clone, Copy)]
pub struct Toasts(RwSignal<Vec<Toast>>);

#[derive(Clone)]
struct Toast {
    id: u32,
    tone: Tone,
    words: String,
}

impl Toasts {
    /// What was done.
    pub fn good(self, words: impl Into<String>) {
        let id = self.add(Tone::Good, words.into());
        set_timeout(move || self.remove(id), STAYS);
    }

    /// What did not work; it stays until it is closed.
    pub fn bad(self, words: impl Into<String>) {
        self.add(Tone::Bad, words.into());
    }

    fn add(self, tone: Tone, words: String) -> u32 {
        let mut id = 0;
        self.0.update(|toasts| {
            id = toasts.last().map_or(0, |last| last.id.wrapping_add(1));
            toasts.push(Toast { id, tone, words });
        });
        id
    }

    fn remove(self, id: u32) {
        self.0.update(|toasts| toasts.retain(|toast| toast.id != id));
    }
}

pub fn use_toast() -> Toasts {
    expect_context()
}

/// Once, by the site.
pub fn provide() -> Toasts {
    let toasts = Toasts(RwSignal::new(Vec::new()));
    provide_context(toasts);
    toasts
}

/// Where they are shown. It is there before the first, or that one would not be read out.
#[component]
pub fn ToastList(toasts: Toasts) -> AnyView {
    let keys = move || toasts.0.with(|toasts| toasts.iter().map(|toast| toast.id.to_string()).collect());
    let make = move |key: &str| {
        let found = toasts.0.with(|toasts| toasts.iter().find(|toast| toast.id.to_string() == key).cloned());
        found.map_or_else(nothing, |toast| shown(toasts, toast))
    };
    el("div", "toasts").set("role", "status").set("aria-live", "polite").each(keys, make).view()
}

fn shown(toasts: Toasts, toast: Toast) -> AnyView {
    let shape = if toast.tone == Tone::Bad { Shape::Alert } else { Shape::Check };
    let close = el("button", "close")
        .set("type", "button")
        .set("aria-label", text::common::CLOSE)
        .on("click", move |_| toasts.remove(toast.id))
        .add(view! { <Icon shape=Shape::Close /> }.into_any());
    let parts = vec![view! { <Icon shape /> }.into_any(), say("p", "", toast.words), close.view()];
    el("div", &format!("toast {}", toast.tone.class())).all(parts).view()
}
