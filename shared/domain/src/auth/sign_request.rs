//! The client's half: all headers of a signed call. Used by the command line client, the demo and the load generator.

use super::{
    canonical::canonical_target,
    key_text::PublicPart,
    signature::{Labelled, SignedParts, UNSIGNED_PAYLOAD, content_hash, header},
};
use crate::{crypto::SigningKey, secret::Secret};

/// What the caller signs with.
#[derive(Clone, Copy)]
pub enum Signer<'a> {
    /// The key travels in `x-api-key`, as the published clients do it.
    PlainKey(&'a Secret<String>),
    /// Only the key's public part travels. The signing key is derived from the plain key once.
    KeyId { public_part: &'a PublicPart, signing_key: &'a SigningKey },
}

/// The body, as far as the signature is concerned.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// These bytes exactly; empty when there is no body.
    Bytes(&'a [u8]),
    /// Not covered: a stream, on `/v1/forward` only.
    Unsigned,
}

/// A call to be signed.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    /// The raw target as it goes over the wire, below the base URL.
    pub path_and_query: &'a str,
    pub content: Content<'a>,
    /// Unix seconds; the vault accepts 300 s of difference.
    pub timestamp: i64,
    /// 32 lower-case hex digits, fresh for every call.
    pub nonce: &'a str,
    pub constraints: Option<&'a str>,
    pub labelled: Labelled<'a>,
}

/// The headers to send with the call: name and value. `content-type` and what else the call needs are the caller's.
pub fn sign_request(signer: Signer<'_>, request: &Request<'_>) -> Vec<(&'static str, String)> {
    let timestamp = request.timestamp.to_string();
    let content_hash = match request.content {
        Content::Bytes(body) => content_hash(body),
        Content::Unsigned => UNSIGNED_PAYLOAD.to_owned(),
    };
    let text = SignedParts {
        method: request.method,
        target: &canonical_target(request.path_and_query),
        timestamp: &timestamp,
        nonce: request.nonce,
        content_hash: &content_hash,
        constraints: request.constraints,
        labelled: &request.labelled.lines(),
    }
    .string_to_sign();
    let (credential, signature) = match signer {
        Signer::PlainKey(plain) => {
            ((header::API_KEY, plain.expose_secret().clone()), SigningKey::derive(plain).sign(&text))
        }
        Signer::KeyId { public_part, signing_key } => {
            ((header::KEY_ID, public_part.to_string()), signing_key.sign(&text))
        }
    };

    let mut headers = vec![
        credential,
        (header::TIMESTAMP, timestamp),
        (header::NONCE, request.nonce.to_owned()),
        (header::CONTENT_SHA256, content_hash),
    ];
    if request.labelled.has_actor() {
        headers.push((header::SIGNATURE_V2, signature.clone()));
    }
    headers.push((header::SIGNATURE, signature));
    let constraints = (header::SCOPE_CONSTRAINTS, request.constraints.unwrap_or_default());
    let labelled = request.labelled.entries().map(|(_, name, value)| (name, value));
    let optional = std::iter::once(constraints).chain(labelled);
    headers.extend(
        optional.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.to_owned())),
    );
    headers
}
