//! What a request says about its caller, before anything was looked up (docs/signing.md, wire protocol section 2).

use std::{collections::BTreeMap, net::IpAddr};

use alter_api_types::AgentId;
use http::{HeaderMap, request::Parts};
use jiff::Timestamp;

use super::{
    canonical::unambiguous_target,
    key_text::{self, KeyKind, PublicPart},
    signature::{Labelled, SignedParts, UNSIGNED_PAYLOAD, content_hash, header},
};
use crate::{
    crypto::SigningKey,
    error::{Error, Result},
    flow::Attribution,
    model::Scopes,
    secret::Secret,
};

/// How far a request's timestamp may be from the vault's clock, in seconds.
pub const MAX_SKEW_SECONDS: i64 = 300;

/// A signed request's claims. Nothing here is true until [`Presented::verify`] says so.
pub struct Presented {
    public_part: PublicPart,
    plain_key: Option<Secret<String>>,
    timestamp: i64,
    nonce: String,
    content_hash: String,
    signature: String,
    string_to_sign: String,
    constraints: Option<Vec<String>>,
    caller_agent: Option<AgentId>,
    attribution: Attribution,
}

impl Presented {
    /// Reads the headers of wire protocol 2.1. Each may occur once.
    pub fn from_head(head: &Parts, ip: Option<IpAddr>, now: Timestamp) -> Result<Self> {
        let headers = SignedHeaders(&head.headers);
        let (public_part, plain_key) = key(&headers)?;
        let required = |name| headers.get(name)?.ok_or(Error::Unauthenticated);
        let timestamp_text = required(header::TIMESTAMP)?;
        let nonce = required(header::NONCE)?;
        let content_hash = required(header::CONTENT_SHA256)?;
        let signature = required(header::SIGNATURE)?;

        let timestamp = timestamp(timestamp_text).ok_or(Error::TimestampOutOfRange)?;
        if (now.as_second() - timestamp).abs() > MAX_SKEW_SECONDS {
            return Err(Error::TimestampOutOfRange);
        }
        if !is_lower_hex(nonce, 32) || !(is_lower_hex(content_hash, 64) || content_hash == UNSIGNED_PAYLOAD) {
            return Err(Error::InvalidSignature);
        }
        if headers.get(header::SIGNATURE_V2)?.is_some_and(|second| second != signature) {
            return Err(Error::InvalidSignature);
        }
        if headers.get(header::REQUEST_RULE)?.is_some() {
            return Err(Error::ConstraintNotSupported("a request rule"));
        }
        let constraints_text = headers.get(header::SCOPE_CONSTRAINTS)?;

        headers.check_once()?;
        let labelled = Labelled::from_headers(|name| headers.get(name).ok().flatten());
        let target = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let target = unambiguous_target(target).ok_or(Error::InvalidSignature)?;
        let string_to_sign = SignedParts {
            method: head.method.as_str(),
            target: &target,
            timestamp: timestamp_text,
            nonce,
            content_hash,
            constraints: constraints_text,
            labelled: &labelled.lines(),
        }
        .string_to_sign();
        let attribution = Attribution {
            caller: caller(labelled.caller)?,
            caller_type: caller_type(labelled.caller_type)?,
            context: context(labelled.actor_context)?,
            ip,
            traceparent: head
                .headers
                .get("traceparent")
                .and_then(|v| v.to_str().ok())
                .filter(|v| v.len() <= 128)
                .map(str::to_owned),
        };
        Ok(Self {
            public_part,
            plain_key,
            timestamp,
            nonce: nonce.to_owned(),
            content_hash: content_hash.to_owned(),
            signature: signature.to_owned(),
            string_to_sign,
            constraints: constraints_text
                .filter(|text| !text.is_empty())
                .map(|text| text.split(',').map(str::to_owned).collect()),
            caller_agent: labelled.caller.parse().ok(),
            attribution,
        })
    }

    /// Compares the body with the hash that was signed. Comes before anything reads the body.
    pub fn check_body(&self, body: &[u8]) -> Result<()> {
        if self.content_hash == UNSIGNED_PAYLOAD {
            // Only a route that streams accepts an unsigned body, and it does not come here.
            return Err(Error::ContentHashMismatch);
        }
        let actual = content_hash(body);
        if subtle::ConstantTimeEq::ct_eq(actual.as_bytes(), self.content_hash.as_bytes()).into() {
            Ok(())
        } else {
            Err(Error::ContentHashMismatch)
        }
    }

    /// Whether the body was left out of the signature.
    pub fn payload_is_unsigned(&self) -> bool {
        self.content_hash == UNSIGNED_PAYLOAD
    }

    pub fn verify(&self, key: &SigningKey) -> Result<()> {
        if key.verify(&self.string_to_sign, &self.signature) { Ok(()) } else { Err(Error::InvalidSignature) }
    }

    /// The key's scopes, narrowed by the request's constraints. Constraints never widen.
    pub fn narrow(&self, granted: Scopes) -> Result<Scopes> {
        let Some(constraints) = &self.constraints else { return Ok(granted) };
        let narrowed = Scopes::parse(constraints)?;
        match constraints.iter().find(|scope| !granted.grant(scope)) {
            None => Ok(narrowed),
            Some(wider) => Err(Error::field(
                "constraint_not_narrowing",
                format!("The key itself does not have the scope {wider}."),
            )),
        }
    }

    pub fn public_part(&self) -> &str {
        self.public_part.as_str()
    }

    pub fn plain_key(&self) -> Option<&Secret<String>> {
        self.plain_key.as_ref()
    }

    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Unix seconds.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    pub fn caller_agent(&self) -> Option<AgentId> {
        self.caller_agent
    }

    pub fn attribution(&self) -> &Attribution {
        &self.attribution
    }
}

/// Whether a plain key has the stored digest, in constant time.
pub fn digest_matches(plain: &Secret<String>, stored_hex: &str) -> bool {
    let mut stored = [0u8; 32];
    hex::decode_to_slice(stored_hex, &mut stored).is_ok()
        && key_text::digest_eq(&crate::crypto::sha256(plain.expose_secret().as_bytes()), &stored)
}

/// The headers that a signature covers or rests on. A second occurrence of one would leave open which was meant.
struct SignedHeaders<'a>(&'a HeaderMap);

impl<'a> SignedHeaders<'a> {
    fn get(&self, name: &'static str) -> Result<Option<&'a str>> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        std::str::from_utf8(value.as_bytes())
            .map(Some)
            .map_err(|_| Error::InvalidRequest(format!("The header {name} is not UTF-8.")))
    }

    fn check_once(&self) -> Result<()> {
        let ours = |name: &str| {
            name.starts_with("x-alter-") || name.starts_with("alter-") || name == header::API_KEY
        };
        for name in self.0.keys().map(http::HeaderName::as_str).filter(|name| ours(name)) {
            if self.0.get_all(name).iter().nth(1).is_some() {
                return Err(Error::InvalidRequest(format!("The header {name} occurs twice.")));
            }
        }
        Ok(())
    }
}

fn key(headers: &SignedHeaders<'_>) -> Result<(PublicPart, Option<Secret<String>>)> {
    let holds_key = |kind| matches!(kind, KeyKind::App | KeyKind::Agent);
    if let Some(text) = headers.get(header::API_KEY)? {
        if headers.get(header::KEY_ID)?.is_some() {
            return Err(Error::InvalidRequest("Send x-api-key or X-Alter-Key-Id, not both.".to_owned()));
        }
        let parsed = key_text::parse(text).filter(|key| holds_key(key.kind)).ok_or(Error::InvalidKey)?;
        return Ok((parsed.public_part, Some(Secret::new(text.to_owned()))));
    }
    let text = headers.get(header::KEY_ID)?.ok_or(Error::Unauthenticated)?;
    let public_part =
        PublicPart::parse(text).filter(|part| holds_key(part.kind())).ok_or(Error::InvalidKey)?;
    Ok((public_part, None))
}

fn timestamp(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn is_lower_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn caller(text: &str) -> Result<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > 255 || !text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Err(Error::InvalidRequest(
            "X-Alter-Caller has 1 to 255 printable ASCII characters.".to_owned(),
        ));
    }
    Ok(Some(text.to_owned()))
}

fn caller_type(text: &str) -> Result<Option<String>> {
    match text {
        "" => Ok(None),
        "agent" | "service" => Ok(Some(text.to_owned())),
        _ => Err(Error::InvalidRequest("X-Alter-Caller-Type is agent or service.".to_owned())),
    }
}

/// The limits of wire protocol 2.4: 20 entries, keys to 64 and values to 512 characters, 4096 bytes of JSON.
fn context(text: &str) -> Result<BTreeMap<String, String>> {
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    let invalid = || {
        Error::InvalidRequest(
            "X-Alter-Context is a JSON object of at most 20 strings, keys to 64 and values to 512 characters, 4096 bytes."
                .to_owned(),
        )
    };
    if text.len() > 4096 {
        return Err(invalid());
    }
    let context: BTreeMap<String, String> = serde_json::from_str(text).map_err(|_| invalid())?;
    let fits = |(key, value): (&String, &String)| key.chars().count() <= 64 && value.chars().count() <= 512;
    if context.len() > 20 || !context.iter().all(fits) {
        return Err(invalid());
    }
    Ok(context)
}
