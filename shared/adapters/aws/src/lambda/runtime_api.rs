//! The client of Lambda's Runtime API: take an invocation, answer it, or say why the process does not start.
//!
//! Not the published `lambda_runtime`: an answer that breaks off while it streams must reach the caller as broken. That
//! crate writes the error into the body and ends it as if it were whole; here it goes into the trailers that the Runtime
//! API has for it, and the connection to the caller is cut.
//!
//! The other end is in the same sandbox. If it does not understand us there is nothing to retry: the process ends and
//! Lambda starts another.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::StartError;

const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");

/// An invocation of this function.
pub(super) struct Invocation {
    pub(super) request_id: String,
    /// X-Ray's header: `Root=…;Parent=…;Sampled=…`.
    pub(super) trace: Option<String>,
    pub(super) body: Bytes,
}

/// What an invocation is answered with.
pub(super) enum Reply {
    /// A JSON document.
    Whole(Vec<u8>),
    /// An HTTP response, as it comes: the prelude says status and headers.
    Streamed { prelude: Vec<u8>, body: Body },
    /// No answer; Lambda may deliver the event again.
    Failed(String),
}

pub(super) struct RuntimeApi {
    authority: String,
    connection: Option<SendRequest<Body>>,
}

impl RuntimeApi {
    #[allow(clippy::disallowed_methods, reason = "the address of the Runtime API is no setting of ours")]
    pub(super) fn from_env() -> Result<Self, StartError> {
        let authority = std::env::var("AWS_LAMBDA_RUNTIME_API")
            .map_err(|_| "AWS_LAMBDA_RUNTIME_API is not set: this is a Lambda function")?;
        Ok(Self::new(authority))
    }

    pub(super) fn new(authority: String) -> Self {
        Self { authority, connection: None }
    }

    /// Waits for an invocation; the process may be frozen in here for hours.
    pub(super) async fn next(&mut self) -> Result<Invocation, StartError> {
        let response = self.send(Method::GET, "invocation/next", HeaderMap::new(), Body::empty()).await?;
        let text = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let request_id = text("lambda-runtime-aws-request-id").ok_or("an invocation without an id")?;
        let trace = text("lambda-runtime-trace-id");
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Invocation { request_id, trace, body })
    }

    pub(super) async fn answer(&mut self, request_id: &str, reply: Reply) -> Result<(), StartError> {
        let mut headers = HeaderMap::new();
        let (what, body) = match reply {
            Reply::Whole(json) => ("response", Body::from(json)),
            Reply::Streamed { prelude, body } => {
                headers
                    .insert("lambda-runtime-function-response-mode", HeaderValue::from_static("streaming"));
                headers.insert(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/vnd.awslambda.http-integration-response"),
                );
                headers.append(header::TRAILER, HeaderValue::from_static(ERROR_TYPE_TEXT));
                headers.append(header::TRAILER, HeaderValue::from_static(ERROR_BODY_TEXT));
                ("response", Body::new(Streamed { prelude: Some(prelude), body: Some(body) }))
            }
            Reply::Failed(message) => {
                headers.insert(ERROR_TYPE, HeaderValue::from_static("Vault.Failed"));
                ("error", Body::from(error_document("Vault.Failed", &message)))
            }
        };
        let path = format!("invocation/{request_id}/{what}");
        self.send(Method::POST, &path, headers, body).await?.into_body().collect().await?;
        Ok(())
    }

    /// Says why the process ends before it takes an invocation.
    pub(super) async fn cannot_start(&mut self, reason: &str) -> Result<(), StartError> {
        let headers = HeaderMap::from_iter([(ERROR_TYPE, HeaderValue::from_static("Vault.CannotStart"))]);
        let body = Body::from(error_document("Vault.CannotStart", reason));
        self.send(Method::POST, "init/error", headers, body).await?.into_body().collect().await?;
        Ok(())
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Response<Incoming>, StartError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/2018-06-01/runtime/{path}"))
            .header(header::HOST, self.authority.as_str())
            .body(body)?;
        request.headers_mut().extend(headers);
        let response = self.connection().await?.send_request(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(format!("the Runtime API answered {path} with {}", response.status()).into())
    }

    /// The connection, opened again when the other end has closed it.
    async fn connection(&mut self) -> Result<&mut SendRequest<Body>, StartError> {
        let open = match self.connection.take() {
            Some(mut kept) => kept.ready().await.is_ok().then_some(kept),
            None => None,
        };
        let connection = match open {
            Some(open) => open,
            None => self.connect().await?,
        };
        Ok(self.connection.insert(connection))
    }

    async fn connect(&self) -> Result<SendRequest<Body>, StartError> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the Runtime API ended");
            }
        });
        Ok(sender)
    }
}

const ERROR_TYPE_TEXT: &str = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY_TEXT: &str = "Lambda-Runtime-Function-Error-Body";

fn error_document(kind: &str, message: &str) -> Vec<u8> {
    serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string().into_bytes()
}

/// Prelude, eight zero bytes, body; an error of the body becomes the trailers that tell Lambda that the answer is not whole.
struct Streamed {
    prelude: Option<Vec<u8>>,
    body: Option<Body>,
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(mut prelude) = self.prelude.take() {
            prelude.extend_from_slice(&[0; 8]);
            return Poll::Ready(Some(Ok(Frame::data(prelude.into()))));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        loop {
            match std::task::ready!(Pin::new(&mut *body).poll_frame(cx)) {
                // A provider's trailers have no place in an answer of API Gateway.
                Some(Ok(frame)) if frame.is_trailers() => {}
                Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => {
                    tracing::warn!(%error, "the answer broke off");
                    self.body = None;
                    let document =
                        STANDARD.encode(error_document("Vault.BrokenAnswer", "the answer broke off"));
                    let mut trailers = HeaderMap::new();
                    trailers.insert(ERROR_TYPE, HeaderValue::from_static("Vault.BrokenAnswer"));
                    if let Ok(document) = HeaderValue::from_str(&document) {
                        trailers.insert(ERROR_BODY, document);
                    }
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                None => {
                    self.body = None;
                    return Poll::Ready(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        sync::mpsc,
    };

    use super::*;

    /// Answers each request with the next of `replies` and hands over what was received. `close` ends the connection after
    /// each answer.
    async fn stub(replies: Vec<&'static str>, close: bool) -> (RuntimeApi, mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let (sender, received) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut replies = replies.into_iter();
            while let Ok((mut stream, _)) = listener.accept().await {
                loop {
                    let Some(request) = read_request(&mut stream).await else { break };
                    sender.send(request).ok();
                    let Some(reply) = replies.next() else { return };
                    stream.write_all(reply.as_bytes()).await.unwrap();
                    if close {
                        break;
                    }
                }
            }
        });
        (RuntimeApi::new(authority), received)
    }

    /// One request, chunked or with a length, as text.
    async fn read_request(stream: &mut TcpStream) -> Option<String> {
        let mut text = String::new();
        let mut buffer = [0; 4096];
        loop {
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let head = head.to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let whole = match length {
                    Some(length) => body.len() >= length.parse().unwrap(),
                    None if head.contains("transfer-encoding: chunked") => {
                        body.contains("0\r\n") && body.ends_with("\r\n\r\n")
                    }
                    None => true,
                };
                if whole {
                    return Some(text);
                }
            }
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(read) => text.push_str(std::str::from_utf8(&buffer[..read]).unwrap()),
            }
        }
    }

    const NEXT: &str = "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: r-1\r\nlambda-runtime-trace-id: Root=1-2-3\r\ncontent-length: 5\r\n\r\n{\"a\"}";
    const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn an_invocation_is_taken_and_answered() {
        for close in [false, true] {
            let (mut api, mut received) = stub(vec![NEXT, ACCEPTED, ACCEPTED], close).await;
            let invocation = api.next().await.unwrap();
            assert_eq!(invocation.request_id, "r-1");
            assert_eq!(invocation.trace.as_deref(), Some("Root=1-2-3"));
            assert_eq!(invocation.body, "{\"a\"}");
            assert!(
                received
                    .recv()
                    .await
                    .unwrap()
                    .starts_with("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n")
            );
            api.answer("r-1", Reply::Whole(b"{\"ok\":1}".to_vec())).await.unwrap();
            let answer = received.recv().await.unwrap();
            assert!(answer.starts_with("POST /2018-06-01/runtime/invocation/r-1/response HTTP/1.1\r\n"));
            assert!(answer.ends_with("\r\n\r\n{\"ok\":1}"));
            api.answer("r-1", Reply::Failed("no".to_owned())).await.unwrap();
            let failure = received.recv().await.unwrap();
            assert!(failure.starts_with("POST /2018-06-01/runtime/invocation/r-1/error HTTP/1.1\r\n"));
            assert!(failure.contains("lambda-runtime-function-error-type: Vault.Failed"));
        }
    }

    async fn streamed(pieces: Vec<Result<Bytes, std::io::Error>>) -> String {
        let (mut api, mut received) = stub(vec![ACCEPTED], false).await;
        let body = Body::from_stream(stream::iter(pieces));
        let prelude = b"{\"statusCode\":200}".to_vec();
        api.answer("r-1", Reply::Streamed { prelude, body }).await.unwrap();
        received.recv().await.unwrap()
    }

    #[tokio::test]
    async fn a_stream_is_prelude_and_body() {
        let answer = streamed(vec![Ok(Bytes::from_static(b"one")), Ok(Bytes::from_static(b"two"))]).await;
        let head = answer.to_ascii_lowercase();
        assert!(head.contains("lambda-runtime-function-response-mode: streaming\r\n"));
        assert!(head.contains("content-type: application/vnd.awslambda.http-integration-response\r\n"));
        assert!(head.contains("transfer-encoding: chunked\r\n"));
        let prelude = "{\"statusCode\":200}\0\0\0\0\0\0\0\0";
        assert!(
            answer.ends_with(&format!("\r\n\r\n1A\r\n{prelude}\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")),
            "{answer:?}"
        );
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_does_not_look_whole() {
        let answer = streamed(vec![Ok(Bytes::from_static(b"one")), Err(std::io::Error::other("gone"))]).await;
        let (body, trailers) = answer.split_once("3\r\none\r\n0\r\n").unwrap();
        assert!(
            body.contains("Trailer: Lambda-Runtime-Function-Error-Type")
                || body.contains("trailer: Lambda-Runtime-Function-Error-Type")
        );
        let trailers = trailers.to_ascii_lowercase();
        assert!(
            trailers.contains("lambda-runtime-function-error-type: vault.brokenanswer\r\n"),
            "{trailers:?}"
        );
        assert!(trailers.contains("lambda-runtime-function-error-body: "));
    }

    #[tokio::test]
    async fn an_api_that_refuses_ends_the_process() {
        let refused = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
        let (mut api, _received) = stub(vec![refused], false).await;
        assert!(api.next().await.is_err());
        let (mut api, mut received) = stub(vec![ACCEPTED], false).await;
        api.cannot_start("ALTER_TABLE_MAIN is not set").await.unwrap();
        let told = received.recv().await.unwrap();
        assert!(told.starts_with("POST /2018-06-01/runtime/init/error HTTP/1.1\r\n"));
        assert!(told.contains("ALTER_TABLE_MAIN is not set"));
    }
}
