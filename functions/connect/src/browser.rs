//! What a browser sends and gets: the session's cookie, forms, and the headers of pages.

use alter_api_types::{ConnectSessionId, SignInId};
use alter_domain::{
    Error,
    flow::connect::{Browser, ConnectError, PublicUrl},
    model::WALLET_SIGN_IN_LIFETIME,
    web::read_body,
};
use askama::Template;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use url::form_urlencoded;

/// The largest form, in bytes: a redirect's parameters, or a page's few fields.
const FORM_LIMIT: usize = 32 * 1024;
/// How long the cookie is sent, in seconds: the session's life, and a while to look at its result.
const COOKIE_SECONDS: i64 = 3600;

/// No inline anything, nothing from elsewhere, in no frame. Forms go to the vault only: the way to a provider's page is not a
/// form's redirect, which browsers would hold against this list at each of the provider's own redirects too.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// A page for people.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => return Error::Internal(format!("page: {error}")).into_response(),
    };
    let mut response = (status, html).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    guarded(response)
}

/// Sends the browser on with GET, whatever it came with (RFC 9700 section 4.12).
pub(crate) fn see_other(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return Error::Internal("a redirect is not a header value".to_owned()).into_response();
    };
    guarded((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// What every answer to a browser has. No `Cross-Origin-Opener-Policy`: the page would lose the one that opened it.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    );
    response
}

/// The pairs of a form that a page of the vault's own sent. Another site's is refused here already where the browser says so.
pub(crate) async fn form(headers: &HeaderMap, body: Body) -> Result<Vec<(String, String)>, ConnectError> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return Err(ConnectError::Forged);
    }
    pairs(body).await
}

/// The pairs of any form.
pub(crate) async fn pairs(body: Body) -> Result<Vec<(String, String)>, ConnectError> {
    let bytes = read_body(body, FORM_LIMIT).await?;
    Ok(form_urlencoded::parse(&bytes).into_owned().collect())
}

pub(crate) fn field<'f>(form: &'f [(String, String)], name: &str) -> &'f str {
    form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
}

/// What a cookie is for: each visit has its own.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Visited {
    Connect(ConnectSessionId),
    SignIn(SignInId),
    /// A sign-in of the Wallet's.
    Wallet(SignInId),
}

impl From<ConnectSessionId> for Visited {
    fn from(id: ConnectSessionId) -> Self {
        Self::Connect(id)
    }
}

impl From<SignInId> for Visited {
    fn from(id: SignInId) -> Self {
        Self::SignIn(id)
    }
}

/// The browser of a visit, by its cookie.
pub(crate) fn known(headers: &HeaderMap, url: &PublicUrl, visited: impl Into<Visited>) -> Option<Browser> {
    let name = cookie_name(url, visited.into());
    let pairs = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).and_then(|(_, value)| Browser::parse(value))
}

/// Gives the browser its secret.
pub(crate) fn remember(
    response: Response,
    url: &PublicUrl,
    visited: impl Into<Visited>,
    browser: &Browser,
) -> Response {
    let visited = visited.into();
    let seconds = match visited {
        Visited::Connect(_) | Visited::SignIn(_) => COOKIE_SECONDS,
        // Its result is not a page of its own.
        Visited::Wallet(_) => WALLET_SIGN_IN_LIFETIME.as_secs(),
    };
    cookie(response, url, visited, (&browser.to_cookie(), seconds))
}

/// Takes it back: the visit is over.
pub(crate) fn forget(response: Response, url: &PublicUrl, visited: Visited) -> Response {
    cookie(response, url, visited, ("", 0))
}

/// Over https the name's prefix keeps other hosts from setting it.
fn cookie(
    mut response: Response,
    url: &PublicUrl,
    visited: Visited,
    (value, seconds): (&str, i64),
) -> Response {
    let secure = if url.is_https() { "; Secure" } else { "" };
    let name = cookie_name(url, visited);
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    match HeaderValue::from_str(&cookie) {
        Ok(mut value) => {
            value.set_sensitive(true);
            response.headers_mut().append(header::SET_COOKIE, value);
            response
        }
        Err(_) => Error::Internal("a cookie is not a header value".to_owned()).into_response(),
    }
}

/// Whether somebody else's page, or a browser that only looks ahead, opened the address. A program that opens it, and one that is
/// no browser, says nothing of a site.
pub(crate) fn asks_first(headers: &HeaderMap) -> bool {
    let is = |name: &str, values: &[&[u8]]| {
        headers.get(name).map(HeaderValue::as_bytes).is_some_and(|value| values.contains(&value))
    };
    is("sec-fetch-site", &[b"cross-site", b"same-site"])
        || headers.contains_key("sec-purpose")
        || is("purpose", &[b"prefetch"])
}

/// Of the id the last digits: the first ones are the time, and would be those of another visit.
fn cookie_name(url: &PublicUrl, visited: Visited) -> String {
    let (what, id) = match visited {
        Visited::Connect(id) => ("connect", hex::encode(id.as_bytes())),
        Visited::SignIn(id) => ("sign_in", hex::encode(id.as_bytes())),
        Visited::Wallet(id) => ("wallet_sign_in", hex::encode(id.as_bytes())),
    };
    let tail = id.get(24..).unwrap_or_default();
    let prefix = if url.is_https() { "__Host-" } else { "" };
    format!("{prefix}alter_{what}_{tail}")
}
