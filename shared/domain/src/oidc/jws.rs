//! A signed token in its compact form (JSON Web Signature, RFC 7515), up to the point where its claims may be believed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    json,
    jwks::{Algorithm, KeySet},
    token::{MAX_TOKEN_CHARS, TokenError},
};

/// Which types of token (RFC 7515 section 4.1.9, RFC 8725 section 3.11) are taken.
#[derive(Clone, Copy)]
pub(super) struct Types {
    /// In lower case and without `application/`.
    pub(super) named: &'static [&'static str],
    /// Whether a token may leave its type out.
    pub(super) absent: bool,
}

/// Checks form, header and signature, and returns the claims.
pub(super) fn claims(token: &str, keys: &KeySet, types: Types) -> Result<Map<String, Value>, TokenError> {
    json::object(&payload(token, keys, types)?).ok_or(TokenError::Malformed)
}

/// What was signed, once the signature holds. Of the header only `alg`, `kid`, `typ`, `crit` and `b64` are read: keys that a
/// token brings along (`jwk`, `jku`, `x5c`, `x5u`) are the sender's word.
fn payload(token: &str, keys: &KeySet, types: Types) -> Result<Vec<u8>, TokenError> {
    // Bytes are no fewer than characters, and what is valid is ASCII.
    if token.len() > MAX_TOKEN_CHARS {
        return Err(TokenError::TooLong);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
    // A further dot is in none of base64url's alphabets: what has four or five parts ends here.
    let header = json::object(&decode(header)?).ok_or(TokenError::Malformed)?;
    let (payload, signature) = (decode(payload)?, decode(signature)?);

    let algorithm = match header.get("alg") {
        Some(Value::String(name)) => Algorithm::from_name(name).ok_or(TokenError::Algorithm)?,
        _ => return Err(TokenError::Algorithm),
    };
    // We understand no extension, so a critical one is refused (RFC 7515 section 4.1.11), and so is an unencoded payload, which
    // would have to be critical (RFC 7797 section 6).
    if header.contains_key("crit") || header.get("b64").is_some_and(|b64| *b64 != Value::Bool(true)) {
        return Err(TokenError::Critical);
    }
    check_type(header.get("typ"), types)?;
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.as_str()),
        Some(_) => return Err(TokenError::Malformed),
    };
    let key = keys.find(kid, algorithm).ok_or(TokenError::UnknownKey)?;
    if !key.verifies(algorithm, message.as_bytes(), &signature) {
        // Without names, a new key looks like a wrong signature.
        return Err(if kid.is_some() { TokenError::Signature } else { TokenError::UnknownKey });
    }
    Ok(payload)
}

/// Strict: no padding, no blanks, no bits left over, so that a token has one spelling.
fn decode(text: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)
}

fn check_type(typ: Option<&Value>, types: Types) -> Result<(), TokenError> {
    let taken = match typ {
        None => types.absent,
        Some(Value::String(typ)) => {
            let typ = typ.to_ascii_lowercase();
            types.named.contains(&typ.strip_prefix("application/").unwrap_or(&typ))
        }
        Some(_) => false,
    };
    if taken { Ok(()) } else { Err(TokenError::Type) }
}
