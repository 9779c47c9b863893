//! Leaving groups, and groups that are gone.

use alter_api_types::{AppId, UserId};

use super::{ATTEMPTS, Step, Told};
use crate::{
    error::{Error, Result},
    model::{EventKind, Membership, leave},
    port::StoreError,
    repo::{Apps, IdentityProviders, Stored, Users},
};

/// Apps and members per page of a list.
const PAGE: usize = 200;

impl Told<'_> {
    /// Somebody has left a group: in every app that they were seen in, because its tokens are of the same issuer.
    pub(super) async fn departure_from(&self, sub: &str, groups: &[String]) -> Result<Vec<Step>> {
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
        let Some(after) = before.leave(groups, self.issued_until, self.now) else { return Ok(None) };
        let moved = after.groups != before.groups;
        let record = moved.then_some((EventKind::UserGroupsChanged, after.user_id, Some(after.app_id)));
        let ops = vec![Users::put_membership(&Stored { value: after, version })?];
        Ok(Some(Step { record, ops, departed: None }))
    }

    /// A group is gone: nobody is in it any more, in any app of the organization whose tokens are of this issuer. Each member
    /// is a write of their own, and the event is done after the last one.
    pub(super) async fn end_group(&self, groups: &[String]) -> Result<bool> {
        if self.users().knows_event(self.idp.id, &self.event_key()).await? {
            return Ok(false);
        }
        // First of all, so that whoever comes meanwhile by a token that names it is not brought into it.
        let mut changed = self.note_gone(groups).await?;
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
                Ok(()) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(changed)
    }

    /// Remembers that groups are gone, and when; says whether that is new.
    async fn note_gone(&self, groups: &[String]) -> Result<bool> {
        let (org, issuer) = (self.idp.org_id, self.idp.issuer.as_str());
        for _ in 0..ATTEMPTS {
            let found = self.users().groups_gone(org, issuer).await?;
            let version = found.as_ref().map(|found| found.version);
            let before = found.map(|found| found.value).unwrap_or_default();
            let mut gone = before.clone();
            leave(&mut gone, groups, self.issued_until);
            if gone == before {
                return Ok(false);
            }
            let write = Users::put_groups_gone(org, issuer, &gone, version)?;
            match self.ports.table.transact(vec![write]).await {
                Err(StoreError::Conflict) => {}
                result => return Ok(result.map(|()| true)?),
            }
        }
        Err(Error::Throttled)
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
