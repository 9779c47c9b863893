//! An identity provider of the bench: a key of each kind, tokens of any size, and its documents on loopback.

use std::net::SocketAddr;

use axum::{Json, Router, routing::get};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    },
};
use serde_json::{Value, json};

use crate::Failure;

/// What is measured, with the names of RFC 7518.
pub(crate) const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];

/// 2048 bits, as most providers have. Made for tests; it protects nothing.
const RSA_KEY: &str = include_str!("../../shared/domain/src/oauth/tests/testdata/rsa-pkcs8.pem");

pub(crate) struct Issuer {
    rsa: RsaKeyPair,
    ecdsa: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    random: SystemRandom,
}

impl Issuer {
    pub(crate) fn new() -> Result<Self, Failure> {
        let random = SystemRandom::new();
        let pem: String = RSA_KEY.lines().filter(|line| !line.starts_with('-')).collect();
        let method = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let ecdsa = EcdsaKeyPair::generate_pkcs8(method, &random).map_err(|_| "no key")?;
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| "no key")?;
        Ok(Self {
            rsa: RsaKeyPair::from_pkcs8(&STANDARD.decode(pem)?).map_err(|error| error.to_string())?,
            ecdsa: EcdsaKeyPair::from_pkcs8(method, ecdsa.as_ref(), &random)
                .map_err(|error| error.to_string())?,
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).map_err(|error| error.to_string())?,
            random,
        })
    }

    /// A compact JWS over these claims.
    pub(crate) fn token(&self, algorithm: &str, claims: &Value) -> Result<String, Failure> {
        let header = json!({ "alg": algorithm, "typ": "JWT", "kid": kid(algorithm) });
        let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signature = self.sign(algorithm, message.as_bytes())?;
        Ok(format!("{message}.{}", base64(signature)))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let encoding: &dyn RsaEncoding = match algorithm {
            "ES256" => {
                let signature = self.ecdsa.sign(&self.random, message).map_err(|_| "no signature")?;
                return Ok(signature.as_ref().to_vec());
            }
            "EdDSA" => return Ok(self.ed25519.sign(message).as_ref().to_vec()),
            "PS256" => &RSA_PSS_SHA256,
            _ => &RSA_PKCS1_SHA256,
        };
        let mut signature = vec![0; self.rsa.public().modulus_len()];
        self.rsa.sign(encoding, &self.random, message, &mut signature).map_err(|_| "no signature")?;
        Ok(signature)
    }

    /// The public halves.
    pub(crate) fn jwks(&self) -> Result<Value, Failure> {
        let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        let rsa = json!({ "kty": "RSA", "n": base64(n), "e": base64(e) });
        // 0x04, then the two coordinates.
        let point = self.ecdsa.public_key().as_ref().get(1..).and_then(|point| point.split_at_checked(32));
        let (x, y) = point.ok_or("no point")?;
        let ecdsa = json!({ "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y) });
        let ed25519 =
            json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(self.ed25519.public_key().as_ref()) });
        let keys = ALGORITHMS.into_iter().zip([&rsa, &rsa, &ecdsa, &ed25519]);
        let keys = keys.map(|(algorithm, key)| {
            let mut key = key.clone();
            if let Some(key) = key.as_object_mut() {
                key.insert("alg".to_owned(), algorithm.into());
                key.insert("kid".to_owned(), kid(algorithm).into());
            }
            key
        });
        Ok(json!({ "keys": keys.collect::<Vec<_>>() }))
    }

    /// Serves discovery and keys until the process ends; returns where, which is the issuer.
    pub(crate) fn serve(&self) -> Result<String, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address))?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let (keys, discovery) = (self.jwks()?, discovery(&issuer));
        let answer = |document: Value| get(move || std::future::ready(Json(document.clone())));
        let router = Router::new()
            .route("/.well-known/openid-configuration", answer(discovery))
            .route("/jwks", answer(keys));
        std::thread::spawn(move || {
            runtime.block_on(std::future::IntoFuture::into_future(axum::serve(listener, router)))
        });
        Ok(issuer)
    }
}

/// What a token of a provider that says a little more than it must would have.
pub(crate) fn claims(issuer: &str, subject: &str, now: i64, groups: usize) -> Value {
    json!({
        "iss": issuer, "sub": subject, "aud": ["https://api.example.com", format!("{issuer}/userinfo")],
        "azp": "bench", "iat": now, "exp": now + 24 * 3600, "jti": format!("{subject}-{now}"),
        "scope": "openid profile email", "name": "Ada Lovelace", "email": format!("{subject}@example.com"),
        "email_verified": true, "groups": (0..groups).map(group).collect::<Vec<_>>(),
    })
}

/// The name of one of the groups.
pub(crate) fn group(number: usize) -> String {
    format!("group-{number:03}")
}

fn discovery(issuer: &str) -> Value {
    json!({
        "issuer": issuer, "jwks_uri": format!("{issuer}/jwks"),
        "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ALGORITHMS,
    })
}

fn kid(algorithm: &str) -> String {
    format!("bench-{algorithm}")
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
