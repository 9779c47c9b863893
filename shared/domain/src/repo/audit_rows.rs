//! Audit rows: written by the audit-writer, at least once and in any order; read by pages without gaps or repeats.
//!
//! A row's sort part is its event id, a UUIDv7, in every partition and index: one cursor fits all of them.

use std::collections::HashSet;

use alter_api_types::{EventId, GrantId};
use futures_util::future::try_join_all;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use uuid::Uuid;

use super::{
    audit_filter::{AuditFilter, AuditScope, Order, Seen},
    decode, document,
};
use crate::{
    error::{Error, Result},
    keyspace,
    model::AuditEvent,
    port::{Index, Item, Query, Table, TableName},
};

/// The most rows in a page.
pub const MAX_PAGE: usize = 1000;
/// How long a row is kept.
pub const RETENTION_DAYS: i64 = 400;
/// How many rows one request examines before it hands back a short page and a cursor.
pub(super) const MAX_EXAMINED: usize = 5000;
/// How many rows are read at a time, at least and at most, where some may be passed over.
const CHUNK: (usize, usize) = (64, 1024);
/// Rows younger than this are left for the next ascending page, so that a row which was recorded a moment earlier but
/// stored a moment later cannot fall behind the cursor. Seconds.
pub const SETTLE_SECONDS: i64 = 2;

/// One page of the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    pub events: Vec<AuditEvent>,
    /// Give it back for the rows that follow. Present after a short or empty page too.
    pub next: Option<String>,
    /// How many rows were looked at for it.
    pub examined: usize,
}

pub struct AuditRows<'a>(pub &'a dyn Table);

/// A span of event ids: `from` inclusive, `before` exclusive.
#[derive(Clone)]
pub(super) struct Span {
    pub(super) from: String,
    pub(super) before: String,
}

impl AuditRows<'_> {
    /// When each of the grants was last used, in the order asked. At most 100 grants.
    pub async fn last_used(&self, grants: &[GrantId]) -> Result<Vec<Option<Timestamp>>> {
        let keys: Vec<_> = grants.iter().map(|id| (TableName::Audit, keyspace::last_used(*id))).collect();
        let items = self.0.get_many(&keys).await?;
        items.iter().map(|item| item.as_ref().map(decode).transpose()).collect()
    }

    pub async fn get(&self, scope: &AuditScope, id: EventId) -> Result<AuditEvent> {
        let at = instant(id).ok_or(Error::NotFound("audit event"))?;
        let scope = scope_text(scope).ok_or(Error::NotFound("audit event"))?;
        let key = keyspace::audit_event(&scope, at, id);
        let item = self.0.get(TableName::Audit, &key).await?.ok_or(Error::NotFound("audit event"))?;
        decode(&item)
    }

    /// Whether a query may be asked like this.
    pub fn check(filter: &AuditFilter, cursor: Option<&str>, now: Timestamp) -> Result<()> {
        bounds(filter, cursor, now).map(drop)
    }

    /// One page. Pages of one listing neither miss nor repeat a row that was recorded before its first page.
    pub async fn query(
        &self,
        scope: &AuditScope,
        filter: &AuditFilter,
        limit: usize,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<AuditPage> {
        let limit = limit.clamp(1, MAX_PAGE);
        let descending = filter.order == Order::NewestFirst;
        let narrows = filter.narrows();
        let mut span = bounds(filter, cursor, now)?;
        let mut page = AuditPage::default();
        // The less of what was read is shown, the more is read at a time.
        let mut at_least = if narrows { CHUNK.0 } else { 0 };
        while span.from < span.before {
            let want = limit.saturating_sub(page.events.len()).max(at_least);
            at_least = (at_least * 2).clamp(CHUNK.0, CHUNK.1);
            let chunk = self.chunk(scope, filter, &span, want).await?;
            let exhausted = chunk.len() < want;
            for item in chunk {
                page.examined += 1;
                let id = item.key.sort.clone();
                if descending {
                    span.before.clone_from(&id);
                } else {
                    span.from = after(&id);
                }
                if let Some(event) = read(&item, scope, filter, narrows)? {
                    page.events.push(event);
                    if page.events.len() == limit {
                        page.next = Some(id);
                        return Ok(page);
                    }
                }
                if page.examined >= MAX_EXAMINED {
                    page.next = Some(id);
                    return Ok(page);
                }
            }
            if exhausted {
                break;
            }
        }
        // An ascending reader comes back for what is recorded later, from where it stood.
        if !descending && filter.until.is_none() {
            page.next =
                page.events.last().map(|event| event.id.to_string()).or_else(|| cursor.map(str::to_owned));
        }
        Ok(page)
    }

    /// Reads `want` rows of the span in order, or all there are.
    pub(super) async fn chunk(
        &self,
        scope: &AuditScope,
        filter: &AuditFilter,
        span: &Span,
        want: usize,
    ) -> Result<Vec<Item>> {
        let descending = filter.order == Order::NewestFirst;
        match (filter.indexes(scope).as_slice(), scope_text(scope)) {
            ([], Some(scope)) => self.read_months(&scope, span, descending, want).await,
            ([(index, partition)], _) => self.read(partition, Some(*index), span, descending, want).await,
            (several, _) => {
                let parts = several
                    .iter()
                    .map(|(index, partition)| self.read(partition, Some(*index), span, descending, want));
                let mut rows = merged(try_join_all(parts).await?, descending);
                rows.truncate(want);
                Ok(rows)
            }
        }
    }

    /// Reads `want` rows of an app or organization, month by month, all shards of a month at once.
    async fn read_months(
        &self,
        scope: &str,
        span: &Span,
        descending: bool,
        want: usize,
    ) -> Result<Vec<Item>> {
        let mut found = Vec::new();
        for month in months(span, descending) {
            let shards = (0..keyspace::AUDIT_SHARDS).map(|shard| {
                let partition = keyspace::audit_partition(scope, &month, shard);
                async move { self.read(&partition, None, span, descending, want).await }
            });
            found.extend(merged(try_join_all(shards).await?, descending));
            if found.len() >= want {
                found.truncate(want);
                break;
            }
        }
        Ok(found)
    }

    /// Reads `want` rows of one partition, or all there are.
    async fn read(
        &self,
        partition: &str,
        index: Option<Index>,
        span: &Span,
        descending: bool,
        want: usize,
    ) -> Result<Vec<Item>> {
        let mut query = Query {
            index,
            from: Some(span.from.clone()),
            before: Some(span.before.clone()),
            descending,
            limit: want,
            ..Query::partition(TableName::Audit, partition)
        };
        let mut rows = Vec::new();
        loop {
            let page = self.0.query(&query).await?;
            rows.extend(page.items);
            match page.next {
                Some(next) if rows.len() < want => {
                    query.limit = want - rows.len();
                    query.cursor = Some(next);
                }
                _ => return Ok(rows),
            }
        }
    }
}

/// Whose partitions hold the scope's rows. A person has none: their rows lie in those of apps.
fn scope_text(scope: &AuditScope) -> Option<String> {
    match scope {
        AuditScope::App(app) => Some(keyspace::audit_scope_app(*app)),
        AuditScope::Org(org) => Some(keyspace::audit_scope_org(*org)),
        AuditScope::Person { .. } => None,
    }
}

/// The row, if it is to be shown. Where most are not, that is found out before the whole of it is read.
fn read(item: &Item, scope: &AuditScope, filter: &AuditFilter, narrows: bool) -> Result<Option<AuditEvent>> {
    let shown = |seen: &Seen<'_>| scope.holds(seen) && filter.admits(seen);
    if narrows && !shown(&seen(item)?) {
        return Ok(None);
    }
    let event: AuditEvent = decode(item)?;
    let is_shown = narrows || shown(&Seen::of(&event));
    Ok(is_shown.then_some(event))
}

/// What of the row decides whether it is shown.
pub(super) fn seen(item: &Item) -> Result<Seen<'_>> {
    Ok(serde_json::from_slice(document(item)?)?)
}

/// Rows of several partitions in one order.
fn merged(parts: Vec<Vec<Item>>, descending: bool) -> Vec<Item> {
    let mut rows: Vec<Item> = parts.into_iter().flatten().collect();
    rows.sort_by(|a, b| if descending { b.key.sort.cmp(&a.key.sort) } else { a.key.sort.cmp(&b.key.sort) });
    rows
}

/// The smallest text that sorts after an event id and before the next one.
fn after(id: &str) -> String {
    format!("{id}~")
}

/// The smallest event id of an instant.
fn floor(at: Timestamp) -> String {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
    Uuid::from_u128(u128::from(millis) << 80).to_string()
}

/// When an event id was made.
fn instant(id: EventId) -> Option<Timestamp> {
    let millis = Uuid::from(id).as_u128() >> 80;
    Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()
}

pub(super) fn bounds(filter: &AuditFilter, cursor: Option<&str>, now: Timestamp) -> Result<Span> {
    let invalid = || Error::field("invalid_cursor", "The cursor is not one of this list's.");
    let cursor: Option<EventId> = cursor.map(|text| text.parse().map_err(|_| invalid())).transpose()?;
    let horizon = match filter.order {
        Order::NewestFirst => now.saturating_add(1.minute()),
        Order::OldestFirst => now.saturating_sub(SETTLE_SECONDS.seconds()),
    }
    .map_err(|_| invalid())?;
    let until = filter.until.map_or(horizon, |until| until.min(horizon));
    let mut span = Span { from: floor(filter.since.unwrap_or(Timestamp::UNIX_EPOCH)), before: floor(until) };
    if let Some(cursor) = cursor {
        let cursor = cursor.to_string();
        match filter.order {
            Order::NewestFirst => span.before = span.before.min(cursor),
            Order::OldestFirst => span.from = span.from.max(after(&cursor)),
        }
    }
    Ok(span)
}

/// The months that a span touches, in reading order; no further back than the record is kept.
fn months(span: &Span, descending: bool) -> Vec<String> {
    const KEPT_MONTHS: usize = RETENTION_DAYS as usize / 28 + 1;
    let parse = |text: &str| text.get(..36).and_then(|id| id.parse().ok()).and_then(instant);
    let Some(last) = parse(&span.before) else { return Vec::new() };
    let first = parse(&span.from).map(keyspace::audit_month).unwrap_or_default();
    let mut month = last.to_zoned(TimeZone::UTC);
    let mut seen = HashSet::new();
    let mut names = Vec::new();
    while names.len() < KEPT_MONTHS {
        let name = month.strftime("%Y-%m").to_string();
        if name < first || !seen.insert(name.clone()) {
            break;
        }
        names.push(name);
        match month.first_of_month().and_then(|day| day.checked_sub(1.day())) {
            Ok(earlier) => month = earlier,
            Err(_) => break,
        }
    }
    if !descending {
        names.reverse();
    }
    names
}
