//! `alter provider`.

use alter_domain::api::portal::{AddProvider, ScopesInput, SetClientSecret, UpdateProvider};
use clap::Subcommand;

use super::{
    provider_check::{self, CheckArgs},
    provider_input::{ClientSecretArgs, ScopeArgs, SetArgs, definition},
    secret::confirm,
};
use crate::cli::{
    context::Context,
    error::{CliError, Result},
    json::Json,
    portal::{Paging, Portal},
    table::Column,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  alter provider catalog git
  pass show github | alter provider add github --client-id Iv1.8a61f9b3 --client-secret - \\
      --scope read:user --scope repo --default-scope read:user
  alter provider add okta --client-id 0oa1 --client-secret @secret.txt --set domain=acme.okta.com
  alter provider check intranet.json && alter provider add --definition intranet.json \\
      --client-id alter --client-secret @secret.txt
  alter provider update github --required-scope repo
  alter provider set-secret github --client-secret @new.txt
  alter provider disable github
  alter provider delete github --force --yes

Enter the redirect_uri that `add` and `show` print at the provider, exactly so.
PROVIDER is the id by which calls name it.";

#[derive(Subcommand)]
pub(crate) enum ProviderCommand {
    /// Lists the app's providers
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows one of the app's providers, without its secret
    Show { provider: String },
    /// Lists the providers that the vault knows, or shows the one with this id
    Catalog {
        /// The id, or part of an id or name
        search: Option<String>,
    },
    /// Validates a definition of Custom OAuth, or a whole catalogue, and prints what is wrong; asks no vault
    Check(CheckArgs),
    /// Registers the app with a provider
    #[command(after_help = EXAMPLES)]
    Add {
        /// The provider, as `alter provider catalog` lists it
        #[arg(required_unless_present = "definition")]
        provider: Option<String>,
        /// Custom OAuth: a file with a definition of your own; - is standard input
        #[arg(long, value_name = "FILE", conflicts_with = "provider")]
        definition: Option<String>,
        /// The client id that the provider gave the app
        #[arg(long, value_name = "ID")]
        client_id: String,
        #[command(flatten)]
        secret: ClientSecretArgs,
        #[command(flatten)]
        scopes: ScopeArgs,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Changes a registration; what is not named stays
    Update {
        provider: String,
        #[arg(long, value_name = "ID")]
        client_id: Option<String>,
        #[command(flatten)]
        scopes: ScopeArgs,
        /// Requires no scope any more
        #[arg(long, conflicts_with = "required")]
        no_required_scopes: bool,
        #[command(flatten)]
        set: SetArgs,
        /// Takes a variable's value away; may be repeated
        #[arg(long = "unset", value_name = "NAME")]
        unset: Vec<String>,
        /// A new definition of your own provider
        #[arg(long, value_name = "FILE")]
        definition: Option<String>,
    },
    /// Replaces the client secret; by default it is asked for, or read from standard input
    SetSecret {
        provider: String,
        #[command(flatten)]
        secret: ClientSecretArgs,
    },
    /// Switches a provider on
    Enable { provider: String },
    /// Switches a provider off: no new connections, and the very next call through those that exist fails
    Disable { provider: String },
    /// Removes a provider from the app, with its secret, for good
    Delete {
        provider: String,
        /// Revokes the grants that are alive first
        #[arg(long)]
        force: bool,
        /// Gives up telling the provider of revocations that it has not been told of yet
        #[arg(long)]
        abandon_revocations: bool,
        /// Does not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run(context: &Context, command: ProviderCommand) -> Result<()> {
    if let ProviderCommand::Check(args) = command {
        return provider_check::run(context, &args);
    }
    let portal = context.portal()?;
    let none = Vec::new();
    let answer = match command {
        ProviderCommand::Check(_) => return Ok(()),
        ProviderCommand::List { paging } => return list(context, &portal, &paging).await,
        ProviderCommand::Catalog { search } => return catalog(context, &portal, search.as_deref()).await,
        ProviderCommand::Show { provider } => portal.get(&path_of(&portal, &provider).await?, &none).await?,
        ProviderCommand::Add { provider, definition: file, client_id, secret, scopes, set } => {
            let (client_secret, private_key) = secret.read(context)?;
            let add = AddProvider {
                provider_id: provider,
                definition: file.as_deref().map(definition).transpose()?,
                client_id,
                client_secret,
                private_key,
                scopes: scopes.input(),
                variables: set.values.into_iter().collect(),
            };
            let added = portal.post(&portal.in_app("/providers").await?, &none, &add).await?;
            context.printer.show(&added)?;
            let uri = added.text("redirect_uri").unwrap_or_default();
            context.printer.remark(&format!("Enter this redirect URI at the provider: {uri}"));
            return Ok(());
        }
        ProviderCommand::Update {
            provider,
            client_id,
            scopes,
            no_required_scopes,
            set,
            unset,
            definition: file,
        } => {
            let mut scopes = scopes.input();
            if no_required_scopes {
                scopes.required = Some(Vec::new());
            }
            let values = set.values.into_iter().map(|(name, value)| (name, Some(value)));
            let values = values.chain(unset.into_iter().map(|name| (name, None)));
            let variables =
                Some(values.collect()).filter(|values: &std::collections::BTreeMap<_, _>| !values.is_empty());
            let update = UpdateProvider {
                client_id,
                scopes: Some(scopes).filter(|scopes| *scopes != ScopesInput::default()),
                variables,
                definition: file.as_deref().map(definition).transpose()?,
            };
            let updated = portal.patch(&path_of(&portal, &provider).await?, &none, &update).await?;
            context.printer.show(&updated)?;
            mismatches(context, &updated);
            return Ok(());
        }
        ProviderCommand::SetSecret { provider, secret } => {
            let (client_secret, private_key) = secret.or_asked().read(context)?;
            let path = format!("{}/client-secret", path_of(&portal, &provider).await?);
            portal.put(&path, &none, &SetClientSecret { client_secret, private_key }).await?
        }
        ProviderCommand::Enable { provider } => {
            portal.act(&format!("{}/enable", path_of(&portal, &provider).await?)).await?
        }
        ProviderCommand::Disable { provider } => {
            portal.act(&format!("{}/disable", path_of(&portal, &provider).await?)).await?
        }
        ProviderCommand::Delete { provider, force, abandon_revocations, yes } => {
            let path = path_of(&portal, &provider).await?;
            if !yes {
                confirm(&provider, if force { "its secret and its grants" } else { "its secret" })?;
            }
            let flag = |given: bool| given.then(|| "true".to_owned());
            let query = vec![("force", flag(force)), ("abandon_revocations", flag(abandon_revocations))];
            portal.delete(&path, &query).await.map_err(explained)?
        }
    };
    context.printer.show(&answer)
}

async fn list(context: &Context, portal: &Portal, paging: &Paging) -> Result<()> {
    let columns = [
        Column::new("PROVIDER", "provider_id"),
        Column::flexible("NAME", "name"),
        Column::new("STATUS", "status"),
        Column::flexible("SCOPES", "scopes.allowed"),
        Column::new("GRANTS", "usage.live_grants"),
        Column::new("MISMATCHES", "usage.scope_mismatches"),
        Column::flexible("CLIENT ID", "client_id"),
    ];
    let path = portal.in_app("/providers").await?;
    context.printer.list(&portal.list(&path, &Vec::new(), paging).await?, &columns)
}

async fn catalog(context: &Context, portal: &Portal, search: Option<&str>) -> Result<()> {
    let mut listing = portal.list("/providers", &Vec::new(), &Paging::everything()).await?;
    if let Some(search) = search.map(str::to_lowercase) {
        if let Some(exact) = listing.items.iter().find(|item| item.text("provider_id") == Some(&search)) {
            return context.printer.show(exact);
        }
        let has = |item: &Json, name: &str| {
            item.text(name).is_some_and(|text| text.to_lowercase().contains(&search))
        };
        listing.items.retain(|item| has(item, "provider_id") || has(item, "name"));
    }
    let columns = [
        Column::new("PROVIDER", "provider_id"),
        Column::flexible("NAME", "name"),
        Column::new("CATEGORY", "category"),
        Column::new("PKCE", "pkce"),
        Column::new("REFRESH", "refresh.kind"),
        Column::new("REVOKES", "revocation"),
        Column::new("CERTAINTY", "certainty.endpoints"),
    ];
    context.printer.list(&listing, &columns)
}

/// Says what a newly required scope means for the grants that exist.
fn mismatches(context: &Context, updated: &Json) {
    if let Some(Json::Number(count)) = updated.path("usage.scope_mismatches")
        && count.as_u64() != Some(0)
    {
        context.printer.remark(&format!(
            "{count} grants lack a scope that is required now. They go on working; their users are asked to connect again."
        ));
    }
}

fn explained(error: CliError) -> CliError {
    match error.code.as_str() {
        "provider_in_use" => error.hint("--force revokes them first."),
        "revocations_pending" => {
            error.hint("Delete it again in a moment, or give them up with --abandon-revocations.")
        }
        _ => error,
    }
}

async fn path_of(portal: &Portal, provider: &str) -> Result<String> {
    // What is no id cannot be part of a path either.
    let id = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if provider.is_empty() || !provider.bytes().all(id) {
        return Err(CliError::not_found(format!("There is no provider {provider:?}.")));
    }
    portal.in_app(&format!("/providers/{provider}")).await
}
