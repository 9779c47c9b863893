//! The OAuth provider of the demo: Acme Notes, on the same port as the bank. It wants a proof key, its refresh tokens work
//! once, its first access token lives for a second and later ones for
//! a minute, and it can be told that access has ended. It keeps no tokens but their digests. Three people have notes there.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use alter_domain::port::RngError;
use axum::{
    Form, Json, Router,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::web::{Digest, bearer, escape, hash, is_client, page, random, refuse};

/// The demo's registration there.
pub(super) const CLIENT_ID: &str = "shop";
/// How long the access token works that a code gives: short, so that a story can wait for its end.
pub(super) const FIRST_TTL: Duration = Duration::from_secs(1);
/// How long the later ones work.
const LATER_TTL: Duration = Duration::from_secs(60);

/// Somebody with notes there.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    notes: [&'static str; 2],
}

pub(super) static ADA: Account = Account { id: "ada", name: "Ada", notes: ["buy milk", "call Grace"] };
pub(super) static ALICE: Account =
    Account { id: "alice", name: "Alice", notes: ["answer Bob", "order a cake"] };
pub(super) static CAROL: Account = Account { id: "carol", name: "Carol", notes: ["tidy up", "say goodbye"] };

/// What the provider remembers.
#[derive(Default)]
pub(super) struct Notes {
    client_secret: String,
    state: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    codes: HashMap<Digest, Code>,
    access: HashMap<Digest, (Instant, Authorization)>,
    /// Refresh tokens that work, and which authorization each belongs to.
    refresh: HashMap<Digest, Authorization>,
    authorizations: u64,
    refreshed: u64,
    revoked: u64,
}

struct Code {
    account: &'static Account,
    redirect_uri: String,
    challenge: String,
}

#[derive(Clone, Copy)]
struct Authorization {
    number: u64,
    account: &'static Account,
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
    pub(super) fn new() -> Result<Self, RngError> {
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

/// A page with a link for each decision; each carries the request on.
async fn authorize(Query(asked): Query<Asked>) -> Response {
    if asked.client_id != CLIENT_ID || asked.code_challenge_method != "S256" {
        return (StatusCode::BAD_REQUEST, "This is not a request of a client that Acme Notes knows.")
            .into_response();
    }
    let link = |decision: &str, text: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("decision", decision)
            .append_pair("redirect_uri", &asked.redirect_uri)
            .append_pair("state", &asked.state)
            .append_pair("code_challenge", &asked.code_challenge)
            .finish();
        format!("<a href='/notes/decide?{}'>{text}</a>", escape(&query))
    };
    let allow = [&ADA, &ALICE, &CAROL].map(|account| link(account.id, &format!("Allow as {}", account.name)));
    let body = format!(
        "<h1>Acme Notes</h1><p>The app <b>Shop</b> asks for: <code>{}</code></p>{} {}",
        escape(asked.scope.as_deref().unwrap_or_default()),
        allow.join(" "),
        link("deny", "Deny")
    );
    page("Acme Notes", &body).into_response()
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
    if let Some(account) = [&ADA, &ALICE, &CAROL].into_iter().find(|account| account.id == decided.decision) {
        let Decision { redirect_uri, code_challenge: challenge, .. } = decided;
        notes.known().codes.insert(hash(&code), Code { account, redirect_uri, challenge });
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
    if !is_client(&headers, CLIENT_ID, &notes.client_secret) {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let (authorization, ttl) = match field("grant_type") {
        "authorization_code" => {
            let code = notes.known().codes.remove(&hash(field("code")));
            let challenge = URL_SAFE_NO_PAD.encode(hash(field("code_verifier")));
            let fits =
                |code: &Code| code.redirect_uri == field("redirect_uri") && code.challenge == challenge;
            let Some(code) = code.filter(fits) else {
                return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
            };
            let mut known = notes.known();
            known.authorizations += 1;
            (Authorization { number: known.authorizations, account: code.account }, FIRST_TTL)
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
    if !is_client(&headers, CLIENT_ID, &notes.client_secret) {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let mut known = notes.known();
    let token = form.get("token").map(String::as_str).unwrap_or_default();
    if let Some(authorization) = known.refresh.remove(&hash(token)) {
        known.access.retain(|_, (_, of)| of.number != authorization.number);
        known.revoked += 1;
    }
    StatusCode::OK.into_response()
}

async fn list(State(notes): State<Arc<Notes>>, headers: HeaderMap) -> Response {
    answer(&notes, &headers, |account| json!({ "notes": account.notes }))
}

async fn me(State(notes): State<Arc<Notes>>, headers: HeaderMap) -> Response {
    answer(
        &notes,
        &headers,
        |Account { id, name, .. }| json!({ "id": id, "name": name, "email": format!("{id}@example.com") }),
    )
}

fn answer(notes: &Notes, headers: &HeaderMap, body: impl FnOnce(&Account) -> Value) -> Response {
    let known = notes.known();
    match bearer(headers).and_then(|token| known.access.get(&hash(token))) {
        Some((until, of)) if Instant::now() < *until => Json(body(of.account)).into_response(),
        _ => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")])
            .into_response(),
    }
}
