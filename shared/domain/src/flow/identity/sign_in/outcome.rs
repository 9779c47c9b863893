//! What the app, and the browser, are told of a sign-in.

use std::time::Duration;

use alter_api_types::{SignInId, UserId};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::time::Instant;

use super::{
    Right, SignInService, Ticket,
    told::{Told, told},
};
use crate::{
    crypto::Sealed,
    error::{Error, Result},
    flow::{
        Caller,
        connect::{Browser, ConnectError},
    },
    model::{App, SignIn, SignInProfile, SignInProgress},
    repo::{Apps, SignIns, Users},
    secret::Secret,
};

/// How long a poll may be held.
const MAX_WAIT: Duration = Duration::from_secs(25);
/// Between two looks at a sign-in that somebody waits for; each wait is longer than the one before, for a person takes a while.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How a sign-in stands, for the app.
#[derive(Debug)]
pub enum SignInOutcome {
    Pending,
    Completed {
        user_token: Secret<String>,
        profile: SignInProfile,
    },
    Failed {
        code: String,
        message: String,
    },
    /// Also unknown, forgotten, and another app's.
    Expired,
}

/// How it stands, for the browser of the sign-in.
#[derive(Debug)]
pub struct SignInVisit {
    pub app: App,
    pub sign_in: SignIn,
    /// Its time is over and nobody has signed in.
    pub expired: bool,
}

impl SignInService {
    /// How the sign-in of a token stands. One that is under way is looked at again for as long as the caller is ready to wait. Its
    /// result is told as often as it is asked for: an answer may be lost.
    pub async fn poll(&self, caller: &Caller, token: &str, wait: Duration) -> Result<SignInOutcome> {
        let Some(token) = Ticket::parse(Right::Poll, token) else { return Ok(SignInOutcome::Expired) };
        let ports = &self.identity.ports;
        let until = Instant::now() + wait.min(MAX_WAIT);
        let mut pause = FIRST_PAUSE;
        loop {
            let now = ports.clock.now();
            let found = SignIns(ports.table.as_ref()).find(token.id(), now).await?.map(|found| found.value);
            let own =
                |sign_in: &SignIn| sign_in.app_id == caller.app_id && token.has_digest(&sign_in.token_digest);
            let Some(sign_in) = found.filter(own) else { return Ok(SignInOutcome::Expired) };
            let left = until.saturating_duration_since(Instant::now());
            match &sign_in.progress {
                SignInProgress::Waiting if now >= sign_in.expires_at => return Ok(SignInOutcome::Expired),
                SignInProgress::Waiting if left.is_zero() => return Ok(SignInOutcome::Pending),
                SignInProgress::Waiting => {}
                SignInProgress::Failed { code, message, .. } => {
                    return Ok(SignInOutcome::Failed { code: code.clone(), message: message.clone() });
                }
                SignInProgress::Completed { user_id, profile, sealed_token, .. } => {
                    // Whoever is suspended or has left since is nobody's sign-in any more.
                    if let Err((code, message)) = self.still_admitted(*user_id).await? {
                        return Ok(SignInOutcome::Failed {
                            code: code.to_owned(),
                            message: message.to_owned(),
                        });
                    }
                    let user_token = self.token_of(&sign_in, sealed_token).await?;
                    return Ok(SignInOutcome::Completed { user_token, profile: profile.clone() });
                }
            }
            // Whoever completes it may be another process: there is nothing else to wait for.
            // A process that ends holds nobody: the client asks again, and finds another one.
            if self.under_way.ends_within(pause.min(left)).await {
                return Ok(SignInOutcome::Pending);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn still_admitted(&self, user: UserId) -> Result<std::result::Result<(), Told>> {
        let user =
            Users(self.identity.ports.table.as_ref()).find(user).await?.ok_or(Error::NotFound("user"))?;
        Ok(user.value.admitted().map_err(told))
    }

    /// The sign-in as its browser sees it.
    pub async fn visit(&self, id: SignInId, browser: Option<&Browser>) -> Result<SignInVisit, ConnectError> {
        let sign_in = self.of_browser(id, browser).await?.value;
        let ports = &self.identity.ports;
        let app = Apps(ports.table.as_ref()).get(sign_in.org_id, sign_in.app_id).await?.value;
        let waiting = sign_in.progress == SignInProgress::Waiting;
        let expired = waiting && ports.clock.now() >= sign_in.expires_at;
        Ok(SignInVisit { app, sign_in, expired })
    }

    async fn token_of(&self, sign_in: &SignIn, sealed: &str) -> Result<Secret<String>> {
        let bytes = STANDARD.decode(sealed);
        let bytes = bytes.map_err(|_| Error::Internal("a sealed token is not base64".to_owned()))?;
        self.opener.open_user_token(sign_in, &Sealed::from_bytes(bytes)?).await
    }
}
