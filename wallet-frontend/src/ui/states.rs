//! What a page shows before, instead of and beside its content.

use alter_api_types::Timestamp;
use leptos::prelude::*;

use super::{
    Button, Icon, Kind, Shape,
    plain::{el, live, nothing, say, tag, whether},
};
use crate::{api::ApiError, format, state::Remote, text};

/// Grey shapes in the place of what is on its way.
#[component]
pub fn Skeleton(#[prop(default = 3)] cards: usize) -> AnyView {
    let bone = |class: &str| tag("div", class, vec![]);
    let card = |_| {
        let bones = tag("div", "bones", vec![bone("bone wide"), bone("bone")]);
        el("div", "card skeleton").set("aria-hidden", "true").all(vec![bone("bone tile"), bones]).view()
    };
    let said = say("span", "unseen", text::common::LOADING);
    el("div", "skeletons").set("role", "status").add(said).all((0..cards).map(card).collect()).view()
}

/// There is nothing yet: what would be here, and how it comes.
#[component]
pub fn Empty(
    #[prop(into)] title: String,
    #[prop(into)] body: String,
    #[prop(optional)] shape: Option<Shape>,
    #[prop(optional)] children: Option<Children>,
) -> AnyView {
    let mut parts = Vec::new();
    parts.extend(shape.map(|shape| tag("span", "empty-mark", vec![view! { <Icon shape /> }.into_any()])));
    parts.extend([say("h2", "", title), say("p", "", body)]);
    parts.extend(children.map(|children| children()));
    tag("div", "empty", parts)
}

/// What went wrong, what to do, and a way to try again where that may help.
#[component]
pub fn ErrorBox(
    error: ApiError,
    #[prop(optional, into)] on_retry: Option<Callback<()>>,
    #[prop(optional, into)] busy: Signal<bool>,
) -> AnyView {
    let mut words = vec![say("p", "error-title", text::common::ERROR_TITLE), say("p", "", error.message)];
    let retry = on_retry.filter(|_| error.retry);
    words.extend(retry.map(|retry| again(Kind::Quiet, busy, retry)));
    let icon = view! { <Icon shape=Shape::Alert /> }.into_any();
    el("div", "error-box").set("role", "alert").all(vec![icon, tag("div", "", words)]).view()
}

/// What is shown is not the newest, but of `since`: it could not be refreshed.
pub fn stale<T: Send + Sync + 'static>(of: Remote<T>, since: fn(&T) -> Timestamp) -> AnyView {
    let since = move || of.ok_untracked().map(|it| since(&it)).unwrap_or_default();
    live(move || {
        if !of.stale() {
            return nothing();
        }
        let words = say("p", "", text::common::stale(&format::time(since())));
        let retry = again(Kind::Text, of.busy(), Callback::new(move |()| of.refresh()));
        el("div", "stale").set("role", "status").all(vec![words, retry]).view()
    })
}

/// Shows what is made of an answer once it is there; before that a skeleton, and instead of it what went wrong.
pub fn load<T: Send + Sync + 'static>(
    of: Remote<T>,
    cards: usize,
    show: impl Fn() -> AnyView + Send + 'static,
) -> AnyView {
    of.want();
    let retry = Callback::new(move |()| of.refresh());
    // Made once, however often the answer is renewed: what is open or has the focus in there stays so.
    let there = whether(move || of.is_there());
    live(move || {
        if there.get() {
            return show();
        }
        match of.error() {
            None => view! { <Skeleton cards /> }.into_any(),
            Some(error) => view! { <ErrorBox error busy=of.busy() on_retry=retry /> }.into_any(),
        }
    })
}

fn again(kind: Kind, busy: Signal<bool>, press: Callback<()>) -> AnyView {
    view! { <Button kind busy on_press=press>{text::common::RETRY}</Button> }.into_any()
}
