//! One transaction of connection, tokens, grant and the session's progress.

mod account;
mod discard;
mod tokens;
mod user;

use std::collections::BTreeMap;

use jiff::Timestamp;

use account::same_account;
use tokens::allows_more;

use super::{
    ConnectService,
    keep::{Fresh, Kept},
    visit::subject,
};
use crate::{
    error::{Error, Result},
    flow::{grants::grant_created, keep_alive_at, recorded, refresh::refreshable, token_facts, token_fields},
    inject::CredentialFields,
    model::{
        ConnectSession, Connected, Connection, ConnectionState, EventKind, Grant, GrantRef, GrantSource,
        GrantState, GrantStatus, Operation, Progress, Surface, TokenFacts,
    },
    oauth::{Provider, RefreshTokenRotation},
    port::Op,
    repo::{ConnectSessions, Connections, Grants, Stored},
};

const ENDED: Kept = Kept::Refused("session_finished", "The session ended before the service had answered.");
const ALREADY: Kept =
    Kept::Refused("already_connected", "Another account of this service was connected in this session.");
const GONE: Kept =
    Kept::Refused("grant_revoked", "The access that was to be renewed has been ended meanwhile.");
const OTHER_ACCOUNT: Kept = Kept::Refused(
    "account_mismatch",
    "This is another account than the one to reconnect. Sign in with the same account as before.",
);
const ACCOUNT_UNKNOWN: Kept = Kept::Refused(
    "account_unknown",
    "The service did not say which account this is. Nothing was changed; try again in a while.",
);
const NO_TERM: Kept =
    Kept::Refused("grant_policy_application_failed", "The time for which the app asked for access is over.");

impl ConnectService {
    /// Makes one attempt at storing. A conflict means that what it rests on has changed meanwhile.
    pub(super) async fn store(&self, fresh: &Fresh<'_>) -> Result<Kept> {
        let table = self.ports.table.as_ref();
        let now = self.ports.clock.now();
        let found = ConnectSessions(table).find(fresh.session_id, now).await?;
        let Some(session) =
            found.filter(|session| session.value.finished_at.is_none() || ours(session, fresh))
        else {
            return Ok(ENDED);
        };
        let before = connected(&session.value, fresh).map(|before| (before.connection_id, before.grant_id));
        if before.is_some_and(|(connection, _)| connection == fresh.connection_id) {
            return Ok(Kept::Connected);
        }
        match session.value.repair {
            Some(grant) => {
                let grant = match Grants(table).get(session.value.app_id, grant).await {
                    Ok(grant) if grant.value.status(now) != GrantStatus::Revoked => grant,
                    Ok(_) | Err(Error::GrantNotFound { .. }) => return Ok(GONE),
                    Err(other) => return Err(other),
                };
                let Some(connection) = self.connection_of(&grant.value).await? else { return Ok(GONE) };
                match same_account(&connection.value, fresh) {
                    Some(true) => self.renew(session, connection, Some(grant), fresh, now).await,
                    Some(false) => Ok(OTHER_ACCOUNT),
                    None => Ok(ACCOUNT_UNKNOWN),
                }
            }
            None => match (self.known(&session.value, fresh).await?, before) {
                (Some(connection), Some((id, grant))) if connection.value.id == id => {
                    // The session can name no other grant.
                    let grant = Grants(table).get(session.value.app_id, grant).await?;
                    if grant.value.status(now) == GrantStatus::Revoked {
                        return Ok(GONE);
                    }
                    self.renew(session, connection, Some(grant), fresh, now).await
                }
                (_, Some(_)) => Ok(ALREADY),
                (Some(connection), None) => {
                    let grant = self.grant_to_name(&session.value, &connection.value, now).await?;
                    self.renew(session, connection, grant, fresh, now).await
                }
                (None, None) => self.create(session, fresh, now).await,
            },
        }
    }

    /// A first connection to this account.
    async fn create(
        &self,
        session: Stored<ConnectSession>,
        fresh: &Fresh<'_>,
        now: Timestamp,
    ) -> Result<Kept> {
        let Ok(policy) = session.value.terms.policy(now) else { return Ok(NO_TERM) };
        let admission = match self.admission(&session.value.principal).await? {
            Ok(admission) => admission,
            Err(refused) => return Ok(refused),
        };
        let fields = token_fields(&fresh.obtained.tokens, None)?;
        let connection = Connection {
            live_grants: 1,
            ..first(&session.value, fresh, facts(fresh, &fields, now), ConnectionState::Active, now)
        };
        let grant = Grant { policy, ..new_grant(&session.value, &connection, fresh, now) };
        let place = (connection.credential_id, connection.seal_version);
        let (org, app) = (connection.org_id, connection.app_id);
        let tokens = self.sealer.seal_credential(&self.ports, org, app, place, &fields).await?;
        let due = keep_alive_at(fresh.provider, &connection.tokens);
        let mut ops = Connections::create_ops(&connection, &tokens, &grant, due)?;
        ops.push(progress_op(session.clone(), &connection, &grant, Operation::Creation, now)?);
        ops.extend(admission);
        let mut created = grant_created(org, &grant, session.value.actor.clone(), Surface::Connect);
        created.actor.ip = fresh.ip.map(|ip| ip.to_string());
        created.detail = detail(&session.value, &connection);
        recorded(&self.ports, created, self.write(ops)).await?;
        Ok(Kept::Connected)
    }

    /// New tokens for a connection that is there. Its grants keep their ids; where the session has none to name, one is added.
    async fn renew(
        &self,
        session: Stored<ConnectSession>,
        connection: Stored<Connection>,
        grant: Option<Stored<Grant>>,
        fresh: &Fresh<'_>,
        now: Timestamp,
    ) -> Result<Kept> {
        let Ok(policy) = session.value.terms.policy(now) else { return Ok(NO_TERM) };
        let admission = match self.admission(&session.value.principal).await? {
            Ok(admission) => admission,
            Err(refused) => return Ok(refused),
        };
        let version = connection.version;
        // The one grant that there is may be narrowed; others are not this visit's to narrow.
        let shared = grant.is_none() || connection.value.live_grants > 1;
        let keeps = session.value.repair.is_none() && shared && allows_more(&connection.value, fresh, now);
        let (mut renewed, tokens, takes_account) = match keeps {
            true => (connection.value, None, false),
            false => self.with_tokens(connection.value, fresh, now).await?,
        };
        let (named, operation, grant_ops) = match grant {
            Some(grant) if session.value.terms.has_policy() || revives(&session.value, &grant.value, now) => {
                let limited = grant.try_map(|grant| Ok(Grant { policy, ..grant }))?;
                let ops = Grants::update_ops(&limited, now)?;
                (limited.value, Operation::Reauth, ops)
            }
            Some(grant) => (grant.value, Operation::Reauth, Vec::new()),
            None => {
                renewed = renewed.add_grant()?;
                let grant = Grant { policy, ..new_grant(&session.value, &renewed, fresh, now) };
                let ops = Grants::create_ops(&grant)?;
                (grant, Operation::Creation, ops)
            }
        };
        let (org, due) = (renewed.org_id, keep_alive_at(fresh.provider, &renewed.tokens));
        let stored = Stored { value: renewed, version };
        let mut ops = match &tokens {
            Some(tokens) => Connections::store_tokens_ops(&stored, tokens, due)?,
            None => vec![Connections::put(&stored, due)?],
        };
        if takes_account {
            ops.extend(Connections::hold_op(&stored.value)?);
        }
        ops.extend(grant_ops);
        ops.push(progress_op(session.clone(), &stored.value, &named, operation, now)?);
        ops.extend(admission);
        let about = detail(&session.value, &stored.value);
        let mut renewal = subject(&session.value, EventKind::ConnectionRenewed, fresh.ip, about.clone());
        renewal.grant = Some(GrantRef::from(&named));
        let write = recorded(&self.ports, renewal, self.write(ops));
        if operation == Operation::Reauth {
            write.await?;
        } else {
            let mut created = grant_created(org, &named, session.value.actor.clone(), Surface::Connect);
            created.actor.ip = fresh.ip.map(|ip| ip.to_string());
            created.detail = about;
            recorded(&self.ports, created, write).await?;
        }
        Ok(Kept::Connected)
    }

    /// The principal's connection to the account.
    async fn known(&self, session: &ConnectSession, fresh: &Fresh<'_>) -> Result<Option<Stored<Connection>>> {
        let Some(account) = &fresh.obtained.account else { return Ok(None) };
        let (app, provider_id) = (session.app_id, &fresh.config.provider_id);
        let connections = Connections(self.ports.table.as_ref());
        let found = connections.of_account(app, &session.principal, provider_id, account).await?;
        Ok(found.filter(is_live))
    }

    async fn connection_of(&self, grant: &Grant) -> Result<Option<Stored<Connection>>> {
        let Some(id) = grant.source.connection_id() else { return Ok(None) };
        match Connections(self.ports.table.as_ref()).get(grant.app_id, id).await {
            Ok(connection) => Ok(Some(connection).filter(is_live)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// The grant that a session without a repair renews: the principal's oldest, or the one with the session's label. One that
    /// has expired lives again.
    async fn grant_to_name(
        &self,
        session: &ConnectSession,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<Option<Stored<Grant>>> {
        let grants = Grants(self.ports.table.as_ref());
        let fits = |grant: &Grant| {
            grant.principal == session.principal
                && grant.status(now) != GrantStatus::Revoked
                && (session.terms.label.is_none() || grant.label == session.terms.label)
        };
        let (mut cursor, mut active, mut expired) = (None, None, None);
        loop {
            let page = grants.list_of_connection(connection.id, 1000, cursor).await?;
            for grant in page.items.into_iter().filter(fits) {
                let oldest = match grant.status(now) {
                    GrantStatus::Active => &mut active,
                    GrantStatus::Expired | GrantStatus::Revoked => &mut expired,
                };
                *oldest = Some(grant.id);
            }
            if page.next.is_none() {
                break;
            }
            cursor = page.next;
        }
        let Some(id) = active.or(expired) else { return Ok(None) };
        // From an index: what decides is read again.
        let grant = grants.get(session.app_id, id).await?;
        Ok(Some(grant).filter(|grant| fits(&grant.value)))
    }

    async fn write(&self, ops: Vec<Op>) -> Result<()> {
        Ok(self.ports.table.transact(ops).await?)
    }
}

/// The connection as it would begin.
fn first(
    session: &ConnectSession,
    fresh: &Fresh<'_>,
    tokens: TokenFacts,
    state: ConnectionState,
    now: Timestamp,
) -> Connection {
    Connection {
        id: fresh.connection_id,
        org_id: session.org_id,
        app_id: session.app_id,
        provider_id: fresh.config.provider_id.clone(),
        principal: session.principal.clone(),
        account: fresh.obtained.account.clone(),
        values: fresh.obtained.values.clone(),
        scopes: fresh.scopes.clone(),
        delivery: fresh.delivery.clone(),
        credential_id: fresh.credential_id,
        seal_version: 1,
        tokens,
        lease: None,
        state,
        live_grants: 0,
        created_at: now,
    }
}

fn new_grant(session: &ConnectSession, connection: &Connection, fresh: &Fresh<'_>, now: Timestamp) -> Grant {
    Grant {
        id: fresh.grant_id,
        app_id: connection.app_id,
        source: GrantSource::OAuth { connection_id: connection.id },
        credential_id: connection.credential_id,
        provider_id: connection.provider_id.clone(),
        principal: session.principal.clone(),
        label: session.terms.label.clone(),
        policy: Default::default(),
        state: GrantState::Active,
        created_at: now,
    }
}

fn facts(fresh: &Fresh<'_>, fields: &CredentialFields, now: Timestamp) -> TokenFacts {
    token_facts(&fresh.obtained.tokens, refreshable(fresh.provider, fields), now)
}

/// The write of the session with what was connected.
fn progress_op(
    session: Stored<ConnectSession>,
    connection: &Connection,
    grant: &Grant,
    operation: Operation,
    now: Timestamp,
) -> Result<Op> {
    let connected = Connected {
        grant_id: grant.id,
        connection_id: connection.id,
        operation,
        account: connection.account.clone(),
        scopes: connection.scopes.clone(),
        api_base_url: connection.delivery.api_base_url.clone(),
        expires_at: grant.policy.expires_at,
        grant_created_at: grant.created_at,
        at: now,
    };
    let Stored { value, version } = session;
    let value = value.settle(&connection.provider_id, Progress::Connected(connected), now);
    ConnectSessions::update_op(&Stored { value, version })
}

fn connected<'s>(session: &'s ConnectSession, fresh: &Fresh<'_>) -> Option<&'s Connected> {
    match &session.provider(&fresh.config.provider_id)?.progress {
        Progress::Connected(connected) => Some(connected),
        Progress::Waiting | Progress::Declined { .. } | Progress::Failed { .. } => None,
    }
}

/// Finished by an earlier attempt of this very exchange, whose answer was lost.
fn ours(session: &Stored<ConnectSession>, fresh: &Fresh<'_>) -> bool {
    connected(&session.value, fresh).is_some_and(|connected| connected.connection_id == fresh.connection_id)
}

fn rotates(provider: &Provider) -> bool {
    provider.refresh.rotation != RefreshTokenRotation::Never
}

/// A visit without a repair asks for a grant on the session's terms: one that has expired gets them. A repair is about the
/// connection, and ends no limit.
fn revives(session: &ConnectSession, grant: &Grant, now: Timestamp) -> bool {
    session.repair.is_none() && grant.status(now) == GrantStatus::Expired
}

fn is_live(connection: &Stored<Connection>) -> bool {
    !matches!(connection.value.state, ConnectionState::Revoked { .. })
}

fn detail(session: &ConnectSession, connection: &Connection) -> BTreeMap<String, String> {
    let mut detail = BTreeMap::from([
        ("session_id".to_owned(), session.id.to_string()),
        ("connection_id".to_owned(), connection.id.to_string()),
        ("scopes".to_owned(), connection.scopes.join(" ")),
    ]);
    detail.extend(
        connection.account.as_ref().map(|account| ("account".to_owned(), account.identifier.clone())),
    );
    detail
}
