//! `alter secret`.

use std::io::{IsTerminal as _, Write as _};

use alter_domain::api::{
    SecretId,
    portal::{BaseGrant, CreateSecret, PrincipalView, ReplaceValue, UpdateSecret},
};
use clap::Subcommand;

use super::{
    agent::agent_id,
    secret_input::{PlaceArgs, TypeArg, ValueArgs},
};
use crate::cli::{
    context::Context,
    error::{CliError, Result},
    json::Json,
    portal::{Paging, Portal, id_of, one},
    table::Column,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  alter secret templates stripe
  pass show stripe | alter secret create --template stripe --value - --grant
  alter secret create Weather --type api-key --inject header:X-Api-Key \\
      --host api.weather.example --value @key.txt
  alter secret create --template aws --field access_key_id=@id.txt \\
      --field secret_access_key=@secret.txt
  alter secret set-value stripe --value @new.txt
  alter secret delete weather --yes

Values come from files or standard input only, and can be replaced but never shown.
SECRET is the secret's slug or id.";

#[derive(Subcommand)]
pub(crate) enum SecretCommand {
    /// Lists the services that the vault knows how to sign in to
    Templates {
        /// Part of the name
        search: Option<String>,
    },
    /// Stores a credential
    #[command(after_help = EXAMPLES)]
    Create {
        /// What people call it; by default the template's name
        name: Option<String>,
        /// The service, as `alter secret templates` lists it
        #[arg(long, conflicts_with = "kind")]
        template: Option<String>,
        /// Without a template: bearer (field token), api-key (field api_key, placed by --inject), basic (username and
        /// password), aws-sigv4 (access_key_id and secret_access_key), or custom (fields of your own, placed by --inject)
        #[arg(
            long = "type",
            id = "kind",
            value_name = "TYPE",
            value_enum,
            required_unless_present = "template"
        )]
        kind: Option<TypeArg>,
        #[command(flatten)]
        value: ValueArgs,
        #[command(flatten)]
        place: PlaceArgs,
        /// Issues a grant for the app itself at once
        #[arg(long)]
        grant: bool,
        /// Issues a grant for this agent at once
        #[arg(long, value_name = "AGENT", conflicts_with = "grant")]
        grant_agent: Option<String>,
    },
    /// Lists the app's secrets, without their values
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows a secret, without its value
    Get { secret: String },
    /// Changes the name, the places or the hosts of a secret
    Update {
        secret: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Replaces the value; every grant goes on working, with the new one
    SetValue {
        secret: String,
        #[command(flatten)]
        value: ValueArgs,
    },
    /// Deletes a secret, its value and its grants, for good
    Delete {
        secret: String,
        /// Does not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run(context: &Context, command: SecretCommand) -> Result<()> {
    let portal = context.portal()?;
    let none = Vec::new();
    let answer = match command {
        SecretCommand::Templates { search } => return templates(context, &portal, search.as_deref()).await,
        SecretCommand::Create { name, template, kind, value, place, grant, grant_agent } => {
            let fields =
                value.read(context, async || single_field(&portal, template.as_deref(), kind).await).await?;
            let principal = match (grant, &grant_agent) {
                (_, Some(agent)) => Some(PrincipalView::Agent { agent_id: agent_id(&portal, agent).await? }),
                (true, None) => Some(PrincipalView::System {}),
                (false, None) => None,
            };
            let create = CreateSecret {
                name,
                template,
                credential_type: kind.map(Into::into),
                fields,
                injection: place.rules(),
                default_headers: place.default_headers(),
                allowed_hosts: place.hosts(),
                grant: principal.map(|principal| BaseGrant { principal, label: None, grant_policy: None }),
            };
            portal.post(&portal.in_app("/secrets").await?, &none, &create).await?
        }
        SecretCommand::List { paging } => {
            let columns = [
                Column::new("SLUG", "slug"),
                Column::flexible("NAME", "name"),
                Column::new("TYPE", "credential_type"),
                Column::flexible("HOSTS", "allowed_hosts"),
                Column::new("VALUE SINCE", "rotated_at"),
                Column::new("SECRET ID", "secret_id"),
            ];
            let path = portal.in_app("/secrets").await?;
            return context.printer.list(&portal.list(&path, &none, &paging).await?, &columns);
        }
        SecretCommand::Get { secret } => portal.get(&path_of(&portal, &secret).await?, &none).await?,
        SecretCommand::Update { secret, name, place } => {
            let update = UpdateSecret {
                name,
                injection: place.rules(),
                default_headers: place.default_headers(),
                allowed_hosts: place.hosts(),
            };
            portal.patch(&path_of(&portal, &secret).await?, &none, &update).await?
        }
        SecretCommand::SetValue { secret, value } => {
            let single = async || {
                let path = path_of(&portal, &secret).await?;
                let stored = portal.get(&path, &Vec::new()).await?;
                only(
                    &stored
                        .list("fields")
                        .unwrap_or_default()
                        .iter()
                        .filter_map(Json::as_text)
                        .collect::<Vec<_>>(),
                )
            };
            let fields = value.read(context, single).await?;
            let path = format!("{}/value", path_of(&portal, &secret).await?);
            portal.put(&path, &none, &ReplaceValue { fields }).await?
        }
        SecretCommand::Delete { secret, yes } => {
            let path = path_of(&portal, &secret).await?;
            if !yes {
                confirm(&secret, "its value")?;
            }
            portal.delete(&path, &none).await?
        }
    };
    context.printer.show(&answer)
}

async fn templates(context: &Context, portal: &Portal, search: Option<&str>) -> Result<()> {
    let mut listing = portal.list("/templates", &Vec::new(), &Paging::everything()).await?;
    if let Some(search) = search.map(str::to_lowercase) {
        let has = |item: &Json, name: &str| {
            item.text(name).is_some_and(|text| text.to_lowercase().contains(&search))
        };
        listing.items.retain(|item| has(item, "slug") || has(item, "name"));
    }
    let columns = [
        Column::new("TEMPLATE", "slug"),
        Column::flexible("SERVICE", "name"),
        Column::new("TYPE", "credential_type"),
        Column::flexible("HOSTS", "allowed_hosts"),
    ];
    context.printer.list(&listing, &columns)
}

/// The name of the one field that `--value` sets.
async fn single_field(portal: &Portal, template: Option<&str>, kind: Option<TypeArg>) -> Result<String> {
    match (template, kind) {
        (None, Some(TypeArg::Bearer)) => Ok("token".to_owned()),
        (None, Some(TypeArg::ApiKey)) => Ok("api_key".to_owned()),
        (Some(slug), _) => {
            let templates = portal.list("/templates", &Vec::new(), &Paging::everything()).await?.items;
            let template =
                one(templates, |item| item.text("slug") == Some(slug), &format!("template {slug:?}"))
                    .map_err(|error| error.hint("`alter secret templates` lists them."))?;
            let required = |field: &&Json| field.get("required") == Some(&Json::Bool(true));
            let fields = template.list("fields").unwrap_or_default().iter().filter(required);
            only(&fields.filter_map(|field| field.text("name")).collect::<Vec<_>>())
        }
        _ => only(&[]),
    }
}

fn only(names: &[&str]) -> Result<String> {
    match names {
        [name] => Ok((*name).to_owned()),
        [] => {
            Err(CliError::usage("This type has several fields.").hint("Give each with --field NAME=@FILE."))
        }
        names => {
            let each: Vec<String> = names.iter().map(|name| format!("--field {name}=@FILE")).collect();
            Err(CliError::usage("This secret has several fields.").hint(format!("Use {}.", each.join(" "))))
        }
    }
}

/// Asks on the terminal for the name of what is to go; elsewhere `--yes` has to be given.
pub(super) fn confirm(name: &str, with: &str) -> Result<()> {
    confirm_that(&format!("Delete {name} and {with} for good?"), name)
}

/// The same for what is not called deleting.
pub(super) fn confirm_that(question: &str, name: &str) -> Result<()> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(CliError::usage("This cannot be undone, and nobody can be asked.").hint("Give --yes."));
    }
    let _ = write!(std::io::stderr(), "{question} Type {name} to go on: ");
    let mut line = String::new();
    stdin.read_line(&mut line)?;
    match line.trim() == name {
        true => Ok(()),
        false => Err(CliError::failure("not_confirmed", "Nothing was changed.")),
    }
}

async fn path_of(portal: &Portal, text: &str) -> Result<String> {
    portal.in_app(&format!("/secrets/{}", secret_id(portal, text).await?)).await
}

/// A managed secret by id or slug.
pub(super) async fn secret_id(portal: &Portal, text: &str) -> Result<SecretId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let path = portal.in_app("/secrets").await?;
    let secrets = portal.list(&path, &Vec::new(), &Paging::everything()).await?.items;
    id_of(
        &one(secrets, |secret| secret.text("slug") == Some(text), &format!("secret {text:?}"))?,
        "secret_id",
    )
}
