//! What is behind a provider of an app, and what a page of grants shows of its connections.

use std::collections::BTreeMap;

use alter_api_types::{AppId, ConnectionId};

use crate::{
    error::Result,
    model::{Connection, ConnectionState, Grant, ProviderConfig},
    repo::{Connections, ProviderConfigs},
    state::Ports,
};

/// Counted over connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProviderUsage {
    /// Grants that are not revoked.
    pub live_grants: u64,
    /// Those whose connection lacks a scope that is required now.
    pub scope_mismatches: u64,
    /// Those whose user has to connect again.
    pub need_reconnect: u64,
    /// Connections whose end the provider has not been told yet.
    pub pending_revocations: u64,
    /// There are more connections than were looked at.
    pub truncated: bool,
}

/// Looks at about `limit` live connections at most, the oldest first, and as many that are ending.
pub async fn provider_usage(ports: &Ports, config: &ProviderConfig, limit: usize) -> Result<ProviderUsage> {
    let connections = Connections(ports.table.as_ref());
    let (app, provider) = (config.app_id, &config.provider_id);
    let mut usage = ProviderUsage::default();
    let (mut read, mut cursor) = (0, None);
    loop {
        let page = connections.list(app, provider, 1000.min(limit), cursor).await?;
        read += page.items.len();
        page.items.iter().for_each(|connection| usage.add(config, connection));
        cursor = page.next;
        usage.truncated |= cursor.is_some() && read >= limit;
        if cursor.is_none() || read >= limit {
            break;
        }
    }
    let (mut read, mut cursor) = (0, None);
    loop {
        let page = connections.list_ending(app, provider, 1000.min(limit), cursor).await?;
        read += page.items.len();
        usage.pending_revocations = read as u64;
        cursor = page.next;
        usage.truncated |= cursor.is_some() && read >= limit;
        if cursor.is_none() || read >= limit {
            return Ok(usage);
        }
    }
}

/// A connection, and what its app requires of it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Connected {
    pub connection: Connection,
    /// Required, and not granted.
    pub missing_scopes: Vec<String>,
}

/// The connections that these grants are on, by id; read a hundred at a time.
pub async fn connections_of(
    ports: &Ports,
    app: AppId,
    grants: &[Grant],
) -> Result<BTreeMap<ConnectionId, Connected>> {
    let table = ports.table.as_ref();
    let mut ids: Vec<_> = grants.iter().filter_map(|grant| grant.source.connection_id()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut configs: BTreeMap<String, Option<ProviderConfig>> = BTreeMap::new();
    let mut connected = BTreeMap::new();
    for chunk in ids.chunks(100) {
        for connection in Connections(table).get_many(app, chunk).await? {
            if !configs.contains_key(&connection.provider_id) {
                let found = ProviderConfigs(table).find(app, &connection.provider_id).await?;
                configs.insert(connection.provider_id.clone(), found.map(|config| config.value));
            }
            let config = configs.get(&connection.provider_id).and_then(Option::as_ref);
            let missing = config.map(|config| config.scopes.missing(&connection.scopes)).unwrap_or_default();
            let missing_scopes = missing.into_iter().map(str::to_owned).collect();
            connected.insert(connection.id, Connected { connection, missing_scopes });
        }
    }
    Ok(connected)
}

impl ProviderUsage {
    fn add(&mut self, config: &ProviderConfig, connection: &Connection) {
        let grants = u64::from(connection.live_grants);
        match &connection.state {
            ConnectionState::Revoked { .. } => return,
            ConnectionState::Broken { .. } => self.need_reconnect += grants,
            ConnectionState::Active => {}
        }
        self.live_grants += grants;
        if !config.scopes.missing(&connection.scopes).is_empty() {
            self.scope_mismatches += grants;
        }
    }
}
