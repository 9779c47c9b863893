//! End users, as an app's identity provider names them.

use std::collections::BTreeSet;

use alter_api_types::{AppId, IdpId, OrgId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    IdentityProvider, Surface,
    identity_provider::id_from,
    notice::{Left, keeps_out, leave},
};
use crate::{
    error::{Error, Result},
    oidc::ClaimNames,
};

/// Who somebody is: the same in every app of the organization that has the same issuer and reads the same claim. Another
/// organization that names the issuer has other users, so that its webhooks and choices reach nobody of this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub issuer: String,
    /// The claim that the subject was read from.
    pub claim: String,
    pub subject: String,
}

impl Identity {
    /// The user's id, for life. It is computed, so that a token names its user without a read.
    pub fn user_id(&self, org: OrgId) -> UserId {
        let Self { issuer, claim, subject } = self;
        id_from(&[b"user", org.as_bytes(), issuer.as_bytes(), claim.as_bytes(), subject.as_bytes()])
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub org_id: OrgId,
    pub identity: Identity,
    /// The `sub` claim: what the identity provider calls the user in its events, whatever claim identifies them here.
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When what is known of the user was issued, in Unix seconds; 0 when the token did not say.
    pub profile_as_of: i64,
    pub state: UserState,
    /// When the newest event happened that set the state: an older one that arrives later changes nothing.
    pub state_as_of: Timestamp,
    /// Tokens issued at or before this Unix second are refused: the identity provider has revoked the user's sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_valid_after: Option<i64>,
    /// When the user was last signed out of the vault's own sign-in, in Unix seconds: its sessions, and its tokens, from before are
    /// over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_out_at: Option<i64>,
    /// When an operator let somebody back who had left: departures from before are history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reinstated_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum UserState {
    Active,
    /// Denied everywhere; everything is kept.
    Suspended {
        at: Timestamp,
        from: Surface,
    },
    /// Gone: denied everywhere, grants revoked, tokens deleted.
    Deprovisioned {
        at: Timestamp,
        from: Surface,
    },
}

impl UserState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended { .. } => "suspended",
            Self::Deprovisioned { .. } => "deprovisioned",
        }
    }
}

impl User {
    /// Whether the user may be acted for.
    pub fn admitted(&self) -> Result<()> {
        match self.state {
            UserState::Active => Ok(()),
            UserState::Suspended { .. } => Err(Error::UserSuspended),
            UserState::Deprovisioned { .. } => Err(Error::UserDeprovisioned),
        }
    }

    /// Whether a token of the user's, issued then (Unix seconds; 0: it does not say), still counts. `own`: it was issued to the
    /// vault's own client.
    pub fn accepts_token_of(&self, issued_at: i64, own: bool) -> bool {
        let after = |limit: Option<i64>| limit.is_none_or(|limit| issued_at > limit);
        after(self.tokens_valid_after) && (!own || after(self.signed_out_at))
    }

    /// `None`: nothing changes, because it is so already, or because something newer is known. An operator makes a webhook's
    /// suspension theirs, so that no webhook ends it.
    pub fn suspend(self, at: Timestamp, from: Surface) -> Option<Self> {
        let may = match self.state {
            UserState::Active => true,
            UserState::Suspended { from: Surface::Webhook, .. } => from != Surface::Webhook,
            UserState::Suspended { .. } | UserState::Deprovisioned { .. } => false,
        };
        (may && at >= self.state_as_of).then_some(Self {
            state: UserState::Suspended { at, from },
            state_as_of: at,
            ..self
        })
    }

    /// Lets a suspended user act again. Somebody who has left comes back by an operator's word alone. An operator's word is the
    /// newest: it also ends what an identity provider blocked while the operator's own suspension was in force. Webhooks speak with
    /// one voice: what one kind of them blocked, another may lift.
    pub fn reactivate(self, at: Timestamp, from: Surface) -> Option<Self> {
        let may = match self.state {
            UserState::Active => false,
            UserState::Suspended { .. } => true,
            UserState::Deprovisioned { .. } => from == Surface::Portal,
        };
        let had_left = matches!(self.state, UserState::Deprovisioned { .. });
        (may && at >= self.state_as_of).then_some(Self {
            state: UserState::Active,
            state_as_of: at,
            reinstated_at: if had_left { Some(at) } else { self.reinstated_at },
            ..self
        })
    }

    /// Ends it all. An event that is older than an operator's word that the user is back changes nothing.
    pub fn deprovision(self, at: Timestamp, from: Surface) -> Option<Self> {
        let already = matches!(self.state, UserState::Deprovisioned { .. });
        // Leaving outranks a suspension or its end, whichever was told first.
        let overruled = self.reinstated_at.is_some_and(|reinstated| at < reinstated);
        (!already && !overruled).then_some(Self {
            state: UserState::Deprovisioned { at, from },
            state_as_of: self.state_as_of.max(at),
            ..self
        })
    }
}

/// A user's belonging to an app: what its tokens said of groups and roles there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub user_id: UserId,
    pub app_id: AppId,
    pub idp_id: IdpId,
    /// The claims that groups and roles were read from.
    #[serde(default)]
    pub claims: ClaimNames,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<String>,
    /// When the newest token was issued that this comes from, in Unix seconds; 0 when it did not say.
    pub as_of: i64,
    /// Groups that the identity provider said the user has left: an older token cannot bring one back.
    #[serde(default, skip_serializing_if = "Left::is_empty")]
    pub left: Left,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Membership {
    /// Whether it comes from tokens of this identity provider, by the claims that it has now.
    pub fn is_of(&self, idp: &IdentityProvider) -> bool {
        self.idp_id == idp.id && self.claims == idp.claims
    }

    /// What a token says of groups and roles, taken in: `None` where it says nothing new.
    pub fn informed(
        &self,
        groups: &[String],
        roles: &[String],
        issued_at: i64,
        now: Timestamp,
    ) -> Option<Self> {
        if issued_at < self.as_of {
            return None;
        }
        let next = self.clone().saying(groups, roles, issued_at, now);
        // A newer date is worth a write: it keeps out tokens that are older and were not seen yet.
        let says_nothing = self.claims.groups.is_none() && self.claims.roles.is_none();
        let known = says_nothing || issued_at == self.as_of;
        (!known || next.groups != self.groups || next.roles != self.roles).then_some(next)
    }

    /// With these groups and roles, less the groups that were left after the token was issued.
    #[must_use]
    pub fn saying(self, groups: &[String], roles: &[String], issued_at: i64, now: Timestamp) -> Self {
        let stays = |group: &&String| !keeps_out(&self.left, group, issued_at);
        let groups = groups.iter().filter(stays).cloned().collect();
        let roles = roles.iter().cloned().collect();
        Self { groups, roles, as_of: issued_at, updated_at: now, ..self }
    }

    /// Takes the user out of groups. `None`: they are in none of them, and no older token is kept out by it.
    pub fn leave(&self, groups: &[String], at: i64, now: Timestamp) -> Option<Self> {
        let mut next = self.clone();
        if next.as_of <= at {
            next.groups.retain(|group| !groups.contains(group));
        }
        leave(&mut next.left, groups, at);
        (next.groups != self.groups || next.left != self.left).then_some(Self { updated_at: now, ..next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn user() -> User {
        let identity = Identity {
            issuer: "https://idp.example".to_owned(),
            claim: "sub".to_owned(),
            subject: "alice".to_owned(),
        };
        let org = OrgId::from(uuid::Uuid::from_u128(1));
        User {
            id: identity.user_id(org),
            org_id: org,
            identity,
            sub: "alice".to_owned(),
            email: None,
            name: None,
            profile_as_of: 0,
            state: UserState::Active,
            state_as_of: at(0),
            tokens_valid_after: None,
            signed_out_at: None,
            reinstated_at: None,
            created_at: at(0),
            updated_at: at(0),
        }
    }

    #[test]
    fn one_person_is_one_user_within_an_organization() {
        let identity = user().identity;
        let org = |n| OrgId::from(uuid::Uuid::from_u128(n));
        let id = identity.user_id(org(1));
        assert_eq!(id, identity.clone().user_id(org(1)));
        assert_ne!(id, identity.user_id(org(2)));
        assert_ne!(id, Identity { claim: "nickname".to_owned(), ..identity.clone() }.user_id(org(1)));
        assert_ne!(id, Identity { issuer: "https://idp.example/".to_owned(), ..identity }.user_id(org(1)));
    }

    #[test]
    fn an_event_that_arrives_late_changes_nothing() {
        let suspended = user().suspend(at(20), Surface::Webhook).unwrap();
        assert_eq!(suspended.admitted(), Err(Error::UserSuspended));
        assert!(suspended.clone().suspend(at(30), Surface::Webhook).is_none());
        assert!(suspended.clone().reactivate(at(10), Surface::Webhook).is_none());
        let active = suspended.reactivate(at(30), Surface::Webhook).unwrap();
        assert_eq!(active.admitted(), Ok(()));
        assert!(active.clone().suspend(at(25), Surface::Webhook).is_none());
        // Who has left has left, whenever that is told.
        let gone = active.deprovision(at(15), Surface::Webhook).unwrap();
        assert_eq!(gone.admitted(), Err(Error::UserDeprovisioned));
        assert!(gone.clone().suspend(at(40), Surface::Webhook).is_none());
        assert!(gone.clone().reactivate(at(40), Surface::Webhook).is_none());
        assert!(gone.deprovision(at(40), Surface::Webhook).is_none());
    }

    #[test]
    fn an_operator_makes_a_webhooks_suspension_theirs() {
        let blocked = user().suspend(at(10), Surface::Webhook).unwrap();
        let both = blocked.suspend(at(20), Surface::Portal).unwrap();
        assert_eq!(both.state, UserState::Suspended { at: at(20), from: Surface::Portal });
        assert!(both.clone().suspend(at(30), Surface::Portal).is_none());
        assert!(both.suspend(at(30), Surface::Webhook).is_none());
    }

    #[test]
    fn an_operator_lets_somebody_back_and_later_departures_count_again() {
        let gone = user().deprovision(at(10), Surface::Webhook).unwrap();
        let back = gone.reactivate(at(20), Surface::Portal).unwrap();
        assert!(
            back.clone().deprovision(at(10), Surface::Webhook).is_none(),
            "the event of before, repeated"
        );
        assert!(back.deprovision(at(30), Surface::Webhook).is_some());
        // Ending a suspension says nothing of a departure that the operator did not know of.
        let suspended = user().suspend(at(10), Surface::Webhook).unwrap();
        let active = suspended.reactivate(at(20), Surface::Portal).unwrap();
        assert!(active.deprovision(at(15), Surface::Webhook).is_some());
    }

    #[test]
    fn tokens_from_before_the_end_of_a_session_are_over() {
        let revoked = User { tokens_valid_after: Some(100), ..user() };
        let signed_out = User { signed_out_at: Some(100), ..user() };
        for (issued_at, own, by_revocation, by_sign_out) in [
            (0, false, false, true),
            (100, false, false, true),
            (100, true, false, false),
            (101, true, true, true),
        ] {
            assert_eq!(revoked.accepts_token_of(issued_at, own), by_revocation, "{issued_at} {own}");
            assert_eq!(signed_out.accepts_token_of(issued_at, own), by_sign_out, "{issued_at} {own}");
        }
    }

    fn member(groups: &[&str], as_of: i64) -> Membership {
        let id = uuid::Uuid::from_u128(1);
        Membership {
            user_id: id.into(),
            app_id: id.into(),
            idp_id: id.into(),
            claims: ClaimNames::new("sub".to_owned(), Some("groups".to_owned()), None).unwrap(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            roles: BTreeSet::new(),
            as_of,
            left: Left::new(),
            created_at: at(0),
            updated_at: at(0),
        }
    }

    fn named(groups: &[&str]) -> Vec<String> {
        groups.iter().map(|group| (*group).to_owned()).collect()
    }

    #[test]
    fn b073_the_newest_token_says_who_is_in_which_group() {
        let before = member(&["a"], 100);
        let later = before.informed(&named(&["a", "b"]), &[], 200, at(200)).unwrap();
        assert_eq!((later.groups.len(), later.as_of), (2, 200));
        assert!(later.informed(&named(&["a", "b"]), &[], 200, at(201)).is_none(), "the same again");
        assert!(later.informed(&named(&[]), &[], 150, at(201)).is_none(), "an older one");
        let same = later.informed(&named(&["a", "b"]), &[], 300, at(300)).unwrap();
        assert!(same.informed(&named(&["c"]), &[], 250, at(301)).is_none(), "older than the newest seen");
        let unread = Membership { claims: ClaimNames::default(), groups: BTreeSet::new(), ..same.clone() };
        assert!(unread.informed(&[], &[], 400, at(400)).is_none(), "no claim, nothing said");
        let outlived = Membership { claims: ClaimNames::default(), ..same.clone() };
        assert!(outlived.informed(&[], &[], 400, at(400)).unwrap().groups.is_empty());
        assert!(same.informed(&named(&[]), &[], 400, at(400)).unwrap().groups.is_empty());
    }

    #[test]
    fn b086_who_left_a_group_is_not_brought_back_by_an_older_token() {
        let left = member(&["a", "b"], 100).leave(&named(&["a"]), 150, at(150)).unwrap();
        assert_eq!(left.groups, BTreeSet::from(["b".to_owned()]));
        assert!(left.leave(&named(&["a"]), 150, at(151)).is_none(), "told again");
        let old = left.informed(&named(&["a", "b"]), &[], 140, at(160)).unwrap();
        assert_eq!(old.groups, BTreeSet::from(["b".to_owned()]));
        let back = old.informed(&named(&["a", "b"]), &[], 160, at(170)).unwrap();
        assert_eq!(back.groups.len(), 2);
        // Told late, of a departure before the newest token: they are back already.
        let late = back.leave(&named(&["a"]), 155, at(180)).unwrap();
        assert_eq!(late.groups.len(), 2);
    }

    #[test]
    fn departures_are_remembered_in_bounds() {
        let mut member = member(&[], 0);
        for n in 0..300 {
            member = member.leave(&named(&[&format!("g{n}")]), n, at(n)).unwrap();
        }
        assert_eq!(member.left.len(), super::super::notice::MAX_LEFT);
        assert!(member.left.contains_key("g299") && !member.left.contains_key("g0"));
    }
}
