//! `alter audit`.

use std::io::Write as _;

use alter_domain::api::{AgentId, EventId, GrantId, UserId};
use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use http_body_util::BodyExt as _;
use jiff::Timestamp;

use crate::cli::{
    context::Context,
    error::{CliError, Result},
    portal::{Paging, Query},
    table::Column,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  alter audit list --limit 20
  alter audit list --grant GRANT --outcome denied
  alter audit list --event grant.revoked --since 2030-01-01T00:00:00Z
  alter audit export --format csv > audit.csv
  alter audit list --all --output jsonl | jq .path";

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Lists events, the newest first
    #[command(after_help = EXAMPLES)]
    List {
        #[command(flatten)]
        filter: Filter,
        /// The oldest first; a later run goes on with the last cursor
        #[arg(long)]
        oldest_first: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows one event
    Get { event: EventId },
    /// Writes events to standard output, as CSV or JSON lines
    Export {
        #[arg(long, value_enum, default_value_t)]
        format: ExportFormat,
        #[command(flatten)]
        filter: Filter,
        /// The oldest first
        #[arg(long)]
        oldest_first: bool,
    },
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum ExportFormat {
    #[default]
    Csv,
    Jsonl,
}

/// All conditions hold at once.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Filter {
    #[arg(long)]
    grant: Option<GrantId>,
    /// An end user
    #[arg(long)]
    user: Option<UserId>,
    /// An agent that acted, or that owns the grant
    #[arg(long)]
    agent: Option<AgentId>,
    #[arg(long, value_parser = ["user", "group", "system", "agent"])]
    principal_type: Option<String>,
    /// The slug of a managed secret
    #[arg(long)]
    provider: Option<String>,
    /// A kind of event such as call, grant.revoked or key.minted
    #[arg(long)]
    event: Option<String>,
    #[arg(long, value_parser = ["success", "denied", "provider_error", "network_error", "vault_error", "aborted"])]
    outcome: Option<String>,
    /// The acting key's prefix, or its beginning
    #[arg(long, value_name = "PREFIX")]
    key: Option<String>,
    /// Inclusive
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Exclusive
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// What concerns the organization as a whole, such as operators' tokens, instead of one app's record
    #[arg(long)]
    organization: bool,
}

impl Filter {
    fn query(self, oldest_first: bool) -> Query<'static> {
        // A whole key, given by mistake, is cut down to what is public.
        let prefix = |key: String| match alter_domain::auth::key_text::parse(&key) {
            Some(parsed) => parsed.public_part.to_string(),
            None => key,
        };
        vec![
            ("grant_id", self.grant.map(|id| id.to_string())),
            ("user_id", self.user.map(|id| id.to_string())),
            ("agent_id", self.agent.map(|id| id.to_string())),
            ("principal_type", self.principal_type),
            ("provider_id", self.provider),
            ("event", self.event),
            ("outcome", self.outcome),
            ("key_prefix", self.key.map(prefix)),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
            ("order", oldest_first.then(|| "asc".to_owned())),
        ]
    }
}

pub(crate) async fn run(context: &Context, command: AuditCommand) -> Result<()> {
    let portal = context.portal()?;
    match command {
        AuditCommand::List { filter, oldest_first, paging } => {
            let columns = [
                Column::new("TIME", "created_at"),
                Column::new("EVENT", "event"),
                Column::new("OUTCOME", "outcome"),
                Column::new("STATUS", "status"),
                Column::new("PROVIDER", "provider_id"),
                Column::new("METHOD", "method"),
                Column::flexible("HOST", "host"),
                Column::flexible("PATH", "path"),
                Column::flexible("REASON", "reason"),
                Column::new("ID", "id"),
            ];
            let organization = filter.organization;
            let path = if organization { "/audit".to_owned() } else { portal.in_app("/audit").await? };
            context.printer.list(&portal.list(&path, &filter.query(oldest_first), &paging).await?, &columns)
        }
        AuditCommand::Get { event } => {
            let path = portal.in_app(&format!("/audit/{event}")).await?;
            context.printer.show(&portal.get(&path, &Vec::new()).await?)
        }
        AuditCommand::Export { format, filter, oldest_first } => {
            let path = if filter.organization {
                "/audit/export".to_owned()
            } else {
                portal.in_app("/audit/export").await?
            };
            let mut query = filter.query(oldest_first);
            let format = match format {
                ExportFormat::Csv => "csv",
                ExportFormat::Jsonl => "jsonl",
            };
            query.push(("format", Some(format.to_owned())));
            let mut body = portal.send(Method::GET, &path, &query, None::<&()>).await?.into_body();
            let mut out = std::io::stdout().lock();
            while let Some(frame) = body.frame().await {
                let broken = |error| {
                    CliError::failure("export_broken", format!("The export is not complete: {error}."))
                };
                if let Ok(data) = frame.map_err(broken)?.into_data() {
                    out.write_all(&data)?;
                }
            }
            Ok(out.flush()?)
        }
    }
}
