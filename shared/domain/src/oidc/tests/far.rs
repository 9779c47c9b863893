//! The provider's server, by script.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use http::{Request, Response};
use tokio::sync::Semaphore;

use super::issuer::now;
use crate::{
    egress::EgressRules,
    oidc::Fetching,
    port::{HttpClient, ManualClock, SendError},
};

/// What the server does with a request.
#[derive(Clone)]
pub(super) enum Answer {
    Document(String),
    Status(u16),
    /// Of another host, or of another path: a redirect.
    Redirect(&'static str),
    Compressed(Vec<u8>),
    Down,
    /// Takes the request and says nothing.
    Mute,
    /// Begins to answer and never ends.
    Endless,
    /// Answers byte by byte, and forever.
    Trickle,
}

/// Counts, and lets requests wait.
pub(super) struct Far {
    answer: Mutex<Answer>,
    hits: AtomicUsize,
    pub(super) gate: Semaphore,
    addresses: Mutex<Vec<String>>,
}

impl Far {
    /// Answers at once.
    pub(super) fn new(answer: Answer) -> Arc<Self> {
        Self::held(answer, Semaphore::MAX_PERMITS)
    }

    /// Answers as many requests as there are permits; the others wait for one.
    pub(super) fn held(answer: Answer, permits: usize) -> Arc<Self> {
        Arc::new(Self {
            answer: Mutex::new(answer),
            hits: AtomicUsize::new(0),
            gate: Semaphore::new(permits),
            addresses: Mutex::default(),
        })
    }

    pub(super) fn now_answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(super) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        self.addresses.lock().unwrap().clone()
    }

    /// What fetches from here, with the clock of the tests.
    pub(super) fn fetching(self: &Arc<Self>) -> (Fetching, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(now()));
        let http = Arc::clone(self);
        (Fetching { http, rules: EgressRules::default(), clock: Arc::clone(&clock) as _ }, clock)
    }
}

#[async_trait]
impl HttpClient for Far {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, SendError> {
        self.hits.fetch_add(1, Ordering::SeqCst);
        assert_eq!(request.method(), "GET");
        assert!(
            !request.headers().contains_key("authorization") && !request.headers().contains_key("cookie")
        );
        self.addresses.lock().unwrap().push(request.uri().to_string());
        self.gate.acquire().await.unwrap().forget();
        let answer = self.answer.lock().unwrap().clone();
        let builder = Response::builder().header("content-type", "application/json");
        let response = match answer {
            Answer::Document(text) => builder.body(Body::from(text)),
            Answer::Status(status) => builder.status(status).body(Body::from("<html>")),
            Answer::Redirect(to) => builder.status(302).header("location", to).body(Body::empty()),
            Answer::Compressed(bytes) => builder.header("content-encoding", "gzip").body(Body::from(bytes)),
            Answer::Down => return Err(SendError::Connect("refused".to_owned())),
            Answer::Mute => std::future::pending().await,
            Answer::Endless => builder
                .body(Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(vec![b' '; 1 << 16])))),
            Answer::Trickle => builder.body(Body::from_stream(stream::repeat(()).then(|()| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok::<_, Infallible>(vec![b' '])
            }))),
        };
        Ok(response.unwrap())
    }
}
