//! Who is signed in, who could be, and the way out.

use std::sync::Arc;

use alter_api_types::{
    AppId,
    wallet::{SessionView, SignInOptions, SignedOut},
};
use alter_domain::{
    Error, Result,
    flow::wallet::{Pace, WalletCookie, WalletService, app_card},
    model::WALLET_IDLE,
    repo::Apps,
    web::PeerIp,
};
use axum::{
    Json,
    extract::{Extension, Query, State, rejection::QueryRejection},
    response::{AppendHeaders, IntoResponse},
};
use http::header;
use serde::Deserialize;

use crate::{
    access::{Guest, Leaver, Reader},
    input::Input,
};

pub(crate) async fn show(
    State(service): State<Arc<WalletService>>,
    Reader(signed_in): Reader,
) -> Result<Json<SessionView>> {
    let (session, user) = (&signed_in.session, &signed_in.user);
    let app = Apps(service.ports.table.as_ref()).get(session.org_id, session.app_id).await?.value;
    Ok(Json(SessionView {
        user_id: user.id,
        name: user.name.clone(),
        email: user.email.clone(),
        subject: user.identity.subject.clone(),
        issuer: session.issuer.clone(),
        csrf_token: signed_in.browser.csrf_token(),
        expires_at: session.expires_at(),
        idle_seconds: WALLET_IDLE.as_secs(),
        app: app_card(&service.url, &app),
    }))
}

#[derive(Deserialize)]
pub(crate) struct Named {
    #[serde(default)]
    app: String,
}

/// For everybody. An app that does not exist, and one that lets nobody in, look the same.
pub(crate) async fn offer(
    State(service): State<Arc<WalletService>>,
    _: Guest,
    peer: Option<Extension<PeerIp>>,
    query: Result<Query<Named>, QueryRejection>,
) -> Result<Json<SignInOptions>> {
    let taken = service.limit.take(Pace::Page, peer.map(|peer| peer.0.0), service.ports.clock.now());
    taken.map_err(|retry_after| Error::TooManyRequests { retry_after })?;
    let named = query.ok().and_then(|Query(named)| named.app.parse::<AppId>().ok());
    let (app, apps) = service.offer(named).await?;
    Ok(Json(SignInOptions {
        app: app.map(|app| app_card(&service.url, &app)),
        apps: apps.iter().map(|app| app_card(&service.url, app)).collect(),
    }))
}

/// The browser forgets its cookie, whatever it was still good for.
pub(crate) async fn sign_out(
    State(service): State<Arc<WalletService>>,
    Leaver(cookie): Leaver,
    Input(_): Input<serde::de::IgnoredAny>,
) -> Result<impl IntoResponse> {
    let location = service.sign_out(&cookie).await?;
    let gone = WalletCookie::gone(&service.url);
    let gone = AppendHeaders(gone.map(|gone| (header::SET_COOKIE, gone)));
    Ok((gone, Json(SignedOut { location })))
}
