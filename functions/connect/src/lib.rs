//! Connect: how an end user's account at a provider becomes a grant; and sign-in, how an app without a page of its own comes to
//! its user's token.
//!
//! Who calls it: the published clients (sessions, poll, catalogue), end users' browsers (the pages), providers and identity
//! providers by way of those browsers (the redirects back). What it may touch: configuration, users, sessions, grants and
//! connections; it opens signing keys, clients' secrets and, to renew them, connections' tokens. No answer carries any of these;
//! the one of a sign-in carries the user's own token, to the app that asked for it.

mod api;
mod assets;
mod auth;
mod browser;
mod callback;
mod catalog;
mod draw;
#[cfg(feature = "lambda")]
pub mod lambda;
mod outcome;
mod page;

use std::sync::Arc;

use alter_domain::{
    flow::{
        connect::ConnectService,
        identity::{IdentityService, sign_in::SignInService},
    },
    state::SigningKeys,
};
use axum::{Router, routing};

/// What the routes are handed.
#[derive(Clone)]
pub struct ConnectState {
    pub service: ConnectService,
    pub signing: SigningKeys,
    pub identity: IdentityService,
}

impl ConnectState {
    /// What signs end users in, made of the same parts.
    fn sign_in(&self) -> SignInService {
        let ConnectService { opener, sealer, public_url, under_way, .. } = self.service.clone();
        SignInService { identity: self.identity.clone(), opener, sealer, public_url, under_way }
    }
}

/// The routes, with their full public paths.
pub fn router(state: ConnectState) -> Router {
    Router::new()
        .route("/sdk/oauth/connect/session", routing::post(api::create))
        .route("/sdk/oauth/connect/session/poll", routing::post(api::poll))
        .route("/sdk/oauth/provider-catalog", routing::get(catalog::catalog))
        .route("/sdk/auth/session", routing::post(auth::create))
        .route("/sdk/auth/poll", routing::post(auth::poll))
        .route("/sdk/auth/verify-token", routing::post(auth::verify_token))
        .route("/sdk/auth/start/{start_key}", routing::get(auth::start))
        .route("/sdk/auth/start/{start_key}", routing::post(auth::confirmed))
        .route("/sdk/auth/callback", routing::get(auth::redirected))
        .route("/sdk/auth/callback", routing::post(auth::posted))
        .route("/sdk/auth/result/{sign_in_id}", routing::get(auth::result))
        .route("/sdk/identity/resolve", routing::post(auth::resolve))
        .route("/sdk/oauth/connect", routing::get(page::arrive))
        .route("/sdk/oauth/connect", routing::post(page::open))
        .route("/sdk/oauth/connect/assets/{name}", routing::get(assets::asset))
        .route("/sdk/oauth/connect/{session_id}", routing::get(page::show))
        .route("/sdk/oauth/connect/{session_id}/start", routing::post(page::start))
        .route("/sdk/oauth/connect/{session_id}/decline", routing::post(page::decline))
        .route("/sdk/oauth/connect/{session_id}/finish", routing::post(page::finish))
        .route("/sdk/oauth/callback/{app_id}/{provider_id}", routing::get(callback::redirected))
        .route("/sdk/oauth/callback/{app_id}/{provider_id}", routing::post(callback::posted))
        .with_state(Arc::new(state))
}
