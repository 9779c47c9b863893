//! What is around every page: the mark, the way to the pages, and the person's account.

use leptos::{html, prelude::*, task::spawn_local};

use super::{Button, Icon, Kind, Mark, Shape, ThemeChoice, ToastList, provide_toasts};
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
pub fn Frame(children: Children) -> impl IntoView {
    let toasts = provide_toasts();
    let path = route::path();
    let outside = Memo::new(move |_| path.get() == SIGN_IN);
    let content = NodeRef::<html::Main>::new();
    leave_when_signed_out();
    look_again();
    Effect::new(move || {
        if !outside.get() {
            use_session().want();
        }
    });
    view! {
        <a
            class="skip"
            href="#content"
            on:click=move |event| {
                event.prevent_default();
                if let Some(content) = content.get_untracked() {
                    let _ = content.focus();
                }
            }
        >
            {text::frame::SKIP}
        </a>
        <div class="frame" class:outside=move || outside.get()>
            <Show when=move || !outside.get()>
                <header class="bar">
                    <a class="home" href="/">
                        <Mark />
                        <span>{text::WALLET}</span>
                    </a>
                    <Navigation path />
                    <Account />
                </header>
            </Show>
            <main id="content" node_ref=content tabindex="-1">
                {children()}
            </main>
        </div>
        <ToastList toasts />
    }
}

/// Forgets everything that belongs to a person, and shows the sign-in.
fn leave_when_signed_out() {
    let (session, overview) = (use_session(), use_overview());
    let path = route::path();
    Effect::new(move || {
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
    let person = StoredValue::new(None);
    Effect::new(move || {
        let Some(now) = session.ok().map(|session| session.user_id) else { return };
        if person.get_value().is_some_and(|before| before != now) {
            let _ = window().location().reload();
        }
        person.set_value(Some(now));
    });
    Effect::new(move || {
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

#[component]
fn Navigation(path: Memo<String>) -> impl IntoView {
    let overview = use_overview();
    let waiting = Memo::new(move |_| overview.ok().map_or(0, |overview| overview.pending_approvals));
    view! {
        <nav class="nav" aria-label={text::frame::NAVIGATION}>
            <ul>
                {PAGES
                    .into_iter()
                    .map(|(href, words, shape)| {
                        let here = move || {
                            path.with(|path| path == href || (href == "/connections" && path.starts_with("/grants/")))
                        };
                        let badge = move || {
                            if shape != Shape::Approvals || waiting.get() == 0 {
                                return ().into_any();
                            }
                            view! {
                                <span class="nav-count">
                                    <span aria-hidden="true">{waiting.get().to_string()}</span>
                                    <span class="unseen">{text::frame::waiting(waiting.get())}</span>
                                </span>
                            }
                            .into_any()
                        };
                        view! {
                            <li>
                                <a href={href} aria-current=move || here().then_some("page")>
                                    <Icon shape />
                                    <span>{words}</span>
                                    {badge}
                                </a>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </nav>
    }
}

#[component]
fn Account() -> impl IntoView {
    let session = use_session();
    let name = Memo::new(move |_| {
        let session = session.ok()?;
        let name = session.name.as_ref().or(session.email.as_ref()).unwrap_or(&session.subject);
        Some(format::visible_line(name))
    });
    // Texts, present or not, are of one type: what changes costs code for each type that it has.
    let called = move || name.get().unwrap_or_default();
    let email = move || {
        let session = session.ok().filter(|session| session.name.is_some());
        session.and_then(|it| it.email.as_deref().map(format::visible_line)).unwrap_or_default()
    };
    let through = move || {
        let Some(session) = session.ok() else { return String::new() };
        let host = session.issuer.split("://").nth(1).unwrap_or(&session.issuer).trim_end_matches('/');
        text::frame::signed_in_through(&format::visible_line(host))
    };
    view! {
        <div class="account">
            <button type="button" class="account-button" popovertarget="account">
                <span class="unseen">{text::frame::ACCOUNT}</span>
                <span class="tile own" aria-hidden="true">
                    {move || name.get().map(|name| format::initials(&name)).unwrap_or_default()}
                </span>
                <span class="account-words">
                    <bdi class="account-name">{called}</bdi>
                    <bdi class="account-mail">{email}</bdi>
                </span>
            </button>
            <div class="account-panel" id="account" popover="auto">
                <p class="account-who">
                    <bdi class="account-name">{called}</bdi>
                    <bdi class="account-mail">{email}</bdi>
                    <bdi class="account-mail">{through}</bdi>
                </p>
                <ThemeChoice />
                <SignOut />
                <p class="account-note">
                    <Icon shape=Shape::Lock />
                    {text::frame::PRIVACY}
                </p>
            </div>
        </div>
    }
}

#[component]
fn SignOut() -> impl IntoView {
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
    view! {
        <Button kind=Kind::Quiet busy on_press=press>
            <Icon shape=Shape::Out />
            {move || if busy.get() { text::frame::SIGNING_OUT.to_owned() } else { text::frame::SIGN_OUT.to_owned() }}
        </Button>
    }
}
