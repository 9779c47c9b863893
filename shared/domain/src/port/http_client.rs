//! The outbound HTTP client. The adapter is the egress guard: it resolves once, refuses addresses that are not public,
//! and dials the address that it checked. It follows no redirect, adds no header of its own but `host`, and keeps no
//! cookie.

use async_trait::async_trait;
use axum::body::Body;

/// Why no response came. None of these carries the request's headers or body.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum SendError {
    /// The destination is not allowed: scheme, or an address that is not public. Nothing was sent.
    #[error("destination refused: {0}")]
    Blocked(String),
    /// The name does not resolve, the connection or its TLS handshake failed or timed out. Nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The upstream did not answer in time. It may have acted.
    #[error("upstream timed out")]
    Timeout,
    /// The upstream broke the connection or the protocol. It may have acted.
    #[error("upstream failed: {0}")]
    Broken(String),
}

#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends to the request's absolute URI (already checked against the credential's hosts) and returns when the
    /// response head has arrived; the body streams. Times out as the adapter is configured for connecting; the caller
    /// bounds the rest.
    async fn send(&self, request: http::Request<Body>) -> Result<http::Response<Body>, SendError>;
}
