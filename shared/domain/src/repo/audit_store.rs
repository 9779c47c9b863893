//! Storing audit rows: what the audit-writer does with a batch of records.

use std::collections::HashMap;

use alter_api_types::{AgentId, AppId, EventId, GrantId, OrgId, UserId};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Deserialize;

use super::{AuditRows, RETENTION_DAYS, encode, encoded};
use crate::{
    keyspace,
    model::{EventKind, Phase, Principal},
    port::{Expect, Index, Item, Key, Record, StoreError, TableName},
};

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteReport {
    /// Places in the batch of what could not be stored and must be delivered again.
    pub failed: Vec<usize>,
}

impl AuditRows<'_> {
    /// Stores a batch of recorded events. A final row replaces its intent; an intent never replaces anything. A record that
    /// does not read can never be stored: it is logged by its place and let go, so that it does not hold up the others.
    pub async fn write(&self, records: &[Record]) -> WriteReport {
        let mut latest: HashMap<EventId, (usize, Indexed)> = HashMap::with_capacity(records.len());
        for (position, record) in records.iter().enumerate() {
            match serde_json::from_slice::<Indexed>(&record.0) {
                Ok(event) if event.phase == Phase::Final => {
                    latest.insert(event.id, (position, event));
                }
                Ok(event) => {
                    latest.entry(event.id).or_insert((position, event));
                }
                Err(error) => tracing::error!(position, %error, "audit record does not read"),
            }
        }
        let (finals, intents): (Vec<_>, Vec<_>) =
            latest.values().partition(|(_, event)| event.phase == Phase::Final);
        let items = |events: &[&(usize, Indexed)]| -> Vec<Item> {
            events
                .iter()
                .filter_map(|(position, event)| Some(event.item(&records.get(*position)?.0)))
                .collect()
        };
        let mut report = WriteReport::default();
        // In the same write: a note that is lost is only a stale display, so it is not worth one of its own.
        let mut rows = items(&finals);
        rows.extend(last_uses(finals.iter().map(|(_, event)| event)));
        if let Err(error) = self.0.put_many(TableName::Audit, rows).await {
            tracing::warn!(rows = finals.len(), %error, "audit rows not stored");
            report.failed.extend(finals.iter().map(|(position, _)| *position));
        }
        let stored =
            join_all(items(&intents).into_iter().zip(&intents).map(|(item, (position, _))| async move {
                match self.0.put(TableName::Audit, item, Expect::Absent).await {
                    // The row is there, as this intent or as the final row that overtook it.
                    Ok(_) | Err(StoreError::Conflict) => None,
                    Err(error) => {
                        tracing::warn!(%error, "audit row not stored");
                        Some(*position)
                    }
                }
            }));
        report.failed.extend(stored.await.into_iter().flatten());
        report
    }
}

/// When grants were last used.
fn last_uses<'e>(events: impl Iterator<Item = &'e Indexed>) -> impl Iterator<Item = Item> {
    let mut used: HashMap<GrantId, Timestamp> = HashMap::new();
    for event in events {
        let reached = event.outcome.as_ref().is_some_and(|outcome| outcome.status.is_some());
        if let (EventKind::Call, true, Some(grant)) = (event.kind, reached, &event.grant) {
            let at = used.entry(grant.id).or_insert(event.at);
            *at = event.at.max(*at);
        }
    }
    used.into_iter().filter_map(|(grant, at)| Some(Item::new(keyspace::last_used(grant), encode(&at).ok()?)))
}

/// What of a recorded event decides where its row goes. The row itself is the record's bytes as they came.
#[derive(Deserialize)]
struct Indexed {
    id: EventId,
    org_id: OrgId,
    #[serde(default)]
    app_id: Option<AppId>,
    at: Timestamp,
    kind: EventKind,
    phase: Phase,
    actor: IndexedActor,
    #[serde(default)]
    grant: Option<IndexedGrant>,
    #[serde(default)]
    user_id: Option<UserId>,
    #[serde(default)]
    outcome: Option<IndexedOutcome>,
}

#[derive(Deserialize)]
struct IndexedActor {
    #[serde(default)]
    agent_id: Option<AgentId>,
}

#[derive(Deserialize)]
struct IndexedGrant {
    id: GrantId,
    principal: Principal,
}

#[derive(Deserialize)]
struct IndexedOutcome {
    #[serde(default)]
    status: Option<u16>,
}

impl Indexed {
    fn item(&self, json: &[u8]) -> Item {
        let scope = match self.app_id {
            Some(app) => keyspace::audit_scope_app(app),
            None => keyspace::audit_scope_org(self.org_id),
        };
        let expires_at = self.at.as_second() + RETENTION_DAYS * 86_400;
        let mut item = Item::new(keyspace::audit_event(&scope, self.at, self.id), encoded(json))
            .with_expiry(Some(expires_at));
        let sort = item.key.sort.clone();
        let key = |partition: String| Key::new(partition, sort.clone());
        let principal = self.grant.as_ref().map(|grant| &grant.principal);
        if let Some(grant) = &self.grant {
            item = item.with_index(Index::First, key(keyspace::audit_of_grant(grant.id)));
        }
        let owner = match principal {
            Some(Principal::Agent { agent_id }) => Some(*agent_id),
            _ => None,
        };
        if let Some(agent) = self.actor.agent_id.or(owner) {
            item = item.with_index(Index::Second, key(keyspace::audit_of_agent(agent)));
        }
        let user = match principal {
            Some(Principal::User { user_id }) => Some(*user_id),
            _ => self.user_id,
        };
        if let Some(user) = user {
            item = item.with_index(Index::Third, key(keyspace::audit_of_user(user)));
        }
        item
    }
}
