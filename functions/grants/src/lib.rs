//! Grants as applications and agents see them: `POST /sdk/grants/list`, and issuing a grant on a managed secret.
//!
//! Who calls it: the published clients. What it may touch: configuration, and audit for the record; it opens signing keys
//! and no credential.

mod issue;
#[cfg(feature = "lambda")]
pub mod lambda;
mod list;

use std::sync::Arc;

use alter_domain::{
    flow::identity::IdentityService,
    state::{Ports, SigningKeys},
};
use axum::{Router, routing};

/// What the routes are handed.
#[derive(Clone)]
pub struct GrantsState {
    pub ports: Ports,
    pub signing: SigningKeys,
    pub identity: IdentityService,
}

/// The routes, with their full public paths.
pub fn router(state: GrantsState) -> Router {
    Router::new()
        .route("/sdk/grants/list", routing::post(list::list))
        .route("/sdk/managed-secrets/{secret_id}/grants", routing::post(issue::issue))
        .with_state(Arc::new(state))
}
