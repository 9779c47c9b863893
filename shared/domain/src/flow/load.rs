//! Reading what a call needs: one strongly consistent batch when warm, two when cold.
//!
//! Relations that never change (key → app and agent, grant → user, secret or connection, and credential) are remembered, so that a warm call
//! can name all its items at once. Nothing that may change is remembered: status, expiry and rules are read every time (and
//! decoded anew when the bytes that were read are not those of last time).

use std::sync::Arc;

use alter_api_types::{AppId, GrantId, UserId};

use super::{
    identity::Found,
    relations::{Documents, GrantRelation, KeyRelation, Relations},
};
use crate::{
    auth::Presented,
    error::Result,
    keyspace,
    model::{Agent, ApiKey, Grant, GrantSource, IdentityProvider, KeyHolder, SealedCredential},
    policy::{Owner, Source},
    port::{Item, Key, TableName},
    repo::{Credentials, Decoded, Stored, decode},
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
    IdentityProvider,
    /// Of the token, or else the one that the grant belongs to.
    User,
    Membership,
}

const SLOTS: usize = 12;

/// How often a source that was read in the middle of a write is read again.
const REREADS: usize = 3;

/// What was read so far.
#[derive(Default)]
pub(super) struct Loaded<'r> {
    memory: Option<&'r Relations>,
    items: [Option<Option<Item>>; SLOTS],
    /// Every relation that the call needs was remembered: the first round asked for all there is to ask.
    complete: bool,
    /// The call carries a user's token: the app's identity provider is read, and no grant's own user.
    by_token: bool,
    /// Whom the user's slot is about.
    user: Option<UserId>,
}

impl<'r> Loaded<'r> {
    pub(super) fn new(memory: Option<&'r Relations>) -> Self {
        Self { memory, ..Self::default() }
    }

    /// For a call with a user's token.
    pub(super) fn by_token(memory: &'r Relations) -> Self {
        Self { memory: Some(memory), by_token: true, ..Self::default() }
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

    pub(super) fn identity_provider(&self) -> Result<Option<Stored<Arc<IdentityProvider>>>> {
        let read =
            self.document(Slot::IdentityProvider, |documents| &documents.identity_providers, decode)?;
        Ok(self.stored(Slot::IdentityProvider, read))
    }

    /// The user's documents, if it is this user's that were read.
    pub(super) fn found(&self, user: UserId) -> Result<Option<Found>> {
        if self.user != Some(user) || !self.has(Slot::User) || !self.has(Slot::Membership) {
            return Ok(None);
        }
        let known = self.document(Slot::User, |documents| &documents.users, decode)?;
        let membership = self.document(Slot::Membership, |documents| &documents.memberships, decode)?;
        Ok(Some(Found {
            user: self.stored(Slot::User, known),
            membership: self.stored(Slot::Membership, membership),
        }))
    }

    /// The user that the grant belongs to, as far as they were read.
    pub(super) fn owner(&self, user: UserId) -> Result<Owner> {
        if self.user != Some(user) || !self.has(Slot::User) {
            return Ok(Owner::Unread);
        }
        let known = self.document(Slot::User, |documents| &documents.users, decode)?;
        Ok(known.map_or(Owner::Unknown, Owner::Known))
    }

    fn stored<T>(&self, slot: Slot, value: Option<Arc<T>>) -> Option<Stored<Arc<T>>> {
        let version = self.item(slot)?.version;
        value.map(|value| Stored { value, version })
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
        user: Option<UserId>,
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
            let (key, known) = (relations.key(public_part), grant.and_then(|id| relations.grant(id)));
            self.complete = key.is_some() && known.is_some();
            if let Some(key) = key {
                wanted.extend(key.agent.map(|id| (Slot::Agent, TableName::Main, keyspace::agent(id))));
                wanted.extend(self.of_token(key.app, user));
            }
            if let Some(known) = known {
                wanted.extend(self.of_grant(&known));
            }
        }
        self.fetch(ports, wanted).await
    }

    /// Reads what only the first round could name.
    pub(super) async fn second_round(&mut self, ports: &Ports, user: Option<UserId>) -> Result<()> {
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
            wanted.extend(self.of_token(key.app_id, user));
            if let Some(relations) = self.memory {
                let relation = KeyRelation { org: key.org_id, app: key.app_id, agent };
                relations.remember_key(&key.public_part, relation);
            }
        }
        if let Some(relations) = self.memory
            && !self.has(Slot::Credential)
            && let Some(grant) = self.grant()?
            && key.is_some_and(|key| key.app_id == grant.app_id)
        {
            let relation = GrantRelation::of(&grant);
            wanted.extend(self.of_grant(&relation));
            relations.remember_grant(grant.id, relation);
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
                self.forget(slot);
                wanted.push((slot, table, key));
            }
        }
        self.fetch(ports, wanted).await
    }

    /// Reads a grant that was found by provider, and all that it is on. What was read of another is forgotten.
    pub(super) async fn read_grant(&mut self, ports: &Ports, found: &Grant) -> Result<()> {
        let key = keyspace::grant(found.id);
        if self.item(Slot::Grant).is_some_and(|item| item.key == key) {
            return self.second_round(ports, None).await;
        }
        for slot in [Slot::Grant, Slot::Secret, Slot::Connection, Slot::Provider, Slot::Credential] {
            self.forget(slot);
        }
        let relation = GrantRelation::of(found);
        let mut wanted = vec![(Slot::Grant, TableName::Main, key)];
        wanted.extend(self.of_grant(&relation));
        if let Some(relations) = self.memory {
            relations.remember_grant(found.id, relation);
        }
        self.fetch(ports, wanted).await
    }

    /// Reads the user whom the token turned out to be for.
    pub(super) async fn read_user(&mut self, ports: &Ports, app: AppId, user: UserId) -> Result<()> {
        let wanted = self.of_user(app, user).into();
        self.fetch(ports, wanted).await
    }

    /// What was read of the user is to be read again.
    pub(super) fn forget_user(&mut self) {
        self.forget(Slot::User);
        self.forget(Slot::Membership);
    }

    /// What a call with a user's token needs beside: the app's identity provider, and whom the token seems to be for.
    fn of_token(&mut self, app: AppId, user: Option<UserId>) -> Vec<(Slot, TableName, Key)> {
        if !self.by_token {
            return Vec::new();
        }
        let idp = (Slot::IdentityProvider, TableName::Main, keyspace::identity_provider(app));
        user.map(|user| self.of_user(app, user)).into_iter().flatten().chain([idp]).collect()
    }

    fn of_user(&mut self, app: AppId, user: UserId) -> [(Slot, TableName, Key); 2] {
        if self.user.replace(user) != Some(user) {
            self.forget_user();
        }
        [
            (Slot::User, TableName::Main, keyspace::user(user)),
            (Slot::Membership, TableName::Main, keyspace::membership(user, app)),
        ]
    }

    fn of_grant(&mut self, grant: &GrantRelation) -> Vec<(Slot, TableName, Key)> {
        let mut wanted = match grant.source {
            GrantSource::ManagedSecret { secret_id } => vec![(Slot::Secret, keyspace::secret(secret_id))],
            GrantSource::OAuth { connection_id } => vec![
                (Slot::Connection, keyspace::connection(connection_id)),
                (Slot::Provider, keyspace::provider_config(grant.app, &grant.provider_id)),
            ],
        };
        if let (Some(user), false) = (grant.user, self.by_token) {
            if self.user.replace(user) != Some(user) {
                self.forget(Slot::User);
            }
            wanted.push((Slot::User, keyspace::user(user)));
        }
        let credential = (Slot::Credential, TableName::Vault, keyspace::credential(grant.credential));
        wanted.into_iter().map(|(slot, key)| (slot, TableName::Main, key)).chain([credential]).collect()
    }

    fn forget(&mut self, slot: Slot) {
        if let Some(place) = self.items.get_mut(slot as usize) {
            *place = None;
        }
    }
}
