//! What the demo's providers share.

use alter_domain::port::{Rng as _, RngError, SystemRng};
use axum::{
    Json,
    response::{Html, IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, StatusCode, header};
use ring::digest::{SHA256, digest};
use serde_json::json;

pub(super) type Digest = [u8; 32];

pub(super) fn hash(text: &str) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

pub(super) fn random(prefix: &str) -> Result<String, RngError> {
    let mut bytes = [0; 20];
    SystemRng::new().fill(&mut bytes)?;
    Ok(format!("{prefix}{}", hex::encode(bytes)))
}

/// Text for an element, or for an attribute in single quotes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&#39;")
}

pub(super) fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>{title}</title><style>body{{font:1.1rem/1.5 system-ui;max-width:28rem;margin:4rem auto;padding:0 1rem}}\
         a{{display:inline-block;margin:1rem 1rem 0 0}}</style>{body}</html>"
    ))
}

/// Whether the request is of this client (RFC 6749 section 2.3.1; neither part has a character to encode).
pub(super) fn is_client(headers: &HeaderMap, id: &str, secret: &str) -> bool {
    let expected = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes() == expected.as_bytes())
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// An error of a token endpoint (RFC 6749 section 5.2).
pub(super) fn refuse(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "error": code }))).into_response()
}
