//! What a reply of the token endpoint says: tokens, or which kind of error.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    ExchangeError, Provider, SuccessFlag,
    document::{Document, text_of},
    names::Names,
    scrub::{Secrets, clean_code, clean_description},
    send::Answer,
};
use crate::{
    inject::{MAX_VALUE_BYTES, MIN_SECRET_BYTES},
    secret::Secret,
};

/// What an exchange gave.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access_token: Secret<String>,
    /// `None` where the reply has none: after a refresh the old one stays.
    pub refresh_token: Option<Secret<String>>,
    /// `None` where neither the reply nor the entry says.
    pub expires_at: Option<Timestamp>,
    pub refresh_expires_at: Option<Timestamp>,
    /// What the provider says it granted.
    pub scopes: Option<Vec<String>>,
}

/// Reads a token reply, whatever its status.
pub(super) fn read(
    provider: &Provider,
    answer: Answer,
    names: &Names<'_>,
    now: Timestamp,
) -> Result<(Tokens, Document), ExchangeError> {
    let document = success(provider, answer, names, provider.token.reply.success.as_ref())?;
    let tokens = tokens(provider, &document, now)?;
    Ok((tokens, document))
}

/// What is said to be granted is stored and shown: no token may be among it.
pub(super) fn check_scopes(
    provider: &Provider,
    replies: &[Document],
    secrets: &Secrets<'_>,
) -> Result<(), ExchangeError> {
    let said = replies.iter().filter_map(|reply| reply.first(&provider.token.reply.scope));
    said.flat_map(|said| match said {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    })
    .filter_map(Value::as_str)
    .try_for_each(|scope| secrets.refuse_in(scope, "scopes"))
}

/// The document of an answer that is a success by its status, without an error in it, and with the flag that makes it one.
pub(super) fn success(
    provider: &Provider,
    answer: Answer,
    names: &Names<'_>,
    flag: Option<&SuccessFlag>,
) -> Result<Document, ExchangeError> {
    let status = answer.status;
    if status.is_redirection() {
        return Err(ExchangeError::Unknown(format!(
            "a redirect ({}), which is not followed",
            status.as_u16()
        )));
    }
    let document = match answer.document {
        Ok(document) => document,
        Err(why) if status.is_success() => return Err(ExchangeError::Unknown(format!("the reply {why}"))),
        Err(_) => return Err(Failure::of_status(status.as_u16()).classify(provider)),
    };
    let mut failure = Failure::read(provider, &document, names);
    if !status.is_success() {
        failure.status = Some(status.as_u16());
        return Err(failure.classify(provider));
    }
    if !failure.codes.is_empty() {
        return Err(failure.classify(provider));
    }
    if let Some(flag) = flag
        && document.at(&flag.path) != Some(&flag.equals)
    {
        let own = Secrets::of(provider, std::slice::from_ref(&document));
        let code = document.at(&flag.path).and_then(text_of).filter(|code| !own.are_in(code));
        failure.codes =
            vec![code.map_or_else(|| "not_successful".to_owned(), |code| clean_code(&code, names))];
        return Err(failure.classify(provider));
    }
    Ok(document)
}

/// An error as the provider put it, without anything that was sent.
pub(super) struct Failure {
    status: Option<u16>,
    /// From every place where the entry says that a code may stand.
    codes: Vec<String>,
    description: Option<String>,
}

impl Failure {
    fn of_status(status: u16) -> Self {
        Self { status: Some(status), codes: Vec::new(), description: None }
    }

    fn read(provider: &Provider, document: &Document, names: &Names<'_>) -> Self {
        let reply = &provider.token.reply;
        let own = Secrets::of(provider, std::slice::from_ref(document));
        let codes = reply.error.iter().filter_map(|path| document.at(path)).filter_map(|value| match value {
            Value::Null | Value::Bool(false) => None,
            Value::Number(number) if number.as_f64() == Some(0.0) => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) if own.are_in(text) => Some("error".to_owned()),
            Value::String(text) => Some(clean_code(text, names)),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(true) | Value::Array(_) | Value::Object(_) => Some("error".to_owned()),
        });
        let codes = codes.collect();
        let description = document.text(&reply.error_description).filter(|text| !own.are_in(text));
        Self {
            status: None,
            codes,
            description: description.and_then(|text| clean_description(&text, names)),
        }
    }

    /// Which error it is. An entry may name a bare status as a code, `http_404`.
    fn classify(mut self, provider: &Provider) -> ExchangeError {
        let named = !self.codes.is_empty();
        if let Some(status) = self.status {
            self.codes.push(format!("http_{status}"));
        }
        let any_of = |list: &[&str]| self.codes.iter().any(|code| list.contains(&code.as_str()));
        let any_in = |list: &[String]| self.codes.iter().any(|code| list.contains(code));
        let transient = any_in(&provider.errors.transient);
        let dead = any_in(&provider.errors.dead);
        let throttled = self.status == Some(429) || any_of(&["temporarily_unavailable", "slow_down"]);
        let broken = self.status.is_some_and(|status| status >= 500 || status == 408 || status < 400);
        let broken = broken || any_of(&["server_error"]);
        let invalid_grant = any_of(&["invalid_grant"]);
        let client = any_of(&CLIENT_CODES) || (!named && self.status == Some(401));
        let code = self.codes.into_iter().next().unwrap_or_else(|| "error".to_owned());
        let description = self.description;
        if transient || (throttled && !dead) {
            ExchangeError::Unreachable(format!("it answered {code}"))
        } else if dead {
            ExchangeError::Dead { code, description }
        } else if broken {
            ExchangeError::Unknown(format!("it answered {code}"))
        } else if invalid_grant {
            ExchangeError::Dead { code, description }
        } else if client {
            ExchangeError::Client { code, description }
        } else {
            ExchangeError::Refused { code, description }
        }
    }
}

/// RFC 6749 section 5.2, and what is commonly said for an unknown client, a wrong secret or redirect URI.
const CLIENT_CODES: [&str; 10] = [
    "invalid_client",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_client_id",
    "bad_client_secret",
    "incorrect_client_credentials",
    "redirect_uri_mismatch",
    "invalid_redirect_uri",
    "bad_redirect_uri",
    "invalid_client_secret",
];

fn tokens(provider: &Provider, document: &Document, now: Timestamp) -> Result<Tokens, ExchangeError> {
    let reply = &provider.token.reply;
    let access_token = token(document, &reply.access_token, "access token")?
        .ok_or_else(|| ExchangeError::Reply("it has no access token".to_owned()))?;
    let said = document.first(&reply.expires_at).and_then(|value| moment(value, now));
    let said = said.or_else(|| document.first(&reply.expires_in).and_then(|value| from_now(value, now)));
    let ttl = provider.refresh.access_ttl_seconds.and_then(|seconds| i64::try_from(seconds).ok());
    Ok(Tokens {
        access_token,
        refresh_token: token(document, &reply.refresh_token, "refresh token")?,
        expires_at: said.or_else(|| after(now, ttl?)),
        refresh_expires_at: document.first(&reply.refresh_expires_in).and_then(|value| from_now(value, now)),
        scopes: document.first(&reply.scope).and_then(|value| scopes(value, &provider.scopes.separator)),
    })
}

/// A token that a credential can hold and a header can carry: visible ASCII and blanks (RFC 6749 appendix A.12).
fn token(document: &Document, paths: &[String], what: &str) -> Result<Option<Secret<String>>, ExchangeError> {
    let found = paths.iter().filter_map(|path| document.at(path));
    let found = found.into_iter().find(|value| value.as_str() != Some(""));
    let Some(value) = found else { return Ok(None) };
    let Value::String(text) = value else {
        return Err(ExchangeError::Reply(format!("its {what} is not a text")));
    };
    if !(MIN_SECRET_BYTES..=MAX_VALUE_BYTES).contains(&text.len()) {
        return Err(ExchangeError::Reply(format!(
            "its {what} does not have {MIN_SECRET_BYTES} to {MAX_VALUE_BYTES} bytes"
        )));
    }
    if !text.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
        return Err(ExchangeError::Reply(format!("its {what} holds what no header can carry")));
    }
    Ok(Some(Secret::new(text.clone())))
}

/// Past this a lifetime is a mistake or means for ever.
const MAX_LIFETIME_SECONDS: i64 = 10 * 366 * 24 * 3600;

/// Above this, Unix time is in milliseconds: as seconds it would be the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// A number, or its text; whole seconds.
fn seconds(value: &Value) -> Option<i64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // Above it a float does not hold whole numbers; NaN fails the comparison.
    #[allow(clippy::cast_possible_truncation, reason = "bounded by the check")]
    (number.abs() < 9e15).then_some(number as i64)
}

/// Nought and less are how some providers say that a token does not expire.
fn from_now(value: &Value, now: Timestamp) -> Option<Timestamp> {
    after(now, seconds(value)?)
}

fn after(now: Timestamp, seconds: i64) -> Option<Timestamp> {
    let fits = (1..=MAX_LIFETIME_SECONDS).contains(&seconds);
    fits.then(|| now.checked_add(SignedDuration::from_secs(seconds)).ok()).flatten()
}

/// RFC 3339, or Unix time in seconds or milliseconds. One that has passed is kept: the token is due at once.
fn moment(value: &Value, now: Timestamp) -> Option<Timestamp> {
    let moment = match (seconds(value), value) {
        (Some(unix), _) if unix >= MILLISECONDS_FROM => Timestamp::from_millisecond(unix).ok()?,
        (Some(unix), _) if unix > 0 => Timestamp::from_second(unix).ok()?,
        (None, Value::String(text)) => text.trim().parse().ok()?,
        _ => return None,
    };
    let latest = now.checked_add(SignedDuration::from_secs(MAX_LIFETIME_SECONDS)).ok()?;
    (moment <= latest).then_some(moment)
}

/// A list, or a text with the entry's separator, commas or blanks.
fn scopes(value: &Value, separator: &str) -> Option<Vec<String>> {
    let mut scopes: Vec<String> = match value {
        Value::Array(list) => list.iter().filter_map(|scope| scope.as_str()).map(str::to_owned).collect(),
        Value::String(text) => {
            let own = separator.trim();
            let parts: Vec<&str> =
                if own.is_empty() || own == "," { vec![text] } else { text.split(own).collect() };
            let parts = parts.into_iter().flat_map(|part| part.split([',', ' ']));
            parts.map(str::to_owned).collect()
        }
        _ => return None,
    };
    scopes.retain(|scope| {
        !scope.is_empty() && scope.len() <= MAX_SCOPE_BYTES && !scope.contains(char::is_control)
    });
    scopes.truncate(MAX_SCOPES);
    Some(scopes)
}

const MAX_SCOPE_BYTES: usize = 256;
const MAX_SCOPES: usize = 500;
