//! What can go wrong between an entry and its provider, sorted by what the caller may do next. No text here holds a secret.

use super::{AssertionError, TemplateError};
use crate::{
    egress::{EgressError, HostPatternError},
    port::RngError,
};

/// Nothing was sent: the entry, the client's configuration or the connection's values do not make a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A field of the client's secret that this way of authenticating needs.
    #[error("the client has no {0}")]
    NoSecret(&'static str),
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    #[error("destination: {0}")]
    Destination(#[from] EgressError),
    #[error("host: {0}")]
    Host(#[from] HostPatternError),
    #[error("header {0} cannot be sent")]
    Header(String),
    /// The entry contradicts itself, which its check should have found.
    #[error("entry: {0}")]
    Entry(&'static str),
    #[error(transparent)]
    Random(#[from] RngError),
}

/// Why there are no tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The code or token is dead for good; only connecting again helps.
    #[error("dead at the provider: {code}")]
    Dead { code: String, description: Option<String> },
    /// The operator's configuration: client, secret, redirect URI, or the entry with its values.
    #[error("the client is refused: {code}")]
    Client { code: String, description: Option<String> },
    /// Another definite refusal (`access_denied`, `invalid_scope`).
    #[error("refused: {code}")]
    Refused { code: String, description: Option<String> },
    /// Nothing was sent, or the provider says that it did nothing: safe to repeat.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// No answer, or one that cannot be read: the provider may have acted.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// A success without what it must hold.
    #[error("the reply is not usable: {0}")]
    Reply(String),
}

/// Why the provider did not confirm a revocation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    #[error("the provider has no way to revoke")]
    NotSupported,
    /// Later it may work.
    #[error("{0}")]
    Retry(String),
    /// Asking again will not help.
    #[error("{0}")]
    Final(String),
}

/// `code` of [`ExchangeError::Client`] where nothing was sent because the configuration makes no request.
pub const CONFIGURATION: &str = "configuration";

impl From<EngineError> for ExchangeError {
    fn from(error: EngineError) -> Self {
        Self::Client { code: CONFIGURATION.to_owned(), description: Some(error.to_string()) }
    }
}

impl From<TemplateError> for ExchangeError {
    fn from(error: TemplateError) -> Self {
        EngineError::from(error).into()
    }
}

impl ExchangeError {
    /// The same for a request that follows another: repeating the whole is no longer safe, the first has acted.
    pub(super) fn after_exchange(self) -> Self {
        match self {
            Self::Unreachable(reason) => Self::Unknown(reason),
            other => other,
        }
    }
}
