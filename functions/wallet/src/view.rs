//! From the domain's values to what the page shows. Names, labels, accounts, scopes and reasons are passed on word for word: the
//! page shows them as text.

use alter_api_types::{
    UserId,
    wallet::{
        Account, AgentCard, Ended, GrantCard, GrantDetail, Holder, Overview, Reconnect, RevokeReceipt,
        ScopeCard,
    },
};
use alter_domain::{
    flow::{
        connect::PublicUrl,
        wallet::{self, Held, Holding, Holdings, app_card},
    },
    model::{Agent, AgentState, ConnectionState, GrantState},
    web::grants::{kind, provider_revocation, status, surface},
};
use jiff::Timestamp;

pub(crate) fn overview(url: &PublicUrl, user_id: UserId, holdings: Holdings, now: Timestamp) -> Overview {
    Overview {
        user_id,
        apps: holdings.apps.iter().map(|app| app_card(url, app)).collect(),
        agents: holdings.agents.into_iter().map(agent).collect(),
        grants: holdings.grants.into_iter().map(|held| grant(held, now)).collect(),
        truncated: holdings.truncated,
        pending_approvals: 0,
        now,
    }
}

pub(crate) fn detail(url: &PublicUrl, holding: Holding, now: Timestamp) -> GrantDetail {
    GrantDetail {
        app: app_card(url, &holding.app),
        support_email: holding.app.support_email,
        grant: grant(holding.held, now),
        siblings: holding.siblings.into_iter().map(|held| grant(held, now)).collect(),
        agents: holding.agents.into_iter().map(agent).collect(),
        now,
    }
}

pub(crate) fn receipt(ended: wallet::Ended, now: Timestamp) -> RevokeReceipt {
    RevokeReceipt { grant: grant(ended.holding.held, now), ended_with_it: ended.ended_with_it }
}

pub(crate) fn grant(held: Held, now: Timestamp) -> GrantCard {
    let (may_revoke, extendable_to) = (held.may_revoke(), held.extendable_to(now));
    let (reconnect, ended) = (reconnect(&held), ended(&held));
    let account = held.connection.and_then(|connection| connection.account);
    let grant = held.grant;
    GrantCard {
        grant_id: grant.id,
        app_id: grant.app_id,
        status: status(grant.status(now)),
        kind: kind(grant.source),
        connection_id: grant.source.connection_id(),
        provider_id: grant.provider_id,
        provider_name: held.provider_name,
        holder: match held.holder {
            wallet::Holder::You => Holder::You,
            wallet::Holder::Group { name } => Holder::Group { name },
            wallet::Holder::Agent { agent_id } => Holder::Agent { agent_id },
        },
        label: grant.label,
        account: account
            .map(|account| Account { identifier: account.identifier, display_name: account.display_name }),
        scopes: held.scopes.into_iter().map(|(scope, words)| ScopeCard { scope, words }).collect(),
        reconnect,
        created_at: grant.created_at,
        expires_at: grant.policy.expires_at,
        last_used_at: held.last_used_at,
        agent_ids: held.agent_ids,
        may_revoke,
        extendable_to,
        ended,
    }
}

/// Only for what somebody could use otherwise: what has ended is not brought back by connecting again.
fn reconnect(held: &Held) -> Option<Reconnect> {
    if held.grant.state != GrantState::Active {
        return None;
    }
    held.grant.source.connection_id()?;
    match held.connection.as_ref().map(|connection| &connection.state) {
        Some(ConnectionState::Broken { at, code }) => {
            Some(Reconnect { since: Some(*at), cause: code.clone() })
        }
        Some(ConnectionState::Active) => None,
        // What is not there cannot be used.
        Some(ConnectionState::Revoked { .. }) | None => {
            Some(Reconnect { since: None, cause: "connection_gone".to_owned() })
        }
    }
}

fn ended(held: &Held) -> Option<Ended> {
    let GrantState::Revoked { at, from, reason } = &held.grant.state else { return None };
    let told = match held.connection_end() {
        Some(ConnectionState::Revoked { receipt, .. }) => Some(provider_revocation(receipt)),
        Some(ConnectionState::Active | ConnectionState::Broken { .. }) | None => None,
    };
    Some(Ended {
        at: *at,
        from: surface(*from),
        reason: reason.clone(),
        tokens_deleted: told.is_some(),
        provider_revocation: told,
    })
}

pub(crate) fn agent(agent: Agent) -> AgentCard {
    AgentCard {
        agent_id: agent.id,
        app_id: agent.app_id,
        name: agent.name.as_str().to_owned(),
        display_name: agent.display_name,
        active: agent.state == AgentState::Active,
    }
}
