//! Many callers at once.

use std::{sync::Barrier, thread};

use futures_util::{FutureExt as _, future::join_all};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use super::{
    far::{Answer, Far},
    fetching::{Bench, JWKS, source},
    issuer::{Issuer, now},
};
use crate::oidc::{IdentityKeys, KeySource, KeysError, TokenError, Unavailable};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

#[tokio::test]
async fn a_hundred_callers_are_one_fetch() {
    let issuer = Issuer::new("ES256");
    let far = Far::held(Answer::Document(issuer.jwks()), 0);
    let bench = Bench::with(issuer, far);
    let tokens: Vec<_> = (0..100).map(|n| bench.token(n)).collect();
    let all = join_all(tokens.iter().map(|token| bench.verify(token)));
    let open = async {
        // Everybody has asked by now: the tasks run in order.
        tokio::task::yield_now().await;
        bench.far.gate.add_permits(1);
    };
    let (verified, ()) = tokio::join!(all, open);
    assert!(verified.iter().all(Result::is_ok));
    assert_eq!(bench.far.hits(), 1);
}

/// One runtime per core, as the server has them.
#[test]
fn callers_of_several_runtimes_are_one_fetch() {
    let issuer = Issuer::new("ES256");
    let far = Far::held(Answer::Document(issuer.jwks()), 0);
    let bench = Bench::with(issuer, far);
    let begin = Barrier::new(9);
    thread::scope(|scope| {
        for n in 0..8 {
            let (bench, begin) = (&bench, &begin);
            scope.spawn(move || {
                let tokens: Vec<_> = (0..20).map(|m| bench.token(n * 100 + m)).collect();
                begin.wait();
                let verified = runtime().block_on(join_all(tokens.iter().map(|token| bench.verify(token))));
                assert!(verified.iter().all(Result::is_ok));
            });
        }
        begin.wait();
        bench.far.gate.add_permits(1);
    });
    assert_eq!(bench.far.hits(), 1);
}

/// A caller that hangs up leaves the fetch to those who wait.
#[tokio::test]
async fn whoever_starts_a_fetch_may_leave() {
    let issuer = Issuer::new("ES256");
    let far = Far::held(Answer::Document(issuer.jwks()), 0);
    let bench = Bench::with(issuer, far);
    let (first, second) = (bench.token(1), bench.token(2));
    let mut leaves = Box::pin(bench.verify(&first));
    assert!(futures_util::poll!(leaves.as_mut()).is_pending());
    let mut stays = Box::pin(bench.verify(&second));
    assert!(futures_util::poll!(stays.as_mut()).is_pending());
    drop(leaves);
    bench.far.gate.add_permits(1);
    stays.await.unwrap();
    assert_eq!(bench.far.hits(), 1);
}

/// A runtime that ends takes its fetch along: whoever waits elsewhere starts another one, at once.
#[test]
fn a_fetch_that_is_lost_with_its_runtime_is_begun_again() {
    let issuer = Issuer::new("ES256");
    let far = Far::held(Answer::Document(issuer.jwks()), 0);
    let bench = Bench::with(issuer, far);
    let (first, second) = (bench.token(1), bench.token(2));
    let ends = runtime();
    ends.block_on(async {
        let mut leaves = Box::pin(bench.verify(&first));
        assert!(futures_util::poll!(leaves.as_mut()).is_pending());
        // The fetch begins.
        tokio::task::yield_now().await;
        assert_eq!(bench.far.hits(), 1);
    });
    let stays = runtime();
    stays.block_on(async {
        let mut waits = Box::pin(bench.verify(&second));
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        assert_eq!(bench.far.hits(), 1, "it waits for the other runtime's");
        thread::spawn(move || drop(ends)).join().unwrap();
        bench.far.gate.add_permits(1);
        waits.await.unwrap();
    });
    assert_eq!(bench.far.hits(), 2);
}

/// A task that is begun there is dropped on the spot, within the call that begins it.
#[test]
fn a_runtime_that_has_ended_holds_nobody_up() {
    let bench = Bench::new();
    let token = bench.token(1);
    let handle = runtime().handle().clone();
    let context = handle.enter();
    let verified = bench.verify(&token).now_or_never().expect("an answer at once");
    assert_eq!(verified, Err(KeysError::Unavailable(Unavailable::Abandoned)));
    drop(context);
    assert_eq!(bench.far.hits(), 0);
    runtime().block_on(bench.verify(&token)).unwrap();
}

#[tokio::test]
async fn a_thousand_unknown_names_are_one_fetch_in_ten_seconds_and_disturb_nobody() {
    let bench = Bench::new();
    let good = bench.token(0);
    bench.verify(&good).await.unwrap();
    assert_eq!(bench.far.hits(), 1);
    for round in 1..4 {
        bench.clock.advance(10);
        let bad: Vec<_> = (0..1000)
            .map(|n| bench.issuer.token_with(&json!({"kid": format!("k-{round}-{n}")}), &json!({})))
            .collect();
        let refused = join_all(bad.iter().map(|token| bench.verify(token))).await;
        assert!(refused.iter().all(|result| *result == Err(KeysError::Token(TokenError::UnknownKey))));
        bench.verify(&good).await.unwrap();
        assert_eq!(bench.far.hits(), round + 1);
    }
    // Nor does a storm while the provider is down take its keys away.
    bench.far.now_answers(Answer::Down);
    bench.clock.advance(10);
    for n in 0..100 {
        let bad = bench.issuer.token_with(&json!({"kid": format!("d-{n}")}), &json!({}));
        assert_eq!(bench.verify(&bad).await, Err(KeysError::Token(TokenError::UnknownKey)));
        bench.verify(&bench.token(n)).await.unwrap();
    }
    assert_eq!(bench.far.hits(), 5);
}

#[tokio::test]
async fn bad_tokens_cost_no_fetch() {
    let bench = Bench::new();
    bench.verify(&bench.token(0)).await.unwrap();
    bench.clock.advance(60);
    let other = Issuer::new("ES256");
    let long = "x".repeat(9000);
    for token in [
        "",
        "a.b.c",
        long.as_str(),
        &other.token(&json!({})),
        &bench.issuer.token_with(&json!({"alg": "none"}), &json!({})),
        &bench.issuer.token(&json!({"exp": now().as_second() - 600})),
        &bench.issuer.token(&json!({"iss": "https://evil.example"})),
    ] {
        for _ in 0..100 {
            assert!(matches!(bench.verify(token).await, Err(KeysError::Token(_))), "{token}");
        }
    }
    assert_eq!(bench.far.hits(), 1);
}

#[tokio::test]
async fn memory_is_bounded_whatever_comes() {
    let mut bench = Bench::new();
    bench.keys = IdentityKeys::new(50);
    let big = "g".repeat(4000);
    for n in 0..500 {
        let token = bench.issuer.token(&json!({"n": n, "aud": [big, n.to_string()]}));
        bench.verify(&token).await.unwrap();
    }
    let (tokens, bytes) = bench.keys.remembered();
    assert!(tokens <= 12 && bytes <= 50 * 1024, "{tokens} tokens with {bytes} bytes");
    for n in 0..3000 {
        let jwks_uri = format!("{JWKS}/{n}");
        let source = KeySource { jwks_uri: &jwks_uri, ..source(&bench.names) };
        bench.keys.verify(&bench.with, &source, &bench.token(0)).await.unwrap();
    }
    assert!(bench.keys.sources() <= 600);
}
