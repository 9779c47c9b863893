//! Issuing and revoking grants, from whatever surface.

use std::collections::BTreeMap;

use alter_api_types::{AppId, GrantId, IdpId, OrgId, RevocationId, SecretId, UserId};
use futures_util::future::try_join;

use super::{
    Subject,
    agents::live_agent,
    recorded,
    revocations::{leave, signal},
};
use crate::{
    error::{Error, Result},
    model::{
        Actor, ActorKind, EventKind, Grant, GrantPolicy, GrantRef, GrantSource, GrantState, ManagedSecret,
        Principal, Surface, label,
    },
    port::Op,
    repo::{Connections, Grants, IdentityProviders, ManagedSecrets, Stored, Users},
    state::Ports,
};

/// A grant to be made on a managed secret.
#[derive(Debug, Clone)]
pub struct NewGrant {
    pub secret_id: SecretId,
    pub principal: Principal,
    pub label: Option<String>,
    pub policy: GrantPolicy,
}

/// A grant's terms, apart from what it is on.
#[derive(Debug, Clone)]
pub struct GrantTerms {
    pub principal: Principal,
    pub label: Option<String>,
    pub policy: GrantPolicy,
}

/// Binds a managed secret to a principal.
pub async fn issue_grant(
    ports: &Ports,
    (org_id, app_id): (OrgId, AppId),
    new: NewGrant,
    actor: Actor,
    surface: Surface,
) -> Result<Grant> {
    let table = ports.table.as_ref();
    let secret = ManagedSecrets(table).get(app_id, new.secret_id).await?.value;
    let terms = GrantTerms { principal: new.principal, label: new.label, policy: new.policy };
    let (grant, admitted) = draft_grant(ports, org_id, &secret, terms).await?;
    let subject = grant_created(org_id, &grant, actor, surface);
    recorded(ports, subject, Grants(table).create(&grant, admitted)).await?;
    Ok(grant)
}

/// A grant as it would be written, with everything checked that can be checked before, and what has to hold still when it is.
pub(super) async fn draft_grant(
    ports: &Ports,
    org_id: OrgId,
    secret: &ManagedSecret,
    terms: GrantTerms,
) -> Result<(Grant, Option<Op>)> {
    let mut admitted = None;
    match &terms.principal {
        Principal::Agent { agent_id } => drop(live_agent(ports, secret.app_id, *agent_id).await?),
        Principal::Group { external_group_id, .. }
            if external_group_id.is_empty() || external_group_id.len() > 255 =>
        {
            return Err(Error::field("invalid_principal", "external_group_id has 1 to 255 characters."));
        }
        Principal::User { user_id } => admitted = user(ports, (org_id, secret.app_id), *user_id).await?,
        Principal::Group { idp_id, .. } => group_of(ports, secret.app_id, *idp_id).await?,
        Principal::System => {}
    }
    let needs_label = matches!(terms.principal, Principal::User { .. } | Principal::Group { .. });
    let label = terms.label.as_deref().map(label).transpose()?;
    if needs_label && label.is_none() {
        return Err(Error::field(
            "label_required",
            "A user's or group's grant needs a label: people read it in the Wallet.",
        ));
    }
    let grant = Grant {
        id: ports.new_id()?,
        app_id: secret.app_id,
        source: GrantSource::ManagedSecret { secret_id: secret.id },
        credential_id: secret.credential_id,
        provider_id: secret.slug.clone(),
        principal: terms.principal,
        label,
        policy: terms.policy,
        state: GrantState::Active,
        created_at: ports.clock.now(),
    };
    Ok((grant, admitted))
}

/// The user, if there is one, may be acted for, and must be still when the grant is written: a grant that came behind a
/// departure would outlive it. Where the app has an identity provider, there must be one.
async fn user(ports: &Ports, (org, app): (OrgId, AppId), id: UserId) -> Result<Option<Op>> {
    let table = ports.table.as_ref();
    let (users, idps) = (Users(table), IdentityProviders(table));
    let (user, idp) = try_join(users.find(id), idps.find(app)).await?;
    match (user.filter(|user| user.value.org_id == org), idp) {
        (Some(user), _) => {
            user.value.admitted()?;
            Ok(Some(Users::check(id, user.version)))
        }
        (None, Some(_)) => Err(Error::field("invalid_principal", "The app's organization has no such user.")),
        (None, None) => Ok(None),
    }
}

/// Groups are those of the app's own identity provider.
async fn group_of(ports: &Ports, app: AppId, idp_id: IdpId) -> Result<()> {
    match IdentityProviders(ports.table.as_ref()).find(app).await? {
        Some(idp) if idp.value.id != idp_id => {
            Err(Error::field("invalid_principal", "idp_id is not that of the app's identity provider."))
        }
        _ => Ok(()),
    }
}

pub(super) fn grant_created(org_id: OrgId, grant: &Grant, actor: Actor, surface: Surface) -> Subject {
    Subject {
        kind: EventKind::GrantCreated,
        org_id,
        app_id: Some(grant.app_id),
        actor,
        surface,
        grant: Some(GrantRef::from(grant)),
        user_id: None,
        detail: BTreeMap::new(),
    }
}

/// Ends a grant. The very next call with it fails; calls in flight finish. With the last grant on a connection its tokens are
/// deleted in the same write, and the provider is told from a queue.
pub async fn revoke_grant(
    ports: &Ports,
    ids: (OrgId, AppId),
    id: GrantId,
    reason: Option<String>,
    actor: Actor,
    surface: Surface,
) -> Result<Grant> {
    let (revoked, _) = end_grant(ports, ids, id, reason, actor, surface).await?;
    Ok(revoked)
}

/// The same, for who has to know of the task by which the provider is told, where there is one.
pub(super) async fn end_grant(
    ports: &Ports,
    (org_id, app_id): (OrgId, AppId),
    id: GrantId,
    reason: Option<String>,
    actor: Actor,
    surface: Surface,
) -> Result<(Grant, Option<RevocationId>)> {
    check_reason(reason.as_deref())?;
    // Two clicks at once, or a refresh in between: one write wins, the other reads again.
    for _ in 0..ATTEMPTS {
        let now = ports.clock.now();
        let found = Grants(ports.table.as_ref()).get(app_id, id).await?;
        let revoked: Stored<Grant> = found.try_map(|grant| grant.revoke(now, surface, reason.clone()))?;
        let subject = Subject {
            kind: EventKind::GrantRevoked,
            org_id,
            app_id: Some(app_id),
            actor: actor.clone(),
            surface,
            grant: Some(GrantRef::from(&revoked.value)),
            user_id: concerned(ports, &revoked.value, &actor).await?,
            detail: reason.iter().map(|reason| ("reason".to_owned(), reason.clone())).collect(),
        };
        let end = async {
            let mut ops = Grants::update_ops(&revoked, now)?;
            let task = match revoked.value.source {
                GrantSource::ManagedSecret { .. } => None,
                GrantSource::OAuth { connection_id } => {
                    leave(ports, app_id, connection_id, now, &mut ops).await?
                }
            };
            ports.table.transact(ops).await?;
            Ok(task)
        };
        match recorded(ports, subject, end).await {
            Ok(task) => {
                if let Some(id) = task {
                    signal(ports, id).await;
                }
                return Ok((revoked.value, task));
            }
            Err(Error::Conflict { code: "concurrent_update", .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Err(Error::Throttled)
}

/// Whether a reason may be kept with a grant that ends.
pub(super) fn check_reason(reason: Option<&str>) -> Result<()> {
    match reason {
        Some(reason) if reason.len() > 2048 => {
            Err(Error::field("invalid_reason", "A reason has at most 2048 bytes."))
        }
        _ => Ok(()),
    }
}

/// The user on whose record a grant's end stands where the grant itself does not say: whose connection an agent used. A user's own
/// act says who it was besides.
async fn concerned(ports: &Ports, grant: &Grant, actor: &Actor) -> Result<Option<UserId>> {
    match (&grant.principal, grant.source.connection_id()) {
        (Principal::User { user_id }, _) if actor.kind == ActorKind::User => Ok(Some(*user_id)),
        (Principal::Agent { .. }, Some(id)) => {
            match Connections(ports.table.as_ref()).get(grant.app_id, id).await {
                Ok(connection) => Ok(connection.value.principal.user()),
                Err(Error::NotFound(_)) => Ok(None),
                Err(other) => Err(other),
            }
        }
        _ => Ok(None),
    }
}

/// How often a revocation that lost against another write is tried again.
const ATTEMPTS: usize = 10;
