//! Managed secrets: storing, changing, replacing the value, removing.

use std::collections::BTreeMap;

use alter_api_types::{AppId, OrgId, SecretId};

use super::{
    GrantTerms, Subject,
    grants::{draft_grant, grant_created, revoke_grant},
    recorded,
};
use crate::{
    egress::AllowedHosts,
    error::{Error, Result},
    inject::{CredentialFields, CredentialType, DefaultHeaders, Injection, Target},
    model::{
        Actor, EventKind, Grant, GrantState, ManagedSecret, SealedCredential, Surface, name, slug_from_name,
    },
    port::Op,
    repo::{Credentials, Grants, ManagedSecrets, ProviderConfigs, Stored},
    state::{Ports, Sealer},
};

/// At most this many hosts on one secret's list.
const MAX_HOSTS: usize = 50;
/// The highest number that is put behind a slug which is taken.
const MAX_SLUG_NUMBER: usize = 999;

/// A managed secret to be stored, with a first grant on it if there is to be one.
#[derive(Debug)]
pub struct NewSecret {
    pub name: String,
    /// The slug of the template that it was made from.
    pub template: Option<String>,
    pub credential_type: CredentialType,
    pub injection: Injection,
    pub default_headers: DefaultHeaders,
    pub allowed_hosts: AllowedHosts,
    pub fields: CredentialFields,
    pub grant: Option<GrantTerms>,
}

/// What changes about a secret, apart from its value.
#[derive(Debug, Clone, Default)]
pub struct SecretChange {
    pub name: Option<String>,
    pub injection: Option<Injection>,
    pub default_headers: Option<DefaultHeaders>,
    pub allowed_hosts: Option<AllowedHosts>,
}

/// Stores a secret under a slug of its name, numbered if that is taken. Secret, sealed value and first grant are written
/// together or not at all.
pub async fn create_secret(
    ports: &Ports,
    sealer: &Sealer,
    (org_id, app_id): (OrgId, AppId),
    new: NewSecret,
    actor: Actor,
    surface: Surface,
) -> Result<(ManagedSecret, Option<Grant>)> {
    let name = name(&new.name)?;
    let stem = slug_from_name(&name)?;
    let now = ports.clock.now();
    let mut secret = ManagedSecret {
        id: ports.new_id()?,
        app_id,
        slug: stem.clone(),
        name,
        template: new.template,
        credential_type: new.credential_type,
        injection: new.injection,
        default_headers: new.default_headers,
        allowed_hosts: new.allowed_hosts,
        credential_id: ports.new_id()?,
        seal_version: 1,
        fields: new.fields.names().map(str::to_owned).collect(),
        created_at: now,
        rotated_at: now,
    };
    check(&secret)?;
    let mut grant = match new.grant {
        Some(terms) => Some(draft_grant(ports, org_id, &secret, terms).await?),
        None => None,
    };
    let place = (secret.credential_id, secret.seal_version);
    let credential = sealer.seal_credential(ports, org_id, app_id, place, &new.fields).await?;
    let secrets = ManagedSecrets(ports.table.as_ref());
    for number in 1..=MAX_SLUG_NUMBER {
        secret.slug = if number == 1 { stem.clone() } else { format!("{stem}-{number}") };
        if secrets.slug_taken(app_id, &secret.slug).await?
            || own_provider(ports, app_id, &secret.slug).await?
        {
            continue;
        }
        if let Some((grant, _)) = &mut grant {
            grant.provider_id.clone_from(&secret.slug);
        }
        match store(ports, org_id, &secret, &credential, grant.as_ref(), &actor, surface).await {
            Ok(()) => return Ok((secret, grant.map(|(grant, _)| grant))),
            // Somebody took the slug in between: the next number.
            Err(Error::Conflict { code: SLUG_TAKEN, .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Err(Error::conflict(SLUG_TAKEN, "Too many secrets of this app have this name."))
}

/// Changes how a secret is used and where it may go; the value and the slug stay.
pub async fn update_secret(
    ports: &Ports,
    (org_id, app_id): (OrgId, AppId),
    id: SecretId,
    change: SecretChange,
    actor: Actor,
    surface: Surface,
) -> Result<ManagedSecret> {
    let secrets = ManagedSecrets(ports.table.as_ref());
    let found = secrets.get(app_id, id).await?;
    let changes = [
        ("name", change.name.is_some()),
        ("injection", change.injection.is_some()),
        ("default_headers", change.default_headers.is_some()),
        ("allowed_hosts", change.allowed_hosts.is_some()),
    ];
    let changed: Vec<&str> = changes.into_iter().filter_map(|(name, given)| given.then_some(name)).collect();
    if changed.is_empty() {
        return Err(Error::field("nothing_to_update", "Name at least one field to change."));
    }
    let updated = found.try_map(|secret| {
        let secret = ManagedSecret {
            name: change.name.as_deref().map(name).transpose()?.unwrap_or(secret.name),
            injection: change.injection.unwrap_or(secret.injection),
            default_headers: change.default_headers.unwrap_or(secret.default_headers),
            allowed_hosts: change.allowed_hosts.unwrap_or(secret.allowed_hosts),
            ..secret
        };
        check(&secret)?;
        Ok(secret)
    })?;
    let mut subject = about(EventKind::SecretUpdated, org_id, &updated.value, actor, surface);
    subject.detail.insert("changed".to_owned(), changed.join(" "));
    recorded(ports, subject, async { secrets.update(&updated).await.map(drop) }).await?;
    Ok(updated.value)
}

/// Replaces the value. Every grant id goes on working, from the next call on with the new value.
pub async fn replace_value(
    ports: &Ports,
    sealer: &Sealer,
    (org_id, app_id): (OrgId, AppId),
    id: SecretId,
    fields: &CredentialFields,
    actor: Actor,
    surface: Surface,
) -> Result<ManagedSecret> {
    let table = ports.table.as_ref();
    let found = ManagedSecrets(table).get(app_id, id).await?;
    let now = ports.clock.now();
    let updated = found.try_map(|secret| {
        let fields = fields.names().map(str::to_owned).collect();
        let seal_version = secret.seal_version.saturating_add(1);
        let secret = ManagedSecret { fields, seal_version, rotated_at: now, ..secret };
        check(&secret)?;
        Ok(secret)
    })?;
    let old = Credentials(table).get(app_id, updated.value.credential_id).await?;
    let place = (old.value.id, updated.value.seal_version);
    let value = sealer.seal_credential(ports, org_id, app_id, place, fields).await?;
    let credential = Stored { value, version: old.version };
    let mut subject = about(EventKind::SecretRotated, org_id, &updated.value, actor, surface);
    subject.detail.insert("fields".to_owned(), updated.value.fields.join(" "));
    recorded(ports, subject, ManagedSecrets(table).rotate(&updated, &credential)).await?;
    Ok(updated.value)
}

/// Revokes every grant on the secret, then removes it and its value for good. A grant that is issued meanwhile is revoked
/// too, and could not have been used: a call needs the secret.
pub async fn delete_secret(
    ports: &Ports,
    (org_id, app_id): (OrgId, AppId),
    id: SecretId,
    actor: Actor,
    surface: Surface,
) -> Result<ManagedSecret> {
    let secrets = ManagedSecrets(ports.table.as_ref());
    let found = secrets.get(app_id, id).await?;
    let subject = about(EventKind::SecretDeleted, org_id, &found.value, actor.clone(), surface);
    let change = async {
        revoke_grants(ports, (org_id, app_id), id, &actor, surface).await?;
        secrets.delete(&found).await?;
        revoke_grants(ports, (org_id, app_id), id, &actor, surface).await
    };
    recorded(ports, subject, change).await?;
    Ok(found.value)
}

/// Whether the operator's own definition of a provider has this name: calls could not tell the two apart.
async fn own_provider(ports: &Ports, app: AppId, slug: &str) -> Result<bool> {
    let found = ProviderConfigs(ports.table.as_ref()).find(app, slug).await?;
    Ok(found.is_some_and(|config| config.value.custom.is_some()))
}

const SLUG_TAKEN: &str = "slug_taken";

/// Writes the secret on the record, and the grant on its own.
async fn store(
    ports: &Ports,
    org_id: OrgId,
    secret: &ManagedSecret,
    credential: &SealedCredential,
    grant: Option<&(Grant, Option<Op>)>,
    actor: &Actor,
    surface: Surface,
) -> Result<()> {
    let write = async {
        let grant = grant.map(|(grant, admitted)| (grant, admitted.as_ref()));
        let created = ManagedSecrets(ports.table.as_ref()).create(secret, credential, grant).await?;
        if created { Ok(()) } else { Err(Error::conflict(SLUG_TAKEN, "The slug is taken.")) }
    };
    let subject = about(EventKind::SecretCreated, org_id, secret, actor.clone(), surface);
    match grant {
        None => recorded(ports, subject, write).await,
        Some((grant, _)) => {
            let of_grant = grant_created(org_id, grant, actor.clone(), surface);
            recorded(ports, subject, recorded(ports, of_grant, write)).await
        }
    }
}

async fn revoke_grants(
    ports: &Ports,
    (org_id, app_id): (OrgId, AppId),
    id: SecretId,
    actor: &Actor,
    surface: Surface,
) -> Result<()> {
    let mut cursor = None;
    loop {
        let page = Grants(ports.table.as_ref()).list_of_secret(id, 1000, cursor).await?;
        for grant in page.items.iter().filter(|grant| grant.state == GrantState::Active) {
            let reason = Some("The managed secret was deleted.".to_owned());
            match revoke_grant(ports, (org_id, app_id), grant.id, reason, actor.clone(), surface).await {
                Ok(_) | Err(Error::GrantRevoked { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        if page.next.is_none() {
            return Ok(());
        }
        cursor = page.next;
    }
}

/// What must hold between a secret's parts, whoever changed which.
fn check(secret: &ManagedSecret) -> Result<()> {
    let hosts = secret.allowed_hosts.0.len();
    if !(1..=MAX_HOSTS).contains(&hosts) {
        return Err(Error::field(
            "invalid_allowed_hosts",
            format!("A secret has 1 to {MAX_HOSTS} allowed hosts; without one it could be sent nowhere."),
        ));
    }
    secret
        .injection
        .check(secret.fields.iter().map(String::as_str))
        .map_err(|error| Error::field("invalid_injection", sentence(&error)))?;
    let injects = |header: &str| match &secret.injection {
        Injection::Rules(rules) => rules
            .iter()
            .any(|rule| rule.target() == Target::Header && rule.name().eq_ignore_ascii_case(header)),
        Injection::AwsSigv4 => false,
    };
    match secret.default_headers.iter().find(|(name, _)| injects(name)) {
        Some((name, _)) => Err(Error::field(
            "invalid_default_headers",
            format!("The header {name} carries the credential and cannot have a default."),
        )),
        None => Ok(()),
    }
}

fn sentence(error: &dyn std::error::Error) -> String {
    format!("The credential does not fit its injection: {error}.")
}

fn about(kind: EventKind, org_id: OrgId, secret: &ManagedSecret, actor: Actor, surface: Surface) -> Subject {
    let hosts: Vec<String> = secret.allowed_hosts.0.iter().map(ToString::to_string).collect();
    let detail = BTreeMap::from([
        ("secret_id".to_owned(), secret.id.to_string()),
        ("slug".to_owned(), secret.slug.clone()),
        ("name".to_owned(), secret.name.clone()),
        ("credential_type".to_owned(), secret.credential_type.as_str().to_owned()),
        ("allowed_hosts".to_owned(), hosts.join(" ")),
    ]);
    Subject { kind, org_id, app_id: Some(secret.app_id), actor, surface, grant: None, user_id: None, detail }
}
