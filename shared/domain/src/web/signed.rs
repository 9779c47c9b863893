//! The entrance of every signed route but the call itself.

use std::net::IpAddr;

use axum::extract::Request;
use bytes::Bytes;
use http::request::Parts;

use super::read_body;
use crate::{
    auth::Presented,
    error::Result,
    flow::{Caller, authenticate},
    state::{Ports, SigningKeys},
};

/// The largest body of a signed route that carries no call, in bytes.
const LIMIT: usize = 256 * 1024;

/// An authenticated request with its whole body.
pub struct Signed {
    pub caller: Caller,
    pub head: Parts,
    pub body: Bytes,
}

/// Reads the request, checks its hash and signature, and uses up its nonce.
pub async fn signed(
    ports: &Ports,
    signing: &SigningKeys,
    peer: Option<IpAddr>,
    request: Request,
) -> Result<Signed> {
    let (head, body) = request.into_parts();
    let presented = Presented::from_head(&head, peer, ports.clock.now())?;
    let body = read_body(body, LIMIT).await?;
    presented.check_body(&body)?;
    let caller = authenticate(ports, signing, &presented).await?;
    Ok(Signed { caller, head, body })
}
