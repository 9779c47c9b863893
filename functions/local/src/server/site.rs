//! The Wallet's site, on the vault's own origin: files that never change while the vault runs, read once and kept in memory.
//!
//! A path is looked up and never opened, so that there is nothing to climb out of. What no file and no route has is the site's own
//! page where a browser asks for a page, and the JSON 404 everywhere else: an API never answers with HTML.

mod encoding;
mod files;

use std::{collections::HashMap, path::Path, sync::Arc};

use alter_domain::Error;
use axum::{
    body::{Body, Bytes},
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use encoding::{Coding, best};
pub(crate) use files::SiteError;

/// What browsers are held to. Scripts and styles are the site's own files; nothing is asked of any other origin; no frame holds the
/// page. `wasm-unsafe-eval` lets WebAssembly be compiled and nothing else. No script makes markup of text: not even one that is
/// trusted may (`trusted-types`).
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What the page does not need, it cannot be made to use.
const PERMISSIONS: &str = "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
                           microphone=(), midi=(), payment=(), publickey-credentials-get=(), usb=()";

/// Every answer of the site's has these.
const GUARDS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// First parts of paths that belong to APIs, whether there is such a route or not.
const OF_APIS: [&str; 8] = ["wallet", "api", "sdk", "portal", "v1", "webhooks", "healthz", ".well-known"];

const INDEX: &str = "index.html";
/// The name says what is in it.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Kept, but asked about each time: it names the files that belong together.
const ASK_AGAIN: &str = "no-cache";

/// The site's files, by name.
#[derive(Debug)]
pub(super) struct Site {
    files: HashMap<String, File>,
}

/// One file and its compressed copies.
#[derive(Debug)]
struct File {
    kind: &'static str,
    is_immutable: bool,
    plain: Copy,
    brotli: Option<Copy>,
    gzip: Option<Copy>,
}

#[derive(Debug)]
struct Copy {
    bytes: Bytes,
    /// A strong validator: of these bytes and no others.
    etag: HeaderValue,
}

impl Site {
    /// The files of a folder; without one those that this build brought along; where it brought none, a page that says so.
    pub(super) fn load(directory: Option<&Path>) -> Result<Self, SiteError> {
        let files = match directory {
            Some(directory) => files::of(directory)?,
            None => files::brought_along(),
        };
        Ok(Self { files })
    }

    /// Answers what no route has.
    pub(super) async fn answer(self: Arc<Self>, request: Request) -> Response {
        let (path, headers) = (request.uri().path(), request.headers());
        let Some(file) = self.find(path, headers) else {
            return Error::NotFound("route").into_response();
        };
        match *request.method() {
            Method::GET => file.answer(headers, true),
            Method::HEAD => file.answer(headers, false),
            _ => Error::MethodNotAllowed.into_response(),
        }
    }

    fn find(&self, path: &str, headers: &HeaderMap) -> Option<&File> {
        let name = path.strip_prefix('/')?;
        if name.is_empty() {
            return self.files.get(INDEX);
        }
        if let Some(file) = self.files.get(name) {
            return Some(file);
        }
        let first = name.split('/').next().unwrap_or_default();
        let last = name.rsplit('/').next().unwrap_or_default();
        let is_page = !OF_APIS.contains(&first) && !last.contains('.') && wants_a_page(headers);
        self.files.get(INDEX).filter(|_| is_page)
    }
}

/// A browser that goes somewhere names HTML; a program that wants data, or takes anything, does not.
fn wants_a_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let mut kinds =
        accepted.flat_map(|value| value.split(',')).map(|kind| kind.split(';').next().unwrap_or_default());
    kinds.any(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
}

impl File {
    fn answer(&self, headers: &HeaderMap, with_body: bool) -> Response {
        let (copy, coding) = self.copy(headers);
        let is_known = is_known(headers, &copy.etag);
        let mut response = Response::new(if with_body && !is_known {
            Body::from(copy.bytes.clone())
        } else {
            Body::empty()
        });
        let answer = response.headers_mut();
        for (name, value) in GUARDS {
            answer.insert(name, HeaderValue::from_static(value));
        }
        let caching = if self.is_immutable { IMMUTABLE } else { ASK_AGAIN };
        answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        answer.insert(header::ETAG, copy.etag.clone());
        if self.brotli.is_some() || self.gzip.is_some() {
            answer.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        answer.insert(header::CONTENT_LENGTH, copy.bytes.len().into());
        if let Some(name) = coding {
            answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        response
    }

    /// The smallest copy that the client can read.
    fn copy(&self, headers: &HeaderMap) -> (&Copy, Option<&'static str>) {
        match best(headers, self.brotli.is_some(), self.gzip.is_some()) {
            Coding::Brotli => self.brotli.as_ref().map(|copy| (copy, Some("br"))),
            Coding::Gzip => self.gzip.as_ref().map(|copy| (copy, Some("gzip"))),
            Coding::Plain => None,
        }
        .unwrap_or((&self.plain, None))
    }
}

/// Whether the client has these bytes already (RFC 9110 section 13.1.2).
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let given = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = given.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
}

#[cfg(test)]
mod tests;
