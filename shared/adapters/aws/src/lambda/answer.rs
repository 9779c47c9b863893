//! An answer as API Gateway wants it.

use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use super::{event::Form, runtime_api::Reply};

/// A whole answer: text as it is, bytes in base64.
pub(super) async fn buffered(response: Response, form: Form) -> Reply {
    let (parts, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => {
            tracing::warn!(%error, "the answer broke off");
            return Reply::Failed("the answer broke off".to_owned());
        }
    };
    let mut document = head(parts.status.as_u16(), &parts.headers, form);
    let (text, encoded) = match std::str::from_utf8(&body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(&body), true),
    };
    document.insert("body".to_owned(), Value::String(text));
    document.insert("isBase64Encoded".to_owned(), Value::Bool(encoded));
    Reply::Whole(Value::Object(document).to_string().into_bytes())
}

/// An answer whose body follows as it comes. Only REST APIs stream.
pub(super) fn streamed(response: Response) -> Reply {
    let (parts, body) = response.into_parts();
    let prelude = Value::Object(head(parts.status.as_u16(), &parts.headers, Form::Rest));
    Reply::Streamed { prelude: prelude.to_string().into_bytes(), body: Body::new(body) }
}

/// Status and headers. The framing is the gateway's own. A repeated header is one line (RFC 9110 section 5.3), which both
/// kinds of API take; cookies cannot be joined and have a place of their own in each.
fn head(status: u16, headers: &HeaderMap, form: Form) -> Map<String, Value> {
    let mut lines: Map<String, Value> = Map::new();
    for name in headers.keys() {
        if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::SET_COOKIE]
            .contains(name)
        {
            continue;
        }
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        lines.insert(name.as_str().to_owned(), Value::String(values.join(", ")));
    }
    let cookies = headers.get_all(header::SET_COOKIE).iter();
    let cookies: Vec<_> = cookies.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let mut head = Map::from_iter([
        ("statusCode".to_owned(), json!(status)),
        ("headers".to_owned(), Value::Object(lines)),
    ]);
    if !cookies.is_empty() {
        match form {
            Form::Rest => head.insert("multiValueHeaders".to_owned(), json!({ "set-cookie": cookies })),
            Form::Http => head.insert("cookies".to_owned(), json!(cookies)),
        };
    }
    head
}
