//! Where to look for what is a user's: their apps, and the groups that they are in there.

use std::collections::{BTreeMap, BTreeSet};

use alter_api_types::{AppId, UserId};
use futures_util::future::{try_join, try_join_all};

use super::{SignedIn, WalletService, read::read};
use crate::{
    error::Result,
    keyspace,
    model::{IdentityProvider, Membership, Principal},
    port::TableName,
    repo::Users,
};

/// Where something may be a signed-in person's.
pub(super) struct Reach {
    /// Every user that they are.
    pub(super) selves: Vec<UserId>,
    /// Where something was granted to one of them, or where one of them was seen.
    pub(super) apps: BTreeSet<(UserId, AppId)>,
    /// As the apps heard last; some may be of identity providers that the apps no longer have.
    pub(super) memberships: Vec<Membership>,
}

/// Memberships that count: of the identity providers, and by the claims, that the apps have now.
pub(super) struct InForce(Vec<Membership>);

impl Reach {
    /// Their own principals, each with an app.
    pub(super) fn own(&self) -> impl Iterator<Item = (AppId, Principal)> {
        self.apps.iter().map(|(user_id, app)| (*app, Principal::User { user_id: *user_id }))
    }

    /// Those of the groups that they may be in.
    pub(super) fn groups(&self) -> impl Iterator<Item = (AppId, Principal)> {
        self.memberships.iter().flat_map(|Membership { app_id, idp_id, groups, .. }| {
            groups.iter().map(|group| {
                (*app_id, Principal::Group { idp_id: *idp_id, external_group_id: group.clone() })
            })
        })
    }
}

impl InForce {
    /// Whether they are in the group that holds something in this app.
    pub(super) fn has(&self, app: AppId, principal: &Principal) -> bool {
        let Principal::Group { idp_id, external_group_id } = principal else { return false };
        self.0.iter().any(|membership| {
            membership.app_id == app
                && membership.idp_id == *idp_id
                && membership.groups.contains(external_group_id)
        })
    }
}

impl WalletService {
    /// One round, and another for who is several users.
    pub(super) async fn reach(&self, who: &SignedIn) -> Result<Reach> {
        let (selves, first) = try_join(self.selves(&who.session), self.reach_of(who.user.id)).await?;
        let others = selves.iter().filter(|id| **id != who.user.id).map(|id| self.reach_of(*id));
        let (mut apps, mut memberships) = first;
        for (more, known) in try_join_all(others).await? {
            apps.extend(more);
            memberships.extend(known);
        }
        Ok(Reach { selves, apps: apps.into_iter().collect(), memberships })
    }

    async fn reach_of(&self, user: UserId) -> Result<(Vec<(UserId, AppId)>, Vec<Membership>)> {
        let users = Users(self.ports.table.as_ref());
        let (apps, memberships) = try_join(users.reach(user), users.memberships(user)).await?;
        let apps = apps.into_iter().map(|app| (user, app)).collect();
        Ok((apps, memberships.into_iter().map(|membership| membership.value).collect()))
    }

    /// Those of the memberships that count.
    pub(super) async fn in_force(&self, memberships: Vec<Membership>) -> Result<InForce> {
        let apps: BTreeSet<_> = memberships.iter().map(|membership| membership.app_id).collect();
        let keys = apps.into_iter().map(|app| (TableName::Main, keyspace::identity_provider(app)));
        let idps: Vec<Option<IdentityProvider>> = read(&self.ports, keys.collect()).await?.all()?;
        let idps: BTreeMap<_, _> = idps.into_iter().flatten().map(|idp| (idp.app_id, idp)).collect();
        let counts = |known: &Membership| idps.get(&known.app_id).is_some_and(|idp| known.is_of(idp));
        Ok(InForce(memberships.into_iter().filter(counts).collect()))
    }

    /// Whether they are in the group that holds something in this app, from what is stored of them there.
    pub(super) async fn in_group(&self, selves: &[UserId], app: AppId, group: &Principal) -> Result<bool> {
        let keys = selves.iter().map(|user| (TableName::Main, keyspace::membership(*user, app)));
        let known: Vec<Option<Membership>> = read(&self.ports, keys.collect()).await?.all()?;
        let memberships: Vec<_> = known.into_iter().flatten().collect();
        if memberships.is_empty() {
            return Ok(false);
        }
        Ok(self.in_force(memberships).await?.has(app, group))
    }
}
