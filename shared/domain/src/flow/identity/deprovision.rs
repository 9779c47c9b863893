//! Ending all that a user who has left had.
//!
//! The departure itself is one write: the user's state, which every call reads, and a task. From then on everything is denied.
//! The task then ends the user's grants one by one, in every app of the organization. It may be killed anywhere: it is found
//! again by the clock, and what is ended already is ended.

use std::{collections::BTreeMap, time::Duration};

use alter_api_types::{AppId, OrgId, UserId};
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::{
    error::{Error, Result},
    flow::{Subject, grants::end_grant, recorded},
    model::{Actor, Deprovision, EventKind, Grant, GrantStatus, Principal, Surface, User, UserState},
    port::{Op, Work},
    repo::{Apps, Deprovisions, GrantFilter, Grants, PrincipalFilter, Stored, Users},
    state::Ports,
};

/// How many grants are being ended at a time.
const AT_ONCE: usize = 16;
/// How many grants are ended between two words that the task is still under way.
const PAGE: usize = 200;
/// After this a worker lets go and the task goes on with another's time: a function has five minutes.
const WORK_FOR: Duration = Duration::from_secs(150);
/// The waits after a pass that failed, in seconds; the last one repeats.
const BACKOFF: [i64; 6] = [1, 2, 5, 15, 60, 300];

const REASON: &str = "The user has left.";

/// The writes by which a user has left, and the state after them. `None`: they have left already, or are back since.
pub(crate) fn departure(
    user: Stored<User>,
    at: Timestamp,
    (actor, from): (&Actor, Surface),
    now: Timestamp,
) -> Result<Option<Vec<Op>>> {
    let (id, org_id) = (user.value.id, user.value.org_id);
    let Some(gone) = user.value.deprovision(at, from) else { return Ok(None) };
    let task = Deprovision {
        user_id: id,
        org_id,
        actor: actor.clone(),
        from,
        revoked: 0,
        settled: false,
        attempts: 0,
        due_at: now,
        created_at: now,
    };
    let gone = Stored { value: User { updated_at: now, ..gone }, version: user.version };
    Ok(Some(vec![Users::put(&gone)?, Deprovisions::create_op(&task)?]))
}

/// Says that there is a departure to follow up. A signal that is lost costs a minute at most, not the task.
pub(crate) async fn signal_departure(ports: &Ports, user: UserId) {
    if let Err(error) = ports.work.signal(Work::Deprovision { user }).await {
        tracing::warn!(%user, %error, "a departure waits for the next look at what is due");
    }
}

/// Follows a departure up: one or more passes over the user's grants, as long as there is time.
pub(crate) async fn follow_up(ports: &Ports, user: UserId) -> Result<()> {
    let tasks = Deprovisions(ports.table.as_ref());
    let now = ports.clock.now();
    let Some(task) = tasks.find(user).await?.filter(|task| task.value.due_at <= now) else { return Ok(()) };
    let Some(mut task) = write(ports, task, |task| task.taken(now)).await? else { return Ok(()) };
    let until = Instant::now() + WORK_FOR;
    loop {
        let left = Users(ports.table.as_ref()).find(user).await?;
        let left = left.is_some_and(|user| matches!(user.value.state, UserState::Deprovisioned { .. }));
        if !left {
            // An operator has let the user back: what they are granted from now on stays.
            return tasks.finish(&task).await;
        }
        match pass(ports, task, until).await? {
            Pass::Lost => return Ok(()),
            Pass::Failed(failed, error) => {
                let attempt = usize::try_from(failed.value.attempts).unwrap_or(usize::MAX).saturating_sub(1);
                let wait = BACKOFF.get(attempt).or(BACKOFF.last()).copied().unwrap_or(300);
                let again = ports.clock.now().saturating_add(SignedDuration::from_secs(wait));
                let due_at = again.unwrap_or(Timestamp::MAX);
                write(ports, failed, |task| Deprovision { due_at, ..task }).await?;
                return Err(error);
            }
            Pass::OutOfTime(unfinished) => {
                let now = ports.clock.now();
                write(ports, unfinished, |task| Deprovision { due_at: now, settled: false, ..task }).await?;
                signal_departure(ports, user).await;
                return Ok(());
            }
            Pass::Ended(again) => task = again,
            Pass::Nothing(done) if done.value.settled => return finish(ports, &done).await,
            Pass::Nothing(done) => {
                let now = ports.clock.now();
                write(ports, done, |task| task.settling(now)).await?;
                return Ok(());
            }
        }
    }
}

enum Pass {
    /// Somebody else has the task.
    Lost,
    Failed(Stored<Deprovision>, Error),
    OutOfTime(Stored<Deprovision>),
    Ended(Stored<Deprovision>),
    Nothing(Stored<Deprovision>),
}

/// Looks for the user's grants once, in every app, and ends them.
async fn pass(ports: &Ports, mut task: Stored<Deprovision>, until: Instant) -> Result<Pass> {
    let before = task.value.revoked;
    let mut failed = None;
    let mut apps = None;
    loop {
        let page = Apps(ports.table.as_ref()).list(task.value.org_id, 1000, apps).await?;
        for app in &page.items {
            let mut cursor = None;
            loop {
                let grants = live_grants(ports, app.id, task.value.user_id, cursor).await?;
                if !grants.0.is_empty() {
                    let ended = end(ports, &task.value, app.id, &grants.0).await;
                    let (count, error) = ended;
                    failed = failed.or(error);
                    let now = ports.clock.now();
                    let progress = |task: Deprovision| Deprovision {
                        revoked: task.revoked + count,
                        settled: false,
                        attempts: task.attempts - u32::from(task.attempts > 0),
                        ..task
                    };
                    match write(ports, task, |task| progress(task).taken(now)).await? {
                        Some(next) => task = next,
                        None => return Ok(Pass::Lost),
                    }
                }
                if Instant::now() >= until {
                    return Ok(Pass::OutOfTime(task));
                }
                match grants.1 {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
        }
        match page.next {
            Some(next) => apps = Some(next),
            None => break,
        }
    }
    Ok(match failed {
        Some(error) => Pass::Failed(task, error),
        None if task.value.revoked > before => Pass::Ended(task),
        None => Pass::Nothing(task),
    })
}

/// One page of the user's grants in an app that are not revoked.
async fn live_grants(
    ports: &Ports,
    app: AppId,
    user: UserId,
    cursor: Option<String>,
) -> Result<(Vec<Grant>, Option<String>)> {
    let now = ports.clock.now();
    let principal = PrincipalFilter::Exactly(Principal::User { user_id: user });
    let filter = GrantFilter { principal, ..GrantFilter::all() };
    let page = Grants(ports.table.as_ref()).page(app, &filter, now, PAGE, cursor).await?;
    let live = page.items.into_iter().filter(|grant| grant.status(now) != GrantStatus::Revoked);
    Ok((live.collect(), page.next))
}

/// Ends grants, several at a time: how many were, and the first error. One that cannot be ended keeps none of the others.
async fn end(ports: &Ports, task: &Deprovision, app: AppId, grants: &[Grant]) -> (u64, Option<Error>) {
    let one = |grant: &Grant| {
        let (id, ids) = (grant.id, (task.org_id, app));
        let (actor, from) = (task.actor.clone(), task.from);
        async move {
            match end_grant(ports, ids, id, Some(REASON.to_owned()), actor, from).await {
                Ok(_) => Ok(1),
                // Somebody else was faster, or the list lags behind.
                Err(Error::GrantRevoked { .. } | Error::GrantNotFound { .. }) => Ok(0),
                Err(error) => Err(error),
            }
        }
    };
    let results: Vec<Result<u64>> =
        stream::iter(grants.iter().map(one)).buffer_unordered(AT_ONCE).collect().await;
    let mut ended = 0;
    let mut failed = None;
    for result in results {
        match result {
            Ok(count) => ended += count,
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    (ended, failed)
}

/// Writes the task's progress; `None`: somebody else has taken it.
async fn write(
    ports: &Ports,
    task: Stored<Deprovision>,
    change: impl FnOnce(Deprovision) -> Deprovision,
) -> Result<Option<Stored<Deprovision>>> {
    let changed = Stored { value: change(task.value), version: task.version };
    match Deprovisions(ports.table.as_ref()).update(&changed).await {
        Ok(version) => Ok(Some(Stored { value: changed.value, version })),
        Err(Error::Conflict { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

async fn finish(ports: &Ports, task: &Stored<Deprovision>) -> Result<()> {
    let Deprovision { org_id, user_id, ref actor, from, revoked, .. } = task.value;
    let subject = about(EventKind::UserDeprovisionFinished, org_id, user_id, actor.clone(), from);
    let detail = BTreeMap::from([("grants_revoked".to_owned(), revoked.to_string())]);
    recorded(ports, Subject { detail, ..subject }, Deprovisions(ports.table.as_ref()).finish(task)).await
}

/// An event of a user's in their organization.
pub(crate) fn about(kind: EventKind, org_id: OrgId, user: UserId, actor: Actor, surface: Surface) -> Subject {
    Subject {
        kind,
        org_id,
        app_id: None,
        actor,
        surface,
        grant: None,
        user_id: Some(user),
        detail: BTreeMap::new(),
    }
}
