//! The way to the authorization server, without a network: trouble happens to requests by plan.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alter_domain::port::{HttpClient, SendError};
use async_trait::async_trait;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{AuthServer, Reply};

/// What happens to one token request.
#[derive(Debug, Clone)]
pub enum Trouble {
    None,
    /// It takes so long on the way there and as long on the way back.
    Slow(Duration),
    /// It never arrives, and the client knows.
    Unreachable,
    /// It never arrives, and the client does not know.
    LostRequest,
    /// It arrives; the answer does not.
    LostReply,
    /// It arrives; no answer comes until the client has had enough.
    NoReply,
    /// It is answered so, without being looked at.
    Answer(u16, Value),
    /// It arrives, and its answer holds no tokens.
    Garbled,
}

pub struct FarSide {
    pub server: Arc<AuthServer>,
    plan: Mutex<VecDeque<Trouble>>,
    under_way: AtomicU64,
    most_at_once: AtomicU64,
    sent: AtomicU64,
}

impl FarSide {
    pub fn new(server: AuthServer) -> Self {
        Self {
            server: Arc::new(server),
            plan: Mutex::default(),
            under_way: AtomicU64::new(0),
            most_at_once: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }

    /// What happens to the next requests; to those after them nothing does.
    pub fn plan(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.plan.lock().unwrap().extend(troubles);
    }

    /// How many token requests were begun.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// How many were under way at the same time, at most.
    pub fn most_at_once(&self) -> u64 {
        self.most_at_once.load(Ordering::SeqCst)
    }

    async fn answer(&self, refresh: &str) -> Result<Response<Body>, SendError> {
        let trouble = self.plan.lock().unwrap().pop_front().unwrap_or(Trouble::None);
        match trouble {
            Trouble::None => Ok(reply(&self.server.exchange(refresh))),
            Trouble::Slow(time) => {
                sleep(time).await;
                let answer = self.server.exchange(refresh);
                sleep(time).await;
                Ok(reply(&answer))
            }
            Trouble::Unreachable => Err(SendError::Connect("planned".to_owned())),
            Trouble::LostRequest => Err(SendError::Broken("planned".to_owned())),
            Trouble::LostReply => {
                self.server.exchange(refresh);
                Err(SendError::Broken("planned".to_owned()))
            }
            Trouble::NoReply => {
                self.server.exchange(refresh);
                std::future::pending().await
            }
            Trouble::Answer(status, body) => Ok(json_response(status, &body)),
            Trouble::Garbled => {
                self.server.exchange(refresh);
                Ok(json_response(200, &json!({ "hello": "world" })))
            }
        }
    }
}

#[async_trait]
impl HttpClient for FarSide {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, SendError> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        let _under_way = Under(&self.under_way);
        let body = axum::body::to_bytes(request.into_body(), 65_536).await.unwrap();
        self.answer(&refresh_token(&body)).await
    }
}

/// The refresh token of a token request, as a form.
pub fn refresh_token(body: &[u8]) -> String {
    let pairs = url::form_urlencoded::parse(body);
    let found = pairs.into_iter().find(|(name, _)| name == "refresh_token");
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The reply as it goes over the wire.
pub fn reply(reply: &Reply) -> Response<Body> {
    match reply {
        Reply::Dead => json_response(400, &json!({ "error": "invalid_grant" })),
        Reply::Tokens { access, refresh } => {
            let mut body = json!({ "access_token": access, "token_type": "Bearer", "expires_in": 3600 });
            if let Some(refresh) = refresh {
                body["refresh_token"] = refresh.as_str().into();
            }
            json_response(200, &body)
        }
    }
}

fn json_response(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

/// Counts down however a request ends: a client that gives up drops it.
struct Under<'a>(&'a AtomicU64);

impl Drop for Under<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
