//! A small public document of an identity provider, fetched within bounds.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::{
    egress::{EgressError, EgressRules, Target, decode_body},
    port::{HttpClient, SendError},
};

/// Why there is no document. None of these quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nothing was sent.
    #[error("the address is refused: {0}")]
    Address(#[from] EgressError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("no complete answer in {} seconds", TIMEOUT.as_secs())]
    Timeout,
    /// A redirect, too: nothing follows it.
    #[error("answered with status {0}")]
    Status(StatusCode),
    #[error("the answer has more than {} KB", MAX_BYTES / 1024)]
    TooLarge,
    #[error("the answer broke off, or its encoding is not understood")]
    Broken,
}

/// From the first byte sent to the last one received.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Also of what is compressed.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// GETs a document: no redirect, no cookie, no credential.
pub(super) async fn document(http: &dyn HttpClient, target: &Target) -> Result<Bytes, FetchError> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = target.uri();
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let exchange = async {
        let response = http.send(request).await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let response = decode_body(response).map_err(|_| FetchError::Broken)?;
        match Limited::new(response.into_body(), MAX_BYTES).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(FetchError::TooLarge),
            Err(_) => Err(FetchError::Broken),
        }
    };
    tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or(Err(FetchError::Timeout))
}

/// An address of a provider: https, or what the deployment permits beyond.
pub(super) fn target(address: &str, rules: EgressRules) -> Result<Target, FetchError> {
    Ok(Target::parse(address, &rules)?)
}

/// Several providers refuse requests without one.
const USER_AGENT: &str = concat!("alter-vault/", env!("CARGO_PKG_VERSION"));
