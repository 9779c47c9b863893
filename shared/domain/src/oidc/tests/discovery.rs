//! Discovery.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{
    far::{Answer, Far},
    issuer::{ISSUER, Signer, jwks, over},
};
use crate::{
    egress::{EgressError, EgressRules},
    oidc::{ClaimNames, Discovered, DiscoveryError, FetchError, IdpKind, JwksError, discover},
    port::{HttpClient, SendError},
};

/// A provider with a document and keys.
struct Provider {
    document: Arc<Far>,
    keys: Arc<Far>,
}

#[async_trait]
impl HttpClient for Provider {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, SendError> {
        let to = if request.uri().path().contains("/.well-known/") { &self.document } else { &self.keys };
        to.send(request).await
    }
}

impl Provider {
    fn new(document: &Value) -> Self {
        let keys = jwks(&[Signer::new("ES256").named("k1")]);
        Self {
            document: Far::new(Answer::Document(document.to_string())),
            keys: Far::new(Answer::Document(keys)),
        }
    }

    async fn discover(&self, issuer: &str) -> Result<Discovered, DiscoveryError> {
        discover(self, EgressRules::default(), issuer).await
    }
}

fn document(change: &Value) -> Value {
    let document = json!({
        "issuer": ISSUER,
        "jwks_uri": "https://keys.example.net/jwks",
        "authorization_endpoint": "https://idp.example.com/authorize",
        "token_endpoint": "https://idp.example.com/token",
        "id_token_signing_alg_values_supported": ["HS256", "RS256"],
    });
    over(document, change)
}

#[tokio::test]
async fn b075_a_document_is_read_and_its_keys_are_tried() {
    let provider = Provider::new(&document(&json!({
        "userinfo_endpoint": "https://idp.example.com/userinfo",
        "end_session_endpoint": "https://idp.example.com/logout",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", 7],
        "authorization_response_iss_parameter_supported": true,
        "scopes_supported": ["openid"],
        "claims_supported": ["sub", "email", "x".repeat(300)],
        "something_new": {"a": [1]},
    })));
    let found = provider.discover(ISSUER).await.unwrap();
    assert_eq!(provider.document.addresses(), ["https://idp.example.com/.well-known/openid-configuration"]);
    assert_eq!(provider.keys.addresses(), ["https://keys.example.net/jwks"]);
    assert_eq!(
        found,
        Discovered {
            issuer: ISSUER.to_owned(),
            jwks_uri: "https://keys.example.net/jwks".to_owned(),
            authorization_endpoint: "https://idp.example.com/authorize".to_owned(),
            token_endpoint: "https://idp.example.com/token".to_owned(),
            userinfo_endpoint: Some("https://idp.example.com/userinfo".to_owned()),
            end_session_endpoint: Some("https://idp.example.com/logout".to_owned()),
            token_endpoint_auth_methods: vec!["client_secret_post".to_owned(), "private_key_jwt".to_owned()],
            id_token_signing_algs: vec!["HS256".to_owned(), "RS256".to_owned()],
            scopes_supported: vec!["openid".to_owned()],
            claims_supported: vec!["sub".to_owned(), "email".to_owned()],
            names_itself: true,
            kind: IdpKind::CustomOidc,
            preset: IdpKind::CustomOidc,
            claims: ClaimNames::default(),
            usable_keys: 1,
        }
    );
}

#[tokio::test]
async fn a_slash_more_or_less_is_the_documents_to_decide() {
    for (asked, issuer, address) in [
        (
            "https://a.auth0.com/",
            "https://a.auth0.com/",
            "https://a.auth0.com/.well-known/openid-configuration",
        ),
        (
            "https://a.auth0.com",
            "https://a.auth0.com/",
            "https://a.auth0.com/.well-known/openid-configuration",
        ),
        (
            "https://sso.example.com/realms/x/",
            "https://sso.example.com/realms/x",
            "https://sso.example.com/realms/x/.well-known/openid-configuration",
        ),
    ] {
        let provider = Provider::new(&document(&json!({"issuer": issuer})));
        let found = provider.discover(asked).await.unwrap();
        assert_eq!(
            (found.issuer.as_str(), provider.document.addresses()),
            (issuer, vec![address.to_owned()])
        );
        assert_ne!(found.preset, IdpKind::CustomOidc);
    }
}

#[tokio::test]
async fn what_a_document_leaves_out_has_its_default() {
    let bare = json!({"id_token_signing_alg_values_supported": null});
    let found = Provider::new(&document(&bare)).discover(ISSUER).await.unwrap();
    assert_eq!(found.token_endpoint_auth_methods, ["client_secret_basic"]);
    assert!(
        found.id_token_signing_algs.is_empty() && found.userinfo_endpoint.is_none() && !found.names_itself
    );
}

#[tokio::test]
async fn whoever_answers_for_another_issuer_is_refused() {
    for issuer in [
        "https://other.example.com",
        "https://idp.example.com//",
        "https://IDP.example.com",
        "http://idp.example.com",
        "https://idp.example.com/x",
        "",
    ] {
        let provider = Provider::new(&document(&json!({"issuer": issuer})));
        assert_eq!(provider.discover(ISSUER).await, Err(DiscoveryError::OtherIssuer), "{issuer}");
        assert_eq!(provider.keys.hits(), 0);
    }
}

#[tokio::test]
async fn what_is_no_issuer_is_not_asked() {
    let provider = Provider::new(&document(&json!({})));
    let long = format!("https://idp.example.com/{}", "x".repeat(2048));
    for issuer in [
        "",
        "idp.example.com",
        "http://idp.example.com",
        "http://127.0.0.1:4000",
        "https://127.0.0.1",
        "https://10.0.0.1/x",
        "https://localhost",
        "https://user:pw@idp.example.com",
        "https://idp.example.com?x=1",
        "https://idp.example.com#x",
        "https://idp.example.com/?",
        " https://idp.example.com",
        &long,
    ] {
        assert_eq!(provider.discover(issuer).await, Err(DiscoveryError::Issuer), "{issuer}");
    }
    assert_eq!(provider.document.hits() + provider.keys.hits(), 0);
}

#[tokio::test]
async fn loopback_over_http_is_for_local_mode() {
    let local = "http://127.0.0.1:4000";
    let endpoints = json!({
        "issuer": local,
        "jwks_uri": "http://127.0.0.1:4000/jwks",
        "authorization_endpoint": "http://127.0.0.1:4000/auth",
        "token_endpoint": "http://127.0.0.1:4000/token",
    });
    let provider = Provider::new(&document(&endpoints));
    let rules = EgressRules { allow_loopback_http: true };
    assert_eq!(discover(&provider, rules, local).await.unwrap().issuer, local);
    assert_eq!(provider.discover(local).await, Err(DiscoveryError::Issuer));
}

#[tokio::test]
async fn members_and_addresses_must_hold() {
    use DiscoveryError as E;
    for (change, error) in [
        (json!({"issuer": null}), E::Member("issuer")),
        (json!({"issuer": [ISSUER]}), E::Member("issuer")),
        (json!({"jwks_uri": null}), E::Member("jwks_uri")),
        (json!({"jwks_uri": 7}), E::Member("jwks_uri")),
        (json!({"token_endpoint": null}), E::Member("token_endpoint")),
        (json!({"authorization_endpoint": null}), E::Member("authorization_endpoint")),
        (
            json!({"authorization_endpoint": "javascript:alert(1)"}),
            E::Endpoint("authorization_endpoint", EgressError::Scheme),
        ),
        (
            json!({"token_endpoint": "http://idp.example.com/t"}),
            E::Endpoint("token_endpoint", EgressError::Scheme),
        ),
        (
            json!({"jwks_uri": "https://169.254.169.254/latest"}),
            E::Endpoint("jwks_uri", EgressError::PrivateAddress),
        ),
        (
            json!({"end_session_endpoint": "https://10.1.2.3/"}),
            E::Endpoint("end_session_endpoint", EgressError::PrivateAddress),
        ),
        (json!({"userinfo_endpoint": {}}), E::Member("userinfo_endpoint")),
        (
            json!({"token_endpoint": format!("https://a.example/{}", "x".repeat(2048))}),
            E::Member("token_endpoint"),
        ),
        (json!({"id_token_signing_alg_values_supported": ["HS256", "none", "ES512"]}), E::Algorithms),
    ] {
        let provider = Provider::new(&document(&change));
        assert_eq!(provider.discover(ISSUER).await, Err(error), "{change}");
        assert_eq!(provider.keys.hits(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn b078_a_provider_that_does_not_answer_or_lies_is_not_taken() {
    let twice = document(&json!({})).to_string().replacen('{', r#"{"issuer":"https://evil.example","#, 1);
    let big = document(&json!({"x": "x".repeat(256 << 10)})).to_string();
    let refused = SendError::Connect("refused".to_owned());
    for (answer, error) in [
        (Answer::Down, DiscoveryError::Document(FetchError::Send(refused.clone()))),
        (Answer::Mute, DiscoveryError::Document(FetchError::Timeout)),
        (Answer::Trickle, DiscoveryError::Document(FetchError::Timeout)),
        (Answer::Endless, DiscoveryError::Document(FetchError::TooLarge)),
        (Answer::Document(big), DiscoveryError::Document(FetchError::TooLarge)),
        (Answer::Status(404), DiscoveryError::Document(FetchError::Status(http::StatusCode::NOT_FOUND))),
        (Answer::Redirect(ISSUER), DiscoveryError::Document(FetchError::Status(http::StatusCode::FOUND))),
        (Answer::Document("[]".to_owned()), DiscoveryError::Malformed),
        (Answer::Document(twice), DiscoveryError::Malformed),
    ] {
        let provider = Provider::new(&document(&json!({})));
        provider.document.now_answers(answer);
        assert_eq!(provider.discover(ISSUER).await, Err(error));
    }
    for (answer, error) in [
        (Answer::Down, DiscoveryError::KeysUnreachable(FetchError::Send(refused))),
        (Answer::Mute, DiscoveryError::KeysUnreachable(FetchError::Timeout)),
        (Answer::Document("{}".to_owned()), DiscoveryError::Keys(JwksError::Malformed)),
        (Answer::Document(r#"{"keys":[]}"#.to_owned()), DiscoveryError::Keys(JwksError::NoUsableKey)),
    ] {
        let provider = Provider::new(&document(&json!({})));
        provider.keys.now_answers(answer);
        assert_eq!(provider.discover(ISSUER).await, Err(error));
    }
}
