//! One signed-in browser of the Wallet. The browser has a secret and the store its digest; who the user is, and whether they may
//! still act, is read anew for each request.

use alter_api_types::{AppId, IdpId, OrgId, UserId, WalletSessionId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a session lives without being used.
pub const WALLET_IDLE: SignedDuration = SignedDuration::from_hours(8);
/// How long it lives at most.
pub const WALLET_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Uses closer together than this are noted as one: a page full of requests is not a storm of writes.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletSession {
    pub id: WalletSessionId,
    pub org_id: OrgId,
    /// The app whose identity provider the user signed in with.
    pub app_id: AppId,
    /// An app that has changed to another identity provider ends the sessions of before.
    pub idp_id: IdpId,
    pub user_id: UserId,
    pub issuer: String,
    /// The `sub` claim: the same person in apps that tell users apart by another claim.
    pub sub: String,
    /// Hex SHA-256 of the browser's secret.
    pub browser: String,
    /// When the ID token that it began with was issued, in Unix seconds: whatever ends the tokens of that time ends the session.
    pub issued_at: i64,
    pub created_at: Timestamp,
    /// When it was last used, a few minutes late.
    pub used_at: Timestamp,
}

impl WalletSession {
    pub fn is_alive(&self, now: Timestamp) -> bool {
        let within = |since: Timestamp, limit| now.duration_since(since) < limit;
        within(self.created_at, WALLET_LIFETIME) && within(self.used_at, WALLET_IDLE)
    }

    /// When it ends whatever happens.
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.saturating_add(WALLET_LIFETIME).unwrap_or(Timestamp::MAX)
    }

    /// Used at this moment. `None`: that is noted already, closely enough.
    pub fn used(&self, now: Timestamp) -> Option<Self> {
        (now.duration_since(self.used_at) >= NOTED_EVERY).then(|| Self { used_at: now, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_and_after_a_day() {
        let id = uuid::Uuid::from_u128(1);
        let session = WalletSession {
            id: id.into(),
            org_id: id.into(),
            app_id: id.into(),
            idp_id: id.into(),
            user_id: id.into(),
            issuer: "https://idp.example".to_owned(),
            sub: "alice".to_owned(),
            browser: String::new(),
            issued_at: 0,
            created_at: at(0),
            used_at: at(0),
        };
        let hours = |n: i64| at(n * 3600);
        assert!(session.is_alive(at(8 * 3600 - 1)) && !session.is_alive(hours(8)));
        assert!(session.used(at(299)).is_none());
        let mut used = session;
        for hour in [7, 14, 21, 23] {
            assert!(used.is_alive(hours(hour)));
            used = used.used(hours(hour)).unwrap();
        }
        assert!(used.is_alive(at(24 * 3600 - 1)) && !used.is_alive(hours(24)));
        assert_eq!(used.expires_at(), hours(24));
    }
}
