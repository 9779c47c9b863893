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
use serde::Deserialize;

use super::{
    front::{self, Front},
    target::{NEVER_LITERAL, NOT_IN_A_PATH, escaped, form},
};

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

/// The request that an event describes; `front` tells what came through the distribution.
pub(super) fn request(event: &[u8], front: Option<&Front>) -> Result<(Request, Form), EventError> {
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
    let viewer = front.and_then(|front| front.viewer(event.headers.as_ref()?));
    if let Some(ip) = viewer.or_else(|| peer?.parse::<IpAddr>().ok()) {
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

/// What the gateway, and the distribution before it, say of the client's connection and of themselves.
const OF_THE_GATEWAY: [&str; 7] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-port",
    "forwarded",
    "via",
    "x-amz-cf-id",
    front::PROOF,
];
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

#[cfg(test)]
mod tests {
    use alter_domain::auth::canonical::canonical_target;
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(event: &Value) -> (Request, Form) {
        request(event.to_string().as_bytes(), None).unwrap()
    }

    fn rest(path: &str) -> Value {
        json!({
            "httpMethod": "POST",
            "path": path,
            "requestContext": { "stage": "live", "path": format!("/live{path}"), "identity": { "sourceIp": "203.0.113.7" } },
        })
    }

    fn http(path: &str, query: &str) -> Value {
        json!({
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": { "host": "vault.example.com" },
            "requestContext": { "stage": "$default", "http": { "method": "GET", "path": path, "sourceIp": "::ffff:203.0.113.7" } },
        })
    }

    /// The query as a REST API hands it over: decoded, values by name.
    fn with_decoded_query(mut event: Value, query: &str) -> Value {
        let decode =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let mut many: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for piece in query.split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            many.entry(decode(name)).or_default().push(decode(value));
        }
        let last: BTreeMap<_, _> =
            many.iter().map(|(name, values)| (name.clone(), values.last().cloned())).collect();
        if !many.is_empty() {
            event["queryStringParameters"] = json!(last);
            event["multiValueQueryStringParameters"] = json!(many);
        }
        event
    }

    fn canonical(request: &Request) -> String {
        canonical_target(request.uri().path_and_query().unwrap().as_str())
    }

    #[test]
    fn a_request_of_a_rest_api() {
        let mut event = with_decoded_query(rest("/sdk/agents/a%20b"), "q=&name=x%20y/z&q=2");
        event["multiValueHeaders"] = json!({
            "Content-Type": ["application/json"],
            "X-Twice": ["one", "two"],
            "X-Forwarded-For": ["198.51.100.1"],
            "X-Amzn-Trace-Id": ["Root=1-2-3"],
            "CloudFront-Viewer-Country": ["CH"],
            "x-amz-target": ["kept"],
        });
        event["headers"] = json!({ "Content-Type": "application/json", "X-Twice": "two" });
        event["body"] = json!("aGVsbG8=");
        event["isBase64Encoded"] = json!(true);
        let (request, form) = read(&event);
        assert_eq!((form, request.method()), (Form::Rest, &Method::POST));
        assert_eq!(canonical(&request), "/sdk/agents/a b?name=x+y%2Fz&q=&q=2");
        let names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert_eq!(request.headers().get_all("x-twice").iter().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(request.extensions().get::<PeerIp>().unwrap().0.to_string(), "203.0.113.7");
    }

    #[tokio::test]
    async fn a_request_of_an_http_api() {
        let mut event = http("/sdk/agents/a b", "q=&name=x%20y/z");
        event["cookies"] = json!(["a=1", "b=2"]);
        event["body"] = json!(r#"{"é":1}"#);
        let (request, form) = read(&event);
        assert_eq!((form, request.method()), (Form::Http, &Method::GET));
        assert_eq!(request.uri(), "/sdk/agents/a%20b?q=&name=x%20y/z");
        assert_eq!(request.headers().get_all("cookie").iter().count(), 2);
        assert_eq!(request.extensions().get::<PeerIp>().unwrap().0.to_string(), "203.0.113.7");
        let body = axum::body::to_bytes(request.into_body(), 100).await.unwrap();
        assert_eq!(body, r#"{"é":1}"#);
    }

    #[test]
    fn behind_the_distribution_the_peer_is_the_browser() {
        let front = Front::new("proof".to_owned());
        let mut event = http("/wallet/api/session", "");
        for (proof, peer) in [("proof", "198.51.100.10"), ("guess", "203.0.113.7")] {
            event["headers"] =
                json!({ "x-alter-edge": proof, "cloudfront-viewer-address": "198.51.100.10:46532" });
            let (request, _) = request(event.to_string().as_bytes(), Some(&front)).unwrap();
            assert_eq!(request.extensions().get::<PeerIp>().unwrap().0.to_string(), peer);
            assert!(request.headers().is_empty(), "{:?}", request.headers());
        }
    }

    #[test]
    fn the_stage_is_left_out_once() {
        let path = |event: &Value| read(event).0.uri().path().to_owned();
        assert_eq!(path(&rest("/v1/forward")), "/v1/forward");
        // A stage that is called like the first part of the path, and was left out already.
        let mut event = rest("/v1/forward");
        event["requestContext"]["stage"] = json!("v1");
        event["requestContext"]["path"] = json!("/v1/v1/forward");
        assert_eq!(path(&event), "/v1/forward");
        // A custom domain: the context's path is the path.
        event["requestContext"]["stage"] = json!("live");
        event["requestContext"]["path"] = json!("/v1/forward");
        assert_eq!(path(&event), "/v1/forward");
        // An HTTP API hands its stage over.
        let mut event = http("/live/v1/audit", "");
        event["requestContext"]["stage"] = json!("live");
        assert_eq!(path(&event), "/v1/audit");
        event["rawPath"] = json!("/lively/v1/audit");
        assert_eq!(path(&event), "/lively/v1/audit");
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for event in [
            json!({}),
            json!([]),
            json!({ "Records": [] }),
            json!({ "httpMethod": "GET" }),
            json!({ "path": "/" }),
            json!({ "httpMethod": "G T", "path": "/" }),
            json!({ "httpMethod": "GET", "path": "/", "headers": { "a b": "c" } }),
            json!({ "httpMethod": "GET", "path": "/", "headers": { "a": "b\nc" } }),
            json!({ "httpMethod": "GET", "path": "/", "body": "é", "isBase64Encoded": true }),
        ] {
            assert!(request(event.to_string().as_bytes(), None).is_err(), "{event}");
        }
    }

    /// A target as a client may send it: characters of RFC 3986 and triplets.
    fn target() -> impl Strategy<Value = (String, String)> {
        (
            "(/([a-zA-Z0-9._~!$&'()*+,;=:@-]|%(20|25|2B|C3%A9|41)){0,8}){1,4}",
            "([a-z0-9._~/?=&+:-]|%(20|26|3D|2B|25|C3%A9|F0%9F%A6%80)){0,24}",
        )
    }

    proptest! {
        #[test]
        fn a_rest_api_loses_nothing_that_is_signed((path, query) in target()) {
            let signed = canonical_target(&format!("{path}?{query}"));
            let (request, _) = read(&with_decoded_query(rest(&path), &query));
            // A query of nothing but `&` leaves a question mark in the client's text; no client sends one.
            prop_assert_eq!(canonical(&request), signed.strip_suffix('?').unwrap_or(&signed));
        }

        #[test]
        fn an_http_api_loses_a_percent_sign_at_most((path, query) in target()) {
            let decoded = percent_decode_str(&path).decode_utf8_lossy().into_owned();
            let (request, _) = read(&http(&decoded, &query));
            let signed = canonical_target(&format!("{path}?{query}"));
            prop_assert!(canonical(&request) == signed || path.contains("%25"));
        }
    }
}
