//! `alter key`.

use std::path::PathBuf;

use alter_domain::{
    api::{
        KeyId,
        portal::{MintKey, RotateKey},
    },
    auth::key_text,
};
use clap::Subcommand;

use super::agent::agent_id;
use crate::cli::{
    context::Context,
    error::Result,
    expiry::{Expiry, Span},
    portal::{Paging, Portal, id_of, one},
    table::Column,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  alter key mint backend --save backend.key
  alter key mint reader --scope grants:read --scope audit_logs:read --expires 30d
  alter key mint nightly --agent research-bot --save bot.key
  alter key rotate backend --grace 2h --save backend-2.key
  alter key revoke alter_key_app_AbCdEfGhIjKl

A key is shown once, when it is minted or rotated. --save puts it into a file (mode 0600) and shows nothing.
KEY is the key's id, its prefix, or its name when only one active key has it.";

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Makes a key of the app, or of one of its agents
    #[command(after_help = EXAMPLES)]
    Mint {
        name: String,
        /// The agent that the key acts as
        #[arg(long)]
        agent: Option<String>,
        /// What the key may do; may be repeated. By default: call, see and end grants, read the record
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// When the key stops working: 12h, 30d, or a time
        #[arg(long, value_name = "WHEN")]
        expires: Option<Expiry>,
        /// Writes the key into a new file instead of showing it
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
    /// Lists the app's keys, without their secret part
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows a key, without its secret part
    Get { key: String },
    /// Makes a new key in the place of one, which goes on working for a while
    #[command(after_help = EXAMPLES)]
    Rotate {
        key: String,
        /// For how long the old key goes on working: 0s to 30d, by default 1d
        #[arg(long, value_name = "SPAN")]
        grace: Option<Span>,
        /// What the new key may do; by default the same
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// Writes the key into a new file instead of showing it
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
    /// Ends a key: the very next call with it fails
    Revoke { key: String },
}

pub(crate) async fn run(context: &Context, command: KeyCommand) -> Result<()> {
    let portal = context.portal()?;
    match command {
        KeyCommand::Mint { name, agent, scopes, expires, save } => {
            let agent_id = match agent {
                Some(agent) => Some(agent_id(&portal, &agent).await?),
                None => None,
            };
            let (expires_at, expires_in) = expires.map(Expiry::for_wire).unwrap_or_default();
            let scopes = (!scopes.is_empty()).then_some(scopes);
            let path = portal.in_app("/keys").await?;
            let save = context.place_for_secret(save.as_deref())?;
            let mint = MintKey { name, scopes, agent_id, expires_at, expires_in };
            context.show_once(portal.post(&path, &Vec::new(), &mint).await?, "api_key", save)
        }
        KeyCommand::List { paging } => {
            let columns = [
                Column::new("KEY ID", "key_id"),
                Column::new("PREFIX", "key_prefix"),
                Column::flexible("NAME", "name"),
                Column::new("STATUS", "status"),
                Column::new("AGENT", "agent_id"),
                Column::new("EXPIRES", "expires_at"),
            ];
            let path = portal.in_app("/keys").await?;
            context.printer.list(&portal.list(&path, &Vec::new(), &paging).await?, &columns)
        }
        KeyCommand::Get { key } => {
            let path = one_key(&portal, &key).await?;
            context.printer.show(&portal.get(&path, &Vec::new()).await?)
        }
        KeyCommand::Rotate { key, grace, scopes, save } => {
            let path = one_key(&portal, &key).await?;
            let save = context.place_for_secret(save.as_deref())?;
            let grace_seconds = grace.map(|Span(seconds)| seconds);
            let rotate = RotateKey { grace_seconds, scopes: (!scopes.is_empty()).then_some(scopes) };
            let answer = portal.post(&format!("{path}/rotate"), &Vec::new(), &rotate).await?;
            context.show_once(answer, "api_key", save)
        }
        KeyCommand::Revoke { key } => {
            let path = one_key(&portal, &key).await?;
            context.printer.show(&portal.delete(&path, &Vec::new()).await?)
        }
    }
}

/// The path of a key by its id, its prefix or its name. A whole key, given by mistake, is cut down to its prefix before
/// it goes anywhere.
async fn one_key(portal: &Portal, text: &str) -> Result<String> {
    let id: KeyId = match text.parse() {
        Ok(id) => id,
        Err(_) => {
            let prefix = key_text::parse(text).map(|key| key.public_part.to_string());
            let text = prefix.as_deref().unwrap_or(text);
            let path = portal.in_app("/keys").await?;
            let keys = portal.list(&path, &Vec::new(), &Paging::everything()).await?.items;
            let is_it = |name: &str, key: &crate::cli::Json| key.text(name) == Some(text);
            let key = match keys.iter().find(|key| is_it("key_prefix", key)) {
                Some(key) => key.clone(),
                None => {
                    let usable = |key: &crate::cli::Json| {
                        matches!(key.text("status"), Some("active" | "rotated_in_grace" | "expired"))
                    };
                    one(keys, |key| is_it("name", key) && usable(key), &format!("key {text:?}"))?
                }
            };
            id_of(&key, "key_id")?
        }
    };
    portal.in_app(&format!("/keys/{id}")).await
}
