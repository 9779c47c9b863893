//! Connect: how an end user's account at a provider becomes a grant.
//!
//! Who calls it: the published clients (sessions, poll, catalogue), end users' browsers (the page), providers by way of
//! those browsers (the redirect back). What it may touch: configuration, sessions, grants and connections; it opens signing keys,
//! clients' secrets and, to renew them, connections' tokens. No answer carries any of these.

mod api;
mod assets;
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
    flow::{connect::ConnectService, identity::IdentityService},
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

/// The routes, with their full public paths.
pub fn router(state: ConnectState) -> Router {
    Router::new()
        .route("/sdk/oauth/connect/session", routing::post(api::create))
        .route("/sdk/oauth/connect/session/poll", routing::post(api::poll))
        .route("/sdk/oauth/provider-catalog", routing::get(catalog::catalog))
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
