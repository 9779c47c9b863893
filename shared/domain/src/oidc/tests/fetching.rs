//! When keys are fetched, and what a provider that does not answer, or lies, can do.

use std::{sync::Arc, time::Duration};

use async_compression::tokio::bufread::GzipEncoder;
use futures_util::TryStreamExt as _;
use http::StatusCode;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

use super::{
    far::{Answer, Far},
    issuer::{ISSUER, Issuer, Signer, at, jwks, now},
};
use crate::{
    oidc::{
        ClaimNames, EventKind, ExpectedEvent, FetchError, Fetching, IdentityKeys, JwksError, KeySource,
        KeysError, TokenError, Unavailable, Verified,
    },
    port::{Clock as _, ManualClock, SendError},
};

pub(super) const JWKS: &str = "https://idp.example.com/jwks";

pub(super) fn source(claims: &ClaimNames) -> KeySource<'_> {
    KeySource { issuer: ISSUER, jwks_uri: JWKS, audience: None, client_id: None, claims }
}

pub(super) struct Bench {
    pub(super) issuer: Issuer,
    pub(super) far: Arc<Far>,
    pub(super) with: Fetching,
    pub(super) clock: Arc<ManualClock>,
    pub(super) keys: IdentityKeys,
    pub(super) names: ClaimNames,
}

impl Bench {
    pub(super) fn new() -> Self {
        let issuer = Issuer::new("ES256");
        let far = Far::new(Answer::Document(issuer.jwks()));
        Self::with(issuer, far)
    }

    pub(super) fn with(issuer: Issuer, far: Arc<Far>) -> Self {
        let (with, clock) = far.fetching();
        Self { issuer, far, with, clock, keys: IdentityKeys::new(100), names: ClaimNames::default() }
    }

    pub(super) async fn verify(&self, token: &str) -> Result<Arc<Verified>, KeysError> {
        self.keys.verify(&self.with, &source(&self.names), token).await
    }

    /// Another token with each number, in force for two hours.
    pub(super) fn token(&self, n: u32) -> String {
        self.issuer.token(&json!({"n": n, "exp": now().as_second() + 7200}))
    }

    fn cached(&self, token: &str) -> Option<Arc<Verified>> {
        self.keys.cached(&source(&self.names), token, self.clock.now())
    }
}

fn unavailable(cause: impl Into<Unavailable>) -> KeysError {
    KeysError::Unavailable(cause.into())
}

fn refused(error: TokenError) -> KeysError {
    KeysError::Token(error)
}

#[tokio::test]
async fn keys_are_fetched_once_in_ten_minutes_and_tokens_are_checked_once() {
    let bench = Bench::new();
    let token = bench.token(1);
    assert!(bench.cached(&token).is_none());
    let first = bench.verify(&token).await.unwrap();
    let again = bench.verify(&token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again) && Arc::ptr_eq(&first, &bench.cached(&token).unwrap()));
    for n in 2..50 {
        bench.verify(&bench.token(n)).await.unwrap();
    }
    bench.clock.advance(599);
    bench.verify(&token).await.unwrap();
    assert_eq!(bench.far.hits(), 1);
    bench.clock.advance(1);
    assert!(bench.cached(&token).is_none(), "not without asking");
    // The same keys came: what was checked with them stays checked.
    assert!(Arc::ptr_eq(&first, &bench.verify(&token).await.unwrap()));
    assert_eq!(bench.far.hits(), 2);
    assert_eq!(bench.far.addresses(), [JWKS, JWKS]);
}

#[tokio::test]
async fn a_remembered_token_ends_when_it_ends() {
    let bench = Bench::new();
    let token = bench.issuer.token(&json!({}));
    bench.verify(&token).await.unwrap();
    bench.clock.advance(359);
    assert!(bench.cached(&token).is_some() && bench.verify(&token).await.is_ok());
    bench.clock.advance(1);
    assert!(bench.cached(&token).is_none());
    assert_eq!(bench.verify(&token).await, Err(refused(TokenError::Expired)));
}

/// What is remembered for one configuration says nothing about another one.
#[tokio::test]
async fn a_remembered_token_counts_for_its_configuration_alone() {
    let bench = Bench::new();
    let (token, names) = (bench.token(1), &bench.names);
    let plain = source(names);
    bench.verify(&token).await.unwrap();
    let groups = ClaimNames::new("sub".to_owned(), Some("n".to_owned()), None).unwrap();
    let roles = ClaimNames::new("sub".to_owned(), None, Some("n".to_owned())).unwrap();
    let id = ClaimNames::new("iss".to_owned(), None, None).unwrap();
    for (other, verified) in [
        (KeySource { issuer: "https://idp.example.com/", ..plain }, false),
        (KeySource { audience: Some("other"), ..plain }, false),
        (KeySource { audience: Some(""), ..plain }, false),
        (KeySource { audience: Some("api"), ..plain }, true),
        (KeySource { client_id: Some("api"), ..plain }, true),
        (KeySource { claims: &id, ..plain }, true),
        (KeySource { claims: &groups, ..plain }, false),
        (KeySource { claims: &roles, ..plain }, false),
    ] {
        assert!(bench.keys.cached(&other, &token, now()).is_none(), "{other:?}");
        assert_eq!(bench.keys.verify(&bench.with, &other, &token).await.is_ok(), verified, "{other:?}");
    }
    let elsewhere = KeySource { jwks_uri: "https://other.example.com/jwks", ..plain };
    assert!(bench.keys.cached(&elsewhere, &token, now()).is_none());
    assert!(bench.cached(&token).is_some());
}

/// Rotation: the new key is found when it is first used, the old one ends when the provider takes it away.
#[tokio::test]
async fn b071_rotation_needs_nobody() {
    let mut bench = Bench::new();
    let old = bench.token(1);
    bench.verify(&old).await.unwrap();
    bench.clock.advance(60);

    let new = Issuer::new("ES256");
    let fresh = new.token_with(&json!({"kid": "k2"}), &json!({}));
    let both = jwks(&[bench.issuer.signer.named("k1"), new.signer.named("k2")]);
    bench.far.now_answers(Answer::Document(both));
    bench.verify(&fresh).await.unwrap();
    assert_eq!(bench.far.hits(), 2);
    bench.verify(&old).await.unwrap();

    bench.far.now_answers(Answer::Document(jwks(&[new.signer.named("k2")])));
    bench.clock.advance(600);
    assert_eq!(bench.verify(&old).await, Err(refused(TokenError::UnknownKey)), "also what was remembered");
    assert!(bench.cached(&old).is_none());
    assert_eq!(bench.far.hits(), 3);

    // A provider that names no key: a new one looks like a wrong signature, and is asked for.
    bench.far.now_answers(Answer::Document(jwks(&[bench.issuer.signer.jwk()])));
    bench.clock.advance(10);
    let nameless = bench.issuer.token_with(&json!({"kid": null}), &json!({"exp": now().as_second() + 7200}));
    bench.verify(&nameless).await.unwrap();
    bench.issuer.signer = Signer::new("ES256");
    bench.far.now_answers(Answer::Document(jwks(&[bench.issuer.signer.jwk()])));
    bench.clock.advance(10);
    let nameless = bench.issuer.token_with(&json!({"kid": null}), &json!({"exp": now().as_second() + 7200}));
    bench.verify(&nameless).await.unwrap();
    assert_eq!(bench.far.hits(), 5);
}

#[tokio::test]
async fn while_a_provider_is_down_its_last_keys_count_for_an_hour() {
    let bench = Bench::new();
    let token = bench.token(1);
    bench.verify(&token).await.unwrap();
    bench.far.now_answers(Answer::Down);
    bench.clock.advance(600);
    bench.verify(&token).await.unwrap();
    bench.verify(&bench.token(2)).await.unwrap();
    assert!(bench.cached(&token).is_some(), "no attempt is due");
    assert_eq!(bench.far.hits(), 2, "one attempt in ten seconds");
    bench.clock.advance(2999);
    bench.verify(&token).await.unwrap();
    bench.verify(&bench.token(3)).await.unwrap();
    bench.clock.advance(1);
    let down = unavailable(FetchError::Send(SendError::Connect("refused".to_owned())));
    assert_eq!(bench.verify(&token).await, Err(down.clone()), "an hour");
    assert_eq!(bench.verify(&bench.token(4)).await, Err(down));
    assert!(bench.cached(&token).is_none());

    bench.far.now_answers(Answer::Document(bench.issuer.jwks()));
    bench.clock.advance(10);
    bench.verify(&token).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_was_never_reached_opens_nothing_and_is_asked_seldom() {
    let far = Far::new(Answer::Down);
    let bench = Bench::with(Issuer::new("ES256"), far);
    for second in 0..30 {
        for n in 0..10 {
            assert!(matches!(bench.verify(&bench.token(n)).await, Err(KeysError::Unavailable(_))));
        }
        assert_eq!(bench.far.hits(), second / 10 + 1);
        bench.clock.advance(1);
    }
    bench.far.now_answers(Answer::Document(bench.issuer.jwks()));
    bench.verify(&bench.token(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_provider_costs_five_seconds_once_and_then_nothing() {
    for answer in [Answer::Mute, Answer::Trickle] {
        let bench = Bench::with(Issuer::new("ES256"), Far::new(answer.clone()));
        let begun = Instant::now();
        assert_eq!(bench.verify(&bench.token(1)).await, Err(unavailable(FetchError::Timeout)));
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        for n in 0..100 {
            assert_eq!(bench.verify(&bench.token(n)).await, Err(unavailable(FetchError::Timeout)));
        }
        assert_eq!((begun.elapsed(), bench.far.hits()), (Duration::from_secs(5), 1));

        // With keys from before, only the caller that asks waits; the others go on with what there is.
        bench.far.now_answers(Answer::Document(bench.issuer.jwks()));
        bench.clock.advance(10);
        bench.verify(&bench.token(1)).await.unwrap();
        bench.far.now_answers(answer);
        bench.clock.advance(600);
        bench.verify(&bench.token(2)).await.unwrap();
        bench.clock.advance(10);
        let begun = Instant::now();
        let (asks, others) = (bench.token(3), bench.token(4));
        let (first, second) = tokio::join!(bench.verify(&asks), async {
            tokio::task::yield_now().await;
            let verified = bench.verify(&others).await;
            (verified, begun.elapsed())
        });
        assert!(first.is_ok() && second.0.is_ok());
        assert_eq!((second.1, begun.elapsed()), (Duration::ZERO, Duration::from_secs(5)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_lies_opens_nothing_and_takes_nothing_down() {
    let blanks = vec![b' '; 10 << 20];
    let bomb = ReaderStream::new(GzipEncoder::new(&blanks[..]));
    let bomb = bomb.map_ok(|chunk| chunk.to_vec()).try_concat().await.unwrap();
    let secret = json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "k1", "alg": "HS256"}]}).to_string();
    let many = jwks(&vec![json!({}); 10_000]);
    let redirect = Answer::Redirect("https://evil.example/jwks");
    for (answer, cause) in [
        (Answer::Document(String::new()), Unavailable::Keys(JwksError::Malformed)),
        (Answer::Document("<html></html>".to_owned()), JwksError::Malformed.into()),
        (Answer::Document(many), JwksError::TooMany.into()),
        (Answer::Document(secret), JwksError::NoUsableKey.into()),
        (Answer::Document("[".repeat(200_000)), JwksError::Malformed.into()),
        (Answer::Document(" ".repeat(10 << 20)), FetchError::TooLarge.into()),
        (Answer::Endless, FetchError::TooLarge.into()),
        (Answer::Compressed(bomb), FetchError::TooLarge.into()),
        (Answer::Compressed(b"no gzip".to_vec()), FetchError::Broken.into()),
        (Answer::Status(500), FetchError::Status(StatusCode::INTERNAL_SERVER_ERROR).into()),
        (Answer::Status(204), FetchError::Status(StatusCode::NO_CONTENT).into()),
        (redirect, FetchError::Status(StatusCode::FOUND).into()),
    ] {
        let cold = Bench::with(Issuer::new("ES256"), Far::new(answer.clone()));
        assert_eq!(cold.verify(&cold.token(1)).await, Err(KeysError::Unavailable(cause.clone())));
        // Nor does a lie take away the keys that there are.
        let warm = Bench::new();
        warm.verify(&warm.token(1)).await.unwrap();
        warm.far.now_answers(answer);
        warm.clock.advance(600);
        warm.verify(&warm.token(2)).await.unwrap();
        assert_eq!(warm.far.hits(), 2, "{cause}");
    }
}

#[tokio::test]
async fn keys_are_fetched_from_public_addresses_alone() {
    let bench = Bench::new();
    for jwks_uri in
        ["http://idp.example.com/jwks", "https://127.0.0.1/jwks", "https://169.254.169.254/", "file:///x", ""]
    {
        let source = KeySource { jwks_uri, ..source(&bench.names) };
        let result = bench.keys.verify(&bench.with, &source, &bench.token(1)).await;
        assert!(
            matches!(result, Err(KeysError::Unavailable(Unavailable::Fetch(FetchError::Address(_))))),
            "{jwks_uri}"
        );
    }
    assert_eq!(bench.far.hits(), 0);
}

#[tokio::test]
async fn a_clock_that_is_set_back_asks_again() {
    let bench = Bench::new();
    bench.verify(&bench.token(1)).await.unwrap();
    bench.clock.advance(-3600);
    let token = bench.issuer.token(&json!({"iat": at(-3700).as_second()}));
    bench.verify(&token).await.unwrap();
    assert_eq!(bench.far.hits(), 2);
    bench.verify(&token).await.unwrap();
    assert_eq!(bench.far.hits(), 2);
}

#[tokio::test]
async fn events_are_checked_with_the_same_keys_and_rotation() {
    let bench = Bench::new();
    let event = |kid: &str| {
        bench.issuer.token_with(
            &json!({"typ": "secevent+jwt", "kid": kid}),
            &json!({"jti": "1", "events": {"https://example.com/e": {}}}),
        )
    };
    let expected = ExpectedEvent { kind: EventKind::SecurityEvent, issuer: ISSUER, audiences: &["api"] };
    let verify = async |token: String| bench.keys.verify_event(&bench.with, JWKS, &expected, &token).await;
    assert_eq!(verify(event("k1")).await.unwrap().id, "1");
    assert_eq!(verify(event("k2")).await, Err(refused(TokenError::UnknownKey)));
    bench.far.now_answers(Answer::Document(jwks(&[bench.issuer.signer.named("k2")])));
    bench.clock.advance(10);
    assert!(verify(event("k2")).await.is_ok());
    assert_eq!(verify(event("k1")).await, Err(refused(TokenError::UnknownKey)));
    assert_eq!(bench.far.hits(), 2);
}
