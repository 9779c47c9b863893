//! One request to the provider, and its answer within bounds.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use zeroize::Zeroizing;

use super::{
    BodyFormat, EngineError, ExchangeError, TemplateError, Verb,
    document::Document,
    names::{Names, Params},
    token::Engine,
};
use crate::{
    egress::{EgressRules, Target, decode_body},
    port::SendError,
};

/// A request that is ready.
pub(super) struct Outgoing {
    pub(super) target: Target,
    method: Method,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Why not, where the body is no document.
    pub(super) document: Result<Document, &'static str>,
}

/// Why nothing came back.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// Nothing was sent.
    NotSent(String),
    /// It may have acted.
    Unknown(String),
}

impl From<NoAnswer> for ExchangeError {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::NotSent(reason) => Self::Unreachable(reason),
            NoAnswer::Unknown(reason) => Self::Unknown(reason),
        }
    }
}

/// The headers that every request has.
pub(super) fn standard_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers
}

/// A value that no log of the client's shows.
pub(super) fn sensitive(name: &str, value: &str) -> Result<HeaderValue, EngineError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| EngineError::Header(name.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The entry's headers on top; one that uses an optional variable without a value is left out.
pub(super) fn apply_headers(
    headers: &mut HeaderMap,
    templates: &BTreeMap<String, String>,
    names: &Names<'_>,
) -> Result<(), EngineError> {
    for (name, template) in templates {
        match names.text(template) {
            Ok(value) => set_header(headers, name, &value)?,
            Err(TemplateError::Absent(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

pub(super) fn set_header(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), EngineError> {
    let value = sensitive(name, value)?;
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| EngineError::Header(name.to_owned()))?;
    headers.insert(name, value);
    Ok(())
}

impl Outgoing {
    /// Puts the parameters where the format says; a GET has no body to put them in.
    pub(super) fn with_params(
        target: Target,
        method: Verb,
        format: BodyFormat,
        params: &Params,
        mut headers: HeaderMap,
    ) -> Result<Self, EngineError> {
        let mut outgoing =
            Self { target, method: method.into(), headers: HeaderMap::new(), body: Vec::new() };
        if method == Verb::Get || format == BodyFormat::Query {
            let pairs: Vec<_> =
                params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            outgoing.target = outgoing.target.with_query(&pairs)?;
        } else if !params.is_empty() {
            let content_type = if format == BodyFormat::Json {
                let object: BTreeMap<_, _> = params.iter().collect();
                outgoing.body = serde_json::to_vec(&object).map_err(|_| EngineError::Entry("parameters"))?;
                "application/json"
            } else {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                outgoing.body = form.extend_pairs(params.iter()).finish().into_bytes();
                "application/x-www-form-urlencoded"
            };
            headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
        }
        outgoing.headers = headers;
        Ok(outgoing)
    }

    /// With a JSON body, or none.
    pub(super) fn with_json(
        target: Target,
        method: Verb,
        json: Option<&serde_json::Value>,
        mut headers: HeaderMap,
    ) -> Self {
        let body = json.map(|json| json.to_string().into_bytes()).unwrap_or_default();
        if json.is_some() {
            headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        }
        Self { target, method: method.into(), headers, body }
    }
}

impl Names<'_> {
    /// Renders an address and holds it against the egress rules.
    pub(super) fn target(&self, template: &str, rules: &EgressRules) -> Result<Target, EngineError> {
        Ok(Target::parse(&self.url(template)?, rules)?)
    }
}

impl Engine<'_> {
    /// Sends, and reads the answer, all within the timeout. A redirect is an answer like any other: nothing follows it.
    pub(super) async fn send(&self, outgoing: Outgoing) -> Result<Answer, NoAnswer> {
        let mut request = Request::new(Body::from(outgoing.body));
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = outgoing.target.uri();
        *request.headers_mut() = outgoing.headers;
        let exchange = async {
            let response = self.http.send(request).await.map_err(|error| match error {
                SendError::Blocked(_) | SendError::Connect(_) => NoAnswer::NotSent(error.to_string()),
                SendError::Timeout | SendError::Broken(_) => NoAnswer::Unknown(error.to_string()),
            })?;
            let status = response.status();
            let Ok(response) = decode_body(response) else {
                return Ok(Answer { status, document: Err("has a content encoding that is not understood") });
            };
            let (parts, body) = response.into_parts();
            let document = match Limited::new(body, MAX_REPLY_BYTES).collect().await {
                Ok(collected) => {
                    let bytes = Zeroizing::new(collected.to_bytes().to_vec());
                    Document::parse(parts.headers.get(header::CONTENT_TYPE), &bytes)
                }
                Err(error) if error.is::<http_body_util::LengthLimitError>() => Err("has more than 256 KB"),
                Err(_) => return Err(NoAnswer::Unknown("the reply broke off".to_owned())),
            };
            Ok(Answer { status, document })
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(NoAnswer::Unknown("no complete reply in time".to_owned())),
        }
    }
}

impl From<Verb> for Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Patch => Method::PATCH,
            Verb::Delete => Method::DELETE,
        }
    }
}

/// The most that is read of a reply. A token reply has a few kilobytes, a list of a user's tenants some more.
const MAX_REPLY_BYTES: usize = 256 * 1024;

/// Several providers refuse requests without one.
const USER_AGENT: &str = concat!("alter-vault/", env!("CARGO_PKG_VERSION"));
