//! `alter grant`.

use alter_domain::api::{
    GrantId, IdpId, UserId,
    portal::{CreateGrant, GrantPolicyInput, PrincipalView, RevokeGrant},
};
use clap::{ArgGroup, Subcommand};

use super::{agent::agent_id, secret::secret_id};
use crate::cli::{
    context::Context,
    error::{CliError, Result},
    expiry::{Expiry, Span},
    portal::Paging,
    table::Column,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  alter grant issue stripe --system --label 'nightly report'
  alter grant issue stripe --agent research-bot --expires 30d
  alter grant issue crm --user 018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90 --label 'CRM of Anna'
  alter grant list --status active
  alter grant revoke GRANT --reason 'left the team'

A revoked grant stops the very next call. Access comes back only as a new grant.";

#[derive(Subcommand)]
pub(crate) enum GrantCommand {
    /// Lets someone use a managed secret
    #[command(group = ArgGroup::new("principal").required(true), after_help = EXAMPLES)]
    Issue {
        /// The managed secret, by slug or id
        secret: String,
        /// For the app itself: whoever holds its key
        #[arg(long, group = "principal")]
        system: bool,
        /// For one agent, by id or name
        #[arg(long, group = "principal", value_name = "AGENT")]
        agent: Option<String>,
        /// For one end user
        #[arg(long, group = "principal", value_name = "USER")]
        user: Option<UserId>,
        /// For a group of the identity provider, now and future members
        #[arg(long, group = "principal", requires = "idp", value_name = "GROUP")]
        group: Option<String>,
        /// The group's identity provider
        #[arg(long, requires = "group", value_name = "IDP")]
        idp: Option<IdpId>,
        /// What people read; a user's or group's grant needs one
        #[arg(long)]
        label: Option<String>,
        /// When it ends: 12h, 30d, or a time
        #[arg(long, value_name = "WHEN")]
        expires: Option<Expiry>,
        /// The longest life that it may ever be given
        #[arg(long, value_name = "SPAN")]
        max_ttl: Option<Span>,
    },
    /// Lists grants
    List {
        /// Those on one managed secret, by slug, or on one OAuth provider, by id
        #[arg(long, value_name = "PROVIDER")]
        provider: Option<String>,
        #[arg(long, value_parser = ["active", "expired", "revoked"])]
        status: Option<String>,
        #[arg(long, value_parser = ["user", "group", "system", "agent"])]
        principal_type: Option<String>,
        /// Those of one agent, by id or name
        #[arg(long)]
        agent: Option<String>,
        /// Those of one end user
        #[arg(long)]
        user: Option<UserId>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows a grant
    Get { grant: GrantId },
    /// Ends a grant: the very next call with it fails
    Revoke {
        grant: GrantId,
        /// Kept on the record
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(crate) async fn run(context: &Context, command: GrantCommand) -> Result<()> {
    let portal = context.portal()?;
    let answer = match command {
        GrantCommand::Issue { secret, system: _, agent, user, group, idp, label, expires, max_ttl } => {
            let principal = match (agent, user, group, idp) {
                (Some(agent), ..) => PrincipalView::Agent { agent_id: agent_id(&portal, &agent).await? },
                (None, Some(user_id), ..) => PrincipalView::User { user_id },
                (None, None, Some(external_group_id), Some(idp_id)) => {
                    PrincipalView::Group { idp_id, external_group_id }
                }
                _ => PrincipalView::System {},
            };
            let grant_policy = policy(context, expires, max_ttl)?;
            let secret_id = secret_id(&portal, &secret).await?;
            let path = portal.in_app("/grants").await?;
            portal
                .post(&path, &Vec::new(), &CreateGrant { secret_id, principal, label, grant_policy })
                .await?
        }
        GrantCommand::List { provider, status, principal_type, agent, user, paging } => {
            let mut query = vec![
                ("status", status),
                ("principal_type", principal_type),
                ("user_id", user.map(|id| id.to_string())),
                ("provider_id", provider),
            ];
            if let Some(agent) = agent {
                query.push(("agent_id", Some(agent_id(&portal, &agent).await?.to_string())));
            }
            let columns = [
                Column::new("GRANT ID", "grant_id"),
                Column::new("PROVIDER", "provider_id"),
                Column::new("FOR", "principal"),
                Column::flexible("ACCOUNT", "connection.account_identifier"),
                Column::flexible("LABEL", "label"),
                Column::new("STATUS", "status"),
                Column::new("EXPIRES", "grant_policy.expires_at"),
            ];
            let path = portal.in_app("/grants").await?;
            return context.printer.list(&portal.list(&path, &query, &paging).await?, &columns);
        }
        GrantCommand::Get { grant } => {
            portal.get(&portal.in_app(&format!("/grants/{grant}")).await?, &Vec::new()).await?
        }
        GrantCommand::Revoke { grant, reason } => {
            let path = portal.in_app(&format!("/grants/{grant}/revoke")).await?;
            portal.post(&path, &Vec::new(), &RevokeGrant { reason }).await?
        }
    };
    context.printer.show(&answer)
}

fn policy(
    context: &Context,
    expires: Option<Expiry>,
    max_ttl: Option<Span>,
) -> Result<Option<GrantPolicyInput>> {
    if expires.is_none() && max_ttl.is_none() {
        return Ok(None);
    }
    let expires_at = match expires {
        Some(Expiry::At(at)) if at <= context.now() => {
            return Err(CliError::usage("--expires lies in the past."));
        }
        Some(Expiry::At(at)) => Some(at),
        Some(Expiry::In(_)) | None => None,
    };
    // A span is counted from the vault's clock, not from ours.
    let default_ttl_seconds = match expires {
        Some(Expiry::In(Span(seconds))) => Some(seconds),
        _ => None,
    };
    let max_ttl_seconds = max_ttl.map(|Span(seconds)| seconds);
    Ok(Some(GrantPolicyInput { expires_at, max_ttl_seconds, default_ttl_seconds }))
}
