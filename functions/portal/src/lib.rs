//! The operator's JSON API under `/portal/v1`: apps, keys, agents, managed secrets, grants, operator tokens, the record.
//!
//! Who calls it: operators with a token (`alter_pat_…`), through the command line or a client of their own. What it may
//! touch: configuration, and the vault table through a [`Sealer`]: it stores credentials and cannot open one. No answer
//! carries a credential; a fresh key or token is shown once, in the answer that makes it.

mod access;
mod agents;
mod apps;
mod audit;
mod extract;
mod grants;
mod input;
mod keys;
mod openapi;
mod secrets;
mod templates;
mod tokens;
mod view;

use alter_domain::state::{Ports, Sealer};
use axum::Router;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use openapi::openapi;

/// What the routes are handed.
#[derive(Clone)]
pub struct PortalState {
    pub ports: Ports,
    pub sealer: Sealer,
}

impl PortalState {
    pub fn new(ports: Ports, sealer: Sealer) -> Self {
        Self { ports, sealer }
    }
}

/// The largest request body, in bytes.
pub const REQUEST_LIMIT: usize = 256 * 1024;

/// The routes, with their full public paths.
pub fn router(state: PortalState) -> Router {
    described_routes().split_for_parts().0.with_state(state)
}

/// Every route together with its description: one cannot be added without the other.
fn described_routes() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new()
        .routes(routes!(openapi::document))
        .routes(routes!(tokens::me))
        .routes(routes!(tokens::list, tokens::mint))
        .routes(routes!(tokens::revoke))
        .routes(routes!(templates::list))
        .routes(routes!(templates::get))
        .routes(routes!(apps::list, apps::create))
        .routes(routes!(apps::get, apps::update))
        .routes(routes!(apps::archive))
        .routes(routes!(apps::unarchive))
        .routes(routes!(keys::list, keys::mint))
        .routes(routes!(keys::get, keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(agents::list, agents::create))
        .routes(routes!(agents::get, agents::revoke))
        .routes(routes!(secrets::list, secrets::create))
        .routes(routes!(secrets::get, secrets::update, secrets::delete))
        .routes(routes!(secrets::replace))
        .routes(routes!(grants::list, grants::create))
        .routes(routes!(grants::get))
        .routes(routes!(grants::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(audit::get))
        .routes(routes!(audit::list_of_org))
        .routes(routes!(audit::export_of_org))
}
