//! What a user's token costs: the first time, and every other time.

use std::sync::Arc;

use alter_domain::{
    egress::EgressRules,
    oidc::{ClaimNames, Expected, Fetching, IdentityKeys, KeySet, KeySource, verify},
    port::{Clock as _, HttpClient, SendError, SystemClock},
};
use axum::body::Body;
use http::{Request, Response, header};

use crate::{
    Failure,
    issuer::{ALGORITHMS, Issuer, claims},
    micro::measure,
};

const ISSUER: &str = "https://id.example.com/";
const JWKS: &str = "https://id.example.com/jwks";

pub(crate) fn run() -> Result<(), Failure> {
    let issuer = Issuer::new()?;
    let now = SystemClock.now();
    let names = ClaimNames::new("sub".to_owned(), Some("groups".to_owned()), None)?;
    let source =
        KeySource { issuer: ISSUER, jwks_uri: JWKS, audience: None, client_id: None, claims: &names };
    let expected = Expected { issuer: ISSUER, audience: None, client_id: None, claims: &names };
    let keys = KeySet::from_slice(issuer.jwks()?.to_string().as_bytes())?;
    for algorithm in ALGORITHMS {
        let token = issuer.token(algorithm, &claims(ISSUER, "ada", now.as_second(), 3))?;
        verify(&token, &keys, &expected, now)?;
        let name = format!("verify a user's token of {} characters, {algorithm}", token.len());
        measure(&name, || verify(&token, &keys, &expected, now));
    }

    let with = Fetching {
        http: Arc::new(Provider(issuer.jwks()?.to_string())),
        rules: EgressRules::default(),
        clock: Arc::new(SystemClock),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let kept = IdentityKeys::new(1_000);
    let token = issuer.token("ES256", &claims(ISSUER, "ada", now.as_second(), 3))?;
    runtime.block_on(kept.verify(&with, &source, &token))?;
    // Keys do not count before they were fetched.
    let now = SystemClock.now();
    kept.cached(&source, &token, now).ok_or("the token was not kept")?;
    let name = format!("find a token of {} characters that was verified before", token.len());
    measure(&name, || kept.cached(&source, &token, now));
    let long = issuer.token("ES256", &claims(ISSUER, "ada", now.as_second(), 300))?;
    runtime.block_on(kept.verify(&with, &source, &long))?;
    kept.cached(&source, &long, now).ok_or("the long token was not kept")?;
    let name = format!("find one of {} characters", long.len());
    measure(&name, || kept.cached(&source, &long, now));
    Ok(())
}

/// Answers with its keys, whatever it is asked.
struct Provider(String);

#[async_trait::async_trait]
impl HttpClient for Provider {
    async fn send(&self, _: Request<Body>) -> Result<Response<Body>, SendError> {
        let mut response = Response::new(Body::from(self.0.clone()));
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        Ok(response)
    }
}
