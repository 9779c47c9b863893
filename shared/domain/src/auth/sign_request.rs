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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::auth::key_text;

    /// The page for client authors; its vectors and its table of targets are what is tested here.
    const PAGE: &str = include_str!("../../../../docs/signing.md");

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vector {
        name: String,
        plain_key: String,
        signing_key: String,
        method: String,
        path_and_query: String,
        body: Option<String>,
        canonical_target: String,
        string_to_sign: String,
        headers: BTreeMap<String, String>,
    }

    impl Vector {
        fn header(&self, name: &str) -> Option<&str> {
            self.headers.get(name).map(String::as_str)
        }

        /// The same call, as a client would describe it.
        fn request(&self) -> Request<'_> {
            Request {
                method: &self.method,
                path_and_query: &self.path_and_query,
                content: self
                    .body
                    .as_deref()
                    .map_or(Content::Unsigned, |body| Content::Bytes(body.as_bytes())),
                timestamp: self.header(header::TIMESTAMP).unwrap().parse().unwrap(),
                nonce: self.header(header::NONCE).unwrap(),
                constraints: self.header(header::SCOPE_CONSTRAINTS),
                labelled: Labelled::from_headers(|name| self.header(name)),
            }
        }
    }

    fn vectors() -> Vec<Vector> {
        let blocks = PAGE.split("```json\n").skip(1);
        blocks.map(|rest| serde_json::from_str(rest.split("```").next().unwrap()).unwrap()).collect()
    }

    #[test]
    fn the_vectors_of_the_page_hold() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 6);
        for vector in vectors {
            let plain = Secret::new(vector.plain_key.clone());
            let signing_key = SigningKey::derive(&plain);
            assert_eq!(hex::encode(signing_key.as_bytes()), vector.signing_key, "{}", vector.name);
            assert_eq!(canonical_target(&vector.path_and_query), vector.canonical_target, "{}", vector.name);

            let public_part = key_text::parse(&vector.plain_key).map(|key| key.public_part);
            let signer = match vector.header(header::KEY_ID) {
                Some(_) => {
                    Signer::KeyId { public_part: public_part.as_ref().unwrap(), signing_key: &signing_key }
                }
                None => Signer::PlainKey(&plain),
            };
            let headers = sign_request(signer, &vector.request());
            let sent: BTreeMap<_, _> =
                headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            assert_eq!(sent.len(), headers.len(), "{}", vector.name);
            assert_eq!(sent, vector.headers, "{}", vector.name);

            // And as the vault sees it.
            let signature = vector.header(header::SIGNATURE).unwrap();
            assert!(signing_key.verify(&vector.string_to_sign, signature), "{}", vector.name);
        }
    }

    #[test]
    fn the_targets_of_the_page_hold() {
        let section = PAGE.split("| Target | Canonical |").nth(1).unwrap().split("\n\n").next().unwrap();
        let rows: Vec<Vec<&str>> = section.lines().skip(2).map(|row| row.split('`').collect()).collect();
        assert_eq!(rows.len(), 3);
        for row in rows {
            assert_eq!(canonical_target(row[1]), row[3]);
        }
    }

    #[test]
    fn the_page_lists_every_signed_header_in_order() {
        let rows: Vec<String> = PAGE
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once(":<value>` | `"))
            .map(|(label, header)| format!("{label} {}", header.trim_end_matches("` |").to_lowercase()))
            .collect();
        let ours = Labelled::default().entries().map(|(label, header, _)| format!("{label} {header}"));
        assert_eq!(rows, ours);
    }

    #[test]
    fn with_a_key_id_the_key_stays_at_home() {
        for vector in vectors().iter().filter(|vector| vector.header(header::KEY_ID).is_some()) {
            let secret = &vector.plain_key[vector.plain_key.len() - 24..];
            assert!(vector.headers.values().all(|value| !value.contains(secret)), "{}", vector.name);
        }
    }
}
