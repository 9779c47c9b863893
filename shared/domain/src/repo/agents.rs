//! Agents of an app.

use alter_api_types::{AgentId, AppId};

use super::{Listed, Stored, decode_stored, encode, list_page, of_app};
use crate::{
    error::{Error, Result},
    keyspace,
    model::Agent,
    port::{Expect, Index, Item, Op, Query, StoreError, Table, TableName},
};

pub struct Agents<'a>(pub &'a dyn Table);

impl Agents<'_> {
    pub async fn get(&self, app: AppId, id: AgentId) -> Result<Stored<Agent>> {
        let item = self.0.get(TableName::Main, &keyspace::agent(id)).await?;
        let found: Option<Stored<Agent>> = item.as_ref().map(decode_stored).transpose()?;
        of_app(found, app, |agent| agent.value.app_id, "agent")
    }

    pub async fn list(&self, app: AppId, limit: usize, cursor: Option<String>) -> Result<Listed<Agent>> {
        let query = Query::partition(TableName::Main, keyspace::app_agents(app)).index(Index::First);
        list_page(self.0, &query.limit(limit).cursor(cursor)).await
    }

    /// Creates the agent and takes its name, or neither.
    pub async fn create(&self, agent: &Agent) -> Result<()> {
        let name = Item::new(keyspace::agent_name(agent.app_id, agent.name.as_str()), encode(&agent.id)?);
        let ops = vec![
            Op::Put { table: TableName::Main, item: Self::item(agent)?, expect: Expect::Absent },
            Op::Put { table: TableName::Main, item: name, expect: Expect::Absent },
        ];
        self.0.transact(ops).await.map_err(|error| match error {
            StoreError::Conflict => {
                Error::conflict("agent_name_exists", "An agent of this app has this name.")
            }
            other => other.into(),
        })
    }

    /// Revokes the agent and frees its name.
    pub async fn revoke(&self, agent: &Stored<Agent>) -> Result<()> {
        let name = keyspace::agent_name(agent.value.app_id, agent.value.name.as_str());
        let expect = Expect::Version(agent.version);
        self.0
            .transact(vec![
                Op::Put { table: TableName::Main, item: Self::item(&agent.value)?, expect },
                Op::Delete { table: TableName::Main, key: name, expect: Expect::Any },
            ])
            .await?;
        Ok(())
    }

    fn item(agent: &Agent) -> Result<Item> {
        let item = Item::new(keyspace::agent(agent.id), encode(agent)?);
        Ok(item.with_index(Index::First, keyspace::app_agent(agent.app_id, agent.id)))
    }
}
