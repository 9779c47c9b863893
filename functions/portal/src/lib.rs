//! The operator's JSON API under `/portal/v1`: apps, keys, agents, managed secrets, OAuth
//! providers, grants, identity providers and their users, operator tokens, the record.
//!
//! Who calls it: operators with a token (`alter_pat_…`), through the command line or a client of their own. What it may
//! touch: configuration, and the vault table through a [`Sealer`]: it stores credentials and cannot open one. It asks issuers
//! for their public documents, and sends no credential anywhere. No answer carries a credential; a fresh key or token is shown
//! once, in the answer that makes it.

mod access;
mod agents;
mod apps;
mod audit;
mod extract;
mod grants;
mod identity;
mod identity_input;
mod identity_view;
mod input;
mod keys;
mod openapi;
mod provider_input;
mod provider_view;
mod providers;
mod secrets;
mod templates;
mod tokens;
mod users;
mod view;

use std::sync::Arc;

use alter_domain::{
    egress::EgressRules,
    port::HttpClient,
    state::{Ports, Sealer},
};
use axum::{Router, handler::Handler, routing::MethodRouter};
use utoipa_axum::{PathItemExt, paste, router::OpenApiRouter, routes};

pub use openapi::openapi;

/// What the routes are handed.
#[derive(Clone)]
pub struct PortalState {
    pub ports: Ports,
    pub sealer: Sealer,
    /// Where providers send people back to: an origin, perhaps with a path, without a slash at its end.
    pub public_url: Arc<str>,
    /// The same of the Wallet, which may have a domain of its own.
    pub wallet_url: Arc<str>,
    /// What an operator's own definition of a provider may name, and what an issuer may be.
    pub rules: EgressRules,
    /// Fetches what issuers publish.
    pub http: Arc<dyn HttpClient>,
}

impl PortalState {
    pub fn new(
        ports: Ports,
        sealer: Sealer,
        public_url: &str,
        rules: EgressRules,
        http: Arc<dyn HttpClient>,
    ) -> Self {
        let public_url: Arc<str> = public_url.trim_end_matches('/').into();
        Self { ports, sealer, wallet_url: Arc::clone(&public_url), public_url, rules, http }
    }

    /// With the Wallet elsewhere than at `public_url`.
    #[must_use]
    pub fn with_wallet(self, wallet_url: &str) -> Self {
        Self { wallet_url: wallet_url.trim_end_matches('/').into(), ..self }
    }
}

/// The largest request body, in bytes.
pub const REQUEST_LIMIT: usize = 256 * 1024;

/// Every route, as the function that answers it. Where it is and what it takes stands at the function
/// (`#[utoipa::path]`), so that none can be added without its description.
macro_rules! each_route {
    ($with:ident) => {
        $with! {
            openapi::document,
            tokens::me, tokens::list, tokens::mint, tokens::revoke,
            templates::list, templates::get,
            apps::list, apps::create, apps::get, apps::update, apps::archive, apps::unarchive,
            apps::set_logo, apps::remove_logo,
            keys::list, keys::mint, keys::get, keys::revoke, keys::rotate,
            agents::list, agents::create, agents::get, agents::revoke,
            secrets::list, secrets::create, secrets::get, secrets::update, secrets::delete, secrets::replace,
            providers::list_known, providers::get_known, providers::list, providers::add, providers::get,
            providers::update, providers::delete, providers::set_secret, providers::enable, providers::disable,
            identity::get, identity::add, identity::update, identity::remove, identity::discover,
            identity::set_client, identity::remove_client,
            identity::webhooks, identity::set_webhook, identity::disable_webhook,
            users::list, users::get, users::suspend, users::reactivate, users::deprovision,
            grants::list, grants::create, grants::get, grants::revoke,
            audit::list, audit::export, audit::get, audit::list_of_org, audit::export_of_org,
        }
    };
}

/// The routes, with their full public paths. Made of paths and methods alone: describing them takes longer than all else
/// that a function does before its first request.
pub fn router(state: PortalState) -> Router {
    let mut router = Router::new();
    macro_rules! add {
        ($($module:ident :: $handler:ident),* $(,)?) => {
            $(router = paste! { at::<$module::[<__path_ $handler>], _, _>(router, &$module::$handler) };)*
        };
    }
    each_route!(add);
    router.with_state(state)
}

/// Every route with its description.
fn described_routes() -> OpenApiRouter<PortalState> {
    let mut router = OpenApiRouter::new();
    macro_rules! add {
        ($($module:ident :: $handler:ident),* $(,)?) => {
            $(router = router.routes(routes!($module::$handler));)*
        };
    }
    each_route!(add);
    router
}

/// The router with one more route, at the place that its description names.
fn at<D: utoipa::Path, H: Handler<T, PortalState>, T: 'static>(
    router: Router<PortalState>,
    handler: &H,
) -> Router<PortalState> {
    let methods = D::methods();
    let methods = methods.iter().map(PathItemExt::to_method_filter);
    let answers = methods.fold(MethodRouter::new(), |answers, method| answers.on(method, handler.clone()));
    router.route(&D::path(), answers)
}
