//! A far side without a network: for hosts that cannot be dialled from a test.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use alter_domain::port::{HttpClient, SendError};
use async_trait::async_trait;
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::{Request, Response};

use crate::Received;

type Script = Box<dyn Fn(Received) -> BoxFuture<'static, Result<Response<Body>, SendError>> + Send + Sync>;

/// Answers by script, and remembers what it was sent.
pub struct ScriptedClient {
    script: Script,
    hits: AtomicU64,
    received: Mutex<Vec<Received>>,
}

impl ScriptedClient {
    pub fn new<F, R>(script: F) -> Arc<Self>
    where
        F: Fn(Received) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response<Body>, SendError>> + Send + 'static,
    {
        let script: Script = Box::new(move |received| Box::pin(script(received)));
        Arc::new(Self { script, hits: AtomicU64::new(0), received: Mutex::default() })
    }

    /// Answers 200 with an empty body.
    pub fn silent() -> Arc<Self> {
        Self::new(|_| async { Ok(Response::new(Body::empty())) })
    }

    /// How many requests were begun.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }

    #[track_caller]
    pub fn last(&self) -> Received {
        self.received.lock().unwrap().last().cloned().expect("a request")
    }
}

#[async_trait]
impl HttpClient for ScriptedClient {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, SendError> {
        self.hits.fetch_add(1, Ordering::SeqCst);
        let received = Received::collect(request).await.map_err(SendError::Broken)?;
        self.received.lock().unwrap().push(received.clone());
        (self.script)(received).await
    }
}
