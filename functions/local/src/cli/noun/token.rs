//! `alter token`.

use std::path::PathBuf;

use alter_domain::{
    api::{
        PatId,
        portal::{MintToken, Permission},
    },
    auth::key_text,
};
use clap::{Subcommand, ValueEnum};

use crate::cli::{
    context::Context,
    error::Result,
    expiry::Expiry,
    portal::{Paging, Portal, id_of, one},
    table::Column,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  alter token create dashboard --permission read --save dashboard.token
  alter token create ci --permission write --expires 90d --save ci.token
  alter --token-file ci.token app list
  alter token revoke dashboard

A token is shown once. --save puts it into a file (mode 0600) and shows nothing.
TOKEN is the token's id, its prefix, or its name when only one active token has it.";

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes an operator's token; it can do no more than the one that makes it
    Create {
        name: String,
        /// read: look at everything but values; write: also create and change; admin: also revoke, rotate and delete
        #[arg(long, value_enum)]
        permission: PermissionArg,
        /// When it stops working: 12h, 30d, or a time
        #[arg(long, value_name = "WHEN")]
        expires: Option<Expiry>,
        /// Writes the token into a new file instead of showing it
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
    /// Lists the tokens, without their secret part
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Ends a token at once
    Revoke { token: String },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PermissionArg {
    Read,
    Write,
    Admin,
}

pub(crate) async fn run(context: &Context, command: TokenCommand) -> Result<()> {
    let portal = context.portal()?;
    match command {
        TokenCommand::Create { name, permission, expires, save } => {
            let permission = match permission {
                PermissionArg::Read => Permission::Read,
                PermissionArg::Write => Permission::Write,
                PermissionArg::Admin => Permission::Admin,
            };
            let (expires_at, expires_in) = expires.map(Expiry::for_wire).unwrap_or_default();
            let save = context.place_for_secret(save.as_deref())?;
            let mint = MintToken { name, permission, expires_at, expires_in };
            context.show_once(portal.post("/tokens", &Vec::new(), &mint).await?, "operator_token", save)
        }
        TokenCommand::List { paging } => {
            let columns = [
                Column::new("TOKEN ID", "token_id"),
                Column::new("PREFIX", "token_prefix"),
                Column::flexible("NAME", "name"),
                Column::new("PERMISSION", "permission"),
                Column::new("STATUS", "status"),
                Column::new("EXPIRES", "expires_at"),
            ];
            context.printer.list(&portal.list("/tokens", &Vec::new(), &paging).await?, &columns)
        }
        TokenCommand::Revoke { token } => {
            let id = token_id(&portal, &token).await?;
            context.printer.show(&portal.delete(&format!("/tokens/{id}"), &Vec::new()).await?)
        }
    }
}

/// A token by its id, its prefix or its name; of a whole token only the prefix is used.
async fn token_id(portal: &Portal, text: &str) -> Result<PatId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let prefix = key_text::parse(text).map(|key| key.public_part.to_string());
    let text = prefix.as_deref().unwrap_or(text);
    let tokens = portal.list("/tokens", &Vec::new(), &Paging::everything()).await?.items;
    let token = match tokens.iter().find(|token| token.text("token_prefix") == Some(text)) {
        Some(token) => token.clone(),
        None => one(
            tokens,
            |token| token.text("name") == Some(text) && token.text("status") == Some("active"),
            &format!("token {text:?}"),
        )?,
    };
    id_of(&token, "token_id")
}
