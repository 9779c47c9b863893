//! Calls that wait for the person's word.

use alter_api_types::wallet::{self, ApprovalCard, Decision};
use leptos::{prelude::*, task::spawn_local};

use super::plain::{el, live, nothing, say, tag, whether, words};
use crate::{
    api, format,
    state::{Find as _, Remote, held, use_clock, use_overview},
    text,
    ui::{Ago, Button, Empty, Foreign, Head, Kind, Logo, Shape, agent_name, load, use_toast},
};

type Waiting = Remote<wallet::Approvals>;

#[component]
pub fn Approvals() -> AnyView {
    let approvals: Waiting = Remote::new(|| Box::pin(async { held(api::approvals().await) }));
    // For the names of apps and agents.
    use_overview().want_fresh();
    vec![
        view! { <Head title=text::approvals::TITLE lede=text::approvals::LEDE /> }.into_any(),
        load(approvals, 2, move || list(approvals)),
    ]
    .into_any()
}

fn list(approvals: Waiting) -> AnyView {
    let items = move || approvals.ok().map(|it| it.items.clone()).unwrap_or_default();
    let none = whether(move || items().is_empty());
    live(move || {
        if none.get() {
            let note = say("p", "", text::approvals::EMPTY_NOTE);
            return view! {
                <Empty title=text::approvals::EMPTY_TITLE body=text::approvals::EMPTY shape=Shape::Approvals>
                    {note}
                </Empty>
            }
            .into_any();
        }
        let keys = move || items().into_iter().map(|item| item.approval_id).collect();
        let make = move |id: &str| {
            let found = items().into_iter().find(|item| item.approval_id == id);
            found.map_or_else(nothing, |item| request(item, approvals))
        };
        el("ul", "grants").each(keys, make).view()
    })
}

fn request(item: ApprovalCard, approvals: Waiting) -> AnyView {
    let (overview, toasts, clock) = (use_overview(), use_toast(), use_clock());
    let busy = RwSignal::new(None::<Decision>);
    let id = item.approval_id.clone();
    let decide = Callback::new(move |decision: Decision| {
        if busy.get_untracked().is_some() {
            return;
        }
        busy.set(Some(decision));
        let id = id.clone();
        spawn_local(async move {
            match api::decide(&id, decision).await {
                Ok(()) => toasts.good(match decision {
                    Decision::Approve => text::approvals::APPROVED,
                    Decision::Deny => text::approvals::DENIED,
                }),
                Err(error) => toasts.bad(error.message),
            }
            busy.try_set(None);
            approvals.refresh();
            overview.refresh();
        });
    });
    let (app_id, agent_id) = (item.app_id, item.agent_id);
    let asks = move || {
        let overview = overview.ok();
        let app = overview.as_ref().and_then(|it| it.app(app_id));
        let app = app.map_or_else(|| app_id.to_string(), |app| format::visible_line(&app.name));
        let Some(id) = agent_id else { return text::approvals::asks(&app) };
        let agent = overview.as_ref().and_then(|it| it.agent(id));
        text::approvals::agent_asks(&agent.map_or_else(|| id.to_string(), agent_name), &app)
    };
    let named = whether(move || overview.ok().is_some_and(|it| it.app(app_id).is_some()));
    let logo = live(move || {
        if !named.get() {
            return nothing();
        }
        let known = overview.ok_untracked();
        let app = known.as_ref().and_then(|it| it.app(app_id));
        app.map_or_else(nothing, |app| view! { <Logo app /> }.into_any())
    });
    let until = item.expires_at;
    let left = move || match format::duration_until(until, clock.second()) {
        over if over.is_empty() => text::approvals::OVER.to_owned(),
        left => text::approvals::left(&left),
    };
    let is_over = whether(move || clock.second() >= until);
    let disabled = Signal::from(whether(move || busy.get().is_some() || is_over.get()));
    let button = move |kind, decision, words: &'static str| {
        let busy = Signal::from(whether(move || busy.get() == Some(decision)));
        let press = Callback::new(move |()| decide.run(decision));
        view! { <Button kind busy disabled on_press=press>{words}</Button> }.into_any()
    };
    let ago = view! { <Ago at=item.created_at /> }.into_any();
    let who = vec![
        el("h2", "").says(asks).view(),
        tag("p", "quiet-words", vec![words(text::approvals::ASKED), words(" "), ago]),
    ];
    let who = tag("div", "approval-who", vec![logo, tag("div", "", who)]);
    let url = view! { <Foreign text=item.url /> }.into_any();
    let call = vec![say("span", "method", item.method), tag("code", "", vec![url])];
    let foreign = |text: &str| say("bdi", "", format::visible(text));
    let reason = match item.reason.filter(|reason| !reason.trim().is_empty()) {
        Some(reason) => tag("blockquote", "reason", vec![foreign(&reason)]),
        None => say("p", "quiet-words", text::approvals::NO_REASON),
    };
    let mut parts = vec![
        tag("div", "grant-top", vec![who]),
        tag("p", "call", call),
        say("h3", "", text::approvals::REASON),
        reason,
    ];
    if let Some(payload) = item.payload {
        let payload = el("pre", "payload").set("tabindex", "0").add(foreign(&payload));
        parts.extend([say("h3", "", text::approvals::PAYLOAD), payload.view()]);
    }
    let actions = vec![
        button(Kind::Primary, Decision::Approve, text::approvals::APPROVE),
        button(Kind::Quiet, Decision::Deny, text::approvals::DENY),
    ];
    parts.extend([el("p", "time-left").says(left).view(), tag("div", "grant-actions", actions)]);
    tag("li", "card approval", parts)
}
