//! Connections: what one authorization at a provider gave, apart from the tokens themselves.
//!
//! A connection changes by whole documents that are written against the version that was read. Whoever refreshes holds a
//! [`Lease`] first (architecture, section 6); the tokens are sealed in another table and written in the same transaction as
//! the document that names their version.

use alter_api_types::{AppId, ConnectionId, CredentialId, OrgId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Lease, Principal};
use crate::{
    egress::AllowedHosts,
    error::{Error, Result},
    inject::{DefaultHeaders, Injection},
    oauth::{AccountInfo, Values},
};

/// The names of the fields under which tokens are sealed.
pub const ACCESS_TOKEN: &str = "access_token";
pub const REFRESH_TOKEN: &str = "refresh_token";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    pub id: ConnectionId,
    pub org_id: OrgId,
    pub app_id: AppId,
    pub provider_id: String,
    /// Who connected. Grants on the connection are this principal's, or are delegated by it.
    pub principal: Principal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountInfo>,
    /// The variables of this connection (a shop, a tenant).
    #[serde(default)]
    pub values: Values,
    /// What the provider granted.
    pub scopes: Vec<String>,
    pub delivery: Delivery,
    pub credential_id: CredentialId,
    /// Which version of the sealed tokens is in force.
    pub seal_version: u64,
    pub tokens: TokenFacts,
    /// Who refreshes at the moment, or last tried to and left no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    pub state: ConnectionState,
    /// How many grants on it are not revoked; with the last one the tokens go.
    pub live_grants: u32,
    pub created_at: Timestamp,
}

/// How calls carry the token and where they may go: the entry's templates with the connection's variables filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    pub injection: Injection,
    #[serde(default)]
    pub default_headers: DefaultHeaders,
    pub allowed_hosts: AllowedHosts,
    /// An https origin that calls can start from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_base_url: Option<String>,
}

/// What is known of the tokens without opening them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFacts {
    pub obtained_at: Timestamp,
    /// Absent: the provider did not say, or it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// There is something to refresh with.
    pub refreshable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_expires_at: Option<Timestamp>,
    /// The provider refused this very access token before its time (a 401): the next call refreshes first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ConnectionState {
    Active,
    /// The provider no longer accepts it; the user has to connect again. Grants keep their ids.
    Broken {
        at: Timestamp,
        /// The provider's error code.
        code: String,
    },
    /// All its grants were revoked and the tokens deleted. Final.
    Revoked {
        at: Timestamp,
        receipt: Receipt,
    },
}

/// What became of the revocation at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Receipt {
    /// The provider is being told.
    Pending,
    /// The provider confirmed.
    Revoked { at: Timestamp },
    /// The provider has no way to be told; its tokens end by themselves, or by the user's hand in its settings.
    NotSupported,
    /// Not told, because the same principal had connected the account again by then: to many providers, ending one access of
    /// the app means ending them all.
    Superseded { at: Timestamp },
    /// Given up.
    Failed { at: Timestamp, reason: String },
}

impl Delivery {
    /// What clients are told of `api_base_url`: a bare origin (wire protocol section 4.3). They take an address with a path for
    /// none at all.
    pub fn api_origin(&self) -> Option<String> {
        self.api_base_url.as_deref().and_then(origin)
    }
}

/// The origin of an http(s) address (RFC 6454 section 6.2).
pub fn origin(address: &str) -> Option<String> {
    let origin = Url::parse(address).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

impl Receipt {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Revoked { .. } => "revoked",
            Self::NotSupported => "not_supported",
            Self::Superseded { .. } => "superseded",
            Self::Failed { .. } => "failed",
        }
    }
}

impl Connection {
    /// Whether people have to connect again.
    pub fn needs_reconnect(&self) -> bool {
        matches!(self.state, ConnectionState::Broken { .. })
    }

    /// Whether the provider may take it for the access of this account: it is live, and has the same identifier, for whatever
    /// tenant; or it is the principal's, and not both accounts are known.
    pub fn may_be_of(&self, principal: &Principal, account: Option<&AccountInfo>) -> bool {
        let live = !matches!(self.state, ConnectionState::Revoked { .. });
        live && match (&self.account, account) {
            (Some(own), Some(account)) => own.identifier == account.identifier,
            _ => self.principal == *principal,
        }
    }

    /// A grant more on it. A revoked connection takes none.
    pub fn add_grant(self) -> Result<Self> {
        match self.state {
            ConnectionState::Revoked { .. } => Err(Error::NotFound("connection")),
            ConnectionState::Active | ConnectionState::Broken { .. } => {
                Ok(Self { live_grants: self.live_grants.saturating_add(1), ..self })
            }
        }
    }

    /// A grant less. With the last one the connection is revoked; says whether it was.
    pub fn drop_grant(self, now: Timestamp, receipt: Receipt) -> (Self, bool) {
        match self.live_grants {
            0 | 1 => {
                let state = ConnectionState::Revoked { at: now, receipt };
                (Self { live_grants: 0, lease: None, state, ..self }, true)
            }
            more => (Self { live_grants: more - 1, ..self }, false),
        }
    }

    /// What became of telling the provider; only a pending receipt is ever replaced.
    pub fn settle(self, receipt: Receipt) -> Self {
        match self.state {
            ConnectionState::Revoked { at, receipt: Receipt::Pending } => {
                Self { state: ConnectionState::Revoked { at, receipt }, ..self }
            }
            _ => self,
        }
    }
}
