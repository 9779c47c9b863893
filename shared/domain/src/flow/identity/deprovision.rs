//! Ending all that a user who has left had.
//!
//! The departure itself is one write: the user's state, which every call reads, and a task. From then on everything is denied.
//! The task then ends the user's grants one by one, in every app of the organization. It may be killed anywhere: it is found
//! again by the clock, and what is ended already is ended.
//!
//! An operator may let the user back meanwhile. What the user is granted from then on is never ended by the old task: each list
//! of grants is read before the user, and acted on only while the user has left, so that it names nothing newer.

mod ending;
mod walk;

use std::{collections::BTreeMap, time::Duration};

use alter_api_types::{OrgId, UserId};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use tokio::time::Instant;

use self::ending::{Ending, was_ended};
use crate::{
    error::{Error, Result},
    flow::Subject,
    model::{
        Actor, AuditEvent, Deprovision, EventKind, Finished, Grant, GrantState, Outcome, OutcomeKind, Phase,
        Surface, User, UserState,
    },
    port::{Op, Work},
    repo::{Deprovisions, Stored, Users},
    state::Ports,
};

/// How many grants are ended between two looks at the user, the task and the time.
const CHUNK: usize = 64;
/// After this a worker lets go and the task goes on with another's time. What is begun at the last moment by the look at what is
/// due still ends within a function's five minutes.
const WORK_FOR: Duration = Duration::from_secs(100);

/// The writes by which a user has left. `None`: they have left already, or are back since.
pub(crate) fn departure(
    user: Stored<User>,
    at: Timestamp,
    (actor, from): (&Actor, Surface),
    now: Timestamp,
) -> Result<Option<Vec<Op>>> {
    let (id, org_id) = (user.value.id, user.value.org_id);
    let Some(gone) = user.value.deprovision(at, from) else { return Ok(None) };
    let task = Deprovision::new(id, org_id, actor.clone(), from, now);
    let gone = Stored { value: User { updated_at: now, ..gone }, version: user.version };
    Ok(Some(vec![Users::put(&gone)?, Deprovisions::create_op(&task)?]))
}

/// Says that there is a departure to follow up. A signal that is lost costs a minute at most, not the task.
pub(crate) async fn signal_departure(ports: &Ports, user: UserId) {
    if let Err(error) = ports.work.signal(Work::Deprovision { user }).await {
        tracing::warn!(%user, %error, "a departure waits for the next look at what is due");
    }
}

/// Follows a departure up: passes over the user's grants, as long as there is time.
pub(crate) async fn follow_up(ports: &Ports, user: UserId) -> Result<()> {
    let now = ports.clock.now();
    let task = Deprovisions(ports.table.as_ref()).find(user).await?;
    let Some(task) = task.filter(|task| task.value.due_at <= now) else { return Ok(()) };
    let Some(task) = write(ports, task, |task| task.taken(now)).await? else { return Ok(()) };
    let mut work = FollowUp { ports, task, until: Instant::now() + WORK_FOR };
    loop {
        let end = match work.task.value.finished {
            Some(finished) => return work.finish(finished).await,
            None => work.pass().await.unwrap_or_else(End::Failed),
        };
        let (settled, now) = (work.task.value.settled, ports.clock.now());
        match end {
            End::Lost => return Ok(()),
            // What the user is granted from now on stays.
            End::Back(user) => return work.close(&user).await,
            End::Failed(error) => {
                write(ports, work.task, |task| task.failed(now)).await?;
                return Err(error);
            }
            End::OutOfTime => {
                let again = |task: Deprovision| Deprovision { due_at: now, ..task.unsettled() };
                write(ports, work.task, again).await?;
                signal_departure(ports, user).await;
                return Ok(());
            }
            End::Ended => work.task.value = work.task.value.unsettled(),
            End::Nothing { revoked } if settled => {
                let finished = Finished { event_id: ports.id_at(now)?, at: now, revoked };
                let decided = |task| Deprovision { finished: Some(finished), ..task };
                match write(ports, work.task, decided).await? {
                    Some(task) => work.task = task,
                    None => return Ok(()),
                }
            }
            End::Nothing { revoked } => {
                write(ports, work.task, |task| task.counted(revoked).settling(now)).await?;
                return Ok(());
            }
        }
    }
}

/// How a pass over the user's grants ended.
enum End {
    /// Somebody else has the task.
    Lost,
    /// An operator has let the user back.
    Back(Box<Stored<User>>),
    Failed(Error),
    OutOfTime,
    /// There were grants to end, and they are ended.
    Ended,
    /// There were none. So many had been ended because the user has left.
    Nothing {
        revoked: u64,
    },
}

/// A worker with its task.
struct FollowUp<'a> {
    ports: &'a Ports,
    task: Stored<Deprovision>,
    until: Instant,
}

impl FollowUp<'_> {
    /// Looks for the user's grants once, in every app, and ends them. One that cannot be ended keeps none of the others.
    async fn pass(&mut self) -> Result<End> {
        let back_since = match self.gone().await? {
            Ok(user) => user.value.reinstated_at,
            Err(back) => return Ok(End::Back(Box::new(back))),
        };
        let mut ending = Ending::new(self.ports, &self.task.value);
        let mut revoked = 0;
        let mut pages = Box::pin(walk::grants(self.ports, self.task.value.org_id, self.task.value.user_id));
        while let Some((app, page)) = pages.try_next().await? {
            if !self.is_mine(revoked + ending.count()).await? {
                return Ok(End::Lost);
            }
            let (live, over): (Vec<Grant>, Vec<Grant>) =
                page.into_iter().partition(|grant| grant.state == GrantState::Active);
            revoked += over.iter().map(|grant| u64::from(was_ended(grant, back_since))).sum::<u64>();
            for chunk in live.chunks(CHUNK) {
                if Instant::now() >= self.until {
                    return Ok(End::OutOfTime);
                }
                if !self.is_mine(revoked + ending.count()).await? {
                    return Ok(End::Lost);
                }
                if let Err(back) = self.gone().await? {
                    return Ok(End::Back(Box::new(back)));
                }
                if let Some(trouble) = ending.end(app, chunk).await {
                    return Ok(End::Failed(trouble));
                }
            }
        }
        Ok(match ending.result() {
            Ok(0) => End::Nothing { revoked },
            Ok(_) => End::Ended,
            Err(error) => End::Failed(error),
        })
    }

    /// The user, who has left; or who is back, as the error.
    async fn gone(&self) -> Result<std::result::Result<Stored<User>, Stored<User>>> {
        let user =
            Users(self.ports.table.as_ref()).get(self.task.value.org_id, self.task.value.user_id).await?;
        Ok(match user.value.state {
            UserState::Deprovisioned { .. } => Ok(user),
            UserState::Active | UserState::Suspended { .. } => Err(user),
        })
    }

    /// Whether nobody else has taken the task; says in good time that it is still being worked on, and how far that is.
    async fn is_mine(&mut self, revoked: u64) -> Result<bool> {
        let now = self.ports.clock.now();
        if !self.task.value.is_to_be_renewed(now) {
            return Ok(true);
        }
        let renewed = write(self.ports, self.task.clone(), |task| task.counted(revoked).taken(now)).await?;
        Ok(renewed.map(|task| self.task = task).is_some())
    }

    /// Says that all is ended, and forgets the task. Repeated after a kill it says the same again, under the same id: once.
    async fn finish(&self, finished: Finished) -> Result<()> {
        let user = match self.gone().await? {
            Ok(user) => user,
            Err(back) => return self.close(&back).await,
        };
        let record = row(&self.task.value, finished).encode()?;
        self.ports.audit.record(record).await?;
        self.close(&user).await
    }

    /// Forgets the task, as long as it and its user are as they were read: a new departure has a new task.
    async fn close(&self, user: &Stored<User>) -> Result<()> {
        let table = self.ports.table.as_ref();
        let ops = vec![Deprovisions::finish_op(&self.task), Users::check(user.value.id, user.version)];
        match table.transact(ops).await.map_err(Error::from) {
            // Whoever changed either of them has a task to follow up, or this one comes again.
            Err(Error::Conflict { .. }) => Ok(()),
            other => other,
        }
    }
}

fn row(task: &Deprovision, finished: Finished) -> AuditEvent {
    AuditEvent {
        id: finished.event_id,
        org_id: task.org_id,
        app_id: None,
        at: finished.at,
        kind: EventKind::UserDeprovisionFinished,
        phase: Phase::Final,
        actor: task.actor.clone(),
        surface: Some(task.from),
        grant: None,
        user_id: Some(task.user_id),
        call: None,
        outcome: Some(Outcome::of(OutcomeKind::Success)),
        detail: BTreeMap::from([("grants_revoked".to_owned(), finished.revoked.to_string())]),
    }
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
