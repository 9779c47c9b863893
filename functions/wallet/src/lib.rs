//! The Wallet's API (`/wallet/api/*`): what end users see of their grants and of the record, and how they end access.
//!
//! Who calls it: the Wallet's own page, with a session's cookie; nobody else is answered. What it may touch: sessions, users,
//! grants and connections, and audit rows. It is handed no key of any kind: signing people in, which needs one, is Connect's.

mod access;
mod activity;
mod approvals;
mod extract;
mod grants;
mod input;
#[cfg(feature = "lambda")]
pub mod lambda;
mod logo;
mod session;
mod view;

use std::sync::Arc;

use alter_domain::flow::wallet::WalletService;
use axum::{Router, routing};

/// The routes, with their full public paths.
pub fn router(service: WalletService) -> Router {
    Router::new()
        .route("/wallet/api/session", routing::get(session::show))
        .route("/wallet/api/sign-in", routing::get(session::offer))
        .route("/wallet/api/sign-out", routing::post(session::sign_out))
        .route("/wallet/api/overview", routing::get(grants::overview))
        .route("/wallet/api/grants/{grant_id}", routing::get(grants::show))
        .route("/wallet/api/grants/{grant_id}/revoke", routing::post(grants::revoke))
        .route("/wallet/api/grants/{grant_id}/extend", routing::post(grants::extend))
        .route("/wallet/api/approvals", routing::get(approvals::list))
        .route("/wallet/api/approvals/{approval_id}/decide", routing::post(approvals::decide))
        .route("/wallet/api/activity", routing::get(activity::page))
        .route("/wallet/api/activity/counts", routing::get(activity::counts))
        .route("/wallet/api/activity/export", routing::get(activity::export))
        .route("/wallet/api/logos/{app_id}/{digest}", routing::get(logo::show))
        .with_state(Arc::new(service))
}
