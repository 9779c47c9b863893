//! What is told of people by the name that their identity provider has for them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{User, UserState};

/// What events have said of somebody, by their `sub`: kept whether or not the vault knows them, so that whoever comes later, for
/// the first time or by another claim, comes as what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub state: UserState,
    /// As for [`User::state_as_of`].
    pub state_as_of: Timestamp,
    /// As for [`User::tokens_valid_after`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_valid_after: Option<i64>,
    /// As for [`User::signed_out_at`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_out_at: Option<i64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left: Left,
}

impl Default for Notice {
    fn default() -> Self {
        Self {
            state: UserState::Active,
            state_as_of: Timestamp::UNIX_EPOCH,
            tokens_valid_after: None,
            signed_out_at: None,
            left: Left::new(),
        }
    }
}

impl Notice {
    /// Somebody as they have been told of.
    pub fn applied_to(&self, user: User) -> User {
        User {
            state: self.state,
            state_as_of: self.state_as_of,
            tokens_valid_after: self.tokens_valid_after.max(user.tokens_valid_after),
            signed_out_at: self.signed_out_at.max(user.signed_out_at),
            ..user
        }
    }

    /// The notice after somebody whom it was [applied to](Self::applied_to) has changed.
    #[must_use]
    pub fn read_from(self, user: &User) -> Self {
        let User { state, state_as_of, tokens_valid_after, signed_out_at, .. } = *user;
        Self { state, state_as_of, tokens_valid_after, signed_out_at, ..self }
    }

    /// Remembers groups that somebody has left.
    #[must_use]
    pub fn without(mut self, groups: &[String], at: i64) -> Self {
        leave(&mut self.left, groups, at);
        self
    }
}

/// Groups that somebody has left, or that are gone, and when, in Unix seconds: a token issued at or before cannot bring one back.
pub type Left = BTreeMap<String, i64>;

/// How many departures from groups are remembered. What is forgotten first is oldest; tokens of that time have expired.
pub(super) const MAX_LEFT: usize = 200;

/// Adds groups that were left then.
pub fn leave(left: &mut Left, groups: &[String], at: i64) {
    for group in groups {
        let known = left.entry(group.clone()).or_insert(i64::MIN);
        *known = (*known).max(at);
    }
    while left.len() > MAX_LEFT {
        let oldest = left.iter().min_by_key(|(_, at)| **at).map(|(group, _)| group.clone());
        let Some(oldest) = oldest else { break };
        left.remove(&oldest);
    }
}

/// Whether a token that was issued then cannot bring somebody into the group.
pub fn keeps_out(left: &Left, group: &str, issued_at: i64) -> bool {
    left.get(group).is_some_and(|left| issued_at <= *left)
}
