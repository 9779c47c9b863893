//! Requests: their id, their body with a bound, and the address they came from.

use std::{net::IpAddr, time::Duration};

use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// The address at the other end of the connection, put into the request's extensions by the server.
#[derive(Debug, Clone, Copy)]
pub struct PeerIp(pub IpAddr);

/// The id that ties an answer to its log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How much of a body that is too large is read and dropped, in limits.
const DROPPED: usize = 4;

/// How long a client may take to send a body that is held in memory.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a whole body of at most `limit` bytes. Most clients listen only when they have sent everything and take a
/// connection that is closed on them for a network error, so a longer body is read to its end, within reason, and dropped
/// before it is refused.
pub async fn read_body(body: Body, limit: usize) -> Result<Bytes> {
    tokio::time::timeout(BODY_TIMEOUT, read_at_leisure(body, limit))
        .await
        .map_err(|_| Error::RequestTimeout)?
}

async fn read_at_leisure(mut body: Body, limit: usize) -> Result<Bytes> {
    let too_large = body.size_hint().lower() > limit as u64;
    let read = if too_large { None } else { Some(Limited::new(&mut body, limit).collect().await) };
    match read {
        Some(Ok(collected)) => return Ok(collected.to_bytes()),
        Some(Err(error)) if !error.is::<LengthLimitError>() => {
            return Err(Error::InvalidRequest("The body could not be read.".to_owned()));
        }
        Some(Err(_)) | None => {}
    }
    let mut left = limit.saturating_mul(DROPPED);
    while left > 0
        && let Some(Ok(frame)) = body.frame().await
    {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len).max(1));
    }
    Err(Error::PayloadTooLarge { limit })
}

/// Parses a JSON body; what is wrong is told by place, never by content.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "does not have the expected fields",
            _ => "is not valid JSON",
        };
        Error::InvalidRequest(format!("The body {what} (line {}, column {}).", error.line(), error.column()))
    })
}

/// Gives every answer an `X-Request-ID` (the caller's, if it is a plain token of at most 64 characters, or a fresh one) and
/// what browsers and caches must know: answers of the vault are for their caller alone, never sniffed, stored or framed.
pub(super) async fn frame(
    axum::extract::State(ports): axum::extract::State<crate::state::Ports>,
    mut request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(&REQUEST_ID).filter(|value| {
        (1..=64).contains(&value.len())
            && value.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
    });
    let value = match given {
        Some(value) => value.clone(),
        None => {
            let fresh =
                ports.new_id::<alter_api_types::EventId>().map(|id| id.to_string()).unwrap_or_default();
            HeaderValue::from_str(&fresh).unwrap_or_else(|_| HeaderValue::from_static("none"))
        }
    };
    let id = RequestId(value.to_str().unwrap_or_default().to_owned());
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, value);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::stream;

    use super::*;

    /// A body without a length, in pieces of ten bytes, and how many of them were taken.
    fn pieces(count: usize) -> (Body, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let piece = move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(b"0123456789"))
        };
        (Body::from_stream(stream::iter((0..count).map(piece))), taken)
    }

    #[tokio::test]
    async fn a_body_within_the_limit_is_read_whole() {
        assert_eq!(read_body(Body::from(vec![7; 100]), 100).await.unwrap().len(), 100);
        let (body, taken) = pieces(10);
        assert_eq!(read_body(body, 100).await.unwrap().len(), 100);
        assert_eq!(taken.load(Ordering::Relaxed), 10);
    }

    #[tokio::test]
    async fn a_longer_body_is_taken_to_its_end_before_it_is_refused() {
        let too_large = Err(Error::PayloadTooLarge { limit: 100 });
        assert_eq!(read_body(Body::from(vec![7; 101]), 100).await, too_large);
        let (body, taken) = pieces(30);
        assert_eq!(read_body(body, 100).await, too_large);
        assert_eq!(taken.load(Ordering::Relaxed), 30);
    }

    #[tokio::test]
    async fn a_body_without_end_is_left() {
        let (body, taken) = pieces(usize::MAX);
        assert_eq!(read_body(body, 100).await, Err(Error::PayloadTooLarge { limit: 100 }));
        assert!((11..=60).contains(&taken.load(Ordering::Relaxed)));
    }
}
