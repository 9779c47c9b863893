//! What is around every page: the mark, the way to the pages, and the person's account.

use leptos::{prelude::*, task::spawn_local};

use super::{
    Button, Icon, Kind, Mark, Shape, ThemeChoice, ToastList,
    plain::{el, link, live, nothing, say, tag, told, watch, whether, words},
    provide_toasts,
};
use crate::{
    api, format, query,
    route::{self, Step},
    state::{use_clock, use_overview, use_session},
    store, text,
};

const SIGN_IN: &str = "/sign-in";

const PAGES: [(&str, &str, Shape); 4] = [
    ("/", text::frame::APPS, Shape::Apps),
    ("/connections", text::frame::CONNECTIONS, Shape::Connections),
    ("/activity", text::frame::ACTIVITY, Shape::Activity),
    ("/approvals", text::frame::APPROVALS, Shape::Approvals),
];

#[component]
pub fn Frame(children: Children) -> AnyView {
    let toasts = provide_toasts();
    let path = route::path();
    let outside = whether(move || path.with(|path| path == SIGN_IN));
    leave_when_signed_out();
    look_again();
    watch(move || {
        if !outside.get() {
            use_session().want();
        }
    });
    let bar = live(move || if outside.get() { nothing() } else { bar() });
    let main = el("main", "").set("id", "content").set("tabindex", "-1").add(children());
    let content = main.element();
    let skip = el("a", "skip").set("href", "#content").text(text::frame::SKIP).on("click", move |event| {
        event.prevent_default();
        let _ = content.focus();
    });
    let frame = el("div", "frame").class_while("outside", move || outside.get()).add(bar).add(main.view());
    vec![skip.view(), frame.view(), view! { <ToastList toasts /> }.into_any()].into_any()
}

fn bar() -> AnyView {
    let mark = view! { <Mark /> }.into_any();
    let home = link("home", "/", vec![mark, say("span", "", text::WALLET)]);
    tag("header", "bar", vec![home, navigation(), account()])
}

/// Forgets everything that belongs to a person, and shows the sign-in.
fn leave_when_signed_out() {
    let (session, overview) = (use_session(), use_overview());
    let path = route::path();
    watch(move || {
        if let Some(session) = session.ok() {
            store::set_app(&session.app.app_id.to_string());
        }
    });
    api::on_signed_out(move || {
        let was_in = session.ok_untracked().is_some();
        session.forget();
        overview.forget();
        if path.get_untracked() != SIGN_IN {
            let error = was_in.then_some(api::SESSION_REQUIRED);
            let to = query::path(SIGN_IN, &[("app", store::app().as_deref()), ("error", error)]);
            route::go(&to, Step::Away);
        }
    });
}

/// When one comes back to the page, it shows what is so now. Where somebody else has signed in meanwhile, in another tab, it
/// starts anew and keeps nothing of the person before. Where the session has run out it does not stay on the screen.
fn look_again() {
    let (session, overview, clock) = (use_session(), use_overview(), use_clock());
    let mut person = None;
    watch(move || {
        let signed_in = session.ok().map(|session| session.user_id);
        // A page that opens asks for this alone: it may be another person's than the name above it.
        let shown = overview.ok().map(|overview| overview.user_id);
        for now in [signed_in, shown].into_iter().flatten() {
            if person.replace(now).is_some_and(|before| before != now) {
                let _ = window().location().reload();
            }
        }
    });
    watch(move || {
        let now = clock.now();
        let is_over = untrack(|| session.ok()).is_some_and(|session| {
            now >= session.expires_at || now.as_second() - api::last_answer() >= session.idle_seconds
        });
        if is_over {
            session.refresh();
        }
    });
    let listener = window_event_listener_untyped("visibilitychange", move |_| {
        let is_in = session.ok_untracked().is_some();
        if is_in && document().visibility_state() == web_sys::VisibilityState::Visible {
            session.want_fresh();
            overview.want_fresh();
        }
    });
    on_cleanup(move || listener.remove());
}

fn navigation() -> AnyView {
    let pages = PAGES.into_iter().map(|(href, words, shape)| {
        let here = move || {
            let path = route::path().get();
            path == href || (href == "/connections" && path.starts_with("/grants/"))
        };
        let mut parts = vec![view! { <Icon shape /> }.into_any(), say("span", "", words)];
        if shape == Shape::Approvals {
            parts.push(waiting());
        }
        let page =
            el("a", "").set("href", href).tells("aria-current", move || here().then(|| "page".to_owned()));
        tag("li", "", vec![page.all(parts).view()])
    });
    let pages = tag("ul", "", pages.collect());
    el("nav", "nav").set("aria-label", text::frame::NAVIGATION).add(pages).view()
}

/// How many requests wait for the person.
fn waiting() -> AnyView {
    let overview = use_overview();
    live(move || match overview.ok().map_or(0, |overview| overview.pending_approvals) {
        0 => nothing(),
        many => {
            let number = el("span", "").set("aria-hidden", "true").text(&many.to_string());
            tag("span", "nav-count", vec![number.view(), say("span", "unseen", text::frame::waiting(many))])
        }
    })
}

fn account() -> AnyView {
    let session = use_session();
    let name = told(move || {
        let Some(session) = session.ok() else { return String::new() };
        format::visible_line(session.name.as_ref().or(session.email.as_ref()).unwrap_or(&session.subject))
    });
    let initials =
        move || name.with(|name| if name.is_empty() { String::new() } else { format::initials(name) });
    let called = || el("bdi", "account-name").says(move || name.get()).view();
    let email = || {
        let email = move || {
            let session = session.ok().filter(|session| session.name.is_some());
            session.and_then(|it| it.email.as_deref().map(format::visible_line)).unwrap_or_default()
        };
        el("bdi", "account-mail").says(email).view()
    };
    let through = move || {
        let Some(session) = session.ok() else { return String::new() };
        let host = session.issuer.split("://").nth(1).unwrap_or(&session.issuer).trim_end_matches('/');
        text::frame::signed_in_through(&format::visible_line(host))
    };
    let through = el("bdi", "account-mail").says(through).view();
    let tile = el("span", "tile own").set("aria-hidden", "true").says(initials).view();
    let button =
        el("button", "account-button").set("type", "button").set("popovertarget", "account").all(vec![
            say("span", "unseen", text::frame::ACCOUNT),
            tile,
            tag("span", "account-words", vec![called(), email()]),
        ]);
    let lock = view! { <Icon shape=Shape::Lock /> }.into_any();
    let panel = el("div", "account-panel").set("id", "account").set("popover", "auto").all(vec![
        tag("p", "account-who", vec![called(), email(), through]),
        view! { <ThemeChoice /> }.into_any(),
        sign_out(),
        tag("p", "account-note", vec![lock, words(text::frame::PRIVACY)]),
    ]);
    tag("div", "account", vec![button.view(), panel.view()])
}

fn sign_out() -> AnyView {
    let busy = RwSignal::new(false);
    let toasts = super::use_toast();
    let press = move |()| {
        busy.set(true);
        spawn_local(async move {
            match api::sign_out().await {
                // The whole page goes, and with it everything that it knew.
                Ok(it) => {
                    let _ = window().location().assign(&it.location);
                }
                Err(error) => {
                    busy.set(false);
                    if !error.signed_out() {
                        toasts.bad(error.message);
                    }
                }
            }
        });
    };
    let content = live(move || {
        let said = if busy.get() { text::frame::SIGNING_OUT } else { text::frame::SIGN_OUT };
        words(said)
    });
    let content = vec![view! { <Icon shape=Shape::Out /> }.into_any(), content];
    view! { <Button kind=Kind::Quiet busy on_press=press>{content}</Button> }.into_any()
}
