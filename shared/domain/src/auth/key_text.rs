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

/// The operator token that random characters from elsewhere make: 48 of the alphabet, or it is none. A service that makes
/// secrets made them; whoever can read them there has the token.
pub fn pat_from(random: &Secret<String>) -> Option<MintedKey> {
    let random = random.expose_secret();
    let mut plain = String::with_capacity(KeyKind::Pat.prefix().len() + random.len());
    plain.push_str(KeyKind::Pat.prefix());
    plain.push_str(random);
    let plain = Secret::new(plain);
    let ParsedKey { public_part, digest, .. } = parse(plain.expose_secret())?;
    Some(MintedKey { plain, public_part, digest })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::port::SeededRng;

    fn minted() -> [(KeyKind, MintedKey); 3] {
        let rng = SeededRng::new(1);
        [
            (KeyKind::App, mint_app_key(&rng).unwrap()),
            (KeyKind::Agent, mint_agent_key(&rng).unwrap()),
            (KeyKind::Pat, mint_pat(&rng).unwrap()),
        ]
    }

    #[test]
    fn a_minted_key_parses_to_its_parts() {
        for (kind, key) in minted() {
            let plain = key.plain.expose_secret();
            let parsed = parse(plain).unwrap();
            assert_eq!((parsed.kind, &parsed.public_part), (kind, &key.public_part));
            assert!(digest_eq(&parsed.digest, &key.digest));
            assert!(plain.starts_with(key.public_part.as_str()));
            assert_eq!(key.public_part.kind(), kind);
            assert_eq!(PublicPart::parse(key.public_part.as_str()), Some(key.public_part.clone()));
            // Neither half passes for the other.
            assert!(parse(key.public_part.as_str()).is_none());
            assert!(PublicPart::parse(plain).is_none());
        }
    }

    #[test]
    fn random_characters_from_elsewhere_make_a_token_or_none() {
        let random = "aB3".repeat(16);
        let made = pat_from(&Secret::new(random.clone())).unwrap();
        assert_eq!(made.plain.expose_secret(), &format!("alter_pat_{random}"));
        let parsed = parse(made.plain.expose_secret()).unwrap();
        assert_eq!((parsed.kind, parsed.public_part), (KeyKind::Pat, made.public_part));
        assert_eq!(parsed.digest, made.digest);
        let whole = format!("alter_pat_{random}");
        for wrong in ["", &random[1..], &format!("{random}x"), &random.replacen('a', " ", 1), &whole] {
            assert!(pat_from(&Secret::new(wrong.to_owned())).is_none(), "{wrong}");
        }
    }

    #[test]
    fn has_the_layout_that_the_published_clients_accept() {
        let [(_, app), (_, agent), (_, pat)] = minted();
        for key in [&app, &agent] {
            let rest = key.plain.expose_secret().strip_prefix("alter_key_").unwrap();
            assert!(rest.len() == 40 && is_url_safe(rest), "{rest}");
        }
        assert_eq!(app.plain.expose_secret().len(), "alter_key_app_".len() + 12 + 24);
        assert_eq!(agent.plain.expose_secret().len(), "alter_key_agent_".len() + 10 + 24);
        assert_eq!(pat.plain.expose_secret().len(), "alter_pat_".len() + 16 + 32);
        for key in [app, agent, pat] {
            assert_eq!(key.public_part.as_str().len(), 26);
        }
    }

    #[test]
    fn refuses_every_other_shape() {
        for (_, key) in minted() {
            let plain = key.plain.expose_secret();
            let public = key.public_part.as_str();
            for text in [plain, public] {
                let long = format!("{text}A");
                let swapped = |c: char| {
                    let mut text = text.to_owned();
                    text.pop();
                    text.push(c);
                    text
                };
                let bad = [
                    &text[..text.len() - 1],
                    &long,
                    &format!(" {text}"),
                    &format!("{text} "),
                    &format!("{text}\n"),
                    &text.to_uppercase(),
                    &text.replacen("alter", "Alter", 1),
                    &swapped('+'),
                    &swapped('/'),
                    &swapped('='),
                    &swapped('.'),
                    &swapped('é'),
                    &swapped('\0'),
                ];
                for text in bad {
                    assert!(parse(text).is_none() && PublicPart::parse(text).is_none(), "{text:?}");
                }
            }
        }
        for text in
            ["", "alter_key_", "alter_pat_", "alter_rk_aaaaaaaaaaaaaaaaaaaaaa_l77ykl", &"a".repeat(1_000_000)]
        {
            assert!(parse(text).is_none() && PublicPart::parse(text).is_none());
        }
    }

    #[test]
    fn stored_public_parts_are_checked() {
        let (_, key) = &minted()[0];
        let json = serde_json::to_string(&key.public_part).unwrap();
        assert_eq!(json, format!("\"{}\"", key.public_part));
        assert_eq!(serde_json::from_str::<PublicPart>(&json).unwrap(), key.public_part);
        assert!(serde_json::from_str::<PublicPart>("\"alter_key_app_short\"").is_err());
    }

    #[test]
    fn every_symbol_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for byte in 0..=u8::MAX {
            *counts.entry(symbol(byte)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 64);
        assert!(counts.values().all(|&count| count == 4));
        assert!(counts.keys().all(|&symbol| is_url_safe(&symbol.to_string())));
    }

    #[test]
    fn without_randomness_there_is_no_key() {
        struct Broken;
        impl crate::port::Rng for Broken {
            fn fill(&self, _: &mut [u8]) -> Result<(), RngError> {
                Err(RngError)
            }
        }
        assert!(
            mint_app_key(&Broken).is_err() && mint_agent_key(&Broken).is_err() && mint_pat(&Broken).is_err()
        );
    }

    proptest! {
        #[test]
        fn parsing_never_fails_otherwise_than_by_none(tail in "\\PC{0,60}", prefix in "(alter_key_app_|alter_key_agent_|alter_pat_|)") {
            let text = format!("{prefix}{tail}");
            if let Some(key) = parse(&text) {
                prop_assert!(text.starts_with(key.public_part.as_str()));
                prop_assert_eq!(key.digest, sha256(text.as_bytes()));
            }
        }

        #[test]
        fn digests_compare_like_bytes(left: [u8; 32], right: [u8; 32], bit in 0usize..256) {
            prop_assert_eq!(digest_eq(&left, &right), left == right);
            let mut near = left;
            near[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(digest_eq(&left, &left) && !digest_eq(&left, &near));
        }
    }
}
