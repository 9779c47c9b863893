//! Reading the record: what the app's own audit routes and the portal's share.

mod csv;

use std::collections::VecDeque;

use alter_api_types::audit::{AuditPage as PageView, AuditQuery, AuditRow};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};

use self::csv::{COLUMNS, cells, csv_line};
use crate::{
    error::{Error, Result},
    flow::wallet::ExportPermit,
    model::{ActorKind, AuditEvent, EventKind, OutcomeKind, Principal, PrincipalType, Surface},
    repo::{AuditFilter, AuditRows, AuditScope, MAX_PAGE, Order},
    state::Ports,
};

/// The most rows of one export.
pub const MAX_EXPORT: usize = 100_000;
/// How many rows one export examines for those that it sends: of an app's or organization's record, and of a person's. Whoever
/// searches for what is hardly ever there names a span of time, too.
const MAX_EXAMINED: (usize, usize) = (1_000_000, 200_000);
const DEFAULT_LIMIT: usize = 100;

/// One page of the record. All that was acknowledged before the query is in it, where the sink can promise that.
pub async fn page(ports: &Ports, scope: &AuditScope, query: &AuditQuery) -> Result<PageView> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Error::field("invalid_limit", "limit is 1 to 1000."));
    }
    rows(ports, scope, &filter(query)?, limit, query.cursor.as_deref()).await
}

/// The same, for whoever has a filter of their own.
pub async fn rows(
    ports: &Ports,
    scope: &AuditScope,
    filter: &AuditFilter,
    limit: usize,
    cursor: Option<&str>,
) -> Result<PageView> {
    ports.audit.settle().await?;
    let now = ports.clock.now();
    let page = AuditRows(ports.table.as_ref()).query(scope, filter, limit, cursor, now).await?;
    let items = page.events.into_iter().map(|event| shown(event, scope)).collect();
    Ok(PageView { items, next_cursor: page.next })
}

/// An export of at most [`MAX_EXPORT`] rows, streamed page by page. A failure half-way breaks the stream, so that a part is
/// never taken for the whole.
pub async fn export(ports: &Ports, scope: AuditScope, query: &AuditQuery) -> Result<Response> {
    let format = Format::parse(query.format.as_deref())?;
    stream_of(ports, scope, filter(query)?, query.cursor.clone(), (format, "audit"), None).await
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Jsonl,
}

impl Format {
    /// CSV where nothing is asked for.
    pub fn parse(text: Option<&str>) -> Result<Self> {
        match text {
            None | Some("csv") => Ok(Self::Csv),
            Some("jsonl") => Ok(Self::Jsonl),
            Some(_) => Err(Error::field("invalid_format", "format is csv or jsonl.")),
        }
    }
}

/// The same, for whoever has a filter of their own; `name` is the file's, without its extension. The permit, where one is needed,
/// is given back when the stream ends.
pub async fn stream_of(
    ports: &Ports,
    scope: AuditScope,
    filter: AuditFilter,
    cursor: Option<String>,
    (format, name): (Format, &str),
    permit: Option<ExportPermit>,
) -> Result<Response> {
    // While there is still a status to say it with.
    AuditRows::check(&filter, cursor.as_deref(), ports.clock.now())?;
    ports.audit.settle().await?;
    let csv = format == Format::Csv;
    let mut pending = VecDeque::new();
    if csv {
        pending.push_back(Bytes::from(csv_line(&COLUMNS.map(str::to_owned))));
    }
    let start = Export {
        ports: ports.clone(),
        unexamined: if matches!(scope, AuditScope::Person { .. }) { MAX_EXAMINED.1 } else { MAX_EXAMINED.0 },
        scope,
        filter,
        csv,
        cursor,
        left: MAX_EXPORT,
        pending,
        done: false,
        _permit: permit,
    };
    let body = Body::from_stream(stream::try_unfold(start, Export::step));
    let (kind, extension) =
        if csv { ("text/csv; charset=utf-8", "csv") } else { ("application/jsonl", "jsonl") };
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.{extension}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

struct Export {
    ports: Ports,
    scope: AuditScope,
    filter: AuditFilter,
    csv: bool,
    cursor: Option<String>,
    left: usize,
    /// How many rows may still be read.
    unexamined: usize,
    pending: VecDeque<Bytes>,
    done: bool,
    _permit: Option<ExportPermit>,
}

impl Export {
    async fn step(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        loop {
            if let Some(bytes) = self.pending.pop_front() {
                return Ok(Some((bytes, self)));
            }
            if self.done || self.left == 0 {
                return Ok(None);
            }
            if self.unexamined == 0 {
                return Err(Error::Internal("an export has examined as many rows as it may".to_owned()));
            }
            let now = self.ports.clock.now();
            let rows = AuditRows(self.ports.table.as_ref());
            let want = self.left.min(MAX_PAGE);
            let page = rows.query(&self.scope, &self.filter, want, self.cursor.as_deref(), now).await?;
            self.left -= page.events.len().min(self.left);
            self.unexamined = self.unexamined.saturating_sub(page.examined);
            // A page may be empty and more may follow; an ascending list always offers a cursor to come back with. The end
            // is where the cursor no longer moves.
            self.done = page.next.is_none() || page.next == self.cursor;
            self.cursor = page.next;
            let mut text = Vec::new();
            for event in page.events {
                let row = shown(event, &self.scope);
                if self.csv {
                    text.extend(csv_line(&cells(&row)));
                } else {
                    serde_json::to_writer(&mut text, &row)?;
                    text.push(b'\n');
                }
            }
            if !text.is_empty() {
                self.pending.push_back(text.into());
            }
        }
    }
}

/// What a query asks for.
pub fn filter(query: &AuditQuery) -> Result<AuditFilter> {
    let invalid = |what: &'static str| Error::field("invalid_filter", format!("{what} has no such value."));
    let principal_type = query.principal_type.as_deref().map(|text| {
        [PrincipalType::User, PrincipalType::Group, PrincipalType::System, PrincipalType::Agent]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| invalid("principal_type"))
    });
    Ok(AuditFilter {
        app_id: None,
        text: None,
        grant_id: query.grant_id,
        agent_id: query.agent_id,
        user_id: query.user_id,
        principal_type: principal_type.transpose()?,
        provider_id: query.provider_id.clone(),
        kind: query
            .event
            .as_deref()
            .map(|text| EventKind::parse(text).ok_or_else(|| invalid("event")))
            .transpose()?,
        outcome: query
            .outcome
            .as_deref()
            .map(|text| OutcomeKind::parse(text).ok_or_else(|| invalid("outcome")))
            .transpose()?,
        key_prefix: query.key_prefix.clone(),
        since: query.since,
        until: query.until,
        order: match query.order.as_deref() {
            None | Some("desc") => Order::NewestFirst,
            Some("asc") => Order::OldestFirst,
            Some(_) => return Err(invalid("order")),
        },
    })
}

/// The row as whoever reads this record may see it. A person is told that an operator did it; which one, and from where, is
/// nothing of the person's.
fn shown(mut event: AuditEvent, scope: &AuditScope) -> AuditRow {
    if matches!(scope, AuditScope::Person { .. }) && event.actor.kind == ActorKind::Operator {
        (event.actor.token_id, event.actor.ip) = (None, None);
    }
    row(event)
}

/// The flat view of an event.
pub fn row(event: AuditEvent) -> AuditRow {
    let (agent_id, principal_type, provider_id) =
        (event.actor.agent_id, event.principal_type(), event.provider_id().map(str::to_owned));
    let (mut user, mut idp, mut group, mut agent) = (None, None, None, None);
    match event.grant.as_ref().map(|grant| grant.principal.clone()) {
        Some(Principal::User { user_id }) => user = Some(user_id),
        Some(Principal::Group { idp_id, external_group_id }) => {
            (idp, group) = (Some(idp_id), Some(external_group_id));
        }
        Some(Principal::Agent { agent_id }) => agent = Some(agent_id),
        Some(Principal::System) | None => {}
    }
    let outcome = event.outcome.as_ref();
    let call = event.call.as_ref();
    let not_empty = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    AuditRow {
        id: event.id,
        created_at: event.at,
        event: event.kind.as_str().to_owned(),
        outcome: outcome.map_or("started", |outcome| outcome.kind.as_str()).to_owned(),
        app_id: event.app_id,
        actor_type: match event.actor.kind {
            ActorKind::App => "app",
            ActorKind::Agent => "agent",
            ActorKind::Operator => "operator",
            ActorKind::User => "user",
            ActorKind::System => "system",
        }
        .to_owned(),
        caller_key_id: event.actor.key_id,
        caller_key_prefix: event.actor.key_prefix,
        caller: event.actor.caller,
        caller_type: event.actor.caller_type,
        agent_id,
        operator_token_id: event.actor.token_id,
        ip: event.actor.ip,
        surface: event.surface.map(|surface| {
            match surface {
                Surface::Sdk => "sdk",
                Surface::Portal => "portal",
                Surface::Wallet => "wallet",
                Surface::Webhook => "webhook",
                Surface::Connect => "connect",
                Surface::Vault => "vault",
            }
            .to_owned()
        }),
        grant_id: event.grant.as_ref().map(|grant| grant.id),
        grant_kind: event.grant.as_ref().map(|grant| grant.kind().to_owned()),
        grant_label: event.grant.as_ref().and_then(|grant| grant.label.clone()),
        provider_id,
        principal_type: principal_type.map(|kind| kind.as_str().to_owned()),
        principal_user_id: user,
        principal_idp_id: idp,
        principal_group_id: group,
        principal_agent_id: agent,
        method: call.map(|call| call.method.clone()),
        host: call.and_then(|call| not_empty(&call.host)),
        path: call.and_then(|call| not_empty(&call.path)),
        status: outcome.and_then(|outcome| outcome.status),
        error_code: outcome.and_then(|outcome| outcome.code.clone()),
        latency_ms: outcome.and_then(|outcome| outcome.latency_ms),
        request_bytes: outcome.and_then(|outcome| outcome.request_bytes),
        response_bytes: outcome.and_then(|outcome| outcome.response_bytes),
        truncated: outcome.is_some_and(|outcome| outcome.truncated),
        redacted: outcome.is_some_and(|outcome| outcome.redacted),
        reason: call.and_then(|call| call.reason.clone()),
        context: call.map(|call| call.context.clone()).unwrap_or_default(),
        traceparent: call.and_then(|call| call.traceparent.clone()),
        detail: event.detail,
        user_id: event.user_id,
    }
}
