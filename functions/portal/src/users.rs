//! End users of an app, as its identity provider names them.

use alter_api_types::{
    ErrorBody, UserId,
    portal::{Page, UserStatus, UserView},
};
use alter_domain::{
    Result,
    flow::identity::{
        MemberFilter, deprovision_user, get_member, list_members, reactivate_user, suspend_user,
    },
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    PortalState,
    access::{Admin, InApp, Read, Write},
    extract::{Named, Params, limit},
    identity_input as input, identity_view as view,
};

/// All conditions hold at once.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UserParams {
    /// Items in a page: 1 to 1000, 100 by default. A page may be shorter although more follow.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// The whole address.
    email: Option<String>,
    status: Option<UserStatus>,
}

/// List an app's users
///
/// Those who were seen in the app: with a token, or by signing in.
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/users", tag = "users", params(UserParams),
    operation_id = "list_users", responses((status = 200, body = Page<UserView>)))]
pub(crate) async fn list(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Params(params): Params<UserParams>,
) -> Result<Json<Page<UserView>>> {
    let limit = limit(params.limit.as_deref())?;
    let filter = MemberFilter { email: params.email, status: params.status.map(input::member_status) };
    let listed = list_members(&portal.ports, access.app_id(), &filter, limit, params.cursor).await?;
    Ok(Json(crate::view::page(listed, |member| view::user(member, None))))
}

/// One user of an app
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/users/{user_id}", tag = "users", operation_id = "get_user",
    responses((status = 200, body = UserView)))]
pub(crate) async fn get(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Named(id): Named<UserId>,
) -> Result<Json<UserView>> {
    shown(&portal, &access, id).await
}

/// Suspend a user
///
/// In all apps of the organization: denied from the next call on. Everything is kept.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/users/{user_id}/suspend", tag = "users",
    operation_id = "suspend_user",
    responses((status = 200, body = UserView),
        (status = 409, body = ErrorBody, description = "`user_suspended`, `user_deprovisioned`")))]
pub(crate) async fn suspend(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Named(id): Named<UserId>,
) -> Result<Json<UserView>> {
    suspend_user(&portal.ports, access.change(), id).await?;
    shown(&portal, &access, id).await
}

/// Let a user act again
///
/// Also somebody who had left: what was granted to them stays revoked.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/users/{user_id}/reactivate", tag = "users",
    operation_id = "reactivate_user",
    responses((status = 200, body = UserView),
        (status = 409, body = ErrorBody, description = "`user_active`, `deprovision_pending`")))]
pub(crate) async fn reactivate(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Named(id): Named<UserId>,
) -> Result<Json<UserView>> {
    reactivate_user(&portal.ports, access.change(), id).await?;
    shown(&portal, &access, id).await
}

/// End all that a user has
///
/// In all apps of the organization: denied at once; grants are revoked and tokens deleted, for good.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/users/{user_id}/deprovision", tag = "users",
    operation_id = "deprovision_user",
    responses((status = 200, body = UserView),
        (status = 409, body = ErrorBody, description = "`user_deprovisioned`")))]
pub(crate) async fn deprovision(
    State(portal): State<PortalState>,
    access: InApp<Admin>,
    Named(id): Named<UserId>,
) -> Result<Json<UserView>> {
    deprovision_user(&portal.ports, access.change(), id).await?;
    shown(&portal, &access, id).await
}

async fn shown<P>(portal: &PortalState, access: &InApp<P>, id: UserId) -> Result<Json<UserView>> {
    let (member, task) = get_member(&portal.ports, access.ids(), id).await?;
    Ok(Json(view::user(member, task)))
}
