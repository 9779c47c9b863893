//! The engine against a scripted provider: every mechanism on an entry made for the test, and replies that mean harm.

mod accounts;
mod addresses;
mod assertions;
mod catalogue;
mod hostile;
mod mechanisms;
mod mechanisms_more;
mod redirects;
mod refusals;
mod replies;
mod revocations;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use async_trait::async_trait;
use axum::body::Body;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::{
    AuthorizationRequest, Callback, Client, CurrentTokens, Engine, ExchangeError, Obtained, Provider,
    RevokeError, Tokens, Values, authorization_url,
};
use crate::{
    egress::EgressRules,
    inject::CredentialFields,
    port::{HttpClient, ManualClock, SeededRng, SendError},
    secret::Secret,
};

const CLIENT_ID: &str = "client-1";
const SECRET: &str = "s3cret:of the client";
const REDIRECT: &str = "https://vault.example/oauth/callback";
const CODE: &str = "code-0123456789abcdef";
const VERIFIER: &str = "verifier-0123456789abcdef0123456789abcdef0123";
const ACCESS: &str = "access-token-0123456789";
const REFRESH: &str = "refresh-token-0123456789";
/// When the tests play.
const NOW: &str = "2026-11-22T12:00:00Z";

/// An entry that does nothing special, with the test's own parts put in.
fn entry(own: Value) -> Provider {
    let mut entry = json!({
        "id": "toy",
        "name": "Toy",
        "category": "productivity",
        "monogram": "T",
        "docs_url": "https://toy.example/docs",
        "authorization": { "url": "https://login.toy.example/authorize", "pkce": "supported" },
        "token": { "url": "https://login.toy.example/token", "auth": "post" },
        "scopes": {},
        "refresh": { "kind": "refresh_token" },
        "api": { "hosts": ["api.toy.example"] },
        "evidence": { "sources": [], "date": "2026-11", "endpoints": "high", "behaviour": "high" },
    });
    merge(&mut entry, own);
    serde_json::from_value(entry).unwrap()
}

/// Objects are joined, everything else is replaced (RFC 7396).
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                if value.is_null() {
                    into.remove(&name);
                } else {
                    merge(into.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (into, from) => *into = from,
    }
}

/// Variables in short: name, source, shape.
fn variables(list: &[(&str, Value, Value)]) -> Value {
    let variable = |(name, source, shape): &(&str, Value, Value)| json!({ "name": name, "label": name, "source": source, "shape": shape });
    list.iter().map(variable).collect()
}

/// What the provider was sent.
#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn form(&self) -> BTreeMap<String, String> {
        assert_eq!(self.header("content-type"), "application/x-www-form-urlencoded");
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_str(&self.body).unwrap()
    }

    fn query(&self) -> BTreeMap<String, String> {
        url::Url::parse(&self.url).unwrap().query_pairs().into_owned().collect()
    }
}

enum Reply {
    Answer(Response<Body>),
    Fail(SendError),
    /// Never answers.
    Hang,
}

fn answer(status: u16, content_type: &str, body: impl Into<Body>) -> Reply {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
    Reply::Answer(response.body(body.into()).unwrap())
}

#[allow(clippy::needless_pass_by_value, reason = "called with `json!` everywhere")]
fn says(status: u16, body: Value) -> Reply {
    answer(status, "application/json; charset=utf-8", body.to_string())
}

/// An ordinary token reply, with the test's own parts.
fn tokens(own: Value) -> Reply {
    let mut reply = json!({ "access_token": ACCESS, "token_type": "bearer" });
    merge(&mut reply, own);
    says(200, reply)
}

/// One side's configuration, the other side's script.
struct Bench {
    script: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
    clock: ManualClock,
    rng: SeededRng,
    secret: CredentialFields,
    values: Values,
    scopes: Vec<String>,
}

#[async_trait]
impl HttpClient for Bench {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, SendError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        self.seen.lock().unwrap().push(Seen {
            method: parts.method,
            url: parts.uri.to_string(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        let reply = self.script.lock().unwrap().pop_front().expect("a request that the script does not know");
        match reply {
            Reply::Answer(response) => Ok(response),
            Reply::Fail(error) => Err(error),
            Reply::Hang => std::future::pending().await,
        }
    }
}

impl Bench {
    fn new(script: impl IntoIterator<Item = Reply>) -> Self {
        Self {
            script: Mutex::new(script.into_iter().collect()),
            seen: Mutex::default(),
            clock: ManualClock::at(NOW.parse().unwrap()),
            rng: SeededRng::new(7),
            secret: fields("client_secret", SECRET),
            values: Values::default(),
            scopes: Vec::new(),
        }
    }

    fn set(mut self, provider: &Provider, name: &str, value: &str) -> Self {
        self.values.set(provider, name, value).unwrap();
        self
    }

    fn scopes(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self
    }

    fn private_key(mut self, pem: &str) -> Self {
        let line = super::one_line_pem(&Secret::new(pem.to_owned())).unwrap();
        self.secret = CredentialFields::from_pairs([("private_key", line)], &[]).unwrap();
        self
    }

    fn engine(&self) -> Engine<'_> {
        Engine {
            http: self,
            rules: EgressRules::default(),
            clock: &self.clock,
            rng: &self.rng,
            timeout: Duration::from_secs(20),
        }
    }

    fn client(&self) -> Client<'_> {
        Client { client_id: CLIENT_ID, secret: Some(&self.secret), redirect_uri: REDIRECT }
    }

    /// The address that the browser is sent to, and its parameters.
    fn authorization(&self, provider: &Provider) -> (String, BTreeMap<String, String>) {
        let request = AuthorizationRequest {
            scopes: &self.scopes,
            state: "state-1",
            code_challenge: Some("challenge-1"),
            switch_account: false,
        };
        let url = authorization_url(provider, &self.values, &self.client(), &request).unwrap();
        let params = url.query_pairs().into_owned().collect();
        (url[..url::Position::AfterPath].to_owned(), params)
    }

    /// With these parameters in the redirect beside the code.
    async fn connect(
        &self,
        provider: &Provider,
        redirect: &[(&str, &str)],
    ) -> Result<Obtained, ExchangeError> {
        let name = provider.authorization.as_ref().unwrap().code_param.clone();
        let params = redirect.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let callback = Callback::read(provider, params.chain([(name, CODE.to_owned())])).unwrap();
        let (values, scopes) = (&self.values, &self.scopes);
        self.engine()
            .exchange_code(provider, &self.client(), values, &callback, Some(VERIFIER), scopes)
            .await
            .map_err(|lost| lost.error)
    }

    async fn refresh(&self, provider: &Provider) -> Result<Tokens, ExchangeError> {
        let (access, refresh) = (Secret::new(ACCESS.to_owned()), Secret::new(REFRESH.to_owned()));
        let current = CurrentTokens { access: &access, refresh: Some(&refresh) };
        self.engine().refresh(provider, &self.client(), &self.values, &current, &self.scopes).await
    }

    async fn revoke(&self, provider: &Provider) -> Result<(), RevokeError> {
        let (access, refresh) = (Secret::new(ACCESS.to_owned()), Secret::new(REFRESH.to_owned()));
        let current = CurrentTokens { access: &access, refresh: Some(&refresh) };
        self.engine().revoke(provider, &self.client(), &self.values, &current).await
    }

    /// The requests so far; the script must have been used up.
    fn seen(&self) -> Vec<Seen> {
        assert!(
            self.script.lock().unwrap().is_empty(),
            "the provider was not asked all that it was to answer"
        );
        self.seen.lock().unwrap().clone()
    }

    fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }
}

fn fields(name: &str, value: &str) -> CredentialFields {
    CredentialFields::from_pairs([(name, Secret::new(value.to_owned()))], &[]).unwrap()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The moment so many seconds after [`NOW`].
fn in_seconds(seconds: i64) -> jiff::Timestamp {
    let now: jiff::Timestamp = NOW.parse().unwrap();
    now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap()
}
