//! Telling providers that access has ended.
//!
//! A grant's end deletes the connection's tokens from where calls read them and, in the same transaction, parks them beside a
//! task. The task is durable and is repeated until the provider has answered or a day has passed; the signal that it is there
//! may be lost. What became of it is kept with the connection, and each attempt is on the record.

mod due;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use alter_api_types::{AppId, ConnectionId, RevocationId};
use jiff::Timestamp;

use super::{
    Refresher, Subject,
    identity::follow_up,
    keep_alive_at,
    record::{recorded_as, refusal},
};
use crate::{
    egress::EgressRules,
    error::{Error, Result},
    model::{
        ACCESS_TOKEN, Actor, Connection, ConnectionState, EventKind, Outcome, OutcomeKind, ProviderConfig,
        REFRESH_TOKEN, Receipt, Revocation, SealedCredential, Surface,
    },
    oauth::{Client, CurrentTokens, Engine, RevokeError},
    port::{HttpClient, Op, Work},
    repo::{Connections, Credentials, ProviderConfigs, Revocations, Stored},
    state::{CredentialOpener, Ports},
};

/// How long one request to a provider may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How often a write that lost against another is tried again.
const ATTEMPTS: usize = 10;

/// The worker behind the queue: tells providers, and keeps refresh tokens alive.
#[derive(Clone)]
pub struct Revoker {
    pub ports: Ports,
    pub opener: CredentialOpener,
    pub refresher: Refresher,
    pub http: Arc<dyn HttpClient>,
    pub rules: EgressRules,
}

impl Revoker {
    /// Does what a signal names. An error means that it may be worth another signal; nothing is lost either way.
    pub async fn run(&self, work: Work) -> Result<()> {
        match work {
            Work::Revocation { id } => self.tell(id).await,
            Work::Deprovision { user } => follow_up(&self.ports, user).await,
            Work::Due => self.due().await,
        }
    }

    /// Makes one attempt. The next one's time is written first: who writes it has the task, and a process that dies on the way
    /// leaves a task that is tried again.
    async fn tell(&self, id: RevocationId) -> Result<()> {
        let tasks = Revocations(self.ports.table.as_ref());
        let now = self.ports.clock.now();
        let Some(task) = tasks.find(id).await? else { return Ok(()) };
        if task.value.due_at > now {
            return Ok(());
        }
        let again = task.value.clone().again(now);
        if let Some(next) = &again {
            let claimed = Stored { value: next.clone(), version: task.version };
            match tasks.postpone(&claimed).await {
                Ok(()) => {}
                Err(Error::Conflict { .. }) => return Ok(()),
                Err(other) => return Err(other),
            }
        }
        let task = task.value;
        let table = self.ports.table.as_ref();
        let connection = Connections(table).get(task.app_id, task.connection_id).await?.value;
        let attempt = Box::pin(self.attempt(&task, &connection));
        let result = recorded_as(&self.ports, subject(&task, &connection), attempt, outcome).await;
        let result = result.and_then(|receipt| receipt);
        let receipt = match (result, again) {
            (Ok(receipt), _) => receipt,
            (Err(error), None) => Receipt::Failed { at: self.ports.clock.now(), reason: reason(&error) },
            (Err(Error::Conflict { code: REFUSED, message }), Some(_)) => {
                Receipt::Failed { at: self.ports.clock.now(), reason: message }
            }
            (Err(error), Some(_)) => return Err(error),
        };
        self.settle(&task, receipt).await
    }

    /// Opens the parked tokens and tells the provider.
    async fn attempt(&self, task: &Revocation, connection: &Connection) -> Result<Receipt> {
        let table = self.ports.table.as_ref();
        let refused = |message: &str| Error::conflict(REFUSED, message);
        if self.is_superseded(connection).await? {
            return Ok(Receipt::Superseded { at: self.ports.clock.now() });
        }
        let tokens =
            Credentials(table).parked(task.id).await?.ok_or_else(|| refused("the tokens are gone"))?;
        let config = ProviderConfigs(table)
            .find(task.app_id, &connection.provider_id)
            .await?
            .ok_or_else(|| refused("the provider is no longer configured"))?
            .value;
        let definition = config.definition().map_err(|_| refused("the provider is no longer known"))?;
        let fields = self.opener.open(task.org_id, &tokens).await?;
        let access = fields.get(ACCESS_TOKEN).ok_or_else(|| refused("the tokens cannot be read"))?;
        let current = CurrentTokens { access, refresh: fields.get(REFRESH_TOKEN) };
        let secret = client_secret(&self.ports, &self.opener, task.org_id, &config).await?;
        let client = Client { client_id: &config.client_id, secret: secret.as_ref(), redirect_uri: "" };
        let engine = Engine {
            http: self.http.as_ref(),
            rules: self.rules,
            clock: self.ports.clock.as_ref(),
            rng: self.ports.rng.as_ref(),
            timeout: TIMEOUT,
        };
        let values = connection.values.with_operators(definition, &config.values);
        match engine.revoke(definition, &client, &values, &current).await {
            Ok(()) => Ok(Receipt::Revoked { at: self.ports.clock.now() }),
            Err(RevokeError::NotSupported) => Ok(Receipt::NotSupported),
            Err(RevokeError::Final(why)) => Err(Error::conflict(REFUSED, why)),
            Err(RevokeError::Retry(why)) => Err(Error::UpstreamBroken(why)),
        }
    }

    /// Whether the principal has connected this very account again. To many providers the end of one of the app's tokens is the
    /// end of them all, and the new connection would be cut off.
    async fn is_superseded(&self, connection: &Connection) -> Result<bool> {
        let Some(account) = &connection.account else { return Ok(false) };
        let Connection { app_id, principal, provider_id, .. } = connection;
        let connections = Connections(self.ports.table.as_ref());
        let found = connections.of_account(*app_id, principal, provider_id, account).await?;
        Ok(found.is_some_and(|Stored { value: found, .. }| {
            found.id != connection.id && !matches!(found.state, ConnectionState::Revoked { .. })
        }))
    }

    /// Writes the receipt and deletes the task with its tokens, together.
    async fn settle(&self, task: &Revocation, receipt: Receipt) -> Result<()> {
        let table = self.ports.table.as_ref();
        for _ in 0..ATTEMPTS {
            let connection = Connections(table).get(task.app_id, task.connection_id).await?;
            let settled = connection.try_map(|connection| Ok(connection.settle(receipt.clone())))?;
            let mut ops = vec![Connections::put(&settled, None)?];
            ops.extend(Revocations::finish_ops(task.id));
            match table.transact(ops).await.map_err(Error::from) {
                Ok(()) => return Ok(()),
                Err(Error::Conflict { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Err(Error::Throttled)
    }
}

/// The code of an attempt that is not worth another.
const REFUSED: &str = "provider_refused_revocation";

/// The opened secret of an app's client at a provider; a public client has none.
pub(super) async fn client_secret(
    ports: &Ports,
    opener: &CredentialOpener,
    org: alter_api_types::OrgId,
    config: &ProviderConfig,
) -> Result<Option<crate::inject::CredentialFields>> {
    let Some(secret) = config.secret else { return Ok(None) };
    let sealed = Credentials(ports.table.as_ref()).get(config.app_id, secret.credential_id).await?.value;
    if sealed.seal_version != secret.seal_version {
        return Err(Error::StoreUnavailable("a client secret is being replaced".to_owned()));
    }
    opener.open(org, &sealed).await.map(Some)
}

/// The writes by which a connection loses a grant. With its last one the tokens leave the place that calls read: parked beside
/// a task where the provider can be told, else deleted for good. Returns the task.
pub(super) async fn leave(
    ports: &Ports,
    app: AppId,
    id: ConnectionId,
    now: Timestamp,
    ops: &mut Vec<Op>,
) -> Result<Option<RevocationId>> {
    let table = ports.table.as_ref();
    let connection = match Connections(table).get(app, id).await {
        // Gone already: there is nothing to leave, and nothing that keeps the grant from ending.
        Err(Error::NotFound(_)) => return Ok(None),
        found => found?,
    };
    let config = ProviderConfigs(table).find(app, &connection.value.provider_id).await?;
    // What the vault no longer knows how to tell must not keep access from ending.
    let definition = config.as_ref().and_then(|config| config.value.definition().ok());
    let told = definition.is_some_and(|definition| definition.revocation.is_some());
    let tokens = match told && connection.value.live_grants <= 1 {
        true => match Credentials(table).get(app, connection.value.credential_id).await {
            Ok(tokens) => Some(tokens.value),
            Err(Error::NotFound(_)) => None,
            Err(other) => return Err(other),
        },
        false => None,
    };
    let receipt = match (told, &tokens) {
        (false, _) => Receipt::NotSupported,
        (true, Some(_)) => Receipt::Pending,
        // Somebody else was faster, and then this is not written; or they are lost, and then there is nothing to tell with.
        (true, None) => Receipt::Failed { at: now, reason: "the tokens are gone".to_owned() },
    };
    let version = connection.version;
    let (left, last) = connection.value.clone().drop_grant(now, receipt);
    let keep_alive_at = definition.and_then(|definition| keep_alive_at(definition, &left.tokens));
    ops.push(Connections::put(&Stored { value: left, version }, keep_alive_at)?);
    if !last {
        return Ok(None);
    }
    ops.extend(Connections::revoke_ops(&connection.value));
    let Some(tokens) = tokens else { return Ok(None) };
    let task = new_task(ports, &connection.value, now)?;
    ops.extend(Revocations::create_ops(&task, &tokens)?);
    Ok(Some(task.id))
}

/// Parks tokens that were never put where calls read them, or are no longer there, and has the provider told.
pub(super) async fn disown(
    ports: &Ports,
    connection: &Connection,
    tokens: &SealedCredential,
) -> Result<RevocationId> {
    let task = new_task(ports, connection, ports.clock.now())?;
    ports.table.transact(Revocations::create_ops(&task, tokens)?.to_vec()).await?;
    signal(ports, task.id).await;
    Ok(task.id)
}

/// The same for tokens of a connection that was never made: it is written as one that is over, for its receipt.
pub(super) async fn disown_new(
    ports: &Ports,
    connection: &Connection,
    tokens: &SealedCredential,
) -> Result<RevocationId> {
    let task = new_task(ports, connection, ports.clock.now())?;
    let mut ops = Revocations::create_ops(&task, tokens)?.to_vec();
    ops.push(Connections::create_ended_op(connection)?);
    ports.table.transact(ops).await?;
    signal(ports, task.id).await;
    Ok(task.id)
}

/// Says that there is a task. A signal that is lost costs a minute, not the task.
pub(super) async fn signal(ports: &Ports, id: RevocationId) {
    if let Err(error) = ports.work.signal(Work::Revocation { id }).await {
        tracing::warn!(%id, %error, "a revocation waits for the next look at what is due");
    }
}

fn new_task(ports: &Ports, connection: &Connection, now: Timestamp) -> Result<Revocation> {
    Ok(Revocation {
        id: ports.new_id()?,
        org_id: connection.org_id,
        app_id: connection.app_id,
        connection_id: connection.id,
        attempts: 0,
        due_at: now,
        created_at: now,
    })
}

fn subject(task: &Revocation, connection: &Connection) -> Subject {
    Subject {
        kind: EventKind::ConnectionRevokedAtProvider,
        org_id: task.org_id,
        app_id: Some(task.app_id),
        actor: Actor::of_vault(),
        surface: Surface::Vault,
        grant: None,
        user_id: connection.principal.user(),
        detail: BTreeMap::from([
            ("connection_id".to_owned(), connection.id.to_string()),
            ("provider_id".to_owned(), connection.provider_id.clone()),
            ("attempt".to_owned(), (task.attempts + 1).to_string()),
        ]),
    }
}

/// What the record says of an attempt.
fn outcome(receipt: &Result<Receipt>) -> Outcome {
    match receipt {
        Ok(Receipt::Superseded { .. }) => {
            Outcome { code: Some("superseded".to_owned()), ..Outcome::of(OutcomeKind::Denied) }
        }
        Ok(_) => Outcome::of(OutcomeKind::Success),
        Err(error) => refusal(error),
    }
}

fn reason(error: &Error) -> String {
    match error {
        Error::Conflict { message, .. } => message.clone(),
        other => other.to_string(),
    }
}
