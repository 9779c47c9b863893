//! What an identity provider's event does to the people it is about.
//!
//! An event is decided on what is stored and when it happened, not when it arrived: one that is older than what is known
//! changes nothing, except that a departure always counts. The change and the event's id are one write, so that an event
//! acts once and a process that dies on the way loses none: the sender repeats what was not answered.

mod groups;

use std::collections::{BTreeMap, BTreeSet};

use alter_api_types::{AppId, UserId};
use jiff::Timestamp;

use super::{about, departure, signal_departure};
use crate::{
    error::{Error, Result},
    flow::{Subject, recorded},
    model::{Actor, EventKind, Identity, IdentityProvider, Surface, User, UserState, WebhookKind},
    oidc::Verified,
    port::Op,
    repo::{Stored, Users},
    state::Ports,
    webhook::{Change, IdpEvent},
};

/// How often a write that lost against another is tried again.
const ATTEMPTS: usize = 10;

/// Applies one event of a webhook of this identity provider's; says whether it changed anything.
pub(crate) async fn apply(
    ports: &Ports,
    idp: &IdentityProvider,
    kind: WebhookKind,
    event: &IdpEvent,
) -> Result<bool> {
    let now = ports.clock.now();
    // An event of the future would outrank everything until then.
    let at = event.at.map_or(now, |at| at.min(now));
    // Tokens are taken from an issuer whose clock is a little ahead; what it ends, it ends by that clock.
    let ahead = now.as_second().saturating_add(Verified::LEEWAY_SECONDS);
    let issued_until = event.at.unwrap_or(now).as_second().min(ahead);
    let told = Told { ports, idp, kind, event, at, issued_until, now };
    match &event.change {
        Change::GroupDeleted { groups } => told.end_group(groups).await,
        Change::Verification | Change::Ignored { .. } => Ok(false),
        _ => told.settle().await,
    }
}

/// An event, and what it is decided by.
struct Told<'a> {
    ports: &'a Ports,
    idp: &'a IdentityProvider,
    kind: WebhookKind,
    event: &'a IdpEvent,
    at: Timestamp,
    /// Tokens that were issued until then are from before the event, in Unix seconds.
    issued_until: i64,
    now: Timestamp,
}

/// One write of an event's effect.
struct Step {
    /// Who it is about, and what the record says; a date that moved is worth no row.
    record: Option<(EventKind, UserId, Option<AppId>)>,
    ops: Vec<Op>,
    /// Whose grants are to be ended after it.
    departed: Option<UserId>,
}

impl Told<'_> {
    fn users(&self) -> Users<'_> {
        Users(self.ports.table.as_ref())
    }

    /// Senders choose their ids: those of one are not another's.
    fn event_key(&self) -> String {
        format!("{}:{}", self.kind.as_str(), self.event.id)
    }

    fn event_op(&self) -> Result<Op> {
        Users::event_op(self.idp.id, &self.event_key(), self.now)
    }

    /// Decides and writes, again as long as somebody else writes in between.
    async fn settle(&self) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            if self.users().knows_event(self.idp.id, &self.event_key()).await? {
                return Ok(false);
            }
            match self.act().await {
                Err(Error::Conflict { code: "concurrent_update", .. }) => {}
                result => return result,
            }
        }
        Err(Error::Throttled)
    }

    /// Writes down what is told, then changes whom the vault knows. In this order: who comes for the first time meanwhile either
    /// comes as they were told of, or is found.
    async fn act(&self) -> Result<bool> {
        let noted = self.note().await?;
        let mut steps = self.steps().await?;
        // The event is done when its last step is: what came before is decided anew if that fails, and is done already.
        match steps.last_mut() {
            Some(last) => last.ops.push(self.event_op()?),
            None if noted => self.ports.table.transact(vec![self.event_op()?]).await?,
            None => return Ok(false),
        }
        self.write(steps).await?;
        Ok(true)
    }

    /// The note of what is told of somebody, whether or not the vault knows them; says whether it is new.
    async fn note(&self) -> Result<bool> {
        let (Some(sub), org, issuer) =
            (self.event.change.subject(), self.idp.org_id, self.idp.issuer.as_str())
        else {
            return Ok(false);
        };
        let found = self.users().notice(org, issuer, sub).await?;
        let (known, version) = found.map_or((None, None), |found| (Some(found.value), Some(found.version)));
        // Profiles change daily. Where nothing was told of somebody, the end of a ban is not worth a note.
        let of_profile =
            matches!(self.event.change, Change::Profile { suspended, .. } if suspended != Some(true));
        if of_profile && known.is_none() {
            return Ok(false);
        }
        let before = known.clone().unwrap_or_default();
        let after = match &self.event.change {
            Change::LeftGroup { groups, .. } => before.clone().without(groups, self.issued_until),
            _ => match self.changed(before.applied_to(self.somebody(sub))) {
                Some((user, _)) => before.clone().read_from(&user),
                None => before.clone(),
            },
        };
        if after == before {
            return Ok(false);
        }
        let write = Users::put_notice((org, issuer, sub), &after, version)?;
        self.ports.table.transact(vec![write]).await?;
        Ok(true)
    }

    async fn write(&self, steps: Vec<Step>) -> Result<()> {
        for Step { record, ops, departed } in steps {
            let write = async { Ok(self.ports.table.transact(ops).await?) };
            match record {
                Some((kind, user, app)) => {
                    recorded(self.ports, self.subject(kind, user, app), write).await?;
                }
                None => write.await?,
            }
            if let Some(user) = departed {
                signal_departure(self.ports, user).await;
            }
        }
        Ok(())
    }

    fn subject(&self, kind: EventKind, user: UserId, app: Option<AppId>) -> Subject {
        let subject = about(kind, self.idp.org_id, user, Actor::of_vault(), Surface::Webhook);
        let detail = BTreeMap::from([
            ("identity_provider".to_owned(), self.idp.id.to_string()),
            ("webhook".to_owned(), self.kind.as_str().to_owned()),
            ("event".to_owned(), self.event.id.clone()),
        ]);
        Subject { app_id: app, detail, ..subject }
    }

    async fn steps(&self) -> Result<Vec<Step>> {
        let Some(sub) = self.event.change.subject() else { return Ok(Vec::new()) };
        match &self.event.change {
            Change::Deleted { .. } => self.departure(sub).await,
            Change::LeftGroup { groups, .. } => self.departure_from(sub, groups).await,
            _ => self.each(sub).await,
        }
    }

    /// Somebody after the event, and what the record calls it; `None`: it changes nothing of them.
    fn changed(&self, user: User) -> Option<(User, Option<EventKind>)> {
        match &self.event.change {
            Change::Deleted { .. } => {
                let gone = user.deprovision(self.at, Surface::Webhook)?;
                Some((gone, Some(EventKind::UserDeprovisioned)))
            }
            Change::Suspended { .. } => self.suspended(user),
            Change::Restored { .. } => self.restored(user),
            Change::SessionsRevoked { .. } => self.sessions_ended(user),
            Change::LoggedOut { .. } => self.signed_out(user),
            Change::Profile { .. } => self.profile(user),
            Change::LeftGroup { .. }
            | Change::GroupDeleted { .. }
            | Change::Verification
            | Change::Ignored { .. } => None,
        }
    }

    /// The users whom the identity provider calls by this name: one for each claim by which apps tell users apart.
    async fn people(&self, sub: &str) -> Result<Vec<Stored<User>>> {
        let (org, issuer) = (self.idp.org_id, &self.idp.issuer);
        let mut ids: BTreeSet<UserId> = self.users().of_sub(org, issuer, sub).await?.into_iter().collect();
        ids.insert(self.somebody(sub).id);
        let mut people = Vec::new();
        for id in ids {
            let found = self.users().find(id).await?;
            people.extend(found.filter(|user| {
                let user = &user.value;
                user.org_id == org && user.identity.issuer == *issuer && user.sub == sub
            }));
        }
        Ok(people)
    }

    /// One step for each of the people whom the event changes.
    async fn each(&self, sub: &str) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        for Stored { value, version } in self.people(sub).await? {
            let Some((user, kind)) = self.changed(value) else { continue };
            let user = Stored { value: User { updated_at: self.now, ..user }, version };
            let record = kind.map(|kind| (kind, user.value.id, None));
            steps.push(Step { record, ops: vec![Users::put(&user)?], departed: None });
        }
        Ok(steps)
    }

    /// Whoever is known by `sub` itself, before anything is told of them.
    fn somebody(&self, sub: &str) -> User {
        let identity =
            Identity { issuer: self.idp.issuer.clone(), claim: "sub".to_owned(), subject: sub.to_owned() };
        User {
            id: identity.user_id(self.idp.org_id),
            org_id: self.idp.org_id,
            identity,
            sub: sub.to_owned(),
            email: None,
            name: None,
            profile_as_of: 0,
            state: UserState::Active,
            state_as_of: Timestamp::UNIX_EPOCH,
            tokens_valid_after: None,
            signed_out_at: None,
            reinstated_at: None,
            created_at: self.now,
            updated_at: self.now,
        }
    }

    fn suspended(&self, user: User) -> Option<(User, Option<EventKind>)> {
        match user.clone().suspend(self.at, Surface::Webhook) {
            Some(user) => Some((user, Some(EventKind::UserSuspended))),
            None => self.confirmed(user),
        }
    }

    /// What an operator has suspended, an operator lets back.
    fn restored(&self, user: User) -> Option<(User, Option<EventKind>)> {
        match user.state {
            UserState::Suspended { from, .. } if from != Surface::Webhook => None,
            UserState::Suspended { .. } => {
                let user = user.reactivate(self.at, Surface::Webhook)?;
                Some((user, Some(EventKind::UserReactivated)))
            }
            UserState::Active => self.confirmed(user),
            UserState::Deprovisioned { .. } => None,
        }
    }

    /// The user is as the event says already, and was so then: an event from before that is still on its way changes
    /// nothing any more.
    fn confirmed(&self, user: User) -> Option<(User, Option<EventKind>)> {
        let gone = matches!(user.state, UserState::Deprovisioned { .. });
        (!gone && self.at > user.state_as_of).then_some((User { state_as_of: self.at, ..user }, None))
    }

    fn sessions_ended(&self, user: User) -> Option<(User, Option<EventKind>)> {
        let tokens_valid_after = Some(self.issued_until);
        (tokens_valid_after > user.tokens_valid_after)
            .then_some((User { tokens_valid_after, ..user }, Some(EventKind::UserSessionsEnded)))
    }

    fn signed_out(&self, user: User) -> Option<(User, Option<EventKind>)> {
        let signed_out_at = Some(self.issued_until);
        (signed_out_at > user.signed_out_at)
            .then_some((User { signed_out_at, ..user }, Some(EventKind::UserSessionsEnded)))
    }

    fn profile(&self, user: User) -> Option<(User, Option<EventKind>)> {
        let Change::Profile { email, name, suspended, .. } = &self.event.change else { return None };
        if matches!(user.state, UserState::Deprovisioned { .. }) {
            return None;
        }
        let as_of = self.at.as_second();
        let known = (user.email.clone(), user.name.clone());
        let told = match as_of >= user.profile_as_of {
            true => (email.clone().or(user.email.clone()), name.clone().or(user.name.clone())),
            false => known.clone(),
        };
        let told_anew = told != known;
        let user = match told_anew {
            true => User { email: told.0, name: told.1, profile_as_of: as_of, ..user },
            false => user,
        };
        let updated = told_anew.then_some(EventKind::UserUpdated);
        let stated = match suspended {
            Some(true) => self.suspended(user.clone()),
            Some(false) => self.restored(user.clone()),
            None => None,
        };
        match stated {
            Some((user, kind)) => Some((user, kind.or(updated))),
            None => updated.map(|kind| (user, Some(kind))),
        }
    }

    /// Somebody is gone: all whom the vault knows by that name.
    async fn departure(&self, sub: &str) -> Result<Vec<Step>> {
        let by = Actor::of_vault();
        let mut steps = Vec::new();
        for user in self.people(sub).await? {
            let id = user.value.id;
            if let Some(ops) = departure(user, self.at, (&by, Surface::Webhook), self.now)? {
                let record = Some((EventKind::UserDeprovisioned, id, None));
                steps.push(Step { record, ops, departed: Some(id) });
            }
        }
        Ok(steps)
    }
}
