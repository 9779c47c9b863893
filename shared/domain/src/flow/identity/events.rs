//! What an identity provider's event does to the people it is about.
//!
//! An event is decided on what is stored and when it happened, not when it arrived: one that is older than what is known
//! changes nothing, except that a departure always counts. The change and the event's id are one write, so that an event
//! acts once and a process that dies on the way loses none: the sender repeats what was not answered.

use std::collections::{BTreeMap, BTreeSet};

use alter_api_types::{AppId, UserId};
use jiff::Timestamp;

use super::{about, departure, signal_departure};
use crate::{
    error::{Error, Result},
    flow::{Subject, recorded},
    model::{
        Actor, EventKind, Identity, IdentityProvider, Membership, Surface, User, UserState, WebhookKind,
    },
    port::Op,
    repo::{Apps, IdentityProviders, Stored, Users},
    state::Ports,
    webhook::{Change, IdpEvent},
};

/// How often a write that lost against another is tried again.
const ATTEMPTS: usize = 10;
/// Apps and members per page of a list.
const PAGE: usize = 200;

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
    let told = Told { ports, idp, kind, event, at, now };
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
            let mut steps = self.steps().await?;
            // The event is done when its last step is: what came before is decided anew if that fails, and is done already.
            let Some(last) = steps.last_mut() else { return Ok(false) };
            last.ops.push(self.event_op()?);
            match self.write(steps).await {
                Err(Error::Conflict { code: "concurrent_update", .. }) => {}
                result => return result.map(|()| true),
            }
        }
        Err(Error::Throttled)
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
        match &self.event.change {
            Change::Deleted { sub } => self.departure(sub).await,
            Change::Suspended { sub } => self.each(sub, true, |user| self.suspended(user)).await,
            Change::Restored { sub } => self.each(sub, true, |user| self.restored(user)).await,
            Change::SessionsRevoked { sub } => self.each(sub, true, |user| self.sessions_ended(user)).await,
            Change::LoggedOut { sub: Some(sub), .. } => {
                self.each(sub, false, |user| self.signed_out(user)).await
            }
            Change::Profile { sub, suspended, .. } => {
                self.each(sub, *suspended == Some(true), |user| self.profile(user)).await
            }
            Change::LeftGroup { sub, groups } => self.departure_from(sub, groups).await,
            Change::LoggedOut { sub: None, .. }
            | Change::GroupDeleted { .. }
            | Change::Verification
            | Change::Ignored { .. } => Ok(Vec::new()),
        }
    }

    /// The users whom the identity provider calls by this name: one for each claim by which apps tell users apart.
    async fn people(&self, sub: &str) -> Result<Vec<Stored<User>>> {
        let (org, issuer) = (self.idp.org_id, &self.idp.issuer);
        let mut ids: BTreeSet<UserId> = self.users().of_sub(org, issuer, sub).await?.into_iter().collect();
        // The index lags behind; who is known by `sub` itself can be named without it.
        ids.extend(self.identity(sub).map(|identity| identity.user_id(org)));
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

    /// The identity of somebody whom the app knows by `sub`; who is known by another claim cannot be named by events.
    fn identity(&self, sub: &str) -> Option<Identity> {
        let IdentityProvider { issuer, claims, .. } = self.idp;
        (claims.user_id == "sub").then(|| Identity {
            issuer: issuer.clone(),
            claim: claims.user_id.clone(),
            subject: sub.to_owned(),
        })
    }

    /// One step for each of the people whom `change` changes. `strangers`: somebody whom the vault has never seen is
    /// written down, so that a token from before the event finds them as they are.
    async fn each(
        &self,
        sub: &str,
        strangers: bool,
        change: impl Fn(User) -> Option<(User, Option<EventKind>)>,
    ) -> Result<Vec<Step>> {
        let people = self.people(sub).await?;
        let mut steps = Vec::new();
        if people.is_empty()
            && strangers
            && let Some(identity) = self.identity(sub)
            && let Some((user, kind)) = change(self.stranger(identity, sub))
        {
            let ops = vec![Users::create_op(&user)?];
            let record = kind.map(|kind| (kind, user.id, None));
            steps.push(Step { record, ops, departed: None });
        }
        for Stored { value, version } in people {
            let Some((user, kind)) = change(value) else { continue };
            let user = Stored { value: User { updated_at: self.now, ..user }, version };
            let record = kind.map(|kind| (kind, user.value.id, None));
            steps.push(Step { record, ops: vec![Users::put(&user)?], departed: None });
        }
        Ok(steps)
    }

    fn stranger(&self, identity: Identity, sub: &str) -> User {
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
        let tokens_valid_after = Some(self.at.as_second());
        (tokens_valid_after > user.tokens_valid_after)
            .then_some((User { tokens_valid_after, ..user }, Some(EventKind::UserSessionsEnded)))
    }

    fn signed_out(&self, user: User) -> Option<(User, Option<EventKind>)> {
        let signed_out_at = Some(self.at.as_second());
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

    /// Somebody is gone: whoever comes by that name later, and all whom the vault knows by it. In this order: who comes for the
    /// first time meanwhile is either refused or found.
    async fn departure(&self, sub: &str) -> Result<Vec<Step>> {
        let (org, issuer) = (self.idp.org_id, &self.idp.issuer);
        let noted = self.users().departed(org, issuer, sub).await?;
        if noted.is_none_or(|noted| noted < self.at) {
            let note = Users::note_departed_op(org, issuer, sub, self.at)?;
            self.ports.table.transact(vec![note]).await?;
        }
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

    /// Somebody has left a group: in every app that they were seen in, because its tokens are of the same issuer.
    async fn departure_from(&self, sub: &str, groups: &[String]) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        for user in self.people(sub).await? {
            for membership in self.users().memberships(user.value.id).await? {
                steps.extend(self.left(membership, groups)?);
            }
        }
        Ok(steps)
    }

    fn left(&self, membership: Stored<Membership>, groups: &[String]) -> Result<Option<Step>> {
        let Stored { value: before, version } = membership;
        let Some(after) = before.leave(groups, self.at.as_second(), self.now) else { return Ok(None) };
        let moved = after.groups != before.groups;
        let record = moved.then_some((EventKind::UserGroupsChanged, after.user_id, Some(after.app_id)));
        let ops = vec![Users::put_membership(&Stored { value: after, version })?];
        Ok(Some(Step { record, ops, departed: None }))
    }

    /// A group is gone: nobody is in it any more, in any app of the organization whose tokens are of this issuer. Each member
    /// is a write of their own, and the event is done after the last one.
    async fn end_group(&self, groups: &[String]) -> Result<bool> {
        if self.users().knows_event(self.idp.id, &self.event_key()).await? {
            return Ok(false);
        }
        let mut changed = false;
        let mut apps = None;
        loop {
            let page = Apps(self.ports.table.as_ref()).list(self.idp.org_id, PAGE, apps).await?;
            for app in &page.items {
                let idp = IdentityProviders(self.ports.table.as_ref()).find(app.id).await?;
                if idp.is_some_and(|idp| idp.value.issuer == self.idp.issuer) {
                    changed |= self.end_group_in(app.id, groups).await?;
                }
            }
            match page.next {
                Some(next) => apps = Some(next),
                None => break,
            }
        }
        if changed {
            match self.ports.table.transact(vec![self.event_op()?]).await {
                Ok(()) | Err(crate::port::StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(changed)
    }

    async fn end_group_in(&self, app: AppId, groups: &[String]) -> Result<bool> {
        let mut changed = false;
        let mut cursor = None;
        loop {
            let page = self.users().members(app, PAGE, cursor).await?;
            for member in &page.items {
                if groups.iter().any(|group| member.groups.contains(group)) {
                    changed |= self.take_out(member.user_id, app, groups).await?;
                }
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(changed),
            }
        }
    }

    async fn take_out(&self, user: UserId, app: AppId, groups: &[String]) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let Some(membership) = self.users().membership(user, app).await? else { return Ok(false) };
            let Some(step) = self.left(membership, groups)? else { return Ok(false) };
            match self.write(vec![step]).await {
                Err(Error::Conflict { code: "concurrent_update", .. }) => {}
                result => return result.map(|()| true),
            }
        }
        Err(Error::Throttled)
    }
}
