//! Who a request of the Wallet's is from.

use std::sync::Arc;

use super::{WalletCookie, WalletService};
use crate::{
    error::{Error, Result},
    flow::connect::Browser,
    keyspace,
    model::{IdentityProvider, User, WalletSession},
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
        let is_its = cookie.browser.has_digest(&known.browser)
            && known.user_id == cookie.user
            && known.app_id == cookie.app
            && known.idp_id == idp.value.id;
        let counts = user.value.accepts_token_of(known.created_at.as_second(), true);
        if !is_its || !counts || !known.is_alive(now) {
            return Err(Error::WalletSessionRequired);
        }
        user.value.admitted()?;
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
