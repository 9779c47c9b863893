//! What the calls before have left behind: relations that never change, and documents as they were decoded last. Names what to
//! read, and decides nothing.

use std::sync::Arc;

use alter_api_types::{AgentId, AppId, CredentialId, GrantId, OrgId, UserId};
use quick_cache::sync::Cache;

use crate::{
    keyspace,
    model::{
        Agent, ApiKey, Connection, Grant, GrantSource, IdentityProvider, ManagedSecret, Membership,
        Principal, ProviderConfig, SealedCredential, User,
    },
    repo::Decoded,
};

/// Remembered relations, and documents as they were decoded last time; both bounded.
pub struct Relations {
    keys: Cache<String, KeyRelation>,
    grants: Cache<GrantId, GrantRelation>,
    /// Grants that users' calls by provider ended at, by the digest of user and request. A guess at what to read, never a choice.
    ends: Cache<[u8; 32], GrantId>,
    pub(super) documents: Documents,
}

/// Whose a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyRelation {
    pub(super) org: OrgId,
    pub(super) app: AppId,
    pub(super) agent: Option<AgentId>,
}

/// What a grant is on, and the user whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrantRelation {
    pub(super) app: AppId,
    pub(super) user: Option<UserId>,
    pub(super) source: GrantSource,
    pub(super) provider_id: String,
    pub(super) credential: CredentialId,
}

/// How many documents of a kind are kept: one to two kilobytes each.
const DOCUMENTS: usize = 4096;

pub(super) struct Documents {
    pub(super) keys: Decoded<ApiKey>,
    pub(super) agents: Decoded<Agent>,
    pub(super) grants: Decoded<Grant>,
    pub(super) secrets: Decoded<ManagedSecret>,
    pub(super) connections: Decoded<Connection>,
    pub(super) providers: Decoded<ProviderConfig>,
    pub(super) credentials: Decoded<SealedCredential>,
    pub(super) identity_providers: Decoded<IdentityProvider>,
    pub(super) users: Decoded<User>,
    pub(super) memberships: Decoded<Membership>,
}

impl Relations {
    /// Remembers at most `capacity` keys, as many grants and as many ends of calls by provider; about 200 bytes each.
    pub fn new(capacity: usize) -> Self {
        Self {
            keys: Cache::new(capacity),
            grants: Cache::new(capacity),
            ends: Cache::new(capacity),
            documents: Documents {
                keys: Decoded::new(DOCUMENTS.min(capacity)),
                agents: Decoded::new(DOCUMENTS.min(capacity)),
                grants: Decoded::new(DOCUMENTS.min(capacity)),
                secrets: Decoded::new(DOCUMENTS.min(capacity)),
                connections: Decoded::new(DOCUMENTS.min(capacity)),
                providers: Decoded::new(DOCUMENTS.min(capacity)),
                credentials: Decoded::new(DOCUMENTS.min(capacity)),
                identity_providers: Decoded::new(DOCUMENTS.min(capacity)),
                users: Decoded::new(DOCUMENTS.min(capacity)),
                memberships: Decoded::new(DOCUMENTS.min(capacity)),
            },
        }
    }

    pub(super) fn key(&self, public_part: &str) -> Option<KeyRelation> {
        self.keys.get(public_part)
    }

    pub(super) fn remember_key(&self, public_part: &str, relation: KeyRelation) {
        remember(&self.keys, public_part.to_owned(), relation);
    }

    pub(super) fn grant(&self, id: GrantId) -> Option<GrantRelation> {
        self.grants.get(&id)
    }

    pub(super) fn remember_grant(&self, id: GrantId, relation: GrantRelation) {
        remember(&self.grants, id, relation);
    }

    pub(super) fn end(&self, request: &[u8; 32]) -> Option<GrantId> {
        self.ends.get(request)
    }

    pub(super) fn remember_end(&self, request: [u8; 32], grant: GrantId) {
        remember(&self.ends, request, grant);
    }

    /// The app's identity provider, as it was last.
    pub(super) fn last_identity_provider(&self, app: AppId) -> Option<Arc<IdentityProvider>> {
        self.documents.identity_providers.last(&keyspace::identity_provider(app))
    }

    pub(super) fn last_membership(&self, user: UserId, app: AppId) -> Option<Arc<Membership>> {
        self.documents.memberships.last(&keyspace::membership(user, app))
    }
}

impl GrantRelation {
    pub(super) fn of(grant: &Grant) -> Self {
        Self {
            app: grant.app_id,
            user: match grant.principal {
                Principal::User { user_id } => Some(user_id),
                Principal::Group { .. } | Principal::System | Principal::Agent { .. } => None,
            },
            source: grant.source,
            provider_id: grant.provider_id.clone(),
            credential: grant.credential_id,
        }
    }
}

fn remember<K: Eq + std::hash::Hash + Clone, V: Clone + PartialEq>(cache: &Cache<K, V>, key: K, value: V) {
    if cache.get(&key).as_ref() != Some(&value) {
        cache.insert(key, value);
    }
}
