//! The OAuth provider of the demo: Acme Notes, on the same port as the bank. It wants a proof key, its refresh tokens work
//! once, its first access token lives for a second and later ones for
//! a minute, and it can be told that access has ended. It keeps no tokens but their digests.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use alter_domain::port::{Rng as _, SystemRng};
use axum::{
    Form, Json, Router,
    extract::{Query, State},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, header};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

/// The demo's registration there.
pub(super) const CLIENT_ID: &str = "shop";
/// How long the access token works that a code gives: short, so that a story can wait for its end.
pub(super) const FIRST_TTL: Duration = Duration::from_secs(1);
/// How long the later ones work.
const LATER_TTL: Duration = Duration::from_secs(60);

type Digest = [u8; 32];

/// What the provider remembers.
#[derive(Default)]
pub(super) struct Notes {
    client_secret: String,
    state: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    codes: HashMap<Digest, Code>,
    access: HashMap<Digest, (Instant, u64)>,
    /// Refresh tokens that work, and which authorization each belongs to.
    refresh: HashMap<Digest, u64>,
    authorizations: u64,
    refreshed: u64,
    revoked: u64,
}

struct Code {
    redirect_uri: String,
    challenge: String,
}

/// What became of its tokens, for the story to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Ledger {
    /// Authorizations that still have a token.
    pub(super) live: usize,
    pub(super) refreshed: u64,
    pub(super) revoked: u64,
}

impl Notes {
    pub(super) fn new() -> Result<Self, alter_domain::port::RngError> {
        Ok(Self { client_secret: random("acme_secret_")?, state: Mutex::default() })
    }

    pub(super) fn client_secret(&self) -> &str {
        &self.client_secret
    }

    pub(super) fn ledger(&self) -> Ledger {
        let known = self.known();
        Ledger { live: known.refresh.len(), refreshed: known.refreshed, revoked: known.revoked }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_client(&self, headers: &HeaderMap) -> bool {
        let pair = format!("{CLIENT_ID}:{}", self.client_secret);
        let expected = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes() == expected.as_bytes())
    }
}

pub(super) fn router(notes: Arc<Notes>) -> Router {
    Router::new()
        .route("/notes/authorize", get(authorize))
        .route("/notes/decide", get(decide))
        .route("/notes/token", post(token))
        .route("/notes/revoke", post(revoke))
        .route("/notes/api/notes", get(list))
        .route("/notes/api/me", get(me))
        .with_state(notes)
}

#[derive(Deserialize)]
struct Asked {
    client_id: String,
    redirect_uri: String,
    state: String,
    scope: Option<String>,
    code_challenge: String,
    code_challenge_method: String,
}

/// A page with two links; each carries the request on.
async fn authorize(Query(asked): Query<Asked>) -> Response {
    if asked.client_id != CLIENT_ID || asked.code_challenge_method != "S256" {
        return (StatusCode::BAD_REQUEST, "This is not a request of a client that Acme Notes knows.")
            .into_response();
    }
    let link = |decision: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("decision", decision)
            .append_pair("redirect_uri", &asked.redirect_uri)
            .append_pair("state", &asked.state)
            .append_pair("code_challenge", &asked.code_challenge)
            .finish();
        format!("/notes/decide?{}", query.replace('&', "&amp;"))
    };
    let scope = escape(asked.scope.as_deref().unwrap_or_default());
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>Acme Notes</title><style>body{{font:1.1rem/1.5 system-ui;max-width:28rem;margin:4rem auto;padding:0 1rem}}\
         a{{display:inline-block;margin:1rem 1rem 0 0}}</style>\
         <h1>Acme Notes</h1><p>You are signed in as <b>Ada</b>. The app <b>Shop</b> asks for: <code>{scope}</code></p>\
         <a href='{}'>Allow</a> <a href='{}'>Deny</a></html>",
        link("allow"),
        link("deny")
    ))
    .into_response()
}

#[derive(Deserialize)]
struct Decision {
    decision: String,
    redirect_uri: String,
    state: String,
    code_challenge: String,
}

async fn decide(State(notes): State<Arc<Notes>>, Query(decided): Query<Decision>) -> Response {
    let Ok(mut target) = Url::parse(&decided.redirect_uri) else {
        return (StatusCode::BAD_REQUEST, "redirect_uri is no URL").into_response();
    };
    let Ok(code) = random("code_") else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    if decided.decision == "allow" {
        let record = Code { redirect_uri: decided.redirect_uri.clone(), challenge: decided.code_challenge };
        notes.known().codes.insert(hash(&code), record);
        target.query_pairs_mut().append_pair("code", &code);
    } else {
        target.query_pairs_mut().append_pair("error", "access_denied");
    }
    target.query_pairs_mut().append_pair("state", &decided.state);
    Redirect::to(target.as_str()).into_response()
}

async fn token(
    State(notes): State<Arc<Notes>>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    if !notes.is_client(&headers) {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let (authorization, ttl) = match field("grant_type") {
        "authorization_code" => {
            let code = notes.known().codes.remove(&hash(field("code")));
            let challenge = URL_SAFE_NO_PAD.encode(hash(field("code_verifier")));
            let fits =
                |code: &Code| code.redirect_uri == field("redirect_uri") && code.challenge == challenge;
            if !code.as_ref().is_some_and(fits) {
                return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
            }
            let mut known = notes.known();
            known.authorizations += 1;
            (known.authorizations, FIRST_TTL)
        }
        "refresh_token" => {
            let mut known = notes.known();
            let Some(authorization) = known.refresh.remove(&hash(field("refresh_token"))) else {
                return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
            };
            known.refreshed += 1;
            (authorization, LATER_TTL)
        }
        _ => return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
    };
    let (Ok(access), Ok(refresh)) = (random("acme_at_"), random("acme_rt_")) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut known = notes.known();
    known.access.insert(hash(&access), (Instant::now() + ttl, authorization));
    known.refresh.insert(hash(&refresh), authorization);
    Json(json!({
        "access_token": access, "token_type": "Bearer", "expires_in": ttl.as_secs(),
        "refresh_token": refresh, "scope": "notes:read"
    }))
    .into_response()
}

/// RFC 7009: a refresh token takes its authorization's access tokens along.
async fn revoke(
    State(notes): State<Arc<Notes>>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    if !notes.is_client(&headers) {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let mut known = notes.known();
    let token = form.get("token").map(String::as_str).unwrap_or_default();
    if let Some(authorization) = known.refresh.remove(&hash(token)) {
        known.access.retain(|_, (_, of)| *of != authorization);
        known.revoked += 1;
    }
    StatusCode::OK.into_response()
}

async fn list(State(notes): State<Arc<Notes>>, headers: HeaderMap) -> Response {
    answer(&notes, &headers, json!({ "notes": ["buy milk", "call Grace"] }))
}

async fn me(State(notes): State<Arc<Notes>>, headers: HeaderMap) -> Response {
    answer(&notes, &headers, json!({ "id": "ada", "name": "Ada", "email": "ada@example.com" }))
}

fn answer(notes: &Notes, headers: &HeaderMap, body: serde_json::Value) -> Response {
    let bearer = super::upstream::bearer(headers).map(hash);
    let known = notes.known();
    match bearer.and_then(|token| known.access.get(&token)) {
        Some((until, _)) if Instant::now() < *until => Json(body).into_response(),
        _ => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")])
            .into_response(),
    }
}

fn refuse(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "error": code }))).into_response()
}

fn hash(text: &str) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

fn random(prefix: &str) -> Result<String, alter_domain::port::RngError> {
    let mut bytes = [0; 20];
    SystemRng::new().fill(&mut bytes)?;
    Ok(format!("{prefix}{}", hex::encode(bytes)))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&#39;")
}
