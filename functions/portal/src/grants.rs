//! Grants of an app.

use alter_api_types::{
    AgentId, AppId, ErrorBody, GrantId, UserId,
    portal::{self, BaseGrant, CreateGrant, GrantView, Page, RevokeGrant},
};
use alter_domain::{
    Error, Result,
    flow::{NewGrant, connections_of, issue_grant, revoke_grant},
    model::{Grant, GrantStatus, Principal, PrincipalType, Surface},
    repo::{AuditRows, GrantFilter, Grants, PrincipalFilter},
    state::Ports,
};
use axum::{Json, extract::State};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    PortalState,
    access::{Admin, InApp, Read, Write},
    extract::{Body, Named, OptionalBody, Params, limit},
    input, view,
};

/// All conditions hold at once.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GrantParams {
    /// Items in a page: 1 to 1000, 100 by default. A page may be shorter although more follow.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    status: Option<portal::GrantStatus>,
    /// The slug of a managed secret, or the id of an OAuth provider.
    provider_id: Option<String>,
    principal_type: Option<portal::PrincipalType>,
    user_id: Option<UserId>,
    agent_id: Option<AgentId>,
}

/// List an app's grants
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/grants", tag = "grants", params(GrantParams),
    operation_id = "list_grants", responses((status = 200, body = Page<GrantView>)))]
pub(crate) async fn list(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Params(params): Params<GrantParams>,
) -> Result<Json<Page<GrantView>>> {
    let limit = limit(params.limit.as_deref())?;
    let filter = filter(&params)?;
    let now = portal.ports.clock.now();
    let grants = Grants(portal.ports.table.as_ref());
    let listed = grants.page(access.app_id(), &filter, now, limit, params.cursor).await?;
    let items = views(&portal.ports, access.app_id(), listed.items, now).await?;
    Ok(Json(Page { items, next_cursor: listed.next }))
}

/// Make a grant
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/grants", tag = "grants", operation_id = "create_grant",
    request_body = CreateGrant,
    responses((status = 201, body = GrantView),
        (status = 404, body = ErrorBody, description = "`app_not_found`, `secret_not_found`, `agent_not_found`"),
        (status = 409, body = ErrorBody, description = "`sibling_label_conflict`, `agent_revoked`, `concurrent_update`"),
        (status = 422, body = ErrorBody,
            description = "`invalid_grant_policy`, `invalid_principal`, `label_required`, `invalid_label`")))]
pub(crate) async fn create(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Body(body): Body<CreateGrant>,
) -> Result<(StatusCode, Json<GrantView>)> {
    let now = portal.ports.clock.now();
    let base = BaseGrant { principal: body.principal, label: body.label, grant_policy: body.grant_policy };
    let terms = input::grant_terms(base, now)?;
    let new = NewGrant {
        secret_id: body.secret_id,
        principal: terms.principal,
        label: terms.label,
        policy: terms.policy,
    };
    let grant = issue_grant(&portal.ports, access.ids(), new, access.actor(), Surface::Portal).await?;
    Ok((StatusCode::CREATED, Json(view::grant(grant, None, now))))
}

/// One grant
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/grants/{grant_id}", tag = "grants", operation_id = "get_grant",
    responses((status = 200, body = GrantView)))]
pub(crate) async fn get(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Named(id): Named<GrantId>,
) -> Result<Json<GrantView>> {
    let grant = Grants(portal.ports.table.as_ref()).get(access.app_id(), id).await?.value;
    one(&portal.ports, grant).await.map(Json)
}

/// Revoke a grant
///
/// Final. The very next call with it fails; calls in flight finish.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/grants/{grant_id}/revoke", tag = "grants",
    operation_id = "revoke_grant", request_body = Option<RevokeGrant>,
    responses((status = 200, body = GrantView), (status = 409, body = ErrorBody, description = "`grant_revoked`"),
        (status = 422, body = ErrorBody, description = "`invalid_reason`")))]
pub(crate) async fn revoke(
    State(portal): State<PortalState>,
    access: InApp<Admin>,
    Named(id): Named<GrantId>,
    OptionalBody(body): OptionalBody<RevokeGrant>,
) -> Result<Json<GrantView>> {
    let revoked =
        revoke_grant(&portal.ports, access.ids(), id, body.reason, access.actor(), Surface::Portal).await;
    match revoked {
        Ok(grant) => one(&portal.ports, grant).await.map(Json),
        // To a caller a revoked grant is forbidden; to the operator it is merely revoked already.
        Err(Error::GrantRevoked { .. }) => {
            Err(Error::conflict("grant_revoked", "The grant is revoked already."))
        }
        Err(other) => Err(other),
    }
}

fn filter(params: &GrantParams) -> Result<GrantFilter> {
    let kind = params.principal_type.map(|kind| match kind {
        portal::PrincipalType::User => PrincipalType::User,
        portal::PrincipalType::Group => PrincipalType::Group,
        portal::PrincipalType::System => PrincipalType::System,
        portal::PrincipalType::Agent => PrincipalType::Agent,
    });
    let exactly = match (params.user_id, params.agent_id) {
        (None, None) => None,
        (Some(user_id), None) => Some(Principal::User { user_id }),
        (None, Some(agent_id)) => Some(Principal::Agent { agent_id }),
        (Some(_), Some(_)) => return Err(contradiction()),
    };
    let principal = match (exactly, kind) {
        (Some(principal), Some(kind)) if principal.kind() != kind => return Err(contradiction()),
        (Some(principal), _) => PrincipalFilter::Exactly(principal),
        (None, Some(kind)) => PrincipalFilter::Kind(kind),
        (None, None) => PrincipalFilter::Any,
    };
    let status = params.status.map(|status| match status {
        portal::GrantStatus::Active => GrantStatus::Active,
        portal::GrantStatus::Expired => GrantStatus::Expired,
        portal::GrantStatus::Revoked => GrantStatus::Revoked,
    });
    Ok(GrantFilter { provider_id: params.provider_id.clone(), status, label: None, principal })
}

fn contradiction() -> Error {
    Error::field("invalid_filter", "principal_type, user_id and agent_id contradict each other.")
}

async fn one(ports: &Ports, grant: Grant) -> Result<GrantView> {
    let views = views(ports, grant.app_id, vec![grant], ports.clock.now()).await?;
    views.into_iter().next().ok_or_else(Error::grant_not_found)
}

/// Grants with their last use and their connections, which are read a hundred at a time.
async fn views(ports: &Ports, app: AppId, grants: Vec<Grant>, now: Timestamp) -> Result<Vec<GrantView>> {
    let ids: Vec<GrantId> = grants.iter().map(|grant| grant.id).collect();
    let mut last_used = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(100) {
        last_used.extend(AuditRows(ports.table.as_ref()).last_used(chunk).await?);
    }
    let connections = connections_of(ports, app, &grants).await?;
    let view = |(grant, used): (Grant, Option<Timestamp>)| {
        let connected = grant.source.connection_id().and_then(|id| connections.get(&id));
        let connection = connected.map(view::connection);
        GrantView { connection, ..view::grant(grant, used, now) }
    };
    Ok(grants.into_iter().zip(last_used).map(view).collect())
}
