//! An app's identity provider: who tells the vault who its users are, and who has left.

use std::collections::BTreeMap;

use alter_api_types::{AppId, IdpId, OrgId};
use jiff::Timestamp;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::ClientSecret;
use crate::{
    crypto::Sealed,
    oidc::{ClaimNames, IdpKind},
};

/// The one identity provider of an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdentityProvider {
    pub id: IdpId,
    pub org_id: OrgId,
    pub app_id: AppId,
    pub kind: IdpKind,
    /// As the tokens' `iss` spells it, to the letter.
    pub issuer: String,
    pub endpoints: IdpEndpoints,
    /// They are locked once somebody has signed in.
    pub claims: ClaimNames,
    /// When set, a token must be for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The vault's own registration there, for sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<SignInClient>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub webhooks: BTreeMap<WebhookKind, Webhook>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sign_in_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Where it answers, as its discovery document said (OpenID Connect Discovery 1.0 section 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdpEndpoints {
    pub jwks_uri: String,
    pub authorization: String,
    pub token: String,
    /// Where it says of a user what their ID token leaves out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_session: Option<String>,
    /// How its token endpoint lets clients prove themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_auth_methods: Vec<String>,
    /// It promises to name itself in each redirect back (RFC 9207 section 3): one without its name is not its.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names_itself: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInClient {
    pub client_id: String,
    /// A public client has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<ClientSecret>,
}

/// In whose way the identity provider tells of its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookKind {
    /// Log streams: a shared token.
    Auth0,
    /// Svix (Standard Webhooks) signatures.
    Clerk,
    #[serde(rename = "workos")]
    WorkOs,
    /// Event hooks: a shared token, and a handshake.
    Okta,
    /// OpenID Shared Signals: signed security event tokens (RFC 8417, RFC 8935).
    Ssf,
    /// OpenID Connect Back-Channel Logout 1.0.
    BackchannelLogout,
}

impl WebhookKind {
    pub const ALL: [Self; 6] =
        [Self::Auth0, Self::Clerk, Self::WorkOs, Self::Okta, Self::Ssf, Self::BackchannelLogout];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth0 => "auth0",
            Self::Clerk => "clerk",
            Self::WorkOs => "workos",
            Self::Okta => "okta",
            Self::Ssf => "ssf",
            Self::BackchannelLogout => "backchannel-logout",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A webhook that is switched on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub proof: WebhookProof,
    pub enabled_at: Timestamp,
    pub rotated_at: Timestamp,
}

/// How its deliveries prove that they come from the identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum WebhookProof {
    /// A shared token, of which only the hex SHA-256 is kept.
    Token { digest: String },
    /// A shared HMAC key, sealed in the vault table for this purpose alone.
    Hmac { seal_version: u64 },
    /// Signatures of a Shared Signals transmitter. `audience` is what its tokens must be for.
    Transmitter { issuer: String, jwks_uri: String, audience: String },
    /// Signatures of the identity provider itself, for the vault's own client.
    IdentityProvider,
}

/// A webhook's HMAC key, as the vault table keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedWebhookSecret {
    pub idp_id: IdpId,
    pub kind: WebhookKind,
    /// Grows with every replacement and is part of what the seal is bound to.
    pub seal_version: u64,
    pub sealed: Sealed,
}

impl IdentityProvider {
    /// The id of this issuer for this app: the same after it was removed and added again, so that grants of its groups and the
    /// addresses that its webhooks call stay.
    pub fn id_of(app: AppId, issuer: &str) -> IdpId {
        id_from(&[b"identity-provider", app.as_bytes(), issuer.as_bytes()])
    }

    pub fn claims_are_locked(&self) -> bool {
        self.first_sign_in_at.is_some()
    }

    pub fn client_id(&self) -> Option<&str> {
        self.client.as_ref().map(|client| client.client_id.as_str())
    }
}

/// A UUIDv8 (RFC 9562 section 5.8) of SHA-256 over parts, each with its length before it.
pub(super) fn id_from<T: alter_api_types::Id>(parts: &[&[u8]]) -> T {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(hash(parts).split_at(16).0);
    T::from(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// SHA-256 over parts, each with its length before it, so that no two lists of parts read the same.
pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_issuer_has_one_id_in_an_app_and_others_in_others() {
        let app = |n| AppId::from(Uuid::from_u128(n));
        let one = IdentityProvider::id_of(app(1), "https://a.example");
        assert_eq!(one, IdentityProvider::id_of(app(1), "https://a.example"));
        assert_ne!(one, IdentityProvider::id_of(app(2), "https://a.example"));
        assert_ne!(one, IdentityProvider::id_of(app(1), "https://a.example/"));
        assert_eq!(Uuid::from(one).get_version_num(), 8);
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b"ab"]), hash(&[b"ab", b""]));
    }

    #[test]
    fn a_webhooks_kind_has_one_spelling() {
        for kind in WebhookKind::ALL {
            assert_eq!(WebhookKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.as_str()));
        }
    }
}
