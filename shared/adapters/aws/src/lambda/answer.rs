//! An answer as API Gateway wants it.

use alter_domain::Error;
use axum::{
    body::{Body, Bytes},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, Collected, LengthLimitError, Limited};
use serde_json::{Map, Value, json};

use super::{event::Form, runtime_api::Reply};

/// What Lambda passes on in one piece, with all that the answer is wrapped in: 6 MB.
const MAX_ANSWER: usize = 6 * 1024 * 1024;

/// A whole answer: text as it is, bytes in base64. One that Lambda would not pass on is replaced by an error that says so:
/// only an export gets there, and it can be asked for in parts.
pub(super) async fn buffered(response: Response, form: Form) -> Reply {
    let (parts, body) = response.into_parts();
    let body = match Limited::new(body, MAX_ANSWER).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return too_large(form).await,
        Err(error) => {
            tracing::warn!(%error, "the answer broke off");
            return Reply::Failed("the answer broke off".to_owned());
        }
    };
    let document = document(parts.status.as_u16(), &parts.headers, &body, form);
    if document.len() > MAX_ANSWER { too_large(form).await } else { Reply::Whole(document) }
}

async fn too_large(form: Form) -> Reply {
    let message = "The answer is larger than the 6 MB that can be sent in one piece; ask for less at a time.";
    let (parts, body) = Error::field("answer_too_large", message).into_response().into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    Reply::Whole(document(parts.status.as_u16(), &parts.headers, &body, form))
}

fn document(status: u16, headers: &HeaderMap, body: &Bytes, form: Form) -> Vec<u8> {
    let mut document = head(status, headers, form);
    let (text, encoded) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(body), true),
    };
    document.insert("body".to_owned(), Value::String(text));
    document.insert("isBase64Encoded".to_owned(), Value::Bool(encoded));
    Value::Object(document).to_string().into_bytes()
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

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn response(body: impl Into<Body>) -> Response {
        let mut response = Response::new(body.into());
        *response.status_mut() = http::StatusCode::CREATED;
        for (name, value) in [
            ("content-type", "application/json"),
            ("vary", "origin"),
            ("vary", "accept"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("content-length", "7"),
            ("connection", "close"),
        ] {
            response.headers_mut().append(name, value.parse().unwrap());
        }
        response
    }

    async fn whole(body: impl Into<Body>, form: Form) -> Value {
        match buffered(response(body), form).await {
            Reply::Whole(json) => serde_json::from_slice(&json).unwrap(),
            Reply::Streamed { .. } | Reply::Failed(_) => panic!("no answer"),
        }
    }

    #[tokio::test]
    async fn each_kind_of_api_gets_its_form() {
        let headers = json!({ "content-type": "application/json", "vary": "origin, accept" });
        let rest = whole("{\"é\":1}", Form::Rest).await;
        assert_eq!(
            rest,
            json!({ "statusCode": 201, "headers": headers, "multiValueHeaders": { "set-cookie": ["a=1", "b=2"] },
                "body": "{\"é\":1}", "isBase64Encoded": false })
        );
        let http = whole(vec![0xFF, 0x00], Form::Http).await;
        assert_eq!(
            http,
            json!({ "statusCode": 201, "headers": headers, "cookies": ["a=1", "b=2"], "body": "/wA=", "isBase64Encoded": true })
        );
    }

    #[tokio::test]
    async fn a_stream_begins_with_its_head() {
        let Reply::Streamed { prelude, body } = streamed(response("abc")) else { panic!("not streamed") };
        let prelude: Value = serde_json::from_slice(&prelude).unwrap();
        assert_eq!(
            (&prelude["statusCode"], &prelude["headers"]["vary"]),
            (&json!(201), &json!("origin, accept"))
        );
        assert_eq!(prelude.get("body"), None);
        assert_eq!(axum::body::to_bytes(body, 10).await.unwrap(), "abc");
    }

    #[tokio::test]
    async fn an_answer_that_lambda_would_not_pass_on_is_an_error_that_says_so() {
        // What JSON escapes counts too, and so does base64.
        let fits = whole("x".repeat(MAX_ANSWER - 1000), Form::Http).await;
        assert_eq!(fits["statusCode"], 201);
        for body in
            [vec![b'x'; MAX_ANSWER + 1], vec![b'"'; MAX_ANSWER / 2 + 1], vec![0xFF; MAX_ANSWER / 4 * 3 + 1]]
        {
            let answer = whole(body, Form::Http).await;
            assert_eq!(answer["statusCode"], 422);
            let error: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert_eq!(error["error"], "answer_too_large");
        }
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_none() {
        let pieces = [Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("gone"))];
        let broken = buffered(response(Body::from_stream(stream::iter(pieces))), Form::Rest).await;
        assert!(matches!(broken, Reply::Failed(_)));
    }
}
