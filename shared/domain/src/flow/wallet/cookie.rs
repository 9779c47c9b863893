//! What the browser of a session holds.

use std::fmt;

use alter_api_types::{AppId, UserId, WalletSessionId};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    flow::connect::{Browser, PublicUrl},
    model::{WALLET_LIFETIME, WalletSession},
};

/// A session's cookie: which session it is for, and the secret that proves it. User and app are in it so that everything which a
/// request has to check is read at once; whether they are the session's is checked as well.
pub struct WalletCookie {
    pub session: WalletSessionId,
    pub user: UserId,
    pub app: AppId,
    pub browser: Browser,
}

const ID_BYTES: usize = 16;

impl WalletCookie {
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let (session, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (user, rest) = rest.split_first_chunk::<ID_BYTES>()?;
        let (app, secret) = rest.split_first_chunk::<ID_BYTES>()?;
        Some(Self {
            session: Uuid::from_bytes(*session).into(),
            user: Uuid::from_bytes(*user).into(),
            app: Uuid::from_bytes(*app).into(),
            browser: Browser::from_bytes(secret)?,
        })
    }

    /// Whether it is this session's.
    pub(super) fn is_of(&self, session: &WalletSession) -> bool {
        self.browser.has_digest(&session.browser)
            && self.session == session.id
            && self.user == session.user_id
            && self.app == session.app_id
    }

    /// The cookie that a request brings.
    pub fn of(headers: &HeaderMap, url: &PublicUrl) -> Option<Self> {
        let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(known, _)| *known == Self::name(url)).and_then(|(_, value)| Self::parse(value))
    }

    /// What gives it to the browser, for as long as a session lives at most.
    pub fn to_header(&self, url: &PublicUrl) -> Option<HeaderValue> {
        Self::header(url, &self.to_text(), WALLET_LIFETIME.as_secs())
    }

    /// What takes it from the browser.
    pub fn gone(url: &PublicUrl) -> Option<HeaderValue> {
        Self::header(url, "", 0)
    }

    /// Over https the name's prefix keeps other hosts, and pages of other paths, from setting it. `Lax`, because the way back from
    /// the identity provider, and a link to the Wallet, come from other sites.
    fn header(url: &PublicUrl, value: &str, seconds: i64) -> Option<HeaderValue> {
        let secure = if url.is_https() { "; Secure" } else { "" };
        let text = Zeroizing::new(format!(
            "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
            Self::name(url)
        ));
        let mut header = HeaderValue::from_str(&text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    fn name(url: &PublicUrl) -> &'static str {
        if url.is_https() { "__Host-alter_wallet" } else { "alter_wallet" }
    }

    /// The cookie's value.
    pub fn to_text(&self) -> Zeroizing<String> {
        let ids = [self.session.as_bytes(), self.user.as_bytes(), self.app.as_bytes()];
        let mut bytes = Zeroizing::new(ids.into_iter().flatten().copied().collect::<Vec<u8>>());
        // Room first: a buffer that grows leaves what it held behind.
        bytes.reserve_exact(self.browser.as_bytes().len());
        bytes.extend_from_slice(self.browser.as_bytes());
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes))
    }
}

impl fmt::Debug for WalletCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WalletCookie({}, …)", self.session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::SeededRng;

    #[test]
    fn a_cookie_has_one_spelling() {
        let id = |n| Uuid::from_u128(n);
        let browser = Browser::mint(&SeededRng::new(1)).unwrap();
        let cookie = WalletCookie { session: id(1).into(), user: id(2).into(), app: id(3).into(), browser };
        let text = cookie.to_text();
        assert_eq!(text.len(), 107);
        let back = WalletCookie::parse(&text).unwrap();
        assert_eq!((back.session, back.user, back.app), (id(1).into(), id(2).into(), id(3).into()));
        assert!(back.browser.has_digest(&cookie.browser.digest()));
        assert!(!format!("{cookie:?}").contains(&text[70..]));
        for url in
            ["https://vault.example", "http://127.0.0.1:8420"].map(|url| PublicUrl::parse(url).unwrap())
        {
            let given = cookie.to_header(&url).unwrap();
            assert!(given.is_sensitive());
            let sent = given.to_str().unwrap().split_once(';').unwrap().0.to_owned();
            let mut headers = HeaderMap::new();
            headers.append(header::COOKIE, HeaderValue::from_static("a=b; alter_wallet_x=c"));
            assert!(WalletCookie::of(&headers, &url).is_none());
            headers.append(header::COOKIE, HeaderValue::from_str(&format!("a=b; {sent}")).unwrap());
            assert_eq!(WalletCookie::of(&headers, &url).unwrap().session, cookie.session);
        }
        for bad in ["", &text[1..], &text[..106], &format!("{}A", *text), &format!("{}=", *text)] {
            assert!(WalletCookie::parse(bad).is_none(), "{bad}");
        }
    }
}
