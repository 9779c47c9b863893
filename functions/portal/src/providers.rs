//! OAuth providers: the catalogue, and an app's registrations. A client secret goes in and never comes out.

use alter_api_types::{
    ErrorBody,
    portal::{AddProvider, CatalogProviderView, Page, ProviderView, SetClientSecret, UpdateProvider},
};
use alter_domain::{
    Error, Result, catalogue,
    flow::{
        Removal, add_provider, delete_provider, provider_usage, set_client_secret, switch_provider,
        update_provider,
    },
    model::ProviderConfig,
    repo::{Listed, ProviderConfigs},
};
use axum::{Json, extract::State};
use futures_util::future::try_join_all;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    PortalState,
    access::{Admin, InApp, Operator, Read, Write},
    extract::{Body, Named, PageParams, Params, ProviderId, limit},
    provider_input as input, provider_view as view,
};

/// How many connections are looked at to count one provider's grants.
const COUNTED: usize = 10_000;
/// The same for each provider of a list.
const COUNTED_IN_LIST: usize = 1_000;
/// How many providers of a list are counted at a time.
const AT_ONCE: usize = 20;

/// List known providers
#[utoipa::path(get, path = "/portal/v1/providers", tag = "providers", params(PageParams),
    operation_id = "list_known_providers", responses((status = 200, body = Page<CatalogProviderView>)))]
pub(crate) async fn list_known(
    _: Operator<Read>,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<CatalogProviderView>>> {
    let limit = limit(params.limit.as_deref())?;
    // The list is ordered by id, so the last id of a page is its cursor.
    let after = params.cursor.unwrap_or_default();
    let mut rest = catalogue::providers().iter().filter(|provider| provider.id > after).peekable();
    let items: Vec<_> = rest.by_ref().take(limit).collect();
    let next = rest.peek().and(items.last()).map(|provider| provider.id.clone());
    Ok(Json(crate::view::page(Listed { items, next }, view::known)))
}

/// One known provider
#[utoipa::path(get, path = "/portal/v1/providers/{provider_id}", tag = "providers",
    operation_id = "get_known_provider", responses((status = 200, body = CatalogProviderView)))]
pub(crate) async fn get_known(
    _: Operator<Read>,
    Named(id): Named<ProviderId>,
) -> Result<Json<CatalogProviderView>> {
    let provider = catalogue::provider(&id.0).ok_or(Error::NotFound("provider"))?;
    Ok(Json(view::known(provider)))
}

/// List an app's providers
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/providers", tag = "providers", params(PageParams),
    operation_id = "list_providers", responses((status = 200, body = Page<ProviderView>)))]
pub(crate) async fn list(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<ProviderView>>> {
    let limit = limit(params.limit.as_deref())?;
    let configs = ProviderConfigs(portal.ports.table.as_ref());
    let listed = configs.list(access.app_id(), limit, params.cursor).await?;
    let mut items = Vec::with_capacity(listed.items.len());
    let mut configs = listed.items.into_iter();
    loop {
        let some = configs.by_ref().take(AT_ONCE).map(|config| counted(&portal, config, COUNTED_IN_LIST));
        let some = try_join_all(some).await?;
        if some.is_empty() {
            return Ok(Json(Page { items, next_cursor: listed.next }));
        }
        items.extend(some);
    }
}

/// Register an app with a provider
///
/// One of the catalogue (`provider_id`), or of your own (`definition`). Enter `redirect_uri` at the provider.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/providers", tag = "providers", operation_id = "add_provider",
    request_body = AddProvider,
    responses((status = 201, body = ProviderView),
        (status = 409, body = ErrorBody, description = "`provider_configured`, `provider_id_taken`"),
        (status = 422, body = ErrorBody,
            description = "`invalid_provider`, `unknown_provider`, `invalid_definition`, `invalid_client_id`, \
            `client_secret_required`, `invalid_client_secret`, `invalid_scopes`, `invalid_variables`")))]
pub(crate) async fn add(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Body(body): Body<AddProvider>,
) -> Result<(StatusCode, Json<ProviderView>)> {
    let new = input::new_provider(body)?;
    let (ports, sealer) = (&portal.ports, &portal.sealer);
    let config = add_provider(ports, sealer, portal.rules, new, access.change()).await?;
    Ok((StatusCode::CREATED, Json(counted(&portal, config, COUNTED).await?)))
}

/// One provider of an app
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/providers/{provider_id}", tag = "providers",
    operation_id = "get_provider", responses((status = 200, body = ProviderView)))]
pub(crate) async fn get(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Named(id): Named<ProviderId>,
) -> Result<Json<ProviderView>> {
    let config = ProviderConfigs(portal.ports.table.as_ref()).get(access.app_id(), &id.0).await?;
    counted(&portal, config.value, COUNTED).await.map(Json)
}

/// Change a registration
///
/// All but its secret. `usage.scope_mismatches` tells how many grants lack a scope that is required now: they go on working,
/// and their users are asked to connect again.
#[utoipa::path(patch, path = "/portal/v1/apps/{app_id}/providers/{provider_id}", tag = "providers",
    operation_id = "update_provider", request_body = UpdateProvider,
    responses((status = 200, body = ProviderView),
        (status = 409, body = ErrorBody, description = "`client_secret_bound`, `provider_in_use`, `concurrent_update`"),
        (status = 422, body = ErrorBody,
            description = "`nothing_to_update`, `invalid_definition`, `invalid_client_id`, `invalid_scopes`, \
            `invalid_variables`")))]
pub(crate) async fn update(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Named(id): Named<ProviderId>,
    Body(body): Body<UpdateProvider>,
) -> Result<Json<ProviderView>> {
    let new = input::provider_change(body)?;
    let config = update_provider(&portal.ports, portal.rules, &id.0, new, access.change()).await?;
    counted(&portal, config, COUNTED).await.map(Json)
}

/// Replace the client secret of a registration
///
/// Connections go on working, from their next refresh on with the new one.
#[utoipa::path(put, path = "/portal/v1/apps/{app_id}/providers/{provider_id}/client-secret", tag = "providers",
    operation_id = "set_client_secret", request_body = SetClientSecret,
    responses((status = 200, body = ProviderView), (status = 409, body = ErrorBody, description = "`concurrent_update`"),
        (status = 422, body = ErrorBody, description = "`client_secret_required`, `invalid_client_secret`")))]
pub(crate) async fn set_secret(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Named(id): Named<ProviderId>,
    Body(body): Body<SetClientSecret>,
) -> Result<Json<ProviderView>> {
    let secret = input::secret(body.client_secret, body.private_key);
    let (ports, sealer) = (&portal.ports, &portal.sealer);
    let config = set_client_secret(ports, sealer, &id.0, secret, access.change()).await?;
    counted(&portal, config, COUNTED).await.map(Json)
}

/// Switch a provider on
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/providers/{provider_id}/enable", tag = "providers",
    operation_id = "enable_provider",
    responses((status = 200, body = ProviderView),
        (status = 409, body = ErrorBody, description = "`provider_enabled`, `concurrent_update`")))]
pub(crate) async fn enable(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Named(id): Named<ProviderId>,
) -> Result<Json<ProviderView>> {
    let config = switch_provider(&portal.ports, &id.0, true, access.change()).await?;
    counted(&portal, config, COUNTED).await.map(Json)
}

/// Switch a provider off
///
/// No new connections, and the very next call through those that exist fails. Nothing is revoked.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/providers/{provider_id}/disable", tag = "providers",
    operation_id = "disable_provider",
    responses((status = 200, body = ProviderView),
        (status = 409, body = ErrorBody, description = "`provider_disabled`, `concurrent_update`")))]
pub(crate) async fn disable(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Named(id): Named<ProviderId>,
) -> Result<Json<ProviderView>> {
    let config = switch_provider(&portal.ports, &id.0, false, access.change()).await?;
    counted(&portal, config, COUNTED).await.map(Json)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteParams {
    /// Revokes the grants that are alive first.
    #[serde(default)]
    force: bool,
    /// Gives up telling the provider of revocations that it has not been told of yet.
    #[serde(default)]
    abandon_revocations: bool,
}

/// Remove a provider from an app
///
/// With its secret, for good. Grants on it that are alive have to be revoked, and the provider to be told of it, before.
#[utoipa::path(delete, path = "/portal/v1/apps/{app_id}/providers/{provider_id}", tag = "providers",
    params(DeleteParams), operation_id = "delete_provider",
    responses((status = 200, body = ProviderView),
        (status = 409, body = ErrorBody, description = "`provider_in_use`, `revocations_pending`, `concurrent_update`")))]
pub(crate) async fn delete(
    State(portal): State<PortalState>,
    access: InApp<Admin>,
    Named(id): Named<ProviderId>,
    Params(params): Params<DeleteParams>,
) -> Result<Json<ProviderView>> {
    let removal = Removal { force: params.force, abandon_revocations: params.abandon_revocations };
    let config = delete_provider(&portal.ports, &id.0, removal, access.change()).await?;
    counted(&portal, config, COUNTED).await.map(Json)
}

/// The answer, with what is behind the provider.
async fn counted(portal: &PortalState, config: ProviderConfig, limit: usize) -> Result<ProviderView> {
    let usage = provider_usage(&portal.ports, &config, limit).await?;
    view::configured(config, &usage, &portal.public_url)
}
