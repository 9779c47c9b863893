//! `alter app`.

use alter_domain::api::portal::{CreateApp, UpdateApp};
use clap::Subcommand;

use crate::cli::{context::Context, error::Result, portal::Paging, table::Column};

pub(crate) const EXAMPLES: &str = "\
Examples:
  alter app create Shop --description 'The web shop'
  alter app list
  alter app update Shop --website https://shop.example.com
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
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        description: Option<String>,
        #[arg(long, value_name = "URL")]
        website: Option<String>,
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
        AppCommand::Update { which, name, description, website } => {
            let clearable = |text: Option<String>| text.map(|text| (!text.is_empty()).then_some(text));
            let (description, website_url) = (clearable(description), clearable(website));
            let id = portal.choose(which).app().await?;
            portal.patch(&path(id), &none, &UpdateApp { name, description, website_url }).await?
        }
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
