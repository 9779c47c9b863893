//! The exchange itself: what is opened for it, what the provider says to it, and its row in the record.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use super::{Fresh, Inner, store::Kept};
use crate::{
    error::{Error, Result},
    flow::{record::Subject, revocations::client_secret},
    inject::CredentialFields,
    model::{
        ACCESS_TOKEN, Actor, Connection, Ended, EventKind, Outcome, OutcomeKind, ProviderConfig,
        REFRESH_TOKEN, SealedCredential, Surface,
    },
    oauth::{Client, CurrentTokens, Engine, ExchangeError, Tokens, Values},
};

/// How an exchange ended.
pub(super) enum Exchanged {
    /// Stored: these may be used.
    Stored(Fresh),
    /// The provider gave tokens that are not to be used; the connection says why.
    Overtaken,
    /// Nothing was sent: the lease was no longer young.
    Late,
    /// The provider says that the token is dead.
    Dead {
        code: String,
    },
    Failed {
        ended: Ended,
        code: Option<String>,
        error: Error,
    },
}

/// The plaintext that an exchange needs.
pub(super) struct Material {
    tokens: CredentialFields,
    client: Option<CredentialFields>,
    values: Values,
}

impl Material {
    /// Opens the tokens and the client's secret, and sees to it that their successors can be sealed.
    pub(super) async fn open(
        inner: &Inner,
        connection: &Connection,
        tokens: &SealedCredential,
        config: &ProviderConfig,
    ) -> Result<Self> {
        let opened = inner.opener.open(connection.org_id, tokens).await?;
        let client = client_secret(&inner.ports, &inner.opener, connection.org_id, config).await?;
        let place = (tokens.id, tokens.seal_version);
        // A trial: the key that it makes is at hand when the provider has answered.
        inner
            .sealer
            .seal_credential(&inner.ports, connection.org_id, connection.app_id, place, &opened)
            .await?;
        let values = connection.values.with_operators(config.definition()?, &config.values);
        Ok(Self { tokens: opened, client, values })
    }

    pub(super) fn tokens(&self) -> &CredentialFields {
        &self.tokens
    }
}

/// The moment of a claim, by both clocks: the one that stands still while a machine is suspended, and the one that may be set.
pub(super) struct Claimed {
    at: Timestamp,
    instant: Instant,
}

impl Claimed {
    pub(super) fn now(inner: &Inner) -> Self {
        Self { at: inner.ports.clock.now(), instant: Instant::now() }
    }

    /// Whether a request sent now ends before the lease, wherever the lease is read.
    fn is_young(&self, inner: &Inner) -> bool {
        let most = inner.timing.send_within;
        self.instant.elapsed() <= most
            && inner.ports.clock.now().duration_since(self.at).unsigned_abs() <= most
    }
}

/// Asks the provider. Whoever calls holds the lease and has the intent on the record.
pub(super) async fn exchange(
    inner: &Inner,
    config: &ProviderConfig,
    connection: &Connection,
    material: &Material,
    claimed: &Claimed,
) -> Result<Tokens, Exchanged> {
    let unused = |error| Exchanged::Failed { ended: Ended::Unused, code: None, error };
    let access = material.tokens.get(ACCESS_TOKEN);
    let access =
        access.ok_or_else(|| unused(Error::Internal("a connection has no access token".to_owned())))?;
    let definition = config.definition().map_err(unused)?;
    let current = CurrentTokens { access, refresh: material.tokens.get(REFRESH_TOKEN) };
    let client = Client { client_id: &config.client_id, secret: material.client.as_ref(), redirect_uri: "" };
    let engine = Engine {
        http: inner.http.as_ref(),
        rules: inner.rules,
        clock: inner.ports.clock.as_ref(),
        rng: inner.ports.rng.as_ref(),
        timeout: inner.timing.request,
    };
    if !claimed.is_young(inner) {
        return Err(Exchanged::Late);
    }
    let asked = engine.refresh(definition, &client, &material.values, &current, &connection.scopes);
    match timeout(inner.timing.request, asked).await {
        Ok(Ok(tokens)) => Ok(tokens),
        Ok(Err(error)) => Err(failure(error)),
        Err(_) => Err(failure(ExchangeError::Unknown("no answer in time".to_owned()))),
    }
}

/// What an error of the exchange means for the connection, and for the call that waits for it: the call itself was not sent
/// anywhere, so none of this says that it may have been acted upon.
fn failure(error: ExchangeError) -> Exchanged {
    let text = format!("token endpoint: {error}");
    match error {
        ExchangeError::Dead { code, .. } => Exchanged::Dead { code },
        // A definite no that is not about the token. The operator finds the code in the record.
        ExchangeError::Client { code, description } | ExchangeError::Refused { code, description } => {
            let text = description.map_or(text.clone(), |description| format!("{text}: {description}"));
            let error = Error::UpstreamBroken(text);
            Exchanged::Failed { ended: Ended::Unused, code: Some(code), error }
        }
        ExchangeError::Unreachable(_) => Exchanged::unreachable(Ended::Unused, text),
        ExchangeError::Unknown(_) | ExchangeError::Reply(_) => Exchanged::unreachable(Ended::Unknown, text),
    }
}

impl Exchanged {
    fn unreachable(ended: Ended, text: String) -> Self {
        Self::Failed { ended, code: None, error: Error::UpstreamUnreachable(text) }
    }
}

impl From<Kept> for Exchanged {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Stored(fresh) => Self::Stored(fresh),
            Kept::Superseded | Kept::Orphaned => Self::Overtaken,
            Kept::Lost(error) => Self::Failed { ended: Ended::Unknown, code: None, error },
        }
    }
}

/// What the record says of an exchange.
pub(super) fn outcome(exchanged: &Exchanged) -> Outcome {
    match exchanged {
        Exchanged::Stored(_) | Exchanged::Overtaken => Outcome::of(OutcomeKind::Success),
        Exchanged::Late => crate::flow::record::refusal(&Error::Throttled),
        Exchanged::Dead { code } => refused(code),
        Exchanged::Failed { code: Some(code), .. } => refused(code),
        Exchanged::Failed { code: None, error, .. } => crate::flow::record::refusal(error),
    }
}

fn refused(code: &str) -> Outcome {
    Outcome { code: Some(code.to_owned()), ..Outcome::of(OutcomeKind::ProviderError) }
}

/// What an event of a connection is about. The vault acts by itself: a refresh serves whoever calls next.
pub(super) fn subject(connection: &Connection, kind: EventKind, more: (&str, String)) -> Subject {
    Subject {
        kind,
        org_id: connection.org_id,
        app_id: Some(connection.app_id),
        actor: Actor::of_vault(),
        surface: Surface::Vault,
        grant: None,
        user_id: connection.principal.user(),
        detail: BTreeMap::from([
            ("connection_id".to_owned(), connection.id.to_string()),
            ("provider_id".to_owned(), connection.provider_id.clone()),
            ("seal_version".to_owned(), connection.seal_version.to_string()),
            (more.0.to_owned(), more.1),
        ]),
    }
}
