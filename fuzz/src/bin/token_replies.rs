//! Replies of token endpoints: whatever comes back is tokens that fit into a header, or an error that tells no secret.
//!
//! Input: a status on the first line, the content type on the second, the body after them.

#![no_main]

use std::{cell::RefCell, time::Duration};

use alter_domain::{
    egress::EgressRules,
    oauth::{Client, CurrentTokens, Engine, Provider, Values},
    port::{HttpClient, ManualClock, SeededRng, SendError},
    secret::Secret,
};
use async_trait::async_trait;
use axum::body::Body;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const REFRESH: &str = "refresh-token-of-the-fuzzer";
const ENTRY: &str = r#"{
    "id": "x", "name": "X", "category": "data", "monogram": "X", "docs_url": "https://example.com/",
    "authorization": { "url": "https://example.com/a", "pkce": "required" },
    "token": { "url": "https://example.com/t", "auth": "none", "reply": {
        "access_token": ["access_token", "authed_user.access_token"], "expires_at": ["expires_at"],
        "refresh_expires_in": ["refresh_expires_in"], "success": { "path": "ok", "equals": true } } },
    "scopes": { "separator": "," },
    "refresh": { "kind": "refresh_token", "rotation": "sometimes" },
    "api": { "hosts": ["example.com"] },
    "evidence": { "sources": [], "date": "2026-11", "endpoints": "low", "behaviour": "low" }
}"#;

struct Replies(RefCell<Option<http::Response<Body>>>);

// One thread, one reply.
unsafe impl Sync for Replies {}

#[async_trait]
impl HttpClient for Replies {
    async fn send(&self, _: http::Request<Body>) -> Result<http::Response<Body>, SendError> {
        self.0.take().ok_or(SendError::Timeout)
    }
}

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    static PROVIDER: Provider = serde_json::from_str(ENTRY).expect("an entry");
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let (Some(status), Some(kind), Some(body)) = (parts.next(), parts.next(), parts.next()) else { return };
    let status = std::str::from_utf8(status).ok().and_then(|text| text.parse::<u16>().ok());
    let response = http::Response::builder().status(status.unwrap_or(200)).header("content-type", kind);
    let Ok(response) = response.body(Body::from(body.to_vec())) else { return };
    let http = Replies(RefCell::new(Some(response)));
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let rng = SeededRng::new(1);
    let engine = Engine {
        http: &http,
        rules: EgressRules::default(),
        clock: &clock,
        rng: &rng,
        timeout: Duration::from_secs(5),
    };
    let client = Client { client_id: "client", secret: None, redirect_uri: "" };
    let (access, refresh) =
        (Secret::new("access-token-of-the-fuzzer".to_owned()), Secret::new(REFRESH.to_owned()));
    let values = Values::default();
    let current = CurrentTokens { access: &access, refresh: Some(&refresh) };
    let asked = PROVIDER.with(|provider| {
        let refreshing = engine.refresh(provider, &client, &values, &current, &[]);
        RUNTIME.with(|runtime| runtime.block_on(refreshing))
    });
    match asked {
        Ok(tokens) => {
            for token in [Some(&tokens.access_token), tokens.refresh_token.as_ref()].into_iter().flatten() {
                let text = token.expose_secret();
                assert!((8..=8192).contains(&text.len()), "a token of {} bytes", text.len());
                assert!(!text.chars().any(char::is_control), "a token that is no header value");
            }
        }
        Err(error) => {
            let told = format!("{error} {error:?}");
            assert!(!told.contains(REFRESH), "an error tells the token: {told}");
            assert!(told.len() < 4096, "an error of {} bytes", told.len());
        }
    }
});
