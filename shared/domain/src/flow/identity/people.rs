//! An app's users as its operator sees them: listing, suspending, letting back, ending.
//!
//! A user's state is one for all apps of the organization: whoever is suspended here is denied in each of them.

use std::collections::BTreeMap;

use alter_api_types::{AppId, OrgId, UserId};
use futures_util::future::try_join;

use super::{about, departure, signal_departure};
use crate::{
    error::{Error, Result},
    flow::{Change, recorded},
    model::{Deprovision, EventKind, Membership, User, UserState},
    port::Op,
    repo::{Deprovisions, Listed, Stored, Users},
    state::Ports,
};

/// A user of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user: User,
    pub membership: Membership,
}

/// All conditions hold at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberFilter {
    /// The whole address; upper and lower case are one.
    pub email: Option<String>,
    pub status: Option<MemberStatus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberStatus {
    Active,
    Suspended,
    Deprovisioned,
}

/// A page looks at about this many members at most to find those that match.
const MAX_SCANNED: usize = 5_000;
/// How often a change that lost against another write is tried again.
const ATTEMPTS: usize = 10;

/// One page of the app's users that match, newest first. It may be shorter than `limit` although more follow.
pub async fn list_members(
    ports: &Ports,
    app: AppId,
    filter: &MemberFilter,
    limit: usize,
    mut cursor: Option<String>,
) -> Result<Listed<Member>> {
    let users = Users(ports.table.as_ref());
    let (mut items, mut read) = (Vec::new(), 0);
    loop {
        // Never more than there is room for: the cursor stands behind what was read, not behind what was kept.
        let page = users.members(app, limit - items.len(), cursor).await?;
        read += page.items.len();
        for some in page.items.chunks(100) {
            let ids: Vec<UserId> = some.iter().map(|membership| membership.user_id).collect();
            let known = users.get_many(&ids).await?;
            let mut known: BTreeMap<UserId, User> = known.into_iter().map(|user| (user.id, user)).collect();
            let found = some.iter().filter_map(|membership| {
                let user = known.remove(&membership.user_id)?;
                filter.admits(&user).then(|| Member { user, membership: membership.clone() })
            });
            items.extend(found);
        }
        if page.next.is_none() || items.len() >= limit || read >= MAX_SCANNED {
            return Ok(Listed { items, next: page.next });
        }
        cursor = page.next;
    }
}

/// A user of the app, and what is still being ended for them if they have left.
pub async fn get_member(
    ports: &Ports,
    (org, app): (OrgId, AppId),
    id: UserId,
) -> Result<(Member, Option<Deprovision>)> {
    let (user, membership) = find(ports, (org, app), id).await?;
    let task = Deprovisions(ports.table.as_ref()).find(id).await?;
    Ok((Member { user: user.value, membership }, task.map(|task| task.value)))
}

/// Denies a user everywhere from the next call on, and keeps what they have.
pub async fn suspend_user(ports: &Ports, change: Change, id: UserId) -> Result<()> {
    apply(ports, change, id, Step::Suspend).await
}

/// Lets a user act again. Somebody who had left comes back without what was granted to them: that is ended for good, and has to
/// be before.
pub async fn reactivate_user(ports: &Ports, change: Change, id: UserId) -> Result<()> {
    apply(ports, change, id, Step::Reactivate).await
}

/// Ends all that a user has: everything is denied at once, grants are revoked and tokens deleted from a queue.
pub async fn deprovision_user(ports: &Ports, change: Change, id: UserId) -> Result<()> {
    apply(ports, change, id, Step::Deprovision).await
}

impl MemberFilter {
    fn admits(&self, user: &User) -> bool {
        let status = match user.state {
            UserState::Active => MemberStatus::Active,
            UserState::Suspended { .. } => MemberStatus::Suspended,
            UserState::Deprovisioned { .. } => MemberStatus::Deprovisioned,
        };
        let email = user.email.as_deref().unwrap_or_default().to_lowercase();
        self.status.is_none_or(|wanted| wanted == status)
            && self.email.as_ref().is_none_or(|wanted| wanted.to_lowercase() == email)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Suspend,
    Reactivate,
    Deprovision,
}

/// A token of the user's that is taken in meanwhile is no reason to refuse the operator: one write wins, the other reads again.
async fn apply(ports: &Ports, change: Change, id: UserId, step: Step) -> Result<()> {
    let kind = match step {
        Step::Suspend => EventKind::UserSuspended,
        Step::Reactivate => EventKind::UserReactivated,
        Step::Deprovision => EventKind::UserDeprovisioned,
    };
    for _ in 0..ATTEMPTS {
        let (user, _) = find(ports, (change.org_id, change.app_id), id).await?;
        let ops = writes(ports, user, step, &change).await?;
        let mut subject = about(kind, change.org_id, id, change.actor.clone(), change.surface);
        subject.app_id = Some(change.app_id);
        let write = async { Ok(ports.table.transact(ops).await?) };
        match recorded(ports, subject, write).await {
            Ok(()) if step == Step::Deprovision => {
                signal_departure(ports, id).await;
                return Ok(());
            }
            Err(Error::Conflict { code: "concurrent_update", .. }) => {}
            other => return other,
        }
    }
    Err(Error::Throttled)
}

async fn writes(ports: &Ports, user: Stored<User>, step: Step, change: &Change) -> Result<Vec<Op>> {
    let Stored { value: user, version } = user;
    let (id, state, from) = (user.id, user.state, change.surface);
    let now = ports.clock.now();
    // An operator's word is the newest, whatever another clock said.
    let at = now.max(user.state_as_of);
    let changed = match step {
        Step::Suspend => user.suspend(at, from),
        Step::Reactivate => {
            // What is not ended yet would be theirs again.
            let task = Deprovisions(ports.table.as_ref()).find(id).await?;
            if task.is_some_and(|task| task.value.finished.is_none()) {
                return Err(Error::conflict(
                    "deprovision_pending",
                    "What the user had is still being ended: try again in a minute.",
                ));
            }
            user.reactivate(at, from)
        }
        Step::Deprovision => {
            let ops = departure(Stored { value: user, version }, at, (&change.actor, from), now)?;
            return ops.ok_or_else(|| state_is(state));
        }
    };
    let changed = changed.ok_or_else(|| state_is(state))?;
    Ok(vec![Users::put(&Stored { value: User { updated_at: now, ..changed }, version })?])
}

/// A user who was seen in this app; others do not exist.
async fn find(ports: &Ports, (org, app): (OrgId, AppId), id: UserId) -> Result<(Stored<User>, Membership)> {
    let users = Users(ports.table.as_ref());
    let (user, membership) = try_join(users.get(org, id), users.membership(id, app)).await?;
    let membership = membership.ok_or(Error::NotFound("user"))?;
    Ok((user, membership.value))
}

/// Why nothing changes: it is so already, or cannot be any more.
fn state_is(state: UserState) -> Error {
    match state {
        UserState::Active => Error::conflict("user_active", "The user is active already."),
        UserState::Suspended { .. } => Error::conflict("user_suspended", "The user is suspended already."),
        UserState::Deprovisioned { .. } => {
            Error::conflict("user_deprovisioned", "The user has left already.")
        }
    }
}
