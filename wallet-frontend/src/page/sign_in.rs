//! Where one signs in: through an app's identity provider, which this page only leads to.

use std::sync::Arc;

use alter_api_types::{
    AppId,
    wallet::{AppCard, SignInOptions},
};
use leptos::{prelude::*, task::spawn_local};

use crate::{
    api::{self, ApiError},
    format,
    page::plain::{nothing, say},
    query,
    route::{self, Step},
    store, text,
    ui::{ErrorBox, Foreign, Head, Icon, Logo, Mark, Shape, Skeleton, app_style, next_id},
};

type Options = Option<Result<Arc<SignInOptions>, ApiError>>;

#[component]
pub fn SignIn() -> impl IntoView {
    let part = |name: &'static str| route::query(name).filter(|value| !value.is_empty());
    // The identity provider comes back from a sign-out with the app in `state`.
    let named = Memo::new(move |_| part("app").or_else(|| part("state")));
    let remembered = store::app();
    let wanted = Memo::new(move |_| named.get().or_else(|| remembered.clone()));
    let switches = Memo::new(move |_| part("switch").is_some());
    let error = Memo::new(move |_| part("error"));
    let signed_out = Memo::new(move |_| part("state").is_some() || switches.get());

    let options = RwSignal::new(None::<Result<Arc<SignInOptions>, ApiError>>);
    let ask = Callback::new(move |()| {
        let app = wanted.get_untracked();
        options.set(None);
        spawn_local(async move {
            let answer = api::sign_in_options(app.as_deref()).await.map(Arc::new);
            if wanted.try_get_untracked() == Some(app) {
                options.set(Some(answer));
            }
        });
    });
    Effect::new(move || {
        wanted.track();
        ask.run(());
    });
    let notice = move || {
        if let Some(code) = error.get() {
            if code == api::SESSION_REQUIRED {
                return Some(("notice", text::sign_in::SESSION_OVER));
            }
            return Some(("notice bad", text::sign_in::error(&code)));
        }
        let unknown =
            options.with(|it| matches!(it, Some(Ok(it)) if it.app.is_none())) && named.get().is_some();
        if unknown {
            return Some(("notice bad", text::sign_in::UNKNOWN_APP));
        }
        signed_out.get().then_some(("notice good", text::sign_in::SIGNED_OUT))
    };
    view! {
        <div class="sign-in">
            <div class="sign-in-brand">
                <Mark />
                <span>{text::WALLET}</span>
            </div>
            <div class="card sign-in-card">
                <div class="notices" role="status">
                    {move || notice().map_or_else(nothing, |(class, words)| say("p", class, words))}
                </div>
                <Head window=text::sign_in::TITLE title=text::sign_in::HEADLINE lede=text::sign_in::LEDE />
                {move || body(options.get(), switches.get(), ask)}
            </div>
            <p class="sign-in-note">
                <Icon shape=Shape::Lock />
                <span>{text::frame::PRIVACY}</span>
            </p>
        </div>
    }
}

fn body(options: Options, switches: bool, ask: Callback<()>) -> AnyView {
    let options = match options {
        None => return view! { <Skeleton cards=1 /> }.into_any(),
        Some(Err(error)) => return view! { <ErrorBox error on_retry=ask /> }.into_any(),
        Some(Ok(options)) => options,
    };
    let others: Vec<AppCard> =
        options.apps.iter().filter(|it| Some(*it) != options.app.as_ref()).cloned().collect();
    match &options.app {
        Some(app) => view! {
            <Through app=app.clone() switches />
            <p class="sign-in-how">{text::sign_in::HOW}</p>
            <details class="fold">
                <summary>{text::sign_in::OTHER_APP}</summary>
                <Others apps=others />
            </details>
        }
        .into_any(),
        None => view! {
            {others
                .is_empty()
                .then(|| {
                    view! {
                        <h2>{text::sign_in::NO_APP_TITLE}</h2>
                        <p>{text::sign_in::NO_APP}</p>
                    }
                })}
            <Others apps=others />
        }
        .into_any(),
    }
}

/// The way in through an app, in its colours.
#[component]
fn Through(app: AppCard, switches: bool) -> impl IntoView {
    let (_, light, dark) = app_style(&app);
    let name = format::visible_line(&app.name);
    view! {
        <div class="through" style:--brand-light=light style:--brand-dark=dark>
            <p class="through-app">
                <Logo app=&app class="large" />
                <span class="through-words">
                    <bdi class="through-name">{name.clone()}</bdi>
                    {app.description.clone().map(|it| view! { <Foreign text={it} /> })}
                </span>
            </p>
            <a class="button primary branded big" rel="external" href={way(app.app_id, switches)}>
                {text::sign_in::through(&name)}
            </a>
            <a class="button text" rel="external" href={way(app.app_id, true)}>
                {text::sign_in::SWITCH}
            </a>
        </div>
    }
}

/// Apps that anybody may choose, and a field for those that are not listed.
#[component]
fn Others(apps: Vec<AppCard>) -> impl IntoView {
    let listed = (!apps.is_empty()).then(|| {
        let apps = apps.iter().map(|app| {
            view! {
                <li>
                    <a rel="external" href={way(app.app_id, false)}>
                        <Logo app class="small" />
                        <Foreign text={app.name.clone()} />
                        <Icon shape=Shape::Next />
                    </a>
                </li>
            }
        });
        view! {
            <h2>{text::sign_in::CHOOSE}</h2>
            <ul class="app-list">{apps.collect_view()}</ul>
        }
    });
    view! {
        {listed}
        <ById />
    }
}

#[component]
fn ById() -> impl IntoView {
    let (value, wrong) = (RwSignal::new(String::new()), RwSignal::new(false));
    let (id, help) = (next_id(), next_id());
    view! {
        <form
            class="by-id"
            novalidate=true
            on:submit=move |event| {
                event.prevent_default();
                match value.get_untracked().trim().parse::<AppId>() {
                    Ok(app) => route::go(&query::path("/sign-in", &[("app", Some(&app.to_string()))]), Step::Page),
                    Err(_) => wrong.set(true),
                }
            }
        >
            <label for={id.clone()}>{text::sign_in::APP_ID}</label>
            <div class="by-id-row">
                <input
                    type="text"
                    id={id}
                    autocomplete="off"
                    autocapitalize="none"
                    spellcheck="false"
                    aria-describedby={help.clone()}
                    aria-invalid=move || wrong.get().then_some("true")
                    prop:value=move || value.get()
                    on:input=move |event| {
                        value.set(event_target_value(&event));
                        wrong.set(false);
                    }
                />
                <button type="submit" class="button quiet">
                    {text::sign_in::GO}
                </button>
            </div>
            <p class="help" class:bad=move || wrong.get() id={help} role="status">
                {move || String::from(if wrong.get() { text::sign_in::APP_ID_WRONG } else { text::sign_in::APP_ID_HELP })}
            </p>
        </form>
    }
}

/// A plain link: the vault leads on to the identity provider.
fn way(app: AppId, switches: bool) -> String {
    query::path("/api/auth/sign-in", &[("app", Some(&app.to_string())), ("switch", switches.then_some("1"))])
}
