//! The one error type. Its variants say what happened; `web/error.rs` is the one file that maps them to status, code
//! and body. Nothing in a variant's public half reveals what the caller may not know; internal detail goes to the log.

use alter_api_types::{AgentId, GrantId};

use crate::{
    crypto::{KeyError, OpenError, SealError},
    port::{AuditError, RngError, SendError, StoreError},
};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One of several grants that match a call by provider.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Candidate {
    pub grant_id: GrantId,
    pub label: Option<String>,
    pub account_identifier: Option<String>,
    pub account_display_name: Option<String>,
}

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    // What the caller wrote.
    #[error("{0}")]
    InvalidRequest(String),
    /// A field of a document is wrong; `code` is stable and says which rule.
    #[error("{message}")]
    InvalidField { code: &'static str, message: String },
    #[error("The request carries {0}, which this vault does not enforce; it is refused rather than ignored.")]
    ConstraintNotSupported(&'static str),
    #[error("This path does not take this method.")]
    MethodNotAllowed,
    #[error("The body must be application/json.")]
    UnsupportedMediaType,
    #[error("The request body did not arrive within 60 seconds.")]
    RequestTimeout,
    #[error("The request body is larger than {limit} bytes.")]
    PayloadTooLarge { limit: usize },
    #[error("The header {0:?} may not be set by the caller.")]
    ForbiddenHeader(String),
    #[error("The destination is not allowed for this credential.")]
    BlockedDestination(String),
    #[error("The encoded URL is longer than 65,536 characters.")]
    QueryTooLong,
    #[error("This vault never returns credential material. Use proxy_request() instead of request().")]
    RestrictedGrantRequiresProxy,

    // Who calls.
    #[error("The request carries no credentials: send x-api-key or X-Alter-Key-Id with a signature.")]
    Unauthenticated,
    #[error("The signature does not match the request.")]
    InvalidSignature,
    #[error("The timestamp is more than 300 seconds away from the vault's clock.")]
    TimestampOutOfRange,
    #[error("The nonce was used before.")]
    NonceReplayed,
    #[error("The body does not match X-Alter-Content-SHA256.")]
    ContentHashMismatch,
    #[error("The API key is not valid.")]
    InvalidKey,
    #[error("The API key was revoked.")]
    KeyRevoked,
    #[error("The API key has expired.")]
    KeyExpired,
    #[error("The API key was rotated and its grace period is over.")]
    KeyRotatedGraceExpired,
    #[error("The agent is paused.")]
    AgentInactive,
    #[error("The agent was revoked.")]
    AgentRevoked,
    #[error("The user token cannot be verified.")]
    JwtValidation,
    #[error("The app has no identity provider.")]
    IdentityProviderNotConfigured,
    /// Its keys cannot be had and none that are known are fresh enough, so no token can be verified. Worth a retry.
    #[error("The identity provider cannot be reached, so the user's token cannot be verified.")]
    IdentityProviderUnavailable(String),
    #[error("The user is suspended.")]
    UserSuspended,
    #[error("The user has left; everything that was granted for them has ended.")]
    UserDeprovisioned,
    /// Also for a session that is over, and for a cookie that is no session's: one answer.
    #[error("Sign in to the Wallet first.")]
    WalletSessionRequired,
    #[error("The request does not come from the Wallet's own page.")]
    CsrfFailed,
    #[error("Too many requests. Try again in a moment.")]
    TooManyRequests {
        /// Seconds until the next one is welcome.
        retry_after: u32,
    },
    #[error("The webhook's delivery does not prove where it comes from.")]
    WebhookUnauthorized,
    #[error("The operator token is not valid.")]
    InvalidOperatorToken,
    #[error("The key lacks the scope {}.", required.join(", "))]
    InsufficientScope { required: Vec<String>, granted: Vec<String> },
    #[error("X-Alter-Caller names another agent than the key's own.")]
    CallerAgentMismatch,
    #[error("X-Alter-Caller names no agent of this app.")]
    CallerAgentUnresolved,

    // What they may use.
    #[error("The grant does not exist.")]
    GrantNotFound { provider_id: Option<String>, agent_id: Option<AgentId> },
    #[error("The agent holds no grant for this provider.")]
    NoDelegatedGrant { provider_id: String, agent_id: AgentId },
    #[error("Several grants match; name one by grant_id or label.")]
    AmbiguousGrant {
        provider_id: String,
        candidates: Vec<Candidate>,
        truncated: bool,
        /// The call had named an account, and that was not enough.
        account_was_provided: bool,
    },
    #[error("The grant was revoked.")]
    GrantRevoked { grant_id: GrantId },
    /// Its holder sees it and may use it, and it is for others too: only the operator ends it.
    #[error("The grant is a group's; only the app's operator ends it.")]
    GrantNotYoursToRevoke,
    #[error("The grant has expired.")]
    GrantExpired { grant_id: GrantId, provider_id: String },
    /// The provider refused the refresh token: the user has to connect again, and the grant keeps its id.
    #[error("The provider no longer accepts this connection; the user has to connect again.")]
    CredentialRevoked { grant_id: GrantId, provider_id: String },
    #[error("The provider was disabled for this app by its operator.")]
    ProviderDisabled { provider_id: String },
    /// Somebody else refreshes and waiting for it would exceed the call's deadline. Worth a retry.
    #[error("The credential is being refreshed; try again in a moment.")]
    TokenRefreshInProgress { grant_id: GrantId },
    /// Something named by the caller does not exist, or is not the caller's to know of.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    #[error("{message}")]
    Conflict { code: &'static str, message: String },
    #[error("A sibling grant carries the label {label:?}.")]
    SiblingLabelConflict { label: String },

    // The far side.
    #[error("The provider cannot be reached.")]
    UpstreamUnreachable(String),
    #[error("The provider did not answer in time. It may have acted.")]
    UpstreamTimeout,
    #[error("The provider broke the connection or the protocol. It may have acted.")]
    UpstreamBroken(String),

    // Our own trouble. Every one of these denies.
    #[error("The store is busy; try again.")]
    Throttled,
    #[error("The store is unavailable; nothing was done.")]
    StoreUnavailable(String),
    #[error("The audit trail is unavailable, so the call was refused.")]
    AuditUnavailable(String),
    #[error("The key service is unavailable.")]
    KeyServiceUnavailable(String),
    #[error("Something went wrong on our side.")]
    Internal(String),
}

impl Error {
    /// A document field that breaks a rule.
    pub fn field(code: &'static str, message: impl Into<String>) -> Self {
        Self::InvalidField { code, message: message.into() }
    }

    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    /// The Wallet's answer where no more time is to be had.
    pub fn grant_not_extendable() -> Self {
        Self::conflict(
            "grant_not_extendable",
            "The grant's expiry is not yours to change, or is at its maximum.",
        )
    }

    pub fn grant_not_found() -> Self {
        Self::GrantNotFound { provider_id: None, agent_id: None }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => {
                Self::conflict("concurrent_update", "The item was changed by somebody else.")
            }
            StoreError::Throttled => Self::Throttled,
            StoreError::Unavailable(detail) => Self::StoreUnavailable(detail),
            StoreError::Invalid(detail) | StoreError::Corrupt(detail) => Self::Internal(detail),
        }
    }
}

impl From<AuditError> for Error {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Unavailable(detail) => Self::AuditUnavailable(detail),
        }
    }
}

impl From<RngError> for Error {
    fn from(error: RngError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Blocked(detail) => Self::BlockedDestination(detail),
            SendError::Connect(detail) => Self::UpstreamUnreachable(detail),
            SendError::Timeout => Self::UpstreamTimeout,
            SendError::Broken(detail) => Self::UpstreamBroken(detail),
        }
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Unavailable(detail) => Self::KeyServiceUnavailable(detail),
            // What is stored and the key that it is opened with do not belong together: trying again does not help.
            KeyError::NotMyKey | KeyError::Tampered => Self::Internal(error.to_string()),
        }
    }
}

/// A document that does not read is ours to explain, never the caller's fault.
impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!("stored document: {error}"))
    }
}
