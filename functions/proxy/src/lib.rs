//! The call: `POST /sdk/proxy` answers in JSON, `ANY /v1/forward` is the same call as a transparent stream, and
//! `POST /sdk/token` refuses, because no route ever returns credential material.
//!
//! Who calls it: applications and agents, with a signed request. What it may touch: configuration and audit tables through
//! [`CallService`], sealed credentials through its opener, and the network through the egress guard.

mod forward;
#[cfg(feature = "lambda")]
pub mod lambda;
mod proxy;
mod token;

use std::{sync::Arc, time::Duration};

use alter_domain::{
    flow::{CallService, PROXY_REPLY_LIMIT},
    port::HttpClient,
};
use axum::{Router, routing};

/// How long calls may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// The whole of a call through `/sdk/proxy`.
    pub proxy: Duration,
    /// From the end of the request to the first byte of the answer, on `/v1/forward`.
    pub forward_first_byte: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { proxy: Duration::from_secs(25), forward_first_byte: Duration::from_secs(60) }
    }
}

/// What the routes are handed.
#[derive(Clone)]
pub struct ProxyState {
    pub calls: CallService,
    pub timeouts: Timeouts,
    /// How much of a provider's reply `/sdk/proxy` passes on, in bytes; the rest is cut off, and the answer says so.
    pub reply_limit: usize,
}

impl ProxyState {
    pub fn new(calls: CallService) -> Self {
        Self { calls, timeouts: Timeouts::default(), reply_limit: PROXY_REPLY_LIMIT }
    }

    /// The same state with a client of its own, for a runtime of its own.
    #[must_use]
    pub fn with_http(mut self, http: Arc<dyn HttpClient>) -> Self {
        self.calls.http = Arc::clone(&http);
        self.calls.identity.http = http;
        self
    }

    /// The same state where an answer may not be as long as elsewhere.
    #[must_use]
    pub fn with_reply_limit(mut self, bytes: usize) -> Self {
        self.reply_limit = bytes;
        self
    }
}

/// The largest request body of the JSON routes and of a forwarded call whose body is signed, in bytes.
pub const REQUEST_LIMIT: usize = 6 * 1024 * 1024;

/// The routes, with their full public paths.
pub fn router(state: ProxyState) -> Router {
    Router::new()
        .route("/sdk/proxy", routing::post(proxy::proxy))
        .route("/sdk/token", routing::post(token::token))
        .route("/v1/forward", routing::any(forward::forward))
        .with_state(Arc::new(state))
}
