//! What is due by the clock: providers that were not told yet, users who have left, refresh tokens that idle out, grants that expired long ago.

use std::time::Duration;

use alter_api_types::{AppId, ConnectionId, GrantId, UserId};
use futures_util::{StreamExt as _, future::ready, stream};
use tokio::time::Instant;

use super::Revoker;
use crate::{
    error::{Error, Result},
    flow::{grants::revoke_grant, identity::follow_up},
    model::{Actor, Surface},
    repo::{Connections, Deprovisions, Grants, Revocations},
};

/// How many due tasks of a shard are taken at a time.
const BATCH: usize = 25;
/// How many departures of a shard are taken at a time. Each is a few reads, where its own signal has had the grants ended; a
/// company that leaves as a whole is not to wait for hours.
const DEPARTURES: usize = 250;
/// How many of a kind are under way at a time: a provider that hangs does not keep the others waiting.
const AT_ONCE: usize = 16;
/// After this nothing more is begun. What takes longest, a refresh with its store (80 seconds), then still ends within the five
/// minutes that a function has: it must not be cut off between the provider's answer and the store.
const BEGIN_WITHIN: Duration = Duration::from_secs(180);

const EXPIRED: &str = "The grant expired and was not renewed.";

impl Revoker {
    /// Everything that is due. The kinds go side by side, and one task that fails does not keep the others waiting; the first
    /// error is told.
    pub(super) async fn due(&self) -> Result<()> {
        let (now, table) = (self.ports.clock.now(), self.ports.table.as_ref());
        let until = Instant::now() + BEGIN_WITHIN;
        let tell = async {
            let due = Revocations(table).due(now, BATCH).await?;
            each(due.into_iter().map(|id| self.tell_due(id)), until).await
        };
        let keep = async {
            let due = Connections(table).keep_alive_due(now, BATCH).await?;
            each(due.into_iter().map(|(app, id)| self.keep_due(app, id)), until).await
        };
        let end = async {
            let due = Grants(table).ends_due(now, BATCH).await?;
            each(due.into_iter().map(|(app, id)| self.end_due(app, id)), until).await
        };
        let leave = async {
            let due = Deprovisions(table).due(now, DEPARTURES).await?;
            each(due.into_iter().map(|user| self.leave_due(user)), until).await
        };
        let (told, kept, ended, left) =
            tokio::join!(Box::pin(tell), Box::pin(keep), Box::pin(end), Box::pin(leave));
        told.and(kept).and(ended).and(left)
    }

    async fn tell_due(&self, id: alter_api_types::RevocationId) -> Result<()> {
        let told = Box::pin(self.tell(id)).await;
        told.inspect_err(|error| tracing::warn!(%id, %error, "a revocation was not told"))
    }

    async fn leave_due(&self, user: UserId) -> Result<()> {
        let followed = Box::pin(follow_up(&self.ports, user)).await;
        followed.inspect_err(|error| tracing::warn!(%user, %error, "a departure was not followed up"))
    }

    async fn keep_due(&self, app: AppId, id: ConnectionId) -> Result<()> {
        let kept = Box::pin(self.refresher.keep_alive(app, id)).await;
        kept.inspect_err(|error| tracing::warn!(%id, %error, "a refresh token was not kept alive"))
    }

    async fn end_due(&self, app: AppId, id: GrantId) -> Result<()> {
        let ended = Box::pin(self.end_expired(app, id)).await;
        ended.inspect_err(|error| tracing::warn!(%id, %error, "an expired grant was not revoked"))
    }

    /// Revokes a grant that expired long ago, so that its connection ends as it does with any last grant: tokens deleted,
    /// provider told. One that was given more time meanwhile is noted for then.
    async fn end_expired(&self, app: AppId, id: GrantId) -> Result<()> {
        let grants = Grants(self.ports.table.as_ref());
        let mut grant = grants.get(app, id).await?;
        let is_over = grant.value.ends_at().is_some_and(|at| at <= self.ports.clock.now());
        if let (true, Some(connection)) = (is_over, grant.value.source.connection_id()) {
            let org = Connections(self.ports.table.as_ref()).get(app, connection).await?.value.org_id;
            let (actor, reason) = (Actor::of_vault(), Some(EXPIRED.to_owned()));
            match revoke_grant(&self.ports, (org, app), id, reason, actor, Surface::Vault).await {
                Ok(_) | Err(Error::GrantRevoked { .. }) => {}
                Err(other) => return Err(other),
            }
            grant = grants.get(app, id).await?;
        }
        match grants.note_end(&grant).await {
            // It changed, and whoever changed it noted its end.
            Err(Error::Conflict { .. }) => Ok(()),
            other => other,
        }
    }
}

/// Does them side by side, and begins none after `until`: what is left is due at the next look.
async fn each<F>(due: impl Iterator<Item = F>, until: Instant) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let in_time: Vec<_> =
        due.map(|one| async move { if Instant::now() < until { one.await } else { Ok(()) } }).collect();
    let ended = stream::iter(in_time).buffer_unordered(AT_ONCE);
    ended.fold(Ok(()), |first, one| ready(first.and(one))).await
}
