//! Managed secrets: a provider that an operator configured with a credential of the app's own.

use alter_api_types::{AppId, CredentialId, SecretId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    crypto::Sealed,
    egress::AllowedHosts,
    error::{Error, Result},
    inject::{CredentialType, DefaultHeaders, Injection},
};

/// How a managed secret is used and where it may go. The value itself is a [`SealedCredential`] in another table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManagedSecret {
    pub id: SecretId,
    pub app_id: AppId,
    pub slug: String,
    pub name: String,
    /// The catalogue template that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    pub credential_type: CredentialType,
    pub injection: Injection,
    /// Headers that the provider obliges every caller to send, added when the caller did not set them.
    #[serde(default)]
    pub default_headers: DefaultHeaders,
    pub allowed_hosts: AllowedHosts,
    pub credential_id: CredentialId,
    /// Which version of the sealed value is in force: an earlier one that is put back into the vault table is not used.
    pub seal_version: u64,
    /// The names of the credential's fields, so that an operator sees what is stored without its value.
    pub fields: Vec<String>,
    pub created_at: Timestamp,
    /// When the value was last replaced.
    pub rotated_at: Timestamp,
}

/// The sealed value behind a managed secret, as the vault table keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedCredential {
    pub id: CredentialId,
    pub app_id: AppId,
    /// Grows with every replacement and is part of what the seal is bound to.
    pub seal_version: u64,
    pub sealed: Sealed,
}

/// A slug from a name: lowercase ASCII letters, digits and single dashes, at most 50.
pub fn slug_from_name(name: &str) -> Result<String> {
    let mut slug = String::with_capacity(name.len());
    for c in name.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == 46 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-').to_owned();
    if slug.is_empty() {
        return Err(Error::field("invalid_name", "The name needs at least one ASCII letter or digit."));
    }
    Ok(slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_lowercase_words() {
        assert_eq!(slug_from_name("Stripe (live) key").unwrap(), "stripe-live-key");
        assert_eq!(slug_from_name("--Ä b").unwrap(), "b");
        assert!(slug_from_name(&"x".repeat(80)).unwrap().len() <= 46);
        assert!(slug_from_name("日本").is_err());
    }
}
