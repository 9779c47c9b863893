//! A provider's public keys (JSON Web Key Set, RFC 7517), and the one place where a signature is checked.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};

use super::json;

/// Why a document gives no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    #[error("the key set is not a JSON object with a list `keys`")]
    Malformed,
    #[error("the key set has more than {MAX_KEYS} keys")]
    TooMany,
    /// Keys for encryption, secret keys, and kinds that we do not know are passed over; nothing was left.
    #[error("the key set has no public key that checks signatures")]
    NoUsableKey,
}

/// The most keys that a set may have. Providers have two to ten.
const MAX_KEYS: usize = 100;

/// Names are digests or UUIDs. Sets are kept in memory.
const MAX_KID_BYTES: usize = 256;

/// The keys of a set that check signatures. Everything that is published is public: nothing here is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Reads a JWKS. A key that cannot be used is passed over (RFC 7517 section 5): a provider that adds a new kind must not
    /// take its old ones away.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, JwksError> {
        let document = json::object(bytes).ok_or(JwksError::Malformed)?;
        let Some(Value::Array(listed)) = document.get("keys") else { return Err(JwksError::Malformed) };
        if listed.len() > MAX_KEYS {
            return Err(JwksError::TooMany);
        }
        let mut keys: Vec<Key> = Vec::new();
        for key in listed.iter().filter_map(|key| Key::read(key.as_object()?)) {
            // Listed twice, it would be ambiguous for a token without `kid`.
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        if keys.is_empty() { Err(JwksError::NoUsableKey) } else { Ok(Self { keys }) }
    }

    /// How many keys can be used; never none.
    #[allow(clippy::len_without_is_empty, reason = "a set without keys does not exist")]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key that a token names, or the only one that fits its algorithm. Two that fit leave it open which one the issuer
    /// means: none is taken.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.fits(algorithm) && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid)));
        let found = fitting.next()?;
        fitting.next().is_none().then_some(found)
    }
}

/// The algorithms that are taken (RFC 7518, RFC 8037, RFC 9864). `none` and the ones with a shared secret do not exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            // The second name says the curve (RFC 9864); the only one that is taken.
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }
}

/// One public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    kid: Option<String>,
    /// The only algorithm that it may be used with, if the set says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed points (SEC 1 section 2.3.3).
    P256([u8; 65]),
    P384([u8; 97]),
    Ed25519([u8; 32]),
}

impl Key {
    fn read(key: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| match key.get(name) {
            None => Some(None),
            Some(Value::String(text)) => Some(Some(text.as_str())),
            Some(_) => None,
        };
        // A secret that was published is no secret: whoever read it can sign.
        if SECRET_MEMBERS.iter().any(|name| key.contains_key(*name)) {
            return None;
        }
        if text("use")?.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        match key.get("key_ops") {
            None => {}
            Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => {}
            Some(_) => return None,
        }
        let algorithm = match text("alg")? {
            None => None,
            Some(name) => Some(Algorithm::from_name(name)?),
        };
        let material = match (text("kty")??, text("crv")?) {
            ("RSA", _) => rsa(&number(text("n")??)?, &number(text("e")??)?)?,
            ("EC", Some("P-256")) => Material::P256(point(text("x")??, text("y")??)?),
            ("EC", Some("P-384")) => Material::P384(point(text("x")??, text("y")??)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(decode(text("x")??)?.try_into().ok()?),
            _ => return None,
        };
        let kid = text("kid")?.map(str::to_owned);
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return None;
        }
        let key = Self { kid, algorithm, material };
        // An `alg` of another kind of key: the two contradict each other.
        algorithm.is_none_or(|algorithm| key.fits(algorithm)).then_some(key)
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm as A;
        let kind = match self.material {
            Material::Rsa { .. } => {
                matches!(algorithm, A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512)
            }
            Material::P256(_) => algorithm == A::Es256,
            Material::P384(_) => algorithm == A::Es384,
            Material::Ed25519(_) => algorithm == A::EdDsa,
        };
        kind && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Whether `message` was signed by this key with this algorithm. An algorithm of another kind of key is a no.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let rsa = |n: &[u8], e: &[u8], parameters| {
            RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
        };
        let plain = |method: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(method, key).verify(message, signature).is_ok()
        };
        self.fits(algorithm)
            && match (&self.material, algorithm) {
                (Material::Rsa { n, e }, Algorithm::Rs256) => {
                    rsa(n, e, &signature::RSA_PKCS1_2048_8192_SHA256)
                }
                (Material::Rsa { n, e }, Algorithm::Rs384) => {
                    rsa(n, e, &signature::RSA_PKCS1_2048_8192_SHA384)
                }
                (Material::Rsa { n, e }, Algorithm::Rs512) => {
                    rsa(n, e, &signature::RSA_PKCS1_2048_8192_SHA512)
                }
                (Material::Rsa { n, e }, Algorithm::Ps256) => rsa(n, e, &signature::RSA_PSS_2048_8192_SHA256),
                (Material::Rsa { n, e }, Algorithm::Ps384) => rsa(n, e, &signature::RSA_PSS_2048_8192_SHA384),
                (Material::Rsa { n, e }, Algorithm::Ps512) => rsa(n, e, &signature::RSA_PSS_2048_8192_SHA512),
                // `FIXED`: r and s beside each other (RFC 7518 section 3.4), not DER.
                (Material::P256(point), Algorithm::Es256) => {
                    plain(&signature::ECDSA_P256_SHA256_FIXED, point)
                }
                (Material::P384(point), Algorithm::Es384) => {
                    plain(&signature::ECDSA_P384_SHA384_FIXED, point)
                }
                (Material::Ed25519(key), Algorithm::EdDsa) => plain(&signature::ED25519, key),
                _ => false,
            }
    }
}

/// Members of a private or symmetric key (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Under 2048 bits factoring is within reach (NIST SP 800-131A); over 8192 a check costs milliseconds, for whoever sends tokens.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// `ring` takes exponents of up to 33 bits.
const MAX_EXPONENT_BYTES: usize = 5;

fn rsa(n: &[u8], e: &[u8]) -> Option<Material> {
    let bits = n.len() * 8 - usize::try_from(n.first()?.leading_zeros()).ok()?;
    let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    let is_one = e == [1];
    let valid = RSA_BITS.contains(&bits) && odd(n) && odd(e) && !is_one && e.len() <= MAX_EXPONENT_BYTES;
    valid.then(|| Material::Rsa { n: n.to_vec(), e: e.to_vec() })
}

/// Both coordinates in full length (RFC 7518 section 6.2.1.2). Whether the point is on the curve is checked with each signature.
fn point<const N: usize>(x: &str, y: &str) -> Option<[u8; N]> {
    let (x, y) = (decode(x)?, decode(y)?);
    if x.len() != y.len() {
        return None;
    }
    [&[4][..], &x, &y].concat().try_into().ok()
}

/// A number without the zeros in front, which some providers write though RFC 7518 section 2 forbids them.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes.get(zeros..)?.to_vec())
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
