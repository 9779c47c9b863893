//! Scopes of API keys: `{resource}:{verb}`, where write includes read and admin includes both, and action scopes that
//! stand alone. There is no master key.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const RESOURCES: [&str; 8] =
    ["agents", "grants", "keys", "secrets", "idp_users", "audit_logs", "usage", "providers"];
const VERBS: [&str; 3] = ["read", "write", "admin"];
const ACTIONS: [&str; 7] = [
    "tokens:retrieve",
    "proxy:execute",
    "connect:initiate",
    "keys:derive",
    "audit:emit",
    "approvals:read",
    "spans:emit",
];

/// One scope, known to this version of the vault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(String);

/// The text is not a scope of this vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownScope(pub String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let known = ACTIONS.contains(&text)
            || text
                .split_once(':')
                .is_some_and(|(resource, verb)| RESOURCES.contains(&resource) && VERBS.contains(&verb));
        if known { Ok(Self(text.to_owned())) } else { Err(UnknownScope(text.to_owned())) }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// What a key gets when its maker names nothing: call, have end users connect, see and end grants, and read the record.
    pub fn standard() -> Self {
        [
            "proxy:execute",
            "connect:initiate",
            "grants:read",
            "grants:write",
            "audit_logs:read",
            "approvals:read",
            "providers:read",
        ]
        .into_iter()
        .map(|text| Scope(text.to_owned()))
        .collect()
    }

    /// Parses a list; an empty one is refused, because a key that may do nothing is a mistake.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self> {
        let scopes: Self =
            texts.iter().map(|text| text.as_ref().parse::<Scope>()).collect::<Result<_, _>>().map_err(
                |UnknownScope(text)| Error::field("unknown_scope", format!("There is no scope {text:?}.")),
            )?;
        if scopes.0.is_empty() {
            return Err(Error::field("unknown_scope", "A key needs at least one scope."));
        }
        Ok(scopes)
    }

    /// Whether `required` is granted, itself or by a higher verb of the same resource.
    pub fn grant(&self, required: &str) -> bool {
        if self.0.iter().any(|scope| scope.0 == required) {
            return true;
        }
        let Some((resource, verb)) = required.split_once(':') else { return false };
        let Some(rank) = VERBS.iter().position(|v| *v == verb) else { return false };
        self.0.iter().any(|scope| {
            scope.0.split_once(':').is_some_and(|(r, v)| {
                r == resource && VERBS.iter().position(|known| *known == v).is_some_and(|has| has >= rank)
            })
        })
    }

    /// Refuses with what is missing.
    pub fn require(&self, required: &str) -> Result<()> {
        if self.grant(required) {
            return Ok(());
        }
        Err(Error::InsufficientScope { required: vec![required.to_owned()], granted: self.to_texts() })
    }

    pub fn to_texts(&self) -> Vec<String> {
        self.0.iter().map(|scope| scope.0.clone()).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_verb_includes_the_lower_of_the_same_resource_only() {
        let scopes = Scopes::parse(&["grants:write", "proxy:execute"]).unwrap();
        assert!(scopes.grant("grants:read"));
        assert!(scopes.grant("grants:write"));
        assert!(!scopes.grant("grants:admin"));
        assert!(!scopes.grant("keys:read"));
        assert!(scopes.grant("proxy:execute"));
        assert!(!scopes.grant("tokens:retrieve"));
    }

    #[test]
    fn unknown_scopes_are_refused() {
        for bad in ["", "grants", "grants:delete", "proxy:read", "*:*", "grants:read:all"] {
            assert!(Scopes::parse(&[bad]).is_err(), "{bad}");
        }
        assert!(Scopes::parse::<&str>(&[]).is_err());
        let standard = Scopes::standard();
        assert_eq!(Scopes::parse(&standard.to_texts()).unwrap(), standard);
    }
}
