//! From request bodies about identity providers to the domain's values.

use alter_api_types::portal::{
    AddIdentityProvider, ClaimsInput, IdpType, SetWebhook, UpdateIdentityProvider, UserStatus,
};
use alter_domain::{
    flow::identity::{ClaimChange, IdentityProviderChange, MemberStatus, NewIdentityProvider, NewWebhook},
    oidc::IdpKind,
    secret::Secret,
};

pub(crate) fn new_identity_provider(body: AddIdentityProvider) -> NewIdentityProvider {
    NewIdentityProvider {
        issuer: body.issuer,
        kind: body.idp_type.map(kind),
        claims: claims(body.claims),
        audience: body.audience,
    }
}

pub(crate) fn identity_provider_change(body: UpdateIdentityProvider) -> IdentityProviderChange {
    IdentityProviderChange {
        kind: body.idp_type.map(kind),
        claims: claims(body.claims),
        audience: body.audience,
        rediscover: body.rediscover,
    }
}

pub(crate) fn new_webhook(body: SetWebhook) -> NewWebhook {
    NewWebhook {
        secret: body.secret.map(|secret| Secret::new(secret.into_inner())),
        issuer: body.issuer,
        audience: body.audience,
        rotate: body.rotate,
    }
}

pub(crate) fn member_status(status: UserStatus) -> MemberStatus {
    match status {
        UserStatus::Active => MemberStatus::Active,
        UserStatus::Suspended => MemberStatus::Suspended,
        UserStatus::Deprovisioned => MemberStatus::Deprovisioned,
    }
}

fn claims(input: ClaimsInput) -> ClaimChange {
    ClaimChange { user_id: input.user_id, groups: input.groups, roles: input.roles }
}

fn kind(kind: IdpType) -> IdpKind {
    match kind {
        IdpType::Auth0 => IdpKind::Auth0,
        IdpType::Clerk => IdpKind::Clerk,
        IdpType::Okta => IdpKind::Okta,
        IdpType::Keycloak => IdpKind::Keycloak,
        IdpType::WorkOs => IdpKind::WorkOs,
        IdpType::Entra => IdpKind::Entra,
        IdpType::CustomOidc => IdpKind::CustomOidc,
    }
}
