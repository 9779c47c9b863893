//! Who calls: from the headers that arrived to a [`Caller`].

use std::{collections::BTreeMap, net::IpAddr};

use alter_api_types::{AgentId, AppId, KeyId, OrgId};
use jiff::Timestamp;

use super::load::{Loaded, Slot};
use crate::{
    auth::{self, Presented},
    crypto::SigningKey,
    error::{Error, Result},
    model::{Actor, ActorKind, ApiKey, KeyHolder, Scopes},
    port::NonceClaim,
    state::{Ports, SigningKeys},
};

/// What the caller says of itself. Recorded, and no access boundary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution {
    pub caller: Option<String>,
    pub caller_type: Option<String>,
    pub context: BTreeMap<String, String>,
    pub ip: Option<IpAddr>,
    /// The W3C trace context that arrived.
    pub traceparent: Option<String>,
}

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub key_id: KeyId,
    pub key_prefix: String,
    pub app_id: AppId,
    pub org_id: OrgId,
    pub holder: KeyHolder,
    /// The agent that an app's key acts for.
    pub acting_for: Option<AgentId>,
    pub scopes: Scopes,
    pub attribution: Attribution,
}

impl Caller {
    /// The agent that acts: by its own key, or through the app's.
    pub fn agent(&self) -> Option<AgentId> {
        self.agent_key().or(self.acting_for)
    }

    /// The agent whose own key was presented.
    pub fn agent_key(&self) -> Option<AgentId> {
        match self.holder {
            KeyHolder::App => None,
            KeyHolder::Agent { agent_id } => Some(agent_id),
        }
    }

    pub fn actor(&self) -> Actor {
        Actor {
            kind: if self.agent().is_some() { ActorKind::Agent } else { ActorKind::App },
            key_id: Some(self.key_id),
            key_prefix: Some(self.key_prefix.clone()),
            agent_id: self.agent(),
            token_id: None,
            caller: self.attribution.caller.clone(),
            caller_type: self.attribution.caller_type.clone(),
            ip: self.attribution.ip.map(|ip| ip.to_string()),
        }
    }
}

/// Authenticates a call that needs nothing but its caller, and uses up its nonce.
pub async fn authenticate(ports: &Ports, signing: &SigningKeys, presented: &Presented) -> Result<Caller> {
    let mut loaded = Loaded::new(None);
    loaded.first_round(ports, presented, None, None).await?;
    loaded.second_round(ports, None).await?;
    let caller = verify(signing, presented, &loaded, ports.clock.now()).await?;
    if ports.nonces.claim(claim(&caller, presented)).await? { Ok(caller) } else { Err(Error::NonceReplayed) }
}

/// The nonce's claim; it is remembered until its timestamp is too old to be accepted.
pub(super) fn claim(caller: &Caller, presented: &Presented) -> NonceClaim {
    NonceClaim {
        key_id: caller.key_id,
        nonce: presented.nonce().to_owned(),
        forget_at: presented.timestamp().saturating_add(auth::MAX_SKEW_SECONDS + 1),
    }
}

/// Checks key, signature and agent against what was read. A key's state is told only to who holds the key.
pub(super) async fn verify(
    signing: &SigningKeys,
    presented: &Presented,
    loaded: &Loaded<'_>,
    now: Timestamp,
) -> Result<Caller> {
    let key = loaded.key()?.ok_or(Error::InvalidKey)?;
    match presented.plain_key() {
        Some(plain) => {
            if !auth::digest_matches(plain, &key.digest) {
                return Err(Error::InvalidKey);
            }
            presented.verify(&SigningKey::derive(plain))?;
        }
        None => {
            let item = loaded.item(Slot::Signing).ok_or(Error::InvalidKey)?;
            presented.verify(&signing.open(&key, item).await?)?;
        }
    }
    key.usable(now)?;
    let acting_for = acting_for(presented, loaded, &key)?;
    if let KeyHolder::Agent { agent_id } = key.holder {
        let agent = loaded.agent(Slot::Agent)?;
        agent
            .filter(|agent| agent.id == agent_id && agent.app_id == key.app_id)
            .ok_or(Error::InvalidKey)?
            .usable()?;
    }
    let scopes = presented.narrow(key.scopes.clone())?;
    Ok(Caller {
        key_id: key.id,
        key_prefix: key.public_part.clone(),
        app_id: key.app_id,
        org_id: key.org_id,
        holder: key.holder,
        acting_for,
        scopes,
        attribution: presented.attribution().clone(),
    })
}

/// A caller that is a UUID names an agent of the app (wire protocol 2.6); anything else is a label.
fn acting_for(presented: &Presented, loaded: &Loaded<'_>, key: &ApiKey) -> Result<Option<AgentId>> {
    let Some(named) = presented.caller_agent() else { return Ok(None) };
    match key.holder {
        KeyHolder::Agent { agent_id } if agent_id == named => Ok(None),
        KeyHolder::Agent { .. } => Err(Error::CallerAgentMismatch),
        KeyHolder::App => match loaded.agent(Slot::ActingAgent)? {
            Some(agent) if agent.id == named && agent.app_id == key.app_id && agent.usable().is_ok() => {
                Ok(Some(named))
            }
            _ => Err(Error::CallerAgentUnresolved),
        },
    }
}
