//! What stands around every function's routes, wherever it runs.

use axum::{Router, handler::Handler, middleware};

use super::request::frame;
use crate::{error::Error, state::Ports};

/// The routes with an answer for every path and method, security headers and request ids.
pub fn edge(routes: Router, ports: Ports) -> Router {
    edge_before(routes, ports, no_such_route)
}

/// The same, where something else answers the paths that no route has.
pub fn edge_before<T: 'static>(routes: Router, ports: Ports, rest: impl Handler<T, ()>) -> Router {
    routes
        .method_not_allowed_fallback(no_such_method)
        .fallback(rest)
        .layer(middleware::from_fn_with_state(ports, frame))
}

async fn no_such_route() -> Error {
    Error::NotFound("route")
}

async fn no_such_method() -> Error {
    Error::MethodNotAllowed
}
