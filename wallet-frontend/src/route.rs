//! Which page is shown: the address says it, and links and the browser's history change it without loading the site anew.

use std::cell::OnceCell;

use alter_api_types::GrantId;
use leptos::{ev, prelude::*};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{MouseEvent, UrlSearchParams};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    Apps,
    Connections,
    Activity,
    Approvals,
    Grant,
    SignIn,
    /// There is no such page.
    None,
}

/// How the address changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To another page, at its top; going back leads here.
    Page,
    /// The same page shows something else, at the same place; going back leads here.
    Within,
    /// As `Within`, and going back leads past it.
    Instead,
    /// As `Page`, and going back leads past it.
    Away,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    path: String,
    /// With its question mark, where there is one.
    query: String,
}

thread_local! {
    static ADDRESS: OnceCell<RwSignal<Address>> = const { OnceCell::new() };
}

/// Once, under the owner of the whole site.
pub fn provide() {
    let address = RwSignal::new(present());
    ADDRESS.with(|known| known.set(address).ok());
    // For as long as the site is open.
    std::mem::forget(window_event_listener(ev::popstate, move |_| address.set(present())));
    std::mem::forget(window_event_listener(ev::click, follow));
}

/// The path of the address.
pub fn path() -> Memo<String> {
    let address = address();
    Memo::new(move |_| address.with(|address| address.path.clone()))
}

/// The page of the address.
pub fn page() -> Memo<Page> {
    let address = address();
    Memo::new(move |_| address.with(|address| Page::of(&address.path)))
}

/// The grant that the address names.
pub fn grant() -> Memo<Option<GrantId>> {
    let address = address();
    Memo::new(move |_| {
        address.with(|address| address.path.strip_prefix(GRANTS)?.trim_end_matches('/').parse().ok())
    })
}

/// A part of the address's query; whoever reads it is told of changes.
pub fn query(name: &str) -> Option<String> {
    address().with(|address| UrlSearchParams::new_with_str(&address.query).ok()?.get(name))
}

/// Goes to an address of the site's own.
pub fn go(to: &str, step: Step) {
    let Ok(history) = window().history() else { return };
    let changed = match step {
        Step::Page | Step::Within => history.push_state_with_url(&JsValue::NULL, "", Some(to)),
        Step::Instead | Step::Away => history.replace_state_with_url(&JsValue::NULL, "", Some(to)),
    };
    if changed.is_err() {
        return;
    }
    address().set(present());
    if matches!(step, Step::Page | Step::Away) {
        window().scroll_to_with_x_and_y(0.0, 0.0);
    }
}

const GRANTS: &str = "/grants/";

impl Page {
    pub fn of(path: &str) -> Self {
        match path.strip_suffix('/').unwrap_or(path) {
            "" => Self::Apps,
            "/connections" => Self::Connections,
            "/activity" => Self::Activity,
            "/approvals" => Self::Approvals,
            "/sign-in" => Self::SignIn,
            path => match path.strip_prefix(GRANTS) {
                Some(id) if !id.is_empty() && !id.contains('/') => Self::Grant,
                _ => Self::None,
            },
        }
    }
}

fn address() -> RwSignal<Address> {
    ADDRESS.with(|known| *known.get_or_init(|| RwSignal::new(present())))
}

fn present() -> Address {
    let location = window().location();
    Address { path: location.pathname().unwrap_or_default(), query: location.search().unwrap_or_default() }
}

/// A plain click on a link to a page of the site's; all else is the browser's.
fn follow(event: MouseEvent) {
    let held = event.meta_key() || event.ctrl_key() || event.shift_key() || event.alt_key();
    if event.default_prevented() || event.button() != 0 || held {
        return;
    }
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let Some(link) = target.and_then(|target| target.closest("a[href]").ok().flatten()) else { return };
    // As it was written: the site's own links are paths.
    let Some(to) = link.get_attribute("href").filter(|to| to.starts_with('/') && !to.starts_with("//"))
    else {
        return;
    };
    let elsewhere = ["target", "download"].iter().any(|name| link.has_attribute(name));
    let path = to.split(['?', '#']).next().unwrap_or_default();
    if elsewhere || Page::of(path) == Page::None {
        return;
    }
    event.prevent_default();
    let here = present();
    // The page that is shown already: a second entry of the history would lead nowhere.
    let step = if to == format!("{}{}", here.path, here.query) { Step::Away } else { Step::Page };
    go(&to, step);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_page() {
        for (path, page) in [
            ("", Page::Apps),
            ("/", Page::Apps),
            ("/connections", Page::Connections),
            ("/connections/", Page::Connections),
            ("/activity", Page::Activity),
            ("/approvals", Page::Approvals),
            ("/sign-in", Page::SignIn),
            ("/grants/01a204e9-3faa-75dc-9ab4-5b25db772680", Page::Grant),
            ("/grants/x", Page::Grant),
            ("/grants/", Page::None),
            ("/grants/x/y", Page::None),
            ("/api/auth/sign-in", Page::None),
            ("/wallet/api/activity/export", Page::None),
            ("//connections", Page::None),
            ("/Connections", Page::None),
        ] {
            assert_eq!(Page::of(path), page, "{path}");
        }
    }
}
