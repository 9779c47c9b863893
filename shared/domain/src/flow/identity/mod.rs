//! Users: from a token of the app's identity provider to somebody who may be acted for.
//!
//! A token names its user without a read (the id is computed), so that a call reads user and membership together with all
//! else. What the token says of profile and groups is taken in where it is newer than what is known; the user's state is read
//! each time, and decides.

mod admit;
mod deliveries;
mod deprovision;
mod events;
mod people;
mod settings;
pub mod sign_in;

use std::sync::Arc;

use alter_api_types::{AppId, UserId};
use serde::de::DeserializeOwned;

pub use deliveries::{Taken, WebhookService};
pub use people::{
    Member, MemberFilter, MemberStatus, deprovision_user, get_member, list_members, reactivate_user,
    suspend_user,
};
pub use settings::{
    ClaimChange, IdentityProviderChange, NewIdentityProvider, NewWebhook, add_identity_provider,
    disable_webhook, discover_identity_provider, remove_identity_provider, remove_sign_in_client,
    set_sign_in_client, set_webhook, update_identity_provider, webhook_address,
};

pub(crate) use deprovision::{about, departure, follow_up, signal_departure};

use crate::{
    egress::EgressRules,
    error::{Error, Result},
    model::{Actor, Identity, IdentityProvider, Membership, Principal, User},
    oidc::{Fetching, IdentityKeys, KeySource, KeysError, Verified},
    port::{HttpClient, Item, TableName, Version},
    repo::{IdentityProviders, Stored, decode},
    state::Ports,
};

/// Everything that is needed to tell whose token it is. Cheap to clone; `keys` is one for the process.
#[derive(Clone)]
pub struct IdentityService {
    pub ports: Ports,
    pub http: Arc<dyn HttpClient>,
    pub rules: EgressRules,
    pub keys: Arc<IdentityKeys>,
}

/// Somebody whose token was verified, as the vault knows them now.
#[derive(Debug, Clone)]
pub struct Identified {
    pub user: Arc<User>,
    /// The user's version as it was read: a write that must not outlive the user's admission checks it.
    pub user_version: Version,
    /// Groups and roles that are in force in this app.
    pub membership: Arc<Membership>,
    pub verified: Arc<Verified>,
}

impl Identified {
    pub fn user_id(&self) -> UserId {
        self.user.id
    }

    pub fn principal(&self) -> Principal {
        Principal::User { user_id: self.user.id }
    }

    /// Whether what is granted to this principal is granted to the user: to themselves, or to a group that they are in.
    pub fn is(&self, principal: &Principal) -> bool {
        match principal {
            Principal::User { user_id } => *user_id == self.user.id,
            Principal::Group { idp_id, external_group_id } => {
                *idp_id == self.membership.idp_id && self.membership.groups.contains(external_group_id)
            }
            Principal::System | Principal::Agent { .. } => false,
        }
    }

    /// All principals whose grants the user may use: themselves first, then their groups.
    pub fn principals(&self) -> impl Iterator<Item = Principal> {
        let Membership { idp_id, groups, .. } = self.membership.as_ref();
        let groups =
            groups.iter().map(|group| Principal::Group { idp_id: *idp_id, external_group_id: group.clone() });
        std::iter::once(self.principal()).chain(groups)
    }
}

/// A user and their membership of an app, as they were read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    pub(crate) user: Option<Stored<Arc<User>>>,
    pub(crate) membership: Option<Stored<Arc<Membership>>>,
}

impl IdentityService {
    /// Whose token it is, in this app. The first token of somebody makes them known.
    pub async fn identify(&self, app: AppId, token: &str, actor: &Actor) -> Result<Identified> {
        let idp = IdentityProviders(self.ports.table.as_ref()).find(app).await?;
        let idp = idp.ok_or(Error::JwtValidation)?;
        let verified = self.verify(&idp.value, token).await?;
        self.known(idp, verified, actor).await
    }

    /// The same for a token that was verified.
    pub async fn known(
        &self,
        idp: Stored<IdentityProvider>,
        verified: Arc<Verified>,
        actor: &Actor,
    ) -> Result<Identified> {
        let user = user_id(&idp.value, &verified);
        let found = self.read(user, idp.value.app_id).await?;
        self.admit(idp, verified, found, actor).await
    }

    /// Checks a token's signature and terms. What is wrong with it is for the log alone.
    pub async fn verify(&self, idp: &IdentityProvider, token: &str) -> Result<Arc<Verified>> {
        let verified = self.keys.verify(&self.fetching(), &source(idp), token).await;
        verified.map_err(|error| match error {
            KeysError::Token(why) => {
                tracing::info!(idp = %idp.id, %why, "a user's token was refused");
                Error::JwtValidation
            }
            KeysError::Unavailable(why) => Error::IdentityProviderUnavailable(why.to_string()),
        })
    }

    /// Whom a token is for that was verified before under these terms, without asking anybody.
    pub(crate) fn verified_before(&self, idp: &IdentityProvider, token: &str) -> Option<Arc<Verified>> {
        self.keys.cached(&source(idp), token, self.ports.clock.now())
    }

    /// With what keys of identity providers are fetched.
    pub(crate) fn fetching(&self) -> Fetching {
        let (http, clock) = (Arc::clone(&self.http), Arc::clone(&self.ports.clock));
        Fetching { http, rules: self.rules, clock }
    }

    async fn read(&self, user: UserId, app: AppId) -> Result<Found> {
        let keys = [crate::keyspace::user(user), crate::keyspace::membership(user, app)];
        let keys = keys.map(|key| (TableName::Main, key));
        let mut items = self.ports.table.get_many(&keys).await?.into_iter();
        let (user, membership) = (items.next().flatten(), items.next().flatten());
        Ok(Found { user: shared(user)?, membership: shared(membership)? })
    }
}

fn shared<T: DeserializeOwned>(item: Option<Item>) -> Result<Option<Stored<Arc<T>>>> {
    item.map(|item| Ok(Stored { value: Arc::new(decode(&item)?), version: item.version })).transpose()
}

/// The id of the user whom a verified token is for.
pub(crate) fn user_id(idp: &IdentityProvider, verified: &Verified) -> UserId {
    identity(idp, verified).user_id(idp.org_id)
}

fn identity(idp: &IdentityProvider, verified: &Verified) -> Identity {
    Identity {
        issuer: idp.issuer.clone(),
        claim: idp.claims.user_id.clone(),
        subject: verified.subject.clone(),
    }
}

fn source(idp: &IdentityProvider) -> KeySource<'_> {
    KeySource {
        issuer: &idp.issuer,
        jwks_uri: &idp.endpoints.jwks_uri,
        audience: idp.audience.as_deref(),
        client_id: idp.client_id(),
        claims: &idp.claims,
    }
}
