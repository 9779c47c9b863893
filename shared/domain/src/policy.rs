//! The decision: a pure function from facts to [`Authorized`] or a refusal. What cannot be evaluated is refused.

use std::sync::Arc;

use alter_api_types::{CredentialId, OrgId};
use jiff::Timestamp;

use crate::{
    egress::AllowedHosts,
    error::{Error, Result},
    flow::{Caller, Need, identity::Identified, need},
    inject::{DefaultHeaders, Injection},
    model::{
        Agent, Connection, ConnectionState, Grant, GrantSource, GrantStatus, ManagedSecret, Principal,
        ProviderConfig, SealedCredential, User,
    },
};

/// Everything that the decision rests on, read for this very call.
#[derive(Debug, Clone)]
pub struct Facts {
    pub grant: Option<Arc<Grant>>,
    pub source: Option<Source>,
    pub credential: Option<Arc<SealedCredential>>,
    /// The agent that the grant is bound to or that acts, when there is one.
    pub agent: Option<Arc<Agent>>,
    /// In whose name the call is made.
    pub name: InName,
    /// The grant was found by provider, so that a miss is told as one.
    pub by_provider: Option<String>,
}

/// In whose name a call is made.
#[derive(Debug, Clone)]
pub enum InName {
    /// The caller's own. What its users were granted it may use for as long as they may act.
    Caller(Owner),
    /// A user's, by their token.
    User(Identified),
}

/// The user that a grant belongs to, where it belongs to one.
#[derive(Debug, Clone)]
pub enum Owner {
    Unread,
    /// The vault has not seen them: nobody has suspended them.
    Unknown,
    Known(Arc<User>),
}

/// What a grant is on, as it was read.
#[derive(Debug, Clone)]
pub enum Source {
    Secret(Arc<ManagedSecret>),
    OAuth { connection: Arc<Connection>, provider: Arc<ProviderConfig> },
}

impl Source {
    pub fn injection(&self) -> &Injection {
        match self {
            Self::Secret(secret) => &secret.injection,
            Self::OAuth { connection, .. } => &connection.delivery.injection,
        }
    }

    pub fn default_headers(&self) -> &DefaultHeaders {
        match self {
            Self::Secret(secret) => &secret.default_headers,
            Self::OAuth { connection, .. } => &connection.delivery.default_headers,
        }
    }

    pub fn allowed_hosts(&self) -> &AllowedHosts {
        match self {
            Self::Secret(secret) => &secret.allowed_hosts,
            Self::OAuth { connection, .. } => &connection.delivery.allowed_hosts,
        }
    }

    fn is_of(&self, grant: &Grant) -> bool {
        match (self, grant.source) {
            (Self::Secret(secret), GrantSource::ManagedSecret { secret_id }) => {
                secret.id == secret_id && secret.app_id == grant.app_id
            }
            (Self::OAuth { connection, provider }, GrantSource::OAuth { connection_id }) => {
                connection.id == connection_id
                    && connection.app_id == grant.app_id
                    && provider.app_id == grant.app_id
                    && provider.provider_id == connection.provider_id
            }
            _ => false,
        }
    }

    /// The credential and the version of it that are in force.
    pub(crate) fn in_force(&self) -> (CredentialId, u64) {
        match self {
            Self::Secret(secret) => (secret.credential_id, secret.seal_version),
            Self::OAuth { connection, .. } => (connection.credential_id, connection.seal_version),
        }
    }
}

/// The right to open one credential, once. Only [`authorize`] makes it; opening takes it by value.
#[derive(Debug)]
pub struct Authorized {
    org: OrgId,
    grant: Arc<Grant>,
    source: Source,
    credential: Arc<SealedCredential>,
}

impl Authorized {
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Whether the credential has to be refreshed before or while it is used.
    pub(crate) fn need(&self, now: Timestamp) -> Need {
        match &self.source {
            Source::Secret(_) => Need::None,
            Source::OAuth { connection, .. } => need(connection, now),
        }
    }

    pub(crate) fn org(&self) -> OrgId {
        self.org
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Gives up the right for its parts.
    pub(crate) fn into_parts(self) -> (Arc<Grant>, Source, Arc<SealedCredential>) {
        (self.grant, self.source, self.credential)
    }
}

/// May `caller` use the grant now? The order is the order of answers: what the caller may not know of does not exist,
/// then why it does not work.
pub fn authorize(caller: &Caller, facts: Facts, now: Timestamp) -> Result<Authorized> {
    caller.scopes.require("proxy:execute")?;
    let missing =
        || Error::GrantNotFound { provider_id: facts.by_provider.clone(), agent_id: caller.agent() };
    let grant = facts
        .grant
        .filter(|grant| grant.app_id == caller.app_id && reaches(caller, &facts.name, grant))
        .ok_or_else(missing)?;
    if let Principal::Agent { agent_id } = &grant.principal {
        let agent = facts.agent.filter(|agent| agent.id == *agent_id && agent.app_id == caller.app_id);
        agent.ok_or_else(missing)?.usable()?;
    }
    may_act(&facts.name, &grant.principal)?;
    match grant.status(now) {
        GrantStatus::Active => {}
        GrantStatus::Revoked => return Err(Error::GrantRevoked { grant_id: grant.id }),
        GrantStatus::Expired => {
            return Err(Error::GrantExpired { grant_id: grant.id, provider_id: grant.provider_id.clone() });
        }
    }
    // A grant whose secret or connection was deleted answers as revoked: that is what was done to it.
    let gone = Error::GrantRevoked { grant_id: grant.id };
    let source = facts.source.filter(|source| source.is_of(&grant)).ok_or_else(|| gone.clone())?;
    if let Source::OAuth { connection, provider } = &source {
        let provider_id = || grant.provider_id.clone();
        match connection.state {
            ConnectionState::Active => {}
            ConnectionState::Broken { .. } => {
                return Err(Error::CredentialRevoked { grant_id: grant.id, provider_id: provider_id() });
            }
            ConnectionState::Revoked { .. } => return Err(gone),
        }
        if !provider.is_enabled() {
            return Err(Error::ProviderDisabled { provider_id: provider_id() });
        }
    }
    let credential = facts
        .credential
        .filter(|credential| credential.id == grant.credential_id && credential.app_id == grant.app_id)
        .ok_or(gone)?;
    let (credential_id, seal_version) = source.in_force();
    if credential_id != credential.id {
        return Err(Error::Internal("the grant's credential is not its source's".to_owned()));
    }
    if seal_version != credential.seal_version {
        // They are written together. A batch read may see one of two new rows a moment before the other; an old value that
        // was put back differs for good.
        return Err(Error::StoreUnavailable(
            "a credential and its value are of different versions".to_owned(),
        ));
    }
    Ok(Authorized { org: caller.org_id, grant, source, credential })
}

/// Whether the grant exists for this caller. An agent's key sees what is bound to that agent; an app's key sees the app's
/// grants, except that an agent's grant needs the app to act for that agent (functional specification 5.2: only that
/// agent). A user's token narrows an app to what that user was granted, themselves or as one of a group, and opens nothing of
/// theirs to an agent.
fn reaches(caller: &Caller, name: &InName, grant: &Grant) -> bool {
    if let InName::User(user) = name {
        return caller.agent().is_none()
            && user.membership.app_id == caller.app_id
            && user.membership.user_id == user.user.id
            && user.is(&grant.principal);
    }
    match (&grant.principal, caller.agent_key(), caller.agent()) {
        (Principal::Agent { agent_id }, _, Some(acting)) => *agent_id == acting,
        (Principal::Agent { .. }, _, None) => false,
        (_, Some(_), _) => false,
        (_, None, _) => true,
    }
}

/// Whether the user in question may be acted for.
fn may_act(name: &InName, principal: &Principal) -> Result<()> {
    match (name, principal) {
        (InName::User(user), _) => user.user.admitted(),
        (InName::Caller(Owner::Known(user)), Principal::User { user_id }) if user.id == *user_id => {
            user.admitted()
        }
        (InName::Caller(Owner::Unknown), Principal::User { .. }) => Ok(()),
        (InName::Caller(_), Principal::User { .. }) => {
            Err(Error::Internal("the user of a grant was not read with it".to_owned()))
        }
        (InName::Caller(_), Principal::Group { .. } | Principal::System | Principal::Agent { .. }) => Ok(()),
    }
}
