//! Keys of identity providers, their users, and what is told of them.

use alter_api_types::{AppId, IdpId, OrgId, SignInId, UserId, WalletSessionId};
use jiff::Timestamp;

use super::{due, due_shard};
use crate::{
    model::{WebhookKind, identity_provider::hash},
    port::{IndexKey, Key},
};

/// An app's one identity provider. It lies under the app, so that whoever knows the app can name it.
pub fn identity_provider(app: AppId) -> Key {
    Key::new(format!("app#{app}/identity"), "provider")
}

/// Names the app of an identity provider, for the addresses that webhooks call.
pub fn idp_app(id: IdpId) -> Key {
    Key::new(format!("idp#{id}"), "app")
}

/// In the vault table: the sealed HMAC key of a webhook.
pub fn webhook_secret(id: IdpId, kind: WebhookKind) -> Key {
    Key::new(format!("webhook#{id}"), kind.as_str())
}

/// An event of an identity provider that was acted on; `digest` is that of its id.
pub fn idp_event(id: IdpId, digest: &str) -> Key {
    Key::new(format!("idp#{id}/events#{digest}"), "event")
}

pub fn user(id: UserId) -> Key {
    Key::new(format!("user#{id}"), "user")
}

/// The users whom an issuer calls by one `sub`: one for each claim by which apps of the organization tell users apart.
pub fn users_of_sub(org: OrgId, issuer: &str, sub: &str) -> String {
    let hash = hash(&[org.as_bytes(), issuer.as_bytes(), sub.as_bytes()]);
    format!("sub#{}", hex::encode(hash))
}

/// Names one of them. Not by an index, which lags behind: whoever has come a moment ago is to be found when they leave.
pub fn user_of_sub(org: OrgId, issuer: &str, sub: &str, user: UserId) -> Key {
    Key::new(users_of_sub(org, issuer, sub), format!("{USER_OF_SUB}{user}"))
}

/// How the sort parts of [`user_of_sub`] begin.
pub const USER_OF_SUB: &str = "user#";

/// What is told of whomever an issuer calls by this `sub`.
pub fn notice(org: OrgId, issuer: &str, sub: &str) -> Key {
    Key::new(users_of_sub(org, issuer, sub), "notice")
}

/// Groups of an issuer's that are gone.
pub fn groups_gone(org: OrgId, issuer: &str) -> Key {
    Key::new(format!("issuer#{}", hex::encode(hash(&[org.as_bytes(), issuer.as_bytes()]))), "groups-gone")
}

/// A user's memberships, by app.
pub fn memberships(user: UserId) -> String {
    format!("user#{user}/apps")
}

pub fn membership(user: UserId, app: AppId) -> Key {
    Key::new(memberships(user), app.to_string())
}

/// An app's users, by when they were first seen there.
pub fn app_users(app: AppId) -> String {
    format!("app#{app}/users")
}

pub fn app_user(app: AppId, since: Timestamp, user: UserId) -> IndexKey {
    Key::new(app_users(app), due(since, user))
}

pub fn deprovision(user: UserId) -> Key {
    Key::new(format!("deprovision#{user}"), "deprovision")
}

/// Departures whose grants have still to be ended, by when the next pass is due.
pub fn deprovisions_due(shard: u8) -> String {
    format!("deprovisions#{shard}")
}

pub fn deprovision_due(at: Timestamp, user: UserId) -> IndexKey {
    Key::new(deprovisions_due(due_shard(user.as_bytes())), due(at, user))
}

/// A sign-in under way, from the app's request to its result.
pub fn sign_in(id: SignInId) -> Key {
    Key::new(format!("sign-in#{id}"), "session")
}

/// One way into the Wallet.
pub fn wallet_sign_in(id: SignInId) -> Key {
    Key::new(format!("wallet#{id}"), "sign-in")
}

/// One signed-in browser of the Wallet.
pub fn wallet_session(id: WalletSessionId) -> Key {
    Key::new(format!("wallet#{id}"), "session")
}

/// The apps in which something may be granted for a user: those that they were seen in, and those where they were named.
pub fn reach(user: UserId) -> String {
    format!("user#{user}/reach")
}

pub fn reach_of(user: UserId, app: AppId) -> Key {
    Key::new(reach(user), app.to_string())
}
