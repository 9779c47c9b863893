//! What the app is told of a session.

use super::{ConnectService, SessionToken};
use crate::{error::Result, flow::Caller, model::ConnectSession, repo::ConnectSessions};

impl ConnectService {
    /// The session of a token, if it is the caller's app's. Unknown, forgotten and another app's are one.
    pub async fn poll_session(&self, caller: &Caller, token: &str) -> Result<Option<ConnectSession>> {
        let Some(token) = SessionToken::parse(token) else { return Ok(None) };
        let now = self.ports.clock.now();
        let found = ConnectSessions(self.ports.table.as_ref()).find(token.session_id(), now).await?;
        let session = found.map(|session| session.value);
        Ok(session
            .filter(|session| session.app_id == caller.app_id && token.has_digest(&session.token_digest)))
    }
}
