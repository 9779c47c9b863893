//! From identity providers and users to answers.

use alter_api_types::portal::{
    self, ClaimsView, DeprovisionView, DiscoveredView, IdentityProviderView, IdpType, SignInClientView,
    UserStatus, UserView, WebhookSecretSource, WebhookView,
};
use alter_domain::{
    flow::identity::{Member, webhook_address},
    model::{Deprovision, IdentityProvider, UserState, WebhookKind, WebhookProof},
    oidc::{ClaimNames, Discovered, IdpKind},
    web::grants::surface,
};

use crate::PortalState;

pub(crate) fn discovered(found: Discovered) -> DiscoveredView {
    DiscoveredView {
        issuer: found.issuer,
        idp_type: idp_type(found.kind),
        claims: claims(found.claims),
        preset: idp_type(found.preset),
        preset_claims: claims(found.preset.suggested_claims()),
        webhooks: WebhookKind::ALL
            .into_iter()
            .filter(|kind| proposed(found.preset, *kind))
            .map(kind)
            .collect(),
        jwks_uri: found.jwks_uri,
        authorization_endpoint: found.authorization_endpoint,
        token_endpoint: found.token_endpoint,
        end_session_endpoint: found.end_session_endpoint,
        token_endpoint_auth_methods: found.token_endpoint_auth_methods,
        signing_algorithms: found.id_token_signing_algs,
        scopes_supported: found.scopes_supported,
        claims_supported: found.claims_supported,
        usable_keys: found.usable_keys as u64,
    }
}

/// With the addresses at which it sends people back.
pub(crate) fn identity_provider(idp: IdentityProvider, portal: &PortalState) -> IdentityProviderView {
    let PortalState { public_url, wallet_url, .. } = portal;
    IdentityProviderView {
        idp_id: idp.id,
        app_id: idp.app_id,
        idp_type: idp_type(idp.kind),
        claims_locked: idp.claims_are_locked(),
        first_sign_in_at: idp.first_sign_in_at,
        webhooks: idp.webhooks.keys().copied().map(kind).collect(),
        issuer: idp.issuer,
        claims: claims(idp.claims),
        audience: idp.audience,
        client: idp.client.map(|client| SignInClientView {
            client_id: client.client_id,
            has_client_secret: client.secret.is_some(),
            secret_rotated_at: client.secret.map(|secret| secret.rotated_at),
        }),
        jwks_uri: idp.endpoints.jwks_uri,
        authorization_endpoint: idp.endpoints.authorization,
        token_endpoint: idp.endpoints.token,
        end_session_endpoint: idp.endpoints.end_session,
        sdk_redirect_uri: format!("{public_url}/sdk/auth/callback"),
        wallet_redirect_uri: format!("{wallet_url}/api/auth/callback"),
        wallet_logout_uri: format!("{wallet_url}/sign-in"),
        created_at: idp.created_at,
        updated_at: idp.updated_at,
    }
}

/// A webhook, on or off.
pub(crate) fn webhook(idp: &IdentityProvider, of: WebhookKind, public_url: &str) -> WebhookView {
    let webhook = idp.webhooks.get(&of);
    let (issuer, audience) = match webhook.map(|webhook| &webhook.proof) {
        Some(WebhookProof::Transmitter { issuer, audience, .. }) => (Some(issuer), Some(audience)),
        _ => (None, None),
    };
    WebhookView {
        kind: kind(of),
        url: webhook_address(public_url, idp.id, of),
        enabled: webhook.is_some(),
        proposed: proposed(product(idp), of),
        secret_source: match of {
            WebhookKind::Auth0 | WebhookKind::Okta => WebhookSecretSource::Vault,
            WebhookKind::Clerk | WebhookKind::WorkOs => WebhookSecretSource::IdentityProvider,
            WebhookKind::Ssf | WebhookKind::BackchannelLogout => WebhookSecretSource::None,
        },
        issuer: issuer.cloned(),
        audience: audience.cloned(),
        enabled_at: webhook.map(|webhook| webhook.enabled_at),
        rotated_at: webhook.map(|webhook| webhook.rotated_at),
    }
}

pub(crate) fn user(member: Member, task: Option<Deprovision>) -> UserView {
    let Member { user, membership } = member;
    let (status, since) = match user.state {
        UserState::Active => (UserStatus::Active, None),
        UserState::Suspended { at, from } => (UserStatus::Suspended, Some((at, from))),
        UserState::Deprovisioned { at, from } => (UserStatus::Deprovisioned, Some((at, from))),
    };
    UserView {
        user_id: user.id,
        app_id: membership.app_id,
        idp_id: membership.idp_id,
        issuer: user.identity.issuer,
        claim: user.identity.claim,
        subject: user.identity.subject,
        email: user.email,
        name: user.name,
        status,
        status_since: since.map(|(at, _)| at),
        status_from: since.map(|(_, from)| surface(from)),
        groups: membership.groups.into_iter().collect(),
        roles: membership.roles.into_iter().collect(),
        created_at: membership.created_at,
        updated_at: user.updated_at.max(membership.updated_at),
        deprovision: task
            .map(|task| DeprovisionView { grants_revoked: task.revoked, since: task.created_at }),
    }
}

/// What it is, or what it looks like where nobody has said.
fn product(idp: &IdentityProvider) -> IdpKind {
    match idp.kind {
        IdpKind::CustomOidc => IdpKind::preset_of(&idp.issuer),
        known => known,
    }
}

/// The webhooks that a product has. An operator may switch on any: a provider may sit behind another.
fn proposed(idp: IdpKind, kind: WebhookKind) -> bool {
    use WebhookKind as W;
    let own: &[WebhookKind] = match idp {
        IdpKind::Auth0 => &[W::Auth0, W::BackchannelLogout],
        IdpKind::Clerk => &[W::Clerk],
        IdpKind::WorkOs => &[W::WorkOs],
        IdpKind::Okta => &[W::Okta, W::Ssf],
        IdpKind::Keycloak | IdpKind::Entra | IdpKind::CustomOidc => &[W::Ssf, W::BackchannelLogout],
    };
    own.contains(&kind)
}

fn claims(claims: ClaimNames) -> ClaimsView {
    ClaimsView { user_id: claims.user_id, groups: claims.groups, roles: claims.roles }
}

fn idp_type(kind: IdpKind) -> IdpType {
    match kind {
        IdpKind::Auth0 => IdpType::Auth0,
        IdpKind::Clerk => IdpType::Clerk,
        IdpKind::Okta => IdpType::Okta,
        IdpKind::Keycloak => IdpType::Keycloak,
        IdpKind::WorkOs => IdpType::WorkOs,
        IdpKind::Entra => IdpType::Entra,
        IdpKind::CustomOidc => IdpType::CustomOidc,
    }
}

fn kind(kind: WebhookKind) -> portal::WebhookKind {
    match kind {
        WebhookKind::Auth0 => portal::WebhookKind::Auth0,
        WebhookKind::Clerk => portal::WebhookKind::Clerk,
        WebhookKind::WorkOs => portal::WebhookKind::WorkOs,
        WebhookKind::Okta => portal::WebhookKind::Okta,
        WebhookKind::Ssf => portal::WebhookKind::Ssf,
        WebhookKind::BackchannelLogout => portal::WebhookKind::BackchannelLogout,
    }
}
