//! What became of a grant that was ended.

use std::time::Duration;

use alter_api_types::{
    GrantId,
    portal::{GrantKind, RevocationStatus},
    wallet::{Ended, GrantCard},
};
use leptos::{prelude::*, task::spawn_local};

use crate::{
    api, format,
    text::{grant as words, record::fill, surface},
    ui::{Foreign, Moment},
    visible::visible_line,
};

/// After so many seconds each, it is asked whether the provider has been told.
const ASK_AFTER: [u64; 6] = [1, 2, 4, 8, 15, 30];

/// `with_it`: how many agents' grants ended with it, where that is known.
#[component]
pub fn Receipt(grant: GrantCard, #[prop(optional)] with_it: usize) -> impl IntoView {
    let pending = told(&grant) == Some(RevocationStatus::Pending);
    let shown = RwSignal::new(grant.clone());
    if pending {
        follow(grant.grant_id, shown);
    }
    let provider = move || shown.with(|grant| provider_words(grant));
    let Some(ended) = grant.ended.clone() else { return ().into_any() };
    view! {
        <dl class="sheet receipt">
            <div>
                <dt>{words::ENDED_AT}</dt>
                <dd><Moment at={ended.at} /> " " {surface(ended.from)}</dd>
            </div>
            <div>
                <dt>{words::TOKENS}</dt>
                <dd>{tokens(&grant, &ended)}</dd>
            </div>
            {move || provider().map(|words| view! {
                <div>
                    <dt>{words::PROVIDER}</dt>
                    <dd aria-live="polite">{words}</dd>
                </div>
            })}
            {(with_it > 0).then(|| view! {
                <div>
                    <dt>{words::AGENTS}</dt>
                    <dd>{fill(words::AGENTS_ENDED, &[("n", &format::number(with_it as u64))])}</dd>
                </div>
            })}
            {ended.reason.map(|reason| view! {
                <div>
                    <dt>{words::REASON}</dt>
                    <dd class={"words"}><Foreign text=reason /></dd>
                </div>
            })}
        </dl>
    }
    .into_any()
}

/// Asks until the provider was told, or it is clear that it takes longer.
fn follow(id: GrantId, shown: RwSignal<GrantCard>) {
    spawn_local(async move {
        for seconds in ASK_AFTER {
            pause(seconds).await;
            if shown.is_disposed() {
                return;
            }
            if let Ok(detail) = api::grant(id).await {
                let over = told(&detail.grant) != Some(RevocationStatus::Pending);
                shown.try_set(detail.grant);
                if over {
                    return;
                }
            }
        }
    });
}

async fn pause(seconds: u64) {
    let ready = js_sys::Promise::new(&mut |resolve, _| {
        set_timeout(
            move || {
                let _ = resolve.call0(&wasm_bindgen::JsValue::UNDEFINED);
            },
            Duration::from_secs(seconds),
        );
    });
    let _ = wasm_bindgen_futures::JsFuture::from(ready).await;
}

fn told(grant: &GrantCard) -> Option<RevocationStatus> {
    grant.ended.as_ref()?.provider_revocation.as_ref().map(|told| told.status)
}

fn tokens(grant: &GrantCard, ended: &Ended) -> String {
    let template = match (grant.kind, ended.tokens_deleted) {
        (GrantKind::ManagedSecret, _) => words::SECRET_KEPT,
        (GrantKind::Oauth, true) => words::TOKENS_DELETED,
        (GrantKind::Oauth, false) => words::TOKENS_KEPT,
    };
    template.to_owned()
}

/// Whether the provider knows; `None` where there is nothing to tell it.
fn provider_words(grant: &GrantCard) -> Option<String> {
    let told = grant.ended.as_ref()?.provider_revocation.as_ref()?;
    let provider = visible_line(&grant.provider_name);
    let time = told.at.map(format::date_time).unwrap_or_default();
    let template = match told.status {
        RevocationStatus::Pending => words::TELLING,
        RevocationStatus::Revoked => words::TOLD,
        RevocationStatus::NotSupported => words::CANNOT_BE_TOLD,
        RevocationStatus::Superseded => words::SUPERSEDED,
        RevocationStatus::Failed => words::NOT_TOLD,
    };
    Some(fill(template, &[("provider", &provider), ("time", &time)]))
}
