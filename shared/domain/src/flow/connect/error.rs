//! Why a page of Connect is not what was asked for.

use super::FieldProblem;
use crate::error::Error;

/// Told to a person, on a page. Every one of these leaves everything as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// There is no such session, or the token is not its own.
    #[error("no such session")]
    NoSession,
    #[error("the session has expired")]
    Expired,
    /// The session is finished and takes nothing more.
    #[error("the session is finished")]
    Finished,
    /// Another browser opened the session, or this one lost its cookie.
    #[error("the session belongs to another browser")]
    OtherBrowser,
    /// A form that this session's page did not make.
    #[error("the form is not of this page")]
    Forged,
    /// The session does not offer this provider.
    #[error("the session does not offer this provider")]
    NotOffered,
    /// What the user typed.
    #[error("a field is missing or wrong")]
    Fields(Vec<FieldProblem>),
    /// The redirect answers no request that is under way: never made, used, or too old.
    #[error("no such authorization request")]
    UnknownState,
    /// The redirect does not fit the request that it names: another path, another issuer, parameters given twice.
    #[error("the redirect does not fit its request: {0}")]
    Mismatch(&'static str),
    /// The vault's own trouble.
    #[error(transparent)]
    Vault(#[from] Error),
}
