//! The operator's own token, and those of the organization.

use alter_api_types::{
    ErrorBody, PatId,
    portal::{Me, MintToken, MintedToken, Page, TokenView},
};
use alter_domain::{
    Error, Result,
    flow::{NewToken, mint_operator_token, revoke_operator_token},
    model::Surface,
    repo::{OperatorTokens, Orgs},
};
use axum::{Json, extract::State};
use http::StatusCode;

use crate::{
    PortalState,
    access::{Admin, Operator, Read, Write},
    extract::{Body, Named, PageParams, Params, limit},
    input, view,
};

/// Who the token speaks for
#[utoipa::path(get, path = "/portal/v1/me", tag = "tokens", responses((status = 200, body = Me)))]
pub(crate) async fn me(State(portal): State<PortalState>, operator: Operator<Read>) -> Result<Json<Me>> {
    let token = operator.token;
    let org = Orgs(portal.ports.table.as_ref()).get(token.org_id).await?;
    let org = org.ok_or_else(|| Error::Internal("the token's organization is gone".to_owned()))?;
    let token = view::token(token, portal.ports.clock.now());
    Ok(Json(Me { org_id: org.id, org_name: org.name, token }))
}

/// List operator tokens
#[utoipa::path(get, path = "/portal/v1/tokens", tag = "tokens", params(PageParams), operation_id = "list_tokens",
    responses((status = 200, body = Page<TokenView>)))]
pub(crate) async fn list(
    State(portal): State<PortalState>,
    operator: Operator<Read>,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<TokenView>>> {
    let limit = limit(params.limit.as_deref())?;
    let tokens = OperatorTokens(portal.ports.table.as_ref());
    let listed = tokens.list(operator.token.org_id, limit, params.cursor).await?;
    let now = portal.ports.clock.now();
    Ok(Json(view::page(listed, |token| view::token(token, now))))
}

/// Mint an operator token
///
/// It may do at most what the asking token may. Its text is in this answer and nowhere else.
#[utoipa::path(post, path = "/portal/v1/tokens", tag = "tokens", operation_id = "mint_token", request_body = MintToken,
    responses((status = 201, body = MintedToken),
        (status = 422, body = ErrorBody, description = "`invalid_name`, `invalid_expiry`")))]
pub(crate) async fn mint(
    State(portal): State<PortalState>,
    operator: Operator<Write>,
    Body(body): Body<MintToken>,
) -> Result<(StatusCode, Json<MintedToken>)> {
    let now = portal.ports.clock.now();
    let new = NewToken {
        name: body.name,
        permission: input::permission(body.permission),
        expires_at: input::expiry(body.expires_at, body.expires_in.as_deref(), now)?,
    };
    let fresh =
        mint_operator_token(&portal.ports, &operator.token, new, operator.actor(), Surface::Portal).await?;
    let minted =
        MintedToken { token: view::token(fresh.token, now), operator_token: view::shown_once(&fresh.plain) };
    Ok((StatusCode::CREATED, Json(minted)))
}

/// Revoke an operator token
#[utoipa::path(delete, path = "/portal/v1/tokens/{pat_id}", tag = "tokens", operation_id = "revoke_token",
    responses((status = 200, body = TokenView), (status = 409, body = ErrorBody, description = "`token_revoked`")))]
pub(crate) async fn revoke(
    State(portal): State<PortalState>,
    operator: Operator<Admin>,
    Named(id): Named<PatId>,
) -> Result<Json<TokenView>> {
    let org = operator.token.org_id;
    let token = revoke_operator_token(&portal.ports, org, id, operator.actor(), Surface::Portal).await?;
    Ok(Json(view::token(token, portal.ports.clock.now())))
}
