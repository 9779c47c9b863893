//! `POST /sdk/grants/list` (wire protocol section 4.3): an app sees its grants, with a user's token what that user may use; an agent sees
//! its own.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use alter_api_types::{
    AppId, SecretId,
    grants::{
        GrantItem, GrantPolicyView, ListGrantsRequest, ListGrantsResponse, ManagedSecretGrant, OauthGrant,
    },
};
use alter_domain::{
    Error, Result,
    flow::{Connected, connections_of, usable_grants},
    model::{Connection, Grant, GrantSource, GrantStatus, ManagedSecret, Principal},
    repo::{AuditRows, GrantFilter, Grants, Listing, MAX_LISTED, ManagedSecrets, PrincipalFilter},
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
    let user = match &query.user_token {
        Some(token) => Some(state.identity.identify(caller.app_id, token, &caller.actor()).await?),
        None => None,
    };
    let now = ports.clock.now();
    let empty = |query: &ListGrantsRequest| ListGrantsResponse {
        grants: Vec::new(),
        total: 0,
        limit: query.limit,
        offset: query.offset,
        has_more: false,
        is_truncated: false,
    };
    // A status that no grant can have matches none, and nothing is both an agent's own and a user's.
    let status = query.status.as_deref().map(GrantStatus::parse);
    if status == Some(None) || (user.is_some() && caller.agent().is_some()) {
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
    let app = caller.app_id;
    let grants = Grants(ports.table.as_ref());
    let found = match (&user, &query.account) {
        (None, None) => grants.search(app, &filter, now, page).await?,
        (None, Some(account)) => {
            let all = grants.search(app, &filter, now, (0, MAX_LISTED)).await?;
            slice(of_account(ports, app, all, account).await?, page)
        }
        (Some(user), account) => {
            let all = usable_grants(ports, app, user, &filter, now).await?;
            slice(
                match account {
                    Some(account) => of_account(ports, app, all, account).await?,
                    None => all,
                },
                page,
            )
        }
    };
    let has_more = query.offset + found.grants.len() < found.total;
    let (total, is_truncated) = (found.total, found.truncated);
    let grants = items(ports, app, found.grants, now).await?;
    Ok(Json(ListGrantsResponse { grants, total, is_truncated, has_more, ..empty(&query) }))
}

/// Those of the matching grants that are on a connection to this account. The account is known to the connection alone, so
/// all that match otherwise are looked at; a grant on a managed secret has none.
async fn of_account(
    ports: &Ports,
    app: AppId,
    Listing { mut grants, truncated, .. }: Listing,
    account: &str,
) -> Result<Listing> {
    grants.retain(|grant| grant.source.connection_id().is_some());
    let connections = connections_of(ports, app, &grants).await?;
    grants.retain(|grant| {
        let connected = grant.source.connection_id().and_then(|id| connections.get(&id));
        let has = connected.and_then(|connected| connected.connection.account.as_ref());
        has.is_some_and(|has| {
            has.identifier == account
                || has.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(account))
        })
    });
    Ok(Listing { total: grants.len(), grants, truncated })
}

fn slice(all: Listing, (offset, limit): (usize, usize)) -> Listing {
    Listing { grants: all.grants.into_iter().skip(offset).take(limit).collect(), ..all }
}

/// The views of a page of grants, with what they are on and when they were last used.
async fn items(ports: &Ports, app: AppId, grants: Vec<Grant>, now: Timestamp) -> Result<Vec<GrantItem>> {
    let mut secrets: BTreeMap<SecretId, Option<ManagedSecret>> = BTreeMap::new();
    for id in grants.iter().filter_map(|grant| grant.source.secret_id()) {
        if let Entry::Vacant(secret) = secrets.entry(id) {
            secret.insert(match ManagedSecrets(ports.table.as_ref()).get(app, id).await {
                Ok(secret) => Some(secret.value),
                Err(Error::NotFound(_)) => None,
                Err(other) => return Err(other),
            });
        }
    }
    let connections = connections_of(ports, app, &grants).await?;
    let mut used = Vec::with_capacity(grants.len());
    for chunk in grants.chunks(100) {
        let ids: Vec<_> = chunk.iter().map(|grant| grant.id).collect();
        used.extend(AuditRows(ports.table.as_ref()).last_used(&ids).await?);
    }
    let views = grants.into_iter().zip(used).map(|(grant, used)| match grant.source {
        GrantSource::ManagedSecret { secret_id } => {
            let secret = secrets.get(&secret_id).and_then(Option::as_ref);
            GrantItem::ManagedSecret(on_secret(grant, secret_id, secret, used, now))
        }
        GrantSource::OAuth { connection_id } => {
            GrantItem::Oauth(on_connection(grant, connections.get(&connection_id), used, now))
        }
    });
    Ok(views.collect())
}

fn on_secret(
    grant: Grant,
    secret_id: SecretId,
    secret: Option<&ManagedSecret>,
    used: Option<Timestamp>,
    now: Timestamp,
) -> ManagedSecretGrant {
    ManagedSecretGrant {
        grant_id: grant.id,
        managed_secret_id: secret_id,
        managed_secret_name: secret.map_or_else(|| grant.provider_id.clone(), |secret| secret.name.clone()),
        managed_secret_slug: grant.provider_id.clone(),
        status: grant.status(now).as_str().to_owned(),
        principal_type: grant.principal.kind().as_str().to_owned(),
        access_via: OWNERSHIP.to_owned(),
        agent_id: match grant.principal {
            Principal::Agent { agent_id } => Some(agent_id),
            _ => None,
        },
        grant_policy: Some(policy(&grant)),
        grant_expires_at: grant.policy.expires_at,
        label: grant.label,
        account_identifier: None,
        credential_id: grant.credential_id,
        credential_kind: "developer".to_owned(),
        expires_at: None,
        last_used_at: used,
        depth: 0,
        delegable: false,
        created_at: grant.created_at,
    }
}

fn on_connection(
    grant: Grant,
    connected: Option<&Connected>,
    used: Option<Timestamp>,
    now: Timestamp,
) -> OauthGrant {
    let connection = connected.map(|connected| &connected.connection);
    let account = connection.and_then(|connection| connection.account.as_ref());
    OauthGrant {
        grant_id: grant.id,
        status: grant.status(now).as_str().to_owned(),
        principal_type: grant.principal.kind().as_str().to_owned(),
        access_via: OWNERSHIP.to_owned(),
        scopes: connection.map(|connection| connection.scopes.clone()).unwrap_or_default(),
        account_identifier: account.map(|account| account.identifier.clone()),
        account_display_name: account.and_then(|account| account.display_name.clone()),
        grant_policy: Some(policy(&grant)),
        grant_expires_at: grant.policy.expires_at,
        provider_id: grant.provider_id,
        label: grant.label,
        credential_id: grant.credential_id,
        parent_grant_id: None,
        api_base_url: connection.and_then(|connection| connection.delivery.api_origin()),
        expires_at: connection.and_then(|connection| connection.tokens.expires_at),
        last_used_at: used,
        delegated_at: None,
        scope_mismatch: connected.is_some_and(|connected| !connected.missing_scopes.is_empty()),
        // What is not there cannot be used.
        needs_reconnect: connection.is_none_or(Connection::needs_reconnect),
        delegable: false,
        delegated_agent_ids: Vec::new(),
        depth: 0,
        scope_constraint: None,
        created_at: grant.created_at,
    }
}

fn policy(grant: &Grant) -> GrantPolicyView {
    GrantPolicyView { expires_at: grant.policy.expires_at, max_ttl_seconds: grant.policy.max_ttl_seconds }
}

/// The holder's own, not handed on by somebody else.
const OWNERSHIP: &str = "ownership";
