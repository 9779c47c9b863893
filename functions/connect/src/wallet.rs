//! Signing in to the Wallet: to the app's identity provider and back. It is here because it opens the secret of the vault's client
//! there, which the Wallet's own function never could.

use std::sync::Arc;

use alter_domain::{
    Error,
    api::AppId,
    flow::{
        connect::PublicUrl,
        identity::sign_in::Answer,
        wallet::{NotSignedIn, Pace, WalletCookie, WalletState},
    },
    web::PeerIp,
};
use axum::{
    body::Body,
    extract::{Extension, RawQuery, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, Method, header};
use url::form_urlencoded;

use crate::{
    ConnectState,
    browser::{Visited, asks_first, field, forget, known, pairs, remember, see_other},
    callback::MAX_QUERY_BYTES,
};

/// `?app=<app id>`, and `&switch=1` for somebody who wants to be somebody else. A link on another site's page leads to the Wallet's
/// sign-in page, which asks: otherwise any page could change, with its own app, who is signed in here.
pub(crate) async fn start(
    State(state): State<Arc<ConnectState>>,
    RawQuery(query): RawQuery,
    peer: Option<Extension<PeerIp>>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let url = &state.wallet_url;
    let query = parsed(query);
    let Ok(app) = field(&query, "app").parse::<AppId>() else {
        return not_signed_in(url, NotSignedIn { app: None, code: "app_not_found" });
    };
    if method == Method::HEAD || asks_first(&headers) {
        return see_other(&format!("{}/sign-in?app={app}", url.path()));
    }
    let ip = peer.map(|peer| peer.0.0);
    if let Err(wait) = state.limit.take(Pace::SignIn, ip, state.service.ports.clock.now()) {
        let mut answer = not_signed_in(url, NotSignedIn { app: Some(app), code: "too_many_requests" });
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
        return answer;
    }
    match state.wallet_sign_in().begin(app, field(&query, "switch") == "1", ip).await {
        Ok(begun) => {
            remember(see_other(begun.target.as_str()), url, Visited::Wallet(begun.id), &begun.browser)
        }
        Err(why) => not_signed_in(url, why),
    }
}

/// Back from the identity provider. Whatever comes of it, no code stays in an address.
pub(crate) async fn redirected(
    State(state): State<Arc<ConnectState>>,
    RawQuery(query): RawQuery,
    peer: Option<Extension<PeerIp>>,
    headers: HeaderMap,
) -> Response {
    let url = &state.wallet_url;
    let params = parsed(query);
    let sign_in = WalletState::parse(field(&params, "state")).map(|state| state.sign_in());
    let answer = Answer { params, ip: peer.map(|peer| peer.0.0) };
    let before = WalletCookie::of(&headers, url);
    let received =
        state.wallet_sign_in().receive(answer, |id| known(&headers, url, Visited::Wallet(id)), before).await;
    let answer = match received {
        Ok(session) => signed_in(url, &session),
        Err(why @ NotSignedIn { app: Some(_), .. }) => not_signed_in(url, why),
        // It answers nothing that this browser has asked.
        Err(why) => return not_signed_in(url, why),
    };
    // The request is used up.
    match sign_in {
        Some(id) => forget(answer, url, Visited::Wallet(id)),
        None => answer,
    }
}

/// OAuth 2.0 Form Post Response Mode. The post comes from another site, and the cookie with it does not: the browser is sent to the
/// same address again, in a way that brings it.
pub(crate) async fn posted(State(state): State<Arc<ConnectState>>, body: Body) -> Response {
    let url = &state.wallet_url;
    match pairs(body).await {
        Ok(pairs) => {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            see_other(&format!("{}/api/auth/callback?{query}", url.path()))
        }
        Err(_) => not_signed_in(url, NotSignedIn { app: None, code: "sign_in_expired" }),
    }
}

fn signed_in(url: &PublicUrl, session: &WalletCookie) -> Response {
    let Some(cookie) = session.to_header(url) else {
        return Error::Internal("a cookie is not a header value".to_owned()).into_response();
    };
    let mut answer = see_other(&format!("{}/", url.path()));
    answer.headers_mut().append(header::SET_COOKIE, cookie);
    answer
}

fn not_signed_in(url: &PublicUrl, NotSignedIn { app, code }: NotSignedIn) -> Response {
    let app = app.map(|app| format!("app={app}&")).unwrap_or_default();
    see_other(&format!("{}/sign-in?{app}error={code}", url.path()))
}

fn parsed(query: Option<String>) -> Vec<(String, String)> {
    let query = query.filter(|query| query.len() <= MAX_QUERY_BYTES).unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}
