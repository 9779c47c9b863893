//! Connections, by id, by provider, by account.

use alter_api_types::{AppId, ConnectionId};
use jiff::Timestamp;

use super::{Credentials, Grants, Listed, Stored, decode, decode_stored, encode, list_page, of_app};
use crate::{
    error::{Error, Result},
    keyspace,
    model::{Connection, ConnectionState, Grant, Principal, Receipt, SealedCredential},
    oauth::AccountInfo,
    port::{Expect, Index, Item, Op, Query, StoreError, Table, TableName},
};

pub struct Connections<'a>(pub &'a dyn Table);

/// A look for connections to an account reads at most this many pages of a thousand.
const MAX_PAGES: usize = 10;

impl Connections<'_> {
    pub async fn get(&self, app: AppId, id: ConnectionId) -> Result<Stored<Connection>> {
        let item = self.0.get(TableName::Main, &keyspace::connection(id)).await?;
        let found: Option<Stored<Connection>> = item.as_ref().map(decode_stored).transpose()?;
        of_app(found, app, |connection| connection.value.app_id, "connection")
    }

    /// Those of the connections that exist and are the app's. At most 100.
    pub async fn get_many(&self, app: AppId, ids: &[ConnectionId]) -> Result<Vec<Connection>> {
        let keys: Vec<_> = ids.iter().map(|id| (TableName::Main, keyspace::connection(*id))).collect();
        let items = self.0.get_many(&keys).await?;
        let found: Vec<Connection> = items.iter().flatten().map(decode).collect::<Result<_>>()?;
        Ok(found.into_iter().filter(|connection| connection.app_id == app).collect())
    }

    /// The principal's connection to this very account, if there is one and enough is known of the account to tell.
    pub async fn of_account(
        &self,
        app: AppId,
        principal: &Principal,
        provider_id: &str,
        account: &AccountInfo,
    ) -> Result<Option<Stored<Connection>>> {
        let Some(key) = &account.key else { return Ok(None) };
        let hold = keyspace::account(app, principal, provider_id, key);
        match self.0.get(TableName::Main, &hold).await? {
            Some(item) => match self.get(app, decode(&item)?).await {
                Ok(connection) => Ok(Some(connection)),
                Err(Error::NotFound(_)) => Ok(None),
                Err(other) => Err(other),
            },
            None => Ok(None),
        }
    }

    /// Whether the app has a live connection that the provider may take for this account's: one with the same identifier,
    /// whatever tenant it is for, or one of the principal's where not both accounts are known. From an index, and `true` where
    /// there are too many to look through.
    pub async fn may_be_connected(
        &self,
        app: AppId,
        principal: &Principal,
        provider_id: &str,
        account: Option<&AccountInfo>,
    ) -> Result<bool> {
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let page = self.list(app, provider_id, 1000, cursor).await?;
            if page.items.iter().any(|connection| connection.may_be_of(principal, account)) {
                return Ok(true);
            }
            if page.next.is_none() {
                return Ok(false);
            }
            cursor = page.next;
        }
        Ok(true)
    }

    /// One page of an app's connections through a provider that are not revoked, oldest first.
    pub async fn list(
        &self,
        app: AppId,
        provider_id: &str,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listed<Connection>> {
        let query = Query::partition(TableName::Main, keyspace::provider_connections(app, provider_id))
            .index(Index::First);
        list_page(self.0, &query.limit(limit).cursor(cursor)).await
    }

    /// One page of those that are revoked, and whose end the provider is being told.
    pub async fn list_ending(
        &self,
        app: AppId,
        provider_id: &str,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listed<Connection>> {
        let query = Query::partition(TableName::Main, keyspace::ending_connections(app, provider_id))
            .index(Index::Second);
        list_page(self.0, &query.limit(limit).cursor(cursor)).await
    }

    /// Creates a connection with its tokens and its first grant, and takes the account. `Ok(false)`: the principal has a
    /// connection to this account already, nothing was written.
    pub async fn create(
        &self,
        connection: &Connection,
        tokens: &SealedCredential,
        grant: &Grant,
        keep_alive_at: Option<Timestamp>,
    ) -> Result<bool> {
        match self.0.transact(Self::create_ops(connection, tokens, grant, keep_alive_at)?).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    /// The writes of [`Self::create`].
    pub fn create_ops(
        connection: &Connection,
        tokens: &SealedCredential,
        grant: &Grant,
        keep_alive_at: Option<Timestamp>,
    ) -> Result<Vec<Op>> {
        let item = Self::item(connection, keep_alive_at)?;
        let mut ops = vec![
            Op::Put { table: TableName::Main, item, expect: Expect::Absent },
            Credentials::create(tokens)?,
        ];
        ops.extend(Self::hold_op(connection)?);
        ops.extend(Grants::create_ops(grant)?);
        Ok(ops)
    }

    /// The write of a connection that is over before it began: the provider gave tokens for it that nobody will use, and is
    /// to be told.
    pub fn create_ended_op(connection: &Connection) -> Result<Op> {
        let item = Self::item(connection, None)?;
        Ok(Op::Put { table: TableName::Main, item, expect: Expect::Absent })
    }

    /// Adds a grant to a connection, with the connection's new state (`add_grant` was called on it).
    pub async fn add_grant(
        &self,
        connection: &Stored<Connection>,
        grant: &Grant,
        keep_alive_at: Option<Timestamp>,
    ) -> Result<()> {
        let mut ops = vec![Self::put(connection, keep_alive_at)?];
        ops.extend(Grants::create_ops(grant)?);
        Ok(self.0.transact(ops).await?)
    }

    /// Writes a connection's new state, its tokens untouched.
    pub async fn update(
        &self,
        connection: &Stored<Connection>,
        keep_alive_at: Option<Timestamp>,
    ) -> Result<()> {
        Ok(self.0.transact(vec![Self::put(connection, keep_alive_at)?]).await?)
    }

    /// Writes a connection together with new tokens, whatever tokens there were: the connection's version is the fence.
    pub async fn store_tokens(
        &self,
        connection: &Stored<Connection>,
        tokens: &SealedCredential,
        keep_alive_at: Option<Timestamp>,
    ) -> Result<()> {
        Ok(self.0.transact(Self::store_tokens_ops(connection, tokens, keep_alive_at)?).await?)
    }

    /// The writes of [`Self::store_tokens`].
    pub fn store_tokens_ops(
        connection: &Stored<Connection>,
        tokens: &SealedCredential,
        keep_alive_at: Option<Timestamp>,
    ) -> Result<Vec<Op>> {
        Ok(vec![Self::put(connection, keep_alive_at)?, Credentials::overwrite(tokens)?])
    }

    /// The write by which a connection takes its account, where it has none yet. A connection whose account has a key has taken
    /// it: whoever finds it taken by another leaves the key out.
    pub fn hold_op(connection: &Connection) -> Result<Option<Op>> {
        let Some(key) = Self::hold_key(connection) else { return Ok(None) };
        let item = Item::new(key, encode(&connection.id)?);
        Ok(Some(Op::Put { table: TableName::Main, item, expect: Expect::Absent }))
    }

    /// The write of a connection against the version that was read, for a transaction of the caller's. `keep_alive_at` is when
    /// its refresh token has to be used at the latest; absent for one that does not idle out.
    pub fn put(connection: &Stored<Connection>, keep_alive_at: Option<Timestamp>) -> Result<Op> {
        let expect = Expect::Version(connection.version);
        Ok(Op::Put { table: TableName::Main, item: Self::item(&connection.value, keep_alive_at)?, expect })
    }

    /// The writes that go with a connection's revocation: its tokens are deleted, its account is given back.
    pub fn revoke_ops(connection: &Connection) -> Vec<Op> {
        let mut ops = vec![Credentials::delete(connection.credential_id)];
        if let Some(key) = Self::hold_key(connection) {
            ops.push(Op::Delete { table: TableName::Main, key, expect: Expect::Any });
        }
        ops
    }

    /// Ids and apps of connections whose refresh tokens have to be used, oldest first, at most `limit` per shard. From an
    /// index: whoever takes one reads it again.
    pub async fn keep_alive_due(&self, now: Timestamp, limit: usize) -> Result<Vec<(AppId, ConnectionId)>> {
        let mut due = Vec::new();
        for shard in 0..keyspace::DUE_SHARDS {
            let mut query = Query::partition(TableName::Main, keyspace::keep_alive_due(shard))
                .index(Index::Third)
                .limit(limit);
            query.before = Some(keyspace::due_before(now));
            for item in self.0.query(&query).await?.items {
                let connection: Connection = decode(&item)?;
                due.push((connection.app_id, connection.id));
            }
        }
        Ok(due)
    }

    fn hold_key(connection: &Connection) -> Option<crate::port::Key> {
        let key = connection.account.as_ref()?.key.as_deref()?;
        let (app, provider) = (connection.app_id, &connection.provider_id);
        Some(keyspace::account(app, &connection.principal, provider, key))
    }

    fn item(connection: &Connection, keep_alive_at: Option<Timestamp>) -> Result<Item> {
        let mut item = Item::new(keyspace::connection(connection.id), encode(connection)?);
        let (app, provider, id) = (connection.app_id, &connection.provider_id, connection.id);
        item = match &connection.state {
            ConnectionState::Active | ConnectionState::Broken { .. } => {
                item.with_index(Index::First, keyspace::provider_connection(app, provider, id))
            }
            ConnectionState::Revoked { receipt: Receipt::Pending, .. } => {
                item.with_index(Index::Second, keyspace::ending_connection(app, provider, id))
            }
            // It stays for its receipt and is in no list.
            ConnectionState::Revoked { .. } => item,
        };
        Ok(match keep_alive_at.filter(|_| connection.state == ConnectionState::Active) {
            Some(at) => item.with_index(Index::Third, keyspace::keep_alive(at, connection.id)),
            None => item,
        })
    }
}
