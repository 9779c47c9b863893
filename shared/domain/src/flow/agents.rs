//! Agents: creating one, and ending one together with its keys.

use std::collections::BTreeMap;

use alter_api_types::{AgentId, AppId, OrgId};

use super::{Subject, keys::revoke_key_if_live, recorded};
use crate::{
    error::{Error, Result},
    model::{Actor, Agent, AgentName, AgentState, EventKind, Surface, name},
    repo::{Agents, ApiKeys, Stored},
    state::Ports,
};

/// An agent to be created.
#[derive(Debug, Clone)]
pub struct NewAgent {
    pub name: AgentName,
    pub display_name: Option<String>,
}

/// Creates an agent; its name is unique among the app's agents that are not revoked.
pub async fn create_agent(
    ports: &Ports,
    (org_id, app_id): (OrgId, AppId),
    new: NewAgent,
    actor: Actor,
    surface: Surface,
) -> Result<Agent> {
    let agent = Agent {
        id: ports.new_id()?,
        app_id,
        name: new.name,
        display_name: new.display_name.as_deref().map(name).transpose()?,
        state: AgentState::Active,
        created_at: ports.clock.now(),
    };
    let subject = about(EventKind::AgentCreated, org_id, &agent, actor, surface);
    recorded(ports, subject, Agents(ports.table.as_ref()).create(&agent)).await?;
    Ok(agent)
}

/// Ends an agent for good. Its keys and grants stop with it at once, because every call looks at the agent; its keys are
/// then revoked one by one, so that lists tell the truth. Asking again finishes what was interrupted and answers 409.
pub async fn revoke_agent(
    ports: &Ports,
    (org_id, app_id): (OrgId, AppId),
    id: AgentId,
    actor: Actor,
    surface: Surface,
) -> Result<Agent> {
    let agents = Agents(ports.table.as_ref());
    let found = agents.get(app_id, id).await?;
    let ended: Result<Stored<Agent>> = found.try_map(|agent| agent.revoke(ports.clock.now()));
    if let Ok(ended) = &ended {
        let subject = about(EventKind::AgentRevoked, org_id, &ended.value, actor.clone(), surface);
        recorded(ports, subject, agents.revoke(ended)).await?;
    }
    for key in ApiKeys(ports.table.as_ref()).list_of_agent(id).await? {
        revoke_key_if_live(ports, (org_id, app_id), key.id, actor.clone(), surface).await?;
    }
    Ok(ended?.value)
}

/// The agent, if keys and grants may be given to it. An agent that is revoked is the operator's conflict, not a caller
/// that cannot be authenticated.
pub(super) async fn live_agent(ports: &Ports, app_id: AppId, id: AgentId) -> Result<Stored<Agent>> {
    let agent = Agents(ports.table.as_ref()).get(app_id, id).await?;
    match agent.value.usable() {
        Ok(()) => Ok(agent),
        Err(_) => Err(Error::conflict("agent_revoked", "The agent is revoked.")),
    }
}

fn about(kind: EventKind, org_id: OrgId, agent: &Agent, actor: Actor, surface: Surface) -> Subject {
    let detail = BTreeMap::from([
        ("agent_id".to_owned(), agent.id.to_string()),
        ("name".to_owned(), agent.name.as_str().to_owned()),
    ]);
    Subject { kind, org_id, app_id: Some(agent.app_id), actor, surface, grant: None, user_id: None, detail }
}
