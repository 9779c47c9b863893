//! The echo scanner: an injected secret that an upstream sends back is overwritten before a byte of it leaves.
//!
//! Found: the secret as it is; with any of its bytes percent-encoded, JSON- or script-escaped or HTML-escaped, in any
//! mixture and either hex case, blanks as `+`; in hex; in base64, standard or URL-safe, at any of the three alignments, also
//! across line breaks. A match is overwritten with `*`, byte for byte, so that `Content-Length` stays true.
//!
//! Not found: a secret shorter than [`MIN_SECRET_BYTES`], or one that the upstream transforms in another way (reverses,
//! encrypts, encodes twice, spreads over two answers). This is the last net, not the first: the host list is.

mod body;
mod pattern;
mod unit;

use std::{fmt, sync::Arc};

use axum::body::Body;
use http::{HeaderMap, HeaderValue};

pub use body::RedactingBody;
use pattern::Patterns;

use crate::secret::Secret;

/// Shorter values are not looked for: they would be found by chance and ruin honest answers. Pass a short password
/// together with what it is injected with (`user:password`, the whole header value).
pub const MIN_SECRET_BYTES: usize = 8;

/// Looks for the secrets of one call. Built per call, about a microsecond, and gone with it: the patterns are zeroed
/// when the last clone is dropped.
#[derive(Clone)]
pub struct Redactor(Option<Arc<Patterns>>);

impl Redactor {
    /// Takes every value that was put into the request. Values below [`MIN_SECRET_BYTES`] are skipped.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a Secret<String>>) -> Self {
        let mut long = values
            .into_iter()
            .map(|value| value.expose_secret().as_bytes())
            .filter(|value| value.len() >= MIN_SECRET_BYTES)
            .peekable();
        if long.peek().is_none() {
            return Self(None);
        }
        Self(Some(Arc::new(Patterns::new(long))))
    }

    /// True when there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Overwrites every echo in a whole body, also one that breaks off at the body's end, and returns how many places
    /// were hit.
    pub fn redact_bytes(&self, text: &mut [u8]) -> usize {
        self.0.as_ref().map_or(0, |patterns| patterns.overwrite(text, 0, true).hits)
    }

    /// The value without the echo; `None` when there is none in it.
    pub fn redact_header_value(&self, value: &HeaderValue) -> Option<HeaderValue> {
        let patterns = self.0.as_ref()?;
        patterns.next_hit(value.as_bytes(), 0)?;
        let mut text = value.as_bytes().to_vec();
        if patterns.overwrite(&mut text, 0, true).hits == 0 {
            return None;
        }
        // Still a valid value: only visible characters were added. If it were not, saying less is right.
        Some(HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("")))
    }

    /// Overwrites echoes in all header values (or trailers) and returns how many values changed.
    pub fn redact_headers(&self, headers: &mut HeaderMap) -> usize {
        if self.is_empty() {
            return 0;
        }
        let mut changed = 0;
        for value in headers.values_mut() {
            if let Some(redacted) = self.redact_header_value(value) {
                *value = redacted;
                changed += 1;
            }
        }
        changed
    }

    /// The body, scanned while it streams. Undo any content encoding first ([`crate::egress::decode_body`]).
    pub fn redact_body(self, body: Body) -> Body {
        match self.0 {
            None => body,
            Some(patterns) => Body::new(RedactingBody::new(body, patterns)),
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(…)")
    }
}

#[cfg(test)]
mod tests;
