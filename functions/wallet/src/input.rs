//! The bodies of writes.

use std::sync::Arc;

use alter_domain::{
    Error, Result,
    flow::wallet::WalletService,
    web::{read_body, read_json},
};
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, HeaderValue, header};
use serde::de::DeserializeOwned;

/// The largest body, in bytes: a reason of 2048 characters, escaped as much as can be.
const BODY_LIMIT: usize = 32 * 1024;

/// A JSON body; `None`: there is none. A form of another site's page could have any other type.
pub(crate) struct Input<T>(pub(crate) Option<T>);

impl<T> Input<T> {
    pub(crate) fn required(self) -> Result<T> {
        self.0.ok_or_else(|| Error::InvalidRequest("The body is missing.".to_owned()))
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<WalletService>> for Input<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &Arc<WalletService>) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(body, BODY_LIMIT).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !is_json(&parts.headers) {
            return Err(Error::UnsupportedMediaType);
        }
        read_json(&bytes).map(|input| Self(Some(input)))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}
