//! OAuth providers of an app: registering, changing, replacing the secret, switching off, removing.

mod removal;

use std::collections::BTreeMap;

use alter_api_types::{AppId, OrgId};

pub use removal::{Removal, delete_provider};

use super::{
    Subject,
    provider_rules::{
        ScopeChange, check_client_id, check_definition, check_secret, check_values, destinations,
    },
    provider_usage::provider_usage,
    recorded,
};
use crate::{
    catalogue,
    egress::EgressRules,
    error::{Error, Result},
    inject::CredentialFields,
    model::{
        Actor, ClientSecret, ConfiguredScopes, EventKind, ProviderConfig, ProviderState, SealedCredential,
        Surface,
    },
    oauth::{Provider, Values},
    port::Op,
    repo::{Credentials, ManagedSecrets, ProviderConfigs, Stored},
    secret::Secret,
    state::{Ports, Sealer},
};

/// What proves an app to a provider, by field: `client_secret`, `private_key`.
pub type SecretFields = Vec<(String, Secret<String>)>;

/// An app's registration at a provider, to be kept.
#[derive(Debug)]
pub struct NewProvider {
    pub definition: Definition,
    pub client_id: String,
    pub secret: SecretFields,
    pub scopes: ScopeChange,
    pub variables: BTreeMap<String, String>,
}

/// How the provider works.
#[derive(Debug)]
pub enum Definition {
    /// The entry of the catalogue with this id.
    Catalogue(String),
    /// The operator's own.
    Custom(Box<Provider>),
}

/// What changes about a provider, apart from its secret.
#[derive(Debug, Default)]
pub struct ProviderChange {
    pub client_id: Option<String>,
    pub scopes: Option<ScopeChange>,
    /// New values by name; none takes one away.
    pub variables: Option<BTreeMap<String, Option<String>>>,
    pub definition: Option<Box<Provider>>,
}

/// Who changes what, from where.
#[derive(Debug, Clone)]
pub struct Change {
    pub org_id: OrgId,
    pub app_id: AppId,
    pub actor: Actor,
    pub surface: Surface,
}

/// Registers an app with a provider. Configuration and sealed secret are written together or not at all.
pub async fn add_provider(
    ports: &Ports,
    sealer: &Sealer,
    rules: EgressRules,
    new: NewProvider,
    change: Change,
) -> Result<ProviderConfig> {
    let now = ports.clock.now();
    let (provider_id, custom) = match new.definition {
        Definition::Catalogue(id) => (id, None),
        Definition::Custom(definition) => (definition.id.clone(), Some(definition)),
    };
    let mut config = ProviderConfig {
        app_id: change.app_id,
        provider_id,
        custom,
        client_id: check_client_id(&new.client_id)?,
        secret: None,
        values: Values::default(),
        scopes: ConfiguredScopes::default(),
        state: ProviderState::Enabled,
        created_at: now,
        updated_at: now,
    };
    let definition = match &config.custom {
        Some(custom) => {
            check_definition(custom, rules)?;
            own_id(ports, change.app_id, custom).await?;
            custom
        }
        None => catalogue::provider(&config.provider_id)
            .ok_or_else(|| Error::field("unknown_provider", "The catalogue has no such provider."))?,
    };
    let scopes = new.scopes.or_proposed(definition).apply(definition, ConfiguredScopes::default())?;
    let variables = new.variables.into_iter().map(|(name, value)| (name, Some(value))).collect();
    let values = check_values(definition, &config.values, &variables)?;
    let fields = check_secret(definition, new.secret)?;
    (config.scopes, config.values) = (scopes, values);
    if ProviderConfigs(ports.table.as_ref()).find(change.app_id, &config.provider_id).await?.is_some() {
        return Err(configured());
    }
    let mut sealed = None;
    if let Some(fields) = fields {
        let (secret, credential) = seal(ports, sealer, &change, None, &fields).await?;
        config.secret = Some(secret);
        sealed = Some(credential);
    }
    let write = async {
        match ProviderConfigs(ports.table.as_ref()).create(&config, sealed.as_ref()).await {
            // Somebody else was faster.
            Err(Error::Conflict { .. }) => Err(configured()),
            other => other,
        }
    };
    recorded(ports, about(EventKind::ProviderConfigured, &config, change), write).await?;
    Ok(config)
}

/// Changes a registration; its secret and its id stay.
pub async fn update_provider(
    ports: &Ports,
    rules: EgressRules,
    provider_id: &str,
    new: ProviderChange,
    change: Change,
) -> Result<ProviderConfig> {
    let configs = ProviderConfigs(ports.table.as_ref());
    let found = configs.get(change.app_id, provider_id).await?;
    let changes = [
        ("client_id", new.client_id.is_some()),
        ("scopes", new.scopes.is_some()),
        ("variables", new.variables.is_some()),
        ("definition", new.definition.is_some()),
    ];
    let changed: Vec<&str> = changes.into_iter().filter_map(|(name, given)| given.then_some(name)).collect();
    if changed.is_empty() {
        return Err(Error::field("nothing_to_update", "Name at least one field to change."));
    }
    let now = ports.clock.now();
    let before = found.value.clone();
    let updated = found.try_map(|config| changed_config(config, new, rules))?;
    stays_put(ports, &before, &updated.value).await?;
    let updated = updated.try_map(|config| Ok(ProviderConfig { updated_at: now, ..config }))?;
    let mut subject = about(EventKind::ProviderUpdated, &updated.value, change);
    subject.detail.insert("changed".to_owned(), changed.join(" "));
    recorded(ports, subject, configs.update(&updated, None)).await?;
    Ok(updated.value)
}

/// Replaces what proves the app to the provider. Connections go on working, from their next refresh on with the new one.
pub async fn set_client_secret(
    ports: &Ports,
    sealer: &Sealer,
    provider_id: &str,
    secret: SecretFields,
    change: Change,
) -> Result<ProviderConfig> {
    let configs = ProviderConfigs(ports.table.as_ref());
    let found = configs.get(change.app_id, provider_id).await?;
    let fields = check_secret(found.value.definition()?, secret)?.ok_or_else(|| {
        Error::field("invalid_client_secret", "Give client_secret or private_key: there is nothing to keep.")
    })?;
    let (secret, credential) = seal(ports, sealer, &change, found.value.secret, &fields).await?;
    let updated = found.try_map(|config| {
        Ok(ProviderConfig { secret: Some(secret), updated_at: secret.rotated_at, ..config })
    })?;
    let op: Op = Credentials::overwrite(&credential)?;
    let mut subject = about(EventKind::ProviderUpdated, &updated.value, change);
    subject.detail.insert("changed".to_owned(), fields.names().collect::<Vec<_>>().join(" "));
    recorded(ports, subject, configs.update(&updated, Some(op))).await?;
    Ok(updated.value)
}

/// Switches a provider on or off. Off: no new connections, and the very next call through those that exist fails.
pub async fn switch_provider(
    ports: &Ports,
    provider_id: &str,
    enabled: bool,
    change: Change,
) -> Result<ProviderConfig> {
    let configs = ProviderConfigs(ports.table.as_ref());
    let found = configs.get(change.app_id, provider_id).await?;
    if found.value.is_enabled() == enabled {
        return Err(match enabled {
            true => Error::conflict("provider_enabled", "The provider is enabled already."),
            false => Error::conflict("provider_disabled", "The provider is disabled already."),
        });
    }
    let updated = switched(ports, found, enabled)?;
    let mut subject = about(EventKind::ProviderUpdated, &updated.value, change);
    subject.detail.insert("changed".to_owned(), "state".to_owned());
    recorded(ports, subject, configs.update(&updated, None)).await?;
    Ok(updated.value)
}

fn configured() -> Error {
    Error::conflict("provider_configured", "The app is registered with this provider already.")
}

/// The id of an own definition is nobody else's: calls name credentials by it.
async fn own_id(ports: &Ports, app: AppId, custom: &Provider) -> Result<()> {
    let taken = |by: &str| Error::conflict("provider_id_taken", format!("The id is that of {by}."));
    if catalogue::provider(&custom.id).is_some() {
        return Err(taken("a provider of the catalogue"));
    }
    match ManagedSecrets(ports.table.as_ref()).slug_taken(app, &custom.id).await? {
        true => Err(taken("a managed secret of the app")),
        false => Ok(()),
    }
}

fn changed_config(config: ProviderConfig, new: ProviderChange, rules: EgressRules) -> Result<ProviderConfig> {
    let mut config = config;
    if let Some(definition) = new.definition {
        let invalid = |message: &str| Error::field("invalid_definition", message);
        let Some(old) = &config.custom else {
            return Err(invalid("This provider is the catalogue's: it has no definition of your own."));
        };
        if definition.id != old.id {
            return Err(invalid("The id stays: calls name it."));
        }
        check_definition(&definition, rules)?;
        if definition.secret_fields() != old.secret_fields() {
            return Err(invalid(
                "The new definition proves the app in another way, which the stored secret does not fit: delete the \
                 provider and add it anew.",
            ));
        }
        config.custom = Some(definition);
    }
    if let Some(client_id) = new.client_id {
        config.client_id = check_client_id(&client_id)?;
    }
    let definition = config.definition()?;
    let scopes = new.scopes.unwrap_or_default().apply(definition, config.scopes.clone())?;
    let values = check_values(definition, &config.values, &new.variables.unwrap_or_default())?;
    Ok(ProviderConfig { scopes, values, ..config })
}

/// What was entrusted to the vault for one place goes to no other: a client secret stays with the hosts that it was given for,
/// and so do the tokens of connections, which are of use to the client alone that they were given to.
async fn stays_put(ports: &Ports, before: &ProviderConfig, after: &ProviderConfig) -> Result<()> {
    let known = destinations(before.definition()?, &before.values);
    let moved = !destinations(after.definition()?, &after.values).is_subset(&known);
    if moved && before.secret.is_some() {
        return Err(Error::conflict(
            "client_secret_bound",
            "The stored client secret would go to another host than it was given for: delete the provider and add it anew.",
        ));
    }
    if !moved && before.client_id == after.client_id {
        return Ok(());
    }
    let usage = provider_usage(ports, before, usize::MAX).await?;
    match usage.live_grants.saturating_add(usage.pending_revocations) {
        0 => Ok(()),
        _ => Err(Error::conflict(
            "provider_in_use",
            "Tokens of this client at this provider are in use or being revoked, and work with no other: revoke the grants \
             first.",
        )),
    }
}

fn switched(ports: &Ports, config: Stored<ProviderConfig>, enabled: bool) -> Result<Stored<ProviderConfig>> {
    let at = ports.clock.now();
    let state = if enabled { ProviderState::Enabled } else { ProviderState::Disabled { at } };
    config.try_map(|config| Ok(ProviderConfig { state, updated_at: at, ..config }))
}

/// Seals under the next version of what was there, or under a new id.
pub(super) async fn seal(
    ports: &Ports,
    sealer: &Sealer,
    change: &Change,
    old: Option<ClientSecret>,
    fields: &CredentialFields,
) -> Result<(ClientSecret, SealedCredential)> {
    let (credential_id, seal_version) = match old {
        Some(old) => (old.credential_id, old.seal_version.saturating_add(1)),
        None => (ports.new_id()?, 1),
    };
    let place = (credential_id, seal_version);
    let sealed = sealer.seal_credential(ports, change.org_id, change.app_id, place, fields).await?;
    Ok((ClientSecret { credential_id, seal_version, rotated_at: ports.clock.now() }, sealed))
}

fn about(kind: EventKind, config: &ProviderConfig, change: Change) -> Subject {
    let state = if config.is_enabled() { "enabled" } else { "disabled" };
    let detail = BTreeMap::from([
        ("provider_id".to_owned(), config.provider_id.clone()),
        ("custom".to_owned(), config.custom.is_some().to_string()),
        ("client_id".to_owned(), config.client_id.clone()),
        ("scopes".to_owned(), config.scopes.allowed.join(" ")),
        ("required_scopes".to_owned(), config.scopes.required.join(" ")),
        ("state".to_owned(), state.to_owned()),
    ]);
    let Change { org_id, app_id, actor, surface } = change;
    Subject { kind, org_id, app_id: Some(app_id), actor, surface, grant: None, user_id: None, detail }
}
