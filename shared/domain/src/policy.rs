//! The decision: a pure function from facts to [`Authorized`] or a refusal. What cannot be evaluated is refused.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    error::{Error, Result},
    flow::Caller,
    model::{Agent, Grant, GrantStatus, ManagedSecret, Principal, SealedCredential},
};

/// Everything that the decision rests on, read for this very call.
#[derive(Debug, Clone)]
pub struct Facts {
    pub grant: Option<Arc<Grant>>,
    pub secret: Option<Arc<ManagedSecret>>,
    pub credential: Option<Arc<SealedCredential>>,
    /// The agent that the grant is bound to or that acts, when there is one.
    pub agent: Option<Arc<Agent>>,
    /// The grant was found by provider, so that a miss is told as one.
    pub by_provider: Option<String>,
}

/// The right to open one credential, once. Only [`authorize`] makes it; opening takes it by value.
#[derive(Debug)]
pub struct Authorized {
    grant: Arc<Grant>,
    secret: Arc<ManagedSecret>,
    credential: Arc<SealedCredential>,
}

impl Authorized {
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    pub fn secret(&self) -> &ManagedSecret {
        &self.secret
    }

    /// Gives up the right for its parts.
    pub(crate) fn into_parts(self) -> (Arc<Grant>, Arc<ManagedSecret>, Arc<SealedCredential>) {
        (self.grant, self.secret, self.credential)
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
        .filter(|grant| grant.app_id == caller.app_id && reaches(caller, grant))
        .ok_or_else(missing)?;
    if let Principal::Agent { agent_id } = &grant.principal {
        let agent = facts.agent.filter(|agent| agent.id == *agent_id && agent.app_id == caller.app_id);
        agent.ok_or_else(missing)?.usable()?;
    }
    match grant.status(now) {
        GrantStatus::Active => {}
        GrantStatus::Revoked => return Err(Error::GrantRevoked { grant_id: grant.id }),
        GrantStatus::Expired => {
            return Err(Error::GrantExpired { grant_id: grant.id, provider_id: grant.provider_id.clone() });
        }
    }
    // A grant whose secret was deleted answers as revoked: that is what the operator did to it.
    let gone = Error::GrantRevoked { grant_id: grant.id };
    let secret = facts
        .secret
        .filter(|secret| secret.id == grant.secret_id && secret.app_id == grant.app_id)
        .ok_or_else(|| gone.clone())?;
    let credential = facts
        .credential
        .filter(|credential| credential.id == grant.credential_id && credential.app_id == grant.app_id)
        .ok_or(gone)?;
    if secret.credential_id != credential.id {
        return Err(Error::Internal("the grant's credential is not its secret's".to_owned()));
    }
    if secret.seal_version != credential.seal_version {
        // They are written together. A batch read may see one of two new rows a moment before the other; an old value that
        // was put back differs for good.
        return Err(Error::StoreUnavailable("a secret and its value are of different versions".to_owned()));
    }
    Ok(Authorized { grant, secret, credential })
}

/// Whether the grant exists for this caller. An agent's key sees what is bound to that agent; an app's key sees the app's
/// grants, except that an agent's grant needs the app to act for that agent (functional specification 5.2: only that
/// agent).
fn reaches(caller: &Caller, grant: &Grant) -> bool {
    match (&grant.principal, caller.agent_key(), caller.agent()) {
        (Principal::Agent { agent_id }, _, Some(acting)) => *agent_id == acting,
        (Principal::Agent { .. }, _, None) => false,
        (_, Some(_), _) => false,
        (_, None, _) => true,
    }
}
