//! The API that the demo calls: a small bank on this machine. It wants its own token with every call, counts what it
//! receives, and has one route that tries to give the token away.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use alter_domain::secret::Secret;
use axum::{
    Json, Router,
    body::Body,
    extract::{Query, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    identity::{self, AcmeId},
    notes::{self, Notes},
    web::bearer,
};
use crate::cli::{CliError, Result};

/// How many requests are remembered.
const REMEMBERED: usize = 100;

/// A request as the bank saw it. The token itself is not kept.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    /// Whether it carried the bank's own token.
    pub(super) authenticated: bool,
    /// The last characters of the token that it carried, as banks print card numbers.
    pub(super) token: Option<String>,
    /// The names of its headers.
    pub(super) headers: Vec<String>,
}

struct Bank {
    token: Secret<String>,
    seen: Mutex<Vec<Seen>>,
}

pub(super) struct Upstream {
    pub(super) addr: SocketAddr,
    /// The OAuth provider beside the bank.
    pub(super) notes: Arc<Notes>,
    /// The identity provider beside the bank.
    pub(super) identity: Arc<AcmeId>,
    bank: Arc<Bank>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Upstream {
    /// Listens on a free port of this machine.
    pub(super) fn start(token: Secret<String>) -> Result<Self> {
        let failed = |error: std::io::Error| {
            CliError::failure("demo", format!("The demo's API does not start: {error}."))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let bank = Arc::new(Bank { token, seen: Mutex::default() });
        let notes = Arc::new(Notes::new().map_err(|error| CliError::failure("random", error.to_string()))?);
        let identity = Arc::new(AcmeId::new(&format!("http://{addr}"))?);
        let router = router(Arc::clone(&bank))
            .merge(notes::router(Arc::clone(&notes)))
            .merge(identity::router(Arc::clone(&identity)));
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            runtime.block_on(async {
                let server = std::future::IntoFuture::into_future(axum::serve(listener, router));
                // Streams in the middle of a sentence are cut: the demo is over.
                tokio::select! {
                    _ = server => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("demo-api".to_owned()).spawn(serve).map_err(failed)?;
        Ok(Self { addr, notes, identity, bank, stop, thread })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.bank.seen().clone()
    }

    pub(super) fn stop(self) {
        // Either fails only when the thread has ended already.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

impl Bank {
    fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        bearer(headers) == Some(self.token.expose_secret())
    }
}

fn router(bank: Arc<Bank>) -> Router {
    Router::new()
        .route("/v1/balance", get(balance))
        .route("/v1/transfers", any(transfers))
        .route("/echo-auth", any(echo_auth))
        .route("/stream", get(events))
        .route("/slow", get(slow))
        .route("/requests", get(requests))
        .fallback(no_such_route)
        .layer(middleware::from_fn_with_state(Arc::clone(&bank), remember))
        .with_state(bank)
}

async fn remember(State(bank): State<Arc<Bank>>, request: Request, next: Next) -> Response {
    if request.uri().path() != "/requests" {
        let tail = |token: &str| token.get(token.len().saturating_sub(4)..).map(|tail| format!("…{tail}"));
        let seen = Seen {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            authenticated: bank.knows(request.headers()),
            token: bearer(request.headers()).and_then(tail),
            headers: request.headers().keys().map(ToString::to_string).collect(),
        };
        let mut all = bank.seen();
        if all.len() == REMEMBERED {
            all.remove(0);
        }
        all.push(seen);
    }
    next.run(request).await
}

fn refused() -> Response {
    (
        StatusCode::UNAUTHORIZED,
        Json(json!({ "authenticated": false, "message": "A token of this bank is needed." })),
    )
        .into_response()
}

async fn balance(State(bank): State<Arc<Bank>>, headers: HeaderMap) -> Response {
    if !bank.knows(&headers) {
        return refused();
    }
    Json(json!({ "authenticated": true, "account": "Shop Ltd", "balance": "1204.50", "currency": "EUR" }))
        .into_response()
}

/// Answers a payment order with its own text.
async fn transfers(State(bank): State<Arc<Bank>>, headers: HeaderMap, body: Bytes) -> Response {
    if !bank.knows(&headers) {
        return refused();
    }
    let order: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    (StatusCode::CREATED, Json(json!({ "authenticated": true, "order": order }))).into_response()
}

/// What a careless or malicious API does.
async fn echo_auth(headers: HeaderMap) -> Response {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    Json(json!({ "you_sent": sent })).into_response()
}

/// Five server-sent events, four in a second.
async fn events() -> Response {
    let ticks = tokio::time::interval(Duration::from_millis(250));
    let stream = stream::unfold((ticks, 0u8), |(mut ticks, number)| async move {
        if number == 5 {
            return None;
        }
        ticks.tick().await;
        let event = format!("event: rate\ndata: {{\"number\":{number},\"eur_usd\":\"1.08{number}\"}}\n\n");
        Some((Ok::<_, std::convert::Infallible>(event), (ticks, number + 1)))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}

#[derive(Deserialize)]
struct Slow {
    /// Milliseconds.
    #[serde(default = "two_seconds")]
    ms: u64,
}

fn two_seconds() -> u64 {
    2000
}

async fn slow(Query(Slow { ms }): Query<Slow>) -> Response {
    tokio::time::sleep(Duration::from_millis(ms.min(120_000))).await;
    Json(json!({ "waited_ms": ms })).into_response()
}

async fn requests(State(bank): State<Arc<Bank>>) -> Response {
    Json(bank.seen().clone()).into_response()
}

async fn no_such_route() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "message": "This bank has no such route." }))).into_response()
}
