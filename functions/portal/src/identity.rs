//! An app's identity provider: who tells the vault who its users are, and who has left.

use alter_api_types::{
    ErrorBody,
    portal::{
        AddIdentityProvider, DiscoverIdentityProvider, DiscoveredView, IdentityProviderView, SetSignInClient,
        SetWebhook, UpdateIdentityProvider, WebhookList, WebhookSet, WebhookView,
    },
};
use alter_domain::{
    Result, egress::EgressRules, flow::identity as flow, model::WebhookKind, port::HttpClient,
    repo::IdentityProviders, secret::Secret,
};
use axum::{Json, extract::State};
use http::StatusCode;

use crate::{
    PortalState,
    access::{Admin, InApp, Read, Write},
    extract::{Body, Kind, Named, OptionalBody},
    identity_input as input, identity_view as view,
};

/// The app's identity provider
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/identity-provider", tag = "identity",
    operation_id = "get_identity_provider",
    responses((status = 200, body = IdentityProviderView),
        (status = 404, body = ErrorBody, description = "`app_not_found`, `identity_provider_not_found`")))]
pub(crate) async fn get(
    State(portal): State<PortalState>,
    access: InApp<Read>,
) -> Result<Json<IdentityProviderView>> {
    let found = IdentityProviders(portal.ports.table.as_ref()).get(access.app_id()).await?;
    Ok(Json(view::identity_provider(found.value, &portal)))
}

/// Ask an issuer what it is
///
/// Reads its discovery document and its keys, and proposes type and claims. Nothing is stored.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/identity-provider/discover", tag = "identity",
    operation_id = "discover_identity_provider", request_body = DiscoverIdentityProvider,
    responses((status = 200, body = DiscoveredView),
        (status = 422, body = ErrorBody,
            description = "`invalid_issuer`, `issuer_unreachable`, `issuer_mismatch`, `discovery_invalid`")))]
pub(crate) async fn discover(
    State(portal): State<PortalState>,
    _: InApp<Write>,
    Body(body): Body<DiscoverIdentityProvider>,
) -> Result<Json<DiscoveredView>> {
    let found = flow::discover_identity_provider(egress(&portal), &body.issuer).await?;
    Ok(Json(view::discovered(found)))
}

/// Add the app's identity provider
///
/// One at a time. Its issuer is asked now: one that cannot be reached is not stored.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/identity-provider", tag = "identity",
    operation_id = "add_identity_provider", request_body = AddIdentityProvider,
    responses((status = 201, body = IdentityProviderView),
        (status = 409, body = ErrorBody, description = "`identity_provider_exists`"),
        (status = 422, body = ErrorBody,
            description = "`invalid_issuer`, `issuer_unreachable`, `issuer_mismatch`, `discovery_invalid`, `invalid_claims`, \
            `invalid_audience`")))]
pub(crate) async fn add(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Body(body): Body<AddIdentityProvider>,
) -> Result<(StatusCode, Json<IdentityProviderView>)> {
    let new = input::new_identity_provider(body);
    let idp = flow::add_identity_provider(&portal.ports, egress(&portal), new, access.change()).await?;
    Ok((StatusCode::CREATED, Json(view::identity_provider(idp, &portal))))
}

/// Change the app's identity provider
///
/// The claims are locked once somebody has signed in.
#[utoipa::path(patch, path = "/portal/v1/apps/{app_id}/identity-provider", tag = "identity",
    operation_id = "update_identity_provider", request_body = UpdateIdentityProvider,
    responses((status = 200, body = IdentityProviderView),
        (status = 404, body = ErrorBody, description = "`app_not_found`, `identity_provider_not_found`"),
        (status = 409, body = ErrorBody, description = "`claims_locked`, `client_secret_bound`, `concurrent_update`"),
        (status = 422, body = ErrorBody,
            description = "`nothing_to_update`, `invalid_claims`, `invalid_audience`, `issuer_unreachable`, \
            `issuer_mismatch`, `discovery_invalid`")))]
pub(crate) async fn update(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Body(body): Body<UpdateIdentityProvider>,
) -> Result<Json<IdentityProviderView>> {
    let new = input::identity_provider_change(body);
    let idp = flow::update_identity_provider(&portal.ports, egress(&portal), new, access.change()).await?;
    Ok(Json(view::identity_provider(idp, &portal)))
}

/// Remove the app's identity provider
///
/// With its secrets, for good. Users and their grants stay: their tokens are refused, the app's key still reaches the grants by
/// id, and nobody can tell any more who has left. Deprovision users, or revoke grants, where that is not wanted.
#[utoipa::path(delete, path = "/portal/v1/apps/{app_id}/identity-provider", tag = "identity",
    operation_id = "remove_identity_provider",
    responses((status = 200, body = IdentityProviderView),
        (status = 404, body = ErrorBody, description = "`app_not_found`, `identity_provider_not_found`"),
        (status = 409, body = ErrorBody, description = "`concurrent_update`")))]
pub(crate) async fn remove(
    State(portal): State<PortalState>,
    access: InApp<Admin>,
) -> Result<Json<IdentityProviderView>> {
    let idp = flow::remove_identity_provider(&portal.ports, access.change()).await?;
    Ok(Json(view::identity_provider(idp, &portal)))
}

/// Set the client for sign-in
///
/// The vault's own registration at the identity provider, all of it: without a secret the client is public.
#[utoipa::path(put, path = "/portal/v1/apps/{app_id}/identity-provider/client", tag = "identity",
    operation_id = "set_sign_in_client", request_body = SetSignInClient,
    responses((status = 200, body = IdentityProviderView),
        (status = 404, body = ErrorBody, description = "`app_not_found`, `identity_provider_not_found`"),
        (status = 409, body = ErrorBody, description = "`concurrent_update`"),
        (status = 422, body = ErrorBody, description = "`invalid_client_id`, `invalid_client_secret`")))]
pub(crate) async fn set_client(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Body(body): Body<SetSignInClient>,
) -> Result<Json<IdentityProviderView>> {
    let secret = body.client_secret.map(|secret| Secret::new(secret.into_inner()));
    let client = (body.client_id.as_str(), secret);
    let idp = flow::set_sign_in_client(&portal.ports, &portal.sealer, client, access.change()).await?;
    Ok(Json(view::identity_provider(idp, &portal)))
}

/// Remove the client for sign-in
#[utoipa::path(delete, path = "/portal/v1/apps/{app_id}/identity-provider/client", tag = "identity",
    operation_id = "remove_sign_in_client",
    responses((status = 200, body = IdentityProviderView),
        (status = 404, body = ErrorBody,
            description = "`app_not_found`, `identity_provider_not_found`, `sign_in_client_not_found`"),
        (status = 409, body = ErrorBody, description = "`sign_in_client_in_use`, `concurrent_update`")))]
pub(crate) async fn remove_client(
    State(portal): State<PortalState>,
    access: InApp<Admin>,
) -> Result<Json<IdentityProviderView>> {
    let idp = flow::remove_sign_in_client(&portal.ports, access.change()).await?;
    Ok(Json(view::identity_provider(idp, &portal)))
}

/// List the webhooks, on and off
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/identity-provider/webhooks", tag = "identity",
    operation_id = "list_webhooks",
    responses((status = 200, body = WebhookList),
        (status = 404, body = ErrorBody, description = "`app_not_found`, `identity_provider_not_found`")))]
pub(crate) async fn webhooks(
    State(portal): State<PortalState>,
    access: InApp<Read>,
) -> Result<Json<WebhookList>> {
    let idp = IdentityProviders(portal.ports.table.as_ref()).get(access.app_id()).await?.value;
    let view = |kind| view::webhook(&idp, kind, &portal.public_url);
    Ok(Json(WebhookList { items: WebhookKind::ALL.into_iter().map(view).collect() }))
}

/// Switch a webhook on, or replace its secret
///
/// Auth0 and Okta: the vault makes the token, and shows it this once. With `rotate` the old secret is refused at once.
#[utoipa::path(put, path = "/portal/v1/apps/{app_id}/identity-provider/webhooks/{kind}", tag = "identity",
    operation_id = "set_webhook", request_body = Option<SetWebhook>,
    responses((status = 200, body = WebhookSet),
        (status = 404, body = ErrorBody,
            description = "`app_not_found`, `identity_provider_not_found`, `webhook_not_found`"),
        (status = 409, body = ErrorBody,
            description = "`webhook_enabled`, `sign_in_client_required`, `concurrent_update`"),
        (status = 422, body = ErrorBody,
            description = "`invalid_webhook`, `webhook_secret_required`, `invalid_webhook_secret`, `invalid_issuer`, \
            `issuer_unreachable`, `issuer_mismatch`, `discovery_invalid`, `invalid_audience`")))]
pub(crate) async fn set_webhook(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Named(Kind(kind)): Named<Kind>,
    OptionalBody(body): OptionalBody<SetWebhook>,
) -> Result<Json<WebhookSet>> {
    let (ports, sealer, new) = (&portal.ports, &portal.sealer, input::new_webhook(body));
    let place = (egress(&portal), portal.public_url.as_ref());
    let (idp, shown) = flow::set_webhook(ports, sealer, place, (kind, new), access.change()).await?;
    let webhook: WebhookView = view::webhook(&idp, kind, &portal.public_url);
    Ok(Json(WebhookSet { webhook, secret: shown.as_ref().map(crate::view::shown_once) }))
}

/// Switch a webhook off
///
/// Its next delivery is refused; its secret is deleted.
#[utoipa::path(delete, path = "/portal/v1/apps/{app_id}/identity-provider/webhooks/{kind}", tag = "identity",
    operation_id = "disable_webhook",
    responses((status = 200, body = WebhookView),
        (status = 404, body = ErrorBody,
            description = "`app_not_found`, `identity_provider_not_found`, `webhook_not_found`"),
        (status = 409, body = ErrorBody, description = "`concurrent_update`")))]
pub(crate) async fn disable_webhook(
    State(portal): State<PortalState>,
    access: InApp<Admin>,
    Named(Kind(kind)): Named<Kind>,
) -> Result<Json<WebhookView>> {
    let idp = flow::disable_webhook(&portal.ports, kind, access.change()).await?;
    Ok(Json(view::webhook(&idp, kind, &portal.public_url)))
}

fn egress(portal: &PortalState) -> (&dyn HttpClient, EgressRules) {
    (portal.http.as_ref(), portal.rules)
}
