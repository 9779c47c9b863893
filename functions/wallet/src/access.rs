//! Who may: a session's browser on the Wallet's own page.
//!
//! A read needs the cookie. A write needs, beside it, that the browser says it comes from the Wallet's origin, and a header that no
//! other site's page can know or send.

use std::sync::Arc;

use alter_api_types::wallet::CSRF_HEADER;
use alter_domain::{
    Error, Result,
    flow::{
        connect::PublicUrl,
        wallet::{SignedIn, WalletCookie, WalletService},
    },
};
use axum::{extract::FromRequestParts, http::request::Parts};
use http::{HeaderMap, HeaderValue, header};

/// Somebody who is signed in and reads.
pub(crate) struct Reader(pub(crate) SignedIn);

/// Somebody who is signed in and changes something, on purpose.
pub(crate) struct Writer(pub(crate) SignedIn);

impl FromRequestParts<Arc<WalletService>> for Reader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<WalletService>) -> Result<Self> {
        own_page(&parts.headers)?;
        enter(parts, service).await.map(Self)
    }
}

impl FromRequestParts<Arc<WalletService>> for Writer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<WalletService>) -> Result<Self> {
        own_page(&parts.headers)?;
        let origin = parts.headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
        if origin != Some(service.url.origin().as_bytes()) {
            return Err(Error::CsrfFailed);
        }
        let signed_in = enter(parts, service).await?;
        let token = parts.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
        if !signed_in.browser.checks_csrf_token(token.unwrap_or_default()) {
            return Err(Error::CsrfFailed);
        }
        Ok(Self(signed_in))
    }
}

/// The cookie's name. Over https its prefix keeps other hosts, and pages of other paths, from setting it.
pub(crate) fn cookie_name(url: &PublicUrl) -> &'static str {
    if url.is_https() { "__Host-alter_wallet" } else { "alter_wallet" }
}

/// Another site's page is refused where the browser says so; a program that is no browser says nothing of a site.
fn own_page(headers: &HeaderMap) -> Result<()> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    match site {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Error::CsrfFailed),
    }
}

async fn enter(parts: &Parts, service: &WalletService) -> Result<SignedIn> {
    let cookie = cookie(&parts.headers, &service.url).ok_or(Error::WalletSessionRequired)?;
    service.enter(cookie).await
}

fn cookie(headers: &HeaderMap, url: &PublicUrl) -> Option<WalletCookie> {
    let name = cookie_name(url);
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).and_then(|(_, value)| WalletCookie::parse(value))
}
