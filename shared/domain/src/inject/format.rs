//! The format of an injected value: literal text around `{field}` and `{basic(user:password)}`.
//!
//! ```text
//! format   = *( literal / "{{" / "}}" / "{" field "}" / "{basic(" operand ":" operand ")}" )
//! operand  = *( field / "'" text "'" )              ; put together, may be empty
//! ```
//!
//! `basic` is the base64 of user, colon and password (RFC 7617, section 2); `'text'` is literal.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::fields::{CredentialFields, is_field_name};

/// At most this many bytes in the source of a format.
pub const MAX_FORMAT_BYTES: usize = 512;

/// Why a text is not a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("a format has 1 to {MAX_FORMAT_BYTES} bytes")]
    Length,
    #[error("a format may contain printable ASCII only")]
    Character,
    #[error("a brace is not closed or not opened; write {{{{ or }}}} for a literal brace")]
    Brace,
    #[error("{0:?} is neither a field name nor basic(user:password)")]
    Reference(String),
    #[error("the user part of basic() must not contain a literal colon (RFC 7617)")]
    ColonInUser,
    /// A value without a field would be a secret kept in plain configuration, or no secret at all.
    #[error("a format must name at least one field")]
    NoField,
}

/// Why a format could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("the credential has no field {0}")]
    MissingField(String),
    #[error("the user part of a Basic credential contains a colon, which RFC 7617 forbids")]
    ColonInUser,
}

/// A parsed format. Parts are joined without separators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Format(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field(String),
    Basic { user: Vec<Operand>, password: Vec<Operand> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Literal(String),
    Field(String),
}

impl Format {
    pub fn parse(source: &str) -> Result<Self, FormatError> {
        if source.is_empty() || source.len() > MAX_FORMAT_BYTES {
            return Err(FormatError::Length);
        }
        if !source.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Err(FormatError::Character);
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = brace.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = brace.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else {
                let (reference, after) =
                    brace.strip_prefix('{').and_then(split_reference).ok_or(FormatError::Brace)?;
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(parse_reference(reference)?);
                rest = after;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        let format = Self(parts);
        if format.fields().next().is_none() {
            return Err(FormatError::NoField);
        }
        Ok(format)
    }

    pub(super) fn bearer() -> Self {
        Self(vec![Part::literal("Bearer "), Part::Field("token".to_owned())])
    }

    pub(super) fn api_key() -> Self {
        Self(vec![Part::Field("api_key".to_owned())])
    }

    pub(super) fn basic() -> Self {
        let user = vec![Operand::Field("username".to_owned())];
        let password = vec![Operand::Field("password".to_owned())];
        Self(vec![Part::literal("Basic "), Part::Basic { user, password }])
    }

    /// The names of the fields used, in order, possibly repeated.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|part| {
            let (own, user, password): (Option<&str>, &[Operand], &[Operand]) = match part {
                Part::Literal(_) => (None, &[], &[]),
                Part::Field(name) => (Some(name), &[], &[]),
                Part::Basic { user, password } => (None, user, password),
            };
            own.into_iter().chain(user.iter().chain(password).filter_map(Operand::field))
        })
    }

    /// Appends the value to `out`, and to `derived` each encoded form in which a secret cannot be recognised by its
    /// own text. `out` is cleared by its owner; intermediates are cleared here.
    pub(super) fn render(
        &self,
        fields: &CredentialFields,
        out: &mut String,
        mut derived: impl FnMut(&str),
    ) -> Result<(), RenderError> {
        out.reserve_exact(self.rendered_size(fields)?);
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Field(name) => out.push_str(value(fields, name)?),
                Part::Basic { user, password } => {
                    let start = out.len();
                    encode_basic(fields, user, password, out)?;
                    derived(out.get(start..).unwrap_or_default());
                }
            }
        }
        Ok(())
    }

    /// Exact, so that the buffer never grows: growing would leave copies of the secret behind.
    fn rendered_size(&self, fields: &CredentialFields) -> Result<usize, RenderError> {
        self.0.iter().try_fold(0, |sum, part| {
            Ok(sum
                + match part {
                    Part::Literal(text) => text.len(),
                    Part::Field(name) => value(fields, name)?.len(),
                    Part::Basic { user, password } => basic_size(fields, user, password)?.div_ceil(3) * 4,
                })
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Literal(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}"))?,
                Part::Field(name) => write!(f, "{{{name}}}")?,
                Part::Basic { user, password } => {
                    f.write_str("{basic(")?;
                    user.iter().try_for_each(|operand| operand.fmt(f))?;
                    f.write_str(":")?;
                    password.iter().try_for_each(|operand| operand.fmt(f))?;
                    f.write_str(")}")?;
                }
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Format {
    type Error = FormatError;

    fn try_from(source: String) -> Result<Self, FormatError> {
        Self::parse(&source)
    }
}

impl From<Format> for String {
    fn from(format: Format) -> Self {
        format.to_string()
    }
}

impl Part {
    fn literal(text: &str) -> Self {
        Part::Literal(text.to_owned())
    }
}

impl Operand {
    fn field(&self) -> Option<&str> {
        match self {
            Operand::Literal(_) => None,
            Operand::Field(name) => Some(name),
        }
    }

    fn value<'a>(&'a self, fields: &'a CredentialFields) -> Result<&'a str, RenderError> {
        match self {
            Operand::Literal(text) => Ok(text),
            Operand::Field(name) => value(fields, name),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Literal(text) => write!(f, "'{text}'"),
            Operand::Field(name) => f.write_str(name),
        }
    }
}

fn value<'a>(fields: &'a CredentialFields, name: &str) -> Result<&'a str, RenderError> {
    match fields.get(name) {
        Some(value) => Ok(value.expose_secret()),
        None => Err(RenderError::MissingField(name.to_owned())),
    }
}

fn basic_size(
    fields: &CredentialFields,
    user: &[Operand],
    password: &[Operand],
) -> Result<usize, RenderError> {
    user.iter().chain(password).try_fold(1, |sum, operand| Ok(sum + operand.value(fields)?.len()))
}

fn encode_basic(
    fields: &CredentialFields,
    user: &[Operand],
    password: &[Operand],
    out: &mut String,
) -> Result<(), RenderError> {
    let mut pair = Zeroizing::new(String::with_capacity(basic_size(fields, user, password)?));
    for operand in user {
        pair.push_str(operand.value(fields)?);
    }
    if pair.contains(':') {
        return Err(RenderError::ColonInUser);
    }
    pair.push(':');
    for operand in password {
        pair.push_str(operand.value(fields)?);
    }
    STANDARD.encode_string(pair.as_bytes(), out);
    Ok(())
}

/// Splits after the closing brace of a reference; a brace inside `'…'` does not close it.
fn split_reference(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let end = text.find(|c| {
        quoted ^= c == '\'';
        c == '}' && !quoted
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

fn parse_reference(reference: &str) -> Result<Part, FormatError> {
    let unknown = || FormatError::Reference(reference.to_owned());
    if is_field_name(reference) {
        return Ok(Part::Field(reference.to_owned()));
    }
    let inner = reference.strip_prefix("basic(").and_then(|r| r.strip_suffix(')')).ok_or_else(unknown)?;
    let (user, rest) = parse_operands(inner).ok_or_else(unknown)?;
    let (password, rest) = rest.strip_prefix(':').and_then(parse_operands).ok_or_else(unknown)?;
    if !rest.is_empty() {
        return Err(unknown());
    }
    if user.iter().any(|operand| matches!(operand, Operand::Literal(text) if text.contains(':'))) {
        return Err(FormatError::ColonInUser);
    }
    Ok(Part::Basic { user, password })
}

/// Reads operands up to the first thing that is none. Two fields side by side cannot be told apart, so they are read
/// as one name.
fn parse_operands(mut text: &str) -> Option<(Vec<Operand>, &str)> {
    let mut operands = Vec::new();
    loop {
        if let Some(quoted) = text.strip_prefix('\'') {
            let (literal, rest) = quoted.split_once('\'')?;
            if literal.is_empty() {
                return None;
            }
            operands.push(Operand::Literal(literal.to_owned()));
            text = rest;
        } else if text.starts_with(|c: char| c.is_ascii_lowercase()) {
            let end = text.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
            let (name, rest) = text.split_at(end.unwrap_or(text.len()));
            if !is_field_name(name) {
                return None;
            }
            operands.push(Operand::Field(name.to_owned()));
            text = rest;
        } else {
            return Some((operands, text));
        }
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
