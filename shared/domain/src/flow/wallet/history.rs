//! Whose rows of the record somebody may see: their own, in every app.

use std::collections::BTreeSet;

use alter_api_types::{AgentId, GrantId, UserId};
use futures_util::future::try_join;

use super::{WalletService, read::read};
use crate::{
    error::Result,
    keyspace,
    model::{Agent, Connection, Grant, GrantSource, Principal, WalletSession},
    port::{Key, TableName},
    repo::{AuditScope, decode},
};

impl WalletService {
    /// The record of the signed-in person. `grant`: the one that they ask about; where it is theirs, its own list is read, and
    /// otherwise theirs, in which there is nothing of it but what they did.
    pub async fn record_of(&self, session: &WalletSession, grant: Option<GrantId>) -> Result<AuditScope> {
        let (users, asked) = try_join(self.selves(session), self.asked(grant)).await?;
        let grant = match asked {
            Some(asked) if self.is_theirs(&users, &asked).await? => grant,
            _ => None,
        };
        Ok(AuditScope::Person { org: session.org_id, users, grant })
    }

    /// The agents of these ids, by name. They are those of rows that the person sees: who else works for an app is not theirs to know.
    pub async fn agents(&self, ids: BTreeSet<AgentId>) -> Result<Vec<Agent>> {
        let keys = ids.into_iter().map(|id| (TableName::Main, keyspace::agent(id))).collect();
        let agents: Vec<Option<Agent>> = read(&self.ports, keys).await?.all()?;
        Ok(agents.into_iter().flatten().collect())
    }

    async fn asked(&self, grant: Option<GrantId>) -> Result<Option<Grant>> {
        match grant {
            Some(id) => self.read(&keyspace::grant(id)).await,
            None => Ok(None),
        }
    }

    /// The person's own, or an agent's on a connection of theirs.
    async fn is_theirs(&self, users: &[UserId], grant: &Grant) -> Result<bool> {
        let is_one = |principal: &Principal| matches!(principal, Principal::User { user_id } if users.contains(user_id));
        match (&grant.principal, &grant.source) {
            (Principal::Agent { .. }, GrantSource::OAuth { connection_id }) => {
                let connection: Option<Connection> = self.read(&keyspace::connection(*connection_id)).await?;
                Ok(connection.is_some_and(|connection| is_one(&connection.principal)))
            }
            (principal, _) => Ok(is_one(principal)),
        }
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, key: &Key) -> Result<Option<T>> {
        let item = self.ports.table.get(TableName::Main, key).await?;
        item.as_ref().map(decode).transpose()
    }
}
