//! Removing a provider: with the grants that are alive, and not before the provider was told of those that ended.

use alter_api_types::{ConnectionId, RevocationId};

use super::{Change, about, switched};
use crate::{
    error::{Error, Result},
    flow::{grants::end_grant, provider_usage, recorded},
    model::{ConnectionState, EventKind, GrantState, ProviderConfig},
    repo::{Connections, Grants, ProviderConfigs, Revocations},
    state::Ports,
};

/// What a removal may take with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Removal {
    /// Revokes the grants that are alive.
    pub force: bool,
    /// Does not wait for the provider to be told of revocations, which needs the registration.
    pub abandon_revocations: bool,
}

/// Removes a registration and its secret. One with live grants stays, unless they are to be revoked first; and one that is
/// still needed to tell the provider of revocations stays, unless they are given up.
pub async fn delete_provider(
    ports: &Ports,
    provider_id: &str,
    removal: Removal,
    change: Change,
) -> Result<ProviderConfig> {
    let configs = ProviderConfigs(ports.table.as_ref());
    let found = configs.get(change.app_id, provider_id).await?;
    let config = found.value.clone();
    let alive = provider_usage(ports, &config, usize::MAX).await?.live_grants;
    if alive > 0 && !removal.force {
        return Err(Error::conflict(
            "provider_in_use",
            format!("{alive} grants are alive on connections to this provider: force revokes them first."),
        ));
    }
    let subject = about(EventKind::ProviderDeleted, &config, change.clone());
    let remove = async {
        let (mut found, mut tasks) = (found, Vec::new());
        if removal.force {
            if found.value.is_enabled() {
                // First, so that nobody connects while the others are sent away.
                configs.update(&switched(ports, found, false)?, None).await?;
                found = configs.get(change.app_id, provider_id).await?;
            }
            tasks = revoke_grants(ports, &config, &change).await?;
        }
        if !removal.abandon_revocations {
            settled(ports, &config, &tasks).await?;
        }
        configs.delete(&found).await?;
        if removal.force {
            revoke_grants(ports, &config, &change).await?;
        }
        Ok(())
    };
    recorded(ports, subject, remove).await?;
    Ok(config)
}

/// Telling the provider takes the registration and its secret. The lists lag behind what was written a moment ago, so the tasks
/// of this very removal are looked at one by one.
async fn settled(ports: &Ports, config: &ProviderConfig, tasks: &[RevocationId]) -> Result<()> {
    let usage = provider_usage(ports, config, usize::MAX).await?;
    let mut waiting = usage.pending_revocations.saturating_add(usage.live_grants);
    for (looked_at, id) in (0..).zip(tasks) {
        if waiting > 0 {
            break;
        }
        if Revocations(ports.table.as_ref()).find(*id).await?.is_some() {
            waiting = (tasks.len() as u64).saturating_sub(looked_at);
        }
    }
    match waiting {
        0 => Ok(()),
        waiting => Err(Error::conflict(
            "revocations_pending",
            format!(
                "The provider has still to be told of {waiting} revocations, which takes this registration: delete it \
                 again in a moment, or give them up."
            ),
        )),
    }
}

/// Revokes what is alive, and gives the tasks by which the provider is told.
async fn revoke_grants(ports: &Ports, config: &ProviderConfig, change: &Change) -> Result<Vec<RevocationId>> {
    let table = ports.table.as_ref();
    let (mut cursor, mut tasks) = (None, Vec::new());
    loop {
        let page = Connections(table).list(config.app_id, &config.provider_id, 100, cursor).await?;
        for connection in page.items {
            if !matches!(connection.state, ConnectionState::Revoked { .. }) {
                tasks.extend(revoke_grants_of(ports, connection.id, change).await?);
            }
        }
        if page.next.is_none() {
            return Ok(tasks);
        }
        cursor = page.next;
    }
}

async fn revoke_grants_of(
    ports: &Ports,
    connection: ConnectionId,
    change: &Change,
) -> Result<Option<RevocationId>> {
    let (mut cursor, mut last) = (None, None);
    loop {
        let page = Grants(ports.table.as_ref()).list_of_connection(connection, 1000, cursor).await?;
        for grant in page.items.iter().filter(|grant| grant.state == GrantState::Active) {
            let reason = Some("The provider was removed from the app.".to_owned());
            let ids = (change.org_id, change.app_id);
            match end_grant(ports, ids, grant.id, reason, change.actor.clone(), change.surface).await {
                Ok((_, task)) => last = task.or(last),
                Err(Error::GrantRevoked { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        if page.next.is_none() {
            return Ok(last);
        }
        cursor = page.next;
    }
}
