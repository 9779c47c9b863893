//! Which tokens a connection has after its user came back.

use jiff::Timestamp;

use super::{account::same_values, facts, rotates};
use crate::{
    error::{Error, Result},
    flow::{
        connect::{
            ConnectService,
            keep::{Fresh, REFRESHING},
        },
        token_fields,
    },
    model::{Connection, ConnectionState, REFRESH_TOKEN, SealedCredential},
    oauth::RefreshKind,
    repo::Credentials,
    secret::Secret,
};

impl ConnectService {
    /// The connection with the fresh tokens, sealed; and whether it takes its account.
    pub(super) async fn with_tokens(
        &self,
        old: Connection,
        fresh: &Fresh<'_>,
        now: Timestamp,
    ) -> Result<(Connection, Option<SealedCredential>, bool)> {
        let kept_refresh = self.kept_refresh(&old, fresh, now).await?;
        // With a token that stays, what is known of attempts to exchange it stays.
        let lease = old.lease.filter(|_| kept_refresh.is_some() && rotates(fresh.provider));
        let fields = token_fields(&fresh.obtained.tokens, kept_refresh)?;
        let (account, takes_account) = self.account_of(&old, fresh).await?;
        let renewed = Connection {
            account,
            values: fresh.obtained.values.clone(),
            scopes: fresh.scopes.clone(),
            delivery: fresh.delivery.clone(),
            seal_version: old.seal_version.saturating_add(1),
            tokens: facts(fresh, &fields, now),
            lease,
            state: ConnectionState::Active,
            ..old
        };
        let place = (renewed.credential_id, renewed.seal_version);
        let (org, app) = (renewed.org_id, renewed.app_id);
        let tokens = self.sealer.seal_credential(&self.ports, org, app, place, &fields).await?;
        Ok((renewed, Some(tokens), takes_account))
    }

    /// The refresh token of a working connection, where the provider sent no new one: many send it only the first time.
    ///
    /// Not where it was given for other values: it would be sent elsewhere.
    async fn kept_refresh(
        &self,
        old: &Connection,
        fresh: &Fresh<'_>,
        now: Timestamp,
    ) -> Result<Option<Secret<String>>> {
        let sent = fresh.obtained.tokens.refresh_token.is_some();
        let works = old.state == ConnectionState::Active && old.tokens.refreshable;
        let kind = fresh.provider.refresh.kind;
        if sent || !works || kind != RefreshKind::RefreshToken || !same_values(old, fresh) {
            return Ok(None);
        }
        if rotates(fresh.provider) && old.lease.is_some_and(|lease| now < lease.until) {
            return Err(Error::conflict(REFRESHING, "The refresh token is being exchanged."));
        }
        let sealed = Credentials(self.ports.table.as_ref()).get(old.app_id, old.credential_id).await?.value;
        if sealed.seal_version != old.seal_version {
            return Err(Error::conflict("concurrent_update", "The tokens are being replaced."));
        }
        let fields = self.opener.open(old.org_id, &sealed).await?;
        Ok(fields.get(REFRESH_TOKEN).cloned())
    }
}

/// Whether the tokens that are there work and allow what the fresh ones do not: a visit that asks for less takes nothing away from
/// the grants of others.
pub(super) fn allows_more(old: &Connection, fresh: &Fresh<'_>, now: Timestamp) -> bool {
    let lasts = old.tokens.refreshable || old.tokens.expires_at.is_none_or(|at| now < at);
    let works = old.state == ConnectionState::Active && lasts && !old.tokens.refused;
    works && same_values(old, fresh) && old.scopes.iter().any(|scope| !fresh.scopes.contains(scope))
}
