//! What the browser keeps: the id of the app that one last signed in with, and the theme. Nothing else, ever.

use leptos::prelude::window;
use web_sys::Storage;

const APP: &str = "wallet.app";
/// `boot.js` reads it too.
const THEME: &str = "wallet.theme";

pub fn app() -> Option<String> {
    get(APP)
}

pub fn set_app(id: &str) {
    set(APP, id);
}

pub fn theme() -> Option<String> {
    get(THEME).filter(|theme| matches!(theme.as_str(), "light" | "dark"))
}

/// An empty name is the system's theme.
pub fn set_theme(name: &str) {
    if name.is_empty() {
        if let Some(storage) = storage() {
            let _ = storage.remove_item(THEME);
        }
    } else {
        set(THEME, name);
    }
}

/// There may be none: people can forbid it. The Wallet works without.
fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

fn get(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

fn set(key: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(key, value);
    }
}
