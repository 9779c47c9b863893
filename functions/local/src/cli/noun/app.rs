//! `alter app`.

use std::{fs, path::PathBuf};

use alter_domain::{
    api::portal::{CreateApp, UpdateApp},
    model::Logo,
};
use clap::{Args, Subcommand};

use crate::cli::{
    context::Context,
    error::{CliError, Result},
    json::Json,
    portal::{Paging, Portal},
    table::Column,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  alter app create Shop --description 'The web shop'
  alter app list
  alter app update Shop --website https://shop.example.com --support-email help@shop.example.com
  alter app update Shop --color '#1f4fd1' --logo shop.png --wallet-listed true
  alter app archive Shop";

#[derive(Subcommand)]
pub(crate) enum AppCommand {
    /// Makes an app
    Create {
        name: String,
        #[arg(long)]
        description: Option<String>,
        #[arg(long, value_name = "URL")]
        website: Option<String>,
    },
    /// Lists the apps; archived ones only when asked for
    List {
        /// Shows archived apps too
        #[arg(long)]
        archived: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows an app
    Get {
        #[arg(value_name = "APP")]
        which: Option<String>,
    },
    /// Changes what is given and leaves the rest; an empty text clears
    Update {
        #[arg(value_name = "APP")]
        which: Option<String>,
        #[command(flatten)]
        change: AppUpdate,
    },
    /// Hides an app; its keys, grants and calls go on working
    Archive {
        #[arg(value_name = "APP")]
        which: Option<String>,
    },
    /// Shows an archived app again
    Unarchive {
        #[arg(value_name = "APP")]
        which: Option<String>,
    },
}

#[derive(Args)]
pub(crate) struct AppUpdate {
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    description: Option<String>,
    #[arg(long, value_name = "URL")]
    website: Option<String>,
    /// Where users turn to with concerns
    #[arg(long, value_name = "ADDRESS")]
    support_email: Option<String>,
    /// The app's colour in the Wallet and on Connect's pages, as #rrggbb
    #[arg(long, value_name = "COLOR")]
    color: Option<String>,
    /// Another colour for dark backgrounds
    #[arg(long, value_name = "COLOR")]
    color_dark: Option<String>,
    /// PNG, JPEG or WebP, at most 64 KiB and 1024 pixels on each side
    #[arg(long, value_name = "FILE")]
    logo: Option<PathBuf>,
    /// Removes the logo
    #[arg(long, conflicts_with = "logo")]
    no_logo: bool,
    /// Whether the Wallet's sign-in page offers the app to everybody
    #[arg(long, value_name = "true|false")]
    wallet_listed: Option<bool>,
}

pub(crate) async fn run(context: &Context, command: AppCommand) -> Result<()> {
    let portal = context.portal()?;
    let none = Vec::new();
    let path = |id| format!("/apps/{id}");
    let answer = match command {
        AppCommand::Create { name, description, website } => {
            portal.post("/apps", &none, &CreateApp { name, description, website_url: website }).await?
        }
        AppCommand::List { archived, paging } => {
            let query = vec![("include_archived", archived.then(|| "true".to_owned()))];
            let columns = [
                Column::new("APP ID", "app_id"),
                Column::flexible("NAME", "name"),
                Column::new("STATUS", "status"),
                Column::new("CREATED", "created_at"),
            ];
            return context.printer.list(&portal.list("/apps", &query, &paging).await?, &columns);
        }
        AppCommand::Get { which } => portal.get(&path(portal.choose(which).app().await?), &none).await?,
        AppCommand::Update { which, change } => update(&portal.choose(which), change).await?,
        AppCommand::Archive { which } => {
            let id = portal.choose(which).app().await?;
            portal.act(&format!("/apps/{id}/archive")).await?
        }
        AppCommand::Unarchive { which } => {
            let id = portal.choose(which).app().await?;
            portal.act(&format!("/apps/{id}/unarchive")).await?
        }
    };
    context.printer.show(&answer)
}

/// The picture is looked at before anything is changed, so that a wrong file changes nothing.
async fn update(portal: &Portal, change: AppUpdate) -> Result<Json> {
    let clearable = |text: Option<String>| text.map(|text| (!text.is_empty()).then_some(text));
    let logo = match &change.logo {
        Some(path) => {
            let shown = path.display().to_string();
            let picture = fs::read(path).map_err(|error| CliError::file("Cannot read", &shown, &error))?;
            Some(Logo::parse(picture.into()).map_err(|error| CliError::usage(format!("{shown}: {error}")))?)
        }
        None => None,
    };
    let fields = UpdateApp {
        name: change.name,
        description: clearable(change.description),
        website_url: clearable(change.website),
        support_email: clearable(change.support_email),
        color: clearable(change.color),
        color_dark: clearable(change.color_dark),
        wallet_listed: change.wallet_listed,
    };
    let path = format!("/apps/{}", portal.app().await?);
    let mut answer = None;
    // With nothing at all to change the vault says so.
    if fields != UpdateApp::default() || (logo.is_none() && !change.no_logo) {
        answer = Some(portal.patch(&path, &Vec::new(), &fields).await?);
    }
    let logo_path = format!("{path}/logo");
    if let Some(logo) = logo {
        let content_type = logo.content_type().as_str();
        answer = Some(portal.put_bytes(&logo_path, content_type, logo.bytes().clone()).await?);
    } else if change.no_logo {
        answer = Some(portal.delete(&logo_path, &Vec::new()).await?);
    }
    Ok(answer.unwrap_or(Json::Null))
}
