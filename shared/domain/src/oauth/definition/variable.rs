//! What differs between connections to one provider, and which values it may have.

use serde::{Deserialize, Serialize};

/// A part of an address or request that differs by connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    pub name: String,
    /// What a form says beside its field.
    pub label: String,
    pub source: VariableSource,
    /// The only values that are accepted. A variable in a host must have a shape that cannot lead elsewhere.
    pub shape: Shape,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Used when nothing gave a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Need not have a value: the parameter, header or claim that uses it is then left out. Never in a URL.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// May differ between two visits of one account (scopes that the redirect brings). Any other value that is not the
    /// operator's is part of which account it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub varies: bool,
}

/// Who gives a variable its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum VariableSource {
    /// The operator, once per app.
    Operator,
    /// The end user, on the Connect page, before the provider's page opens.
    User,
    /// A parameter of the provider's redirect back to us.
    Callback { param: String },
    /// A field of the token endpoint's reply.
    Reply { path: String },
    /// Set by one of the entry's lookups.
    Lookup,
}

/// Which values a variable may have. Named shapes instead of patterns: no entry can write a careless one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// One DNS label: 1 to 63 of `a-z`, `0-9` and `-`, no dash at either end.
    DnsLabel,
    /// ASCII digits, 1 to 40.
    Digits,
    /// 1 to 200 of `A-Z`, `a-z`, `0-9`, `.`, `_`, `~`, `:` and `-`; never `.` or `..`.
    Word,
    /// Words joined by `/` (BigCommerce: `stores/abc`).
    Path,
    OneOf(Vec<String>),
    /// 1 to 500 printable ASCII characters: for parameters, headers and claims, never in a URL (a contact in a
    /// `User-Agent`, an audience, scopes that the redirect brings).
    Text,
    /// A host name that one of these patterns (`api.example.com`, `*.example.com`) matches. From a URL its host is taken; the
    /// URL must be https, without port or user.
    Host(Vec<String>),
}
