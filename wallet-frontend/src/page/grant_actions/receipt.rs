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
    page::plain::{el, fact, nothing, say, tag, words},
    text::{grant as text, record::fill, surface},
    ui::Moment,
    visible::{visible, visible_line},
};

/// After so many seconds each, it is asked whether the provider has been told.
const ASK_AFTER: [u64; 6] = [1, 2, 4, 8, 15, 30];

/// `with_it`: how many agents' grants ended with it, where that is known.
pub fn receipt(grant: &GrantCard, with_it: usize) -> AnyView {
    let Some(ended) = &grant.ended else { return nothing() };
    let when = vec![view! { <Moment at=ended.at /> }.into_any(), words(" "), words(surface(ended.from))];
    let mut facts = vec![fact(text::ENDED_AT, when), fact(text::TOKENS, vec![words(tokens(grant, ended))])];
    if ended.provider_revocation.is_some() {
        let shown = RwSignal::new(provider_words(grant));
        if told(grant) == Some(RevocationStatus::Pending) {
            spawn_local(follow(grant.grant_id, shown));
        }
        let told = el("span", "").set("aria-live", "polite").says(move || shown.get());
        facts.push(fact(text::PROVIDER, vec![told.view()]));
    }
    if with_it > 0 {
        let ended = fill(text::AGENTS_ENDED, &[("n", &format::number(with_it as u64))]);
        facts.push(fact(text::AGENTS, vec![words(ended)]));
    }
    if let Some(reason) = &ended.reason {
        facts.push(fact(text::REASON, vec![say("bdi", "words", visible(reason))]));
    }
    tag("dl", "sheet receipt", facts)
}

/// Asks until the provider was told, or it is clear that it takes longer.
async fn follow(id: GrantId, shown: RwSignal<String>) {
    for seconds in ASK_AFTER {
        pause(seconds).await;
        if shown.is_disposed() {
            return;
        }
        if let Ok(detail) = api::grant(id).await {
            shown.try_set(provider_words(&detail.grant));
            if told(&detail.grant) != Some(RevocationStatus::Pending) {
                return;
            }
        }
    }
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
        (GrantKind::ManagedSecret, _) => text::SECRET_KEPT,
        (GrantKind::Oauth, true) => text::TOKENS_DELETED,
        (GrantKind::Oauth, false) => text::TOKENS_KEPT,
    };
    template.to_owned()
}

/// Whether the provider knows; empty where there is nothing to tell it.
fn provider_words(grant: &GrantCard) -> String {
    let Some(told) = grant.ended.as_ref().and_then(|ended| ended.provider_revocation.as_ref()) else {
        return String::new();
    };
    let provider = visible_line(&grant.provider_name);
    let time = told.at.map(format::date_time).unwrap_or_default();
    let template = match told.status {
        RevocationStatus::Pending => text::TELLING,
        RevocationStatus::Revoked => text::TOLD,
        RevocationStatus::NotSupported => text::CANNOT_BE_TOLD,
        RevocationStatus::Superseded => text::SUPERSEDED,
        RevocationStatus::Failed => text::NOT_TOLD,
    };
    fill(template, &[("provider", &provider), ("time", &time)])
}
