//! `alter agent`.

use alter_domain::api::{AgentId, portal::CreateAgent};
use clap::Subcommand;

use crate::cli::{
    context::Context,
    error::Result,
    portal::{Paging, Portal, id_of, one},
    table::Column,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  alter agent create research-bot --display-name 'Research bot'
  alter key mint nightly --agent research-bot --save bot.key
  alter agent revoke research-bot

AGENT is the agent's id or name.";

#[derive(Subcommand)]
pub(crate) enum AgentCommand {
    /// Makes an agent
    Create {
        /// Lowercase letters, digits, - and _
        name: String,
        #[arg(long)]
        display_name: Option<String>,
    },
    /// Lists the app's agents
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows an agent
    Get { agent: String },
    /// Ends an agent: its keys and grants stop working with it, for good
    Revoke { agent: String },
}

pub(crate) async fn run(context: &Context, command: AgentCommand) -> Result<()> {
    let portal = context.portal()?;
    let answer = match command {
        AgentCommand::Create { name, display_name } => {
            let path = portal.in_app("/agents").await?;
            portal.post(&path, &Vec::new(), &CreateAgent { name, display_name }).await?
        }
        AgentCommand::List { paging } => {
            let columns = [
                Column::new("AGENT ID", "agent_id"),
                Column::new("NAME", "name"),
                Column::flexible("DISPLAY NAME", "display_name"),
                Column::new("STATUS", "status"),
                Column::new("CREATED", "created_at"),
            ];
            let path = portal.in_app("/agents").await?;
            return context.printer.list(&portal.list(&path, &Vec::new(), &paging).await?, &columns);
        }
        AgentCommand::Get { agent } => {
            let id = agent_id(&portal, &agent).await?;
            portal.get(&portal.in_app(&format!("/agents/{id}")).await?, &Vec::new()).await?
        }
        AgentCommand::Revoke { agent } => {
            let id = agent_id(&portal, &agent).await?;
            portal.delete(&portal.in_app(&format!("/agents/{id}")).await?, &Vec::new()).await?
        }
    };
    context.printer.show(&answer)
}

/// An agent by id or name.
pub(super) async fn agent_id(portal: &Portal, text: &str) -> Result<AgentId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let path = portal.in_app("/agents").await?;
    let agents = portal.list(&path, &Vec::new(), &Paging::everything()).await?.items;
    id_of(&one(agents, |agent| agent.text("name") == Some(text), &format!("agent {text:?}"))?, "agent_id")
}
