//! Which grant a request is about, and where it comes from.

use std::net::IpAddr;

use alter_api_types::GrantId;
use alter_domain::{Error, Result, web::PeerIp};
use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

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
pub(crate) struct Peer(pub(crate) Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self(parts.extensions.get::<PeerIp>().map(|peer| peer.0)))
    }
}
