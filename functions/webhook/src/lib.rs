//! What identity providers tell of their users: who has left, who is suspended, who is no longer in a group.
//!
//! Who calls it: identity providers, at the addresses that the portal shows. What it may touch: users and their memberships,
//! tasks of ending what a user had, and audit for the record; it opens the HMAC keys of webhooks and no other key.

#[cfg(feature = "lambda")]
pub mod lambda;

use std::sync::Arc;

use alter_api_types::IdpId;
use alter_domain::{
    Error, Result,
    flow::identity::WebhookService,
    model::WebhookKind,
    oidc::MAX_TOKEN_CHARS,
    web::{body, read_body},
    webhook::MAX_BODY_BYTES,
};
use axum::{
    Json, Router,
    extract::{Path, Request, State},
    response::{IntoResponse as _, Response},
    routing,
};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

/// A logout token in a form, with room for its encoding and other fields.
const MAX_FORM_BYTES: usize = 4 * MAX_TOKEN_CHARS;

type Service = State<Arc<WebhookService>>;

/// The routes, with their full public paths.
pub fn router(service: WebhookService) -> Router {
    Router::new()
        .route("/webhooks/{idp_id}/auth0", routing::post(auth0))
        .route("/webhooks/{idp_id}/clerk", routing::post(clerk))
        .route("/webhooks/{idp_id}/workos", routing::post(workos))
        .route("/webhooks/{idp_id}/okta", routing::post(okta))
        .route("/webhooks/{idp_id}/okta", routing::get(okta_challenge))
        .route("/webhooks/{idp_id}/ssf", routing::post(shared_signals))
        .route("/webhooks/{idp_id}/backchannel-logout", routing::post(backchannel_logout))
        .with_state(Arc::new(service))
}

async fn auth0(service: Service, idp: Path<String>, request: Request) -> Result<Json<Value>> {
    events(service, &idp, WebhookKind::Auth0, request).await
}

async fn clerk(service: Service, idp: Path<String>, request: Request) -> Result<Json<Value>> {
    events(service, &idp, WebhookKind::Clerk, request).await
}

async fn workos(service: Service, idp: Path<String>, request: Request) -> Result<Json<Value>> {
    events(service, &idp, WebhookKind::WorkOs, request).await
}

async fn okta(service: Service, idp: Path<String>, request: Request) -> Result<Json<Value>> {
    events(service, &idp, WebhookKind::Okta, request).await
}

/// The handshake of an Okta event hook.
async fn okta_challenge(
    State(service): Service,
    Path(idp): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>> {
    let challenge = service.okta_challenge(id(&idp)?, &headers).await?;
    Ok(Json(json!({ "verification": challenge })))
}

/// A security event token, pushed (RFC 8935): 202 without a body, or an error in its section 2.3's form.
async fn shared_signals(State(service): Service, Path(idp): Path<String>, request: Request) -> Response {
    match take(&service, &idp, WebhookKind::Ssf, request, MAX_TOKEN_CHARS).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => in_form_of(error, |code, description| {
            let err =
                if code == "webhook_unauthorized" { "authentication_failed" } else { "invalid_request" };
            [("err", err.to_owned()), ("description", description)]
        }),
    }
}

/// A logout token in a form (OpenID Connect Back-Channel Logout 1.0 section 2.5), answered as its section 2.8 says.
async fn backchannel_logout(State(service): Service, Path(idp): Path<String>, request: Request) -> Response {
    match take(&service, &idp, WebhookKind::BackchannelLogout, request, MAX_FORM_BYTES).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => in_form_of(error, |code, description| {
            [("error", code.to_owned()), ("error_description", description)]
        }),
    }
}

async fn events(
    State(service): Service,
    idp: &str,
    kind: WebhookKind,
    request: Request,
) -> Result<Json<Value>> {
    take(&service, idp, kind, request, MAX_BODY_BYTES).await?;
    Ok(Json(json!({ "status": "ok" })))
}

async fn take(
    service: &WebhookService,
    idp: &str,
    kind: WebhookKind,
    request: Request,
    limit: usize,
) -> Result<()> {
    let (parts, body) = request.into_parts();
    let body = read_body(body, limit).await?;
    service.receive(id(idp)?, kind, &parts.headers, &body).await?;
    Ok(())
}

/// What is no id is nobody's, and answers like it.
fn id(text: &str) -> Result<IdpId> {
    text.parse().map_err(|_| Error::WebhookUnauthorized)
}

/// What a sender by this standard did wrong is a 400 with members that the standard names, beside the vault's own; what it may try
/// again is answered as everywhere.
fn in_form_of<const N: usize>(
    error: Error,
    members: impl FnOnce(&str, String) -> [(&'static str, String); N],
) -> Response {
    if !matches!(error, Error::WebhookUnauthorized | Error::InvalidRequest(_)) {
        return error.into_response();
    }
    let mut answer = body(&error);
    let code = alter_domain::web::code(&error);
    if let Value::Object(fields) = &mut answer {
        for (name, value) in members(code, error.to_string()) {
            fields.insert(name.to_owned(), value.into());
        }
    }
    (StatusCode::BAD_REQUEST, [(header::CONTENT_LANGUAGE, "en")], Json(answer)).into_response()
}
