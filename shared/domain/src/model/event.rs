//! Audit events. A call is one row, written in two phases under one id: the intent before the provider is reached, the
//! final row before the answer ends.

use std::{collections::BTreeMap, net::IpAddr};

use alter_api_types::{AgentId, AppId, ConnectionId, EventId, GrantId, KeyId, OrgId, PatId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Grant, Principal, PrincipalType, Surface};
use crate::error::Result;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What happened. The text is stable: filters and exports use it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventKind {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl EventKind {
            pub const ALL: &'static [EventKind] = &[$(EventKind::$name),*];

            pub fn as_str(self) -> &'static str {
                match self { $(EventKind::$name => $text,)* }
            }
        }
    };
}

kinds! {
    /// A call to a provider, or its refusal.
    Call = "call",
    GrantCreated = "grant.created",
    GrantRevoked = "grant.revoked",
    /// A grant was given more time, within what its operator allows.
    GrantExtended = "grant.extended",
    /// An end user was sent to connect.
    ConnectSessionCreated = "connect_session.created",
    /// An end user, or the provider, said no.
    ConnectDeclined = "connect.declined",
    /// A connection was renewed in place by its user; its grants keep their ids.
    ConnectionRenewed = "connection.renewed",
    /// Tokens were exchanged for new ones.
    ConnectionRefreshed = "connection.refreshed",
    /// The provider refused the refresh token.
    ConnectionBroken = "connection.broken",
    /// The provider was told that access has ended; the outcome says what it answered.
    ConnectionRevokedAtProvider = "connection.revoked_at_provider",
    ProviderConfigured = "provider.configured",
    ProviderUpdated = "provider.updated",
    ProviderDeleted = "provider.deleted",
    IdentityProviderAdded = "identity_provider.added",
    IdentityProviderUpdated = "identity_provider.updated",
    IdentityProviderRemoved = "identity_provider.removed",
    /// A webhook was switched on, or its secret replaced.
    WebhookSecretSet = "webhook.secret_set",
    WebhookDisabled = "webhook.disabled",
    /// A user's first token, or a sign-in, made them known.
    UserCreated = "user.created",
    UserSuspended = "user.suspended",
    UserReactivated = "user.reactivated",
    /// The user has left: from here on everything is denied for them.
    UserDeprovisioned = "user.deprovisioned",
    /// All that a user who has left had is ended.
    UserDeprovisionFinished = "user.deprovision_finished",
    /// The identity provider has ended the user's sessions.
    UserSessionsEnded = "user.sessions_ended",
    /// Profile, groups or roles, as a token or the identity provider says them.
    UserUpdated = "user.updated",
    /// Somebody joined or left groups: what is granted to them follows.
    UserGroupsChanged = "user.groups_changed",
    /// Somebody signed in through the vault.
    SignInCompleted = "sign_in.completed",
    SignInFailed = "sign_in.failed",
    AppCreated = "app.created",
    AppUpdated = "app.updated",
    AppArchived = "app.archived",
    AppUnarchived = "app.unarchived",
    KeyMinted = "key.minted",
    KeyRotated = "key.rotated",
    KeyRevoked = "key.revoked",
    SecretCreated = "secret.created",
    SecretUpdated = "secret.updated",
    /// The value was replaced; every grant id keeps working.
    SecretRotated = "secret.rotated",
    SecretDeleted = "secret.deleted",
    AgentCreated = "agent.created",
    AgentRevoked = "agent.revoked",
    OperatorTokenMinted = "operator_token.minted",
    OperatorTokenRevoked = "operator_token.revoked",
}

impl EventKind {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The provider is about to be reached. A row that stays in this phase tells what was attempted.
    Intent,
    Final,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// An app's key.
    App,
    /// An agent's own key, or an app's key acting for an agent.
    Agent,
    /// An operator's token.
    Operator,
    /// An end user, in the Wallet.
    User,
    /// The vault itself: setting up, or in the background.
    System,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub kind: ActorKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<PatId>,
    /// Attribution that the caller chose; no access boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
}

impl Actor {
    /// An end user in the Wallet, from this address. Who it is, the event's `user_id` says.
    pub fn of_user(ip: Option<IpAddr>) -> Self {
        Self { kind: ActorKind::User, ip: ip.map(|ip| ip.to_string()), ..Self::of_vault() }
    }

    /// The vault itself: setting up, and what it does in the background.
    pub fn of_vault() -> Self {
        Self {
            kind: ActorKind::System,
            key_id: None,
            key_prefix: None,
            agent_id: None,
            token_id: None,
            caller: None,
            caller_type: None,
            ip: None,
        }
    }
}

/// The grant that an event is about, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRef {
    pub id: GrantId,
    /// The connection that the grant is on; absent for one on a managed secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<ConnectionId>,
    pub provider_id: String,
    pub principal: Principal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl GrantRef {
    /// What the grant is on, as the wire spells it.
    pub fn kind(&self) -> &'static str {
        match self.connection_id {
            Some(_) => "oauth",
            None => "managed_secret",
        }
    }
}

impl From<&Grant> for GrantRef {
    fn from(grant: &Grant) -> Self {
        Self {
            id: grant.id,
            connection_id: grant.source.connection_id(),
            provider_id: grant.provider_id.clone(),
            principal: grant.principal.clone(),
            label: grant.label.clone(),
        }
    }
}

/// What was asked of the provider. Query and bodies are left out: they are the caller's data, and may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFacts {
    pub method: String,
    pub host: String,
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// For the end user, word for word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    Success,
    /// The vault said no; the provider was not reached.
    Denied,
    /// The provider answered 4xx or 5xx.
    ProviderError,
    /// No whole answer came from the provider.
    NetworkError,
    /// The vault failed before the provider was reached.
    VaultError,
    /// The caller went away before the answer had ended.
    Aborted,
}

impl OutcomeKind {
    const ALL: [Self; 6] = [
        Self::Success,
        Self::Denied,
        Self::ProviderError,
        Self::NetworkError,
        Self::VaultError,
        Self::Aborted,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::ProviderError => "provider_error",
            Self::NetworkError => "network_error",
            Self::VaultError => "vault_error",
            Self::Aborted => "aborted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub kind: OutcomeKind,
    /// The provider's HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The vault's error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// From the call's arrival to the end of the answer, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// Body bytes sent to and received from the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The provider sent the credential back and it was removed from the answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

impl Outcome {
    pub fn of(kind: OutcomeKind) -> Self {
        Self {
            kind,
            status: None,
            code: None,
            latency_ms: None,
            request_bytes: None,
            response_bytes: None,
            truncated: false,
            redacted: false,
        }
    }
}

/// One row of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    pub id: EventId,
    pub org_id: OrgId,
    /// Absent for what concerns the organization as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<AppId>,
    pub at: Timestamp,
    pub kind: EventKind,
    pub phase: Phase,
    pub actor: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<Surface>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantRef>,
    /// The end user whom the event is about, for whom the call was made as their token said, or whose connection an agent used,
    /// where the grant does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallFacts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Names and ids of what an admin event changed. Never a value of a credential.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
}

impl AuditEvent {
    pub fn encode(&self) -> Result<crate::port::Record> {
        let mut bytes = Vec::with_capacity(768);
        serde_json::to_writer(&mut bytes, self)?;
        Ok(crate::port::Record(bytes.into()))
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The user whose data the event touches.
    pub fn user(&self) -> Option<UserId> {
        match self.grant.as_ref().map(|grant| &grant.principal) {
            Some(Principal::User { user_id }) => Some(*user_id),
            _ => self.user_id,
        }
    }

    /// The agent that acted, or that owns the grant.
    pub fn agent(&self) -> Option<AgentId> {
        self.actor.agent_id.or(match self.grant.as_ref().map(|grant| &grant.principal) {
            Some(Principal::Agent { agent_id }) => Some(*agent_id),
            _ => None,
        })
    }

    pub fn principal_type(&self) -> Option<PrincipalType> {
        self.grant.as_ref().map(|grant| grant.principal.kind())
    }

    pub fn provider_id(&self) -> Option<&str> {
        let of_call = self.call.as_ref().and_then(|call| call.provider_id.as_deref());
        self.grant.as_ref().map(|grant| grant.provider_id.as_str()).or(of_call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_outcomes_have_one_text_each() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for outcome in OutcomeKind::ALL {
            assert_eq!(OutcomeKind::parse(outcome.as_str()), Some(outcome));
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }
}
