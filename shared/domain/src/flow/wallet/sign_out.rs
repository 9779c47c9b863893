//! The way out: of the session, and of the identity provider's own.

use url::Url;

use super::{WalletCookie, WalletService};
use crate::{
    error::Result,
    keyspace,
    model::{IdentityProvider, WalletSession},
    port::TableName,
    repo::{WalletSessions, decode},
};

impl WalletService {
    /// Ends the session of this cookie, if it is one, and says where the browser goes next: to the identity provider, which would
    /// sign the same person in again without a question, or to the sign-in page where that has no way out.
    ///
    /// OpenID Connect RP-Initiated Logout 1.0 section 2, without `id_token_hint`: the vault takes an ID token of its own client
    /// for a user's token, and no token may come to the browser. So the client is named, and the identity provider may ask the user.
    /// The return address has no query, because identity providers compare it with what was registered; the app's id comes back in
    /// `state`.
    ///
    /// Whoever may no longer act may still sign out.
    pub async fn sign_out(&self, cookie: &WalletCookie) -> Result<String> {
        let table = self.ports.table.as_ref();
        let keys = [keyspace::wallet_session(cookie.session), keyspace::identity_provider(cookie.app)];
        let items = table.get_many(&keys.map(|key| (TableName::Main, key))).await?;
        let mut items = items.iter().map(Option::as_ref);
        let mut next = || items.next().flatten();
        let session: Option<WalletSession> = next().map(decode).transpose()?;
        let idp: Option<IdentityProvider> = next().map(decode).transpose()?;
        let Some(session) = session.filter(|session| cookie.is_of(session)) else {
            return Ok(self.sign_in_page());
        };
        WalletSessions(table).delete(session.id).await?;
        let there = idp.filter(|idp| idp.id == session.idp_id).and_then(|idp| self.end_session(&idp));
        Ok(there.unwrap_or_else(|| format!("{}?app={}&switch=1", self.sign_in_page(), session.app_id)))
    }

    fn sign_in_page(&self) -> String {
        format!("{}/sign-in", self.url.path())
    }

    fn end_session(&self, idp: &IdentityProvider) -> Option<String> {
        let client = idp.client.as_ref()?;
        // It was checked when it was discovered, by the rules for addresses of providers.
        let mut url = Url::parse(idp.endpoints.end_session.as_deref()?).ok()?;
        if !matches!(url.scheme(), "https" | "http") {
            return None;
        }
        url.query_pairs_mut()
            .append_pair("client_id", &client.client_id)
            .append_pair("post_logout_redirect_uri", &format!("{}/sign-in", self.url))
            .append_pair("state", &idp.app_id.to_string());
        Some(url.into())
    }
}
