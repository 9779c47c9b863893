//! API keys of an app and of its agents.

use alter_api_types::{
    ErrorBody, KeyId,
    portal::{KeyView, MintKey, MintedKey, Page, RotateKey, RotatedKey},
};
use alter_domain::{
    Error, Result,
    flow::{NewKey, Rotation, mint_key, revoke_key, rotate_key},
    model::{KeyHolder, Scopes, Surface},
    repo::ApiKeys,
};
use axum::{Json, extract::State};
use http::StatusCode;
use jiff::SignedDuration;

use crate::{
    PortalState,
    access::{Admin, InApp, Read, Write},
    extract::{Body, Named, OptionalBody, PageParams, Params, limit},
    input, view,
};

const DEFAULT_GRACE_SECONDS: i64 = 86_400;
const MAX_GRACE_SECONDS: i64 = 30 * 86_400;

/// List an app's keys
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/keys", tag = "keys", params(PageParams), operation_id = "list_keys",
    responses((status = 200, body = Page<KeyView>)))]
pub(crate) async fn list(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<KeyView>>> {
    let limit = limit(params.limit.as_deref())?;
    let listed = ApiKeys(portal.ports.table.as_ref()).list(access.app_id(), limit, params.cursor).await?;
    let now = portal.ports.clock.now();
    Ok(Json(view::page(listed, |key| view::key(key, now))))
}

/// Mint a key
///
/// Its text is in this answer and nowhere else.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/keys", tag = "keys", operation_id = "mint_key",
    request_body = MintKey,
    responses((status = 201, body = MintedKey),
        (status = 404, body = ErrorBody, description = "`app_not_found`, `agent_not_found`"),
        (status = 409, body = ErrorBody, description = "`key_limit_reached`, `agent_revoked`"),
        (status = 422, body = ErrorBody, description = "`invalid_name`, `unknown_scope`, `invalid_expiry`")))]
pub(crate) async fn mint(
    State(portal): State<PortalState>,
    access: InApp<Write>,
    Body(body): Body<MintKey>,
) -> Result<(StatusCode, Json<MintedKey>)> {
    let now = portal.ports.clock.now();
    let new = NewKey {
        name: body.name,
        holder: body.agent_id.map_or(KeyHolder::App, |agent_id| KeyHolder::Agent { agent_id }),
        scopes: body.scopes.map_or_else(|| Ok(Scopes::standard()), |scopes| Scopes::parse(&scopes))?,
        expires_at: input::expiry(body.expires_at, body.expires_in.as_deref(), now)?,
    };
    let fresh =
        mint_key(&portal.ports, &portal.sealer, access.ids(), new, access.actor(), Surface::Portal).await?;
    let minted = MintedKey { key: view::key(fresh.key, now), api_key: view::shown_once(&fresh.plain) };
    Ok((StatusCode::CREATED, Json(minted)))
}

/// One key
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/keys/{key_id}", tag = "keys", operation_id = "get_key",
    responses((status = 200, body = KeyView)))]
pub(crate) async fn get(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Named(id): Named<KeyId>,
) -> Result<Json<KeyView>> {
    let key = ApiKeys(portal.ports.table.as_ref()).get(access.app_id(), id).await?;
    Ok(Json(view::key(key.value, portal.ports.clock.now())))
}

/// Rotate a key
///
/// A new key takes the place of the old one, which goes on working for the grace period.
#[utoipa::path(post, path = "/portal/v1/apps/{app_id}/keys/{key_id}/rotate", tag = "keys", operation_id = "rotate_key",
    request_body = Option<RotateKey>,
    responses((status = 200, body = RotatedKey),
        (status = 409, body = ErrorBody, description = "`key_not_active`, `key_limit_reached`, `agent_revoked`"),
        (status = 422, body = ErrorBody, description = "`invalid_grace`, `unknown_scope`")))]
pub(crate) async fn rotate(
    State(portal): State<PortalState>,
    access: InApp<Admin>,
    Named(id): Named<KeyId>,
    OptionalBody(body): OptionalBody<RotateKey>,
) -> Result<Json<RotatedKey>> {
    let grace = body.grace_seconds.unwrap_or(DEFAULT_GRACE_SECONDS);
    if !(0..=MAX_GRACE_SECONDS).contains(&grace) {
        return Err(Error::field("invalid_grace", "grace_seconds is 0 to 2592000 (30 days)."));
    }
    let rotation = Rotation {
        grace: SignedDuration::from_secs(grace),
        scopes: body.scopes.map(|scopes| Scopes::parse(&scopes)).transpose()?,
    };
    let (ports, sealer) = (&portal.ports, &portal.sealer);
    let (fresh, old) =
        rotate_key(ports, sealer, access.ids(), id, rotation, access.actor(), Surface::Portal).await?;
    let now = ports.clock.now();
    Ok(Json(RotatedKey {
        key: view::key(fresh.key, now),
        api_key: view::shown_once(&fresh.plain),
        previous: view::key(old, now),
    }))
}

/// Revoke a key
///
/// The very next call with it fails.
#[utoipa::path(delete, path = "/portal/v1/apps/{app_id}/keys/{key_id}", tag = "keys", operation_id = "revoke_key",
    responses((status = 200, body = KeyView), (status = 409, body = ErrorBody, description = "`key_revoked`")))]
pub(crate) async fn revoke(
    State(portal): State<PortalState>,
    access: InApp<Admin>,
    Named(id): Named<KeyId>,
) -> Result<Json<KeyView>> {
    let key = revoke_key(&portal.ports, access.ids(), id, access.actor(), Surface::Portal).await?;
    Ok(Json(view::key(key, portal.ports.clock.now())))
}
