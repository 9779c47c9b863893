//! `POST /sdk/auth/session`, `…/poll` and `…/verify-token` (wire protocol section 4.5).

use std::{sync::Arc, time::Duration};

use alter_api_types::{
    SecretText,
    sign_in::{SignInPoll, SignInSession, SignInStatus, SignedInUser, VerifiedToken, VerifyToken},
};
use alter_domain::{
    Error, Result,
    flow::identity::sign_in::SignInOutcome,
    repo::IdentityProviders,
    web::{PeerIp, Signed, read_json, signed},
};
use axum::{
    Json,
    extract::{Extension, Request, State},
};
use http::StatusCode;

use crate::ConnectState;

pub(crate) async fn create(
    State(state): State<Arc<ConnectState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<(StatusCode, Json<SignInSession>)> {
    let request = entered(&state, peer, request).await?;
    request.caller.scopes.require("connect:initiate")?;
    let made = state.sign_in().create(&request.caller).await?;
    let lifetime = made.sign_in.expires_at.duration_since(made.sign_in.created_at);
    let auth_url = format!("{}/sdk/auth/start/{}", state.service.public_url, made.start_key.expose_secret());
    let session_token = made.token.expose_secret().clone();
    let (expires_in, expires_at) = (lifetime.as_secs(), made.sign_in.expires_at);
    Ok((StatusCode::CREATED, Json(SignInSession { session_token, auth_url, expires_in, expires_at })))
}

pub(crate) async fn poll(
    State(state): State<Arc<ConnectState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Json<SignInStatus>> {
    let request = entered(&state, peer, request).await?;
    request.caller.scopes.require("connect:initiate")?;
    let input: SignInPoll = read_json(&request.body)?;
    let wait = Duration::from_millis(input.wait_ms.unwrap_or(0));
    let outcome = state.sign_in().poll(&request.caller, &input.session_token, wait).await?;
    Ok(Json(match outcome {
        SignInOutcome::Pending => SignInStatus::Pending,
        SignInOutcome::Expired => SignInStatus::Expired,
        SignInOutcome::Failed { code, message } => {
            SignInStatus::Error { error_message: message, error_code: code }
        }
        SignInOutcome::Completed { user_token, profile } => SignInStatus::Completed {
            user_token: SecretText::new(user_token.expose_secret().clone()),
            user_info: SignedInUser { sub: profile.sub, email: profile.email, name: profile.name },
        },
    }))
}

/// Whose token it is, for an app that has one and wants to know. Any key of the app's may ask: the answer says nothing that the
/// token does not.
pub(crate) async fn verify_token(
    State(state): State<Arc<ConnectState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Json<VerifiedToken>> {
    let request = entered(&state, peer, request).await?;
    let input: VerifyToken = read_json(&request.body)?;
    let app = request.caller.app_id;
    let idp = IdentityProviders(state.service.ports.table.as_ref()).find(app).await?;
    if idp.is_none() {
        return Err(Error::IdentityProviderNotConfigured);
    }
    let user = state.identity.identify(app, input.token.reveal(), &request.caller.actor()).await?;
    Ok(Json(VerifiedToken { sub: user.verified.sub.clone() }))
}

/// The entrance of these routes.
pub(super) async fn entered(
    state: &ConnectState,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Signed> {
    signed(&state.service.ports, &state.signing, peer.map(|peer| peer.0.0), request).await
}
