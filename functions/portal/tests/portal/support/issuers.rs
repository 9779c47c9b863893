//! The far side: what issuers publish, by address.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use alter_domain::port::{HttpClient, SendError};
use async_trait::async_trait;
use axum::body::Body;
use http::{Request, Response};
use serde_json::{Value, json};

/// Answers where something is published; nobody is anywhere else.
#[derive(Default)]
pub(crate) struct Issuers {
    published: Mutex<BTreeMap<String, (u16, String)>>,
    asked: Mutex<Vec<String>>,
}

impl Issuers {
    /// An issuer that follows OpenID Connect, with one key.
    pub(crate) fn add(self: &Arc<Self>, issuer: &str) {
        let bare = issuer.trim_end_matches('/');
        self.say(&format!("{bare}/.well-known/openid-configuration"), &discovery(issuer));
        self.say(&format!("{bare}/keys"), &keys());
    }

    /// Publishes a document in the place of what was there.
    pub(crate) fn say(&self, address: &str, document: &Value) {
        self.answer(address, 200, &document.to_string());
    }

    pub(crate) fn answer(&self, address: &str, status: u16, body: &str) {
        self.published.lock().unwrap().insert(address.to_owned(), (status, body.to_owned()));
    }

    pub(crate) fn withdraw(&self, address: &str) {
        self.published.lock().unwrap().remove(address).unwrap();
    }

    /// How many requests were made.
    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// The document of an issuer, all of whose endpoints are below it.
pub(crate) fn discovery(issuer: &str) -> Value {
    let bare = issuer.trim_end_matches('/');
    json!({
        "issuer": issuer,
        "jwks_uri": format!("{bare}/keys"),
        "authorization_endpoint": format!("{bare}/authorize"),
        "token_endpoint": format!("{bare}/token"),
        "end_session_endpoint": format!("{bare}/logout"),
        "id_token_signing_alg_values_supported": ["ES256", "HS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "claims_supported": ["sub", "email"],
    })
}

/// A set with the key of RFC 7517 appendix A.1.
pub(crate) fn keys() -> Value {
    json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "alg": "ES256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }] })
}

#[async_trait]
impl HttpClient for Issuers {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, SendError> {
        let address = request.uri().to_string();
        assert!(!request.headers().contains_key("authorization"), "{address} is public");
        self.asked.lock().unwrap().push(address.clone());
        let published = self.published.lock().unwrap();
        let Some((status, body)) = published.get(&address) else {
            return Err(SendError::Connect("no such host".to_owned()));
        };
        Ok(Response::builder().status(*status).body(Body::from(body.clone())).unwrap())
    }
}
