//! `POST /sdk/managed-secrets/{secret_id}/grants` (wire protocol section 4.3): binds a managed secret to a principal.

use std::sync::Arc;

use alter_api_types::{
    SecretId,
    grants::{GrantPolicyInput, IssueGrantRequest, IssueGrantResponse, PrincipalInput},
};
use alter_domain::{
    Error, Result,
    flow::{NewGrant, issue_grant},
    model::{GrantPolicy, Principal, Surface},
    repo::ManagedSecrets,
    web::{PeerIp, read_json, signed},
};
use axum::{
    Json,
    extract::{Extension, Path, Request, State},
};
use jiff::Timestamp;

use crate::GrantsState;

pub(crate) async fn issue(
    State(state): State<Arc<GrantsState>>,
    Path(secret_id): Path<String>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Json<IssueGrantResponse>> {
    let ports = &state.ports;
    let request = signed(ports, &state.signing, peer.map(|peer| peer.0.0), request).await?;
    let caller = &request.caller;
    caller.scopes.require("secrets:write")?;
    if caller.agent().is_some() {
        // Agents reach what an operator mapped to them; they issue nothing themselves.
        return Err(Error::NotFound("managed secret"));
    }
    let secret_id: SecretId = secret_id.parse().map_err(|_| Error::NotFound("managed secret"))?;
    let input: IssueGrantRequest = read_json(&request.body)?;
    let secret = ManagedSecrets(ports.table.as_ref()).get(caller.app_id, secret_id).await?.value;
    if input.credential_id.is_some_and(|id| id != secret.credential_id) {
        return Err(Error::NotFound("credential"));
    }
    let label = input.principal.label.clone();
    let new = NewGrant {
        secret_id,
        principal: principal(input.principal)?,
        label,
        policy: policy(&input.grant_policy, ports.clock.now())?,
    };
    let grant = issue_grant(ports, (caller.org_id, caller.app_id), new, caller.actor(), Surface::Sdk).await?;
    Ok(Json(IssueGrantResponse {
        grant_id: grant.id,
        principal_type: grant.principal.kind().as_str().to_owned(),
        label: grant.label,
        created_at: grant.created_at,
        credential_id: grant.credential_id,
    }))
}

fn principal(input: PrincipalInput) -> Result<Principal> {
    match input.kind.as_str() {
        "system" => Ok(Principal::System),
        "group" => match (input.external_group_id, input.idp_id) {
            (Some(external_group_id), Some(idp_id)) => Ok(Principal::Group { idp_id, external_group_id }),
            _ => Err(Error::field("invalid_principal", "A group is named by external_group_id and idp_id.")),
        },
        // A user is known by a token of the app's identity provider, and no token can be verified without one.
        "user" => Err(Error::JwtValidation),
        "agent" => Err(Error::field("invalid_principal", "Only an operator binds a secret to an agent.")),
        _ => Err(Error::field("invalid_principal", "type is user, group or system.")),
    }
}

fn policy(input: &GrantPolicyInput, now: Timestamp) -> Result<GrantPolicy> {
    if let Some(name) = input.unknown.keys().next() {
        return Err(Error::field(
            "invalid_grant_policy",
            format!("grant_policy.{name} is not enforced by this vault."),
        ));
    }
    GrantPolicy::resolve(input.expires_at, input.default_ttl_seconds, input.max_ttl_seconds, now)
}
