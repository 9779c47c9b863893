//! Sign-ins: one end user's way to their app's identity provider and back, from the app's request to the token that it gets.
//!
//! A sign-in changes by whole documents that are written against the version that was read, as Connect's sessions do. It takes
//! one result, which stays as it is.

use alter_api_types::{AppId, IdpId, OrgId, SignInId, UserId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Actor;

/// How long a sign-in may take.
pub const SIGN_IN_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// How much longer its result is told: one that comes in the last moment can be polled too.
pub const SIGN_IN_TOLD: SignedDuration = SignedDuration::from_mins(1);
/// How many requests to the identity provider may be under way in the one browser: tabs, and clicks on "back".
const MAX_REQUESTS: usize = 5;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignIn {
    pub id: SignInId,
    pub org_id: OrgId,
    pub app_id: AppId,
    /// Who is asked. An app that has changed to another has no use for the answer.
    pub idp_id: IdpId,
    /// Hex SHA-256 of what the app polls with.
    pub token_digest: String,
    /// Hex SHA-256 of what opens the sign-in in a browser. It says nothing of the other.
    pub start_digest: String,
    /// Who asked for it.
    pub actor: Actor,
    /// Hex SHA-256 of the secret of the browser that opened it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    /// Hex SHA-256 of the `state` of each request under way, newest last. Each is answered once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<String>,
    pub progress: SignInProgress,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SignInProgress {
    Waiting,
    Completed {
        user_id: UserId,
        profile: SignInProfile,
        /// Base64 of the user's token, sealed for this sign-in.
        sealed_token: String,
        at: Timestamp,
    },
    /// Told to the app and to the user. The app starts a new one.
    Failed {
        code: String,
        message: String,
        at: Timestamp,
    },
}

/// Who signed in, as the identity provider says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInProfile {
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl SignIn {
    /// Whether somebody can still sign in with it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.progress == SignInProgress::Waiting && now < self.expires_at
    }

    /// When it is forgotten, in Unix seconds.
    pub fn forgotten_at(&self) -> i64 {
        self.expires_at.as_second().saturating_add(SIGN_IN_TOLD.as_secs())
    }

    /// Notes one more request to the identity provider; the oldest of too many is given up.
    pub fn asking(mut self, state_digest: String) -> Self {
        if self.requests.len() >= MAX_REQUESTS {
            self.requests.remove(0);
        }
        self.requests.push(state_digest);
        self
    }

    /// Uses a request up. `None`: it is not under way.
    pub fn answered(mut self, state_digest: &str) -> Option<Self> {
        let at = self.requests.iter().position(|known| known == state_digest)?;
        self.requests.remove(at);
        Some(self)
    }

    /// Takes its one result. What comes after that changes nothing.
    pub fn end(self, result: SignInProgress) -> Self {
        match self.progress {
            SignInProgress::Waiting => Self { progress: result, requests: Vec::new(), ..self },
            SignInProgress::Completed { .. } | SignInProgress::Failed { .. } => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in() -> SignIn {
        let id = uuid::Uuid::from_u128(1);
        SignIn {
            id: id.into(),
            org_id: id.into(),
            app_id: id.into(),
            idp_id: id.into(),
            token_digest: String::new(),
            start_digest: String::new(),
            actor: Actor::of_vault(),
            browser: None,
            requests: Vec::new(),
            progress: SignInProgress::Waiting,
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::from_second(600).unwrap(),
        }
    }

    #[test]
    fn a_request_is_answered_once() {
        let asking = sign_in().asking("a".to_owned()).asking("b".to_owned());
        let answered = asking.answered("a").unwrap();
        assert!(answered.clone().answered("a").is_none());
        assert!(answered.answered("b").is_some());
        let mut many = sign_in();
        for n in 0..20 {
            many = many.asking(n.to_string());
        }
        assert_eq!(many.requests.len(), MAX_REQUESTS);
        assert!(many.clone().answered("0").is_none() && many.answered("19").is_some());
    }

    #[test]
    fn the_first_result_stays() {
        let at = Timestamp::from_second(5).unwrap();
        let failed =
            |code: &str| SignInProgress::Failed { code: code.to_owned(), message: String::new(), at };
        let ended = sign_in().asking("a".to_owned()).end(failed("first"));
        assert!(!ended.is_open(at) && ended.requests.is_empty());
        assert_eq!(ended.clone().end(failed("second")), ended);
        assert!(sign_in().is_open(at) && !sign_in().is_open(sign_in().expires_at));
        assert_eq!(sign_in().forgotten_at(), 660);
    }
}
