//! API keys and operator tokens as text: minting and parsing.
//!
//! A key is a prefix that says what it is, an id and a secret, in the URL-safe alphabet:
//!
//! | Kind | Prefix | Id | Secret | After `alter_key_` |
//! |---|---|---|---|---|
//! | app key | `alter_key_app_` | 12 | 24 | 40 |
//! | agent key | `alter_key_agent_` | 10 | 24 | 40 |
//! | operator token | `alter_pat_` | 16 | 32 | |
//!
//! The published clients insist on exactly 40 characters after `alter_key_` (wire protocol section 1.1). Prefix and id
//! are the public part: it names the key in lookups, lists and `X-Alter-Key-Id`. 24 characters of secret are 144 bits.

use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    crypto::sha256,
    port::{Rng, RngError},
    secret::Secret,
};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What a key or token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Acts as the app.
    App,
    /// Acts as one managed agent.
    Agent,
    /// Personal access token of an operator.
    Pat,
}

impl KeyKind {
    const ALL: [KeyKind; 3] = [KeyKind::App, KeyKind::Agent, KeyKind::Pat];

    pub fn prefix(self) -> &'static str {
        match self {
            KeyKind::App => "alter_key_app_",
            KeyKind::Agent => "alter_key_agent_",
            KeyKind::Pat => "alter_pat_",
        }
    }

    fn id_length(self) -> usize {
        match self {
            KeyKind::App => 12,
            KeyKind::Agent => 10,
            KeyKind::Pat => 16,
        }
    }

    fn secret_length(self) -> usize {
        match self {
            KeyKind::App | KeyKind::Agent => 24,
            KeyKind::Pat => 32,
        }
    }

    fn public_length(self) -> usize {
        self.prefix().len() + self.id_length()
    }

    /// No prefix is the beginning of another, so a text has at most one kind.
    fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))
    }
}

/// Prefix and id of a key: not secret.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicPart(String);

impl PublicPart {
    /// Parses a public part alone; a whole key is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let kind = KeyKind::of(text)?;
        (text.len() == kind.public_length() && is_url_safe(text)).then(|| Self(text.to_owned()))
    }

    pub fn kind(&self) -> KeyKind {
        // Every constructor has checked the prefix; a token opens no app, should that ever change.
        KeyKind::of(&self.0).unwrap_or(KeyKind::Pat)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PublicPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PublicPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<PublicPart> for String {
    fn from(value: PublicPart) -> Self {
        value.0
    }
}

/// The text is not the public part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the public part of a key")]
pub struct NotAPublicPart;

impl TryFrom<String> for PublicPart {
    type Error = NotAPublicPart;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        Self::parse(&value).ok_or(NotAPublicPart)
    }
}

/// A key of the right shape. Whether it exists is for the repository to say.
#[derive(Clone)]
pub struct ParsedKey {
    pub kind: KeyKind,
    pub public_part: PublicPart,
    /// SHA-256 of the whole plain key, to be compared with the stored one by [`digest_eq`].
    pub digest: [u8; 32],
}

/// Parses a plain key or token: exact prefix, length and alphabet, nothing around it.
pub fn parse(text: &str) -> Option<ParsedKey> {
    let kind = KeyKind::of(text)?;
    if text.len() != kind.public_length() + kind.secret_length() || !is_url_safe(text) {
        return None;
    }
    let public_part = PublicPart(text.get(..kind.public_length())?.to_owned());
    Some(ParsedKey { kind, public_part, digest: sha256(text.as_bytes()) })
}

/// A fresh key: the plain text is shown once, the rest is stored.
pub struct MintedKey {
    pub plain: Secret<String>,
    pub public_part: PublicPart,
    /// SHA-256 of the plain key. It needs no salt and no slow hash: the secret has 144 random bits or more.
    pub digest: [u8; 32],
}

pub fn mint_app_key(rng: &dyn Rng) -> Result<MintedKey, RngError> {
    mint(KeyKind::App, rng)
}

pub fn mint_agent_key(rng: &dyn Rng) -> Result<MintedKey, RngError> {
    mint(KeyKind::Agent, rng)
}

pub fn mint_pat(rng: &dyn Rng) -> Result<MintedKey, RngError> {
    mint(KeyKind::Pat, rng)
}

/// Compares digests in constant time.
pub fn digest_eq(left: &[u8; 32], right: &[u8; 32]) -> bool {
    left.ct_eq(right).into()
}

fn mint(kind: KeyKind, rng: &dyn Rng) -> Result<MintedKey, RngError> {
    let mut random = Zeroizing::new(vec![0; kind.id_length() + kind.secret_length()]);
    rng.fill(&mut random)?;
    // Room for all of it from the start: a text that grows would leave its beginning behind.
    let mut plain = String::with_capacity(kind.prefix().len() + random.len());
    plain.push_str(kind.prefix());
    plain.extend(random.iter().map(|&byte| symbol(byte)));
    let digest = sha256(plain.as_bytes());
    let public_part = PublicPart(plain.chars().take(kind.public_length()).collect());
    Ok(MintedKey { plain: Secret::new(plain), public_part, digest })
}

/// 64 symbols divide 256 evenly: six bits of a random byte choose without bias.
fn symbol(byte: u8) -> char {
    ALPHABET.get(usize::from(byte & 63)).map_or('A', |&symbol| char::from(symbol))
}

fn is_url_safe(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
