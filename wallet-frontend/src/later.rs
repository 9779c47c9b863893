//! Pages that the first view does without. They are a module of their own, which is fetched when the first of them is gone to.
//!
//! The bundler cuts the compiled site at the function with the attribute: what only that function reaches goes with it. Code
//! that a page here shares with the rest stays in the first module, so a page that is shown at once costs nothing twice.

#![allow(unsafe_code, reason = "the attribute writes a call from one module into the other")]

use leptos::{
    prelude::*,
    task::spawn_local,
    wasm_split::{SplitLoaderError, wasm_split},
};

use crate::{
    api::ApiError,
    page,
    ui::{ErrorBox, Skeleton},
};

#[component]
pub fn Connections() -> impl IntoView {
    fetched(Which::Connections)
}

#[component]
pub fn Activity() -> impl IntoView {
    fetched(Which::Activity)
}

#[component]
pub fn Approvals() -> impl IntoView {
    fetched(Which::Approvals)
}

#[component]
pub fn Grant() -> impl IntoView {
    fetched(Which::Grant)
}

#[derive(Debug, Clone, Copy)]
enum Which {
    Connections,
    Activity,
    Approvals,
    Grant,
}

type Show = fn() -> AnyView;

#[wasm_split(pages, wasm_split_path = leptos::wasm_split, fallible)]
fn pages(which: Which) -> Result<Show, SplitLoaderError> {
    Ok(match which {
        Which::Connections => || page::Connections().into_any(),
        Which::Activity => || page::Activity().into_any(),
        Which::Approvals => || page::Approvals().into_any(),
        Which::Grant => || page::Grant().into_any(),
    })
}

/// The page, when its module is there. A module that does not come is asked for again when the person says so.
fn fetched(which: Which) -> AnyView {
    let page = RwSignal::new(None::<Result<Show, ApiError>>);
    let fetch = Callback::new(move |()| {
        spawn_local(async move {
            let found = pages(which).await.map_err(|_| ApiError::local(why()));
            // Somebody who has gone elsewhere meanwhile waits for nothing here.
            let _ = page.try_set(Some(found));
        });
    });
    fetch.run(());
    let show = move || match page.get() {
        None => view! { <Skeleton /> }.into_any(),
        Some(Ok(show)) => show(),
        Some(Err(error)) => view! { <ErrorBox error on_retry=fetch /> }.into_any(),
    };
    show.into_any()
}

/// Why the module is not there: a newer site may be in the place of the one that this page is of.
fn why() -> &'static str {
    if window().navigator().on_line() { "unreadable" } else { "offline" }
}
