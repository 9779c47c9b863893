//! A provider on loopback, over real TCP, that does what it is told.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{future::BoxFuture, stream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

/// A request as it arrived at the provider.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// As it stood in the request line; for a scripted client the whole URI.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    pub async fn collect(request: Request<Body>) -> Result<Self, String> {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|error| error.to_string())?;
        Ok(Self {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            headers: head.headers,
            body,
        })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

/// The provider. It goes away with this value.
pub struct Upstream {
    pub addr: SocketAddr,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicU64,
    hits: AtomicU64,
    received: Mutex<Vec<Received>>,
}

type Streaming = Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

impl Upstream {
    /// Answers each whole request by `handler`.
    pub async fn serving<F, R>(handler: F) -> Self
    where
        F: Fn(Received) -> R + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let seen = Arc::new(Seen::default());
        let keep = Arc::clone(&seen);
        let streaming: Streaming = Arc::new(move |request| {
            let (handler, keep) = (Arc::clone(&handler), Arc::clone(&keep));
            Box::pin(async move {
                let received = match Received::collect(request).await {
                    Ok(received) => received,
                    Err(_) => return reply(400, ""),
                };
                keep.received.lock().unwrap().push(received.clone());
                handler(received).await
            })
        });
        Self::start(seen, streaming).await
    }

    /// Answers each request when its head has arrived; the body is the handler's to read.
    pub async fn streaming<F, R>(handler: F) -> Self
    where
        F: Fn(Request<Body>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::start(Arc::default(), Arc::new(move |request| Box::pin(handler(request)))).await
    }

    /// Answers 200 with what it received, as JSON: method, target, headers (a list of pairs) and body.
    pub async fn echo() -> Self {
        Self::serving(|received| async move { echo(&received) }).await
    }

    /// Answers 200 with nothing.
    pub async fn silent() -> Self {
        Self::serving(|_| async { reply(200, "") }).await
    }

    /// Reads a request's head, then hands the connection to `script`.
    pub async fn raw<F, R>(script: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let script = Arc::new(script);
        let seen = Arc::new(Seen::default());
        let keep = Arc::clone(&seen);
        Self::accept(seen, move |mut stream| {
            let (script, keep) = (Arc::clone(&script), Arc::clone(&keep));
            async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                keep.hits.fetch_add(1, Ordering::SeqCst);
                script(stream).await;
            }
        })
        .await
    }

    /// `http://127.0.0.1:port` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// For the allowed hosts of a secret.
    pub fn host(&self) -> String {
        self.addr.to_string()
    }

    /// How many requests arrived.
    pub fn hits(&self) -> u64 {
        self.seen.hits.load(Ordering::SeqCst)
    }

    /// How many connections were opened, with or without a request.
    pub fn connections(&self) -> u64 {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many whole requests came for this path.
    pub fn to(&self, path: &str) -> usize {
        let of_path = |received: &&Received| received.target.split('?').next() == Some(path);
        self.seen.received.lock().unwrap().iter().filter(of_path).count()
    }

    /// The requests to this path.
    pub fn received(&self, path: &str) -> Vec<Received> {
        let received = self.seen.received.lock().unwrap();
        received.iter().filter(|one| one.target == path).cloned().collect()
    }

    #[track_caller]
    pub fn last(&self) -> Received {
        self.seen.received.lock().unwrap().last().cloned().expect("a request reached the provider")
    }

    async fn start(seen: Arc<Seen>, handler: Streaming) -> Self {
        let keep = Arc::clone(&seen);
        Self::accept(seen, move |stream| {
            let (handler, keep) = (Arc::clone(&handler), Arc::clone(&keep));
            async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    keep.hits.fetch_add(1, Ordering::SeqCst);
                    let answer = handler(request.map(Body::new));
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                // The caller may hang up at any moment; that is what some tests are about.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        })
        .await
    }

    async fn accept<F, R>(seen: Arc<Seen>, connection: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let keep = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                keep.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(connection(stream));
            }
        });
        Self { addr, seen, accepting }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub fn reply(status: u16, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}

pub fn json_reply(status: u16, body: &Value) -> Response<Body> {
    let mut response = reply(status, body.to_string());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A body that is written piece by piece; an error breaks it off.
pub fn channel_body() -> (mpsc::UnboundedSender<io::Result<Bytes>>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let pieces = stream::unfold(receiver, |mut receiver: mpsc::UnboundedReceiver<_>| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    (sender, Body::from_stream(pieces))
}

fn echo(received: &Received) -> Response<Body> {
    let headers: Vec<Value> = received
        .headers
        .iter()
        .map(|(name, value)| serde_json::json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let body = serde_json::json!({
        "method": received.method,
        "target": received.target,
        "headers": headers,
        "body": String::from_utf8_lossy(&received.body),
    });
    json_reply(200, &body)
}
