//! What stands around every function's routes, wherever it runs.

use axum::{Router, middleware};

use super::request::frame;
use crate::{error::Error, state::Ports};

/// The routes with an answer for every path and method, security headers and request ids.
pub fn edge(routes: Router, ports: Ports) -> Router {
    routes
        .method_not_allowed_fallback(no_such_method)
        .fallback(no_such_route)
        .layer(middleware::from_fn_with_state(ports, frame))
}

async fn no_such_route() -> Error {
    Error::NotFound("route")
}

async fn no_such_method() -> Error {
    Error::MethodNotAllowed
}
