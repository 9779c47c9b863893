//! What was told of somebody before they came: they come as what they are.

use super::IdentityService;
use crate::{
    error::Result,
    model::{IdentityProvider, Left, Membership, Notice, User, keeps_out, leave},
    oidc::Verified,
    port::Op,
    repo::{Stored, Users},
};

/// What was told of whom the token names, before they came by it.
pub(super) struct Told {
    notice: Option<Stored<Notice>>,
    /// Groups of the issuer's that are gone.
    gone: Option<Stored<Left>>,
}

impl IdentityService {
    pub(super) async fn told(&self, idp: &IdentityProvider, verified: &Verified) -> Result<Told> {
        let users = Users(self.ports.table.as_ref());
        let (notice, gone) = users.told(idp.org_id, &idp.issuer, &verified.sub).await?;
        Ok(Told { notice, gone })
    }
}

impl Told {
    pub(super) fn applied_to(&self, user: User) -> User {
        match &self.notice {
            Some(notice) => notice.value.applied_to(user),
            None => user,
        }
    }

    /// Somebody who comes by this name from now on: sessions that have ended by it stay ended.
    pub(super) fn signed_out(&self, user: User) -> User {
        let User { state, state_as_of, .. } = user;
        User { state, state_as_of, ..self.applied_to(user) }
    }

    /// Those of the groups into which a token that was issued then can bring somebody.
    pub(super) fn open(&self, groups: &[String], issued_at: i64) -> Vec<String> {
        let closed = |group: &&String| self.left().any(|left| keeps_out(left, group, issued_at));
        groups.iter().filter(|group| !closed(group)).cloned().collect()
    }

    /// The membership, with the others noted: the token that names them says nothing new the next time.
    pub(super) fn noted(&self, mut membership: Membership, groups: &[String], issued_at: i64) -> Membership {
        for left in self.left() {
            for group in groups.iter().filter(|group| keeps_out(left, group, issued_at)) {
                let at = left.get(group).copied().unwrap_or(issued_at);
                leave(&mut membership.left, std::slice::from_ref(group), at);
            }
        }
        membership
    }

    /// Nothing else is told meanwhile. Whoever tells writes it down first and looks for users afterwards: one of the two sees the
    /// other.
    pub(super) fn checks(&self, idp: &IdentityProvider, verified: &Verified) -> Vec<Op> {
        let (org, issuer) = (idp.org_id, idp.issuer.as_str());
        let version = self.notice.as_ref().map(|notice| notice.version);
        let mut checks = vec![Users::check_notice(org, issuer, &verified.sub, version)];
        if verified.groups.as_ref().is_some_and(|groups| !groups.is_empty()) {
            let version = self.gone.as_ref().map(|gone| gone.version);
            checks.push(Users::check_groups_gone(org, issuer, version));
        }
        checks
    }

    fn left(&self) -> impl Iterator<Item = &Left> {
        let personal = self.notice.as_ref().map(|notice| &notice.value.left);
        personal.into_iter().chain(self.gone.as_ref().map(|gone| &gone.value))
    }
}
