//! What the API answers (`alter_api_types::wallet`), read from JSON. Fields that no page shows are not looked at.

use alter_api_types::{
    AgentId, AppId, EventId, GrantId, Timestamp,
    portal::{GrantKind, GrantStatus, ProviderRevocation, RevocationStatus, Surface},
    wallet::{
        Account, ActivityCounts, AgentCard, AppCard, ApprovalCard, Approvals, Branding, CountBucket, Ended,
        GrantCard, GrantDetail, Holder, Overview, Reconnect, RevokeReceipt, ScopeCard, SessionView,
        SignInOptions, SignedOut,
    },
};

use crate::json::{Json, Read, Unreadable};

/// A row of the record (`alter_api_types::wallet::ActivityRow`), as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: EventId,
    pub created_at: Timestamp,
    pub event: String,
    pub outcome: String,
    pub app_id: Option<AppId>,
    pub actor_type: String,
    pub caller: Option<String>,
    pub agent_id: Option<AgentId>,
    pub surface: Option<String>,
    pub grant_id: Option<GrantId>,
    pub grant_label: Option<String>,
    pub provider_id: Option<String>,
    pub principal_agent_id: Option<AgentId>,
    pub method: Option<String>,
    pub host: Option<String>,
    pub path: Option<String>,
    pub status: Option<u16>,
    pub error_code: Option<String>,
    pub latency_ms: Option<u64>,
    pub request_bytes: Option<u64>,
    pub response_bytes: Option<u64>,
    pub reason: Option<String>,
    pub context: Vec<(String, String)>,
    pub detail: Vec<(String, String)>,
}

/// A page of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    pub items: Vec<Row>,
    pub next_cursor: Option<String>,
    /// The agents that occur in these rows.
    pub agents: Vec<AgentCard>,
}

pub fn session(it: &Json<'_>) -> Read<SessionView> {
    Ok(SessionView {
        user_id: it.parsed("user_id")?,
        name: it.maybe_text("name")?,
        email: it.maybe_text("email")?,
        subject: it.text("subject")?,
        issuer: it.text("issuer")?,
        app: app(it.get("app"))?,
        csrf_token: it.text("csrf_token")?,
        expires_at: it.parsed("expires_at")?,
        idle_seconds: it.number("idle_seconds")?,
    })
}

pub fn sign_in_options(it: &Json<'_>) -> Read<SignInOptions> {
    Ok(SignInOptions { app: it.maybe("app", app)?, apps: it.list("apps", app)? })
}

pub fn signed_out(it: &Json<'_>) -> Read<SignedOut> {
    Ok(SignedOut { location: it.text("location")? })
}

pub fn overview(it: &Json<'_>) -> Read<Overview> {
    Ok(Overview {
        user_id: it.parsed("user_id")?,
        apps: it.list("apps", app)?,
        agents: it.list("agents", agent)?,
        grants: it.list("grants", grant)?,
        truncated: it.flag("truncated")?,
        pending_approvals: it.number("pending_approvals")?,
        now: it.parsed("now")?,
    })
}

pub fn detail(it: &Json<'_>) -> Read<GrantDetail> {
    Ok(GrantDetail {
        app: app(it.get("app"))?,
        grant: grant(it.get("grant"))?,
        siblings: it.list("siblings", grant)?,
        agents: it.list("agents", agent)?,
        support_email: it.maybe_text("support_email")?,
        now: it.parsed("now")?,
    })
}

pub fn receipt(it: &Json<'_>) -> Read<RevokeReceipt> {
    Ok(RevokeReceipt {
        grant: grant(it.get("grant"))?,
        ended_with_it: it.list("ended_with_it", Json::read::<GrantId>)?,
    })
}

pub fn grant(it: &Json<'_>) -> Read<GrantCard> {
    Ok(GrantCard {
        grant_id: it.parsed("grant_id")?,
        app_id: it.parsed("app_id")?,
        provider_id: it.text("provider_id")?,
        provider_name: it.text("provider_name")?,
        kind: one_of(
            it.get("kind"),
            &[("oauth", GrantKind::Oauth), ("managed_secret", GrantKind::ManagedSecret)],
        )?,
        connection_id: it.maybe_parsed("connection_id")?,
        holder: holder(it.get("holder"))?,
        label: it.maybe_text("label")?,
        account: it.maybe("account", account)?,
        scopes: it.list("scopes", scope)?,
        status: one_of(
            it.get("status"),
            &[
                ("active", GrantStatus::Active),
                ("expired", GrantStatus::Expired),
                ("revoked", GrantStatus::Revoked),
            ],
        )?,
        reconnect: it.maybe("reconnect", reconnect)?,
        created_at: it.parsed("created_at")?,
        expires_at: it.maybe_parsed("expires_at")?,
        last_used_at: it.maybe_parsed("last_used_at")?,
        agent_ids: it.list("agent_ids", Json::read::<AgentId>)?,
        may_revoke: it.flag("may_revoke")?,
        extendable_to: it.maybe_parsed("extendable_to")?,
        ended: it.maybe("ended", ended)?,
    })
}

pub fn rows(it: &Json<'_>) -> Read<Rows> {
    Ok(Rows {
        items: it.list("items", row)?,
        next_cursor: it.maybe_text("next_cursor")?,
        agents: it.maybe("agents", |it| it.each(agent))?.unwrap_or_default(),
    })
}

pub fn row(it: &Json<'_>) -> Read<Row> {
    Ok(Row {
        id: it.parsed("id")?,
        created_at: it.parsed("created_at")?,
        event: it.text("event")?,
        outcome: it.text("outcome")?,
        app_id: it.maybe_parsed("app_id")?,
        actor_type: it.text("actor_type")?,
        caller: it.maybe_text("caller")?,
        agent_id: it.maybe_parsed("agent_id")?,
        surface: it.maybe_text("surface")?,
        grant_id: it.maybe_parsed("grant_id")?,
        grant_label: it.maybe_text("grant_label")?,
        provider_id: it.maybe_text("provider_id")?,
        principal_agent_id: it.maybe_parsed("principal_agent_id")?,
        method: it.maybe_text("method")?,
        host: it.maybe_text("host")?,
        path: it.maybe_text("path")?,
        status: it.maybe_number("status")?,
        error_code: it.maybe_text("error_code")?,
        latency_ms: it.maybe_number("latency_ms")?,
        request_bytes: it.maybe_number("request_bytes")?,
        response_bytes: it.maybe_number("response_bytes")?,
        reason: it.maybe_text("reason")?,
        context: it.pairs("context")?,
        detail: it.pairs("detail")?,
    })
}

pub fn counts(it: &Json<'_>) -> Read<ActivityCounts> {
    Ok(ActivityCounts { buckets: it.list("buckets", bucket)?, next_cursor: it.maybe_text("next_cursor")? })
}

pub fn approvals(it: &Json<'_>) -> Read<Approvals> {
    Ok(Approvals { items: it.list("items", approval)? })
}

fn app(it: &Json<'_>) -> Read<AppCard> {
    let looks = it.get("branding");
    Ok(AppCard {
        app_id: it.parsed("app_id")?,
        name: it.text("name")?,
        description: it.maybe_text("description")?,
        website_url: it.maybe_text("website_url")?,
        branding: Branding {
            logo_url: looks.maybe_text("logo_url")?,
            color: looks.maybe_text("color")?,
            color_dark: looks.maybe_text("color_dark")?,
        },
    })
}

fn agent(it: &Json<'_>) -> Read<AgentCard> {
    Ok(AgentCard {
        agent_id: it.parsed("agent_id")?,
        app_id: it.parsed("app_id")?,
        name: it.text("name")?,
        display_name: it.maybe_text("display_name")?,
        active: it.flag("active")?,
    })
}

fn holder(it: &Json<'_>) -> Read<Holder> {
    Ok(match it.get("type").as_text()? {
        "you" => Holder::You,
        "group" => Holder::Group { name: it.text("name")? },
        "agent" => Holder::Agent { agent_id: it.parsed("agent_id")? },
        _ => return Err(Unreadable),
    })
}

fn account(it: &Json<'_>) -> Read<Account> {
    Ok(Account { identifier: it.text("identifier")?, display_name: it.maybe_text("display_name")? })
}

fn scope(it: &Json<'_>) -> Read<ScopeCard> {
    Ok(ScopeCard { scope: it.text("scope")?, words: it.maybe_text("words")? })
}

fn reconnect(it: &Json<'_>) -> Read<Reconnect> {
    Ok(Reconnect { since: it.maybe_parsed("since")?, cause: it.text("cause")? })
}

fn ended(it: &Json<'_>) -> Read<Ended> {
    Ok(Ended {
        at: it.parsed("at")?,
        from: one_of(
            it.get("from"),
            &[
                ("sdk", Surface::Sdk),
                ("portal", Surface::Portal),
                ("wallet", Surface::Wallet),
                ("webhook", Surface::Webhook),
                ("connect", Surface::Connect),
                ("vault", Surface::Vault),
            ],
        )?,
        reason: it.maybe_text("reason")?,
        tokens_deleted: it.flag("tokens_deleted")?,
        provider_revocation: it.maybe("provider_revocation", revocation)?,
    })
}

fn revocation(it: &Json<'_>) -> Read<ProviderRevocation> {
    Ok(ProviderRevocation {
        status: one_of(
            it.get("status"),
            &[
                ("pending", RevocationStatus::Pending),
                ("revoked", RevocationStatus::Revoked),
                ("not_supported", RevocationStatus::NotSupported),
                ("superseded", RevocationStatus::Superseded),
                ("failed", RevocationStatus::Failed),
            ],
        )?,
        at: it.maybe_parsed("at")?,
        reason: it.maybe_text("reason")?,
    })
}

fn bucket(it: &Json<'_>) -> Read<CountBucket> {
    Ok(CountBucket { at: it.parsed("at")?, calls: it.number("calls")?, failed: it.number("failed")? })
}

fn approval(it: &Json<'_>) -> Read<ApprovalCard> {
    Ok(ApprovalCard {
        approval_id: it.text("approval_id")?,
        app_id: it.parsed("app_id")?,
        agent_id: it.maybe_parsed("agent_id")?,
        grant_id: it.parsed("grant_id")?,
        provider_id: it.text("provider_id")?,
        method: it.text("method")?,
        url: it.text("url")?,
        payload: it.maybe_text("payload")?,
        reason: it.maybe_text("reason")?,
        created_at: it.parsed("created_at")?,
        expires_at: it.parsed("expires_at")?,
    })
}

fn one_of<T: Copy>(it: &Json<'_>, names: &[(&str, T)]) -> Read<T> {
    let name = it.as_text()?;
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value).ok_or(Unreadable)
}

#[cfg(test)]
mod tests;
