//! An answer, and what is compared of it.

use axum::body::Body;
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(super) async fn read(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// A refusal with this status and code.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.json()["error"], code, "{}", answer.text);
        answer
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The text at a path such as `key.key_id`.
    #[track_caller]
    pub(crate) fn text_at(&self, path: &str) -> String {
        let json = self.json();
        let found = path.split('.').fold(&json, |value, name| &value[name]);
        found.as_str().unwrap_or_else(|| panic!("no text at {path}: {json:#}")).to_owned()
    }

    /// Status and body, with ids, times and keys replaced.
    pub(crate) fn shown(&self) -> String {
        let mut json = self.json();
        redact(&mut json);
        format!("{} {json:#}", self.status)
    }
}

/// The names of the items of a list, in order.
pub(crate) fn column(answer: &Answer, name: &str) -> Vec<String> {
    let json = answer.json();
    json["items"].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
}

fn redact(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(fields) => fields.values_mut().for_each(redact),
        Value::String(text) => {
            let stands_for = if text.parse::<alter_api_types::AppId>().is_ok() {
                "[id]"
            } else if text.parse::<jiff::Timestamp>().is_ok() {
                "[time]"
            } else if ["alter_key_", "alter_pat_", "alwh_"].iter().any(|prefix| text.starts_with(prefix)) {
                "[key text]"
            } else {
                return;
            };
            stands_for.clone_into(text);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
