//! The only files that spell keys: this one, and for identity providers and users `keyspace/identity.rs`.
//!
//! Main: `org#…`, `app#…`, `key#<public part>`, `grant#…`, `connection#…`, `connect#…`, `oauth-state#…`, `revocation#…`,
//! `pat#<public part>`, `nonce#…`, `user#…`, `sub#…`, `idp#…`, `issuer#…`, `deprovision#…`, `sign-in#…`,
//! `wallet#…`. Vault: `credential#…`, `revocation#…`,
//! `signing#<public part>`, `webhook#…`. Audit: `audit#<app>#<month>#<shard>`, `used#<grant>`.
//! Sort parts that begin with an id order by creation, because ids are UUIDv7.

mod identity;

use alter_api_types::{
    AgentId, AppId, ConnectSessionId, ConnectionId, CredentialId, EventId, GrantId, KeyId, OrgId,
    RevocationId, SecretId, UserId,
};
use jiff::{Timestamp, tz::TimeZone};
use ring::digest::{SHA256, digest};

use crate::{
    model::Principal,
    port::{IndexKey, Key},
};

pub use identity::*;

/// How many partitions share one app's audit rows of a month, so that a busy app does not heat one partition.
pub const AUDIT_SHARDS: u8 = 4;

pub fn org(id: OrgId) -> Key {
    Key::new(format!("org#{id}"), "org")
}

/// Where the first organization of an installation is noted.
pub fn installation() -> Key {
    Key::new("installation", "installation")
}

pub fn app(id: AppId) -> Key {
    Key::new(format!("app#{id}"), "app")
}

/// An organization's apps.
pub fn org_apps(org: OrgId) -> String {
    format!("org#{org}/apps")
}

pub fn org_app(org: OrgId, app: AppId) -> IndexKey {
    Key::new(org_apps(org), app.to_string())
}

/// Apps that the Wallet's sign-in page offers to everybody, over all organizations.
pub fn wallet_listed() -> String {
    "wallet-listed".to_owned()
}

pub fn wallet_listed_app(app: AppId) -> IndexKey {
    Key::new(wallet_listed(), app.to_string())
}

/// An app's logo: the picture's bytes.
pub fn app_logo(app: AppId) -> Key {
    Key::new(format!("app#{app}"), "logo")
}

pub fn api_key(public_part: &str) -> Key {
    Key::new(format!("key#{public_part}"), "key")
}

/// An app's API keys.
pub fn app_keys(app: AppId) -> String {
    format!("app#{app}/keys")
}

pub fn app_key(app: AppId, key: KeyId) -> IndexKey {
    Key::new(app_keys(app), key.to_string())
}

/// An agent's API keys.
pub fn agent_keys(agent: AgentId) -> String {
    format!("agent#{agent}/keys")
}

pub fn agent_key(agent: AgentId, key: KeyId) -> IndexKey {
    Key::new(agent_keys(agent), key.to_string())
}

/// Written by whatever adds a key to the app, so that two who count the keys at once do not both add the last one.
pub fn key_quota(app: AppId) -> Key {
    Key::new(format!("app#{app}"), "key-quota")
}

pub fn signing_key(public_part: &str) -> Key {
    Key::new(format!("signing#{public_part}"), "signing")
}

pub fn agent(id: AgentId) -> Key {
    Key::new(format!("agent#{id}"), "agent")
}

/// An app's agents.
pub fn app_agents(app: AppId) -> String {
    format!("app#{app}/agents")
}

pub fn app_agent(app: AppId, agent: AgentId) -> IndexKey {
    Key::new(app_agents(app), agent.to_string())
}

/// Holds an agent's name against a second agent of the app.
pub fn agent_name(app: AppId, name: &str) -> Key {
    Key::new(format!("app#{app}"), format!("agent-name#{name}"))
}

pub fn secret(id: SecretId) -> Key {
    Key::new(format!("secret#{id}"), "secret")
}

/// An app's managed secrets.
pub fn app_secrets(app: AppId) -> String {
    format!("app#{app}/secrets")
}

pub fn app_secret(app: AppId, secret: SecretId) -> IndexKey {
    Key::new(app_secrets(app), secret.to_string())
}

/// Holds a slug against a second managed secret of the app; its body names the secret.
pub fn secret_slug(app: AppId, slug: &str) -> Key {
    Key::new(format!("app#{app}"), format!("slug#{slug}"))
}

pub fn credential(id: CredentialId) -> Key {
    Key::new(format!("credential#{id}"), "credential")
}

pub fn grant(id: GrantId) -> Key {
    Key::new(format!("grant#{id}"), "grant")
}

/// An app's grants.
pub fn app_grants(app: AppId) -> String {
    format!("app#{app}/grants")
}

pub fn app_grant(app: AppId, grant: GrantId) -> IndexKey {
    Key::new(app_grants(app), grant.to_string())
}

/// A managed secret's grants.
pub fn secret_grants(secret: SecretId) -> String {
    format!("secret#{secret}/grants")
}

pub fn secret_grant(secret: SecretId, grant: GrantId) -> IndexKey {
    Key::new(secret_grants(secret), grant.to_string())
}

/// A connection's grants.
pub fn connection_grants(connection: ConnectionId) -> String {
    format!("connection#{connection}/grants")
}

pub fn connection_grant(connection: ConnectionId, grant: GrantId) -> IndexKey {
    Key::new(connection_grants(connection), grant.to_string())
}

/// An app's OAuth providers, which sort by their ids.
pub fn app_providers(app: AppId) -> String {
    format!("app#{app}/providers")
}

pub fn provider_config(app: AppId, provider_id: &str) -> Key {
    Key::new(app_providers(app), provider_id)
}

pub fn connection(id: ConnectionId) -> Key {
    Key::new(format!("connection#{id}"), "connection")
}

/// An app's connections through one provider.
pub fn provider_connections(app: AppId, provider_id: &str) -> String {
    format!("app#{app}/connections#{provider_id}")
}

pub fn provider_connection(app: AppId, provider_id: &str, connection: ConnectionId) -> IndexKey {
    Key::new(provider_connections(app, provider_id), connection.to_string())
}

/// An app's connections through one provider that are over, and whose end the provider is being told.
pub fn ending_connections(app: AppId, provider_id: &str) -> String {
    format!("app#{app}/ending#{provider_id}")
}

pub fn ending_connection(app: AppId, provider_id: &str, connection: ConnectionId) -> IndexKey {
    Key::new(ending_connections(app, provider_id), connection.to_string())
}

/// Holds an account at a provider against a second connection of the same principal; its body names the connection. `account` is
/// what tells it from all others, not what it is called.
pub fn account(app: AppId, principal: &Principal, provider_id: &str, account: &str) -> Key {
    let hash = hex::encode(digest(&SHA256, account.as_bytes()));
    Key::new(format!("{}/accounts", principal_grants(app, principal)), format!("{provider_id}#{hash}"))
}

/// How many partitions share the lists of what is due, so that none of them gets hot.
pub const DUE_SHARDS: u8 = 4;

/// Connections whose refresh tokens have to be used before they idle out, by when.
pub fn keep_alive_due(shard: u8) -> String {
    format!("keep-alive#{shard}")
}

pub fn keep_alive(at: Timestamp, connection: ConnectionId) -> IndexKey {
    Key::new(keep_alive_due(due_shard(connection.as_bytes())), due(at, connection))
}

/// When an expired grant on a connection is revoked; it lies beside the grant.
pub fn grant_end(id: GrantId) -> Key {
    Key::new(format!("grant#{id}"), "end")
}

/// Grants on connections that have an expiry, by when they are revoked for it.
pub fn grant_ends(shard: u8) -> String {
    format!("grant-ends#{shard}")
}

pub fn grant_ends_at(at: Timestamp, grant: GrantId) -> IndexKey {
    Key::new(grant_ends(due_shard(grant.as_bytes())), due(at, grant))
}

/// Revocations that providers have to be told of, by when.
pub fn revocations_due(shard: u8) -> String {
    format!("revocations#{shard}")
}

pub fn revocation_due(at: Timestamp, revocation: RevocationId) -> IndexKey {
    Key::new(revocations_due(due_shard(revocation.as_bytes())), due(at, revocation))
}

/// The sort part before which everything is due at this moment.
pub fn due_before(now: Timestamp) -> String {
    format!("{:020}~", now.as_millisecond().max(0))
}

fn due(at: Timestamp, id: impl std::fmt::Display) -> String {
    format!("{:020}#{id}", at.as_millisecond().max(0))
}

fn due_shard(id: &[u8; 16]) -> u8 {
    id.last().copied().unwrap_or(0) % DUE_SHARDS
}

/// The same key in the main table (the task) and in the vault table (its sealed tokens).
pub fn revocation(id: RevocationId) -> Key {
    Key::new(format!("revocation#{id}"), "revocation")
}

pub fn connect_session(id: ConnectSessionId) -> Key {
    Key::new(format!("connect#{id}"), "session")
}

/// One authorization request under way; `digest` is that of its `state`.
pub fn oauth_state(digest: &str) -> Key {
    Key::new(format!("oauth-state#{digest}"), "state")
}

/// The grants of one principal in an app. System grants share one partition, which no call by provider ever reads.
pub fn principal_grants(app: AppId, principal: &Principal) -> String {
    match principal {
        Principal::User { user_id } => format!("app#{app}/user#{user_id}"),
        Principal::Group { idp_id, external_group_id } => {
            format!("app#{app}/group#{idp_id}#{external_group_id}")
        }
        Principal::System => format!("app#{app}/system"),
        Principal::Agent { agent_id } => format!("app#{app}/agent#{agent_id}"),
    }
}

/// A principal's grants sort by provider, then by creation.
pub fn principal_grant(app: AppId, principal: &Principal, provider_id: &str, grant: GrantId) -> IndexKey {
    Key::new(principal_grants(app, principal), format!("{}{grant}", provider_prefix(provider_id)))
}

pub fn provider_prefix(provider_id: &str) -> String {
    format!("{provider_id}#")
}

/// Holds a label against a sibling: two grants on one credential for one principal kind read differently.
pub fn grant_label(credential: CredentialId, label: &str) -> Key {
    Key::new(format!("credential#{credential}/labels"), format!("label#{label}"))
}

/// A used nonce of a key.
pub fn nonce(key: KeyId, nonce: &str) -> Key {
    Key::new(format!("nonce#{key}#{nonce}"), "nonce")
}

pub fn operator_token(public_part: &str) -> Key {
    Key::new(format!("pat#{public_part}"), "pat")
}

/// An organization's operator tokens.
pub fn org_tokens(org: OrgId) -> String {
    format!("org#{org}/pats")
}

/// The month in which an event falls, as `2026-11`; audit partitions are cut by it.
pub fn audit_month(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string()
}

pub fn audit_shard(event: EventId) -> u8 {
    event.as_bytes().last().copied().unwrap_or(0) % AUDIT_SHARDS
}

/// Events of `scope` (an app, or an organization for what concerns no app) in one month and shard.
pub fn audit_partition(scope: &str, month: &str, shard: u8) -> String {
    format!("audit#{scope}#{month}#{shard}")
}

pub fn audit_scope_app(app: AppId) -> String {
    format!("app#{app}")
}

pub fn audit_scope_org(org: OrgId) -> String {
    format!("org#{org}")
}

pub fn audit_event(scope: &str, at: Timestamp, event: EventId) -> Key {
    Key::new(audit_partition(scope, &audit_month(at), audit_shard(event)), event.to_string())
}

/// All events of a grant.
pub fn audit_of_grant(grant: GrantId) -> String {
    format!("audit-grant#{grant}")
}

/// All events of an agent.
pub fn audit_of_agent(agent: AgentId) -> String {
    format!("audit-agent#{agent}")
}

/// All events of a user, over all apps.
pub fn audit_of_user(user: UserId) -> String {
    format!("audit-user#{user}")
}

/// When a grant was last used; written by the audit-writer, so that the call path writes no configuration.
pub fn last_used(grant: GrantId) -> Key {
    Key::new(format!("used#{grant}"), "used")
}
