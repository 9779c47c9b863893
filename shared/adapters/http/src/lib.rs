//! The one outbound HTTP client. Who calls it: `functions/local` and the Lambda mains, which put it into `Ports`; all
//! else sees [`HttpClient`]. What it may touch: the network, and nothing there that is not public.
//!
//! The guard sits in the connector, so it holds for every connection and costs nothing on a pooled one: the name is
//! resolved once, every address is checked, and one of the checked addresses is dialled; the name is not looked at
//! again until the next connection, where all of this happens again. No redirect is followed, no proxy variable read,
//! no cookie kept, no body decoded, no header added but `host` and the framing.

mod connect;
mod resolve;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::{error::Error, sync::Arc, time::Duration};

use alter_domain::{
    egress::check_method,
    port::{HttpClient, SendError},
};
use async_trait::async_trait;
use axum::body::Body;
use http::{Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper_util::{
    client::legacy::{self, Client},
    rt::{TokioExecutor, TokioTimer},
};

use connect::{ConnectError, Connector};
pub use resolve::{Resolve, SystemResolver};
pub use tls::RootsError;

/// How the client connects.
#[derive(Clone)]
pub struct ClientOptions {
    /// Local mode only: plain http, and loopback addresses, for `localhost` and loopback literals.
    pub allow_loopback_http: bool,
    /// For resolving, dialling and the TLS handshake together.
    pub connect_timeout: Duration,
    /// Certificates (PEM) to trust beside Mozilla's roots, for a company's own authority.
    pub extra_roots: Option<Vec<u8>>,
    pub pool_max_idle_per_host: usize,
    pub resolver: Arc<dyn Resolve>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            allow_loopback_http: false,
            connect_timeout: Duration::from_secs(10),
            extra_roots: None,
            pool_max_idle_per_host: 64,
            resolver: Arc::new(SystemResolver),
        }
    }
}

/// The guarded client. HTTP/1.1; connections are pooled and belong to the runtime that opened them, so each runtime
/// takes its own with [`GuardedClient::for_runtime`]. The TLS configuration is shared and built at the first connection.
pub struct GuardedClient {
    client: Client<Connector, Body>,
    connector: Connector,
    pool_max_idle_per_host: usize,
}

impl GuardedClient {
    /// Fails only when `extra_roots` is not a list of certificates.
    pub fn new(options: ClientOptions) -> Result<Self, RootsError> {
        let pool_max_idle_per_host = options.pool_max_idle_per_host;
        Ok(Self::with_connector(Connector::new(options)?, pool_max_idle_per_host))
    }

    /// The same client with a pool of its own, for another runtime.
    #[must_use]
    pub fn for_runtime(&self) -> Self {
        Self::with_connector(self.connector.clone(), self.pool_max_idle_per_host)
    }

    fn with_connector(connector: Connector, pool_max_idle_per_host: usize) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_max_idle_per_host(pool_max_idle_per_host)
            .http1_max_buf_size(MAX_RESPONSE_HEAD)
            // Only what provably was not written is sent again, on a fresh connection.
            .retry_canceled_requests(true)
            .build(connector.clone());
        Self { client, connector, pool_max_idle_per_host }
    }
}

#[async_trait]
impl HttpClient for GuardedClient {
    async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, SendError> {
        check_method(request.method()).map_err(|refused| SendError::Blocked(refused.to_string()))?;
        *request.version_mut() = Version::HTTP_11;
        // What the caller's own server or client left there (upgrades, header spelling) is no business of the upstream.
        request.extensions_mut().clear();
        let response = self.client.request(request).await.map_err(|error| classify(&error))?;
        let (mut parts, body) = response.into_parts();
        // Among them the reason phrase, which a server of ours would repeat to its client unscanned.
        parts.extensions.clear();
        Ok(Response::from_parts(
            parts,
            Body::new(body.map_err(|error| SendError::Broken(root_cause(&error)))),
        ))
    }
}

/// Below the 60 s after which common load balancers close an idle connection: a request that meets the closing is lost.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Status line and headers of a response, bytes, give or take one read of the socket; also the read buffer of bodies.
/// The number of headers is bounded by hyper's default of 100.
const MAX_RESPONSE_HEAD: usize = 64 * 1024;

fn classify(error: &legacy::Error) -> SendError {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(current) = cause {
        match current.downcast_ref::<ConnectError>() {
            Some(ConnectError::Blocked(reason)) => return SendError::Blocked((*reason).to_owned()),
            Some(failed) => return SendError::Connect(failed.to_string()),
            None => cause = current.source(),
        }
    }
    if error.is_connect() {
        SendError::Connect(root_cause(error))
    } else {
        SendError::Broken(root_cause(error))
    }
}

/// The innermost message. Neither hyper's errors nor those of the system carry headers, bodies or URLs.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
