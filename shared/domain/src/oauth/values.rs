//! What one connection's variables are: checked, and not secret.

use std::{collections::BTreeMap, mem::discriminant};

use serde::{Deserialize, Serialize};

use super::{Bound, Provider, Shape, TemplateError, Variable, VariableSource};
use crate::egress::{EgressRules, HostPattern, Target};

/// Values of an entry's variables by name. Kept with the app (the operator's) and with the grant (all of them).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values(BTreeMap<String, String>);

/// Why a value is not taken. Never repeats it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error("the provider has no variable {0}")]
    Unknown(String),
    #[error("{name} must be {expected}")]
    Shape { name: String, expected: String },
}

impl Values {
    /// Checks a value and keeps it. Outer blanks are dropped, a DNS label becomes lower case, and of a URL that stands for a
    /// host the host is kept. Whoever fills in a form may set only the variables whose source that form is: the caller
    /// checks it, with [`Self::missing`] or the entry.
    pub fn set(&mut self, provider: &Provider, name: &str, raw: &str) -> Result<(), ValueError> {
        let variable = variable(provider, name).ok_or_else(|| ValueError::Unknown(name.to_owned()))?;
        let value = variable.shape.accept(raw).ok_or_else(|| ValueError::Shape {
            name: variable.name.clone(),
            expected: variable.shape.expectation(),
        })?;
        self.0.insert(variable.name.clone(), value);
        Ok(())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds another's values in place of one's own (an app's, then a connection's).
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// A connection's values with the operator's as they are today: what the operator has changed since the user connected (a
    /// key's id) holds for every connection.
    #[must_use]
    pub fn with_operators(&self, provider: &Provider, operators: &Self) -> Self {
        let is_operators = |name: &str| {
            variable(provider, name).is_some_and(|variable| variable.source == VariableSource::Operator)
        };
        let own = self.0.iter().filter(|(name, _)| !is_operators(name));
        let todays = operators.0.iter().filter(|(name, _)| is_operators(name));
        Self(own.chain(todays).map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// Those that tell this connection from others to the provider: neither the operator's, which all of an app's share, nor
    /// what varies between two visits of one account.
    pub fn telling<'a>(&'a self, provider: &'a Provider) -> BTreeMap<&'a str, &'a str> {
        let tells = |variable: &&Variable| variable.source != VariableSource::Operator && !variable.varies;
        let telling = provider.variables.iter().filter(tells).filter_map(|variable| {
            let value = self.get(&variable.name).or(variable.default.as_deref())?;
            Some((variable.name.as_str(), value))
        });
        telling.collect()
    }

    /// Nothing but the entry's defaults: what a form starts with. Requests fall back on them without this.
    pub fn with_defaults(provider: &Provider) -> Self {
        let defaults = provider.variables.iter().filter_map(|variable| {
            Some((variable.name.clone(), variable.shape.accept(variable.default.as_deref()?)?))
        });
        Self(defaults.collect())
    }

    /// The variables of this source that must have a value and have neither one nor a default. Of a source only its kind counts.
    pub fn missing<'p>(&self, provider: &'p Provider, source: &VariableSource) -> Vec<&'p Variable> {
        let wanted = |variable: &&Variable| {
            discriminant(&variable.source) == discriminant(source)
                && variable.default.is_none()
                && !variable.optional
                && !self.0.contains_key(&variable.name)
        };
        provider.variables.iter().filter(wanted).collect()
    }

    /// What a template may use. The shape is checked again: the value was stored under the entry of another day, and it
    /// decides where a secret is sent.
    pub(super) fn bound<'a>(
        &'a self,
        provider: &'a Provider,
        name: &str,
    ) -> Result<Bound<'a>, TemplateError> {
        let variable = variable(provider, name).ok_or_else(|| TemplateError::Unknown(name.to_owned()))?;
        let value = self.get(name).or(variable.default.as_deref());
        let value = value.ok_or_else(|| {
            let name = name.to_owned();
            if variable.optional { TemplateError::Absent(name) } else { TemplateError::Missing(name) }
        })?;
        if variable.shape.accept(value).as_deref() != Some(value) {
            return Err(TemplateError::Shape(name.to_owned()));
        }
        Ok(Bound::Variable { value, shape: &variable.shape })
    }
}

impl Shape {
    /// The value in its canonical form, if it has this shape.
    pub fn accept(&self, raw: &str) -> Option<String> {
        let raw = raw.trim_matches(' ');
        match self {
            Shape::DnsLabel => {
                let label = raw.to_ascii_lowercase();
                let fits = (1..=63).contains(&label.len())
                    && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                    && !label.starts_with('-')
                    && !label.ends_with('-');
                fits.then_some(label)
            }
            Shape::Digits => {
                let fits = (1..=40).contains(&raw.len()) && raw.bytes().all(|b| b.is_ascii_digit());
                fits.then(|| raw.to_owned())
            }
            Shape::Word => is_word(raw).then(|| raw.to_owned()),
            Shape::Path => {
                let fits = raw.len() <= MAX_PATH_BYTES && raw.split('/').all(is_word);
                fits.then(|| raw.to_owned())
            }
            Shape::Text => {
                let fits = (1..=500).contains(&raw.len()) && raw.bytes().all(|b| (0x20..=0x7e).contains(&b));
                fits.then(|| raw.to_owned())
            }
            Shape::OneOf(values) => values.iter().find(|value| *value == raw).cloned(),
            Shape::Host(patterns) => host_of(raw, patterns),
        }
    }

    /// What a value must be, to follow "must be".
    pub fn expectation(&self) -> String {
        match self {
            Shape::DnsLabel => {
                "one part of a host name: letters, digits and dashes, no dash at either end".to_owned()
            }
            Shape::Digits => "a number of at most 40 digits".to_owned(),
            Shape::Word => "1 to 200 letters, digits or . _ ~ : -".to_owned(),
            Shape::Path => "words of letters, digits or . _ ~ : - with single slashes between".to_owned(),
            Shape::Text => "1 to 500 printable ASCII characters".to_owned(),
            Shape::OneOf(values) => format!("one of {}", values.join(", ")),
            Shape::Host(patterns) => format!("a host, or its https address, among {}", patterns.join(", ")),
        }
    }
}

/// Generously: two or three words are the most that is known.
const MAX_PATH_BYTES: usize = 500;

fn variable<'p>(provider: &'p Provider, name: &str) -> Option<&'p Variable> {
    provider.variables.iter().find(|variable| variable.name == name)
}

fn is_word(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b':' | b'-'))
        && text != "."
        && text != ".."
}

/// The host of a bare name or https URL, if a pattern has it. Loopback is no host of a provider's, in local mode neither: an
/// entry for a test names it in its templates.
fn host_of(raw: &str, patterns: &[String]) -> Option<String> {
    let url = if raw.contains("://") {
        raw.to_owned()
    } else if raw.contains(['/', ':', '?', '#']) {
        return None;
    } else {
        format!("https://{raw}/")
    };
    let target = Target::parse(&url, &EgressRules::default()).ok()?;
    if target.url().port().is_some() {
        return None;
    }
    let matches =
        |pattern: &String| pattern.parse::<HostPattern>().is_ok_and(|pattern| pattern.matches(&target));
    patterns.iter().any(matches).then(|| target.host().to_owned())
}
