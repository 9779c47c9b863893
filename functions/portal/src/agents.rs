//! Agents of an app.

use alter_api_types::{
    AgentId, ErrorBody,
    portal::{AgentView, CreateAgent, Page},
};
use alter_domain::{
    Result,
    flow::{NewAgent, create_agent, revoke_agent},
    model::{AgentName, Surface},
    repo::Agents,
};
use axum::{Json, extract::State};
use http::StatusCode;

use crate::{
    PortalState,
    access::{Admin, InApp, Read, Write},
    extract::{Body, Named, PageParams, Params, limit},
    view,
};

/// List an app's agents
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/agents", tag = "agents", params(PageParams),
    operation_id = "list_agents", responses((status = 200, body = Page<AgentView>)))]
pub(crate) async fn list(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<AgentView>>> {
    let limit = limit(params.limit.as_deref())?;
    let listed = Agents(portal.ports.table.as_ref()).list(access.app_id(), limit, params.cursor).await?;
    Ok(Json(view::page(listed, view::agent)))
}

/// Create an agent
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/agents", tag = "agents", operation_id = "create_agent",
    request_body = CreateAgent,
    responses((status = 201, body = AgentView), (status = 409, body = ErrorBody, description = "`agent_name_exists`"),
        (status = 422, body = ErrorBody, description = "`invalid_agent_name`, `invalid_name`")))]
pub(crate) async fn create(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Body(body): Body<CreateAgent>,
) -> Result<(StatusCode, Json<AgentView>)> {
    let new = NewAgent { name: AgentName::parse(&body.name)?, display_name: body.display_name };
    let agent = create_agent(&portal.ports, access.ids(), new, access.actor(), Surface::Portal).await?;
    Ok((StatusCode::CREATED, Json(view::agent(agent))))
}

/// One agent
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/agents/{agent_id}", tag = "agents", operation_id = "get_agent",
    responses((status = 200, body = AgentView)))]
pub(crate) async fn get(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Named(id): Named<AgentId>,
) -> Result<Json<AgentView>> {
    let agent = Agents(portal.ports.table.as_ref()).get(access.app_id(), id).await?;
    Ok(Json(view::agent(agent.value)))
}

/// Revoke an agent
///
/// Final. Its keys are revoked with it, and its grants stop working.
#[utoipa::path(delete, path = "/portal/v1/apps/{app_id}/agents/{agent_id}", tag = "agents",
    operation_id = "revoke_agent",
    responses((status = 200, body = AgentView),
        (status = 409, body = ErrorBody, description = "`agent_revoked`, `concurrent_update`")))]
pub(crate) async fn revoke(
    State(portal): State<PortalState>,
    access: InApp<Admin>,
    Named(id): Named<AgentId>,
) -> Result<Json<AgentView>> {
    let agent = revoke_agent(&portal.ports, access.ids(), id, access.actor(), Surface::Portal).await?;
    Ok(Json(view::agent(agent)))
}
