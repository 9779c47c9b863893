//! What a user has, over all apps: their own grants, their groups', and those of agents on their connections.
//!
//! A system's grants, and agents' grants on what is not the user's, are never in it. What somebody may not see does not exist for
//! them: one answer, whatever it is.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use alter_api_types::{AgentId, AppId, ConnectionId, GrantId, OrgId, UserId};
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    future::{try_join, try_join4},
    stream,
};
use jiff::Timestamp;

use super::{
    Held, Holder, SignedIn, WalletService,
    held::Furnished,
    reach::Reach,
    read::{AT_ONCE, read},
};
use crate::{
    error::{Error, Result},
    keyspace,
    model::{Agent, App, Connection, Grant, GrantState, GrantStatus, Principal},
    port::TableName,
    repo::{Connections, GrantFilter, Grants, Listing, MAX_LISTED, PrincipalFilter},
};

/// The most grants of one view, besides those of agents.
pub const MAX_HELD: usize = 1000;
/// The most grants of one connection that are shown.
const MAX_ON_CONNECTION: usize = 1000;

/// Everything that a user has.
#[derive(Debug, Clone, PartialEq)]
pub struct Holdings {
    /// Where they have something, by name.
    pub apps: Vec<App>,
    /// Those that hold a grant below, and the first of each app's.
    pub agents: Vec<Agent>,
    /// Newest first. An agent's grant that is revoked is in [`Holding`]s alone.
    pub grants: Vec<Held>,
    /// There are more: what lives goes before what is over, and of a connection's the newest are shown.
    pub truncated: bool,
}

/// One grant with all that is on the same connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Holding {
    pub app: App,
    pub held: Held,
    /// The others on its connection that the user may see, newest first.
    pub siblings: Vec<Held>,
    pub agents: Vec<Agent>,
}

impl WalletService {
    /// All of a user's grants. Three rounds after the session's; two more where agents have grants on the user's connections.
    pub async fn holdings(&self, who: &SignedIn) -> Result<Holdings> {
        let reach = self.reach(who).await?;
        let (listed, truncated) = self.listed(who.session.org_id, &reach).await?;
        let Furnished { mut held, mut apps, .. } = self.furnish(listed).await?;
        let (agents, more_cut) = self.delegated(&reach.selves, &held).await?;
        held.extend(agents.held);
        note_agents(&mut held);
        held.sort_unstable_by_key(|held| std::cmp::Reverse(held.grant.id));
        apps.sort_by_cached_key(|app| (app.name.to_lowercase(), app.id));
        let mut named: BTreeMap<AgentId, Agent> = BTreeMap::new();
        named.extend(agents.agents.into_iter().map(|agent| (agent.id, agent)));
        Ok(Holdings {
            apps,
            agents: named.into_values().collect(),
            grants: held,
            truncated: truncated || more_cut,
        })
    }

    /// One grant, with those that share its connection.
    pub async fn holding(&self, who: &SignedIn, id: GrantId) -> Result<Holding> {
        let (selves, grant) = try_join(self.selves(&who.session), self.find(id)).await?;
        let ((holder, connection), beside) =
            try_join(self.holder(&selves, &grant), self.beside(&grant)).await?;
        let theirs = connection.is_some_and(|known| is_theirs(&selves, &known));
        let others = beside.into_iter().filter(|other| theirs && other.id != grant.id);
        let others: Vec<_> = others.filter_map(|other| seen(&selves, other)).collect();
        let mut all = vec![(grant, holder)];
        all.extend(others);
        let Furnished { mut held, apps, agents } = self.furnish(all).await?;
        note_agents(&mut held);
        let mut siblings = held.split_off(1);
        siblings.sort_unstable_by_key(|held| std::cmp::Reverse(held.grant.id));
        let app = apps.into_iter().next();
        let (Some(held), Some(app)) = (held.pop(), app) else {
            return Err(Error::Internal(format!("the app of grant {id} is missing")));
        };
        if app.org_id != who.session.org_id {
            return Err(Error::grant_not_found());
        }
        Ok(Holding { app, held, siblings, agents })
    }

    /// The grant as it is stored, what the user is to it, and whether it is on a connection of theirs; what they are nothing to
    /// does not exist.
    pub(super) async fn visible(&self, who: &SignedIn, id: GrantId) -> Result<(Grant, Holder, bool)> {
        let (selves, grant) = try_join(self.selves(&who.session), self.find(id)).await?;
        let of_org = self.of_org(who.session.org_id, BTreeSet::from([grant.app_id]));
        let ((holder, connection), of_org) = try_join(self.holder(&selves, &grant), of_org).await?;
        if of_org.is_empty() {
            return Err(Error::grant_not_found());
        }
        let theirs = connection.is_some_and(|known| is_theirs(&selves, &known));
        Ok((grant, holder, theirs))
    }

    async fn find(&self, id: GrantId) -> Result<Grant> {
        let found = Grants(self.ports.table.as_ref()).find(id).await?;
        found.map(|grant| grant.value).ok_or_else(Error::grant_not_found)
    }

    /// What the user is to a grant, and the connection where that had to be looked at.
    async fn holder(&self, selves: &[UserId], grant: &Grant) -> Result<(Holder, Option<Connection>)> {
        match &grant.principal {
            Principal::User { user_id } if selves.contains(user_id) => {
                Ok((Holder::You, self.connection_of(grant).await?))
            }
            Principal::Group { external_group_id, .. }
                if self.in_group(selves, grant.app_id, &grant.principal).await? =>
            {
                Ok((Holder::Group { name: external_group_id.clone() }, None))
            }
            Principal::Agent { agent_id } => {
                let connection = self.connection_of(grant).await?;
                let theirs = connection.as_ref().is_some_and(|known| is_theirs(selves, known));
                let holder = Holder::Agent { agent_id: *agent_id };
                if theirs { Ok((holder, connection)) } else { Err(Error::grant_not_found()) }
            }
            Principal::User { .. } | Principal::Group { .. } | Principal::System => {
                Err(Error::grant_not_found())
            }
        }
    }

    async fn connection_of(&self, grant: &Grant) -> Result<Option<Connection>> {
        let Some(id) = grant.source.connection_id() else { return Ok(None) };
        match Connections(self.ports.table.as_ref()).get(grant.app_id, id).await {
            Ok(connection) => Ok(Some(connection.value)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// All that is on the same connection, whoever's it is.
    async fn beside(&self, grant: &Grant) -> Result<Vec<Grant>> {
        match grant.source.connection_id() {
            Some(id) => Ok(self.on_connection(grant.app_id, id, |_| true).await?.0),
            None => Ok(Vec::new()),
        }
    }

    /// The newest grants on a connection that fit, from an index, and whether there may be more.
    async fn on_connection(
        &self,
        app: AppId,
        id: ConnectionId,
        fits: impl Fn(&Grant) -> bool,
    ) -> Result<(Vec<Grant>, bool)> {
        let grants = Grants(self.ports.table.as_ref());
        let (mut found, mut read, mut cursor) = (Vec::new(), 0, None);
        loop {
            let page = grants.list_of_connection(id, 1000, cursor).await?;
            read += page.items.len();
            found.extend(page.items.into_iter().filter(|grant: &Grant| grant.app_id == app && fits(grant)));
            cursor = page.next;
            if cursor.is_none() || found.len() >= MAX_ON_CONNECTION || read >= MAX_LISTED {
                let cut = cursor.is_some() || found.len() > MAX_ON_CONNECTION;
                found.truncate(MAX_ON_CONNECTION);
                return Ok((found, cut));
            }
        }
    }

    /// Their own grants and their groups', at most [`MAX_HELD`], from indexes.
    async fn listed(&self, org: OrgId, reach: &Reach) -> Result<(Vec<(Grant, Holder)>, bool)> {
        let now = self.ports.clock.now();
        let own = self.lists(reach.own().collect(), now);
        let groups = self.lists(reach.groups().collect(), now);
        let in_force = self.in_force(reach.memberships.clone());
        let apps = self.of_org(org, reach.apps.iter().map(|(_, app)| *app).collect());
        let (own, groups, in_force, apps) = try_join4(own, groups, in_force, apps).await?;
        let ((mut own, cut), (groups, more_cut)) = (own, groups);
        own.retain(|grant| apps.contains(&grant.app_id));
        let mut seen = HashSet::new();
        let mut all: Vec<_> = own.into_iter().map(|grant| (grant, Holder::You)).collect();
        for grant in groups {
            if let Principal::Group { external_group_id, .. } = &grant.principal
                && in_force.has(grant.app_id, &grant.principal)
            {
                let name = external_group_id.clone();
                all.push((grant, Holder::Group { name }));
            }
        }
        // In a group by two names, one is one.
        all.retain(|(grant, _)| seen.insert(grant.id));
        let truncated = cut || more_cut || all.len() > MAX_HELD;
        let over = |grant: &Grant| grant.status(now) == GrantStatus::Revoked;
        all.sort_unstable_by_key(|(grant, _)| (over(grant), std::cmp::Reverse(grant.id)));
        all.truncate(MAX_HELD);
        Ok((all, truncated))
    }

    async fn lists(&self, principals: Vec<(AppId, Principal)>, now: Timestamp) -> Result<(Vec<Grant>, bool)> {
        let grants = Grants(self.ports.table.as_ref());
        let list = |(app, principal): (AppId, Principal)| {
            let filter =
                GrantFilter { principal: PrincipalFilter::Exactly(principal.clone()), ..GrantFilter::all() };
            let grants = &grants;
            async move {
                let Listing { mut grants, truncated, .. } =
                    grants.search(app, &filter, now, (0, MAX_LISTED)).await?;
                // The key of a list is made of texts; whose a grant is stands in the grant.
                grants.retain(|grant| grant.app_id == app && grant.principal == principal);
                Ok::<_, Error>((grants, truncated))
            }
        };
        let mut lists = stream::iter(principals.into_iter().map(list)).buffer_unordered(AT_ONCE);
        let (mut all, mut truncated) = (Vec::new(), false);
        while let Some((listed, cut)) = lists.try_next().await? {
            all.extend(listed);
            truncated |= cut;
        }
        Ok((all, truncated))
    }

    /// Agents' grants on connections of the user's. A connection is looked into where more grants live on it than the user's own.
    async fn delegated(&self, selves: &[UserId], held: &[Held]) -> Result<(Furnished, bool)> {
        let mut own: BTreeMap<ConnectionId, (AppId, u32, u32)> = BTreeMap::new();
        for held in held {
            let Some(connection) = held.connection.as_ref().filter(|known| is_theirs(selves, known)) else {
                continue;
            };
            let (_, live, _) =
                own.entry(connection.id).or_insert((connection.app_id, 0, connection.live_grants));
            *live += u32::from(held.grant.state == GrantState::Active);
        }
        let shared = own.into_iter().filter(|(_, (_, own, live))| live > own);
        let live_agents = |grant: &Grant| {
            grant.state == GrantState::Active && matches!(grant.principal, Principal::Agent { .. })
        };
        let lists = shared.map(|(id, (app, ..))| self.on_connection(app, id, live_agents));
        let lists: Vec<(Vec<Grant>, bool)> =
            stream::iter(lists.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await?;
        let cut = lists.iter().any(|(_, cut)| *cut);
        let agents = lists.into_iter().flat_map(|(list, _)| list).filter_map(|grant| seen(selves, grant));
        let mut furnished = self.furnish(agents.collect()).await?;
        // The lists were late.
        furnished.held.retain(|held| held.grant.state == GrantState::Active);
        Ok((furnished, cut))
    }

    /// Those of the apps that are the organization's. An app without an identity provider may grant to any id, and so to that of
    /// another organization's user: nothing of it is shown there.
    async fn of_org(&self, org: OrgId, apps: BTreeSet<AppId>) -> Result<BTreeSet<AppId>> {
        let keys = apps.into_iter().map(|app| (TableName::Main, keyspace::app(app)));
        let apps: Vec<Option<App>> = read(&self.ports, keys.collect()).await?.all()?;
        Ok(apps.into_iter().flatten().filter(|app| app.org_id == org).map(|app| app.id).collect())
    }
}

/// What a grant on a connection of theirs is to them, where they may see it.
fn seen(selves: &[UserId], grant: Grant) -> Option<(Grant, Holder)> {
    let holder = match &grant.principal {
        Principal::User { user_id } if selves.contains(user_id) => Holder::You,
        Principal::Agent { agent_id } => Holder::Agent { agent_id: *agent_id },
        Principal::User { .. } | Principal::Group { .. } | Principal::System => return None,
    };
    Some((grant, holder))
}

/// Whether one of them connected it.
fn is_theirs(selves: &[UserId], connection: &Connection) -> bool {
    connection.principal.user().is_some_and(|user| selves.contains(&user))
}

/// Tells each grant which agents live beside it.
fn note_agents(held: &mut [Held]) {
    let mut beside: BTreeMap<ConnectionId, BTreeSet<AgentId>> = BTreeMap::new();
    for held in held.iter() {
        if let (Holder::Agent { agent_id }, Some(id), GrantState::Active) =
            (&held.holder, held.grant.source.connection_id(), &held.grant.state)
        {
            beside.entry(id).or_default().insert(*agent_id);
        }
    }
    for held in held.iter_mut() {
        let id = held.grant.source.connection_id();
        let agents = id.and_then(|id| beside.get(&id));
        held.agent_ids = agents.into_iter().flatten().copied().collect();
    }
}
