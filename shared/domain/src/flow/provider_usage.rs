//! What is behind a provider of an app, and what a page of grants shows of its connections.

use std::collections::BTreeMap;

use alter_api_types::{AppId, ConnectionId};

use crate::{
    error::Result,
    model::{Connection, ConnectionState, Grant, ProviderConfig, Receipt},
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

/// Looks at about `limit` connections at most, the oldest first.
pub async fn provider_usage(ports: &Ports, config: &ProviderConfig, limit: usize) -> Result<ProviderUsage> {
    let connections = Connections(ports.table.as_ref());
    let (mut usage, mut read, mut cursor) = (ProviderUsage::default(), 0, None);
    loop {
        let page = connections.list(config.app_id, &config.provider_id, 1000.min(limit), cursor).await?;
        read += page.items.len();
        for connection in &page.items {
            usage.add(config, connection);
        }
        match page.next {
            Some(_) if read >= limit => return Ok(ProviderUsage { truncated: true, ..usage }),
            Some(next) => cursor = Some(next),
            None => return Ok(usage),
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
            ConnectionState::Revoked { receipt: Receipt::Pending, .. } => {
                self.pending_revocations += 1;
                return;
            }
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
