//! Callers, a type for each kind.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    ops::Deref,
    sync::atomic::{AtomicU64, Ordering},
};

use alter_domain::{
    api::PatId,
    auth::{
        key_text,
        sign_request::{self, Content, Signer, sign_request},
        signature::{Labelled, header},
    },
    crypto::SigningKey,
    secret::Secret,
    web::PeerIp,
};
use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{Answer, TestKey, TestVault};

/// The address that requests seem to come from.
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// Hands a request to the vault's router as its server does.
pub(crate) async fn send(router: Router, mut request: Request<Body>) -> Response<Body> {
    request.extensions_mut().insert(PeerIp(PEER));
    router.oneshot(request).await.unwrap_or_else(|never| match never {})
}

/// Someone without any credential.
pub struct Anonymous(pub(crate) TestVault);

impl Anonymous {
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::new(body.into());
        *request.method_mut() = method.parse().expect("a method");
        *request.uri_mut() = path.parse().expect("a target");
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a header name");
            request.headers_mut().append(name, HeaderValue::from_str(value).expect("a header value"));
        }
        Answer::collect(send(self.0.router(), request).await).await
    }
}

/// An operator with a token, at the portal's API.
pub struct Operator {
    pub(crate) vault: TestVault,
    pub id: PatId,
    pub token: Secret<String>,
}

impl Operator {
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {}", self.token.expose_secret());
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(body.map(|_| ("content-type", "application/json")));
        let body = body.map(ToString::to_string).unwrap_or_default();
        Anonymous(self.vault.clone()).send(method, path, &headers, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body)).await
    }

    /// Creates something and returns it.
    pub async fn create(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, http::StatusCode::CREATED, "{}", answer.text());
        answer.json()
    }
}

/// How a client proves that it holds its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The key travels in `x-api-key`, as with the published clients.
    PlainKey,
    /// Only the key's public part travels.
    KeyId,
}

/// An application with a key of its own.
pub struct AppClient(pub(crate) SignedClient);

/// An agent with a key of its own.
pub struct AgentClient(pub(crate) SignedClient);

impl Deref for AppClient {
    type Target = SignedClient;

    fn deref(&self) -> &SignedClient {
        &self.0
    }
}

impl Deref for AgentClient {
    type Target = SignedClient;

    fn deref(&self) -> &SignedClient {
        &self.0
    }
}

/// What both kinds of keys can do.
pub struct SignedClient {
    pub(crate) vault: TestVault,
    pub(crate) key: TestKey,
    pub(crate) mode: Mode,
}

impl SignedClient {
    pub fn request(&self, method: &str, path_and_query: &str) -> SignedRequest {
        SignedRequest {
            vault: self.vault.clone(),
            key: self.key.clone(),
            mode: self.mode,
            method: method.to_owned(),
            target: path_and_query.to_owned(),
            content: Sent::Bytes(Bytes::new()),
            timestamp: self.vault.now().as_second(),
            nonce: fresh_nonce(),
            constraints: None,
            labelled: BTreeMap::new(),
            headers: Vec::new(),
            tamper: Vec::new(),
        }
    }

    pub async fn get(&self, path_and_query: &str) -> Answer {
        self.request("GET", path_and_query).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path).json(body).send().await
    }

    /// `POST /sdk/proxy`.
    pub async fn proxy(&self, body: &Value) -> Answer {
        self.post("/sdk/proxy", body).await
    }

    /// `/v1/forward` to a target by grant id.
    #[allow(clippy::needless_pass_by_value, reason = "an id or a text, whichever the test has")]
    pub fn forward(&self, method: &str, target: &str, grant: impl ToString) -> SignedRequest {
        self.request(method, "/v1/forward")
            .label(header::TARGET, target)
            .label(header::GRANT, &grant.to_string())
    }
}

enum Sent {
    Bytes(Bytes),
    Stream(Body),
    /// Known bytes that the signature leaves out.
    Unsigned(Bytes),
}

type Tamper = Box<dyn FnOnce(&mut Request<Body>) + Send>;

/// A request under construction: what is set here is signed, what [`Self::tamper`] does comes after signing.
pub struct SignedRequest {
    vault: TestVault,
    key: TestKey,
    mode: Mode,
    method: String,
    target: String,
    content: Sent,
    timestamp: i64,
    nonce: String,
    constraints: Option<String>,
    labelled: BTreeMap<&'static str, String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    tamper: Vec<Tamper>,
}

impl SignedRequest {
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").bytes(body.to_string())
    }

    #[must_use]
    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.content = Sent::Bytes(body.into());
        self
    }

    /// A body that the signature does not cover.
    #[must_use]
    pub fn stream(mut self, body: Body) -> Self {
        self.content = Sent::Stream(body);
        self
    }

    #[must_use]
    pub fn unsigned_bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.content = Sent::Unsigned(body.into());
        self
    }

    /// A header that the signature covers.
    #[must_use]
    pub fn label(mut self, name: &'static str, value: &str) -> Self {
        self.labelled.insert(name, value.to_owned());
        self
    }

    /// A header that is not covered.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header name");
        self.headers.push((name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value")));
        self
    }

    #[must_use]
    pub fn constraints(mut self, scopes: &str) -> Self {
        self.constraints = Some(scopes.to_owned());
        self
    }

    /// Seconds from the vault's clock.
    #[must_use]
    pub fn skew(mut self, seconds: i64) -> Self {
        self.timestamp += seconds;
        self
    }

    #[must_use]
    pub fn nonce(mut self, nonce: &str) -> Self {
        self.nonce = nonce.to_owned();
        self
    }

    /// Signs with another key than the one that is named.
    #[must_use]
    pub fn signed_by(mut self, other: &TestKey) -> Self {
        let public_part = self.key.public_part.clone();
        let plain = self.key.plain.clone();
        self.key = other.clone();
        self.tamper(move |request| {
            let headers = request.headers_mut();
            if headers.contains_key(header::API_KEY) {
                headers.insert(header::API_KEY, text(plain.expose_secret()));
            } else {
                headers.insert(header::KEY_ID, text(public_part.as_str()));
            }
        })
    }

    /// Changes the request after it was signed.
    #[must_use]
    pub fn tamper(mut self, change: impl FnOnce(&mut Request<Body>) + Send + 'static) -> Self {
        self.tamper.push(Box::new(change));
        self
    }

    /// The request as it goes over the wire.
    pub fn build(self) -> Request<Body> {
        let value = |name: &'static str| self.labelled.get(name).map(String::as_str);
        let signed = sign_request::Request {
            method: &self.method,
            path_and_query: &self.target,
            content: match &self.content {
                Sent::Bytes(bytes) => Content::Bytes(bytes),
                Sent::Stream(_) | Sent::Unsigned(_) => Content::Unsigned,
            },
            timestamp: self.timestamp,
            nonce: &self.nonce,
            constraints: self.constraints.as_deref(),
            labelled: Labelled::from_headers(value),
        };
        let signing_key = SigningKey::derive(&self.key.plain);
        let signer = match self.mode {
            Mode::PlainKey => Signer::PlainKey(&self.key.plain),
            Mode::KeyId => Signer::KeyId { public_part: &self.key.public_part, signing_key: &signing_key },
        };
        let signature = sign_request(signer, &signed);
        let mut request = Request::new(match self.content {
            Sent::Bytes(bytes) | Sent::Unsigned(bytes) => Body::from(bytes),
            Sent::Stream(body) => body,
        });
        *request.method_mut() = Method::from_bytes(self.method.as_bytes()).expect("a method");
        *request.uri_mut() = self.target.parse().expect("a target");
        for (name, value) in self.headers {
            request.headers_mut().append(name, value);
        }
        for (name, value) in signature {
            request.headers_mut().append(name, text(&value));
        }
        for change in self.tamper {
            change(&mut request);
        }
        request
    }

    /// Sends it and hands back the answer as it streams.
    pub async fn open(self) -> Response<Body> {
        let router = self.vault.router();
        send(router, self.build()).await
    }

    pub async fn send(self) -> Answer {
        Answer::collect(self.open().await).await
    }
}

/// 32 lower-case hex digits that no other request of this process has.
fn fresh_nonce() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:032x}", NEXT.fetch_add(1, Ordering::SeqCst))
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).expect("a header value")
}

/// A plain key as text, for a client that sends it in its own way.
impl TestKey {
    pub fn reveal(&self) -> &str {
        self.plain.expose_secret()
    }

    pub fn of_text(plain: &str) -> Self {
        let parsed = key_text::parse(plain).expect("a key");
        Self { id: None, plain: Secret::new(plain.to_owned()), public_part: parsed.public_part }
    }
}
