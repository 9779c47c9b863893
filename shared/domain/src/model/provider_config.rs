//! An app's registration at an OAuth provider: what an operator enters once, and every connection of the app uses.

use alter_api_types::{AppId, CredentialId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    catalogue,
    error::{Error, Result},
    oauth::{Provider, Values},
};

/// A provider as one app uses it. The client's secret is a [`SealedCredential`](super::SealedCredential) in another table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProviderConfig {
    pub app_id: AppId,
    pub provider_id: String,
    /// Custom OAuth: the operator's own definition. Absent for a provider of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Box<Provider>>,
    pub client_id: String,
    /// Where the client's secret lies; a public client has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<ClientSecret>,
    /// The operator's variables (a tenant, a version).
    #[serde(default)]
    pub values: Values,
    pub scopes: ConfiguredScopes,
    pub state: ProviderState,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The place of a sealed client secret, and which version of it is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret {
    pub credential_id: CredentialId,
    pub seal_version: u64,
    pub rotated_at: Timestamp,
}

/// What connections of the app may, usually do, and must ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfiguredScopes {
    /// The allow-list: a session may ask for these and no others.
    pub allowed: Vec<String>,
    /// Asked for when a session names none.
    pub default: Vec<String>,
    /// A connection without one of these is flagged `scope_mismatch`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ProviderState {
    Enabled,
    /// No new connections, and no calls through those that exist.
    Disabled {
        at: Timestamp,
    },
}

impl ProviderConfig {
    /// How the provider works: the operator's definition, or the catalogue's.
    pub fn definition(&self) -> Result<&Provider> {
        match &self.custom {
            Some(custom) => Ok(custom),
            None => catalogue::provider(&self.provider_id)
                .ok_or_else(|| Error::Internal(format!("no provider {} in the catalogue", self.provider_id))),
        }
    }

    pub fn is_enabled(&self) -> bool {
        self.state == ProviderState::Enabled
    }
}

impl ConfiguredScopes {
    /// Those of `required` that a connection was not granted. Compared as sets of texts: a provider that answers with other
    /// names than were asked for has told what it granted.
    pub fn missing<'a>(&'a self, granted: &[String]) -> Vec<&'a str> {
        self.required
            .iter()
            .map(String::as_str)
            .filter(|scope| !granted.iter().any(|has| has == scope))
            .collect()
    }
}
