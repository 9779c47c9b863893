//! What was done with what people have granted: every row that concerns them, in all apps.

use std::sync::Arc;

use alter_api_types::{
    audit::{AuditPage, AuditQuery},
    wallet::{ActivityCounts, ActivityPage, ActivityQuery, CountBucket},
};
use alter_domain::{
    Error, Result,
    flow::wallet::WalletService,
    repo::{AuditFilter, AuditRows, AuditScope, Needle},
    web::audit::{self, Format},
};
use axum::{
    Json,
    extract::{FromRequestParts, Query, State},
    http::request::Parts,
    response::Response,
};

use crate::{access::Reader, view::agent};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;
/// The longest text that is looked for, in bytes.
const MAX_TEXT: usize = 200;

/// What was asked for.
pub(crate) struct Asked {
    filter: AuditFilter,
    limit: usize,
    cursor: Option<String>,
    format: Format,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        let Query(query) = Query::<ActivityQuery>::try_from_uri(&parts.uri)
            .map_err(|error| Error::field("invalid_filter", error.body_text()))?;
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::field("invalid_limit", "limit is 1 to 500."));
        }
        let text = query.q.unwrap_or_default();
        if text.len() > MAX_TEXT {
            return Err(Error::field("invalid_filter", "q has at most 200 bytes."));
        }
        let common = AuditQuery {
            grant_id: query.grant_id,
            agent_id: query.agent_id,
            provider_id: query.provider_id,
            event: query.event,
            outcome: query.outcome,
            since: query.since,
            until: query.until,
            ..AuditQuery::default()
        };
        let filter =
            AuditFilter { app_id: query.app_id, text: Needle::new(&text), ..audit::filter(&common)? };
        Ok(Self { filter, limit, cursor: query.cursor, format: Format::parse(query.format.as_deref())? })
    }
}

pub(crate) async fn page(
    State(service): State<Arc<WalletService>>,
    reader: Reader,
    asked: Asked,
) -> Result<Json<ActivityPage>> {
    let scope = scope(&service, &reader, &asked).await?;
    let cursor = asked.cursor.as_deref();
    let AuditPage { items, next_cursor } =
        audit::rows(&service.ports, &scope, &asked.filter, asked.limit, cursor).await?;
    let named = items.iter().flat_map(|row| [row.agent_id, row.principal_agent_id]).flatten();
    let agents = service.agents(named.collect()).await?.into_iter().map(agent).collect();
    Ok(Json(ActivityPage { items, next_cursor, agents }))
}

pub(crate) async fn counts(
    State(service): State<Arc<WalletService>>,
    reader: Reader,
    asked: Asked,
) -> Result<Json<ActivityCounts>> {
    let scope = scope(&service, &reader, &asked).await?;
    let ports = &service.ports;
    ports.audit.settle().await?;
    let rows = AuditRows(ports.table.as_ref());
    let counted = rows.count(&scope, &asked.filter, asked.cursor.as_deref(), ports.clock.now()).await?;
    let buckets = counted.counts.iter();
    let buckets = buckets.map(|count| CountBucket { at: count.at, calls: count.calls, failed: count.failed });
    Ok(Json(ActivityCounts { buckets: buckets.collect(), next_cursor: counted.next }))
}

/// As CSV or JSON lines, at most 100,000 rows; one at a time.
pub(crate) async fn export(
    State(service): State<Arc<WalletService>>,
    reader: Reader,
    Asked { filter, cursor, format, .. }: Asked,
) -> Result<Response> {
    let session = &reader.0.session;
    let permit = service.exports.begin(session.user_id)?;
    let scope = service.record_of(session, filter.grant_id).await?;
    let file = (format, "wallet-activity");
    audit::stream_of(&service.ports, scope, filter, cursor, file, Some(permit)).await
}

async fn scope(service: &WalletService, Reader(signed_in): &Reader, asked: &Asked) -> Result<AuditScope> {
    service.record_of(&signed_in.session, asked.filter.grant_id).await
}
