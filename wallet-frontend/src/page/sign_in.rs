//! Where one signs in: through an app's identity provider, which this page only leads to.

use std::sync::Arc;

use alter_api_types::{
    AppId,
    wallet::{AppCard, SignInOptions},
};
use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::JsCast as _;
use web_sys::HtmlInputElement;

use crate::{
    api::{self, ApiError},
    format,
    page::plain::{el, live, nothing, say, tag, told, watch, whether, words},
    query,
    route::{self, Step},
    store, text,
    ui::{ErrorBox, Foreign, Head, Icon, Logo, Mark, Shape, Skeleton, app_style, next_id},
};

type Options = Option<Result<Arc<SignInOptions>, ApiError>>;

#[component]
pub fn SignIn() -> AnyView {
    let part = |name: &'static str| route::query(name).filter(|value| !value.is_empty());
    // The identity provider comes back from a sign-out with the app in `state`.
    let named = move || part("app").or_else(|| part("state"));
    let remembered = store::app();
    let wanted = told(move || named().or_else(|| remembered.clone()).unwrap_or_default());
    let switches = whether(move || part("switch").is_some());

    let options = RwSignal::new(None::<Result<Arc<SignInOptions>, ApiError>>);
    let ask = Callback::new(move |()| {
        let app = wanted.get_untracked();
        options.set(None);
        spawn_local(async move {
            let named = Some(app.as_str()).filter(|app| !app.is_empty());
            let answer = api::sign_in_options(named).await.map(Arc::new);
            if wanted.try_get_untracked() == Some(app) {
                options.set(Some(answer));
            }
        });
    });
    watch(move || {
        wanted.get();
        ask.run(());
    });
    let notice = live(move || {
        let good = |words| say("p", "notice good", words);
        let bad = |words| say("p", "notice bad", words);
        let unknown = options.with(|it| matches!(it, Some(Ok(it)) if it.app.is_none())) && named().is_some();
        match part("error") {
            Some(code) if code == api::SESSION_REQUIRED => say("p", "notice", text::sign_in::SESSION_OVER),
            Some(code) => bad(text::sign_in::error(&code)),
            None if unknown => bad(text::sign_in::UNKNOWN_APP),
            None if part("state").is_some() || switches.get() => good(text::sign_in::SIGNED_OUT),
            None => nothing(),
        }
    });
    let head = view! {
        <Head window=text::sign_in::TITLE title=text::sign_in::HEADLINE lede=text::sign_in::LEDE />
    };
    let card = vec![
        el("div", "notices").set("role", "status").add(notice).view(),
        head.into_any(),
        live(move || body(options.get(), switches.get(), ask)),
    ];
    let lock = view! { <Icon shape=Shape::Lock /> }.into_any();
    let parts = vec![
        tag("div", "sign-in-brand", vec![view! { <Mark /> }.into_any(), say("span", "", text::WALLET)]),
        tag("div", "card sign-in-card", card),
        tag("p", "sign-in-note", vec![lock, say("span", "", text::frame::PRIVACY)]),
    ];
    tag("div", "sign-in", parts)
}

fn body(options: Options, switches: bool, ask: Callback<()>) -> AnyView {
    let options = match options {
        None => return view! { <Skeleton cards=1 /> }.into_any(),
        Some(Err(error)) => return view! { <ErrorBox error on_retry=ask /> }.into_any(),
        Some(Ok(options)) => options,
    };
    let apps = options.apps.iter().filter(|it| Some(*it) != options.app.as_ref()).map(listed);
    let apps: Vec<AnyView> = apps.collect();
    let mut parts = Vec::new();
    if options.app.is_none() && apps.is_empty() {
        parts.extend([say("h2", "", text::sign_in::NO_APP_TITLE), say("p", "", text::sign_in::NO_APP)]);
    }
    if !apps.is_empty() {
        parts.extend([say("h2", "", text::sign_in::CHOOSE), tag("ul", "app-list", apps)]);
    }
    parts.push(by_id());
    let Some(app) = &options.app else { return parts.into_any() };
    parts.insert(0, say("summary", "", text::sign_in::OTHER_APP));
    let how = say("p", "sign-in-how", text::sign_in::HOW);
    vec![through(app, switches), how, tag("details", "fold", parts)].into_any()
}

/// The way in through an app, in its colours.
fn through(app: &AppCard, switches: bool) -> AnyView {
    let (_, light, dark) = app_style(app);
    let name = format::visible_line(&app.name);
    let mut about = vec![say("bdi", "through-name", name.clone())];
    let description = app.description.clone();
    about.extend(description.map(|text| view! { <Foreign text /> }.into_any()));
    let logo = view! { <Logo app class="large" /> }.into_any();
    let parts = vec![
        tag("p", "through-app", vec![logo, tag("span", "through-words", about)]),
        way("button primary branded big", app, switches, vec![words(text::sign_in::through(&name))]),
        way("button text", app, true, vec![words(text::sign_in::SWITCH)]),
    ];
    el("div", "through").style("--brand-light", &light).style("--brand-dark", &dark).all(parts).view()
}

/// An app that anybody may choose.
fn listed(app: &AppCard) -> AnyView {
    let parts = vec![
        view! { <Logo app class="small" /> }.into_any(),
        view! { <Foreign text=app.name.clone() /> }.into_any(),
        view! { <Icon shape=Shape::Next /> }.into_any(),
    ];
    tag("li", "", vec![way("", app, false, parts)])
}

/// A field for apps that are not listed.
fn by_id() -> AnyView {
    let wrong = RwSignal::new(false);
    let (id, help) = (next_id(), next_id());
    let input = el("input", "")
        .set("type", "text")
        .set("id", &id)
        .set("autocomplete", "off")
        .set("autocapitalize", "none")
        .set("spellcheck", "false")
        .set("aria-describedby", &help)
        .tells("aria-invalid", move || wrong.get().then(|| "true".to_owned()))
        .on("input", move |_| wrong.set(false));
    let field: HtmlInputElement = input.element().unchecked_into();
    let help = el("p", "help").class_while("bad", move || wrong.get()).set("id", &help).set("role", "status");
    let help = help.says(move || {
        let words = if wrong.get() { text::sign_in::APP_ID_WRONG } else { text::sign_in::APP_ID_HELP };
        words.to_owned()
    });
    let go = el("button", "button quiet").set("type", "submit").text(text::sign_in::GO).view();
    let label = el("label", "").set("for", &id).text(text::sign_in::APP_ID).view();
    let row = tag("div", "by-id-row", vec![input.view(), go]);
    let submit = move |event: web_sys::Event| {
        event.prevent_default();
        match field.value().trim().parse::<AppId>() {
            Ok(app) => route::go(&query::path("/sign-in", &[("app", Some(&app.to_string()))]), Step::Page),
            Err(_) => wrong.set(true),
        }
    };
    el("form", "by-id").set("novalidate", "").on("submit", submit).all(vec![label, row, help.view()]).view()
}

/// A plain link: the vault leads on to the identity provider.
fn way(class: &str, app: &AppCard, switches: bool, content: Vec<AnyView>) -> AnyView {
    let app = app.app_id.to_string();
    let to = query::path("/api/auth/sign-in", &[("app", Some(&app)), ("switch", switches.then_some("1"))]);
    el("a", class).set("rel", "external").set("href", &to).all(content).view()
}
