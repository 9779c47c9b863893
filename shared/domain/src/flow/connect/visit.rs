//! The page's own steps: looking, declining, finishing.

use std::{collections::BTreeMap, net::IpAddr};

use alter_api_types::ConnectSessionId;

use super::{Browser, ConnectError, ConnectService};
use crate::{
    error::Result,
    flow::{Subject, recorded},
    model::{Actor, App, ConnectSession, EventKind, Progress, ProviderConfig, SessionProvider, Surface},
    repo::{Apps, ProviderConfigs},
};

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Visit {
    pub session: ConnectSession,
    pub app: App,
    pub providers: Vec<VisitedProvider>,
}

#[derive(Debug, Clone)]
pub struct VisitedProvider {
    pub offered: SessionProvider,
    /// `None`: removed or disabled since the session was made.
    pub config: Option<ProviderConfig>,
}

/// The code of a user who said no on our page. One who did at the provider has the provider's.
const DECLINED: &str = "user_declined";

impl ConnectService {
    /// The session as its browser sees it.
    pub async fn visit(
        &self,
        id: ConnectSessionId,
        browser: Option<&Browser>,
    ) -> Result<Visit, ConnectError> {
        let session = self.of_browser(id, browser).await?.value;
        let table = self.ports.table.as_ref();
        let app = Apps(table).get(session.org_id, session.app_id).await?.value;
        let configs = ProviderConfigs(table);
        let mut known: Vec<ProviderConfig> = match session.providers.as_slice() {
            [only] => {
                let found = configs.find(session.app_id, &only.provider_id).await?;
                found.map(|config| config.value).into_iter().collect()
            }
            // One read for all of them.
            _ => configs.all(session.app_id).await?,
        };
        known.retain(ProviderConfig::is_enabled);
        let visited = session.providers.iter().map(|offered| {
            let config = known.iter().find(|config| config.provider_id == offered.provider_id);
            VisitedProvider { offered: offered.clone(), config: config.cloned() }
        });
        let providers = visited.collect();
        Ok(Visit { session, app, providers })
    }

    /// The user does not want to connect this one.
    pub async fn decline(
        &self,
        id: ConnectSessionId,
        browser: Option<&Browser>,
        form_token: &str,
        provider_id: &str,
        ip: Option<IpAddr>,
    ) -> Result<(), ConnectError> {
        let session = self.of_form(id, browser, form_token).await?;
        let offered = session.provider(provider_id).ok_or(ConnectError::NotOffered)?;
        if matches!(offered.progress, Progress::Connected(_)) {
            return Ok(());
        }
        self.declined(&session, provider_id, DECLINED.to_owned(), ip).await?;
        Ok(())
    }

    /// The user is done: the session ends with what there is.
    pub async fn finish_session(
        &self,
        id: ConnectSessionId,
        browser: Option<&Browser>,
        form_token: &str,
    ) -> Result<(), ConnectError> {
        self.of_form(id, browser, form_token).await?;
        let now = self.ports.clock.now();
        self.change(id, |session| session.finish(now)).await?;
        Ok(())
    }

    /// The open session whose page made this form, in this browser.
    pub(super) async fn of_form(
        &self,
        id: ConnectSessionId,
        browser: Option<&Browser>,
        form_token: &str,
    ) -> Result<ConnectSession, ConnectError> {
        let session = self.of_browser(id, browser).await?.value;
        if !browser.is_some_and(|browser| browser.checks_form_token(id, form_token)) {
            return Err(ConnectError::Forged);
        }
        self.open_now(&session)?;
        Ok(session)
    }

    pub(super) fn open_now(&self, session: &ConnectSession) -> Result<(), ConnectError> {
        if session.finished_at.is_some() {
            Err(ConnectError::Finished)
        } else if session.is_open(self.ports.clock.now()) {
            Ok(())
        } else {
            Err(ConnectError::Expired)
        }
    }

    /// Takes in a no, on the record.
    pub(super) async fn declined(
        &self,
        session: &ConnectSession,
        provider_id: &str,
        code: String,
        ip: Option<IpAddr>,
    ) -> Result<ConnectSession> {
        let subject = no(session, provider_id, &code, ip);
        let at = self.ports.clock.now();
        let change = self.change(session.id, |session| {
            let progress = Progress::Declined { code: code.clone(), at };
            session.settle(provider_id, progress, at)
        });
        recorded(&self.ports, subject, change).await
    }

    /// Takes in a failure that the user may try again. It is on the record too, as far as there is one to be had: whoever waits
    /// for an answer is told in any case.
    pub(super) async fn failed(
        &self,
        session: &ConnectSession,
        provider_id: &str,
        (code, message): (&str, &str),
    ) -> Result<ConnectSession> {
        let at = self.ports.clock.now();
        let change = self.change(session.id, |session| {
            let progress = Progress::Failed { code: code.to_owned(), message: message.to_owned(), at };
            session.settle(provider_id, progress, at)
        });
        let session = change.await?;
        let subject = no(&session, provider_id, code, None);
        if let Err(error) = recorded(&self.ports, subject, async { Ok(()) }).await {
            tracing::error!(session = %session.id, code, %error, "a failure to connect is not on the record");
        }
        Ok(session)
    }
}

/// Somebody, or something, said no.
fn no(session: &ConnectSession, provider_id: &str, code: &str, ip: Option<IpAddr>) -> Subject {
    let detail = BTreeMap::from([
        ("session_id".to_owned(), session.id.to_string()),
        ("provider_id".to_owned(), provider_id.to_owned()),
        ("code".to_owned(), code.to_owned()),
    ]);
    subject(session, EventKind::ConnectDeclined, ip, detail)
}

/// An event of the Connect page: whoever asked for the session answers for it, from the browser's address.
pub(super) fn subject(
    session: &ConnectSession,
    kind: EventKind,
    ip: Option<IpAddr>,
    detail: BTreeMap<String, String>,
) -> Subject {
    Subject {
        kind,
        org_id: session.org_id,
        app_id: Some(session.app_id),
        actor: Actor { ip: ip.map(|ip| ip.to_string()), ..session.actor.clone() },
        surface: Surface::Connect,
        grant: None,
        user_id: session.principal.user(),
        detail,
    }
}
