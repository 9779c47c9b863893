//! Connect sessions: one visit of an end user to the Connect page, from the app's request to its result.
//!
//! A session changes by whole documents that are written against the version that was read, because two tabs and two clicks
//! act on it at once. What is connected stays connected; a finished session changes no more.

use alter_api_types::{AppId, ConnectSessionId, ConnectionId, GrantId, OrgId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Actor, GrantPolicy, Principal};
use crate::{
    error::Result,
    oauth::{AccountInfo, Values},
};

/// How long a session can be used.
pub const SESSION_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// How long after that its result can be polled.
pub const RESULT_KEPT: SignedDuration = SignedDuration::from_hours(1);
/// How long the user may take at the provider.
pub const AUTHORIZATION_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectSession {
    pub id: ConnectSessionId,
    pub org_id: OrgId,
    pub app_id: AppId,
    /// Hex SHA-256 of the session's token. The token itself is nowhere.
    pub token_digest: String,
    /// What may be connected, in the order in which the page shows it. Nothing else can be.
    pub providers: Vec<SessionProvider>,
    /// Whose the grants will be.
    pub principal: Principal,
    /// Who asked for the session.
    pub actor: Actor,
    pub terms: SessionTerms,
    /// Where a visit that left the app's page goes back to. Fixed by the app's key; nothing on the way can change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// The one origin that a popup's result is posted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_origin: Option<String>,
    /// Straight to the provider, without a page of ours to look at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub direct: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub switch_account: bool,
    /// The grant whose connection is to be renewed, with the same account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<GrantId>,
    /// Hex SHA-256 of the secret of the browser that opened the session first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionProvider {
    pub provider_id: String,
    /// What is asked for, beside what the provider's entry always asks for.
    pub scopes: Vec<String>,
    pub progress: Progress,
}

/// The terms of the grants to come, as the app asked for them. Times to live count from the grant's creation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTerms {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_ttl_seconds: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl_seconds: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Progress {
    Waiting,
    Connected(Connected),
    /// The user, or the provider on the user's word, said no.
    Declined {
        code: String,
        at: Timestamp,
    },
    /// It may be tried again.
    Failed {
        code: String,
        message: String,
        at: Timestamp,
    },
}

/// What was connected, as the app is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connected {
    pub grant_id: GrantId,
    pub connection_id: ConnectionId,
    pub operation: Operation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountInfo>,
    pub scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_base_url: Option<String>,
    /// When the grant ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    pub grant_created_at: Timestamp,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Creation,
    /// A connection that was there has new tokens; its grants keep their ids.
    Reauth,
}

impl Operation {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creation => "creation",
            Self::Reauth => "reauth",
        }
    }
}

/// How a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionOutcome<'a> {
    Pending,
    /// At least one grant was made.
    Completed,
    /// It ended without a grant.
    Ended {
        code: &'a str,
        message: &'a str,
    },
    Expired,
}

/// One authorization request under way. It is found by the digest of its `state` and used once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingAuthorization {
    pub session_id: ConnectSessionId,
    pub app_id: AppId,
    pub provider_id: String,
    pub values: Values,
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The published clients' word for a user who said no.
pub const DENIED: &str = "connect_denied";
const DENIED_MESSAGE: &str = "The user did not connect an account.";

impl ConnectSession {
    /// Whether something can still be connected with it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.finished_at.is_none() && now < self.expires_at
    }

    pub fn provider(&self, provider_id: &str) -> Option<&SessionProvider> {
        self.providers.iter().find(|provider| provider.provider_id == provider_id)
    }

    /// What was connected, with the provider of each.
    pub fn connected(&self) -> impl Iterator<Item = (&str, &Connected)> {
        self.providers.iter().filter_map(|provider| match &provider.progress {
            Progress::Connected(connected) => Some((provider.provider_id.as_str(), connected)),
            _ => None,
        })
    }

    /// Takes in how a provider ended. A session that has nothing left to ask finishes by itself: one provider that was
    /// connected or declined, several that are all connected, and a direct one whatever happened, for it has no page on which
    /// the user could try again.
    pub fn settle(mut self, provider_id: &str, progress: Progress, now: Timestamp) -> Self {
        if self.finished_at.is_some() {
            return self;
        }
        if let Some(provider) = self.providers.iter_mut().find(|p| p.provider_id == provider_id)
            && !matches!(provider.progress, Progress::Connected(_))
        {
            provider.progress = progress;
        }
        let alone = self.providers.len() == 1;
        let direct = self.direct;
        let done = self.providers.iter().all(|provider| match provider.progress {
            Progress::Connected(_) => true,
            Progress::Declined { .. } => alone,
            Progress::Failed { .. } => direct,
            Progress::Waiting => false,
        });
        if done { self.finish(now) } else { self }
    }

    /// Ends it with what there is.
    pub fn finish(self, now: Timestamp) -> Self {
        Self { finished_at: self.finished_at.or(Some(now)), ..self }
    }

    /// A visit that was left without a word counts, when its time is over, as finished with what was connected.
    pub fn outcome(&self, now: Timestamp) -> SessionOutcome<'_> {
        let finished = self.finished_at.is_some();
        if !finished && now < self.expires_at {
            return SessionOutcome::Pending;
        }
        if self.connected().next().is_some() {
            return SessionOutcome::Completed;
        }
        if !finished {
            return SessionOutcome::Expired;
        }
        let failed = self.providers.iter().find_map(|provider| match &provider.progress {
            Progress::Failed { code, message, .. } => Some((code.as_str(), message.as_str())),
            _ => None,
        });
        let (code, message) = failed.unwrap_or((DENIED, DENIED_MESSAGE));
        SessionOutcome::Ended { code, message }
    }
}

impl SessionTerms {
    /// The policy of a grant made now.
    pub fn policy(&self, now: Timestamp) -> Result<GrantPolicy> {
        GrantPolicy::resolve(self.expires_at, self.default_ttl_seconds, self.max_ttl_seconds, now)
    }

    /// Whether the app limits the grants' lives.
    pub fn has_policy(&self) -> bool {
        self.expires_at.is_some() || self.default_ttl_seconds.is_some() || self.max_ttl_seconds.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn session(providers: &[&str], direct: bool) -> ConnectSession {
        let id = uuid::Uuid::from_u128(1);
        let provider = |id: &&str| SessionProvider {
            provider_id: (*id).to_owned(),
            scopes: Vec::new(),
            progress: Progress::Waiting,
        };
        ConnectSession {
            id: id.into(),
            org_id: id.into(),
            app_id: id.into(),
            token_digest: String::new(),
            providers: providers.iter().map(provider).collect(),
            principal: Principal::System,
            actor: Actor::of_vault(),
            terms: SessionTerms::default(),
            return_url: None,
            allowed_origin: None,
            direct,
            switch_account: false,
            repair: None,
            browser: None,
            finished_at: None,
            created_at: at(0),
            expires_at: at(600),
        }
    }

    fn connected() -> Progress {
        let id = uuid::Uuid::from_u128(2);
        Progress::Connected(Connected {
            grant_id: id.into(),
            connection_id: id.into(),
            operation: Operation::Creation,
            account: None,
            scopes: Vec::new(),
            api_base_url: None,
            expires_at: None,
            grant_created_at: at(1),
            at: at(1),
        })
    }

    fn declined() -> Progress {
        Progress::Declined { code: "access_denied".to_owned(), at: at(1) }
    }

    fn failed() -> Progress {
        Progress::Failed { code: "c".to_owned(), message: "m".to_owned(), at: at(1) }
    }

    #[test]
    fn a_session_ends_when_there_is_nothing_left_to_ask() {
        type Case<'a> = (&'a [&'a str], bool, &'a [(&'a str, Progress)], bool);
        let cases: [Case<'_>; 10] = [
            (&["a"], false, &[("a", connected())], true),
            (&["a"], false, &[("a", declined())], true),
            (&["a"], false, &[("a", failed())], false),
            (&["a"], true, &[("a", failed())], true),
            (&["a"], false, &[("other", connected())], false),
            (&["a", "b"], false, &[("a", connected())], false),
            (&["a", "b"], false, &[("a", connected()), ("b", declined())], false),
            (&["a", "b"], false, &[("a", connected()), ("b", connected())], true),
            (&["a", "b"], false, &[("a", failed()), ("a", connected()), ("b", connected())], true),
            // What is connected stays connected.
            (&["a", "b"], false, &[("a", connected()), ("a", declined()), ("b", connected())], true),
        ];
        for (providers, direct, steps, ends) in cases {
            let mut now = session(providers, direct);
            for (id, progress) in steps {
                now = now.settle(id, progress.clone(), at(1));
            }
            assert_eq!(now.finished_at.is_some(), ends, "{providers:?} {steps:?}");
        }
    }

    #[test]
    fn a_finished_session_changes_no_more() {
        let finished = session(&["a"], false).finish(at(1));
        assert_eq!(finished.clone().settle("a", connected(), at(2)), finished);
        assert_eq!(finished.clone().finish(at(2)), finished);
    }

    #[test]
    fn the_outcome_is_by_what_was_connected_and_by_the_clock() {
        let open = session(&["a", "b"], false);
        assert_eq!(open.outcome(at(599)), SessionOutcome::Pending);
        assert_eq!(open.outcome(at(600)), SessionOutcome::Expired);
        let one = open.clone().settle("a", connected(), at(1)).settle("b", failed(), at(1));
        assert_eq!(one.outcome(at(599)), SessionOutcome::Pending);
        assert_eq!(one.outcome(at(600)), SessionOutcome::Completed);
        assert_eq!(one.finish(at(2)).outcome(at(3)), SessionOutcome::Completed);
        let none = open.clone().finish(at(1));
        assert!(matches!(none.outcome(at(2)), SessionOutcome::Ended { code: DENIED, .. }));
        let failed = open.settle("b", failed(), at(1)).settle("a", declined(), at(1)).finish(at(1));
        assert_eq!(failed.outcome(at(2)), SessionOutcome::Ended { code: "c", message: "m" });
    }
}
