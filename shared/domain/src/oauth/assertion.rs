//! JWTs that the operator's private key signs (RFC 7519, RFC 7523): RS256 and ES256.

use std::collections::BTreeMap;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Assertion, AssertionAlgorithm, EngineError, TemplateError, names::Names};
use crate::{port::Rng, secret::Secret};

/// Why a private key signs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    #[error("the private key is not PEM of a PRIVATE KEY (PKCS #8) or RSA PRIVATE KEY (PKCS #1)")]
    Pem,
    /// Encrypted, of another algorithm, RSA under 2048 bits, or another curve than P-256.
    #[error("the private key is not one for the provider's algorithm ({0})")]
    Key(&'static str),
    #[error("signing failed")]
    Signing,
}

/// A PEM text in one line, as credential fields must be: every line break, also one written as `\n`, becomes a blank. What
/// is no private key is refused.
pub fn one_line_pem(pem: &Secret<String>) -> Result<Secret<String>, AssertionError> {
    let (label, body) = split_pem(pem.expose_secret())?;
    Ok(Secret::new(format!("-----BEGIN {label}----- {} -----END {label}-----", *body)))
}

/// Whether the key signs with this algorithm: for the form that takes it.
pub fn check_private_key(pem: &Secret<String>, algorithm: AssertionAlgorithm) -> Result<(), AssertionError> {
    Key::read(pem, algorithm).map(drop)
}

/// Whether a claim `jti` is added that the entry does not name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Jti {
    /// Client authentication: servers keep it to see a replay (RFC 7523 section 3, point 7).
    Added,
    /// Elsewhere providers list the claims that they take; an entry that wants it says `"jti": "{jti}"`.
    OnlyIfNamed,
}

/// Makes and signs. `names` gets the `jti` that claims may use.
pub(super) fn sign(
    assertion: &Assertion,
    pem: &Secret<String>,
    names: &mut Names<'_>,
    jti: Jti,
    now: Timestamp,
    rng: &dyn Rng,
) -> Result<Zeroizing<String>, EngineError> {
    let mut id = [0; 16];
    rng.fill(&mut id)?;
    names.public("jti", &hex::encode(id));
    let mut header =
        BTreeMap::from([("alg", assertion.algorithm.name().to_owned()), ("typ", "JWT".to_owned())]);
    if let Some(template) = &assertion.key_id {
        match names.text(template) {
            Ok(kid) => header.insert("kid", kid.to_string()),
            Err(TemplateError::Absent(_)) => None,
            Err(error) => return Err(error.into()),
        };
    }
    let issued = now.as_second().saturating_sub(SKEW_SECONDS);
    let mut claims = BTreeMap::from([
        ("iat", Value::from(issued)),
        ("exp", Value::from(issued.saturating_add(i64::from(assertion.lifetime_seconds)))),
    ]);
    if jti == Jti::Added {
        claims.insert("jti", Value::String(hex::encode(id)));
    }
    for (name, template) in &assertion.claims {
        match names.text(template) {
            Ok(value) if !value.is_empty() => claims.insert(name, Value::String(value.to_string())),
            Ok(_) | Err(TemplateError::Absent(_)) => claims.remove(name.as_str()),
            Err(error) => return Err(error.into()),
        };
    }
    let claims = serde_json::to_vec(&claims).map_err(|_| AssertionError::Signing)?;
    let header = serde_json::to_vec(&header).map_err(|_| AssertionError::Signing)?;
    let mut jwt = Zeroizing::new(URL_SAFE_NO_PAD.encode(header));
    jwt.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut jwt);
    let signature = Key::read(pem, assertion.algorithm)?.sign(jwt.as_bytes())?;
    jwt.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
    Ok(jwt)
}

impl AssertionAlgorithm {
    fn name(self) -> &'static str {
        match self {
            AssertionAlgorithm::Rs256 => "RS256",
            AssertionAlgorithm::Es256 => "ES256",
        }
    }
}

/// A provider whose clock is behind ours would find `iat` in its future, and several refuse that.
const SKEW_SECONDS: i64 = 30;

enum Key {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair, SystemRandom),
}

impl Key {
    /// Takes what has blanks for line breaks as well as what has them.
    fn read(pem: &Secret<String>, algorithm: AssertionAlgorithm) -> Result<Self, AssertionError> {
        let (label, body) = split_pem(pem.expose_secret())?;
        let mut compact = Zeroizing::new(body.as_str().to_owned());
        compact.retain(|c| c != ' ');
        let der = Zeroizing::new(STANDARD.decode(compact.as_bytes()).map_err(|_| AssertionError::Pem)?);
        let wrong = |_| AssertionError::Key(algorithm.name());
        match (algorithm, label) {
            (AssertionAlgorithm::Rs256, PKCS8) => RsaKeyPair::from_pkcs8(&der).map(Key::Rsa).map_err(wrong),
            (AssertionAlgorithm::Rs256, _) => RsaKeyPair::from_der(&der).map(Key::Rsa).map_err(wrong),
            (AssertionAlgorithm::Es256, PKCS8) => {
                // ring takes no other source than its own here: the port cannot be used.
                let random = SystemRandom::new();
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random);
                pair.map(|pair| Key::Ecdsa(pair, random)).map_err(wrong)
            }
            (AssertionAlgorithm::Es256, _) => Err(AssertionError::Key(algorithm.name())),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AssertionError> {
        match self {
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| AssertionError::Signing)?;
                Ok(signature)
            }
            // `FIXED`: r and s beside each other, as JWS wants them (RFC 7518 section 3.4).
            Key::Ecdsa(pair, random) => {
                let signature = pair.sign(random, message).map_err(|_| AssertionError::Signing)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

const PKCS8: &str = "PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";

/// Label, and base64 with single blanks for whatever separated its lines (RFC 7468).
fn split_pem(pem: &str) -> Result<(&'static str, Zeroizing<String>), AssertionError> {
    // Copied out of a JSON file, line breaks are written as two characters.
    let mut text = Zeroizing::new(pem.replace("\\r", " ").replace("\\n", " "));
    let found = [PKCS8, PKCS1].into_iter().find_map(|label| {
        let rest = text.trim().strip_prefix("-----BEGIN ")?.strip_prefix(label)?.strip_prefix("-----")?;
        let body = rest.strip_suffix("-----")?.strip_suffix(label)?.strip_suffix("-----END ")?;
        let lines: Vec<_> = body.split_ascii_whitespace().collect();
        Some((label, Zeroizing::new(lines.join(" "))))
    });
    text.zeroize();
    let (label, body) = found.ok_or(AssertionError::Pem)?;
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b' ');
    if body.is_empty() || !body.bytes().all(base64) { Err(AssertionError::Pem) } else { Ok((label, body)) }
}
