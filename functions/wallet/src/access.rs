//! Who may: a session's browser on the Wallet's own page.
//!
//! A read needs the cookie. A write needs, beside it, that the browser says it comes from the Wallet's origin, and a header that no
//! other site's page can know or send.

use std::sync::Arc;

use alter_api_types::wallet::CSRF_HEADER;
use alter_domain::{
    Error, Result,
    flow::wallet::{SignedIn, WalletCookie, WalletService},
};
use axum::{extract::FromRequestParts, http::request::Parts};
use http::{HeaderMap, HeaderValue, header};

/// Somebody who is signed in and reads.
pub(crate) struct Reader(pub(crate) SignedIn);

/// Somebody who is signed in and changes something, on purpose.
pub(crate) struct Writer(pub(crate) SignedIn);

/// A browser that gives its session back, on purpose, whether the session still is one or not.
pub(crate) struct Leaver(pub(crate) WalletCookie);

/// Anybody on the Wallet's own page.
pub(crate) struct Guest;

impl FromRequestParts<Arc<WalletService>> for Reader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<WalletService>) -> Result<Self> {
        own_page(&parts.headers)?;
        let cookie = WalletCookie::of(&parts.headers, &service.url).ok_or(Error::WalletSessionRequired)?;
        service.enter(cookie).await.map(Self)
    }
}

impl FromRequestParts<Arc<WalletService>> for Writer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<WalletService>) -> Result<Self> {
        service.enter(on_purpose(&parts.headers, service)?).await.map(Self)
    }
}

impl FromRequestParts<Arc<WalletService>> for Leaver {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<WalletService>) -> Result<Self> {
        on_purpose(&parts.headers, service).map(Self)
    }
}

impl FromRequestParts<Arc<WalletService>> for Guest {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<WalletService>) -> Result<Self> {
        own_page(&parts.headers).map(|()| Self)
    }
}

/// The cookie of a request that the Wallet's own page has made. The header is derived from the cookie's secret, so nothing has to
/// be read to check it.
fn on_purpose(headers: &HeaderMap, service: &WalletService) -> Result<WalletCookie> {
    own_page(headers)?;
    let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    if origin != Some(service.url.origin().as_bytes()) {
        return Err(Error::CsrfFailed);
    }
    let cookie = WalletCookie::of(headers, &service.url).ok_or(Error::WalletSessionRequired)?;
    let token = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if cookie.browser.checks_csrf_token(token) { Ok(cookie) } else { Err(Error::CsrfFailed) }
}

/// Another site's page is refused where the browser says so; a program that is no browser says nothing of a site.
fn own_page(headers: &HeaderMap) -> Result<()> {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Error::CsrfFailed),
    }
}
