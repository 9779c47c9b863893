//! The record around a change: the intent is durable before the change is tried, the final row follows it.

use std::{collections::BTreeMap, future::Future};

use alter_api_types::{AppId, EventId, OrgId, UserId};

use crate::{
    error::{Error, Result},
    model::{Actor, AuditEvent, EventKind, GrantRef, Outcome, OutcomeKind, Phase, Surface},
    state::Ports,
};

/// What a change is about.
#[derive(Debug, Clone)]
pub struct Subject {
    pub kind: EventKind,
    pub org_id: OrgId,
    pub app_id: Option<AppId>,
    pub actor: Actor,
    pub surface: Surface,
    pub grant: Option<GrantRef>,
    /// The end user whom it is about, where the grant does not say.
    pub user_id: Option<UserId>,
    pub detail: BTreeMap<String, String>,
}

/// Makes a change that is on the record: no durable intent, no change. A change that was refused is recorded as such.
pub async fn recorded<T>(
    ports: &Ports,
    subject: Subject,
    change: impl Future<Output = Result<T>>,
) -> Result<T> {
    let outcome = |result: &Result<T>| match result {
        Ok(_) => Outcome::of(OutcomeKind::Success),
        Err(error) => refusal(error),
    };
    recorded_as(ports, subject, Box::pin(change), outcome).await?
}

/// The same for a change that has other ends than done and refused. An error means that the change was not tried.
pub(super) async fn recorded_as<T>(
    ports: &Ports,
    subject: Subject,
    change: impl Future<Output = T>,
    outcome: impl FnOnce(&T) -> Outcome,
) -> Result<T> {
    let now = ports.clock.now();
    let id: EventId = ports.id_at(now)?;
    let mut event = AuditEvent {
        id,
        org_id: subject.org_id,
        app_id: subject.app_id,
        at: now,
        kind: subject.kind,
        phase: Phase::Intent,
        actor: subject.actor,
        surface: Some(subject.surface),
        grant: subject.grant,
        user_id: subject.user_id,
        call: None,
        outcome: None,
        detail: subject.detail,
    };
    ports.audit.record(event.encode()?).await?;
    let result = change.await;
    event.phase = Phase::Final;
    event.outcome = Some(outcome(&result));
    finish(ports, &event).await;
    Ok(result)
}

/// Writes a final row. A second failure is logged: the intent row already tells what was attempted.
pub(super) async fn finish(ports: &Ports, event: &AuditEvent) {
    let record = match event.encode() {
        Ok(record) => record,
        Err(error) => return tracing::error!(event = %event.id, %error, "final audit row cannot be written"),
    };
    if ports.audit.record(record.clone()).await.is_err()
        && let Err(error) = ports.audit.record(record).await
    {
        tracing::error!(event = %event.id, %error, "final audit row was not recorded");
    }
}

/// The outcome that an error stands for.
pub(super) fn refusal(error: &Error) -> Outcome {
    let kind = match error {
        Error::UpstreamUnreachable(_) | Error::UpstreamTimeout | Error::UpstreamBroken(_) => {
            OutcomeKind::NetworkError
        }
        Error::Throttled
        | Error::StoreUnavailable(_)
        | Error::AuditUnavailable(_)
        | Error::KeyServiceUnavailable(_)
        | Error::IdentityProviderUnavailable(_)
        | Error::Internal(_) => OutcomeKind::VaultError,
        _ => OutcomeKind::Denied,
    };
    Outcome { code: Some(crate::web::code(error).to_owned()), ..Outcome::of(kind) }
}
