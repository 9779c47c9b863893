//! A grant as its user sees it.

use std::collections::{BTreeMap, BTreeSet};

use alter_api_types::{AgentId, AppId, ConnectionId, SecretId};
use jiff::Timestamp;

use super::{WalletService, read::read};
use crate::{
    catalogue,
    error::Result,
    keyspace,
    model::{
        Agent, App, Connection, ConnectionState, Grant, GrantSource, GrantState, ManagedSecret,
        ProviderConfig,
    },
    oauth::Provider,
    port::TableName,
};

/// What a user is to a grant that they may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// It is theirs.
    You,
    /// They are in its group: they may use it, and its end is the operator's.
    Group { name: String },
    /// It is an agent's, on a connection of theirs.
    Agent { agent_id: AgentId },
}

/// A grant with what people have to know of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    pub grant: Grant,
    pub holder: Holder,
    /// The provider's name, or the managed secret's.
    pub provider_name: String,
    /// What it is on, where that is a connection that is still known.
    pub connection: Option<Connection>,
    /// What the provider granted, with what the catalogue says of it.
    pub scopes: Vec<(String, Option<String>)>,
    pub last_used_at: Option<Timestamp>,
    /// Agents with a grant of their own on the same connection that is not revoked.
    pub agent_ids: Vec<AgentId>,
}

impl Held {
    /// Theirs, and their agents', as long as there is something to end.
    pub fn may_revoke(&self) -> bool {
        let theirs = matches!(self.holder, Holder::You | Holder::Agent { .. });
        theirs && self.grant.state == GrantState::Active
    }

    /// The latest expiry that the user may choose: for what is their own, within what the operator allows.
    pub fn extendable_to(&self, now: Timestamp) -> Option<Timestamp> {
        if self.holder == Holder::You { self.grant.extendable_to(now) } else { None }
    }

    /// The connection's end, where the grant's was the last on it.
    pub fn connection_end(&self) -> Option<&ConnectionState> {
        let state = &self.connection.as_ref()?.state;
        matches!(state, ConnectionState::Revoked { .. }).then_some(state)
    }
}

/// Grants with the apps, and the agents, that are named in them.
pub(super) struct Furnished {
    pub(super) held: Vec<Held>,
    pub(super) apps: Vec<App>,
    pub(super) agents: Vec<Agent>,
}

/// A place for each thing that grants refer to.
#[derive(Default)]
struct References {
    connections: BTreeSet<ConnectionId>,
    secrets: BTreeSet<SecretId>,
    providers: BTreeSet<(AppId, String)>,
    apps: BTreeSet<AppId>,
    agents: BTreeSet<AgentId>,
}

impl References {
    fn of(grants: &[(Grant, Holder)]) -> Self {
        let mut all = Self::default();
        for (grant, holder) in grants {
            all.apps.insert(grant.app_id);
            match grant.source {
                GrantSource::OAuth { connection_id } => {
                    all.connections.insert(connection_id);
                    all.providers.insert((grant.app_id, grant.provider_id.clone()));
                }
                GrantSource::ManagedSecret { secret_id } => drop(all.secrets.insert(secret_id)),
            }
            if let Holder::Agent { agent_id } = holder {
                all.agents.insert(*agent_id);
            }
        }
        all
    }
}

impl WalletService {
    /// The grants as they are at this moment, whatever the lists said that they come from, with all that belongs to them: in one
    /// round.
    pub(super) async fn furnish(&self, grants: Vec<(Grant, Holder)>) -> Result<Furnished> {
        let refs = References::of(&grants);
        let main = |key| (TableName::Main, key);
        let mut keys: Vec<_> = grants.iter().map(|(grant, _)| main(keyspace::grant(grant.id))).collect();
        keys.extend(grants.iter().map(|(grant, _)| (TableName::Audit, keyspace::last_used(grant.id))));
        keys.extend(refs.connections.iter().map(|id| main(keyspace::connection(*id))));
        keys.extend(refs.secrets.iter().map(|id| main(keyspace::secret(*id))));
        keys.extend(refs.providers.iter().map(|(app, id)| main(keyspace::provider_config(*app, id))));
        keys.extend(refs.apps.iter().map(|id| main(keyspace::app(*id))));
        keys.extend(refs.agents.iter().map(|id| main(keyspace::agent(*id))));
        let mut items = read(&self.ports, keys).await?;
        let now: Vec<Option<Grant>> = items.next(grants.len())?;
        let used: Vec<Option<Timestamp>> = items.next(grants.len())?;
        let connections: Vec<Option<Connection>> = items.next(refs.connections.len())?;
        let secrets: Vec<Option<ManagedSecret>> = items.next(refs.secrets.len())?;
        let configs: Vec<Option<ProviderConfig>> = items.next(refs.providers.len())?;
        let apps: Vec<Option<App>> = items.next(refs.apps.len())?;
        let agents: Vec<Option<Agent>> = items.all()?;
        let known = Known {
            connections: connections.into_iter().flatten().map(|known| (known.id, known)).collect(),
            secrets: secrets.into_iter().flatten().map(|known| (known.id, known)).collect(),
            providers: refs.providers.into_iter().zip(configs).collect(),
        };
        let held = grants.into_iter().zip(now).zip(used);
        let held =
            held.map(|(((listed, holder), now), used)| known.held(now.unwrap_or(listed), holder, used));
        Ok(Furnished {
            held: held.collect(),
            apps: apps.into_iter().flatten().collect(),
            agents: agents.into_iter().flatten().collect(),
        })
    }
}

struct Known {
    connections: BTreeMap<ConnectionId, Connection>,
    secrets: BTreeMap<SecretId, ManagedSecret>,
    providers: BTreeMap<(AppId, String), Option<ProviderConfig>>,
}

impl Known {
    fn held(&self, grant: Grant, holder: Holder, last_used_at: Option<Timestamp>) -> Held {
        let of_app = |app: AppId| app == grant.app_id;
        let (mut connection, mut scopes) = (None, Vec::new());
        let name = match grant.source {
            GrantSource::OAuth { connection_id } => {
                let provider = self.provider(&grant);
                connection =
                    self.connections.get(&connection_id).filter(|known| of_app(known.app_id)).cloned();
                let granted = connection.iter().flat_map(|known| &known.scopes);
                scopes.extend(granted.map(|scope| (scope.clone(), words(provider, scope))));
                provider.map(|provider| provider.name.clone())
            }
            GrantSource::ManagedSecret { secret_id } => {
                let secret = self.secrets.get(&secret_id).filter(|known| of_app(known.app_id));
                secret.map(|secret| secret.name.clone())
            }
        };
        // What the operator has taken away is shown by the name that calls had for it.
        let provider_name = name.unwrap_or_else(|| grant.provider_id.clone());
        Held { grant, holder, provider_name, connection, scopes, last_used_at, agent_ids: Vec::new() }
    }

    fn provider(&self, grant: &Grant) -> Option<&Provider> {
        let config = self.providers.get(&(grant.app_id, grant.provider_id.clone())).and_then(Option::as_ref);
        match config {
            Some(config) => config.definition().ok(),
            None => catalogue::provider(&grant.provider_id),
        }
    }
}

/// What a scope lets the app do, in plain words.
fn words(provider: Option<&Provider>, scope: &str) -> Option<String> {
    let known = provider?.scopes.known.iter().find(|known| known.scope == scope)?;
    Some(known.description.clone())
}
