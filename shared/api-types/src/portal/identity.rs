//! An app's identity provider and its users. No answer carries a client secret; a webhook's token is shown once, in the
//! answer that makes it.

use serde::{Deserialize, Serialize};

use super::{Surface, present};
use crate::{AppId, IdpId, SecretText, Timestamp, UserId};

/// Which product it is. That fills in a form and chooses no rule: all issuers are held to the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum IdpType {
    Auth0,
    Clerk,
    Okta,
    Keycloak,
    #[serde(rename = "workos")]
    WorkOs,
    Entra,
    /// Any other that follows OpenID Connect.
    CustomOidc,
}

/// In whose way the identity provider tells of its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WebhookKind {
    /// Auth0 log streams.
    Auth0,
    /// Clerk, through Svix.
    Clerk,
    #[serde(rename = "workos")]
    WorkOs,
    /// Okta event hooks.
    Okta,
    /// OpenID Shared Signals, by push (RFC 8935).
    Ssf,
    /// OpenID Connect Back-Channel Logout.
    BackchannelLogout,
}

/// The claims of a token that say who the user is. A name is the claim's exact name; where no claim has it, dots lead into
/// objects (`realm_access.roles`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimsView {
    pub user_id: String,
    pub groups: Option<String>,
    pub roles: Option<String>,
}

/// Left out: what the type proposes, or, in a change, what it is. `null`: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimsInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub groups: Option<Option<String>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub roles: Option<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiscoverIdentityProvider {
    /// The issuer itself, not the address of its discovery document.
    pub issuer: String,
}

/// What an issuer says of itself, and what it would be added with. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiscoveredView {
    /// As its tokens spell it.
    pub issuer: String,
    /// What it would be added as: Auth0 and Clerk are recognised, all else is `custom_oidc`.
    pub idp_type: IdpType,
    pub claims: ClaimsView,
    /// The product that it looks like: named as the type, its usual claims are filled in.
    pub preset: IdpType,
    pub preset_claims: ClaimsView,
    /// The webhooks that this product has.
    pub webhooks: Vec<WebhookKind>,
    pub jwks_uri: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub end_session_endpoint: Option<String>,
    pub token_endpoint_auth_methods: Vec<String>,
    pub signing_algorithms: Vec<String>,
    pub scopes_supported: Vec<String>,
    pub claims_supported: Vec<String>,
    /// How many of its published keys check signatures.
    pub usable_keys: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddIdentityProvider {
    /// The issuer itself, not the address of its discovery document.
    pub issuer: String,
    /// Left out: Auth0 and Clerk are recognised by their issuer, all else is `custom_oidc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idp_type: Option<IdpType>,
    #[serde(default)]
    pub claims: ClaimsInput,
    /// When set, a token must be for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// At least one field. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateIdentityProvider {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idp_type: Option<IdpType>,
    /// Locked once somebody has signed in.
    #[serde(default)]
    pub claims: ClaimsInput,
    /// `null` accepts tokens for any audience.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub audience: Option<Option<String>>,
    /// Reads the issuer's discovery document again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rediscover: bool,
}

/// The vault's own registration at the identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInClientView {
    pub client_id: String,
    /// A public client has none.
    pub has_client_secret: bool,
    pub secret_rotated_at: Option<Timestamp>,
}

/// An app's identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IdentityProviderView {
    pub idp_id: IdpId,
    pub app_id: AppId,
    pub idp_type: IdpType,
    pub issuer: String,
    pub claims: ClaimsView,
    /// Somebody has signed in: the claims stay.
    pub claims_locked: bool,
    pub first_sign_in_at: Option<Timestamp>,
    pub audience: Option<String>,
    pub client: Option<SignInClientView>,
    /// Those that are switched on.
    pub webhooks: Vec<WebhookKind>,
    pub jwks_uri: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub end_session_endpoint: Option<String>,
    /// To be entered at the identity provider, exactly so: where SDK sign-ins come back to.
    pub sdk_redirect_uri: String,
    /// Likewise, for the Wallet.
    pub wallet_redirect_uri: String,
    /// Where people come back to after signing out of the Wallet.
    pub wallet_logout_uri: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The whole registration anew: a secret that was stored is replaced, or deleted where none is given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetSignInClient {
    pub client_id: String,
    /// It can be replaced and never read. Left out: the client is public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretText>,
}

/// Where the secret of a webhook comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WebhookSecretSource {
    /// The vault makes it, and shows it once.
    Vault,
    /// The identity provider shows it, and it is pasted here.
    IdentityProvider,
    /// There is none: deliveries are signed with published keys.
    None,
}

/// A way in which an identity provider can tell that somebody has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookView {
    pub kind: WebhookKind,
    /// To be entered at the identity provider.
    pub url: String,
    pub enabled: bool,
    /// This type of identity provider has it.
    pub proposed: bool,
    pub secret_source: WebhookSecretSource,
    /// Shared Signals: the transmitter.
    pub issuer: Option<String>,
    /// Shared Signals: what its tokens must be for.
    pub audience: Option<String>,
    pub enabled_at: Option<Timestamp>,
    /// When its secret was last set.
    pub rotated_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookList {
    pub items: Vec<WebhookView>,
}

/// What a webhook is switched on with; nothing, for those whose secret the vault makes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetWebhook {
    /// Clerk (`whsec_…`) and WorkOS: the secret that the identity provider shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretText>,
    /// Shared Signals: the transmitter's issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Shared Signals: what its tokens are for. Left out: this webhook's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Replaces what is there; the old secret is refused at once. Without it, a webhook that is on stays as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rotate: bool,
}

/// A webhook that was switched on. `secret`, where the vault has made one, is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookSet {
    pub webhook: WebhookView,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretText>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum UserStatus {
    Active,
    /// Denied everywhere; everything is kept.
    Suspended,
    /// Denied everywhere; grants are revoked and tokens deleted.
    Deprovisioned,
}

/// What is still being ended for a user who has left. All of it is denied already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeprovisionView {
    /// So far.
    pub grants_revoked: u64,
    pub since: Timestamp,
}

/// An end user of an app. Their status is one for all apps of the organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserView {
    pub user_id: UserId,
    pub app_id: AppId,
    /// The identity provider that the groups and roles are of.
    pub idp_id: IdpId,
    pub issuer: String,
    /// The claim by which the issuer's tokens name the user here, and its value.
    pub claim: String,
    pub subject: String,
    pub email: Option<String>,
    pub name: Option<String>,
    pub status: UserStatus,
    /// Since when they are suspended or gone, and who said so.
    pub status_since: Option<Timestamp>,
    pub status_from: Option<Surface>,
    pub groups: Vec<String>,
    pub roles: Vec<String>,
    /// When they were first seen in this app.
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Only where one user is asked for, and work is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprovision: Option<DeprovisionView>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_types_have_the_names_of_paths_and_files() {
        let kinds = [WebhookKind::WorkOs, WebhookKind::Ssf, WebhookKind::BackchannelLogout];
        assert_eq!(serde_json::to_string(&kinds).unwrap(), r#"["workos","ssf","backchannel-logout"]"#);
        let types = [IdpType::WorkOs, IdpType::CustomOidc];
        assert_eq!(serde_json::to_string(&types).unwrap(), r#"["workos","custom_oidc"]"#);
    }

    #[test]
    fn null_takes_away_and_absence_leaves() {
        let read = |text| serde_json::from_str::<UpdateIdentityProvider>(text).unwrap();
        assert_eq!(read("{}"), UpdateIdentityProvider::default());
        assert_eq!(read(r#"{"audience":null}"#).audience, Some(None));
        let claims = read(r#"{"claims":{"groups":null}}"#).claims;
        assert_eq!((claims.groups, claims.roles), (Some(None), None));
        assert!(serde_json::from_str::<AddIdentityProvider>(r#"{"issuer":"x","aud":"y"}"#).is_err());
    }
}
