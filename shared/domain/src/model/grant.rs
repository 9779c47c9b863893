//! Grants: who may use which credential, and until when.

use alter_api_types::{AgentId, AppId, ConnectionId, CredentialId, GrantId, IdpId, SecretId, UserId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The owner of a grant. Exactly one kind, never interchangeable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Principal {
    /// An end user.
    User { user_id: UserId },
    /// A group of the identity provider: its current and future members.
    Group { idp_id: IdpId, external_group_id: String },
    /// The app itself: no human, no agent. Never found by provider, only by grant id.
    System,
    /// One agent.
    Agent { agent_id: AgentId },
}

/// A principal's kind, as the wire spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalType {
    User,
    Group,
    System,
    Agent,
}

impl PrincipalType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::System => "system",
            Self::Agent => "agent",
        }
    }
}

impl Principal {
    /// The end user, where it is one.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::User { user_id } => Some(*user_id),
            Self::Group { .. } | Self::System | Self::Agent { .. } => None,
        }
    }

    pub fn kind(&self) -> PrincipalType {
        match self {
            Self::User { .. } => PrincipalType::User,
            Self::Group { .. } => PrincipalType::Group,
            Self::System => PrincipalType::System,
            Self::Agent { .. } => PrincipalType::Agent,
        }
    }
}

/// How long a grant lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantPolicy {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The longest life, in seconds from creation, that an extension may reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl_seconds: Option<i64>,
}

impl GrantPolicy {
    /// Resolves the three inputs of the wire into an expiry. `expires_at` wins over `default_ttl_seconds`, which wins over
    /// `max_ttl_seconds`; the result is in the future and not past the maximum.
    pub fn resolve(
        expires_at: Option<Timestamp>,
        default_ttl_seconds: Option<i64>,
        max_ttl_seconds: Option<i64>,
        now: Timestamp,
    ) -> Result<Self> {
        const TEN_YEARS: i64 = 10 * 366 * 86_400;
        let invalid = |message: &str| Error::field("invalid_grant_policy", message);
        for ttl in [default_ttl_seconds, max_ttl_seconds].into_iter().flatten() {
            if !(1..=TEN_YEARS).contains(&ttl) {
                return Err(invalid("A time to live is 1 second to 10 years, in seconds."));
            }
        }
        let after = |ttl: i64| {
            now.checked_add(jiff::SignedDuration::from_secs(ttl))
                .map_err(|_| invalid("The expiry is out of range."))
        };
        let latest = max_ttl_seconds.map(after).transpose()?;
        let chosen = match (expires_at, default_ttl_seconds) {
            (Some(at), _) => Some(at),
            (None, Some(ttl)) => Some(after(ttl)?),
            (None, None) => latest,
        };
        if chosen.is_some_and(|at| at <= now) {
            return Err(invalid("The expiry lies in the past."));
        }
        if let (Some(at), Some(latest)) = (chosen, latest)
            && at > latest
        {
            return Err(invalid("The expiry is later than max_ttl_seconds allows."));
        }
        Ok(Self { expires_at: chosen, max_ttl_seconds })
    }
}

/// From where something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    Sdk,
    Portal,
    Wallet,
    Webhook,
    /// The Connect page.
    Connect,
    /// The vault itself, in the background.
    Vault,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum GrantState {
    Active,
    /// Final. Access comes back only as a new grant.
    Revoked {
        at: Timestamp,
        from: Surface,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// A grant's state as people see it: expiry is a matter of the clock, not of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantStatus {
    Active,
    Expired,
    Revoked,
}

impl GrantStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Expired, Self::Revoked].into_iter().find(|status| status.as_str() == text)
    }
}

/// What a grant is on. It never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GrantSource {
    ManagedSecret {
        secret_id: SecretId,
    },
    #[serde(rename = "oauth")]
    OAuth {
        connection_id: ConnectionId,
    },
}

impl GrantSource {
    pub fn secret_id(self) -> Option<SecretId> {
        match self {
            Self::ManagedSecret { secret_id } => Some(secret_id),
            Self::OAuth { .. } => None,
        }
    }

    pub fn connection_id(self) -> Option<ConnectionId> {
        match self {
            Self::OAuth { connection_id } => Some(connection_id),
            Self::ManagedSecret { .. } => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: GrantId,
    pub app_id: AppId,
    pub source: GrantSource,
    pub credential_id: CredentialId,
    /// The provider as calls name it: the managed secret's slug or the OAuth provider's id. It never changes.
    pub provider_id: String,
    pub principal: Principal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default)]
    pub policy: GrantPolicy,
    pub state: GrantState,
    pub created_at: Timestamp,
}

/// How long an expired grant on a connection waits to be given more time or to be connected anew, before the vault revokes it:
/// the connection's tokens must end at some time, and they end with its last grant.
const KEPT_EXPIRED: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Grant {
    /// When the vault itself revokes the grant because it has expired. Never for one without expiry, nor for one on a managed
    /// secret, whose value stays whether there are grants or not.
    pub fn ends_at(&self) -> Option<Timestamp> {
        match (self.source, &self.state) {
            (GrantSource::OAuth { .. }, GrantState::Active) => {
                self.policy.expires_at.map(|at| at.saturating_add(KEPT_EXPIRED).unwrap_or(Timestamp::MAX))
            }
            _ => None,
        }
    }

    pub fn status(&self, now: Timestamp) -> GrantStatus {
        match self.state {
            GrantState::Revoked { .. } => GrantStatus::Revoked,
            GrantState::Active if self.policy.expires_at.is_some_and(|at| now >= at) => GrantStatus::Expired,
            GrantState::Active => GrantStatus::Active,
        }
    }

    /// Until when its holder may have the grant extended at most; `None` where no more time is to be had: it is revoked, it does not
    /// expire, its operator named no maximum, or the maximum is reached or over.
    pub fn extendable_to(&self, now: Timestamp) -> Option<Timestamp> {
        let (GrantState::Active, GrantPolicy { expires_at: Some(ends), max_ttl_seconds: Some(longest) }) =
            (&self.state, self.policy)
        else {
            return None;
        };
        let latest = self.created_at.checked_add(SignedDuration::from_secs(longest)).ok()?;
        (latest > ends && latest > now).then_some(latest)
    }

    /// Gives the grant more time, within what its operator allows. One that has expired lives again.
    pub fn extend(self, to: Timestamp, now: Timestamp) -> Result<Self> {
        if let GrantState::Revoked { .. } = self.state {
            return Err(Error::GrantRevoked { grant_id: self.id });
        }
        let latest = self.extendable_to(now).ok_or_else(Error::grant_not_extendable)?;
        if to > latest || to <= now || self.policy.expires_at.is_some_and(|ends| to <= ends) {
            return Err(Error::field(
                "invalid_expires_at",
                format!(
                    "The new expiry is in the future, later than the present one, and at the latest {latest}."
                ),
            ));
        }
        Ok(Self { policy: GrantPolicy { expires_at: Some(to), ..self.policy }, ..self })
    }

    /// Ends the grant for good. An expired grant can still be revoked; a revoked one cannot.
    pub fn revoke(self, now: Timestamp, from: Surface, reason: Option<String>) -> Result<Self> {
        match self.state {
            GrantState::Active => Ok(Self { state: GrantState::Revoked { at: now, from, reason }, ..self }),
            GrantState::Revoked { .. } => Err(Error::GrantRevoked { grant_id: self.id }),
        }
    }
}

/// A label that people read in the Wallet: as a name, 1 to 100 characters.
pub fn label(text: &str) -> Result<String> {
    super::name(text).map_err(|_| {
        Error::field("invalid_label", "A label has 1 to 100 characters and no control characters.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn b099_the_policy_resolves_to_one_expiry_within_the_maximum() {
        let resolve =
            |e: Option<i64>, d, m| GrantPolicy::resolve(e.map(at), d, m, at(1000)).map(|p| p.expires_at);
        assert_eq!(resolve(None, None, None), Ok(None));
        assert_eq!(resolve(Some(1500), Some(10), None), Ok(Some(at(1500))));
        assert_eq!(resolve(None, Some(10), Some(100)), Ok(Some(at(1010))));
        assert_eq!(resolve(None, None, Some(100)), Ok(Some(at(1100))));
        for bad in [
            resolve(Some(1000), None, None),
            resolve(Some(1101), None, Some(100)),
            resolve(None, Some(101), Some(100)),
            resolve(None, Some(0), None),
            resolve(None, None, Some(-1)),
            resolve(None, Some(i64::MAX), None),
        ] {
            assert!(matches!(bad, Err(Error::InvalidField { code: "invalid_grant_policy", .. })), "{bad:?}");
        }
    }

    fn grant(expires_at: Option<i64>, max_ttl_seconds: Option<i64>) -> Grant {
        let id = uuid::Uuid::from_u128(1);
        Grant {
            id: id.into(),
            app_id: id.into(),
            source: GrantSource::ManagedSecret { secret_id: id.into() },
            credential_id: id.into(),
            provider_id: "stripe".into(),
            principal: Principal::System,
            label: None,
            policy: GrantPolicy { expires_at: expires_at.map(at), max_ttl_seconds },
            state: GrantState::Active,
            created_at: at(0),
        }
    }

    #[test]
    fn b099_more_time_never_exceeds_the_operators_maximum() {
        let limited = grant(Some(10), Some(100));
        assert_eq!(limited.extendable_to(at(5)), Some(at(100)));
        for (to, now) in [(11, 5), (100, 5), (100, 99), (50, 20)] {
            let extended = limited.clone().extend(at(to), at(now)).unwrap();
            assert_eq!(extended.policy.expires_at, Some(at(to)));
            assert_eq!(extended.status(at(now)), GrantStatus::Active);
            assert_eq!(extended.policy.max_ttl_seconds, Some(100));
        }
        for (to, now) in [(101, 5), (10, 5), (9, 5), (20, 20), (15, 20), (0, 5)] {
            let refused = limited.clone().extend(at(to), at(now));
            assert!(
                matches!(refused, Err(Error::InvalidField { code: "invalid_expires_at", .. })),
                "{to} at {now}"
            );
        }
        let later = limited.clone().extend(at(50), at(5)).unwrap();
        assert!(later.extend(at(40), at(5)).is_err(), "less time than before");
        for (expires_at, longest, now) in [
            (None, None, 5),
            (None, Some(100), 5),
            (Some(10), None, 5),
            (Some(100), Some(100), 5),
            // Connected anew, it has got more than from its creation.
            (Some(120), Some(100), 5),
            (Some(10), Some(100), 100),
            (Some(10), Some(i64::MAX), 5),
        ] {
            let fixed = grant(expires_at, longest);
            assert_eq!(fixed.extendable_to(at(now)), None);
            assert_eq!(fixed.extend(at(now + 1), at(now)), Err(Error::grant_not_extendable()));
        }
        let revoked = limited.revoke(at(5), Surface::Wallet, None).unwrap();
        assert_eq!(revoked.extendable_to(at(5)), None);
        assert!(matches!(revoked.extend(at(50), at(5)), Err(Error::GrantRevoked { .. })));
    }

    #[test]
    fn revoking_is_final_and_outranks_expiry() {
        let grant = grant(Some(10), None);
        assert_eq!(grant.status(at(9)), GrantStatus::Active);
        assert_eq!(grant.status(at(10)), GrantStatus::Expired);
        let revoked = grant.revoke(at(11), Surface::Sdk, None).unwrap();
        assert_eq!(revoked.status(at(9)), GrantStatus::Revoked);
        let text = serde_json::to_string(&revoked).unwrap();
        assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), revoked);
        assert!(revoked.revoke(at(12), Surface::Sdk, None).is_err());
    }
}
