//! `POST /sdk/oauth/connect/session` and `…/poll` (wire protocol section 4.4).

use std::sync::Arc;

use alter_api_types::{
    GrantId,
    connect::{
        ConnectedGrant, ConnectedPolicy, CreateSessionRequest, CreateSessionResponse, DeclinedProvider,
        FailedGrant, PollError, PollRequest, PollResponse, RequestedGrant,
    },
    grants::GrantPolicyInput,
};
use alter_domain::{
    Error, Result,
    flow::connect::{NewSession, allowed_origin, return_url},
    model::{ConnectSession, Progress, SessionOutcome, SessionTerms, origin},
    web::{PeerIp, read_json, signed},
};
use axum::{
    Json,
    extract::{Extension, Request, State},
};
use jiff::Timestamp;
use serde_json::Value;

use crate::ConnectState;

pub(crate) async fn create(
    State(state): State<Arc<ConnectState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Json<CreateSessionResponse>> {
    let service = &state.service;
    let request = signed(&service.ports, &state.signing, peer.map(|peer| peer.0.0), request).await?;
    request.caller.scopes.require("connect:initiate")?;
    let mut input: CreateSessionRequest = read_json(&request.body)?;
    let user_token = input.user_token.take();
    let new = new_session(input, user_token.is_some())?;
    let user = match &user_token {
        Some(token) => {
            let (app, actor) = (request.caller.app_id, request.caller.actor());
            Some(state.identity.identify(app, token.reveal(), &actor).await?)
        }
        None => None,
    };
    let (session, token) = service.create_session(&request.caller, new, user.as_ref()).await?;
    let token = token.into_text();
    Ok(Json(CreateSessionResponse {
        connect_url: format!("{}/sdk/oauth/connect#session={}", service.public_url, token.expose_secret()),
        session_token: token.expose_secret().clone(),
        expires_in: session.expires_at.duration_since(session.created_at).as_secs(),
        expires_at: session.expires_at,
        single_provider: session.providers.len() == 1,
        direct: session.direct,
    }))
}

pub(crate) async fn poll(
    State(state): State<Arc<ConnectState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Json<PollResponse>> {
    let service = &state.service;
    let request = signed(&service.ports, &state.signing, peer.map(|peer| peer.0.0), request).await?;
    request.caller.scopes.require("connect:initiate")?;
    let input: PollRequest = read_json(&request.body)?;
    let session = service.poll_session(&request.caller, &input.session_token).await?;
    let now = service.ports.clock.now();
    Ok(Json(session.map_or(PollResponse::Expired, |session| result(&session, now))))
}

/// What the app asks for. Whatever this version does not enforce is refused, never ignored.
fn new_session(input: CreateSessionRequest, of_user: bool) -> Result<NewSession> {
    if input.agent.is_some() {
        return Err(if of_user {
            Error::field("delegation_not_supported", "This vault does not delegate to agents yet.")
        } else {
            Error::field("agent_requires_user_token", "A delegation to an agent needs the user's token.")
        });
    }
    if input.delegable.is_some() {
        return Err(Error::field("delegable_requires_agent", "delegable needs an agent to delegate to."));
    }
    if input.scope_constraint.is_some() {
        return Err(Error::field("invalid_scope_constraint", "scope_constraint needs an agent to narrow."));
    }
    if let Some(name) = input.unknown.keys().next() {
        return Err(Error::field("unknown_field", format!("This vault does not know the field {name:?}.")));
    }
    let metadata = input.metadata.unwrap_or_default();
    if let Some(name) = metadata.keys().find(|name| !["ip_address", "user_agent"].contains(&name.as_str())) {
        return Err(Error::field(
            "invalid_metadata",
            format!("metadata has ip_address and user_agent, not {name:?}."),
        ));
    }
    let switch_account = input.switch_account.unwrap_or(false);
    let repair = match &input.repair_grant_id {
        Some(id) => Some(id.parse::<GrantId>().map_err(|_| Error::grant_not_found())?),
        None => None,
    };
    if repair.is_some() && (input.requested_grant.is_some() || switch_account) {
        return Err(Error::field(
            "invalid_repair",
            "repair_grant_id goes with neither requested_grant nor switch_account.",
        ));
    }
    Ok(NewSession {
        providers: input.allowed_providers,
        return_url: input.return_url.as_deref().map(return_url).transpose()?.map(Into::into),
        allowed_origin: input.allowed_origin.as_deref().map(allowed_origin).transpose()?,
        terms: terms(&input.grant_policy.unwrap_or_default(), input.requested_grant)?,
        scopes: input.required_scopes.unwrap_or_default(),
        direct: input.direct.unwrap_or(false),
        switch_account,
        repair,
        metadata: metadata.into_iter().filter_map(|(name, value)| Some((name, said(&value)?))).collect(),
    })
}

/// A text of the app's, short enough for a row.
fn said(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    Some(text.chars().filter(|c| !c.is_control()).take(256).collect())
}

fn terms(policy: &GrantPolicyInput, requested: Option<RequestedGrant>) -> Result<SessionTerms> {
    if let Some(name) = policy.unknown.keys().next() {
        return Err(Error::field(
            "invalid_grant_policy",
            format!("grant_policy.{name} is not enforced by this vault."),
        ));
    }
    let label = match requested {
        None => None,
        Some(requested) => {
            let unknown = requested.unknown.keys().next().map(String::as_str);
            let refused = requested.restrictions.as_ref().map_or(unknown, |_| Some("restrictions"));
            if let Some(name) = refused {
                return Err(Error::field(
                    "invalid_requested_grant",
                    format!("requested_grant.{name} is not enforced by this vault."),
                ));
            }
            let label = requested.label;
            Some(label.ok_or_else(|| Error::field("invalid_label", "requested_grant has a label."))?)
        }
    };
    Ok(SessionTerms {
        label,
        expires_at: policy.expires_at,
        default_ttl_seconds: policy.default_ttl_seconds,
        max_ttl_seconds: policy.max_ttl_seconds,
    })
}

fn result(session: &ConnectSession, now: Timestamp) -> PollResponse {
    match session.outcome(now) {
        SessionOutcome::Pending => PollResponse::Pending { declined_providers: declined(session) },
        SessionOutcome::Expired => PollResponse::Expired,
        SessionOutcome::Ended { code, message } => {
            let (error_code, error_message) = (code.to_owned(), message.to_owned());
            PollResponse::Error { error: PollError { error_code, error_message } }
        }
        SessionOutcome::Completed => PollResponse::Completed {
            grants: granted(session),
            failed_grants: failed(session),
            declined_providers: declined(session),
        },
    }
}

fn granted(session: &ConnectSession) -> Vec<ConnectedGrant> {
    let grants = session.connected().map(|(provider_id, connected)| ConnectedGrant {
        grant_id: connected.grant_id,
        provider_id: provider_id.to_owned(),
        scopes: connected.scopes.clone(),
        account_identifier: connected.account.as_ref().map(|account| account.identifier.clone()),
        account_display_name: connected.account.as_ref().and_then(|account| account.display_name.clone()),
        api_base_url: connected.api_base_url.as_deref().and_then(origin),
        operation: connected.operation.as_str().to_owned(),
        grant_policy: connected.expires_at.map(|expires_at| ConnectedPolicy {
            expires_at,
            created_by: "app".to_owned(),
            created_at: connected.grant_created_at,
        }),
    });
    grants.collect()
}

fn failed(session: &ConnectSession) -> Vec<FailedGrant> {
    let failed = session.providers.iter().filter_map(|provider| match &provider.progress {
        Progress::Failed { code, message, .. } => Some(FailedGrant {
            provider_id: provider.provider_id.clone(),
            reason: code.clone(),
            message: message.clone(),
        }),
        _ => None,
    });
    failed.collect()
}

fn declined(session: &ConnectSession) -> Vec<DeclinedProvider> {
    let declined = session.providers.iter().filter_map(|provider| match &provider.progress {
        Progress::Declined { code, at } => Some(DeclinedProvider {
            provider_id: provider.provider_id.clone(),
            error_code: code.clone(),
            declined_at: *at,
        }),
        _ => None,
    });
    declined.collect()
}
