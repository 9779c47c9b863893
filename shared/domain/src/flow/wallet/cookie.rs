//! What the browser of a session holds.

use std::fmt;

use alter_api_types::{AppId, UserId, WalletSessionId};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::flow::connect::Browser;

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
        for bad in ["", &text[1..], &text[..106], &format!("{}A", *text), &format!("{}=", *text)] {
            assert!(WalletCookie::parse(bad).is_none(), "{bad}");
        }
    }
}
