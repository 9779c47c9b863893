//! A token endpoint that rotates: each refresh token works once, a second use within the grace gives the same reply until the
//! successor has been used, and any other second use ends the whole line (RFC 9700 section 4.14.2).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// One line of tokens. Refresh token `n` is `refresh-…-n`, and its access token `access-…-n`.
pub struct AuthServer {
    grace: Option<Duration>,
    rotates: bool,
    line: Mutex<Line>,
}

struct Line {
    /// The refresh token that has not been used yet.
    current: u64,
    /// When the one before it was first used.
    used_at: Option<Instant>,
    dead: bool,
    counts: Counts,
}

/// What the server has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Token requests that were processed.
    pub requests: u64,
    /// Refresh tokens that were used up.
    pub rotations: u64,
    /// Requests that were answered as the one before was.
    pub repeats: u64,
    /// Second uses that ended the line.
    pub reuses: u64,
}

/// What the token endpoint answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Tokens {
        access: String,
        refresh: Option<String>,
    },
    /// `invalid_grant`.
    Dead,
}

impl AuthServer {
    /// With single-use refresh tokens, and `grace` for a second use.
    pub fn rotating(grace: Option<Duration>) -> Self {
        Self::new(grace, true)
    }

    /// With one refresh token for ever, which replies do not repeat.
    pub fn steady() -> Self {
        Self::new(None, false)
    }

    fn new(grace: Option<Duration>, rotates: bool) -> Self {
        let line = Line { current: 1, used_at: None, dead: false, counts: Counts::default() };
        Self { grace, rotates, line: Mutex::new(line) }
    }

    pub fn access(n: u64) -> String {
        format!("access-token-{n}")
    }

    pub fn refresh(n: u64) -> String {
        format!("refresh-token-{n}")
    }

    /// One token request.
    pub fn exchange(&self, refresh: &str) -> Reply {
        let mut line = self.line();
        line.counts.requests += 1;
        if line.dead {
            return Reply::Dead;
        }
        if !self.rotates {
            if refresh != Self::refresh(1) {
                return Reply::Dead;
            }
            line.current += 1;
            return Reply::Tokens { access: Self::access(line.current), refresh: None };
        }
        if refresh == Self::refresh(line.current) {
            line.current += 1;
            line.used_at = Some(Instant::now());
            line.counts.rotations += 1;
        } else {
            let in_grace =
                line.used_at.zip(self.grace).is_some_and(|(used_at, grace)| used_at.elapsed() < grace);
            if refresh != Self::refresh(line.current - 1) || !in_grace {
                line.dead = true;
                line.counts.reuses += 1;
                return Reply::Dead;
            }
            line.counts.repeats += 1;
        }
        Reply::Tokens { access: Self::access(line.current), refresh: Some(Self::refresh(line.current)) }
    }

    /// Whether a call with this access token is let in: only the newest is.
    pub fn accepts(&self, access: &str) -> bool {
        let line = self.line();
        !line.dead && access == Self::access(line.current)
    }

    pub fn counts(&self) -> Counts {
        self.line().counts
    }

    /// The user withdraws the consent.
    pub fn withdraw(&self) {
        self.line().dead = true;
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
