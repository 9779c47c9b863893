//! Connect: how an end user's account at a provider becomes a grant (wire protocol sections 4.4 and 6, RFC 9700).
//!
//! An app's key makes a session; a browser opens it and is bound to it; each authorization request of the session has a one-time
//! `state` and a PKCE verifier that only this browser can derive; the redirect back is taken only where all of it fits. What
//! the provider gave is stored in one transaction with the session's progress, so that poll, page and store never disagree.

mod begin;
mod browser;
mod callback;
mod error;
mod keep;
mod poll;
mod public_url;
mod session;
mod store;
mod under_way;
mod visit;

use std::{sync::Arc, time::Duration};

use alter_api_types::{AppId, ConnectSessionId};

pub(in crate::flow) use browser::{challenge, hex_digest};
pub(in crate::flow) use callback::single;

pub use begin::{Begun, FieldProblem};
pub use browser::{Browser, SessionToken, TOKEN_PREFIX};
pub use callback::Redirect;
pub use error::ConnectError;
pub use public_url::{NotABaseUrl, PublicUrl, RESULT_NAMES, allowed_origin, return_url};
pub use session::NewSession;
pub use under_way::UnderWay;
pub use visit::{Visit, VisitedProvider};

use crate::{
    egress::EgressRules,
    error::{Error, Result},
    model::ConnectSession,
    oauth::Engine,
    port::HttpClient,
    repo::{ConnectSessions, Stored},
    state::{CredentialOpener, Ports, Sealer},
};

/// For one request to a provider; connecting an account may take several.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a write that lost against another is tried again.
const ATTEMPTS: usize = 10;

/// Everything that Connect needs. Cheap to clone.
#[derive(Clone)]
pub struct ConnectService {
    pub ports: Ports,
    /// Opens the secrets of clients, and the tokens of connections that are renewed.
    pub opener: CredentialOpener,
    pub sealer: Sealer,
    pub http: Arc<dyn HttpClient>,
    pub rules: EgressRules,
    pub public_url: PublicUrl,
    /// Where a process that ends looks for what it must not cut off.
    pub under_way: UnderWay,
}

impl ConnectService {
    /// Where a provider sends browsers back to: one address for each app and provider, so that an answer from one provider
    /// cannot be taken for another's (RFC 9700 section 4.4.2.2).
    pub fn redirect_uri(&self, app: AppId, provider_id: &str) -> String {
        redirect_uri(&self.public_url, app, provider_id)
    }

    fn engine(&self) -> Engine<'_> {
        Engine {
            http: self.http.as_ref(),
            rules: self.rules,
            clock: self.ports.clock.as_ref(),
            rng: self.ports.rng.as_ref(),
            timeout: PROVIDER_TIMEOUT,
        }
    }

    /// The session, if this is the browser that opened it.
    async fn of_browser(
        &self,
        id: ConnectSessionId,
        browser: Option<&Browser>,
    ) -> Result<Stored<ConnectSession>, ConnectError> {
        let found = ConnectSessions(self.ports.table.as_ref()).find(id, self.ports.clock.now()).await?;
        let session = found.ok_or(ConnectError::NoSession)?;
        let bound = session.value.browser.as_deref();
        match (bound, browser) {
            (Some(bound), Some(browser)) if browser.has_digest(bound) => Ok(session),
            _ => Err(ConnectError::OtherBrowser),
        }
    }

    /// Changes a session, against whoever else is changing it.
    async fn change(
        &self,
        id: ConnectSessionId,
        change: impl Fn(ConnectSession) -> ConnectSession,
    ) -> Result<ConnectSession> {
        let sessions = ConnectSessions(self.ports.table.as_ref());
        for _ in 0..ATTEMPTS {
            let found = sessions.find(id, self.ports.clock.now()).await?;
            let found = found.ok_or(Error::NotFound("connect session"))?;
            let changed = Stored { value: change(found.value), version: found.version };
            match sessions.update(&changed).await {
                Ok(()) => return Ok(changed.value),
                Err(Error::Conflict { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Err(Error::Throttled)
    }
}

/// [`ConnectService::redirect_uri`], for whoever shows it to an operator.
pub fn redirect_uri(public_url: &PublicUrl, app: AppId, provider_id: &str) -> String {
    format!("{public_url}/sdk/oauth/callback/{app}/{provider_id}")
}
