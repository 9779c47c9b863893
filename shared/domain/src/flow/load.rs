//! Reading what a call needs: one strongly consistent batch when warm, two when cold.
//!
//! Relations that never change (key → agent, grant → secret or connection, and credential) are remembered, so that a warm call
//! can name all its items at once. Nothing that may change is remembered: status, expiry and rules are read every time (and
//! decoded anew when the bytes that were read are not those of last time).

use std::sync::Arc;

use alter_api_types::{AgentId, AppId, CredentialId, GrantId};
use quick_cache::sync::Cache;

use crate::{
    auth::Presented,
    error::Result,
    keyspace,
    model::{
        Agent, ApiKey, Connection, Grant, GrantSource, KeyHolder, ManagedSecret, ProviderConfig,
        SealedCredential,
    },
    policy::Source,
    port::{Item, Key, TableName},
    repo::{Credentials, Decoded, decode},
    state::Ports,
};

/// What can be read for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Key,
    Signing,
    /// The agent whose own key was presented.
    Agent,
    /// The agent that an app's key acts for.
    ActingAgent,
    Grant,
    Secret,
    Connection,
    Provider,
    Credential,
}

const SLOTS: usize = 9;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KeyRelation {
    agent: Option<AgentId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct GrantRelation {
    app: AppId,
    source: GrantSource,
    provider_id: String,
    credential: CredentialId,
}

/// Remembered relations, and documents as they were decoded last time; both bounded.
pub struct Relations {
    keys: Cache<String, KeyRelation>,
    grants: Cache<GrantId, GrantRelation>,
    documents: Documents,
}

/// How often a source that was read in the middle of a write is read again.
const REREADS: usize = 3;

/// How many documents of a kind are kept: one to two kilobytes each.
const DOCUMENTS: usize = 4096;

struct Documents {
    keys: Decoded<ApiKey>,
    agents: Decoded<Agent>,
    grants: Decoded<Grant>,
    secrets: Decoded<ManagedSecret>,
    connections: Decoded<Connection>,
    providers: Decoded<ProviderConfig>,
    credentials: Decoded<SealedCredential>,
}

impl Relations {
    /// Remembers at most `capacity` keys and as many grants; about 200 bytes each.
    pub fn new(capacity: usize) -> Self {
        Self {
            keys: Cache::new(capacity),
            grants: Cache::new(capacity),
            documents: Documents {
                keys: Decoded::new(DOCUMENTS.min(capacity)),
                agents: Decoded::new(DOCUMENTS.min(capacity)),
                grants: Decoded::new(DOCUMENTS.min(capacity)),
                secrets: Decoded::new(DOCUMENTS.min(capacity)),
                connections: Decoded::new(DOCUMENTS.min(capacity)),
                providers: Decoded::new(DOCUMENTS.min(capacity)),
                credentials: Decoded::new(DOCUMENTS.min(capacity)),
            },
        }
    }
}

/// What was read so far.
#[derive(Default)]
pub(super) struct Loaded<'r> {
    memory: Option<&'r Relations>,
    items: [Option<Option<Item>>; SLOTS],
    /// Every relation that the call needs was remembered: the first round asked for all there is to ask.
    complete: bool,
}

impl<'r> Loaded<'r> {
    pub(super) fn new(memory: Option<&'r Relations>) -> Self {
        Self { memory, ..Self::default() }
    }

    pub(super) fn item(&self, slot: Slot) -> Option<&Item> {
        self.items.get(slot as usize).and_then(Option::as_ref).and_then(Option::as_ref)
    }

    pub(super) fn key(&self) -> Result<Option<Arc<ApiKey>>> {
        self.document(Slot::Key, |documents| &documents.keys, decode)
    }

    /// The agent whose own key was presented, or the one that an app's key acts for.
    pub(super) fn agent(&self, slot: Slot) -> Result<Option<Arc<Agent>>> {
        self.document(slot, |documents| &documents.agents, decode)
    }

    pub(super) fn grant(&self) -> Result<Option<Arc<Grant>>> {
        self.document(Slot::Grant, |documents| &documents.grants, decode)
    }

    /// What the grant is on.
    pub(super) fn source(&self) -> Result<Option<Source>> {
        if let Some(secret) = self.document(Slot::Secret, |documents| &documents.secrets, decode)? {
            return Ok(Some(Source::Secret(secret)));
        }
        let connection = self.document(Slot::Connection, |documents| &documents.connections, decode)?;
        let provider = self.document(Slot::Provider, |documents| &documents.providers, decode)?;
        Ok(connection.zip(provider).map(|(connection, provider)| Source::OAuth { connection, provider }))
    }

    pub(super) fn credential(&self) -> Result<Option<Arc<SealedCredential>>> {
        self.document(Slot::Credential, |documents| &documents.credentials, Credentials::read)
    }

    fn document<T: 'r>(
        &self,
        slot: Slot,
        known: impl FnOnce(&'r Documents) -> &'r Decoded<T>,
        decode: impl FnOnce(&Item) -> Result<T>,
    ) -> Result<Option<Arc<T>>> {
        let Some(item) = self.item(slot) else { return Ok(None) };
        match self.memory {
            Some(memory) => known(&memory.documents).read(item, decode).map(Some),
            None => decode(item).map(|value| Some(Arc::new(value))),
        }
    }

    fn has(&self, slot: Slot) -> bool {
        self.items.get(slot as usize).is_some_and(Option::is_some)
    }

    async fn fetch(&mut self, ports: &Ports, wanted: Vec<(Slot, TableName, Key)>) -> Result<()> {
        let (slots, keys): (Vec<Slot>, Vec<(TableName, Key)>) = wanted
            .into_iter()
            .filter(|(slot, ..)| !self.has(*slot))
            .map(|(slot, table, key)| (slot, (table, key)))
            .unzip();
        if keys.is_empty() {
            return Ok(());
        }
        for (slot, item) in slots.into_iter().zip(ports.table.get_many(&keys).await?) {
            if let Some(place) = self.items.get_mut(slot as usize) {
                *place = Some(item);
            }
        }
        Ok(())
    }

    /// Reads all that can be named from the request and from remembered relations.
    pub(super) async fn first_round(
        &mut self,
        ports: &Ports,
        presented: &Presented,
        grant: Option<GrantId>,
    ) -> Result<()> {
        let public_part = presented.public_part();
        let mut wanted = vec![(Slot::Key, TableName::Main, keyspace::api_key(public_part))];
        if presented.plain_key().is_none() {
            wanted.push((Slot::Signing, TableName::Vault, keyspace::signing_key(public_part)));
        }
        if let Some(agent) = presented.caller_agent() {
            wanted.push((Slot::ActingAgent, TableName::Main, keyspace::agent(agent)));
        }
        if let Some(id) = grant {
            wanted.push((Slot::Grant, TableName::Main, keyspace::grant(id)));
        }
        if let Some(relations) = self.memory {
            let (key, known) =
                (relations.keys.get(public_part), grant.and_then(|id| relations.grants.get(&id)));
            self.complete = key.is_some() && known.is_some();
            if let Some(key) = key {
                wanted.extend(key.agent.map(|id| (Slot::Agent, TableName::Main, keyspace::agent(id))));
            }
            if let Some(known) = known {
                wanted.extend(of_grant(&known));
            }
        }
        self.fetch(ports, wanted).await
    }

    /// Reads what only the first round could name.
    pub(super) async fn second_round(&mut self, ports: &Ports) -> Result<()> {
        if self.complete {
            return Ok(());
        }
        let mut wanted = Vec::new();
        let key = self.key()?;
        if let Some(key) = &key {
            let agent = match key.holder {
                KeyHolder::App => None,
                KeyHolder::Agent { agent_id } => Some(agent_id),
            };
            wanted.extend(agent.map(|id| (Slot::Agent, TableName::Main, keyspace::agent(id))));
            if let Some(relations) = self.memory {
                remember(&relations.keys, key.public_part.clone(), KeyRelation { agent });
            }
        }
        if let Some(relations) = self.memory
            && !self.has(Slot::Credential)
            && let Some(grant) = self.grant()?
            && key.is_some_and(|key| key.app_id == grant.app_id)
        {
            let relation = GrantRelation {
                app: grant.app_id,
                source: grant.source,
                provider_id: grant.provider_id.clone(),
                credential: grant.credential_id,
            };
            wanted.extend(of_grant(&relation));
            remember(&relations.grants, grant.id, relation);
        }
        self.fetch(ports, wanted).await
    }

    /// Whether a source and its credential are of different versions, because they were read a moment apart from a write of
    /// both (a batch is no snapshot).
    fn torn(&self) -> Result<bool> {
        let (Some(source), Some(credential)) = (self.source()?, self.credential()?) else { return Ok(false) };
        let (id, version) = source.in_force();
        Ok(id == credential.id && version != credential.seal_version)
    }

    /// Reads a torn source again, a few times: what differs after that is no race.
    pub(super) async fn mend(&mut self, ports: &Ports) -> Result<()> {
        for _ in 0..REREADS {
            if !self.torn()? {
                break;
            }
            self.reread_source(ports).await?;
        }
        Ok(())
    }

    async fn reread_source(&mut self, ports: &Ports) -> Result<()> {
        let mut wanted = Vec::new();
        for (slot, table) in [
            (Slot::Secret, TableName::Main),
            (Slot::Connection, TableName::Main),
            (Slot::Credential, TableName::Vault),
        ] {
            if let Some(key) = self.item(slot).map(|item| item.key.clone()) {
                if let Some(place) = self.items.get_mut(slot as usize) {
                    *place = None;
                }
                wanted.push((slot, table, key));
            }
        }
        self.fetch(ports, wanted).await
    }

    /// Takes a grant that was found by provider, as if the request had named it.
    pub(super) async fn read_grant(&mut self, ports: &Ports, id: GrantId) -> Result<()> {
        self.fetch(ports, vec![(Slot::Grant, TableName::Main, keyspace::grant(id))]).await
    }
}

fn remember<K: Eq + std::hash::Hash + Clone, V: Clone + PartialEq>(cache: &Cache<K, V>, key: K, value: V) {
    if cache.get(&key).as_ref() != Some(&value) {
        cache.insert(key, value);
    }
}

fn of_grant(grant: &GrantRelation) -> impl Iterator<Item = (Slot, TableName, Key)> {
    let source = match grant.source {
        GrantSource::ManagedSecret { secret_id } => [Some((Slot::Secret, keyspace::secret(secret_id))), None],
        GrantSource::OAuth { connection_id } => [
            Some((Slot::Connection, keyspace::connection(connection_id))),
            Some((Slot::Provider, keyspace::provider_config(grant.app, &grant.provider_id))),
        ],
    };
    let credential = (Slot::Credential, TableName::Vault, keyspace::credential(grant.credential));
    source.into_iter().flatten().map(|(slot, key)| (slot, TableName::Main, key)).chain([credential])
}
