//! Calls that wait for the person's word.

use alter_api_types::wallet::{ApprovalCard, Decide, Decision};
use leptos::{prelude::*, task::spawn_local};

use crate::{
    api, format,
    state::{Find as _, Remote, use_clock, use_overview},
    text,
    ui::{Ago, Button, Empty, Foreign, Head, Kind, Load, Logo, Shape, agent_name, use_toast},
};

#[component]
pub fn Approvals() -> impl IntoView {
    let approvals = Remote::new(|| Box::pin(api::approvals()));
    // For the names of apps and agents.
    use_overview().want_fresh();
    view! {
        <Head title=text::approvals::TITLE lede=text::approvals::LEDE />
        <Load
            of=approvals
            cards=2
            show=move |it| {
                if it.items.is_empty() {
                    return view! {
                        <Empty title=text::approvals::EMPTY_TITLE body=text::approvals::EMPTY shape=Shape::Approvals>
                            <p>{text::approvals::EMPTY_NOTE}</p>
                        </Empty>
                    }
                    .into_any();
                }
                let items = it.items.iter().map(|item| view! { <Request item={item.clone()} approvals /> });
                view! { <ul class="grants">{items.collect_view()}</ul> }.into_any()
            }
        />
    }
}

#[component]
fn Request(item: ApprovalCard, approvals: Remote<alter_api_types::wallet::Approvals>) -> impl IntoView {
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
            match api::decide(&id, Decide { decision }).await {
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
    let app = Memo::new(move |_| overview.ok().and_then(|it| it.app(app_id).cloned()));
    let asks = move || {
        let app = app.get().map(|app| format::visible_line(&app.name)).unwrap_or_else(|| app_id.to_string());
        match agent_id {
            None => text::approvals::asks(&app),
            Some(id) => {
                let agent = overview
                    .ok()
                    .and_then(|it| it.agent(id).map(agent_name))
                    .unwrap_or_else(|| id.to_string());
                text::approvals::agent_asks(&agent, &app)
            }
        }
    };
    let until = item.expires_at;
    let is_over = Memo::new(move |_| clock.second() >= until);
    let left = move || match format::duration_until(until, clock.second()) {
        over if over.is_empty() => text::approvals::OVER.to_owned(),
        left => text::approvals::left(&left),
    };
    let reason = match item.reason.filter(|reason| !reason.trim().is_empty()) {
        Some(reason) => {
            view! { <blockquote class="reason"><bdi>{format::visible(&reason)}</bdi></blockquote> }.into_any()
        }
        None => view! { <p class="quiet-words">{text::approvals::NO_REASON}</p> }.into_any(),
    };
    let payload = item.payload.map(|payload| {
        view! {
            <h3>{text::approvals::PAYLOAD}</h3>
            <pre class="payload" tabindex="0"><bdi>{format::visible(&payload)}</bdi></pre>
        }
    });
    let created = item.created_at;
    view! {
        <li class="card approval">
            <div class="grant-top">
                <div class="approval-who">
                    {move || app.get().map_or_else(|| ().into_any(), |app| view! { <Logo app=&app /> }.into_any())}
                    <div>
                        <h2>{asks}</h2>
                        <p class="quiet-words">{text::approvals::ASKED}" "<Ago at=created /></p>
                    </div>
                </div>
            </div>
            <p class="call">
                <span class="method">{item.method.clone()}</span>
                <code><Foreign text={item.url.clone()} /></code>
            </p>
            <h3>{text::approvals::REASON}</h3>
            {reason} {payload}
            <p class="time-left">{left}</p>
            <div class="grant-actions">
                <Button
                    kind=Kind::Primary
                    busy=Signal::derive(move || busy.get() == Some(Decision::Approve))
                    disabled=Signal::derive(move || busy.get().is_some() || is_over.get())
                    on_press=move |()| decide.run(Decision::Approve)
                >
                    {text::approvals::APPROVE}
                </Button>
                <Button
                    busy=Signal::derive(move || busy.get() == Some(Decision::Deny))
                    disabled=Signal::derive(move || busy.get().is_some() || is_over.get())
                    on_press=move |()| decide.run(Decision::Deny)
                >
                    {text::approvals::DENY}
                </Button>
            </div>
        </li>
    }
}
