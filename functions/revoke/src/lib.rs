//! Ending access: `POST /sdk/oauth/grants/{grant_id}/revoke` (wire protocol section 4.3). The very next call fails.
//!
//! Who calls it: the published clients. What it may touch: grants, and audit for the record; it opens signing keys and no
//! credential.

#[cfg(feature = "lambda")]
pub mod lambda;

use std::sync::Arc;

use alter_api_types::{
    GrantId,
    grants::{RevokeGrantRequest, RevokeGrantResponse},
};
use alter_domain::{
    Error, Result,
    flow::{identity::IdentityService, revoke_grant},
    model::{GrantState, Surface},
    repo::Grants,
    state::{Ports, SigningKeys},
    web::{PeerIp, read_json, signed},
};
use axum::{
    Json, Router,
    extract::{Extension, Path, Request, State},
    routing,
};

/// What the routes are handed.
#[derive(Clone)]
pub struct RevokeState {
    pub ports: Ports,
    pub signing: SigningKeys,
    pub identity: IdentityService,
}

/// The routes, with their full public paths.
pub fn router(state: RevokeState) -> Router {
    Router::new()
        .route("/sdk/oauth/grants/{grant_id}/revoke", routing::post(revoke))
        .with_state(Arc::new(state))
}

async fn revoke(
    State(state): State<Arc<RevokeState>>,
    Path(grant_id): Path<String>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Json<RevokeGrantResponse>> {
    let ports = &state.ports;
    let request = signed(ports, &state.signing, peer.map(|peer| peer.0.0), request).await?;
    let caller = &request.caller;
    caller.scopes.require("grants:write")?;
    let input: RevokeGrantRequest = read_json(&request.body)?;
    let id: GrantId = grant_id.parse().map_err(|_| Error::grant_not_found())?;
    if caller.agent().is_some() {
        // Revoking is the app's, the operator's and the end user's.
        return Err(Error::GrantNotFound { provider_id: None, agent_id: caller.agent() });
    }
    if let Some(token) = &input.user_token {
        // Users end what is theirs; what a group has is not one member's to end.
        let user = state.identity.identify(caller.app_id, token, &caller.actor()).await?;
        let grant = Grants(ports.table.as_ref()).get(caller.app_id, id).await?;
        if grant.value.principal != user.principal() {
            return Err(Error::grant_not_found());
        }
    }
    let org_and_app = (caller.org_id, caller.app_id);
    let revoked = revoke_grant(ports, org_and_app, id, input.reason, caller.actor(), Surface::Sdk).await;
    let grant = revoked.map_err(|error| match error {
        // The published protocol tells a revoked grant and a missing one alike here.
        Error::GrantRevoked { .. } => Error::grant_not_found(),
        other => other,
    })?;
    let revoked_at = match grant.state {
        GrantState::Revoked { at, .. } => at,
        GrantState::Active => return Err(Error::Internal("a revoked grant is active".to_owned())),
    };
    Ok(Json(RevokeGrantResponse {
        success: true,
        message: "The grant is revoked.".to_owned(),
        grant_id: grant.id,
        revoked_at,
    }))
}
