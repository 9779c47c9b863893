//! Tokens, key sets and documents of identity providers: nothing panics, a token has one spelling, and what is taken says what it
//! must.
//!
//! Input: on the first line what the rest is. `token`: a token as it comes. `signed` and `event`: a header on the second line and
//! claims behind it, signed with the key of the set. `keys`: a key set. `discovery`: a discovery document.

#![no_main]

use std::{cell::RefCell, sync::LazyLock};

use alter_domain::{
    egress::EgressRules,
    oidc::{
        ClaimNames, EventKind, Expected, ExpectedEvent, KeySet, Verified, discover, verify,
        verify_event_token,
    },
    port::{HttpClient, SendError},
};
use async_trait::async_trait;
use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Map, Value, json};

const ISSUER: &str = "https://idp.example.com";
const NOW: i64 = 1_790_000_000;

static SIGNER: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key"));
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let x = BASE64.encode(SIGNER.public_key().as_ref());
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": x}]});
    KeySet::from_slice(set.to_string().as_bytes()).expect("a key set")
});
/// The only token that a `token` can be: whatever else is taken was forged, or is the same in another spelling.
static GENUINE: LazyLock<String> = LazyLock::new(|| {
    let claims = json!({"iss": ISSUER, "sub": "ada", "exp": NOW + 300});
    signed(br#"{"alg":"EdDSA","kid":"k1"}"#, claims.to_string().as_bytes())
});
static NAMES: LazyLock<ClaimNames> = LazyLock::new(|| {
    let name = |text: &str| Some(text.to_owned());
    ClaimNames::new("id.of".to_owned(), name("groups"), name("realm_access.roles")).expect("names")
});

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    format!("{message}.{}", BASE64.encode(SIGNER.sign(message.as_bytes())))
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a time")
}

fn object(bytes: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(bytes).expect("what was taken is an object")
}

fuzz_target!(|data: &[u8]| {
    let Some(at) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (kind, rest) = (&data[..at], &data[at + 1..]);
    let halves = rest.iter().position(|byte| *byte == b'\n').map(|at| (&rest[..at], &rest[at + 1..]));
    match (kind, halves) {
        (b"token", _) => token(rest),
        (b"signed", Some((header, claims))) => user(header, claims),
        (b"event", Some((header, claims))) => event(header, claims),
        (b"keys", _) => keys(rest),
        (b"discovery", _) => discovery(rest),
        _ => {}
    }
});

fn token(text: &[u8]) {
    let Ok(token) = std::str::from_utf8(text) else { return };
    let names = ClaimNames::default();
    let expected = Expected { issuer: ISSUER, audience: None, client_id: None, claims: &names };
    if verify(token, &KEYS, &expected, now()).is_ok() {
        assert_eq!(token, *GENUINE);
    }
    assert!(verify(&GENUINE, &KEYS, &expected, now()).is_ok());
}

fn user(header: &[u8], claims: &[u8]) {
    let token = signed(header, claims);
    let expected =
        Expected { issuer: ISSUER, audience: Some("api"), client_id: Some("vault"), claims: &NAMES };
    let Ok(verified) = verify(&token, &KEYS, &expected, now()) else { return };
    let (header, claims) = (object(header), object(claims));
    assert!(["EdDSA", "Ed25519"].contains(&header["alg"].as_str().expect("a name")));
    assert!(!header.contains_key("crit") && token.len() <= 8192);
    assert_eq!(claims["iss"], ISSUER);
    assert!(!claims.contains_key("events"));
    let Verified { subject, sub, groups, roles, expires_at, audience, .. } = verified;
    assert_eq!(claims["sub"], sub.as_str());
    let named = claims.get("id.of").unwrap_or_else(|| &claims["id"]["of"]);
    assert!(*named == subject.as_str() && !subject.is_empty());
    assert!(audience.iter().any(|one| one == "api" || one == "vault"));
    assert!(expires_at > NOW - 60 && claims["exp"].is_number());
    for names in [groups, roles].into_iter().flatten() {
        assert!(names.is_sorted() && names.iter().all(|name| !name.is_empty()));
    }
}

fn event(header: &[u8], claims: &[u8]) {
    let token = signed(header, claims);
    let names = ClaimNames::default();
    let user = Expected { issuer: ISSUER, audience: None, client_id: None, claims: &names };
    let user = verify(&token, &KEYS, &user, now());
    for kind in [EventKind::SecurityEvent, EventKind::Logout] {
        let expected = ExpectedEvent { kind, issuer: ISSUER, audiences: &["api"] };
        let Ok(event) = verify_event_token(&token, &KEYS, &expected, now()) else { continue };
        assert!(user.is_err(), "an event that signs in");
        assert!(!event.id.is_empty() && !event.events.is_empty());
        assert!(event.issued_at <= NOW + 60 && event.claims == object(claims));
    }
}

fn keys(set: &[u8]) {
    let Ok(keys) = KeySet::from_slice(set) else { return };
    assert!((1..=100).contains(&keys.len()));
    let names = ClaimNames::default();
    let expected = Expected { issuer: ISSUER, audience: None, client_id: None, claims: &names };
    if verify(&GENUINE, &keys, &expected, now()).is_ok() {
        let x = BASE64.encode(SIGNER.public_key().as_ref());
        let has =
            object(set)["keys"].as_array().is_some_and(|keys| keys.iter().any(|key| key["x"] == x.as_str()));
        assert!(has, "a set without the key verifies");
    }
}

/// Answers with a document, and then with keys.
struct Provider(RefCell<Vec<Vec<u8>>>);

// One thread, two answers.
unsafe impl Sync for Provider {}

#[async_trait]
impl HttpClient for Provider {
    async fn send(&self, request: http::Request<Body>) -> Result<http::Response<Body>, SendError> {
        assert_eq!(request.uri().scheme_str(), Some("https"));
        Ok(http::Response::new(Body::from(self.0.borrow_mut().pop().ok_or(SendError::Timeout)?)))
    }
}

fn discovery(document: &[u8]) {
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": BASE64.encode([7; 32])}]});
    let provider = Provider(RefCell::new(vec![keys.to_string().into_bytes(), document.to_vec()]));
    let discovered =
        RUNTIME.with(|runtime| runtime.block_on(discover(&provider, EgressRules::default(), ISSUER)));
    let Ok(found) = discovered else { return };
    assert_eq!(found.issuer.trim_end_matches('/'), ISSUER);
    let more = [found.userinfo_endpoint, found.end_session_endpoint].into_iter().flatten();
    for address in
        [found.jwks_uri, found.authorization_endpoint, found.token_endpoint].into_iter().chain(more)
    {
        assert!(address.to_ascii_lowercase().starts_with("https://"), "{address}");
    }
}
