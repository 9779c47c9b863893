//! `POST /sdk/managed-secrets/{secret_id}/grants` (wire protocol section 4.3): binds a managed secret to a principal.

use std::sync::Arc;

use alter_api_types::{
    SecretId,
    grants::{GrantPolicyInput, IssueGrantRequest, IssueGrantResponse, PrincipalInput},
};
use alter_domain::{
    Error, Result,
    flow::{Caller, NewGrant, issue_grant},
    model::{GrantPolicy, Principal, Surface},
    repo::{IdentityProviders, ManagedSecrets},
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
        principal: principal(&state, caller, input.principal).await?,
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

async fn principal(state: &GrantsState, caller: &Caller, input: PrincipalInput) -> Result<Principal> {
    let invalid = |message: &str| Error::field("invalid_principal", message);
    match input.kind.as_str() {
        "system" => Ok(Principal::System),
        "group" => {
            let named = || invalid("A group is named by external_group_id and idp_id.");
            let external_group_id = input.external_group_id.ok_or_else(named)?;
            let idp_id = if let Some(idp_id) = input.idp_id {
                idp_id
            } else {
                // The groups of an app are those of its one identity provider.
                let idps = IdentityProviders(state.ports.table.as_ref());
                idps.find(caller.app_id).await?.ok_or_else(named)?.value.id
            };
            Ok(Principal::Group { idp_id, external_group_id })
        }
        "user" => {
            let token = input.user_token.ok_or_else(|| invalid("A user is named by user_token."))?;
            let user = state.identity.identify(caller.app_id, &token, &caller.actor()).await?;
            Ok(user.principal())
        }
        "agent" => Err(invalid("Only an operator binds a secret to an agent.")),
        _ => Err(invalid("type is user, group or system.")),
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
