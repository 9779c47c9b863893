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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder};
    use bytes::Bytes;
    use futures_util::stream;
    use http_body_util::BodyExt as _;

    use super::*;

    const TEXT: &[u8] = br#"{"token":"sk_live_4eC39HqLyjWDarjtT1zdp7dc"}"#;

    async fn encoded(encoding: &str, plain: &[u8]) -> Vec<u8> {
        let reader: Pin<Box<dyn AsyncRead + Send + '_>> = match encoding {
            "gzip" => Box::pin(GzipEncoder::new(plain)),
            "deflate" => Box::pin(ZlibEncoder::new(plain)),
            _ => Box::pin(BrotliEncoder::new(plain)),
        };
        ReaderStream::new(reader).map_ok(|chunk| chunk.to_vec()).try_concat().await.unwrap()
    }

    /// A response whose body arrives in chunks of the given length.
    fn response(encoding: &str, body: &[u8], chunk: usize) -> Response<Body> {
        let chunks: Vec<_> =
            body.chunks(chunk).map(Bytes::copy_from_slice).map(Ok::<_, Infallible>).collect();
        Response::builder()
            .header(header::CONTENT_ENCODING, encoding)
            .header(header::CONTENT_LENGTH, body.len())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from_stream(stream::iter(chunks)))
            .unwrap()
    }

    async fn plain(response: Response<Body>) -> Result<Bytes, axum::Error> {
        Ok(response.into_body().collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn each_encoding_is_undone_and_its_headers_are_gone() {
        for encoding in ["gzip", "deflate", "br"] {
            let body = encoded(encoding, TEXT).await;
            for chunk in [1, 7, 4096] {
                let response = decode_body(response(&encoding.to_uppercase(), &body, chunk)).unwrap();
                assert_eq!(response.headers().len(), 1, "only the content type is left");
                assert_eq!(plain(response).await.unwrap(), TEXT, "{encoding} in chunks of {chunk}");
            }
        }
        let twice = encoded("br", &encoded("gzip", TEXT).await).await;
        assert_eq!(plain(decode_body(response("gzip, br", &twice, 5)).unwrap()).await.unwrap(), TEXT);
        let members = [encoded("gzip", TEXT).await, encoded("gzip", TEXT).await].concat();
        let both = plain(decode_body(response("x-gzip", &members, 9)).unwrap()).await.unwrap();
        assert_eq!(both, TEXT.repeat(2));
    }

    #[tokio::test]
    async fn a_body_that_is_not_encoded_passes_as_it_is() {
        let mut bare = response("identity", TEXT, 10);
        let identity = decode_body(response("identity", TEXT, 10)).unwrap();
        assert!(identity.headers().contains_key(header::CONTENT_LENGTH));
        assert_eq!(plain(identity).await.unwrap(), TEXT);
        bare.headers_mut().remove(header::CONTENT_ENCODING);
        assert_eq!(plain(decode_body(bare).unwrap()).await.unwrap(), TEXT);
        let mut head = response("gzip", b"", 1);
        *head.body_mut() = Body::empty();
        assert_eq!(plain(decode_body(head).unwrap()).await.unwrap(), "");
    }

    #[test]
    fn encodings_not_understood_are_refused() {
        for encoding in ["zstd", "compress", "gzip, x", "\u{e4}"] {
            assert_eq!(
                decode_body(response(encoding, TEXT, 9)).unwrap_err(),
                DecodeError::Unknown,
                "{encoding}"
            );
        }
        assert_eq!(decode_body(response("br, br, br", TEXT, 9)).unwrap_err(), DecodeError::TooMany);
    }

    #[tokio::test]
    async fn broken_data_ends_in_an_error() {
        let body = encoded("gzip", TEXT).await;
        assert!(plain(decode_body(response("gzip", TEXT, 9)).unwrap()).await.is_err());
        assert!(plain(decode_body(response("gzip", &body[..body.len() - 9], 9)).unwrap()).await.is_err());
    }

    #[tokio::test]
    async fn a_bomb_comes_out_in_small_pieces() {
        let bomb = encoded("gzip", &vec![0; 64 << 20]).await;
        let mut body = decode_body(response("gzip", &bomb, 4096)).unwrap().into_body();
        for _ in 0..100 {
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(piece.len() <= CHUNK_BYTES);
        }
    }
}
