//! Taking in what a verified token says, and letting its user act or not.

use std::{collections::BTreeMap, sync::Arc};

use alter_api_types::UserId;
use jiff::Timestamp;

use super::{Found, Identified, IdentityService, identity};
use crate::{
    error::{Error, Result},
    flow::{Subject, recorded},
    model::{Actor, EventKind, Identity, IdentityProvider, Membership, Surface, User, UserState},
    oidc::Verified,
    port::Op,
    repo::{IdentityProviders, Stored, Users},
};

/// How often a write that lost against another is tried again: two first calls of one user, a hundred at once.
const ATTEMPTS: usize = 10;

/// What a token says that is not yet written.
struct News {
    ops: Vec<Op>,
    /// What the record says of it; none where a date alone moved.
    event: Option<(EventKind, BTreeMap<String, String>)>,
}

impl IdentityService {
    /// Lets the token's user act, on the documents that were read; what the token says anew is written first. Nothing is
    /// written for somebody who may not act, except that they are known to have left.
    pub(crate) async fn admit(
        &self,
        mut idp: Stored<IdentityProvider>,
        verified: Arc<Verified>,
        mut found: Found,
        actor: &Actor,
    ) -> Result<Identified> {
        let table = self.ports.table.as_ref();
        let terms = idp.value.fingerprint();
        for _ in 0..ATTEMPTS {
            let now = self.ports.clock.now();
            let identity = identity(&idp.value, &verified);
            let id = identity.user_id(idp.value.org_id);
            if let Some(user) = &found.user {
                may_act(&user.value, &identity, &idp.value, &verified)?;
            }
            if let Some(unchanged) = unchanged(&found, &idp.value, &verified, now) {
                return Ok(unchanged);
            }
            let departed = match &found.user {
                Some(_) => None,
                None => Users(table).departed(idp.value.org_id, &identity.issuer, &verified.sub).await?,
            };
            let news = news(&idp, &verified, &found, departed, identity, now)?;
            match self.write(&idp.value, id, news, actor).await {
                Ok(()) => found = self.read(id, idp.value.app_id).await?,
                Err(Error::Conflict { code: "concurrent_update", .. }) => {
                    let again = IdentityProviders(table).find(idp.value.app_id).await?;
                    // Verified under other terms than those of now: not verified.
                    idp = again.filter(|idp| idp.value.fingerprint() == terms).ok_or(Error::JwtValidation)?;
                    found = self.read(id, idp.value.app_id).await?;
                }
                Err(other) => return Err(other),
            }
        }
        Err(Error::Throttled)
    }

    /// The same for a call, which read all at once and mostly hears nothing new.
    pub(crate) async fn admit_call(
        &self,
        idp: &Stored<Arc<IdentityProvider>>,
        verified: &Arc<Verified>,
        found: Found,
        actor: &Actor,
    ) -> Result<Identified> {
        if let Some(user) = &found.user {
            may_act(&user.value, &identity(&idp.value, verified), &idp.value, verified)?;
        }
        if let Some(unchanged) = unchanged(&found, &idp.value, verified, self.ports.clock.now()) {
            return Ok(unchanged);
        }
        let idp = Stored { value: idp.value.as_ref().clone(), version: idp.version };
        Box::pin(self.admit(idp, Arc::clone(verified), found, actor)).await
    }

    async fn write(&self, idp: &IdentityProvider, user: UserId, news: News, actor: &Actor) -> Result<()> {
        let write = async { Ok(self.ports.table.transact(news.ops).await?) };
        let Some((kind, detail)) = news.event else { return write.await };
        let subject = Subject {
            kind,
            org_id: idp.org_id,
            app_id: Some(idp.app_id),
            actor: actor.clone(),
            surface: Surface::Sdk,
            grant: None,
            user_id: Some(user),
            detail,
        };
        recorded(&self.ports, subject, write).await
    }
}

/// Whether the stored user is the token's, admitted, and the token not one of a session that has ended.
fn may_act(user: &User, identity: &Identity, idp: &IdentityProvider, verified: &Verified) -> Result<()> {
    if user.identity != *identity || user.org_id != idp.org_id {
        return Err(Error::Internal(format!("user {} is stored under another's id", user.id)));
    }
    user.admitted()?;
    let own = idp.client_id().is_some_and(|client| verified.audience.iter().any(|aud| aud == client));
    if !user.accepts_token_of(verified.issued_at.unwrap_or(0), own) {
        return Err(Error::JwtValidation);
    }
    Ok(())
}

/// The user as they are, where the token says nothing new.
fn unchanged(
    found: &Found,
    idp: &IdentityProvider,
    verified: &Arc<Verified>,
    now: Timestamp,
) -> Option<Identified> {
    let (user, membership) = (found.user.as_ref()?, found.membership.as_ref()?);
    let current = membership.value.idp_id == idp.id
        && informed(&membership.value, idp, verified, now).is_none()
        && profile(&user.value, verified, now).is_none();
    current.then(|| Identified {
        user: Arc::clone(&user.value),
        user_version: user.version,
        membership: Arc::clone(&membership.value),
        verified: Arc::clone(verified),
    })
}

fn informed(
    membership: &Membership,
    idp: &IdentityProvider,
    verified: &Verified,
    now: Timestamp,
) -> Option<Membership> {
    // A configured claim that is not there says that there are none: many providers leave out an empty list.
    let said = |claim: &Option<String>, values: &Option<Vec<String>>| {
        claim.as_ref().map(|_| values.clone().unwrap_or_default())
    };
    let groups = said(&idp.claims.groups, &verified.groups);
    let roles = said(&idp.claims.roles, &verified.roles);
    membership.informed(groups.as_deref(), roles.as_deref(), verified.issued_at.unwrap_or(0), now)
}

/// The user with a newer profile. A token that leaves a part of it out says nothing of that part.
fn profile(user: &User, verified: &Verified, now: Timestamp) -> Option<User> {
    let issued_at = verified.issued_at.unwrap_or(0);
    let says = |said: &Option<String>, known: &Option<String>| said.is_some() && said != known;
    let news =
        says(&verified.email, &user.email) || says(&verified.name, &user.name) || verified.sub != user.sub;
    (news && issued_at >= user.profile_as_of).then(|| User {
        email: verified.email.clone().or_else(|| user.email.clone()),
        name: verified.name.clone().or_else(|| user.name.clone()),
        sub: verified.sub.clone(),
        profile_as_of: issued_at,
        updated_at: now,
        ..user.clone()
    })
}

/// The writes by which the vault knows what the token says.
fn news(
    idp: &Stored<IdentityProvider>,
    verified: &Verified,
    found: &Found,
    departed: Option<Timestamp>,
    identity: Identity,
    now: Timestamp,
) -> Result<News> {
    let mut ops = Vec::new();
    let mut event = None;
    let user_id = match &found.user {
        None => {
            let user = first_seen(&idp.value, verified, identity, departed, now);
            ops.push(Users::create_op(&user)?);
            if departed.is_none() {
                // Whoever leaves at this moment is noted first and looked for afterwards: one of the two sees the other.
                ops.push(Users::check_not_departed(user.org_id, &user.identity.issuer, &user.sub));
            }
            let detail = BTreeMap::from([("issuer".to_owned(), user.identity.issuer.clone())]);
            event = Some((EventKind::UserCreated, detail));
            user.id
        }
        Some(user) => match profile(&user.value, verified, now) {
            Some(changed) => {
                ops.push(Users::put(&Stored { value: changed.clone(), version: user.version })?);
                event = Some((EventKind::UserUpdated, BTreeMap::new()));
                changed.id
            }
            None => {
                ops.push(Users::check(user.value.id, user.version));
                user.value.id
            }
        },
    };
    let first = Membership {
        user_id,
        app_id: idp.value.app_id,
        idp_id: idp.value.id,
        groups: verified.groups.iter().flatten().cloned().collect(),
        roles: verified.roles.iter().flatten().cloned().collect(),
        as_of: verified.issued_at.unwrap_or(0),
        left: BTreeMap::new(),
        created_at: now,
        updated_at: now,
    };
    match &found.membership {
        None => {
            ops.push(Users::create_membership_op(&first)?);
            let (_, detail) = event.get_or_insert_with(|| (EventKind::UserCreated, BTreeMap::new()));
            detail.extend(moved(None, &first));
            ops.push(sign_in_op(idp, now)?);
        }
        Some(known) => {
            // The app has another identity provider now, whose groups are others.
            let of_this = known.value.idp_id == idp.value.id;
            let changed = if of_this {
                informed(&known.value, &idp.value, verified, now)
            } else {
                Some(Membership { created_at: known.value.created_at, ..first })
            };
            if let Some(changed) = changed {
                let detail = moved(Some(&known.value), &changed);
                ops.push(Users::put_membership(&Stored { value: changed, version: known.version })?);
                if !detail.is_empty() {
                    event = Some((EventKind::UserGroupsChanged, detail));
                }
            }
        }
    }
    Ok(News { ops, event })
}

/// Somebody whom the vault has not seen before. One who is known to have left is known from now on, and may not act.
fn first_seen(
    idp: &IdentityProvider,
    verified: &Verified,
    identity: Identity,
    departed: Option<Timestamp>,
    now: Timestamp,
) -> User {
    let state =
        departed.map_or(UserState::Active, |at| UserState::Deprovisioned { at, from: Surface::Webhook });
    User {
        id: identity.user_id(idp.org_id),
        org_id: idp.org_id,
        identity,
        sub: verified.sub.clone(),
        email: verified.email.clone(),
        name: verified.name.clone(),
        profile_as_of: verified.issued_at.unwrap_or(0),
        state,
        state_as_of: departed.unwrap_or(Timestamp::UNIX_EPOCH),
        tokens_valid_after: None,
        signed_out_at: None,
        reinstated_at: None,
        created_at: now,
        updated_at: now,
    }
}

/// Somebody is seen in the app for the first time: its identity provider must still be as it was, and its claims are locked from
/// the first one on.
fn sign_in_op(idp: &Stored<IdentityProvider>, now: Timestamp) -> Result<Op> {
    if idp.value.claims_are_locked() {
        return Ok(IdentityProviders::check(idp));
    }
    let locked = IdentityProvider { first_sign_in_at: Some(now), ..idp.value.clone() };
    IdentityProviders::put(&Stored { value: locked, version: idp.version })
}

/// The groups that somebody joined and left, for the record.
fn moved(before: Option<&Membership>, after: &Membership) -> BTreeMap<String, String> {
    let none = std::collections::BTreeSet::new();
    let before = before.map_or(&none, |before| &before.groups);
    let list = |groups: Vec<&String>| groups.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let joined = list(after.groups.difference(before).collect());
    let left = list(before.difference(&after.groups).collect());
    [("joined", joined), ("left", left)]
        .into_iter()
        .filter(|(_, groups)| !groups.is_empty())
        .map(|(name, groups)| (name.to_owned(), groups.chars().take(1024).collect()))
        .collect()
}
