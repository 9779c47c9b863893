//! The providers' keys, and the tokens that verified: fetched seldom, shared by all threads, bounded.
//!
//! A key set is used for ten minutes. Afterwards, or when a token names a key that is not in it, it is fetched again, at most
//! once in ten seconds whatever comes in, and by one fetch that everybody waits for. While a provider cannot be reached its
//! last keys count for an hour, and nobody waits for the next attempt but the caller that starts it.

mod source;

use std::sync::{Arc, Weak};

use jiff::Timestamp;
use quick_cache::{Weighter, sync::Cache};
use ring::digest::{Context, SHA256};

use self::source::Source;
use super::{
    claims::ClaimNames,
    fetch::FetchError,
    jwks::{JwksError, KeySet},
    token::{EventToken, Expected, ExpectedEvent, TokenError, Verified, verify, verify_event_token},
};
use crate::{
    egress::EgressRules,
    port::{Clock, HttpClient},
};

/// With which keys, and by which rules, an app's tokens are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySource<'a> {
    /// See [`Expected`].
    pub issuer: &'a str,
    pub jwks_uri: &'a str,
    pub audience: Option<&'a str>,
    pub client_id: Option<&'a str>,
    pub claims: &'a ClaimNames,
}

impl<'a> KeySource<'a> {
    fn expected(&self) -> Expected<'a> {
        let Self { issuer, audience, client_id, claims, .. } = *self;
        Expected { issuer, audience, client_id, claims }
    }
}

/// With what keys are fetched.
#[derive(Clone)]
pub struct Fetching {
    pub http: Arc<dyn HttpClient>,
    pub rules: EgressRules,
    pub clock: Arc<dyn Clock>,
}

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    #[error("the token is refused: {0}")]
    Token(#[from] TokenError),
    /// The token may be good; nobody can tell. The next attempt is due in ten seconds at most.
    #[error("the issuer's keys cannot be had: {0}")]
    Unavailable(Unavailable),
}

/// Why there are no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Keys(#[from] JwksError),
    /// Its runtime ended, or it takes longer than it may.
    #[error("the fetch did not end")]
    Abandoned,
}

/// Keys by their address, and verified tokens by digest.
pub struct IdentityKeys {
    sources: Cache<String, Arc<Source>>,
    verified: Cache<Digest, Kept, ByBytes>,
}

impl IdentityKeys {
    /// `tokens`: how many tokens of ordinary size are remembered.
    pub fn new(tokens: usize) -> Self {
        let bytes = u64::try_from(tokens).unwrap_or(u64::MAX).saturating_mul(ORDINARY_BYTES);
        Self { sources: Cache::new(MAX_SOURCES), verified: Cache::with_weighter(tokens, bytes, ByBytes) }
    }

    /// Checks a user's token. No network unless keys are missing, old, or do not have the one that the token names.
    pub async fn verify(
        &self,
        with: &Fetching,
        source: &KeySource<'_>,
        token: &str,
    ) -> Result<Arc<Verified>, KeysError> {
        if token.len() > super::MAX_TOKEN_CHARS {
            return Err(TokenError::TooLong.into());
        }
        let from = self.source(source.jwks_uri);
        let keys = from.keys(with).await?;
        let digest = digest(source, token);
        let now = with.clock.now();
        if let Some(verified) = self.kept(&digest, &keys, now) {
            return Ok(verified);
        }
        let (verified, keys) =
            checked(&from, with, keys, |keys| verify(token, keys, &source.expected(), now)).await?;
        let verified = Arc::new(verified);
        let kept = Kept { verified: Arc::clone(&verified), keys: Arc::downgrade(&keys) };
        self.verified.insert(digest, kept);
        Ok(verified)
    }

    /// A token that verified before and still does, without waiting for anything: for naming its user ahead. `None` says
    /// nothing about the token.
    pub fn cached(&self, source: &KeySource<'_>, token: &str, now: Timestamp) -> Option<Arc<Verified>> {
        if token.len() > super::MAX_TOKEN_CHARS {
            return None;
        }
        let keys = self.sources.get(source.jwks_uri)?.at_hand(now)?;
        self.kept(&digest(source, token), &keys, now)
    }

    /// Checks a security event token or a logout token. Such a token is used once: it is not remembered.
    pub async fn verify_event(
        &self,
        with: &Fetching,
        jwks_uri: &str,
        expected: &ExpectedEvent<'_>,
        token: &str,
    ) -> Result<EventToken, KeysError> {
        let from = self.source(jwks_uri);
        let keys = from.keys(with).await?;
        let now = with.clock.now();
        let check = |keys: &KeySet| verify_event_token(token, keys, expected, now);
        let (event, _) = checked(&from, with, keys, check).await?;
        Ok(event)
    }

    /// How many tokens are remembered, and how many bytes they are taken for.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> (usize, u64) {
        (self.verified.len(), self.verified.weight())
    }

    #[cfg(test)]
    pub(super) fn sources(&self) -> usize {
        self.sources.len()
    }

    fn source(&self, jwks_uri: &str) -> Arc<Source> {
        if let Some(source) = self.sources.get(jwks_uri) {
            return source;
        }
        let made = || Ok::<_, std::convert::Infallible>(Arc::new(Source::new(jwks_uri.to_owned())));
        match self.sources.get_or_insert_with(jwks_uri, made) {
            Ok(source) => source,
            Err(never) => match never {},
        }
    }

    /// A token counts with the very key set that it was checked with: when the provider withdraws a key, all are checked anew.
    fn kept(&self, digest: &Digest, keys: &Arc<KeySet>, now: Timestamp) -> Option<Arc<Verified>> {
        let kept = self.verified.get(digest)?;
        let counts = std::ptr::eq(kept.keys.as_ptr(), Arc::as_ptr(keys)) && !kept.verified.is_expired(now);
        counts.then_some(kept.verified)
    }
}

/// Checks with the keys at hand, and once more with newer ones if they do not have the one that it takes.
async fn checked<T>(
    from: &Arc<Source>,
    with: &Fetching,
    keys: Arc<KeySet>,
    check: impl Fn(&KeySet) -> Result<T, TokenError>,
) -> Result<(T, Arc<KeySet>), TokenError> {
    match check(&keys) {
        Err(TokenError::UnknownKey) => {
            let newer = from.newer_than(&keys, with).await.ok_or(TokenError::UnknownKey)?;
            check(&newer).map(|checked| (checked, newer))
        }
        result => result.map(|checked| (checked, keys)),
    }
}

type Digest = [u8; 32];

/// Of the token and of all that its check depends on but keys and time: another configuration is another entry.
fn digest(source: &KeySource<'_>, token: &str) -> Digest {
    let KeySource { issuer, jwks_uri, audience, client_id, claims } = *source;
    let mut context = Context::new(&SHA256);
    let mut field = |text: Option<&str>| {
        // No text is that long: absent and empty differ.
        let length = text.map_or(u64::MAX, |text| text.len() as u64);
        context.update(&length.to_be_bytes());
        context.update(text.unwrap_or_default().as_bytes());
    };
    field(Some(jwks_uri));
    field(Some(issuer));
    field(audience);
    field(client_id);
    field(Some(&claims.user_id));
    field(claims.groups.as_deref());
    field(claims.roles.as_deref());
    field(Some(token));
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

#[derive(Clone)]
struct Kept {
    verified: Arc<Verified>,
    /// Compared, never used: the set itself may be gone.
    keys: Weak<KeySet>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Digest, Kept> for ByBytes {
    fn weight(&self, _: &Digest, kept: &Kept) -> u64 {
        let Verified {
            subject,
            sub,
            email,
            name,
            groups,
            roles,
            audience,
            authorized_party,
            nonce,
            session_id,
            ..
        } = &*kept.verified;
        let texts = [Some(subject), Some(sub), email.as_ref(), name.as_ref()];
        let more = [authorized_party.as_ref(), nonce.as_ref(), session_id.as_ref()];
        let lists = [groups.as_ref(), roles.as_ref(), Some(audience)];
        let texts: usize = texts.into_iter().chain(more).flatten().map(String::len).sum();
        let lists: usize = lists.into_iter().flatten().flatten().map(|text| text.len() + 24).sum();
        FIXED_BYTES + (texts + lists) as u64
    }
}

/// What a remembered token takes without its texts.
const FIXED_BYTES: u64 = 512;
const ORDINARY_BYTES: u64 = 1024;

/// How many providers' keys are remembered. A set has some kilobytes; a hundred of the longest keys make 128 KB.
const MAX_SOURCES: usize = 512;
