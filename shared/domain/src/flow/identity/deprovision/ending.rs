//! Ending grants, several at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alter_api_types::{AppId, ConnectionId, GrantId, OrgId, UserId};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

use crate::{
    error::{Error, Result},
    flow::grants::end_grant,
    model::{Actor, Deprovision, Grant, GrantSource, GrantState, Principal, Surface},
    repo::{Connections, Grants},
    state::Ports,
};

/// How many are being ended at a time.
const AT_ONCE: usize = 16;
/// How many grants of a connection are read at a time.
const PAGE: usize = 256;

const REASON: &str = "The user has left.";

/// Whether a grant was ended because the user has left, and not before an operator let the user back.
pub(super) fn was_ended(grant: &Grant, back_since: Option<Timestamp>) -> bool {
    match &grant.state {
        GrantState::Revoked { at, reason: Some(reason), .. } => {
            reason == REASON && back_since.is_none_or(|since| *at >= since)
        }
        GrantState::Revoked { .. } | GrantState::Active => false,
    }
}

/// The ending of one user's grants: what was done so far.
pub(super) struct Ending<'a> {
    by: By<'a>,
    /// Connections of the user's on which nobody else has a grant any more.
    cleared: BTreeSet<ConnectionId>,
    ended: u64,
    failed: Option<Error>,
}

/// On whose behalf grants are ended.
#[derive(Clone)]
struct By<'a> {
    ports: &'a Ports,
    org: OrgId,
    user: UserId,
    actor: Arc<Actor>,
    from: Surface,
}

/// What became of some grants of one source.
#[derive(Default)]
struct Done {
    ended: u64,
    cleared: Option<ConnectionId>,
    failed: Option<Error>,
}

impl<'a> Ending<'a> {
    pub(super) fn new(ports: &'a Ports, task: &Deprovision) -> Self {
        let actor = Arc::new(task.actor.clone());
        let by = By { ports, org: task.org_id, user: task.user_id, actor, from: task.from };
        Self { by, cleared: BTreeSet::new(), ended: 0, failed: None }
    }

    /// Ends these grants of an app. What is returned is trouble of the vault's own, after which the others would fail alike.
    pub(super) async fn end(&mut self, app: AppId, grants: &[Grant]) -> Option<Error> {
        // Each grant on a connection writes the connection: side by side they would only be in each other's way.
        let mut secrets = Vec::new();
        let mut connections: BTreeMap<ConnectionId, Vec<GrantId>> = BTreeMap::new();
        for grant in grants {
            match grant.source {
                GrantSource::ManagedSecret { .. } => secrets.push(grant.id),
                GrantSource::OAuth { connection_id } => {
                    connections.entry(connection_id).or_default().push(grant.id);
                }
            }
        }
        let by = &self.by;
        let mut jobs: Vec<_> = secrets.into_iter().map(|id| by.clone().all(app, None, vec![id])).collect();
        jobs.extend(connections.into_iter().map(|(connection, ids)| {
            let uncleared = (!self.cleared.contains(&connection)).then_some(connection);
            by.clone().all(app, uncleared, ids)
        }));
        let mut jobs = stream::iter(jobs).buffer_unordered(AT_ONCE);
        let mut trouble = None;
        while let Some(done) = jobs.next().await {
            self.ended += done.ended;
            self.cleared.extend(done.cleared);
            match done.failed {
                Some(error) if is_ours(&error) => trouble = trouble.or(Some(error)),
                Some(error) => {
                    tracing::warn!(user = %by.user, %error, "a grant of a user who has left could not be ended");
                    self.failed.get_or_insert(error);
                }
                None => {}
            }
        }
        trouble
    }

    /// How many were ended.
    pub(super) fn count(&self) -> u64 {
        self.ended
    }

    /// The same, or the first error.
    pub(super) fn result(self) -> Result<u64> {
        self.failed.map_or(Ok(self.ended), Err)
    }
}

impl By<'_> {
    /// Ends grants of one source, one after the other. What others were given of the user's connection goes first: as long as it
    /// is there, so is a grant of the user's own by which it is found again.
    async fn all(self, app: AppId, uncleared: Option<ConnectionId>, own: Vec<GrantId>) -> Done {
        let mut done = Done::default();
        if let Some(connection) = uncleared {
            match self.clear(app, connection).await {
                Ok(ended) => done = Done { ended, cleared: Some(connection), ..done },
                Err(error) => return Done { failed: Some(error), ..done },
            }
        }
        for id in own {
            match self.one(app, id).await {
                Ok(ended) => done.ended += ended,
                Err(error) => done.failed = done.failed.or(Some(error)),
            }
        }
        done
    }

    /// Ends what others were given of a connection that is the user's.
    async fn clear(&self, app: AppId, id: ConnectionId) -> Result<u64> {
        let table = self.ports.table.as_ref();
        let connection = match Connections(table).get(app, id).await {
            Ok(connection) => connection.value,
            // Gone, and with it what others had of it.
            Err(Error::NotFound(_)) => return Ok(0),
            Err(error) => return Err(error),
        };
        let own = Principal::User { user_id: self.user };
        if connection.principal != own || connection.live_grants <= 1 {
            return Ok(0);
        }
        let mut ended = 0;
        let mut cursor = None;
        loop {
            let page = Grants(table).list_of_connection(id, PAGE, cursor).await?;
            for grant in
                page.items.iter().filter(|grant| grant.state == GrantState::Active && grant.principal != own)
            {
                ended += self.one(app, grant.id).await?;
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(ended),
            }
        }
    }

    async fn one(&self, app: AppId, id: GrantId) -> Result<u64> {
        let (actor, reason) = (self.actor.as_ref().clone(), Some(REASON.to_owned()));
        match end_grant(self.ports, (self.org, app), id, reason, actor, self.from).await {
            Ok(_) => Ok(1),
            // Somebody else was faster, or the list lags behind.
            Err(Error::GrantRevoked { .. } | Error::GrantNotFound { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }
}

/// Whether the next grant would fail for the same reason.
fn is_ours(error: &Error) -> bool {
    matches!(error, Error::Throttled | Error::StoreUnavailable(_) | Error::AuditUnavailable(_))
}
