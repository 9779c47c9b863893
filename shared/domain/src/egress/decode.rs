//! Undoing `Content-Encoding`, streaming, so that an encoded echo cannot slip past the redactor.

use std::{io, pin::Pin};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder};
use axum::body::Body;
use futures_util::TryStreamExt as _;
use http::{HeaderMap, Response, header};
use http_body::Body as _;
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

/// Why a response body cannot be read. The caller must not forward it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("response has a content encoding that is not understood")]
    Unknown,
    #[error("response has more than {MAX_LAYERS} content encodings")]
    TooMany,
}

/// Returns the response with its `Content-Encoding` (RFC 9110 §8.4: gzip, deflate, br; up to two of them) undone while
/// it streams, and without the headers that spoke of the encoded form. A response without one is returned as it is.
/// Data that does not decode ends the body with an error. Memory is bounded by the decoder's window whatever the ratio;
/// a caller that collects the body bounds its length.
pub fn decode_body(response: Response<Body>) -> Result<Response<Body>, DecodeError> {
    if !response.headers().contains_key(header::CONTENT_ENCODING) {
        return Ok(response);
    }
    let layers = layers(response.headers())?;
    let (mut parts, mut body) = response.into_parts();
    // The answer to a HEAD, a 204 or a 304 names an encoding and has no body to decode.
    if !layers.is_empty() && !body.is_end_stream() {
        for layer in layers.iter().rev() {
            body = undo(*layer, body);
        }
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    parts.headers.remove(header::CONTENT_ENCODING);
    Ok(Response::from_parts(parts, body))
}

/// Nested encodings multiply what a small body can grow to, and nobody sends more than one.
const MAX_LAYERS: usize = 2;

/// How much decoded data is handed on at once.
const CHUNK_BYTES: usize = 16 * 1024;

#[derive(Clone, Copy)]
enum Layer {
    Gzip,
    Deflate,
    Brotli,
}

/// The encodings in the order in which they were applied.
fn layers(headers: &HeaderMap) -> Result<Vec<Layer>, DecodeError> {
    let mut layers = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for name in value.to_str().map_err(|_| DecodeError::Unknown)?.split(',') {
            layers.push(match name.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Layer::Gzip,
                "deflate" => Layer::Deflate,
                "br" => Layer::Brotli,
                _ => return Err(DecodeError::Unknown),
            });
        }
    }
    if layers.len() > MAX_LAYERS { Err(DecodeError::TooMany) } else { Ok(layers) }
}

fn undo(layer: Layer, body: Body) -> Body {
    let encoded = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let decoded: Pin<Box<dyn AsyncRead + Send>> = match layer {
        Layer::Gzip => {
            let mut decoder = GzipDecoder::new(encoded);
            // RFC 1952 §2.2: a file is one member or more.
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        // RFC 9110 §8.4.1.2: "deflate" is the zlib format.
        Layer::Deflate => Box::pin(ZlibDecoder::new(encoded)),
        Layer::Brotli => Box::pin(BrotliDecoder::new(encoded)),
    };
    Body::from_stream(ReaderStream::with_capacity(decoded, CHUNK_BYTES))
}
