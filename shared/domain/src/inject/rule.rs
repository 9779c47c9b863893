//! Where a credential goes in a request: the part of a secret's configuration that is not secret.

use std::fmt;

use http::{HeaderName, header};
use serde::{Deserialize, Serialize};

use super::format::{Format, FormatError};

/// At most this many rules in one injection.
pub const MAX_RULES: usize = 10;

/// The fields of [`Injection::AwsSigv4`].
pub const AWS_ACCESS_KEY_ID: &str = "access_key_id";
pub const AWS_SECRET_ACCESS_KEY: &str = "secret_access_key";
/// Only with temporary credentials.
pub const AWS_SESSION_TOKEN: &str = "session_token";

/// Header names that frame the request, belong to the connection, carry cookies, change what the request means after
/// policy has judged it, or are the vault's own.
const REFUSED_HEADERS: [&str; 21] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];
const REFUSED_PREFIXES: [&str; 2] = ["alter-", "x-alter-"];

/// How a managed secret authenticates, as the operator chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialType {
    /// `Authorization: Bearer <token>` (RFC 6750, section 2.1).
    Bearer,
    /// A key in a header that the operator names.
    ApiKey,
    /// `Authorization: Basic <base64(user:password)>` (RFC 7617).
    Basic,
    /// AWS Signature Version 4 over each request.
    AwsSigv4,
    /// Rules written by the operator or taken from a template.
    Custom,
}

impl CredentialType {
    pub fn as_str(self) -> &'static str {
        match self {
            CredentialType::Bearer => "bearer",
            CredentialType::ApiKey => "api_key",
            CredentialType::Basic => "basic",
            CredentialType::AwsSigv4 => "aws_sigv4",
            CredentialType::Custom => "custom",
        }
    }

    /// The fields of the type's standard injection, the optional ones last; none for `Custom`.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            CredentialType::Bearer => &["token"],
            CredentialType::ApiKey => &["api_key"],
            CredentialType::Basic => &["username", "password"],
            CredentialType::AwsSigv4 => &[AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN],
            CredentialType::Custom => &[],
        }
    }

    /// Those of [`Self::fields`] that identify without proving anything; they are not looked for in replies.
    pub fn public_fields(self) -> &'static [&'static str] {
        match self {
            CredentialType::Basic => &["username"],
            CredentialType::AwsSigv4 => &[AWS_ACCESS_KEY_ID],
            CredentialType::Bearer | CredentialType::ApiKey | CredentialType::Custom => &[],
        }
    }
}

/// Why an injection is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InjectionError {
    #[error("an injection has 1 to {MAX_RULES} rules")]
    RuleCount,
    #[error("{0:?} is not a header name (RFC 9110, section 5.1)")]
    HeaderName(String),
    #[error("header {0} may not be injected")]
    RefusedHeader(String),
    #[error("{0:?} is not a query parameter name: 1 to 64 of A-Z, a-z, 0-9, . _ - [ ]")]
    QueryName(String),
    #[error("{0} is injected twice")]
    Duplicate(String),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("the format uses field {0}, which the credential does not have")]
    UnknownField(String),
    #[error("field {0} of the credential is not used by any rule")]
    UnusedField(String),
    #[error("AWS SigV4 needs the field {0}")]
    MissingField(&'static str),
}

/// How a credential enters a request. Stored with the secret's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Injection {
    /// Headers and query parameters, all of them set.
    Rules(Rules),
    /// The request is signed; region and service come from its host.
    AwsSigv4,
}

impl Injection {
    /// `Authorization: Bearer {token}`.
    pub fn bearer() -> Self {
        Self::single(header::AUTHORIZATION, Format::bearer())
    }

    /// `{api_key}` in a header of the operator's choice.
    pub fn api_key(header: &str) -> Result<Self, InjectionError> {
        Ok(Self::single(injectable_header(header)?, Format::api_key()))
    }

    /// `Authorization: Basic {basic(username:password)}`.
    pub fn basic() -> Self {
        Self::single(header::AUTHORIZATION, Format::basic())
    }

    pub fn aws_sigv4() -> Self {
        Self::AwsSigv4
    }

    /// Checks the rules against the names of a credential's fields: each field used is there, and each one there is
    /// used, so that a misspelt name is found when the secret is stored and not by its first caller.
    pub fn check<'a>(&self, fields: impl IntoIterator<Item = &'a str>) -> Result<(), InjectionError> {
        let fields: Vec<&str> = fields.into_iter().collect();
        let used: Vec<&str> = match self {
            Injection::Rules(rules) => rules.0.iter().flat_map(|rule| rule.format.fields()).collect(),
            Injection::AwsSigv4 => {
                for required in [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY] {
                    if !fields.contains(&required) {
                        return Err(InjectionError::MissingField(required));
                    }
                }
                fields.iter().copied().filter(|f| CredentialType::AwsSigv4.fields().contains(f)).collect()
            }
        };
        if let Some(unknown) = used.iter().find(|name| !fields.contains(name)) {
            return Err(InjectionError::UnknownField((*unknown).to_owned()));
        }
        if let Some(unused) = fields.iter().find(|name| !used.contains(name)) {
            return Err(InjectionError::UnusedField((*unused).to_owned()));
        }
        Ok(())
    }

    fn single(name: HeaderName, format: Format) -> Self {
        Injection::Rules(Rules(vec![InjectRule { place: Place::Header(name), format }]))
    }
}

/// 1 to [`MAX_RULES`] rules, no two for the same place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<InjectRule>", into = "Vec<InjectRule>")]
pub struct Rules(Vec<InjectRule>);

impl Rules {
    pub fn new(rules: Vec<InjectRule>) -> Result<Self, InjectionError> {
        if rules.is_empty() || rules.len() > MAX_RULES {
            return Err(InjectionError::RuleCount);
        }
        for (position, rule) in rules.iter().enumerate() {
            if rules.iter().take(position).any(|earlier| earlier.place.same_as(&rule.place)) {
                return Err(InjectionError::Duplicate(rule.place.name().to_owned()));
            }
        }
        Ok(Self(rules))
    }

    pub fn iter(&self) -> impl Iterator<Item = &InjectRule> {
        self.0.iter()
    }
}

impl TryFrom<Vec<InjectRule>> for Rules {
    type Error = InjectionError;

    fn try_from(rules: Vec<InjectRule>) -> Result<Self, InjectionError> {
        Self::new(rules)
    }
}

impl From<Rules> for Vec<InjectRule> {
    fn from(rules: Rules) -> Self {
        rules.0
    }
}

/// The kind of place that a rule sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Header,
    Query,
}

/// One header or query parameter and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WireRule", into = "WireRule")]
pub struct InjectRule {
    pub(super) place: Place,
    pub(super) format: Format,
}

impl InjectRule {
    pub fn new(target: Target, name: &str, format: &str) -> Result<Self, InjectionError> {
        let place = match target {
            Target::Header => Place::Header(injectable_header(name)?),
            Target::Query => Place::Query(query_name(name)?),
        };
        Ok(Self { place, format: Format::parse(format)? })
    }

    pub fn target(&self) -> Target {
        match self.place {
            Place::Header(_) => Target::Header,
            Place::Query(_) => Target::Query,
        }
    }

    /// The header's name in lower case, or the parameter's name.
    pub fn name(&self) -> &str {
        self.place.name()
    }

    pub fn format(&self) -> &Format {
        &self.format
    }
}

impl fmt::Display for InjectRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Header(name) => write!(f, "{name}: {}", self.format),
            Place::Query(name) => write!(f, "?{name}={}", self.format),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Header(HeaderName),
    Query(String),
}

impl Place {
    fn name(&self) -> &str {
        match self {
            Place::Header(name) => name.as_str(),
            Place::Query(name) => name,
        }
    }

    fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Place::Header(a), Place::Header(b)) => a == b,
            (Place::Query(a), Place::Query(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRule {
    target: Target,
    name: String,
    format: String,
}

impl TryFrom<WireRule> for InjectRule {
    type Error = InjectionError;

    fn try_from(wire: WireRule) -> Result<Self, InjectionError> {
        Self::new(wire.target, &wire.name, &wire.format)
    }
}

impl From<InjectRule> for WireRule {
    fn from(rule: InjectRule) -> Self {
        Self { target: rule.target(), name: rule.name().to_owned(), format: rule.format.to_string() }
    }
}

/// A header name that an injection or a default may set.
pub(super) fn injectable_header(name: &str) -> Result<HeaderName, InjectionError> {
    let parsed =
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| InjectionError::HeaderName(name.to_owned()))?;
    let lower = parsed.as_str();
    if REFUSED_HEADERS.contains(&lower) || REFUSED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
        return Err(InjectionError::RefusedHeader(lower.to_owned()));
    }
    Ok(parsed)
}

fn query_name(name: &str) -> Result<String, InjectionError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-[]".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        return Err(InjectionError::QueryName(name.to_owned()));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
