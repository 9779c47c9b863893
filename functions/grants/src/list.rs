//! `POST /sdk/grants/list` (wire protocol section 4.3): an app sees its grants, an agent its own.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use alter_api_types::{
    SecretId,
    grants::{GrantItem, GrantPolicyView, ListGrantsRequest, ListGrantsResponse, ManagedSecretGrant},
};
use alter_domain::{
    Error, Result,
    model::{Grant, GrantStatus, ManagedSecret, Principal},
    repo::{AuditRows, GrantFilter, Grants, ManagedSecrets, PrincipalFilter},
    state::Ports,
    web::{PeerIp, read_json, signed},
};
use axum::{
    Json,
    extract::{Extension, Request, State},
};
use jiff::Timestamp;

use crate::GrantsState;

pub(crate) async fn list(
    State(state): State<Arc<GrantsState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Json<ListGrantsResponse>> {
    let ports = &state.ports;
    let request = signed(ports, &state.signing, peer.map(|peer| peer.0.0), request).await?;
    let caller = &request.caller;
    caller.scopes.require("grants:read")?;
    let query: ListGrantsRequest = read_json(&request.body)?;
    if !(1..=1000).contains(&query.limit) {
        return Err(Error::field("invalid_limit", "limit is 1 to 1000."));
    }
    if query.user_token.is_some() {
        return Err(Error::JwtValidation);
    }
    let now = ports.clock.now();
    let empty = |query: &ListGrantsRequest| ListGrantsResponse {
        grants: Vec::new(),
        total: 0,
        limit: query.limit,
        offset: query.offset,
        has_more: false,
        is_truncated: false,
    };
    // A managed secret has no account; a status that no grant can have matches none.
    let status = query.status.as_deref().map(GrantStatus::parse);
    if query.account.is_some() || status == Some(None) {
        return Ok(Json(empty(&query)));
    }
    let filter = GrantFilter {
        provider_id: query.provider_id.clone(),
        status: status.flatten(),
        label: query.label.clone(),
        principal: match caller.agent() {
            Some(agent_id) => PrincipalFilter::Exactly(Principal::Agent { agent_id }),
            None => PrincipalFilter::Any,
        },
    };
    let page = (query.offset, query.limit);
    let found = Grants(ports.table.as_ref()).search(caller.app_id, &filter, now, page).await?;
    let has_more = query.offset + found.grants.len() < found.total;
    let (total, is_truncated) = (found.total, found.truncated);
    let grants = items(ports, found.grants, now).await?;
    Ok(Json(ListGrantsResponse { grants, total, is_truncated, has_more, ..empty(&query) }))
}

/// The views of a page of grants, with the names of their secrets and when they were last used.
async fn items(ports: &Ports, grants: Vec<Grant>, now: Timestamp) -> Result<Vec<GrantItem>> {
    let mut names: BTreeMap<SecretId, Option<ManagedSecret>> = BTreeMap::new();
    for grant in &grants {
        if let Entry::Vacant(name) = names.entry(grant.secret_id) {
            name.insert(
                match ManagedSecrets(ports.table.as_ref()).get(grant.app_id, grant.secret_id).await {
                    Ok(secret) => Some(secret.value),
                    Err(Error::NotFound(_)) => None,
                    Err(other) => return Err(other),
                },
            );
        }
    }
    let mut used = Vec::with_capacity(grants.len());
    for chunk in grants.chunks(100) {
        let ids: Vec<_> = chunk.iter().map(|grant| grant.id).collect();
        used.extend(AuditRows(ports.table.as_ref()).last_used(&ids).await?);
    }
    let views = grants.into_iter().zip(used).map(|(grant, used)| {
        let secret = names.get(&grant.secret_id).and_then(Option::as_ref);
        view(grant, secret, used, now)
    });
    Ok(views.collect())
}

fn view(grant: Grant, secret: Option<&ManagedSecret>, used: Option<Timestamp>, now: Timestamp) -> GrantItem {
    let expires_at = grant.policy.expires_at;
    GrantItem::ManagedSecret(ManagedSecretGrant {
        grant_id: grant.id,
        managed_secret_id: grant.secret_id,
        managed_secret_name: secret.map_or_else(|| grant.provider_id.clone(), |secret| secret.name.clone()),
        managed_secret_slug: grant.provider_id.clone(),
        status: grant.status(now).as_str().to_owned(),
        principal_type: grant.principal.kind().as_str().to_owned(),
        access_via: "ownership".to_owned(),
        agent_id: match grant.principal {
            Principal::Agent { agent_id } => Some(agent_id),
            _ => None,
        },
        label: grant.label,
        account_identifier: None,
        credential_id: grant.credential_id,
        credential_kind: "developer".to_owned(),
        grant_policy: Some(GrantPolicyView { expires_at, max_ttl_seconds: grant.policy.max_ttl_seconds }),
        grant_expires_at: expires_at,
        expires_at: None,
        last_used_at: used,
        depth: 0,
        delegable: false,
        created_at: grant.created_at,
    })
}
