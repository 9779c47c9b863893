//! The provider's answer on its way back: decoded, cleaned, scanned for the credential, counted, and on the record before
//! it ends.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use super::record::finish;
use crate::{
    egress::{clean_response_headers, decode_body},
    error::{Error, Result},
    model::{AuditEvent, Outcome, OutcomeKind, Phase},
    redact::Redactor,
    state::Ports,
};

/// How much of a reply `/sdk/proxy` returns, in bytes; the rest is cut and said to be.
pub const PROXY_REPLY_LIMIT: usize = 5 * 1024 * 1024;
/// The largest body that is held in memory because a signature needs all of it, in bytes.
const WHOLE_BODY_LIMIT: usize = 6 * 1024 * 1024;

/// Makes a provider's response fit to leave the vault. Says whether a header had to be redacted.
pub(super) fn clean(
    response: http::Response<Body>,
    redactor: Redactor,
) -> Result<(http::Response<Body>, bool)> {
    let response = decode_body(response).map_err(|error| Error::UpstreamBroken(error.to_string()))?;
    let (mut parts, body) = response.into_parts();
    clean_response_headers(&mut parts.headers);
    let redacted = redactor.redact_headers(&mut parts.headers) > 0;
    Ok((http::Response::from_parts(parts, redactor.redact_body(body)), redacted))
}

/// Collects a streamed body that has to be signed as a whole.
pub(super) async fn whole_body(body: Body) -> Result<Bytes> {
    axum::body::to_bytes(body, WHOLE_BODY_LIMIT)
        .await
        .map_err(|_| Error::PayloadTooLarge { limit: WHOLE_BODY_LIMIT })
}

/// A reply held in memory.
#[derive(Debug)]
pub struct Collected {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub truncated: bool,
    pub duration_ms: u64,
}

/// The final row of a call in flight. It is written once, whatever becomes of the answer.
pub struct InFlightRecord {
    ports: Ports,
    event: Box<AuditEvent>,
    request_bytes: Option<u64>,
    redacted: bool,
}

impl InFlightRecord {
    pub(super) fn new(ports: Ports, event: AuditEvent, request_bytes: Option<u64>, redacted: bool) -> Self {
        Self { ports, event: Box::new(event), request_bytes, redacted }
    }

    fn outcome(&self, kind: OutcomeKind, status: u16, received: u64, truncated: bool) -> Outcome {
        let elapsed = self.ports.clock.now().duration_since(self.event.at).as_millis();
        Outcome {
            kind,
            status: Some(status),
            code: None,
            latency_ms: u64::try_from(elapsed).ok(),
            request_bytes: self.request_bytes,
            response_bytes: Some(received),
            truncated,
            redacted: self.redacted,
        }
    }

    async fn write(mut self, outcome: Outcome) {
        self.event.phase = Phase::Final;
        self.event.outcome = Some(outcome);
        finish(&self.ports, &self.event).await;
    }

    /// Reads the reply, up to `limit` bytes, and writes the final row. The reply was scanned before it is cut, so that no
    /// part of a credential is left at the end.
    pub async fn collect(
        self,
        response: http::Response<Body>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Collected> {
        let (parts, mut body) = response.into_parts();
        let status = parts.status.as_u16();
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        let mut length = 0usize;
        let mut truncated = false;
        loop {
            let failure = match timeout_at(deadline, body.frame()).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => Ok(frame),
                Ok(Some(Err(error))) => Err(Error::UpstreamBroken(error.to_string())),
                Err(_elapsed) => Err(Error::UpstreamTimeout),
            };
            let data = match failure.map(Frame::into_data) {
                Ok(Ok(data)) => data,
                Ok(Err(_trailers)) => continue,
                Err(error) => {
                    let outcome = self.outcome(OutcomeKind::NetworkError, status, length as u64, false);
                    self.write(Outcome { code: Some(crate::web::code(&error).to_owned()), ..outcome }).await;
                    return Err(error);
                }
            };
            let room = limit - length;
            truncated = data.len() > room;
            let data = if truncated { data.slice(..room) } else { data };
            length += data.len();
            // Most replies come in one piece, which is handed on as it is.
            match (&first, rest.is_empty()) {
                (None, _) => first = Some(data),
                (Some(piece), true) => {
                    rest.extend_from_slice(piece);
                    rest.extend_from_slice(&data);
                }
                (Some(_), false) => rest.extend_from_slice(&data),
            }
            if truncated {
                break;
            }
        }
        let body = if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() };
        let outcome = self.outcome(kind(status), status, length as u64, truncated);
        let duration_ms = outcome.latency_ms.unwrap_or(0);
        self.write(outcome).await;
        Ok(Collected { status, headers: parts.headers, body, truncated, duration_ms })
    }

    /// Hands the reply on as it comes. Its end is passed on only when the final row is written; a caller who goes away
    /// before that is recorded as such.
    pub async fn stream(self, response: http::Response<Body>) -> http::Response<Body> {
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        if body.is_end_stream() {
            // A reply without a body is never polled.
            let outcome = self.outcome(kind(status), status, 0, false);
            self.write(outcome).await;
            return http::Response::from_parts(parts, Body::empty());
        }
        let length =
            parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let state = State::Streaming { body, record: Some(self) };
        http::Response::from_parts(parts, Body::new(RecordedBody { status, length, received: 0, state }))
    }
}

fn kind(status: u16) -> OutcomeKind {
    if status >= 400 { OutcomeKind::ProviderError } else { OutcomeKind::Success }
}

struct RecordedBody {
    status: u16,
    /// What the provider said the body's length is: the server stops reading there and never asks for the end.
    length: Option<u64>,
    received: u64,
    state: State,
}

type Writing = Pin<Box<dyn Future<Output = ()> + Send>>;

enum State {
    Streaming {
        body: Body,
        record: Option<InFlightRecord>,
    },
    /// The final row is being written; then comes the last frame, or the error that ended the reply.
    Writing {
        writing: Writing,
        then: Option<Result<Frame<Bytes>, axum::Error>>,
    },
    Done,
}

impl http_body::Body for RecordedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Streaming { body, record } => {
                    let then = match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                        Some(Ok(frame)) => {
                            let Ok(data) = frame.into_data() else { continue };
                            this.received += data.len() as u64;
                            let last = body.is_end_stream()
                                || this.length.is_some_and(|length| this.received >= length);
                            if !last {
                                return Poll::Ready(Some(Ok(Frame::data(data))));
                            }
                            Some(Ok(Frame::data(data)))
                        }
                        Some(Err(error)) => Some(Err(error)),
                        None => None,
                    };
                    let Some(record) = record.take() else { return Poll::Ready(None) };
                    let outcome = match &then {
                        Some(Err(_)) => Outcome {
                            code: Some("upstream_error".to_owned()),
                            ..record.outcome(OutcomeKind::NetworkError, this.status, this.received, false)
                        },
                        _ => record.outcome(kind(this.status), this.status, this.received, false),
                    };
                    this.state = State::Writing { writing: Box::pin(record.write(outcome)), then };
                }
                State::Writing { writing, then } => {
                    ready!(writing.as_mut().poll(cx));
                    let then = then.take();
                    this.state = State::Done;
                    return Poll::Ready(then);
                }
                State::Done => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

impl Drop for RecordedBody {
    /// The connection is gone, so nobody waits: the row is written by a task of its own.
    fn drop(&mut self) {
        let unfinished = match std::mem::replace(&mut self.state, State::Done) {
            State::Streaming { record: Some(record), .. } => {
                let outcome = record.outcome(OutcomeKind::Aborted, self.status, self.received, false);
                Box::pin(record.write(outcome)) as Writing
            }
            State::Writing { writing, .. } => writing,
            State::Streaming { record: None, .. } | State::Done => return,
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(unfinished);
        }
    }
}
