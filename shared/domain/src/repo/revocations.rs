//! Revocations that providers have to be told of.

use alter_api_types::RevocationId;
use jiff::Timestamp;

use super::{Credentials, Stored, decode, decode_stored, encode};
use crate::{
    error::Result,
    keyspace,
    model::{Revocation, SealedCredential},
    port::{Expect, Index, Item, Op, Query, Table, TableName},
};

pub struct Revocations<'a>(pub &'a dyn Table);

impl Revocations<'_> {
    pub async fn find(&self, id: RevocationId) -> Result<Option<Stored<Revocation>>> {
        let item = self.0.get(TableName::Main, &keyspace::revocation(id)).await?;
        item.as_ref().map(decode_stored).transpose()
    }

    /// The writes that create the task with the tokens that it needs.
    pub fn create_ops(task: &Revocation, tokens: &SealedCredential) -> Result<[Op; 2]> {
        let put = Op::Put { table: TableName::Main, item: Self::item(task)?, expect: Expect::Absent };
        Ok([put, Credentials::park(tokens, task.id)?])
    }

    /// Writes the next attempt's time. Whoever writes first has the task.
    pub async fn postpone(&self, task: &Stored<Revocation>) -> Result<()> {
        let expect = Expect::Version(task.version);
        self.0.put(TableName::Main, Self::item(&task.value)?, expect).await?;
        Ok(())
    }

    /// The writes that end the task and delete its tokens.
    pub fn finish_ops(id: RevocationId) -> [Op; 2] {
        [TableName::Main, TableName::Vault].map(|table| Op::Delete {
            table,
            key: keyspace::revocation(id),
            expect: Expect::Any,
        })
    }

    /// Ids of tasks that are due, oldest first, at most `limit` per shard. From an index: whoever takes one reads it again.
    pub async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RevocationId>> {
        let mut due = Vec::new();
        for shard in 0..keyspace::DUE_SHARDS {
            let mut query = Query::partition(TableName::Main, keyspace::revocations_due(shard))
                .index(Index::First)
                .limit(limit);
            query.before = Some(keyspace::due_before(now));
            for item in self.0.query(&query).await?.items {
                due.push(decode::<Revocation>(&item)?.id);
            }
        }
        Ok(due)
    }

    fn item(task: &Revocation) -> Result<Item> {
        let item = Item::new(keyspace::revocation(task.id), encode(task)?);
        Ok(item.with_index(Index::First, keyspace::revocation_due(task.due_at, task.id)))
    }
}
