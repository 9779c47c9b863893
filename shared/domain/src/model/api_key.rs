//! API keys. What is stored can check a key but not make it: its public part, a digest, and (in the vault table, sealed)
//! the signing key that is derived from it.

use alter_api_types::{AgentId, AppId, KeyId, OrgId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Scopes;
use crate::error::{Error, Result};

/// Whom a key speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "holder", rename_all = "snake_case")]
pub enum KeyHolder {
    /// The app itself: all of the app's grants, by grant id.
    App,
    /// One agent: the grants bound to it and nothing else.
    Agent { agent_id: AgentId },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum KeyState {
    Active,
    /// A successor was minted; this key works until the grace period ends.
    Rotated {
        at: Timestamp,
        grace_ends_at: Timestamp,
        successor: KeyId,
    },
    Revoked {
        at: Timestamp,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: KeyId,
    pub app_id: AppId,
    pub org_id: OrgId,
    /// The part before the secret: what is shown, looked up, and sent as `X-Alter-Key-Id`.
    pub public_part: String,
    /// SHA-256 of the plain key, lowercase hex. The key has 144 random bits: nothing slower is needed.
    pub digest: String,
    pub name: String,
    pub holder: KeyHolder,
    pub scopes: Scopes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    pub state: KeyState,
    pub created_at: Timestamp,
}

/// Why a key that was presented correctly does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyProblem {
    Revoked,
    Expired,
    GraceOver,
}

impl From<KeyProblem> for Error {
    fn from(problem: KeyProblem) -> Self {
        match problem {
            KeyProblem::Revoked => Error::KeyRevoked,
            KeyProblem::Expired => Error::KeyExpired,
            KeyProblem::GraceOver => Error::KeyRotatedGraceExpired,
        }
    }
}

impl ApiKey {
    /// Whether the key works now. A revocation outranks everything else.
    pub fn usable(&self, now: Timestamp) -> Result<(), KeyProblem> {
        match self.state {
            KeyState::Revoked { .. } => return Err(KeyProblem::Revoked),
            KeyState::Rotated { grace_ends_at, .. } if now >= grace_ends_at => {
                return Err(KeyProblem::GraceOver);
            }
            KeyState::Rotated { .. } | KeyState::Active => {}
        }
        match self.expires_at {
            Some(at) if now >= at => Err(KeyProblem::Expired),
            _ => Ok(()),
        }
    }

    /// Puts a successor in this key's place; only an active key that has not expired can be rotated.
    pub fn rotate(self, successor: KeyId, now: Timestamp, grace: jiff::SignedDuration) -> Result<Self> {
        if self.state != KeyState::Active {
            return Err(Error::conflict("key_not_active", "Only an active key can be rotated."));
        }
        self.usable(now)?;
        let grace_ends_at = now
            .checked_add(grace)
            .map_err(|_| Error::field("invalid_grace", "The grace period is too long."))?;
        Ok(Self { state: KeyState::Rotated { at: now, grace_ends_at, successor }, ..self })
    }

    pub fn revoke(self, now: Timestamp) -> Result<Self> {
        match self.state {
            KeyState::Revoked { .. } => Err(Error::conflict("key_revoked", "The key is revoked already.")),
            KeyState::Active | KeyState::Rotated { .. } => {
                Ok(Self { state: KeyState::Revoked { at: now }, ..self })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn key() -> ApiKey {
        let id = uuid::Uuid::from_u128(7);
        ApiKey {
            id: id.into(),
            app_id: id.into(),
            org_id: id.into(),
            public_part: "alter_key_app_AAAAAAAAAAAA".into(),
            digest: String::new(),
            name: "test".into(),
            holder: KeyHolder::App,
            scopes: Scopes::standard(),
            expires_at: None,
            state: KeyState::Active,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn b104_a_rotated_key_works_in_its_grace_period_and_not_after() {
        let rotated =
            key().rotate(uuid::Uuid::from_u128(8).into(), at(100), SignedDuration::from_secs(60)).unwrap();
        assert_eq!(rotated.usable(at(159)), Ok(()));
        assert_eq!(rotated.usable(at(160)), Err(KeyProblem::GraceOver));
        assert!(rotated.rotate(uuid::Uuid::from_u128(9).into(), at(101), SignedDuration::ZERO).is_err());
    }

    #[test]
    fn an_expired_key_can_be_revoked_but_not_rotated() {
        let expired = ApiKey { expires_at: Some(at(10)), ..key() };
        assert_eq!(expired.usable(at(9)), Ok(()));
        assert_eq!(expired.usable(at(10)), Err(KeyProblem::Expired));
        assert_eq!(
            expired.clone().rotate(uuid::Uuid::from_u128(9).into(), at(10), SignedDuration::ZERO),
            Err(Error::KeyExpired)
        );
        let revoked = expired.revoke(at(11)).unwrap();
        assert_eq!(revoked.usable(at(9)), Err(KeyProblem::Revoked));
        assert!(revoked.revoke(at(12)).is_err());
    }

    #[test]
    fn the_stored_form_reads_back() {
        let key = key().revoke(at(5)).unwrap();
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<ApiKey>(&text).unwrap(), key);
    }
}
