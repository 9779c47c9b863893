//! What goes wrong on the command line, and the exit code that tells scripts of which kind it was.

use std::{fmt, io};

use http::StatusCode;
use serde_json::Value;

pub(crate) type Result<T, E = CliError> = std::result::Result<T, E>;

/// The exit code by kind of failure. The numbers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Failure = 1,
    Usage = 2,
    Auth = 3,
    NotFound = 4,
    Conflict = 5,
    Unavailable = 6,
}

/// A failure as the user sees it: `error: <message> (<code>)`, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    /// The vault's stable code, or one of our own.
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl CliError {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self { exit, code: code.to_owned(), message: message.into(), hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    pub(crate) fn failure(code: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Failure, code, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, "not_found", message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Trouble with a file or stream that the user named.
    pub(crate) fn file(what: &str, name: &str, error: &io::Error) -> Self {
        Self::failure("file", format!("{what} {name}: {error}"))
    }

    /// The vault's answer to a request that it refused.
    pub(crate) fn from_answer(status: StatusCode, body: &[u8]) -> Self {
        let fields: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let code = text("error").unwrap_or_else(|| format!("http_{}", status.as_u16()));
        let message = text("message").unwrap_or_else(|| format!("The server answered {status}."));
        let error = Self { exit: exit_of(status), code, message, hint: text("hint") };
        match (&error.hint, error.code.as_str()) {
            (None, "invalid_operator_token") => error
                .hint("Name a valid token with --token-file or ALTER_PAT; `alter token create` makes one."),
            (None, _) if fields.get("error").is_none() => {
                error.hint("This is not an answer of the vault: check --url and what stands between.")
            }
            _ => error,
        }
    }

    /// Nobody reads our output any more: not worth a message.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.code == BROKEN_PIPE
    }
}

const BROKEN_PIPE: &str = "broken_pipe";

/// Writing to standard output failed.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::failure(BROKEN_PIPE, "Nobody reads the output."),
            _ => Self::failure("output", format!("The output cannot be written: {error}")),
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

fn exit_of(status: StatusCode) -> Exit {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Auth,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::CONFLICT => Exit::Conflict,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Exit::Unavailable,
        // 502 and 504 too: the provider may have acted, so a script must not simply try again.
        _ => Exit::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_failure_decides_the_exit_code() {
        let exit = |status: u16| {
            let body = br#"{"error":"some_code","message":"Some text.","hint":"Do this."}"#;
            let error = CliError::from_answer(StatusCode::from_u16(status).unwrap(), body);
            assert_eq!(error.to_string(), "Some text. (some_code)");
            assert_eq!(error.hint.as_deref(), Some("Do this."));
            error.exit as u8
        };
        let expected =
            [(400, 1), (401, 3), (403, 3), (404, 4), (409, 5), (422, 1), (429, 6), (500, 1), (503, 6)];
        for (status, code) in expected.into_iter().chain([(502, 1), (504, 1)]) {
            assert_eq!(exit(status), code, "{status}");
        }
    }

    #[test]
    fn an_answer_that_is_not_the_vaults_is_said_to_be_so() {
        let error = CliError::from_answer(StatusCode::NOT_FOUND, b"<html>not here</html>");
        assert_eq!((error.exit, error.code.as_str()), (Exit::NotFound, "http_404"));
        assert!(error.hint.unwrap().contains("--url"));
    }
}
