//! The call, in order: read, authenticate, authorize, record the intent, then (in `deliver`) open, inject, send.

use std::sync::Arc;

use alter_api_types::{EventId, GrantId, UserId};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Caller, Relations,
    authenticate::{claim, verify},
    deliver::Opened,
    identity::{Identified, IdentityService},
    load::{Loaded, Slot},
    record::{finish, refusal},
    refresh::{Need, Refresher},
    resolve::Hints,
    respond::InFlightRecord,
};
use crate::{
    auth::Presented,
    egress::{EgressError, EgressRules, Target, check_method, check_request_header},
    error::{Error, Result},
    inject::OutgoingHead,
    model::{AuditEvent, CallFacts, EventKind, Grant, GrantRef, Outcome, Phase, Principal, Surface},
    policy::{Authorized, Facts, InName, Owner, Source, authorize},
    port::HttpClient,
    state::{CredentialOpener, Ports, SigningKeys},
};

/// How a call names the grant that it uses.
#[derive(Debug, Clone)]
pub enum Selector {
    Grant(GrantId),
    /// By provider; the rest narrows it to one.
    Provider {
        provider_id: String,
        account: Option<String>,
        label: Option<String>,
        app_user_id: Option<UserId>,
    },
}

/// The body to send.
pub enum CallBody {
    Bytes(Bytes),
    Stream(Body),
}

/// A call as it arrived, without its body: nothing in it is checked yet.
pub struct Call {
    pub selector: Selector,
    pub user_token: Option<String>,
    pub method: String,
    pub url: String,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub reason: Option<String>,
}

/// A call that has reached the provider: its answer streams, and its final audit row is still to be written.
pub struct InFlight {
    pub call_id: EventId,
    /// Status, headers and body as the provider sent them, decoded, cleaned and without an echo of the credential.
    pub response: http::Response<Body>,
    pub record: InFlightRecord,
    /// The credential came from an end user's connection, who can connect again.
    pub connected: bool,
}

/// Who calls, and what was read for them.
struct Met<'r> {
    caller: Caller,
    loaded: Loaded<'r>,
    /// Whose verified token it carries, for the record.
    user: Option<UserId>,
    /// In whose name: a user's, or the caller's own. An error is the call's answer, once it is recorded.
    name: Result<Option<Identified>>,
}

/// The most bytes of a reason.
const MAX_REASON_BYTES: usize = 2048;

/// Everything that a call needs. One per runtime.
#[derive(Clone)]
pub struct CallService {
    pub ports: Ports,
    pub signing: SigningKeys,
    pub opener: CredentialOpener,
    pub refresher: Refresher,
    pub identity: IdentityService,
    pub http: Arc<dyn HttpClient>,
    pub rules: EgressRules,
    pub relations: Arc<Relations>,
}

impl CallService {
    /// Brings the call to the provider, whose response head must arrive before the deadline. On an error the provider was not reached, or the error says that it was.
    pub async fn start(
        &self,
        presented: &Presented,
        call: Call,
        body: CallBody,
        deadline: Instant,
    ) -> Result<InFlight> {
        let ports = &self.ports;
        let Met { caller, loaded, user, name } = self.identify(presented, &call).await?;
        let now = ports.clock.now();
        let id: EventId = ports.id_at(now)?;
        let mut event = AuditEvent { user_id: user, ..intent(id, &caller, &call, now) };
        let claim = claim(&caller, presented);
        let audit = ports.audit.as_ref();
        match self.decide(&caller, &call, &loaded, name, &mut event, now) {
            Err(error) => {
                event.phase = Phase::Final;
                event.outcome = Some(refusal(&error));
                let (claimed, recorded) = ports.nonces.claim_and_record(claim, audit, event.encode()?).await;
                recorded?;
                if claimed? { Err(error) } else { Err(Error::NonceReplayed) }
            }
            Ok((authorized, target, head)) => {
                let need = authorized.need(now);
                let intake = ports.nonces.claim_and_record(claim, audit, event.encode()?);
                // Where nothing has to be refreshed, intent, nonce and opening are one round. The credential is used only if
                // both held.
                let ((claimed, recorded), opened) = match need {
                    Need::None => {
                        let (taken, opened) = tokio::join!(intake, self.open(authorized));
                        (taken, Ok(opened))
                    }
                    Need::Soon | Need::Now => (intake.await, Err(authorized)),
                };
                recorded?;
                let connected =
                    matches!(opened, Ok(Ok(Opened { source: Source::OAuth { .. }, .. })) | Err(_));
                let result = match (claimed, opened) {
                    (Ok(false), _) => Err(Error::NonceReplayed),
                    (Err(error), _) => Err(error.into()),
                    (Ok(true), opened) => {
                        let opened = match opened {
                            Ok(opened) => opened,
                            Err(authorized) => self.refresh(authorized, need, deadline).await,
                        };
                        match opened {
                            Ok(opened) => {
                                self.deliver(opened, (target, head, body), deadline, event.at).await
                            }
                            Err(error) => Err(error),
                        }
                    }
                };
                match result {
                    Ok(sent) => Ok(InFlight {
                        call_id: id,
                        response: sent.response,
                        record: InFlightRecord::new(ports.clone(), event, sent.request_bytes, sent.redacted),
                        connected,
                    }),
                    Err(error) => {
                        self.refuse(&mut event, &error).await;
                        Err(error)
                    }
                }
            }
        }
    }

    async fn refuse(&self, event: &mut AuditEvent, error: &Error) {
        event.phase = Phase::Final;
        let elapsed = self.ports.clock.now().duration_since(event.at).as_millis();
        event.outcome = Some(Outcome { latency_ms: u64::try_from(elapsed).ok(), ..refusal(error) });
        finish(&self.ports, event).await;
    }

    /// Reads and authenticates: one round when warm, two when cold; a call by provider looks its grant up in between.
    async fn identify(&self, presented: &Presented, call: &Call) -> Result<Met<'_>> {
        if let Some(token) = &call.user_token {
            // Apart, so that calls without a token do not carry its kilobytes about.
            return Box::pin(self.identify_by_token(presented, call, token)).await;
        }
        let (ports, signing) = (&self.ports, &self.signing);
        let named = match &call.selector {
            Selector::Grant(id) => Some(*id),
            Selector::Provider { .. } => None,
        };
        let mut loaded = Loaded::new(Some(&self.relations));
        loaded.first_round(ports, presented, named, None).await?;
        loaded.second_round(ports, None).await?;
        let caller = verify(signing, presented, &loaded, ports.clock.now()).await?;
        let name = self.on_its_own(&caller, call, &mut loaded).await.map(|()| None);
        loaded.mend(ports).await?;
        Ok(Met { caller, loaded, user: None, name })
    }

    async fn identify_by_token(&self, presented: &Presented, call: &Call, token: &str) -> Result<Met<'_>> {
        let ports = &self.ports;
        let mut begun = self.begin(presented, call, token).await?;
        let caller = verify(&self.signing, presented, &begun.loaded, ports.clock.now()).await?;
        let mut user = None;
        let name = self.on_behalf(&caller, call, token, &mut begun, &mut user).await;
        begun.loaded.mend(ports).await?;
        Ok(Met { caller, loaded: begun.loaded, user, name: name.map(Some) })
    }

    /// Finds and reads the grant of a call by provider.
    async fn on_its_own(&self, caller: &Caller, call: &Call, loaded: &mut Loaded<'_>) -> Result<()> {
        let Selector::Provider { provider_id, account, label, app_user_id } = &call.selector else {
            return Ok(());
        };
        // Scope and provider mode's other rules are for `decide`; a caller who may not call learns nothing here.
        caller.scopes.require("proxy:execute")?;
        let hints = Hints { account: account.as_deref(), label: label.as_deref() };
        let grant = self.resolve(caller, provider_id, hints, *app_user_id).await?;
        loaded.read_grant(&self.ports, &grant).await
    }

    /// May this call be made? Pure: all that it rests on was read. What the audit row says of the grant is filled in here.
    fn decide(
        &self,
        caller: &Caller,
        call: &Call,
        loaded: &Loaded<'_>,
        name: Result<Option<Identified>>,
        event: &mut AuditEvent,
        now: Timestamp,
    ) -> Result<(Authorized, Target, OutgoingHead)> {
        let user = name?;
        let by_provider = match &call.selector {
            Selector::Grant(_) => None,
            Selector::Provider { provider_id, .. } => Some(provider_id.clone()),
        };
        let agent = match loaded.agent(Slot::ActingAgent)? {
            Some(agent) => Some(agent),
            None => loaded.agent(Slot::Agent)?,
        };
        let grant = loaded.grant()?;
        let name = match (user, grant.as_ref().map(|grant| &grant.principal)) {
            (Some(user), _) => InName::User(user),
            (None, Some(Principal::User { user_id })) => InName::Caller(loaded.owner(*user_id)?),
            (None, _) => InName::Caller(Owner::Unread),
        };
        let facts = Facts {
            grant,
            source: loaded.source()?,
            credential: loaded.credential()?,
            agent,
            name,
            by_provider,
        };
        let of_this_app = facts.grant.as_deref().filter(|grant| grant.app_id == caller.app_id);
        event.grant = of_this_app.map(GrantRef::from);
        let of_token = event.user_id;
        event.user_id = of_token.or_else(|| delegated_by(of_this_app?, facts.source.as_ref()?));
        let authorized = authorize(caller, facts, now).inspect_err(|error| {
            // What the caller may not know of is not tied to their call in the record either.
            if matches!(error, Error::GrantNotFound { .. }) {
                (event.grant, event.user_id) = (None, of_token);
            }
        })?;
        let target = self.destination(call, &authorized)?;
        if let Some(facts) = &mut event.call {
            facts.host = target.host().to_owned();
            facts.path = bounded(target.url().path());
        }
        if call.reason.as_ref().is_some_and(|reason| reason.len() > MAX_REASON_BYTES) {
            return Err(Error::field("invalid_reason", "A reason has at most 2048 bytes."));
        }
        let head = outgoing_head(call, &target, &authorized)?;
        Ok((authorized, target, head))
    }

    fn destination(&self, call: &Call, authorized: &Authorized) -> Result<Target> {
        let target = Target::parse(&call.url, &self.rules)
            .and_then(|target| target.with_query(&call.query))
            .map_err(egress_error)?;
        target.check_hosts(authorized.source().allowed_hosts()).map_err(egress_error)?;
        Ok(target)
    }
}

/// The user whose connection an agent's grant is on: what is done with it is theirs to see.
fn delegated_by(grant: &Grant, source: &Source) -> Option<UserId> {
    match (&grant.principal, source) {
        (Principal::Agent { .. }, Source::OAuth { connection, .. }) => connection.principal.user(),
        _ => None,
    }
}

fn intent(id: EventId, caller: &Caller, call: &Call, now: Timestamp) -> AuditEvent {
    let provider_id = match &call.selector {
        Selector::Grant(_) => None,
        Selector::Provider { provider_id, .. } => Some(bounded(provider_id)),
    };
    AuditEvent {
        id,
        org_id: caller.org_id,
        app_id: Some(caller.app_id),
        at: now,
        kind: EventKind::Call,
        phase: Phase::Intent,
        actor: caller.actor(),
        surface: Some(Surface::Sdk),
        grant: None,
        user_id: None,
        call: Some(CallFacts {
            method: bounded(&call.method),
            host: String::new(),
            path: String::new(),
            provider_id,
            reason: call.reason.clone().filter(|reason| reason.len() <= MAX_REASON_BYTES),
            context: caller.attribution.context.clone(),
            traceparent: caller.attribution.traceparent.clone(),
        }),
        outcome: None,
        detail: std::collections::BTreeMap::new(),
    }
}

/// Text from outside, short enough for a row.
fn bounded(text: &str) -> String {
    match text.char_indices().nth(1024) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text.to_owned(),
    }
}

fn outgoing_head(call: &Call, target: &Target, authorized: &Authorized) -> Result<OutgoingHead> {
    let method = Method::from_bytes(call.method.as_bytes())
        .map_err(|_| Error::field("invalid_method", "The method is not an HTTP method."))?;
    check_method(&method).map_err(|_| Error::field("invalid_method", "This method is not forwarded."))?;
    let mut headers = HeaderMap::with_capacity(call.headers.len() + 4);
    for (name, value) in &call.headers {
        let (name, value) =
            check_request_header(name, value).map_err(|_| Error::ForbiddenHeader(bounded(name)))?;
        headers.append(name, value);
    }
    authorized.source().default_headers().apply(&mut headers);
    // A compressed echo of the credential could not be recognised as it streams by; servers that compress anyway are
    // decoded.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(OutgoingHead { method, url: target.url().clone(), headers })
}

pub(super) fn egress_error(error: EgressError) -> Error {
    match error {
        EgressError::TooLong => Error::QueryTooLong,
        other => Error::BlockedDestination(other.reason().to_owned()),
    }
}
