//! A response body without echoes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::{Redactor, pattern::Patterns};

/// Scans a body while it passes. A chunk without an echo is handed on as it came, not copied. Held back is only what
/// may be the beginning of a secret, so that events of a stream are not delayed; it is let go when the next chunk
/// decides, or at the end.
pub struct RedactingBody {
    inner: Body,
    patterns: Arc<Patterns>,
    /// The end of what came, unaltered: a match may begin at its first byte.
    tail: BytesMut,
    /// How many bytes of the tail belong to a match found before.
    zone: usize,
    /// Came behind the data, waiting for the tail to go first.
    trailers: Option<HeaderMap>,
    done: bool,
}

impl RedactingBody {
    pub(super) fn new(inner: Body, patterns: Arc<Patterns>) -> Self {
        Self { inner, patterns, tail: BytesMut::new(), zone: 0, trailers: None, done: false }
    }

    /// Takes a chunk and returns what is final, possibly nothing.
    fn push(&mut self, chunk: Bytes) -> Bytes {
        if self.tail.is_empty() {
            match self.patterns.next_hit(&chunk, 0) {
                None => return chunk,
                Some(hit) if hit.matched == 0 => {
                    self.tail.extend_from_slice(chunk.get(hit.start..).unwrap_or_default());
                    return chunk.slice(..hit.start);
                }
                Some(_) => {
                    self.tail = chunk.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
                }
            }
        } else {
            self.tail.extend_from_slice(&chunk);
        }
        let pass = self.patterns.overwrite(&mut self.tail, self.zone, false);
        self.zone = pass.zone;
        self.tail.split_to(pass.settled).freeze()
    }

    /// Nothing follows: returns what was held back.
    fn finish(&mut self) -> Bytes {
        let mut tail = std::mem::take(&mut self.tail);
        self.patterns.overwrite(&mut tail, self.zone, true);
        self.zone = 0;
        tail.freeze()
    }
}

impl http_body::Body for RedactingBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        loop {
            if let Some(trailers) = this.trailers.take() {
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            if this.done {
                return Poll::Ready(None);
            }
            let ready = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(chunk) => this.push(chunk),
                    Err(frame) => {
                        if let Ok(mut trailers) = frame.into_trailers() {
                            Redactor(Some(this.patterns.clone())).redact_headers(&mut trailers);
                            this.trailers = Some(trailers);
                        }
                        this.finish()
                    }
                },
                Some(Err(error)) => {
                    this.done = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.done = true;
                    this.finish()
                }
            };
            if !ready.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(ready))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.tail.is_empty() && self.trailers.is_none() && (self.done || self.inner.is_end_stream())
    }

    /// As the upstream said: nothing is added or taken away.
    fn size_hint(&self) -> SizeHint {
        let held = self.tail.len() as u64;
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + held);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}
