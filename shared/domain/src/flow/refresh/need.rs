//! When tokens have to be renewed, and what is kept of a reply.

use jiff::{SignedDuration, Timestamp};

use crate::{
    error::{Error, Result},
    inject::CredentialFields,
    model::{ACCESS_TOKEN, Connection, ConnectionState, REFRESH_TOKEN, TokenFacts},
    oauth::{Provider, RefreshKind, Tokens},
    secret::Secret,
};

/// How urgent a refresh is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    None,
    /// The token is still good; less than five minutes or a tenth of its life is left, whichever is less.
    Soon,
    /// The token has expired or is about to (a tenth of the margin above is left), or the provider refused it.
    Now,
}

const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// How urgent a connection's refresh is. A token that cannot be refreshed is used until it has expired; then it needs one all
/// the same, and is refused (see [`Refresher::fresh`](super::Refresher::fresh)).
pub fn need(connection: &Connection, now: Timestamp) -> Need {
    let TokenFacts { obtained_at, expires_at, refreshable, refused, .. } = connection.tokens;
    if connection.state != ConnectionState::Active {
        return Need::None;
    }
    if refused && refreshable {
        return Need::Now;
    }
    let Some(expires_at) = expires_at else { return Need::None };
    let left = expires_at.duration_since(now);
    if !refreshable {
        return if left.is_positive() { Need::None } else { Need::Now };
    }
    let margin = MARGIN.min(expires_at.duration_since(obtained_at) / 10);
    if left <= SignedDuration::ZERO.max(margin / 10) {
        Need::Now
    } else if left <= margin && !connection.is_resting(now) {
        Need::Soon
    } else {
        Need::None
    }
}

/// No refresh token is used only to keep it alive more often than this.
const RAREST_WORTH: SignedDuration = SignedDuration::from_hours(1);

/// When the refresh token has to be used at the latest: half-way to where it would idle out. None when it does not, or when
/// using it does not help. A token that is its own refresh token has to be exchanged before it expires.
pub fn keep_alive_at(provider: &Provider, facts: &TokenFacts) -> Option<Timestamp> {
    if !facts.refreshable {
        return None;
    }
    let ends_at = match provider.refresh.kind {
        RefreshKind::None | RefreshKind::Assertion => None,
        RefreshKind::AccessToken => facts.expires_at,
        RefreshKind::RefreshToken => match provider.refresh.keep {
            Some(keep) if keep.idle => {
                let life = SignedDuration::from_secs(i64::try_from(keep.seconds).unwrap_or(i64::MAX));
                let by_entry = facts.obtained_at.checked_add(life).ok();
                // The reply knows better than the entry.
                facts.refresh_expires_at.or(by_entry)
            }
            Some(_) => None,
            None => facts.refresh_expires_at,
        },
    }?;
    let half = ends_at.duration_since(facts.obtained_at) / 2;
    // A life that is counted from the first token on gets shorter with each use: at its end there is nothing to keep alive.
    if half < RAREST_WORTH {
        return None;
    }
    facts.obtained_at.checked_add(half).ok()
}

/// What is known of new tokens.
pub fn token_facts(tokens: &Tokens, refreshable: bool, now: Timestamp) -> TokenFacts {
    TokenFacts {
        obtained_at: now,
        expires_at: tokens.expires_at,
        refreshable,
        refresh_expires_at: tokens.refresh_expires_at,
        refused: false,
    }
}

/// Whether there is something to refresh with.
pub fn refreshable(provider: &Provider, fields: &CredentialFields) -> bool {
    match provider.refresh.kind {
        RefreshKind::None => false,
        RefreshKind::RefreshToken => fields.get(REFRESH_TOKEN).is_some(),
        RefreshKind::AccessToken | RefreshKind::Assertion => true,
    }
}

/// The fields under which tokens are sealed. A reply without a refresh token keeps the one that was used.
pub fn token_fields(tokens: &Tokens, kept_refresh: Option<Secret<String>>) -> Result<CredentialFields> {
    let refresh = tokens.refresh_token.clone().or(kept_refresh);
    let mut pairs = vec![(ACCESS_TOKEN, tokens.access_token.clone())];
    pairs.extend(refresh.map(|refresh| (REFRESH_TOKEN, refresh)));
    CredentialFields::from_pairs(pairs, &[])
        .map_err(|error| Error::UpstreamBroken(format!("the provider's tokens cannot be kept: {error}")))
}
