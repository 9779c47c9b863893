//! Connect: how an end user's account at a provider becomes a grant; and sign-in, how an app without a page of its own comes to
//! its user's token, and how people come into the Wallet.
//!
//! Who calls it: the published clients (sessions, poll, catalogue), end users' browsers (the pages), providers and identity
//! providers by way of those browsers (the redirects back). What it may touch: configuration, users, sessions, grants and
//! connections; it opens signing keys, clients' secrets and, to renew them, connections' tokens. No answer carries any of these;
//! the one of a sign-in carries the user's own token, to the app that asked for it.

mod api;
mod assets;
mod auth;
mod brand;
mod browser;
mod callback;
mod catalog;
mod draw;
#[cfg(feature = "lambda")]
pub mod lambda;
mod outcome;
mod page;
mod wallet;

use std::sync::Arc;

use alter_domain::{
    flow::{
        connect::{ConnectService, PublicUrl},
        identity::{IdentityService, sign_in::SignInService},
        wallet::{RateLimit, WalletSignInService},
    },
    state::SigningKeys,
};
use axum::{Router, routing};

/// What the routes are handed.
#[derive(Clone)]
pub struct ConnectState {
    pub service: ConnectService,
    /// Where browsers reach the Wallet, whose end users are signed in here: not where Connect is, if it has a domain of its own.
    pub wallet_url: PublicUrl,
    /// How often one address may begin to sign in there. One for the process.
    pub limit: RateLimit,
    pub signing: SigningKeys,
    pub identity: IdentityService,
}

impl ConnectState {
    /// What signs end users in, made of the same parts.
    fn sign_in(&self) -> SignInService {
        let ConnectService { opener, sealer, public_url, under_way, .. } = self.service.clone();
        SignInService { identity: self.identity.clone(), opener, sealer, public_url, under_way }
    }

    /// What signs them in to the Wallet.
    fn wallet_sign_in(&self) -> WalletSignInService {
        let ConnectService { opener, under_way, .. } = self.service.clone();
        let (identity, url) = (self.identity.clone(), self.wallet_url.clone());
        WalletSignInService { identity, opener, url, under_way }
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
        .route("/api/auth/sign-in", routing::get(wallet::start))
        .route("/api/auth/callback", routing::get(wallet::redirected))
        .route("/api/auth/callback", routing::post(wallet::posted))
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
