//! Who a request of the Wallet's is from.

use std::{net::IpAddr, sync::Arc};

use super::{WalletCookie, WalletService};
use crate::{
    error::{Error, Result},
    flow::connect::Browser,
    keyspace,
    model::{Actor, ActorKind, IdentityProvider, User, WalletSession},
    port::TableName,
    repo::{Stored, WalletSessions, decode_stored},
};

/// Somebody who is signed in, as the vault knows them at this moment.
#[derive(Debug)]
pub struct SignedIn {
    pub session: WalletSession,
    pub user: Arc<User>,
    pub idp: IdentityProvider,
    pub browser: Browser,
}

impl SignedIn {
    /// The user as the record names them.
    pub(super) fn actor(&self, ip: Option<IpAddr>) -> Actor {
        Actor { kind: ActorKind::User, ip: ip.map(|ip| ip.to_string()), ..Actor::of_vault() }
    }
}

/// Entra ID's claim of users: never reassigned, and the same in all of a tenant's applications, which `sub` is not.
const OBJECT_ID: &str = "oid";

impl WalletService {
    /// The user whose browser holds this cookie, if the session lives and they may act. Everything is read in one round.
    pub async fn enter(&self, cookie: WalletCookie) -> Result<SignedIn> {
        let ports = &self.ports;
        let keys = [
            keyspace::wallet_session(cookie.session),
            keyspace::user(cookie.user),
            keyspace::identity_provider(cookie.app),
        ];
        let items = ports.table.get_many(&keys.map(|key| (TableName::Main, key))).await?;
        let mut items = items.iter().map(Option::as_ref);
        let mut next = || items.next().flatten();
        let (Some(session), Some(user), Some(idp)) = (next(), next(), next()) else {
            return Err(Error::WalletSessionRequired);
        };
        let session: Stored<WalletSession> = decode_stored(session)?;
        let user: Stored<User> = decode_stored(user)?;
        let idp: Stored<IdentityProvider> = decode_stored(idp)?;
        let now = ports.clock.now();
        let known = &session.value;
        if !cookie.is_of(known) || known.idp_id != idp.value.id || !known.is_alive(now) {
            return Err(Error::WalletSessionRequired);
        }
        // What the sign-in went by is there no more, or was added again by somebody who may mean other people.
        if idp.value.client.is_none() || idp.value.created_at > known.created_at {
            return Err(Error::WalletSessionRequired);
        }
        // A name that the app tells its users apart by was given to somebody else: the user is theirs by now. Where a name is one
        // person's for good, a `sub` may well be another one for each application.
        if user.value.sub != known.sub && user.value.identity.claim != OBJECT_ID {
            return Err(Error::WalletSessionRequired);
        }
        user.value.admitted()?;
        // Whoever has left and was let in again signs in again, too.
        let is_of_before = user.value.reinstated_at.is_some_and(|at| known.created_at <= at);
        if is_of_before || !user.value.accepts_token_of(known.issued_at, true) {
            return Err(Error::WalletSessionRequired);
        }
        if let Some(used) = known.used(now) {
            let used = Stored { value: used, version: session.version };
            match WalletSessions(ports.table.as_ref()).update(&used).await {
                // Another request of the same page has noted it.
                Ok(_) | Err(Error::Conflict { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(SignedIn {
            session: session.value,
            user: Arc::new(user.value),
            idp: idp.value,
            browser: cookie.browser,
        })
    }
}
