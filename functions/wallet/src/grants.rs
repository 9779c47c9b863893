//! What people have, and how they end it or give it more time.

use std::sync::Arc;

use alter_api_types::wallet::{
    ExtendRequest, GrantCard, GrantDetail, Overview, RevokeReceipt, RevokeRequest,
};
use alter_domain::{Error, Result, flow::wallet::WalletService};
use axum::{Json, extract::State};

use crate::{
    access::{Reader, Writer},
    extract::{Named, Peer},
    input::Input,
    view,
};

/// Every grant of the user's, over all apps.
pub(crate) async fn overview(
    State(service): State<Arc<WalletService>>,
    Reader(who): Reader,
) -> Result<Json<Overview>> {
    let holdings = service.holdings(&who).await?;
    let (user, now) = (who.session.user_id, service.ports.clock.now());
    Ok(Json(view::overview(&service.url, user, holdings, now)))
}

/// One grant. What is not the user's does not exist for them.
pub(crate) async fn show(
    State(service): State<Arc<WalletService>>,
    Reader(who): Reader,
    Named(id): Named,
) -> Result<Json<GrantDetail>> {
    let holding = service.holding(&who, id).await?;
    Ok(Json(view::detail(&service.url, holding, service.ports.clock.now())))
}

/// Ends it; the very next call fails. 409 `grant_revoked` where it was over, 403 `grant_not_yours_to_revoke` for a group's.
pub(crate) async fn revoke(
    State(service): State<Arc<WalletService>>,
    Writer(who): Writer,
    Named(id): Named,
    Peer(ip): Peer,
    input: Input<RevokeRequest>,
) -> Result<Json<RevokeReceipt>> {
    let RevokeRequest { reason } = input.0.unwrap_or_default();
    let ended = service.revoke(&who, id, reason, ip).await.map_err(over)?;
    Ok(Json(view::receipt(ended, service.ports.clock.now())))
}

/// Gives it more time, within the operator's maximum. 409 `grant_not_extendable` where that is not the user's to do, 422
/// `invalid_expires_at` for a time out of bounds.
pub(crate) async fn extend(
    State(service): State<Arc<WalletService>>,
    Writer(who): Writer,
    Named(id): Named,
    Peer(ip): Peer,
    input: Input<ExtendRequest>,
) -> Result<Json<GrantCard>> {
    let ExtendRequest { expires_at } = input.required()?;
    let holding = service.extend(&who, id, expires_at, ip).await.map_err(over)?;
    Ok(Json(view::grant(holding.held, service.ports.clock.now())))
}

/// To a caller a revoked grant is forbidden; to the person whose it is it is merely over already.
fn over(error: Error) -> Error {
    match error {
        Error::GrantRevoked { .. } => Error::conflict("grant_revoked", "The grant is revoked already."),
        other => other,
    }
}
