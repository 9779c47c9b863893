//! `POST /sdk/token`: retrieve mode. Refused for every key and every grant (wire protocol section 4.2), in the form that
//! the published client understands.

use std::sync::Arc;

use alter_domain::{
    Error, Result,
    auth::Presented,
    flow::authenticate,
    web::{PeerIp, read_body},
};
use axum::extract::{Extension, Request, State};

use crate::{ProxyState, REQUEST_LIMIT};

pub(crate) async fn token(
    State(state): State<Arc<ProxyState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<()> {
    let (head, body) = request.into_parts();
    let calls = &state.calls;
    let presented = Presented::from_head(&head, peer.map(|peer| peer.0.0), calls.ports.clock.now())?;
    presented.check_body(&read_body(body, REQUEST_LIMIT).await?)?;
    authenticate(&calls.ports, &calls.signing, &presented).await?;
    Err(Error::RestrictedGrantRequiresProxy)
}
