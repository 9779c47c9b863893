//! The record, as an operator reads it: an app's, or the organization's own.

use alter_api_types::{
    ErrorBody, EventId,
    audit::{AuditPage, AuditQuery, AuditRow},
};
use alter_domain::{
    Result,
    repo::{AuditRows, AuditScope},
    web::audit,
};
use axum::{Json, extract::State, response::Response};

use crate::{
    PortalState,
    access::{InApp, Operator, Read},
    extract::{Named, Params},
};

/// Read an app's record
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/audit", tag = "audit", params(AuditQuery),
    operation_id = "list_audit", responses((status = 200, body = AuditPage)))]
pub(crate) async fn list(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditPage>> {
    audit::page(&portal.ports, &AuditScope::App(access.app_id()), &query).await.map(Json)
}

/// Export an app's record
///
/// As CSV or JSON lines, at most 100,000 rows.
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/audit/export", tag = "audit", params(AuditQuery),
    operation_id = "export_audit",
    responses((status = 200, content((String = "text/csv"), (String = "application/jsonl"))),
        (status = 422, body = ErrorBody, description = "`invalid_filter`, `invalid_format`")))]
pub(crate) async fn export(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Params(query): Params<AuditQuery>,
) -> Result<Response> {
    audit::export(&portal.ports, AuditScope::App(access.app_id()), &query).await
}

/// One event of an app's record
#[utoipa::path(get, path = "/portal/v1/apps/{app_id}/audit/{event_id}", tag = "audit", operation_id = "get_audit_event",
    responses((status = 200, body = AuditRow)))]
pub(crate) async fn get(
    State(portal): State<PortalState>,
    access: InApp<Read>,
    Named(id): Named<EventId>,
) -> Result<Json<AuditRow>> {
    portal.ports.audit.settle().await?;
    let rows = AuditRows(portal.ports.table.as_ref());
    let event = rows.get(&AuditScope::App(access.app_id()), id).await?;
    Ok(Json(audit::row(event)))
}

/// Read the organization's own record
///
/// What concerns no app, such as operator tokens.
#[utoipa::path(get, path = "/portal/v1/audit", tag = "audit", params(AuditQuery), operation_id = "list_org_audit",
    responses((status = 200, body = AuditPage)))]
pub(crate) async fn list_of_org(
    State(portal): State<PortalState>,
    operator: Operator<Read>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditPage>> {
    audit::page(&portal.ports, &AuditScope::Org(operator.token.org_id), &query).await.map(Json)
}

/// Export the organization's own record
#[utoipa::path(get, path = "/portal/v1/audit/export", tag = "audit", params(AuditQuery),
    operation_id = "export_org_audit",
    responses((status = 200, content((String = "text/csv"), (String = "application/jsonl"))),
        (status = 422, body = ErrorBody, description = "`invalid_filter`, `invalid_format`")))]
pub(crate) async fn export_of_org(
    State(portal): State<PortalState>,
    operator: Operator<Read>,
    Params(query): Params<AuditQuery>,
) -> Result<Response> {
    audit::export(&portal.ports, AuditScope::Org(operator.token.org_id), &query).await
}
