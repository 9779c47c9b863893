//! The operator's JSON API under `/portal/v1`: requests and answers.
//!
//! Who uses it: the portal, the command line and other clients of the API. A request that carries a field which is not
//! named here is refused, so that a misspelt limit is an error and not a missing limit.

mod apps;
mod grants;
mod identity;
mod keys;
mod providers;
mod secrets;

use serde::{Deserialize, Deserializer, Serialize};

pub use apps::{AgentStatus, AgentView, AppStatus, AppView, CreateAgent, CreateApp, LogoView, UpdateApp};
pub use grants::{
    BaseGrant, ConnectionView, CreateGrant, GrantKind, GrantPolicyInput, GrantPolicyView, GrantStatus,
    GrantView, PrincipalType, PrincipalView, ProviderRevocation, RevocationStatus, RevokeGrant, Surface,
};
pub use identity::{
    AddIdentityProvider, ClaimsInput, ClaimsView, DeprovisionView, DiscoverIdentityProvider, DiscoveredView,
    IdentityProviderView, IdpType, SetSignInClient, SetWebhook, SignInClientView, UpdateIdentityProvider,
    UserStatus, UserView, WebhookKind, WebhookList, WebhookSecretSource, WebhookSet, WebhookView,
};
pub use keys::{KeyStatus, KeyView, MintKey, MintedKey, RotateKey, RotatedKey};
pub use providers::{
    AddProvider, AskedOf, CatalogProviderView, CertaintyView, ProviderScopes, ProviderStatus, ProviderUsage,
    ProviderVariable, ProviderView, RefreshView, ScopeView, ScopesInput, SetClientSecret, UpdateProvider,
};
pub use secrets::{
    CreateSecret, CredentialType, HeaderView, InjectionRule, InjectionRuleView, InjectionView, ReplaceValue,
    RuleTarget, SecretView, TemplateField, TemplateView, UpdateSecret,
};

use crate::{OrgId, PatId, SecretText, Timestamp};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Present when more may follow: the `cursor` of the next request.
    pub next_cursor: Option<String>,
}

/// What an operator token may do; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Permission {
    /// Look at everything but values, which nobody can look at.
    Read,
    /// Create and change.
    Write,
    /// Revoke, rotate and delete.
    Admin,
}

/// Who the token speaks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    pub org_id: OrgId,
    pub org_name: String,
    pub token: TokenView,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TokenStatus {
    Active,
    Expired,
    Revoked,
}

/// An operator token, without its secret part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenView {
    pub token_id: PatId,
    /// The public beginning of the token, as audit rows and logs may name it.
    pub token_prefix: String,
    pub name: String,
    pub permission: Permission,
    pub status: TokenStatus,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MintToken {
    pub name: String,
    /// At most the permission of the token that asks.
    pub permission: Permission,
    /// Not together with `expires_in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// A number with `m`, `h` or `d`: `5m`, `12h`, `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<String>,
}

/// A fresh operator token. Its text is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MintedToken {
    pub token: TokenView,
    pub operator_token: SecretText,
}

/// Tells `null` (clear the field) from a field that is not there (leave it): absent is `None`, `null` is `Some(None)`.
fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_tells_null_from_absent() {
        let read = |text| serde_json::from_str::<UpdateApp>(text).unwrap();
        assert_eq!(read("{}"), UpdateApp::default());
        assert_eq!(read(r#"{"description":null}"#).description, Some(None));
        assert_eq!(read(r#"{"description":"x"}"#).description, Some(Some("x".into())));
        assert_eq!(
            serde_json::to_string(&read(r#"{"description":null}"#)).unwrap(),
            r#"{"description":null}"#
        );
    }

    #[test]
    fn requests_refuse_what_they_do_not_know() {
        assert!(serde_json::from_str::<CreateApp>(r#"{"name":"x","nmae":"y"}"#).is_err());
        for bad in [r#"{"type":"system","user_id":"x"}"#, r#"{"type":"agent"}"#, r#"{"type":"all"}"#] {
            assert!(serde_json::from_str::<PrincipalView>(bad).is_err(), "{bad}");
        }
    }
}
