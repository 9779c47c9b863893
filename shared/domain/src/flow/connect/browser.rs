//! The session's token, and the secret by which a session knows its browser again.

use std::fmt;

use alter_api_types::ConnectSessionId;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{digest, hmac};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{error::Result, port::Rng, secret::Secret};

/// What begins a session's token.
pub const TOKEN_PREFIX: &str = "sess_";
const ID_BYTES: usize = 16;
const RANDOM_BYTES: usize = 24;
const TOKEN_BYTES: usize = ID_BYTES + RANDOM_BYTES;

/// A token as somebody presents it. It says which session it is for; whether it is that session's, its digest tells.
pub struct SessionToken {
    id: ConnectSessionId,
    text: Secret<String>,
}

impl SessionToken {
    pub(super) fn mint(id: ConnectSessionId, rng: &dyn Rng) -> Result<Self> {
        let mut bytes = Zeroizing::new([0u8; TOKEN_BYTES]);
        let (head, random) = bytes.split_at_mut(ID_BYTES);
        head.copy_from_slice(id.as_bytes());
        rng.fill(random)?;
        let text = format!("{TOKEN_PREFIX}{}", *Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)));
        Ok(Self { id, text: Secret::new(text) })
    }

    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(TOKEN_PREFIX)?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let (id, random) = bytes.split_first_chunk::<ID_BYTES>()?;
        let id = Uuid::from_bytes(*id).into();
        (random.len() == RANDOM_BYTES).then(|| Self { id, text: Secret::new(text.to_owned()) })
    }

    pub fn session_id(&self) -> ConnectSessionId {
        self.id
    }

    /// For the answer that hands the token out.
    pub fn into_text(self) -> Secret<String> {
        self.text
    }

    pub(super) fn digest(&self) -> String {
        hex_digest(self.text.expose_secret().as_bytes())
    }

    /// In constant time.
    pub(super) fn has_digest(&self, stored: &str) -> bool {
        self.digest().as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionToken({}, …)", self.id)
    }
}

/// The secret that one browser holds for one session, in a cookie. The store has its digest only, so that nothing which is
/// derived from it can be made from the store: form tokens and PKCE verifiers.
pub struct Browser(Zeroizing<[u8; 32]>);

impl Browser {
    pub(in crate::flow) fn mint(rng: &dyn Rng) -> Result<Self> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        rng.fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// From a cookie's value.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_bytes(&Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?))
    }

    pub(in crate::flow) fn from_bytes(given: &[u8]) -> Option<Self> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        if given.len() != bytes.len() {
            return None;
        }
        bytes.copy_from_slice(given);
        Some(Self(bytes))
    }

    pub(in crate::flow) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The cookie's value.
    pub fn to_cookie(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.0))
    }

    /// What the forms of this session carry in this browser. A page of another site cannot know it.
    pub fn form_token(&self, session: ConnectSessionId) -> String {
        URL_SAFE_NO_PAD.encode(self.derive(b"form", session.as_bytes()))
    }

    /// What every write of the Wallet carries in this browser.
    pub fn csrf_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.derive(b"csrf", b"wallet"))
    }

    /// In constant time.
    pub fn checks_csrf_token(&self, given: &str) -> bool {
        self.csrf_token().as_bytes().ct_eq(given.as_bytes()).into()
    }

    pub(in crate::flow) fn digest(&self) -> String {
        hex_digest(self.0.as_slice())
    }

    /// In constant time.
    pub(in crate::flow) fn has_digest(&self, stored: &str) -> bool {
        self.digest().as_bytes().ct_eq(stored.as_bytes()).into()
    }

    pub(super) fn checks_form_token(&self, session: ConnectSessionId, given: &str) -> bool {
        self.form_token(session).as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// The PKCE verifier (RFC 7636 section 4.1) of the authorization request with this `state`: 43 characters.
    pub(in crate::flow) fn verifier(&self, state: &str) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.derive(b"pkce", state.as_bytes())))
    }

    /// The `nonce` of a sign-in with this `state`: 43 characters. A token that was made for another browser's request does not
    /// have it (OpenID Connect Core 1.0 section 15.5.2).
    pub(in crate::flow) fn nonce(&self, state: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.derive(b"oidc", state.as_bytes()))
    }

    fn derive(&self, purpose: &[u8; 4], input: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice()));
        context.update(purpose);
        context.update(input);
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Browser(…)")
    }
}

/// The S256 challenge of a verifier (RFC 7636 section 4.2).
pub(in crate::flow) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// A fresh `state`: 256 bits.
pub(super) fn fresh_state(rng: &dyn Rng) -> Result<String> {
    let mut bytes = [0u8; 32];
    rng.fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

pub(in crate::flow) fn hex_digest(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::SeededRng;

    #[test]
    fn a_token_names_its_session_and_nothing_else_passes_for_one() {
        let rng = SeededRng::new(1);
        let id = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001).into();
        let token = SessionToken::mint(id, &rng).unwrap();
        let digest = token.digest();
        assert!(!format!("{token:?}").contains(&token.text.expose_secret()[30..]));
        let text = token.into_text().expose_secret().clone();
        assert_eq!(text.len(), 59);
        let parsed = SessionToken::parse(&text).unwrap();
        assert_eq!(parsed.session_id(), id);
        assert!(parsed.has_digest(&digest));
        let other = SessionToken::mint(id, &rng).unwrap();
        assert!(!other.has_digest(&digest));
        for bad in
            ["", "sess_", "ms_sess_abc", &text[..58], &format!("{text}A"), &text.replace("sess_", "sess-")]
        {
            assert!(SessionToken::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_is_derived_differs_by_browser_purpose_and_input() {
        let rng = SeededRng::new(1);
        let (one, two) = (Browser::mint(&rng).unwrap(), Browser::mint(&rng).unwrap());
        let back = Browser::parse(&one.to_cookie()).unwrap();
        assert!(back.has_digest(&one.digest()) && !two.has_digest(&one.digest()));
        assert_eq!(*back.verifier("s"), *one.verifier("s"));
        assert_ne!(*two.verifier("s"), *one.verifier("s"));
        assert_ne!(*one.verifier("t"), *one.verifier("s"));
        assert_eq!(one.verifier("s").len(), 43);
        assert_ne!(one.nonce("s"), *one.verifier("s"), "the identity provider is told the nonce");
        assert_ne!(one.nonce("s"), two.nonce("s"));
        let id = Uuid::from_u128(1).into();
        assert!(one.checks_form_token(id, &back.form_token(id)));
        assert!(!one.checks_form_token(id, &two.form_token(id)));
        assert!(!one.checks_form_token(id, ""));
        // RFC 7636 appendix B.
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
