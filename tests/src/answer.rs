//! What came back.

use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// A whole answer of the vault.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub async fn collect(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a whole body");
        Self { status: parts.status, headers: parts.headers, body }
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: not JSON ({error}): {:?}", self.status, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The stable code of an error; empty for what carries none.
    pub fn code(&self) -> String {
        let json: Option<Value> = serde_json::from_slice(&self.body).ok();
        json.and_then(|json| json["error"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Checks status and error code together and returns the answer.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{}", self.text());
        assert!(!self.json()["message"].as_str().unwrap_or_default().is_empty(), "an error has a message");
        self
    }

    /// Checks for 200 and returns the JSON.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.json()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The provider's body in an answer of `/sdk/proxy`.
    #[track_caller]
    pub fn provider_body(&self) -> Vec<u8> {
        let json = self.clone().ok();
        STANDARD.decode(json["body_b64"].as_str().expect("body_b64")).expect("standard base64")
    }

    /// Everything of the answer as bytes, to look for what must not be in it.
    pub fn everything(&self) -> Vec<u8> {
        let mut all = self.body.to_vec();
        for (name, value) in &self.headers {
            all.push(b'\n');
            all.extend(name.as_str().as_bytes());
            all.push(b':');
            all.extend(value.as_bytes());
        }
        all
    }
}
