//! What a page shows before, instead of and beside its content.

use std::sync::Arc;

use leptos::prelude::*;

use super::{Button, Icon, Kind, Shape};
use crate::{api::ApiError, format, state::Remote, text};

/// Grey shapes in the place of what is on its way.
#[component]
pub fn Skeleton(#[prop(default = 3)] cards: usize) -> impl IntoView {
    view! {
        <div class="skeletons" role="status">
            <span class="unseen">{text::common::LOADING}</span>
            {(0..cards)
                .map(|_| {
                    view! {
                        <div class={"card skeleton"} aria-hidden="true">
                            <div class={"bone tile"}></div>
                            <div class={"bones"}>
                                <div class={"bone wide"}></div>
                                <div class={"bone"}></div>
                            </div>
                        </div>
                    }
                })
                .collect_view()}
        </div>
    }
}

/// There is nothing yet: what would be here, and how it comes.
#[component]
pub fn Empty(
    #[prop(into)] title: String,
    #[prop(into)] body: String,
    #[prop(optional)] shape: Option<Shape>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            {shape.map(|shape| view! { <span class={"empty-mark"}><Icon shape /></span> })}
            <h2>{title}</h2>
            <p>{body}</p>
            {children.map(|children| children())}
        </div>
    }
}

/// What went wrong, what to do, and a way to try again where that may help.
#[component]
pub fn ErrorBox(
    error: ApiError,
    #[prop(optional, into)] on_retry: Option<Callback<()>>,
    #[prop(optional, into)] busy: Signal<bool>,
) -> impl IntoView {
    let retry = on_retry.filter(|_| error.retry);
    view! {
        <div class="error-box" role="alert">
            <Icon shape=Shape::Alert />
            <div>
                <p class="error-title">{text::common::ERROR_TITLE}</p>
                <p>{error.message}</p>
                {retry
                    .map(|retry| {
                        view! { <Button kind=Kind::Quiet busy on_press=retry>{text::common::RETRY}</Button> }
                    })}
            </div>
        </div>
    }
}

/// What is shown is not the newest: it could not be refreshed.
#[component]
pub fn Stale<T: Send + Sync + 'static>(
    of: Remote<T>,
    #[prop(into)] since: Signal<alter_api_types::Timestamp>,
) -> impl IntoView {
    move || {
        if of.stale().is_none() {
            return ().into_any();
        }
        view! {
                <div class="stale" role="status">
                    <p>{text::common::stale(&format::time(since.get()))}</p>
                    <Button kind=Kind::Text busy=Signal::derive(move || of.busy()) on_press=move |()| of.refresh()>
                        {text::common::RETRY}
                    </Button>
                </div>
        }
        .into_any()
    }
}

/// Shows what the API answered; before that a skeleton, and instead of it what went wrong.
#[component]
pub fn Load<T: Send + Sync + 'static>(
    of: Remote<T>,
    #[prop(default = 3)] cards: usize,
    show: impl Fn(Arc<T>) -> AnyView + Send + Sync + 'static,
) -> impl IntoView {
    of.want();
    move || match of.get() {
        None => view! { <Skeleton cards /> }.into_any(),
        Some(Err(error)) => {
            let busy = Signal::derive(move || of.busy());
            view! { <ErrorBox error busy on_retry=move |()| of.refresh() /> }.into_any()
        }
        Some(Ok(value)) => show(value),
    }
}
