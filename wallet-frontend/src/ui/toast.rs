//! Short messages about what was just done, also read out.

use std::time::Duration;

use leptos::prelude::*;

use super::{Icon, Shape, Tone};
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
pub fn ToastList(toasts: Toasts) -> impl IntoView {
    view! {
        <div class="toasts" role="status" aria-live="polite">
            <For each=move || toasts.0.get() key=|toast| toast.id let:toast>
                <div class={format!("toast {}", toast.tone.class())}>
                    <Icon shape={if toast.tone == Tone::Bad { Shape::Alert } else { Shape::Check }} />
                    <p>{toast.words}</p>
                    <button
                        type="button"
                        class="close"
                        aria-label={text::common::CLOSE}
                        on:click=move |_| toasts.remove(toast.id)
                    >
                        <Icon shape=Shape::Close />
                    </button>
                </div>
            </For>
        </div>
    }
}
