//! `alter user`.

use alter_domain::api::UserId;
use clap::Subcommand;

use super::secret::confirm_that;
use crate::cli::{
    context::Context,
    error::{CliError, Result},
    portal::{Paging, Portal, id_of, one},
    table::Column,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  alter user list --status suspended
  alter user show anna@example.com
  alter user suspend anna@example.com
  alter user reactivate anna@example.com
  alter user deprovision anna@example.com --yes
  alter grant list --user 018f4e9a-5b1c-8d2e-8f3a-4b5c6d7e8f90

USER is the user's id, or their e-mail address when only one has it. A user's status is one for all apps of the organization.";

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Lists the app's users: those who came with a token, or signed in
    List {
        /// The one with this e-mail address
        #[arg(long)]
        email: Option<String>,
        #[arg(long, value_parser = ["active", "suspended", "deprovisioned"])]
        status: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows a user, with groups and roles in this app
    Show { user: String },
    /// Denies a user everywhere, from the next call on; everything is kept
    Suspend { user: String },
    /// Lets a user act again; what was revoked because they had left stays revoked
    Reactivate { user: String },
    /// Ends all that a user has: denied at once, grants revoked, tokens deleted
    Deprovision {
        user: String,
        /// Does not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run(context: &Context, command: UserCommand) -> Result<()> {
    let portal = context.portal()?;
    let act = async |user: &str, what: &str| {
        portal.act(&format!("{}/{what}", path_of(&portal, user).await?)).await.map_err(explained)
    };
    let answer = match command {
        UserCommand::List { email, status, paging } => {
            let columns = [
                Column::new("USER ID", "user_id"),
                Column::flexible("EMAIL", "email"),
                Column::flexible("NAME", "name"),
                Column::new("STATUS", "status"),
                Column::flexible("GROUPS", "groups"),
                Column::new("SEEN FIRST", "created_at"),
            ];
            let query = vec![("email", email), ("status", status)];
            let path = portal.in_app("/users").await?;
            return context.printer.list(&portal.list(&path, &query, &paging).await?, &columns);
        }
        UserCommand::Show { user } => portal.get(&path_of(&portal, &user).await?, &Vec::new()).await?,
        UserCommand::Suspend { user } => act(&user, "suspend").await?,
        UserCommand::Reactivate { user } => act(&user, "reactivate").await?,
        UserCommand::Deprovision { user, yes } => {
            if !yes {
                confirm_that(&format!("End all that {user} was granted, in every app, for good?"), &user)?;
            }
            act(&user, "deprovision").await?
        }
    };
    context.printer.show(&answer)
}

async fn path_of(portal: &Portal, text: &str) -> Result<String> {
    let id: UserId = match text.parse() {
        Ok(id) => id,
        Err(_) if text.contains('@') => {
            let query = vec![("email", Some(text.to_owned()))];
            let path = portal.in_app("/users").await?;
            let users = portal.list(&path, &query, &Paging::everything()).await?.items;
            id_of(&one(users, |_| true, &format!("user {text:?}"))?, "user_id")?
        }
        Err(_) => return Err(CliError::not_found(format!("There is no user {text:?}."))),
    };
    portal.in_app(&format!("/users/{id}")).await
}

fn explained(error: CliError) -> CliError {
    match error.code.as_str() {
        "deprovision_pending" => error.hint("`alter user show` tells how far it is."),
        _ => error,
    }
}
