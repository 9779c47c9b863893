//! Apps.

use alter_api_types::{
    ErrorBody,
    portal::{AppView, CreateApp, Page, UpdateApp},
};
use alter_domain::{
    Result,
    flow::{self, AppChange, NewApp, archive_app, create_app, unarchive_app, update_app},
    model::{AppState, Surface},
    repo::{Apps, Listed},
};
use axum::{Json, extract::State};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    PortalState,
    access::{InApp, Operator, Read, Write},
    extract::{Body, Params, Picture, limit},
    view,
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AppParams {
    /// Items in a page: 1 to 1000, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Archived apps are hidden by default.
    #[serde(default)]
    include_archived: bool,
}

/// List apps
#[utoipa::path(get, path = "/portal/v1/apps", tag = "apps", params(AppParams), operation_id = "list_apps",
    responses((status = 200, body = Page<AppView>)))]
pub(crate) async fn list(
    State(portal): State<PortalState>,
    operator: Operator<Read>,
    Params(params): Params<AppParams>,
) -> Result<Json<Page<AppView>>> {
    let limit = limit(params.limit.as_deref())?;
    let apps = Apps(portal.ports.table.as_ref());
    let mut found = Listed { items: Vec::new(), next: params.cursor };
    loop {
        let page = apps.list(operator.token.org_id, limit - found.items.len(), found.next).await?;
        let shown =
            page.items.into_iter().filter(|app| params.include_archived || app.state == AppState::Active);
        found.items.extend(shown);
        found.next = page.next;
        if found.next.is_none() || found.items.len() >= limit {
            return Ok(Json(view::page(found, |app| view::app(app, &portal))));
        }
    }
}

/// Create an app
#[utoipa::path(post, path = "/portal/v1/apps", tag = "apps", operation_id = "create_app", request_body = CreateApp,
    responses((status = 201, body = AppView),
        (status = 422, body = ErrorBody, description = "`invalid_name`, `invalid_description`, `invalid_website_url`")))]
pub(crate) async fn create(
    State(portal): State<PortalState>,
    operator: Operator<Write>,
    Body(body): Body<CreateApp>,
) -> Result<(StatusCode, Json<AppView>)> {
    let new = NewApp { name: body.name, description: body.description, website_url: body.website_url };
    let org = operator.token.org_id;
    let app = create_app(&portal.ports, org, new, operator.actor(), Surface::Portal).await?;
    Ok((StatusCode::CREATED, Json(view::app(app, &portal))))
}

/// One app
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}", tag = "apps", operation_id = "get_app",
    responses((status = 200, body = AppView)))]
pub(crate) async fn get(State(portal): State<PortalState>, access: InApp<Read>) -> Json<AppView> {
    Json(view::app(access.app.value, &portal))
}

/// Change an app
#[utoipa::path(patch, path = "/portal/v1/apps/{app_id}", tag = "apps", operation_id = "update_app",
    request_body = UpdateApp,
    responses((status = 200, body = AppView), (status = 409, body = ErrorBody, description = "`concurrent_update`"),
        (status = 422, body = ErrorBody,
            description = "`nothing_to_update`, `invalid_name`, `invalid_description`, `invalid_website_url`, \
            `invalid_support_email`, `invalid_color`")))]
pub(crate) async fn update(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Body(body): Body<UpdateApp>,
) -> Result<Json<AppView>> {
    let change = AppChange {
        name: body.name,
        description: body.description,
        website_url: body.website_url,
        support_email: body.support_email,
        color: body.color,
        color_dark: body.color_dark,
        wallet_listed: body.wallet_listed,
    };
    let actor = access.actor();
    let app = update_app(&portal.ports, access.app, change, actor, Surface::Portal).await?;
    Ok(Json(view::app(app, &portal)))
}

/// Archive an app
///
/// It is hidden from lists. Its keys, grants and calls go on working.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/archive", tag = "apps", operation_id = "archive_app",
    responses((status = 200, body = AppView),
        (status = 409, body = ErrorBody, description = "`app_archived`, `concurrent_update`")))]
pub(crate) async fn archive(
    State(portal): State<PortalState>,
    access: InApp<Write>,
) -> Result<Json<AppView>> {
    let actor = access.actor();
    let app = archive_app(&portal.ports, access.app, actor, Surface::Portal).await?;
    Ok(Json(view::app(app, &portal)))
}

/// Bring an archived app back
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/unarchive", tag = "apps", operation_id = "unarchive_app",
    responses((status = 200, body = AppView),
        (status = 409, body = ErrorBody, description = "`app_not_archived`, `concurrent_update`")))]
pub(crate) async fn unarchive(
    State(portal): State<PortalState>,
    access: InApp<Write>,
) -> Result<Json<AppView>> {
    let actor = access.actor();
    let app = unarchive_app(&portal.ports, access.app, actor, Surface::Portal).await?;
    Ok(Json(view::app(app, &portal)))
}

/// Set an app's logo
///
/// The body is the picture: PNG, JPEG or WebP, at most 64 KiB and 1024 pixels on each side.
#[utoipa::path(put, path = "/portal/v1/apps/{app_id}/logo", tag = "apps", operation_id = "set_app_logo",
    request_body(content((Picture = "image/png"), (Picture = "image/jpeg"), (Picture = "image/webp"))),
    responses((status = 200, body = AppView), (status = 409, body = ErrorBody, description = "`concurrent_update`"),
        (status = 422, body = ErrorBody, description = "`invalid_logo`")))]
pub(crate) async fn set_logo(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Picture(picture): Picture,
) -> Result<Json<AppView>> {
    let actor = access.actor();
    let app = flow::set_logo(&portal.ports, access.app, picture, actor, Surface::Portal).await?;
    Ok(Json(view::app(app, &portal)))
}

/// Remove an app's logo
#[utoipa::path(delete, path = "/portal/v1/apps/{app_id}/logo", tag = "apps", operation_id = "remove_app_logo",
    responses((status = 200, body = AppView),
        (status = 404, body = ErrorBody, description = "`app_not_found`, `logo_not_found`"),
        (status = 409, body = ErrorBody, description = "`concurrent_update`")))]
pub(crate) async fn remove_logo(
    State(portal): State<PortalState>,
    access: InApp<Write>,
) -> Result<Json<AppView>> {
    let actor = access.actor();
    let app = flow::remove_logo(&portal.ports, access.app, actor, Surface::Portal).await?;
    Ok(Json(view::app(app, &portal)))
}
