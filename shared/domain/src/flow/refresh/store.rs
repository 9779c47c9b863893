//! Keeping a new pair: nothing may come between the provider's answer and the store.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Fresh, Inner,
    exchange::Material,
    keep_alive_at,
    need::{refreshable, token_facts, token_fields},
    read::Reading,
};
use crate::{
    error::{Error, Result},
    flow::revocations::disown,
    model::{Attempt, Connection, Deposit, ProviderConfig, REFRESH_TOKEN, SealedCredential},
    oauth::Tokens,
    repo::{Connections, Stored},
};

/// What became of a new pair.
pub(super) enum Kept {
    Stored(Fresh),
    /// A newer pair is stored.
    Superseded,
    /// The connection was revoked; the provider is told of this pair too.
    Orphaned,
    /// Neither stored nor parked, as often as it was tried.
    Lost(Error),
}

/// Stores the pair that the provider gave for the tokens of this attempt's seal version.
pub(super) async fn keep(
    inner: &Arc<Inner>,
    config: &ProviderConfig,
    claimed: &Stored<Connection>,
    attempt: &Attempt,
    material: &Material,
    tokens: &Tokens,
) -> Kept {
    match try_keep(inner, config, claimed, attempt, material, tokens).await {
        Ok(kept) => kept,
        Err(error) => {
            let connection = &claimed.value;
            tracing::error!(connection = %connection.id, %error, "new tokens could not be stored and are lost");
            Kept::Lost(error)
        }
    }
}

async fn try_keep(
    inner: &Arc<Inner>,
    config: &ProviderConfig,
    claimed: &Stored<Connection>,
    attempt: &Attempt,
    material: &Material,
    tokens: &Tokens,
) -> Result<Kept> {
    let definition = config.definition()?;
    let fields = token_fields(tokens, material.tokens().get(REFRESH_TOKEN).cloned())?;
    let facts = token_facts(tokens, refreshable(definition, &fields), inner.ports.clock.now());
    let reading = Reading::new(inner, &claimed.value);
    let end = Instant::now() + inner.timing.store;
    let sealed = seal(inner, &reading, claimed, attempt, &fields, end).await?;
    let mut pauses = reading.pauses_until(end);
    let mut present = claimed.clone();
    loop {
        let Stored { value, version } = present;
        let revoked = value.clone();
        let (now, scopes) = (inner.ports.clock.now(), tokens.scopes.clone());
        let next = match value.deposit(attempt, facts, scopes, now, inner.timing.lease) {
            Deposit::Put(next) => Stored { value: *next, version },
            Deposit::Superseded => return Ok(Kept::Superseded),
            Deposit::Orphaned => {
                orphaned(inner, &reading, &revoked, &sealed, end).await?;
                return Ok(Kept::Orphaned);
            }
        };
        let keep_alive_at = keep_alive_at(definition, &facts);
        let stored =
            Connections(inner.ports.table.as_ref()).store_tokens(&next, &sealed, keep_alive_at).await;
        let Err(error) = stored else { return Ok(Kept::Stored((Arc::new(next.value), Arc::new(sealed)))) };
        pauses.after(error).await?;
        // Somebody else wrote, or we did and were not told.
        present = loop {
            match reading.read().await {
                Ok(Some(found)) if found.tokens.as_ref().is_some_and(|tokens| is(tokens, &sealed)) => {
                    return Ok(Kept::Stored((Arc::new(found.connection.value), Arc::new(sealed))));
                }
                Ok(Some(found)) => break found.connection,
                Ok(None) => return Ok(Kept::Superseded),
                Err(error) => pauses.after(error).await?,
            }
        };
    }
}

async fn seal(
    inner: &Inner,
    reading: &Reading,
    claimed: &Stored<Connection>,
    attempt: &Attempt,
    fields: &crate::inject::CredentialFields,
    end: Instant,
) -> Result<SealedCredential> {
    let connection = &claimed.value;
    let place = (connection.credential_id, attempt.seal_version.saturating_add(1));
    let mut pauses = reading.pauses_until(end);
    loop {
        let (org, app) = (connection.org_id, connection.app_id);
        match inner.sealer.seal_credential(&inner.ports, org, app, place, fields).await {
            Ok(sealed) => return Ok(sealed),
            Err(error) => pauses.after(error).await?,
        }
    }
}

/// Has the provider told of a pair that nobody can use any more. Told twice is no harm: a task whose answer was lost is made
/// again.
async fn orphaned(
    inner: &Inner,
    reading: &Reading,
    connection: &Connection,
    tokens: &SealedCredential,
    end: Instant,
) -> Result<()> {
    let mut pauses = reading.pauses_until(end);
    loop {
        match disown(&inner.ports, connection, tokens).await {
            Ok(_) => return Ok(()),
            Err(error) => pauses.after(error).await?,
        }
    }
}

fn is(one: &SealedCredential, other: &SealedCredential) -> bool {
    one.seal_version == other.seal_version && one.sealed.as_bytes() == other.sealed.as_bytes()
}
