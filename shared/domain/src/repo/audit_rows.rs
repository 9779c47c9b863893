//! Audit rows: written by the audit-writer, at least once and in any order; read by pages without gaps or repeats.
//!
//! A row's sort part is its event id, a UUIDv7, in every partition and index: one cursor fits all of them.

use std::collections::HashSet;

use alter_api_types::{AgentId, AppId, EventId, GrantId, OrgId, UserId};
use futures_util::future::join_all;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use uuid::Uuid;

use super::decode;
use crate::{
    error::{Error, Result},
    keyspace,
    model::{AuditEvent, EventKind, OutcomeKind, PrincipalType},
    port::{Index, Item, Query, Table, TableName},
};

/// The most rows in a page.
pub const MAX_PAGE: usize = 1000;
/// How long a row is kept.
pub const RETENTION_DAYS: i64 = 400;
/// How many rows one request examines before it hands back a short page and a cursor.
const MAX_EXAMINED: usize = 5000;
/// Rows younger than this are left for the next ascending page, so that a row which was recorded a moment earlier but
/// stored a moment later cannot fall behind the cursor. Seconds.
pub const SETTLE_SECONDS: i64 = 2;

/// Whose record is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditScope {
    App(AppId),
    /// What concerns the organization as a whole (not its apps' rows).
    Org(OrgId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
}

/// All conditions hold at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub grant_id: Option<GrantId>,
    pub agent_id: Option<AgentId>,
    pub user_id: Option<UserId>,
    pub principal_type: Option<PrincipalType>,
    pub provider_id: Option<String>,
    pub kind: Option<EventKind>,
    pub outcome: Option<OutcomeKind>,
    /// Part of the key prefix of the actor.
    pub key_prefix: Option<String>,
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    pub order: Order,
}

impl AuditFilter {
    fn admits(&self, event: &AuditEvent) -> bool {
        self.grant_id.is_none_or(|id| event.grant.as_ref().is_some_and(|grant| grant.id == id))
            && self.agent_id.is_none_or(|id| event.agent() == Some(id))
            && self.user_id.is_none_or(|id| event.user() == Some(id))
            && self.principal_type.is_none_or(|kind| event.principal_type() == Some(kind))
            && self.provider_id.as_deref().is_none_or(|id| event.provider_id() == Some(id))
            && self.kind.is_none_or(|kind| event.kind == kind)
            && self
                .outcome
                .is_none_or(|kind| event.outcome.as_ref().is_some_and(|outcome| outcome.kind == kind))
            && self.key_prefix.as_deref().is_none_or(|prefix| {
                event.actor.key_prefix.as_deref().is_some_and(|has| has.starts_with(prefix))
            })
    }

    /// The index that holds the fewest rows to examine.
    fn index(&self) -> Option<(Index, String)> {
        if let Some(grant) = self.grant_id {
            return Some((Index::First, keyspace::audit_of_grant(grant)));
        }
        if let Some(agent) = self.agent_id {
            return Some((Index::Second, keyspace::audit_of_agent(agent)));
        }
        self.user_id.map(|user| (Index::Third, keyspace::audit_of_user(user)))
    }
}

/// One page of the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    pub events: Vec<AuditEvent>,
    /// Give it back for the rows that follow. Present after a short or empty page too.
    pub next: Option<String>,
}

pub struct AuditRows<'a>(pub &'a dyn Table);

/// A span of event ids: `from` inclusive, `before` exclusive.
#[derive(Clone)]
struct Span {
    from: String,
    before: String,
}

impl AuditRows<'_> {
    /// When each of the grants was last used, in the order asked. At most 100 grants.
    pub async fn last_used(&self, grants: &[GrantId]) -> Result<Vec<Option<Timestamp>>> {
        let keys: Vec<_> = grants.iter().map(|id| (TableName::Audit, keyspace::last_used(*id))).collect();
        let items = self.0.get_many(&keys).await?;
        items.iter().map(|item| item.as_ref().map(decode).transpose()).collect()
    }

    pub async fn get(&self, scope: AuditScope, id: EventId) -> Result<AuditEvent> {
        let at = instant(id).ok_or(Error::NotFound("audit event"))?;
        let key = keyspace::audit_event(&scope_text(scope), at, id);
        let item = self.0.get(TableName::Audit, &key).await?.ok_or(Error::NotFound("audit event"))?;
        decode(&item)
    }

    /// One page. Pages of one listing neither miss nor repeat a row that was recorded before its first page.
    pub async fn query(
        &self,
        scope: AuditScope,
        filter: &AuditFilter,
        limit: usize,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<AuditPage> {
        let limit = limit.clamp(1, MAX_PAGE);
        let descending = filter.order == Order::NewestFirst;
        let mut span = bounds(filter, cursor, now)?;
        let mut page = AuditPage::default();
        let mut examined = 0;
        while span.from < span.before {
            let want = limit.saturating_sub(page.events.len()).max(64);
            let chunk = match filter.index() {
                Some((index, partition)) => {
                    self.read(&partition, Some(index), &span, descending, want).await?
                }
                None => self.read_months(scope, &span, descending, want).await?,
            };
            let exhausted = chunk.len() < want;
            for item in chunk {
                examined += 1;
                let event: AuditEvent = decode(&item)?;
                let id = event.id.to_string();
                if descending {
                    span.before = id.clone();
                } else {
                    span.from = after(&id);
                }
                if in_scope(scope, &event) && filter.admits(&event) {
                    page.events.push(event);
                    if page.events.len() == limit {
                        page.next = Some(id);
                        return Ok(page);
                    }
                }
                if examined >= MAX_EXAMINED {
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

    /// Reads `want` rows of an app or organization, month by month, all shards of a month at once.
    async fn read_months(
        &self,
        scope: AuditScope,
        span: &Span,
        descending: bool,
        want: usize,
    ) -> Result<Vec<Item>> {
        let scope = scope_text(scope);
        let mut found = Vec::new();
        for month in months(span, descending) {
            let shards = (0..keyspace::AUDIT_SHARDS).map(|shard| {
                let partition = keyspace::audit_partition(&scope, &month, shard);
                async move { self.read(&partition, None, span, descending, want).await }
            });
            let mut rows: Vec<Item> = Vec::new();
            for shard in join_all(shards).await {
                rows.extend(shard?);
            }
            rows.sort_by(
                |a, b| if descending { b.key.sort.cmp(&a.key.sort) } else { a.key.sort.cmp(&b.key.sort) },
            );
            found.extend(rows);
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

fn scope_text(scope: AuditScope) -> String {
    match scope {
        AuditScope::App(app) => keyspace::audit_scope_app(app),
        AuditScope::Org(org) => keyspace::audit_scope_org(org),
    }
}

fn in_scope(scope: AuditScope, event: &AuditEvent) -> bool {
    match scope {
        AuditScope::App(app) => event.app_id == Some(app),
        AuditScope::Org(org) => event.org_id == org && event.app_id.is_none(),
    }
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

fn bounds(filter: &AuditFilter, cursor: Option<&str>, now: Timestamp) -> Result<Span> {
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
