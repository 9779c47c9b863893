//! The senders that sign nothing and send a fixed token in `Authorization`: Auth0 log streams and Okta event hooks. The
//! vault makes the token, shows it once and keeps its digest.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use zeroize::Zeroizing;

use super::{Unverified, signed_at::single};
use crate::{
    auth::key_text::digest_eq,
    crypto::sha256,
    port::{Rng, RngError},
    secret::Secret,
};

/// Says what the text is, to people and to scanners that look for leaked secrets.
const PREFIX: &str = "alwh_";
const RANDOM_BYTES: usize = 32;
/// Longest value of the header that is looked at.
const MAX_HEADER_BYTES: usize = 512;
const BEARER: &str = "bearer ";

/// A fresh token: the plain text is shown once, the digest is stored.
pub struct MintedToken {
    pub plain: Secret<String>,
    /// SHA-256 of the plain text. It needs no salt and no slow hash: the token has 256 random bits.
    pub digest: [u8; 32],
}

/// Makes a token of 256 random bits.
pub fn mint(rng: &dyn Rng) -> Result<MintedToken, RngError> {
    let mut random = Zeroizing::new([0; RANDOM_BYTES]);
    rng.fill(random.as_mut_slice())?;
    // Room for all of it from the start: a text that grows would leave its beginning behind.
    let mut plain = String::with_capacity(PREFIX.len() + RANDOM_BYTES * 4 / 3 + 1);
    plain.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(random.as_slice(), &mut plain);
    let digest = sha256(plain.as_bytes());
    Ok(MintedToken { plain: Secret::new(plain), digest })
}

/// Whether `Authorization` holds the token of that digest, alone or after `Bearer `: what an operator pastes into the
/// sender's form differs. Compares digests, in constant time.
pub fn verify(headers: &HeaderMap, digest: &[u8; 32]) -> Result<(), Unverified> {
    let value = single(headers, header::AUTHORIZATION.as_str())?.ok_or(Unverified::Missing)?;
    if value.len() > MAX_HEADER_BYTES {
        return Err(Unverified::Unreadable);
    }
    let token = match value.get(..BEARER.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(BEARER) => value.get(BEARER.len()..).unwrap_or_default(),
        _ => value,
    };
    if digest_eq(&sha256(token.as_bytes()), digest) { Ok(()) } else { Err(Unverified::Forged) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::port::SeededRng;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_token_is_prefix_and_256_random_bits() {
        let rng = SeededRng::new(1);
        let (first, second) = (mint(&rng).unwrap(), mint(&rng).unwrap());
        let plain = first.plain.expose_secret();
        let random = URL_SAFE_NO_PAD.decode(plain.strip_prefix("alwh_").unwrap()).unwrap();
        assert_eq!(random.len(), 32);
        assert_eq!(plain.capacity(), plain.len());
        assert_ne!(plain, second.plain.expose_secret());
        assert_eq!(first.digest, sha256(plain.as_bytes()));
    }

    #[test]
    fn the_token_fits_alone_and_as_a_bearer() {
        let minted = mint(&SeededRng::new(1)).unwrap();
        let plain = minted.plain.expose_secret();
        for value in [plain.clone(), format!("Bearer {plain}"), format!("bearer {plain}")] {
            assert_eq!(verify(&headers(&[&value]), &minted.digest), Ok(()), "{value}");
        }
    }

    #[test]
    fn b081_every_other_token_is_refused() {
        let rng = SeededRng::new(1);
        let (minted, rotated) = (mint(&rng).unwrap(), mint(&rng).unwrap());
        let plain = minted.plain.expose_secret();
        let forged = [
            rotated.plain.expose_secret().clone(),
            format!("Basic {plain}"),
            format!("Bearer  {plain}"),
            format!("Bearer Bearer {plain}"),
            format!("{plain}x"),
            plain[..plain.len() - 1].to_owned(),
            plain.to_uppercase(),
            hex::encode(minted.digest),
            "Bearer ".to_owned(),
            String::new(),
        ];
        for value in &forged {
            assert_eq!(verify(&headers(&[value]), &minted.digest), Err(Unverified::Forged), "{value}");
        }
        assert_eq!(verify(&headers(&[]), &minted.digest), Err(Unverified::Missing));
        let long = "x".repeat(MAX_HEADER_BYTES + 1);
        assert_eq!(verify(&headers(&[&long]), &minted.digest), Err(Unverified::Unreadable));
        assert_eq!(verify(&headers(&[plain, plain]), &minted.digest), Err(Unverified::Unreadable));
        let mut opaque = HeaderMap::new();
        opaque.insert(header::AUTHORIZATION, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(verify(&opaque, &minted.digest), Err(Unverified::Unreadable));
    }

    #[test]
    fn without_randomness_there_is_no_token() {
        struct Broken;
        impl Rng for Broken {
            fn fill(&self, _: &mut [u8]) -> Result<(), RngError> {
                Err(RngError)
            }
        }
        assert!(mint(&Broken).is_err());
    }
}
