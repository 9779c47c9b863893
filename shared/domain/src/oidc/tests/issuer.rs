//! An issuer that signs whatever it is told to: also what no honest one would.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        self as s, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
    },
};
use serde_json::{Value, json};

use crate::oidc::{ClaimNames, Expected, KeySet, TokenError, Verified, verify};

pub(crate) const ISSUER: &str = "https://idp.example.com";
/// Every algorithm that is taken.
pub(crate) const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// The time of the tests.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + seconds).unwrap()
}

/// One signing key. RSA's is always the same, it takes long to make one.
pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    Ecdsa(&'static str, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    /// A key for an algorithm.
    pub(crate) fn new(algorithm: &str) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |curve, method: &'static EcdsaSigningAlgorithm| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(method, &random).unwrap();
            Self::Ecdsa(curve, EcdsaKeyPair::from_pkcs8(method, pkcs8.as_ref(), &random).unwrap())
        };
        match algorithm {
            "ES256" => ecdsa("P-256", &s::ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ecdsa("P-384", &s::ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Self::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
            }
            _ => {
                let pem = include_str!("../../oauth/tests/testdata/rsa-pkcs8.pem");
                let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
                Self::Rsa(RsaKeyPair::from_pkcs8(&STANDARD.decode(body).unwrap()).unwrap())
            }
        }
    }

    /// The public half, as a member of a JWKS without `kid`, `alg` and `use`.
    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::Rsa(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": b64(&n), "e": b64(&e)})
            }
            Self::Ecdsa(curve, pair) => {
                let (x, y) =
                    pair.public_key().as_ref()[1..].split_at(if *curve == "P-256" { 32 } else { 48 });
                json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)})
            }
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())})
            }
        }
    }

    /// The public half with its name.
    pub(crate) fn named(&self, kid: &str) -> Value {
        let mut jwk = self.jwk();
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// Signs with the algorithm that `alg` names, as far as it matters for the kind of key.
    pub(crate) fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let encoding: &dyn RsaEncoding = match algorithm {
                    "RS384" => &s::RSA_PKCS1_SHA384,
                    "RS512" => &s::RSA_PKCS1_SHA512,
                    "PS256" => &s::RSA_PSS_SHA256,
                    "PS384" => &s::RSA_PSS_SHA384,
                    "PS512" => &s::RSA_PSS_SHA512,
                    _ => &s::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ecdsa(_, pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A compact JWS over any texts.
    pub(crate) fn compact(&self, header: &str, payload: &str) -> String {
        let algorithm = serde_json::from_str::<Value>(header).ok();
        let algorithm = algorithm.and_then(|header| Some(header.get("alg")?.as_str()?.to_owned()));
        let message = format!("{}.{}", b64(header), b64(payload));
        let signature = self.sign(&algorithm.unwrap_or_default(), message.as_bytes());
        format!("{message}.{}", b64(signature))
    }
}

/// An issuer with one key named `k1`.
pub(crate) struct Issuer {
    pub(crate) algorithm: &'static str,
    pub(crate) signer: Signer,
}

impl Issuer {
    pub(crate) fn new(algorithm: &'static str) -> Self {
        Self { algorithm, signer: Signer::new(algorithm) }
    }

    pub(crate) fn jwks(&self) -> String {
        jwks(&[self.signer.named("k1")])
    }

    pub(crate) fn keys(&self) -> KeySet {
        KeySet::from_slice(self.jwks().as_bytes()).unwrap()
    }

    /// A token with these claims over the ordinary ones; `null` takes one away.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({}), claims)
    }

    /// The same with a changed header.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let ordinary = json!({"alg": self.algorithm, "typ": "JWT", "kid": "k1"});
        self.signer.compact(&over(ordinary, header).to_string(), &over(ordinary_claims(), claims).to_string())
    }
}

pub(crate) fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a token of Ada's says.
pub(crate) fn ordinary_claims() -> Value {
    let now = now().as_second();
    json!({"iss": ISSUER, "sub": "ada", "iat": now - 10, "exp": now + 300, "aud": "api"})
}

/// Members over those of another object; `null` takes one away.
pub(crate) fn over(mut below: Value, above: &Value) -> Value {
    let members = below.as_object_mut().unwrap();
    for (name, value) in above.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    below
}

/// Verifies for `ISSUER`, `sub`, and no audience.
pub(crate) fn check(token: &str, keys: &KeySet) -> Result<Verified, TokenError> {
    let claims = ClaimNames::default();
    verify(token, keys, &Expected { issuer: ISSUER, audience: None, client_id: None, claims: &claims }, now())
}
