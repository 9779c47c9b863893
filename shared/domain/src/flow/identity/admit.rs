//! Taking in what a verified token says, and letting its user act or not.

mod told;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alter_api_types::UserId;
use jiff::Timestamp;

use self::told::Told;
use super::{Found, Identified, IdentityService, identity, source};
use crate::{
    error::{Error, Result},
    flow::{Subject, recorded},
    model::{Actor, ActorKind, EventKind, Identity, IdentityProvider, Membership, Surface, User, UserState},
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
    /// written for somebody who may not act, except when they come for the first time.
    pub(crate) async fn admit(
        &self,
        mut idp: Stored<IdentityProvider>,
        verified: Arc<Verified>,
        mut found: Found,
        actor: &Actor,
    ) -> Result<Identified> {
        let table = self.ports.table.as_ref();
        for _ in 0..ATTEMPTS {
            let now = self.ports.clock.now();
            let identity = identity(&idp.value, &verified);
            let id = identity.user_id(idp.value.org_id);
            if let Some(user) = &found.user {
                may_act(&user.value, &identity, &idp.value, &verified)?;
            }
            let by_another_name = is_by_another_name(&found, &verified);
            if !by_another_name && let Some(unchanged) = unchanged(&found, &idp.value, &verified, now) {
                return Ok(unchanged);
            }
            let told = match by_another_name || is_measured(&found, &idp.value, &verified) {
                true => Some(self.told(&idp.value, &verified).await?),
                false => None,
            };
            if by_another_name
                && let Some(user) = &found.user
                && let Some(told) = &told
            {
                may_act(&told.applied_to(User::clone(&user.value)), &identity, &idp.value, &verified)?;
            }
            let Some(news) = news(&idp, &verified, &found, told.as_ref(), identity, now)? else {
                return known(&found, &verified).ok_or(Error::Throttled);
            };
            match self.write(&idp.value, id, news, actor).await {
                Ok(()) => found = self.read(id, idp.value.app_id).await?,
                Err(Error::Conflict { code: "concurrent_update", .. }) => {
                    let again = IdentityProviders(table).find(idp.value.app_id).await?;
                    // Verified under other terms than those of now: not verified.
                    let same = again.filter(|again| source(&again.value) == source(&idp.value));
                    idp = same.ok_or(Error::JwtValidation)?;
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
        if !is_by_another_name(&found, verified)
            && let Some(unchanged) = unchanged(&found, &idp.value, verified, self.ports.clock.now())
        {
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
            // Nobody but the user is at the Wallet.
            surface: if actor.kind == ActorKind::User { Surface::Wallet } else { Surface::Sdk },
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

/// Whether the token calls its user otherwise than the last one did: what was told of them by that name is to be looked at.
fn is_by_another_name(found: &Found, verified: &Verified) -> bool {
    found.user.as_ref().is_some_and(|user| user.value.sub != verified.sub)
}

/// Whether what was told before counts: for who is new, in the vault or in the app, and for who joins a group.
fn is_measured(found: &Found, idp: &IdentityProvider, verified: &Verified) -> bool {
    let current = found.membership.as_ref().filter(|membership| membership.value.is_of(idp));
    found.user.is_none()
        || current.is_none_or(|membership| {
            verified.groups.iter().flatten().any(|group| !membership.value.groups.contains(group))
        })
}

/// The user as they are, where the token says nothing new.
fn unchanged(
    found: &Found,
    idp: &IdentityProvider,
    verified: &Arc<Verified>,
    now: Timestamp,
) -> Option<Identified> {
    let (user, membership) = (found.user.as_ref()?, found.membership.as_ref()?);
    let current = membership.value.is_of(idp)
        && idp.claims_are_locked()
        && informed(&membership.value, verified, now).is_none()
        && profile(&user.value, verified, now).is_none();
    if current { known(found, verified) } else { None }
}

fn known(found: &Found, verified: &Arc<Verified>) -> Option<Identified> {
    let (user, membership) = (found.user.as_ref()?, found.membership.as_ref()?);
    Some(Identified {
        user: Arc::clone(&user.value),
        user_version: user.version,
        membership: Arc::clone(&membership.value),
        verified: Arc::clone(verified),
    })
}

fn informed(membership: &Membership, verified: &Verified, now: Timestamp) -> Option<Membership> {
    let (groups, roles) = said(verified);
    membership.informed(groups, roles, verified.issued_at.unwrap_or(0), now)
}

/// The groups and roles of a token. A claim that is not there says that there are none: many providers leave out an empty list,
/// and what is not read any more is nobody's.
fn said(verified: &Verified) -> (&[String], &[String]) {
    (verified.groups.as_deref().unwrap_or_default(), verified.roles.as_deref().unwrap_or_default())
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

/// The writes by which the vault knows what the token says; `None`: it says nothing new.
fn news(
    idp: &Stored<IdentityProvider>,
    verified: &Verified,
    found: &Found,
    told: Option<&Told>,
    identity: Identity,
    now: Timestamp,
) -> Result<Option<News>> {
    let mut ops = Vec::new();
    let mut event = None;
    let (user_id, check) = match &found.user {
        None => {
            let user = first_seen(&idp.value, verified, identity, told, now);
            ops.extend([Users::create_op(&user)?, Users::point_op(&user)?]);
            let mut detail = BTreeMap::from([("issuer".to_owned(), user.identity.issuer.clone())]);
            if user.state != UserState::Active {
                detail.insert("status".to_owned(), user.state.as_str().to_owned());
            }
            event = Some((EventKind::UserCreated, detail));
            (user.id, None)
        }
        Some(user) => match profile(&user.value, verified, now) {
            Some(changed) => {
                if changed.sub != user.value.sub {
                    ops.extend([Users::unpoint_op(&user.value), Users::point_op(&changed)?]);
                }
                let (id, version) = (changed.id, user.version);
                let value = match told {
                    Some(told) => told.signed_out(changed),
                    None => changed,
                };
                ops.push(Users::put(&Stored { value, version })?);
                event = Some((EventKind::UserUpdated, BTreeMap::new()));
                (id, None)
            }
            None => (user.value.id, Some(Users::check(user.value.id, user.version))),
        },
    };
    let locks = !idp.value.claims_are_locked();
    let (named, roles) = said(verified);
    let issued_at = verified.issued_at.unwrap_or(0);
    let groups = told.map_or_else(|| named.to_vec(), |told| told.open(named, issued_at));
    let noted = |membership| match told {
        Some(told) => told.noted(membership, named, issued_at),
        None => membership,
    };
    match found.membership.as_ref().filter(|known| known.value.is_of(&idp.value)) {
        // For the first time, or the app reads other claims now, or another identity provider's.
        None => {
            let before = found.membership.as_ref();
            let first =
                noted(first_member(user_id, &idp.value, before.map(|known| known.value.as_ref()), now));
            let first = first.saying(&groups, roles, issued_at, now);
            let detail = moved(before.map(|known| known.value.as_ref()), &first);
            match before {
                None => {
                    ops.extend(Users::create_membership_ops(&first)?);
                    let (_, told) = event.get_or_insert_with(|| (EventKind::UserCreated, BTreeMap::new()));
                    told.extend(detail);
                }
                Some(known) => {
                    ops.push(Users::put_membership(&Stored { value: first, version: known.version })?);
                    if !detail.is_empty() {
                        event = Some((EventKind::UserGroupsChanged, detail));
                    }
                }
            }
            ops.push(sign_in_op(idp, now)?);
        }
        Some(known) => {
            let current = noted(known.value.as_ref().clone());
            let kept_out = current.left != known.value.left;
            if let Some(changed) =
                current.informed(&groups, roles, issued_at, now).or(kept_out.then_some(current))
            {
                let detail = moved(Some(&known.value), &changed);
                ops.push(Users::put_membership(&Stored { value: changed, version: known.version })?);
                if !detail.is_empty() {
                    event = Some((EventKind::UserGroupsChanged, detail));
                }
            }
            if locks {
                ops.push(sign_in_op(idp, now)?);
            }
        }
    }
    if ops.is_empty() {
        return Ok(None);
    }
    ops.extend(check);
    ops.extend(told.map(|told| told.checks(&idp.value, verified)).into_iter().flatten());
    Ok(Some(News { ops, event }))
}

/// Somebody whom the app has not seen before. What they have left stays left where the identity provider is the same.
fn first_member(
    user_id: UserId,
    idp: &IdentityProvider,
    before: Option<&Membership>,
    now: Timestamp,
) -> Membership {
    Membership {
        user_id,
        app_id: idp.app_id,
        idp_id: idp.id,
        claims: idp.claims.clone(),
        groups: BTreeSet::new(),
        roles: BTreeSet::new(),
        as_of: 0,
        left: before
            .filter(|before| before.idp_id == idp.id)
            .map(|before| before.left.clone())
            .unwrap_or_default(),
        created_at: before.map_or(now, |before| before.created_at),
        updated_at: now,
    }
}

/// Somebody whom the vault has not seen before, as they have been told of: one who has left is known from now on, and may not act.
fn first_seen(
    idp: &IdentityProvider,
    verified: &Verified,
    identity: Identity,
    told: Option<&Told>,
    now: Timestamp,
) -> User {
    let user = User {
        id: identity.user_id(idp.org_id),
        org_id: idp.org_id,
        identity,
        sub: verified.sub.clone(),
        email: verified.email.clone(),
        name: verified.name.clone(),
        profile_as_of: verified.issued_at.unwrap_or(0),
        state: UserState::Active,
        state_as_of: Timestamp::UNIX_EPOCH,
        tokens_valid_after: None,
        signed_out_at: None,
        reinstated_at: None,
        created_at: now,
        updated_at: now,
    };
    match told {
        Some(told) => told.applied_to(user),
        None => user,
    }
}

/// Somebody comes to the app: its identity provider must still be as it was, and its claims are locked from the first one on.
fn sign_in_op(idp: &Stored<IdentityProvider>, now: Timestamp) -> Result<Op> {
    if idp.value.claims_are_locked() {
        return Ok(IdentityProviders::check(idp));
    }
    let locked = IdentityProvider { first_sign_in_at: Some(now), ..idp.value.clone() };
    IdentityProviders::put(&Stored { value: locked, version: idp.version })
}

/// The groups that somebody joined and left, for the record.
fn moved(before: Option<&Membership>, after: &Membership) -> BTreeMap<String, String> {
    let none = BTreeSet::new();
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
