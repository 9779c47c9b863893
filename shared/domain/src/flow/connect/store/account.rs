//! Whether it is the same account.

use crate::{
    error::Result,
    flow::connect::{ConnectService, keep::Fresh},
    model::Connection,
    oauth::AccountInfo,
    repo::Connections,
};

impl ConnectService {
    /// The account of a connection that is renewed, and whether it is taken with that: where it was not known before and no other
    /// connection has it.
    pub(super) async fn account_of(
        &self,
        old: &Connection,
        fresh: &Fresh<'_>,
    ) -> Result<(Option<AccountInfo>, bool)> {
        let Some(account) = fresh.obtained.account.clone() else { return Ok((old.account.clone(), false)) };
        if account.key.is_none() || key_of(old.account.as_ref()) == account.key.as_deref() {
            return Ok((Some(account), false));
        }
        let connections = Connections(self.ports.table.as_ref());
        let taken = connections.of_account(old.app_id, &old.principal, &old.provider_id, &account).await?;
        Ok(match taken {
            Some(_) => (Some(AccountInfo { key: None, ..account }), false),
            None => (Some(account), true),
        })
    }
}

/// Whether it is the account that the connection is for, which alone renews it. A connection whose account was never known is
/// renewed with any at the same place. `None`: the provider did not say enough to tell.
pub(super) fn same_account(connection: &Connection, fresh: &Fresh<'_>) -> Option<bool> {
    if !same_values(connection, fresh) {
        return Some(false);
    }
    let Some(before) = &connection.account else { return Some(true) };
    let now = fresh.obtained.account.as_ref()?;
    match (&before.key, &now.key) {
        (Some(before), Some(now)) => Some(before == now),
        _ if before.identifier != now.identifier => Some(false),
        (Some(_), None) => None,
        (None, _) => Some(true),
    }
}

pub(super) fn same_values(connection: &Connection, fresh: &Fresh<'_>) -> bool {
    connection.values.telling(fresh.provider) == fresh.obtained.values.telling(fresh.provider)
}

fn key_of(account: Option<&AccountInfo>) -> Option<&str> {
    account?.key.as_deref()
}
