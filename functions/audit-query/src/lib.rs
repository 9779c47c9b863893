//! The record, as an app reads its own: `GET /v1/audit` by pages, `GET /v1/audit/export` as CSV or JSON lines
//! (docs/audit.md).
//!
//! Who calls it: applications and their agents, with a signed request. What it may touch: audit rows; it opens signing
//! keys and no credential.

use std::sync::Arc;

use alter_api_types::audit::{AuditPage, AuditQuery};
use alter_domain::{
    Error, Result,
    repo::AuditScope,
    state::{Ports, SigningKeys},
    web::{PeerIp, Signed, audit, signed},
};
use axum::{
    Json, Router,
    extract::{Extension, Query, Request, State},
    response::Response,
    routing,
};

/// What the routes are handed.
#[derive(Clone)]
pub struct AuditQueryState {
    pub ports: Ports,
    pub signing: SigningKeys,
}

/// The routes, with their full public paths.
pub fn router(state: AuditQueryState) -> Router {
    Router::new()
        .route("/v1/audit", routing::get(list))
        .route("/v1/audit/export", routing::get(export))
        .with_state(Arc::new(state))
}

async fn list(
    State(state): State<Arc<AuditQueryState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Json<AuditPage>> {
    let (scope, query) = admit(&state, peer, request).await?;
    audit::page(&state.ports, &scope, &query).await.map(Json)
}

async fn export(
    State(state): State<Arc<AuditQueryState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Response> {
    let (scope, query) = admit(&state, peer, request).await?;
    audit::export(&state.ports, scope, &query).await
}

/// An app reads its own record; an agent reads what it did itself.
async fn admit(
    state: &AuditQueryState,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<(AuditScope, AuditQuery)> {
    let Signed { caller, head, .. } =
        signed(&state.ports, &state.signing, peer.map(|peer| peer.0.0), request).await?;
    caller.scopes.require("audit_logs:read")?;
    let Query(mut query) = Query::<AuditQuery>::try_from_uri(&head.uri)
        .map_err(|error| Error::field("invalid_filter", error.body_text()))?;
    if let Some(agent) = caller.agent() {
        if query.agent_id.is_some_and(|asked| asked != agent) {
            return Err(Error::NotFound("agent"));
        }
        query.agent_id = Some(agent);
    }
    Ok((AuditScope::App(caller.app_id), query))
}
