//! Users' tokens, good ones and bad ones.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Map, Value, json};

use crate::TestIdp;

const HOUR: i64 = 3600;
const RSA_KEY: &str = include_str!("../../shared/domain/src/oauth/tests/testdata/rsa-pkcs8.pem");
const RSA_KEY_ID: &str = "rsa";

/// A token under construction. Whatever is not said is as it should be.
#[derive(Clone)]
pub struct TokenSpec {
    claims: Map<String, Value>,
    header: Map<String, Value>,
    now: i64,
    by: By,
}

#[derive(Clone)]
enum By {
    Es256(Arc<SigningKey>),
    Rs256,
}

impl TokenSpec {
    pub(crate) fn new(issuer: &str, sub: &str, now: i64, key: Arc<SigningKey>) -> Self {
        let claims = json!({ "iss": issuer, "sub": sub, "iat": now, "exp": now + HOUR });
        Self { claims: object(claims), header: object(json!({ "typ": "JWT" })), now, by: By::Es256(key) }
    }

    /// One more group, in the claim that [`crate::TestApp::identity_provider`] reads.
    #[must_use]
    pub fn group(mut self, name: &str) -> Self {
        let groups = self.claims.entry("groups").or_insert_with(|| json!([]));
        groups.as_array_mut().expect("a list").push(json!(name));
        self
    }

    /// Says that there are no groups, which is more than saying nothing of them.
    #[must_use]
    pub fn no_groups(self) -> Self {
        self.claim("groups", json!([]))
    }

    #[must_use]
    pub fn aud(self, audience: &str) -> Self {
        self.claim("aud", json!(audience))
    }

    /// Seconds from now; may be negative.
    #[must_use]
    pub fn expires_in(self, seconds: i64) -> Self {
        let at = self.now + seconds;
        self.claim("exp", json!(at))
    }

    /// Seconds before now; may be negative.
    #[must_use]
    pub fn issued_ago(self, seconds: i64) -> Self {
        let at = self.now - seconds;
        self.claim("iat", json!(at))
    }

    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// A member of the header. `alg` and `kid` are of the signing key unless they are said here.
    #[must_use]
    pub fn header(mut self, name: &str, value: Value) -> Self {
        self.header.insert(name.to_owned(), value);
        self
    }

    /// Signed by a key that another identity provider publishes.
    #[must_use]
    pub fn signed_by(mut self, other: &TestIdp) -> Self {
        self.by = other.claims("").by;
        self
    }

    #[must_use]
    pub fn rs256(mut self) -> Self {
        self.by = By::Rs256;
        self
    }

    pub fn sign(mut self) -> String {
        let (alg, kid) = match &self.by {
            By::Es256(key) => ("ES256", key.kid.as_str()),
            By::Rs256 => ("RS256", RSA_KEY_ID),
        };
        for (name, value) in [("alg", alg), ("kid", kid)] {
            self.header.entry(name).or_insert_with(|| json!(value));
        }
        // `null` is how a test leaves one of the two out.
        self.header.retain(|_, value| !value.is_null());
        let (header, claims) = (Value::Object(self.header.clone()), Value::Object(self.claims.clone()));
        self.sign_texts(&header.to_string(), &claims.to_string())
    }

    /// Signs these texts, whatever they are.
    pub fn sign_texts(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.by.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl By {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(key) => key.pair.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Self::Rs256 => {
                let pair = rsa();
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a signature");
                signature
            }
        }
    }
}

pub(crate) struct SigningKey {
    kid: String,
    pair: EcdsaKeyPair,
}

impl SigningKey {
    pub(crate) fn generate() -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
        Arc::new(Self { kid: format!("key-{}", NEXT.fetch_add(1, Ordering::SeqCst)), pair })
    }

    pub(crate) fn jwk(&self) -> Value {
        // RFC 5480 section 2.2: 4, then both coordinates.
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }
}

pub(crate) fn rsa_jwk() -> Value {
    let PublicKeyComponents::<Vec<u8>> { n, e } = rsa().public().into();
    json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": RSA_KEY_ID,
        "n": URL_SAFE_NO_PAD.encode(n),
        "e": URL_SAFE_NO_PAD.encode(e),
    })
}

fn rsa() -> RsaKeyPair {
    let base64: String = RSA_KEY.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(base64).expect("a PEM file");
    RsaKeyPair::from_pkcs8(&der).expect("an RSA key")
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => unreachable!("only objects are written here"),
    }
}
