//! Managed secrets of an app. A value goes in and never comes out.

use alter_api_types::{
    ErrorBody, SecretId,
    portal::{CreateSecret, Page, ReplaceValue, SecretView, UpdateSecret},
};
use alter_domain::{
    Result,
    flow::{SecretChange, create_secret, delete_secret, replace_value, update_secret},
    model::{GrantStatus, Surface},
    repo::{Grants, ManagedSecrets},
    state::Ports,
};
use axum::{Json, extract::State};
use http::StatusCode;

use crate::{
    PortalState,
    access::{Admin, InApp, Read, Write},
    extract::{Body, Named, PageParams, Params, limit},
    input, view,
};

/// List an app's managed secrets
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/secrets", tag = "secrets", params(PageParams),
    operation_id = "list_secrets", responses((status = 200, body = Page<SecretView>)))]
pub(crate) async fn list(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<SecretView>>> {
    let limit = limit(params.limit.as_deref())?;
    let listed =
        ManagedSecrets(portal.ports.table.as_ref()).list(access.app_id(), limit, params.cursor).await?;
    Ok(Json(view::page(listed, view::secret)))
}

/// Store a managed secret
///
/// From a template or by rules of your own; with `grant`, a first grant is made along, or nothing is.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/secrets", tag = "secrets", operation_id = "create_secret",
    request_body = CreateSecret,
    responses((status = 201, body = SecretView),
        (status = 404, body = ErrorBody, description = "`app_not_found`, `agent_not_found`"),
        (status = 409, body = ErrorBody, description = "`slug_taken`, `agent_revoked`"),
        (status = 422, body = ErrorBody,
            description = "`invalid_secret`, `unknown_template`, `invalid_name`, `invalid_fields`, `invalid_injection`, \
            `invalid_default_headers`, `invalid_allowed_hosts`, `invalid_grant_policy`, `invalid_principal`, \
            `label_required`, `invalid_label`")))]
pub(crate) async fn create(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Body(body): Body<CreateSecret>,
) -> Result<(StatusCode, Json<SecretView>)> {
    let now = portal.ports.clock.now();
    let new = input::new_secret(body, now)?;
    let (ports, sealer) = (&portal.ports, &portal.sealer);
    let (secret, grant) =
        create_secret(ports, sealer, access.ids(), new, access.actor(), Surface::Portal).await?;
    let grant = grant.map(|grant| view::grant(grant, None, now));
    Ok((StatusCode::CREATED, Json(SecretView { grant, ..view::secret(secret) })))
}

/// One managed secret
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/secrets/{secret_id}", tag = "secrets",
    operation_id = "get_secret", responses((status = 200, body = SecretView)))]
pub(crate) async fn get(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Named(id): Named<SecretId>,
) -> Result<Json<SecretView>> {
    let secret = ManagedSecrets(portal.ports.table.as_ref()).get(access.app_id(), id).await?;
    let active_grants = Some(count_active(&portal.ports, id).await?);
    Ok(Json(SecretView { active_grants, ..view::secret(secret.value) }))
}

/// Change a managed secret
///
/// All but its value and its slug.
#[utoipa::path(patch, path = "/portal/v1/apps/{app_id}/secrets/{secret_id}", tag = "secrets",
    operation_id = "update_secret", request_body = UpdateSecret,
    responses((status = 200, body = SecretView), (status = 409, body = ErrorBody, description = "`concurrent_update`"),
        (status = 422, body = ErrorBody,
            description = "`nothing_to_update`, `invalid_name`, `invalid_injection`, `invalid_default_headers`, \
            `invalid_allowed_hosts`")))]
pub(crate) async fn update(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Named(id): Named<SecretId>,
    Body(body): Body<UpdateSecret>,
) -> Result<Json<SecretView>> {
    let ports = &portal.ports;
    let kind = ManagedSecrets(ports.table.as_ref()).get(access.app_id(), id).await?.value.credential_type;
    let change = SecretChange {
        name: body.name,
        injection: body.injection.map(|rules| input::injection(kind, Some(rules))).transpose()?,
        default_headers: body.default_headers.as_deref().map(input::default_headers).transpose()?,
        allowed_hosts: body.allowed_hosts.as_deref().map(input::allowed_hosts).transpose()?,
    };
    let secret = update_secret(ports, access.ids(), id, change, access.actor(), Surface::Portal).await?;
    Ok(Json(view::secret(secret)))
}

/// Replace the value of a managed secret
///
/// Every grant goes on working, from its next call on with the new value.
#[utoipa::path(put, path = "/portal/v1/apps/{app_id}/secrets/{secret_id}/value", tag = "secrets",
    operation_id = "replace_value", request_body = ReplaceValue,
    responses((status = 200, body = SecretView), (status = 409, body = ErrorBody, description = "`concurrent_update`"),
        (status = 422, body = ErrorBody, description = "`invalid_fields`, `invalid_injection`")))]
pub(crate) async fn replace(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Named(id): Named<SecretId>,
    Body(body): Body<ReplaceValue>,
) -> Result<Json<SecretView>> {
    let (ports, sealer) = (&portal.ports, &portal.sealer);
    let stored = ManagedSecrets(ports.table.as_ref()).get(access.app_id(), id).await?;
    let fields = input::new_value(&stored.value, body.fields)?;
    let secret =
        replace_value(ports, sealer, access.ids(), id, &fields, access.actor(), Surface::Portal).await?;
    Ok(Json(view::secret(secret)))
}

/// Delete a managed secret
///
/// Its grants are revoked first, then it and its value are removed for good.
#[utoipa::path(delete, path = "/portal/v1/apps/{app_id}/secrets/{secret_id}", tag = "secrets",
    operation_id = "delete_secret",
    responses((status = 200, body = SecretView), (status = 409, body = ErrorBody, description = "`concurrent_update`")))]
pub(crate) async fn delete(
    State(portal): State<PortalState>,
    access: InApp<Admin>,
    Named(id): Named<SecretId>,
) -> Result<Json<SecretView>> {
    let secret = delete_secret(&portal.ports, access.ids(), id, access.actor(), Surface::Portal).await?;
    Ok(Json(view::secret(secret)))
}

async fn count_active(ports: &Ports, id: SecretId) -> Result<u64> {
    let now = ports.clock.now();
    let (mut count, mut cursor) = (0, None);
    loop {
        let page = Grants(ports.table.as_ref()).list_of_secret(id, 1000, cursor).await?;
        count += page.items.iter().filter(|grant| grant.status(now) == GrantStatus::Active).count() as u64;
        if page.next.is_none() {
            return Ok(count);
        }
        cursor = page.next;
    }
}
