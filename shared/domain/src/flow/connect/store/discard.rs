//! What becomes of tokens that are not stored.

use super::{connected, facts, first};
use crate::{
    error::Result,
    flow::{
        connect::{ConnectService, keep::Fresh},
        revocations::disown_new,
        token_fields,
    },
    model::{ConnectSession, ConnectionState, Receipt},
    oauth::{CurrentTokens, RevokeError},
    repo::{ConnectSessions, Connections, Grants},
};

impl ConnectService {
    /// Has the provider told to end tokens that are not kept. Not where the app has, or may have, a connection to their account:
    /// many providers end everything that the account has given the app, and that would be cut off too.
    pub(in crate::flow::connect) async fn discard(&self, session: &ConnectSession, fresh: &Fresh<'_>) {
        if fresh.provider.revocation.is_none() {
            return;
        }
        match self.may_cut_off(session, fresh).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!(
                    provider = fresh.provider.id,
                    "tokens that are not kept are left to end by themselves"
                );
                return;
            }
            Err(error) => return tracing::error!(%error, "tokens that are not kept were not ended"),
        }
        if let Err(error) = self.disown(session, fresh).await {
            tracing::warn!(%error, "tokens that are not kept are ended without a task");
            self.end_now(fresh).await;
        }
    }

    /// Tells the provider once, where no task can be left behind.
    async fn end_now(&self, fresh: &Fresh<'_>) {
        let Fresh { provider, client, obtained, .. } = fresh;
        let tokens = &obtained.tokens;
        let current = CurrentTokens { access: &tokens.access_token, refresh: tokens.refresh_token.as_ref() };
        match self.engine().revoke(provider, client, &obtained.values, &current).await {
            Ok(()) | Err(RevokeError::NotSupported) => {}
            Err(error) => {
                tracing::error!(provider = provider.id, %error, "tokens that are not kept were not ended");
            }
        }
    }

    async fn may_cut_off(&self, session: &ConnectSession, fresh: &Fresh<'_>) -> Result<bool> {
        let (table, app) = (self.ports.table.as_ref(), session.app_id);
        let (account, principal) = (fresh.obtained.account.as_ref(), &session.principal);
        // What the session itself is about is read from where nothing is late.
        let present = ConnectSessions(table).find(session.id, self.ports.clock.now()).await?;
        let mut near: Vec<_> =
            present.iter().filter_map(|s| connected(&s.value, fresh)).map(|c| c.connection_id).collect();
        if let Some(grant) = session.repair {
            near.extend(Grants(table).get(app, grant).await?.value.source.connection_id());
        }
        for id in near {
            if Connections(table).get(app, id).await?.value.may_be_of(principal, account) {
                return Ok(true);
            }
        }
        if self.known(session, fresh).await?.is_some() {
            return Ok(true);
        }
        Connections(table).may_be_connected(app, principal, &fresh.config.provider_id, account).await
    }

    async fn disown(&self, session: &ConnectSession, fresh: &Fresh<'_>) -> Result<()> {
        let now = self.ports.clock.now();
        let fields = token_fields(&fresh.obtained.tokens, None)?;
        let state = ConnectionState::Revoked { at: now, receipt: Receipt::Pending };
        let connection = first(session, fresh, facts(fresh, &fields, now), state, now);
        let (org, app) = (connection.org_id, connection.app_id);
        let place = (connection.credential_id, connection.seal_version);
        let tokens = self.sealer.seal_credential(&self.ports, org, app, place, &fields).await?;
        disown_new(&self.ports, &connection, &tokens).await?;
        Ok(())
    }
}
