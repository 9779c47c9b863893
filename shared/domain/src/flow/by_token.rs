//! Calls with a user's token: whose it is, and which of their grants is meant.
//!
//! A token names its user by computation, so that a call guesses before anything is checked what it will need, and asks for it
//! together with its key. Then the token is verified with what was read, and where the guess was wrong, what is right is read.

use std::time::Duration;

use alter_api_types::{AppId, GrantId, OrgId, UserId};
use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join, stream};
use tokio::time::Instant;

use super::{
    Call, CallService, Caller, Selector,
    identity::{Identified, user_id},
    load::Loaded,
    resolve::{Hints, no_grant},
};
use crate::{
    auth::Presented,
    error::{Error, Result},
    model::{Grant, Identity, IdentityProvider, Principal, identity_provider::hash},
    oidc::claimed,
    repo::{Grants, ManagedSecrets},
    state::Ports,
};

/// How many groups' grants are looked for ahead, for a token that verified before. Who is in more waits a little longer.
const GROUPS_AHEAD: usize = 32;
/// The same for a token that nobody has verified: what it names is anybody's word, and costs queries.
const UNVERIFIED_GROUPS_AHEAD: usize = 4;
/// From this many on, groups are not asked about one by one.
const MANY_GROUPS: usize = 64;
/// How long a token's verification may take before the user is read again: it may have waited for the identity provider.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How many queries run at a time.
const QUERIES: usize = 32;

/// What a call will need if its token is what it seems to be.
struct Ahead {
    user: UserId,
    groups: Vec<Principal>,
    grant: Option<GrantId>,
}

/// What is granted to some principals on a provider.
#[derive(Default)]
pub(super) struct Held {
    asked: Vec<Principal>,
    grants: Vec<Grant>,
}

/// A call with a user's token as far as it was read before anything is known for certain.
pub(super) struct Begun<'r> {
    pub(super) loaded: Loaded<'r>,
    held: Held,
}

impl CallService {
    /// Reads what the call will probably need: one round when warm, two when cold.
    pub(super) async fn begin(&self, presented: &Presented, call: &Call, token: &str) -> Result<Begun<'_>> {
        let ports = &self.ports;
        let mut loaded = Loaded::by_token(&self.relations);
        let mut held = Held::default();
        let known = self.relations.key(presented.public_part());
        let mut ahead = known.and_then(|key| self.ahead((key.org, key.app), call, token));
        let named = match &call.selector {
            Selector::Grant(id) => Some(*id),
            Selector::Provider { .. } => ahead.as_ref().and_then(|ahead| ahead.grant),
        };
        let user = ahead.as_ref().map(|ahead| ahead.user);
        let first = loaded.first_round(ports, presented, named, user);
        match (known, &ahead) {
            (Some(key), Some(ahead)) => {
                try_join(first, held.ask(ports, key.app, &call.selector, ahead.principals())).await?;
            }
            _ => first.await?,
        }
        let key = loaded.key()?;
        if let (None, Some(key)) = (known, key) {
            ahead = self.ahead((key.org_id, key.app_id), call, token);
            let user = ahead.as_ref().map(|ahead| ahead.user);
            let principals = ahead.iter().flat_map(Ahead::principals);
            let second = loaded.second_round(ports, user);
            try_join(second, held.ask(ports, key.app_id, &call.selector, principals)).await?;
        } else {
            loaded.second_round(ports, user).await?;
        }
        Ok(Begun { loaded, held })
    }

    /// Whose the token is, and what of theirs the call means, all read. `user` is who is recorded, whatever comes of it.
    pub(super) async fn on_behalf(
        &self,
        caller: &Caller,
        call: &Call,
        token: &str,
        Begun { loaded, held }: &mut Begun<'_>,
        user: &mut Option<UserId>,
    ) -> Result<Identified> {
        caller.scopes.require("proxy:execute")?;
        let (ports, app) = (&self.ports, caller.app_id);
        let idp = loaded.identity_provider()?.filter(|idp| idp.value.app_id == app);
        let idp = idp.ok_or(Error::JwtValidation)?;
        let began = Instant::now();
        let verified = self.identity.verify(&idp.value, token).await?;
        let id = user_id(&idp.value, &verified);
        *user = Some(id);
        if began.elapsed() > READ_AGAIN_AFTER {
            loaded.forget_user();
        }
        if caller.agent().is_some() {
            // What a user has delegated to an agent is the agent's own; their token opens nothing more to it.
            return Err(match &call.selector {
                Selector::Grant(_) => Error::GrantNotFound { provider_id: None, agent_id: caller.agent() },
                Selector::Provider { provider_id, .. } => no_grant(caller, provider_id),
            });
        }
        if loaded.found(id)?.is_none() {
            let groups = verified.groups.iter().flatten().take(GROUPS_AHEAD);
            let groups = groups.map(|group| group_of(&idp.value, group));
            let principals = std::iter::once(Principal::User { user_id: id }).chain(groups);
            let ask = held.ask(ports, app, &call.selector, principals);
            try_join(loaded.read_user(ports, app, id), ask).await?;
        }
        let found = loaded.found(id)?.unwrap_or_default();
        let admitted = self.identity.admit_call(&idp, &verified, found, &caller.actor()).await;
        let identified = admitted.inspect_err(|error| {
            if *error == Error::JwtValidation {
                *user = None;
            }
        })?;
        if let Selector::Provider { provider_id, account, label, app_user_id } = &call.selector {
            if app_user_id.is_some_and(|other| other != id) {
                return Err(no_grant(caller, provider_id));
            }
            held.ask(ports, app, &call.selector, identified.principals()).await?;
            held.grants.retain(|grant| identified.is(&grant.principal));
            let (grants, hints) = (
                std::mem::take(&mut held.grants),
                Hints { account: account.as_deref(), label: label.as_deref() },
            );
            let grant = self.resolve_among(caller, provider_id, hints, grants).await?;
            self.relations.remember_end(request(app, id, &call.selector), grant.id);
            loaded.read_grant(ports, &grant).await?;
        }
        Ok(identified)
    }

    /// By what was read last and what the token says, none of which decides.
    fn ahead(&self, (org, app): (OrgId, AppId), call: &Call, token: &str) -> Option<Ahead> {
        let idp = self.relations.last_identity_provider(app);
        let before = idp.as_deref().and_then(|idp| Some((idp, self.identity.verified_before(idp, token)?)));
        let most = if before.is_some() { GROUPS_AHEAD } else { UNVERIFIED_GROUPS_AHEAD };
        let (user, idp_id, groups) = if let Some((idp, verified)) = before {
            (user_id(idp, &verified), idp.id, verified.groups.clone().unwrap_or_default())
        } else {
            let claimed = claimed(token, idp.as_deref().map(|idp| &idp.claims))?;
            let idp_id = IdentityProvider::id_of(app, &claimed.issuer);
            let (issuer, claim, subject) = (claimed.issuer, claimed.claim, claimed.subject);
            (Identity { issuer, claim, subject }.user_id(org), idp_id, claimed.groups)
        };
        let groups: Vec<_> = match self.relations.last_membership(user, app) {
            Some(last) => last.groups.iter().take(most).cloned().collect(),
            None => groups.into_iter().take(most).collect(),
        };
        let named = |external_group_id| Principal::Group { idp_id, external_group_id };
        let groups = groups.into_iter().map(named).collect();
        Some(Ahead { user, groups, grant: self.relations.end(&request(app, user, &call.selector)) })
    }
}

impl Ahead {
    fn principals(&self) -> impl Iterator<Item = Principal> {
        std::iter::once(Principal::User { user_id: self.user }).chain(self.groups.iter().cloned())
    }
}

impl Held {
    /// Looks for what is granted to those of these principals who were not asked about. A call by grant id has nothing to look for.
    async fn ask(
        &mut self,
        ports: &Ports,
        app: AppId,
        selector: &Selector,
        principals: impl IntoIterator<Item = Principal>,
    ) -> Result<()> {
        let Selector::Provider { provider_id, .. } = selector else { return Ok(()) };
        let mut new: Vec<_> = principals.into_iter().filter(|one| !self.asked.contains(one)).collect();
        if new.len() > MANY_GROUPS
            && let Some(found) = of_many_groups(ports, app, provider_id, &new).await?
        {
            self.grants.extend(found);
            let (groups, others) = new.into_iter().partition(is_group);
            self.asked.extend::<Vec<_>>(groups);
            new = others;
        }
        let grants = Grants(ports.table.as_ref());
        let query = |principal: Principal| {
            let grants = &grants;
            async move {
                let found = grants.find_by_provider(app, &principal, provider_id).await?;
                Ok::<_, Error>((principal, found))
            }
        };
        let mut queries = stream::iter(new.into_iter().map(query)).buffer_unordered(QUERIES);
        while let Some((principal, found)) = queries.try_next().await? {
            self.asked.push(principal);
            self.grants.extend(found);
        }
        Ok(())
    }
}

fn is_group(principal: &Principal) -> bool {
    matches!(principal, Principal::Group { .. })
}

/// What is granted to those of the principals that are groups, read from the managed secret's own list: a group is granted nothing
/// else. `None`: that list is too long to be read for one call.
async fn of_many_groups(
    ports: &Ports,
    app: AppId,
    provider_id: &str,
    principals: &[Principal],
) -> Result<Option<Vec<Grant>>> {
    let table = ports.table.as_ref();
    let Some(secret) = ManagedSecrets(table).find_by_slug(app, provider_id).await? else {
        return Ok(Some(Vec::new()));
    };
    let held = |grant: &Grant| is_group(&grant.principal) && principals.contains(&grant.principal);
    let (found, all) = Grants(table).search_of_secret(secret.value.id, (MAX_PAGES, usize::MAX), held).await?;
    Ok(all.then_some(found))
}

/// How many pages of a thousand of a managed secret's grants are read.
const MAX_PAGES: usize = 5;

fn group_of(idp: &IdentityProvider, group: &str) -> Principal {
    Principal::Group { idp_id: idp.id, external_group_id: group.to_owned() }
}

/// What a user asks for by provider, short enough to be remembered.
fn request(app: AppId, user: UserId, selector: &Selector) -> [u8; 32] {
    let Selector::Provider { provider_id, account, label, .. } = selector else { return [0; 32] };
    let [account, label] = [account, label]
        .map(|hint| hint.as_ref().map_or_else(Vec::new, |hint| [b"=", hint.as_bytes()].concat()));
    hash(&[app.as_bytes(), user.as_bytes(), provider_id.as_bytes(), &account, &label])
}
