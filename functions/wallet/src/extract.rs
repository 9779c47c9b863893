//! From the request to values: a grant's id in the path, and JSON bodies.

use std::sync::Arc;

use alter_api_types::GrantId;
use alter_domain::{
    Error, Result,
    flow::wallet::WalletService,
    web::{PeerIp, read_body, read_json},
};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use http::{HeaderMap, header, request::Parts};
use serde::de::DeserializeOwned;

/// The longest body, in bytes: a reason of 2048 bytes with every one of them escaped, and room.
const REQUEST_LIMIT: usize = 16 * 1024;

/// The grant that a path names. What is no id names nothing.
pub(crate) struct Named(pub(crate) GrantId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| Error::grant_not_found())?;
        let text = params.iter().find_map(|(name, text)| (name == "grant_id").then_some(text));
        text.and_then(|text| text.parse().ok()).map(Self).ok_or_else(Error::grant_not_found)
    }
}

/// Where the request comes from, for the record.
pub(crate) struct Peer(pub(crate) Option<std::net::IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self(parts.extensions.get::<PeerIp>().map(|peer| peer.0)))
    }
}

/// A JSON body, and said to be one: other types can be sent from other sites' forms.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<WalletService>> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &Arc<WalletService>) -> Result<Self> {
        let (head, body) = request.into_parts();
        if !is_json(&head.headers) {
            return Err(Error::UnsupportedMediaType);
        }
        read_json(&read_body(body, REQUEST_LIMIT).await?).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}
