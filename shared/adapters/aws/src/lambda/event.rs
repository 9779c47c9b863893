//! A request as API Gateway describes it: of a REST API (payload 1.0) or an HTTP API (payload 2.0).
//!
//! A signature covers path and query as the client sent them, below the base URL (docs/signing.md), so what reaches the
//! domain must have the same canonical form:
//!
//! * **Path.** A REST API hands the path over still encoded and without its stage; an HTTP API has decoded it once. What
//!   cannot stand in an encoded path (a bare `%`, a space, `?`, `#`, anything above ASCII) is encoded here, and nothing
//!   else, which leaves the first as it is and repairs the second. What cannot be recovered: behind an HTTP API a path that
//!   held `%2541` arrives as `%41`, and the signature does not match. No path of ours that exists has a `%` in it, and the
//!   domain refuses a path that reads in two ways, so the loss can only refuse.
//! * **Query.** An HTTP API hands it over as it was sent. A REST API hands over decoded names and values; they are encoded
//!   again. The order between names, `a` or `a=`, `+` or `%20` and empty pieces are lost, and all of them are equal in the
//!   canonical form.
//! * **Body.** Text, or base64 if the API has binary media types; the template declares `*/*`, without which a REST API
//!   would turn every byte that is not UTF-8 into a replacement character and no hash of such a body could match.
//!
//! What the gateway adds about itself and the client's connection is left out, so that `/v1/forward` does not tell a provider
//! where its caller sits.

use std::{collections::BTreeMap, net::IpAddr};

use alter_domain::web::PeerIp;
use axum::{body::Body, extract::Request};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

/// Which form of answer the gateway expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Rest,
    Http,
}

/// How a function's answers travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Buffered,
    Streamed,
}

/// The event is not a request that could be answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum EventError {
    #[error("not a request of API Gateway: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the event has no {0}")]
    Without(&'static str),
    #[error("the event's {0} is not valid")]
    Invalid(&'static str),
}

/// The request that an event describes.
pub(super) fn request(event: &[u8]) -> Result<(Request, Form), EventError> {
    let mut event: Event = serde_json::from_slice(event)?;
    let form = if event.raw_path.is_some() { Form::Http } else { Form::Rest };
    let bytes = event.take_body()?;
    let context = &event.request_context;
    let (method, path, query) = match form {
        Form::Http => {
            (context.http.method.as_deref(), event.raw_path.as_deref(), event.raw_query_string.clone())
        }
        Form::Rest => (event.http_method.as_deref(), event.path.as_deref(), Some(event.decoded_query())),
    };
    let method = method.ok_or(EventError::Without("method"))?;
    let path = below_stage(path.ok_or(EventError::Without("path"))?, context);
    let mut target = escaped(path, NOT_IN_A_PATH);
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        target.push('?');
        target.push_str(&escaped(&query, NEVER_LITERAL));
    }
    let mut request = Request::new(Body::from(bytes));
    *request.method_mut() =
        Method::from_bytes(method.as_bytes()).map_err(|_| EventError::Invalid("method"))?;
    *request.uri_mut() = Uri::try_from(target).map_err(|_| EventError::Invalid("path"))?;
    *request.headers_mut() = event.headers(form)?;
    let peer = context.identity.source_ip.as_deref().or(context.http.source_ip.as_deref());
    if let Some(ip) = peer.and_then(|ip| ip.parse::<IpAddr>().ok()) {
        request.extensions_mut().insert(PeerIp(ip.to_canonical()));
    }
    Ok((request, form))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    // REST API.
    http_method: Option<String>,
    path: Option<String>,
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    query_string_parameters: Option<BTreeMap<String, String>>,
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    // HTTP API.
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    cookies: Option<Vec<String>>,
    // Both.
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    request_context: Context,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context {
    stage: Option<String>,
    path: Option<String>,
    identity: Identity,
    http: HttpContext,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identity {
    source_ip: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HttpContext {
    method: Option<String>,
    source_ip: Option<String>,
}

impl Event {
    /// The query of a REST API in one text.
    fn decoded_query(&self) -> String {
        let pair = |name: &str, value: &str| format!("{}={}", form(name), form(value));
        let many = self.multi_value_query_string_parameters.iter().flatten();
        let pairs: Vec<_> =
            many.flat_map(|(name, values)| values.iter().map(|value| pair(name, value))).collect();
        if !pairs.is_empty() {
            return pairs.join("&");
        }
        let single = self.query_string_parameters.iter().flatten();
        single.map(|(name, value)| pair(name, value)).collect::<Vec<_>>().join("&")
    }

    fn headers(&self, form: Form) -> Result<HeaderMap, EventError> {
        let mut headers = HeaderMap::new();
        let many = self.multi_value_headers.iter().flatten();
        for (name, values) in many {
            for value in values {
                add(&mut headers, name, value)?;
            }
        }
        if headers.is_empty() {
            for (name, value) in self.headers.iter().flatten() {
                add(&mut headers, name, value)?;
            }
        }
        if form == Form::Http {
            for cookie in self.cookies.iter().flatten() {
                add(&mut headers, header::COOKIE.as_str(), cookie)?;
            }
        }
        Ok(headers)
    }

    fn take_body(&mut self) -> Result<Vec<u8>, EventError> {
        match self.body.take() {
            None => Ok(Vec::new()),
            Some(text) if self.is_base64_encoded => {
                STANDARD.decode(text).map_err(|_| EventError::Invalid("body"))
            }
            Some(text) => Ok(text.into_bytes()),
        }
    }
}

/// What the gateway says of the client's connection and of itself.
const OF_THE_GATEWAY: [&str; 6] =
    ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "forwarded", "via", "x-amz-cf-id"];
const OF_THE_GATEWAY_PREFIXES: [&str; 2] = ["x-amzn-", "cloudfront-"];

fn add(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), EventError> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| EventError::Invalid("header"))?;
    let text = name.as_str();
    if OF_THE_GATEWAY.contains(&text) || OF_THE_GATEWAY_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
    {
        return Ok(());
    }
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| EventError::Invalid("header"))?;
    headers.append(name, value);
    Ok(())
}

/// The path below the stage. A REST API leaves its stage out by itself, and says so by a context path that is longer; an
/// HTTP API with a stage of its own name, and emulators, do not.
fn below_stage<'p>(path: &'p str, context: &Context) -> &'p str {
    let Some(stage) = context.stage.as_deref().filter(|stage| *stage != "$default") else { return path };
    let left_out = context
        .path
        .as_deref()
        .is_some_and(|whole| whole.strip_prefix('/').and_then(|rest| rest.strip_prefix(stage)) == Some(path));
    if left_out {
        return path;
    }
    match path.strip_prefix('/').and_then(|rest| rest.strip_prefix(stage)) {
        Some(below) if below.starts_with('/') => below,
        _ => path,
    }
}

/// What may not stand in a path or query of RFC 3986 as it is, the `%` of a triplet excepted.
const NEVER_LITERAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'#');
const NOT_IN_A_PATH: &AsciiSet = &NEVER_LITERAL.add(b'?');
/// What form encoding leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes what the set names, and every `%` that does not begin a triplet.
fn escaped(text: &str, set: &'static AsciiSet) -> String {
    let mut done = String::with_capacity(text.len());
    for (number, piece) in text.split('%').enumerate() {
        if number > 0 {
            let triplet =
                piece.as_bytes().first_chunk::<2>().is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
            done.push_str(if triplet { "%" } else { "%25" });
        }
        done.extend(utf8_percent_encode(piece, set));
    }
    done
}

fn form(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}
