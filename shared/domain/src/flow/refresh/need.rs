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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::lease::tests::{a_connection, second},
        oauth::{Grace, Keep, Refresh, RefreshTokenRotation},
    };

    fn with(life: Option<i64>, refreshable: bool, refused: bool) -> Connection {
        let expires_at = life.map(second);
        let tokens = TokenFacts { expires_at, refreshable, refused, ..a_connection().tokens };
        Connection { tokens, ..a_connection() }
    }

    #[test]
    fn soon_is_five_minutes_or_a_tenth_and_now_a_tenth_of_that() {
        let cases = [
            // An hour: 5 minutes, 30 seconds.
            (with(Some(3600), true, false), 3299, Need::None),
            (with(Some(3600), true, false), 3300, Need::Soon),
            (with(Some(3600), true, false), 3569, Need::Soon),
            (with(Some(3600), true, false), 3570, Need::Now),
            (with(Some(3600), true, false), 9999, Need::Now),
            // Ten minutes: a minute, 6 seconds.
            (with(Some(600), true, false), 539, Need::None),
            (with(Some(600), true, false), 540, Need::Soon),
            (with(Some(600), true, false), 594, Need::Now),
            // No end is known.
            (with(None, true, false), 99_999_999, Need::None),
            // Refused before its time.
            (with(Some(3600), true, true), 1, Need::Now),
            (with(None, true, true), 1, Need::Now),
            (with(Some(3600), false, true), 1, Need::None),
            // Nothing to refresh with: good to the last second.
            (with(Some(3600), false, false), 3599, Need::None),
            (with(Some(3600), false, false), 3600, Need::Now),
            (with(None, false, false), 99_999_999, Need::None),
            // A reply that said it had expired already.
            (with(Some(-5), true, false), 0, Need::Now),
        ];
        for (connection, at, expected) in cases {
            assert_eq!(need(&connection, second(at)), expected, "{:?} at {at}", connection.tokens);
        }
    }

    #[test]
    fn a_refresh_under_way_or_just_failed_is_waited_for_only_when_the_token_is_over() {
        let holder = uuid::Uuid::from_u128(1).into();
        let claimed =
            with(Some(3600), true, false).claim(holder, second(3300), SignedDuration::from_secs(25));
        let crate::model::Claim::Take(leased) = claimed else { panic!("the lease is free") };
        assert_eq!(need(&leased, second(3301)), Need::None);
        assert_eq!(need(&leased, second(3329)), Need::None);
        assert_eq!(need(&leased, second(3330)), Need::Soon);
        assert_eq!(
            need(&Connection { lease: leased.lease, ..with(Some(3310), true, false) }, second(3320)),
            Need::Now
        );
    }

    #[test]
    fn a_broken_connection_needs_nothing_that_a_refresh_gives() {
        let state = ConnectionState::Broken { at: second(0), code: "invalid_grant".to_owned() };
        assert_eq!(need(&Connection { state, ..with(Some(0), true, true) }, second(9)), Need::None);
    }

    fn provider(refresh: &Refresh) -> Provider {
        serde_json::from_value(serde_json::json!({
            "id": "toy", "name": "Toy", "category": "developer_tools", "monogram": "To",
            "docs_url": "https://example.com",
            "token": { "url": "https://example.com/token", "auth": "basic" },
            "scopes": {},
            "refresh": refresh,
            "api": { "hosts": ["example.com"] },
            "evidence": { "sources": [], "date": "2026-11", "endpoints": "low", "behaviour": "low" }
        }))
        .unwrap()
    }

    fn facts(refresh_expires_at: Option<i64>) -> TokenFacts {
        TokenFacts { refresh_expires_at: refresh_expires_at.map(second), ..a_connection().tokens }
    }

    #[test]
    fn a_refresh_token_that_idles_out_is_used_half_way() {
        const DAY: i64 = 86_400;
        let of = |kind, keep| provider(&Refresh { kind, keep, ..Refresh::default() });
        let idle = |seconds| Some(Keep { seconds, idle: true });
        let kind = RefreshKind::RefreshToken;
        let cases = [
            (of(kind, idle(10 * 86_400)), facts(None), Some(5 * DAY)),
            (of(kind, idle(10 * 86_400)), facts(Some(4 * DAY)), Some(2 * DAY)),
            (of(kind, Some(Keep { seconds: 10 * 86_400, idle: false })), facts(None), None),
            (of(kind, None), facts(Some(4 * DAY)), Some(2 * DAY)),
            (of(kind, None), facts(None), None),
            (of(kind, idle(u64::MAX)), facts(None), None),
            // So near its end that using it would be for the use's sake.
            (of(kind, None), facts(Some(7199)), None),
            (of(kind, None), TokenFacts { refreshable: false, ..facts(Some(4 * DAY)) }, None),
            (of(RefreshKind::AccessToken, None), facts(None), None),
            (
                of(RefreshKind::AccessToken, None),
                TokenFacts { expires_at: Some(second(60 * DAY)), ..facts(None) },
                Some(30 * DAY),
            ),
            (of(RefreshKind::Assertion, idle(10 * 86_400)), facts(None), None),
            (of(RefreshKind::None, idle(10 * 86_400)), facts(None), None),
        ];
        for (provider, facts, expected) in cases {
            assert_eq!(
                keep_alive_at(&provider, &facts),
                expected.map(second),
                "{:?} {facts:?}",
                provider.refresh
            );
        }
    }

    fn tokens(refresh: Option<&str>) -> Tokens {
        Tokens {
            access_token: Secret::new("access-2".to_owned()),
            refresh_token: refresh.map(|text| Secret::new(text.to_owned())),
            expires_at: Some(second(99)),
            refresh_expires_at: None,
            scopes: None,
        }
    }

    #[test]
    fn a_reply_without_a_refresh_token_keeps_the_old_one() {
        let old = || Some(Secret::new("refresh-1".to_owned()));
        let text =
            |fields: &CredentialFields, name| fields.get(name).map(|value| value.expose_secret().clone());
        for (new, kept, expected) in [
            (Some("refresh-2"), old(), Some("refresh-2")),
            (None, old(), Some("refresh-1")),
            (None, None, None),
        ] {
            let fields = token_fields(&tokens(new), kept).unwrap();
            assert_eq!(text(&fields, ACCESS_TOKEN).as_deref(), Some("access-2"));
            assert_eq!(text(&fields, REFRESH_TOKEN).as_deref(), expected);
            let by_token = provider(&Refresh {
                kind: RefreshKind::RefreshToken,
                rotation: RefreshTokenRotation::Always,
                grace: Grace::None,
                ..Refresh::default()
            });
            assert_eq!(refreshable(&by_token, &fields), expected.is_some());
        }
    }

    #[test]
    fn new_tokens_are_not_refused_ones() {
        let facts = token_facts(&tokens(None), true, second(9));
        assert_eq!(
            (facts.obtained_at, facts.expires_at, facts.refused),
            (second(9), Some(second(99)), false)
        );
    }
}
