//! What the portal and the Wallet say of a grant in the same words.

use alter_api_types::portal::{GrantKind, GrantStatus, ProviderRevocation, RevocationStatus, Surface};

use crate::model::{self, GrantSource, Receipt};

pub fn kind(source: GrantSource) -> GrantKind {
    match source {
        GrantSource::ManagedSecret { .. } => GrantKind::ManagedSecret,
        GrantSource::OAuth { .. } => GrantKind::Oauth,
    }
}

pub fn status(status: model::GrantStatus) -> GrantStatus {
    match status {
        model::GrantStatus::Active => GrantStatus::Active,
        model::GrantStatus::Expired => GrantStatus::Expired,
        model::GrantStatus::Revoked => GrantStatus::Revoked,
    }
}

pub fn surface(surface: model::Surface) -> Surface {
    match surface {
        model::Surface::Sdk => Surface::Sdk,
        model::Surface::Portal => Surface::Portal,
        model::Surface::Wallet => Surface::Wallet,
        model::Surface::Webhook => Surface::Webhook,
        model::Surface::Connect => Surface::Connect,
        model::Surface::Vault => Surface::Vault,
    }
}

pub fn provider_revocation(receipt: &Receipt) -> ProviderRevocation {
    let (status, at, reason) = match receipt {
        Receipt::Pending => (RevocationStatus::Pending, None, None),
        Receipt::Revoked { at } => (RevocationStatus::Revoked, Some(*at), None),
        Receipt::NotSupported => (RevocationStatus::NotSupported, None, None),
        Receipt::Superseded { at } => (RevocationStatus::Superseded, Some(*at), None),
        Receipt::Failed { at, reason } => (RevocationStatus::Failed, Some(*at), Some(reason.clone())),
    };
    ProviderRevocation { status, at, reason }
}
