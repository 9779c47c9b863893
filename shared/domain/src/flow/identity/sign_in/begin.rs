//! On the way to the identity provider.

use alter_api_types::SignInId;
use url::Url;

use super::{
    ATTEMPTS, Right, SignInService, Ticket,
    told::{CHANGED, MISCONFIGURED},
};
use crate::{
    error::Error,
    flow::connect::{Browser, ConnectError},
    model::{App, SignIn},
    repo::{Apps, SignIns, Stored},
};

/// Where the browser goes next, and its secret where it is new.
#[derive(Debug)]
pub struct Begun {
    pub id: SignInId,
    /// `None`: to the page of the result, which there is already.
    pub target: Option<Url>,
    pub fresh: Option<Browser>,
}

impl SignInService {
    /// The app of a sign-in that is open, for a page that asks before it goes on. Nothing changes.
    pub async fn look(&self, start_key: &str) -> Result<App, ConnectError> {
        let ticket = Ticket::parse(Right::Start, start_key).ok_or(ConnectError::NoSession)?;
        let sign_in = self.of_ticket(&ticket).await?.value;
        self.open_now(&sign_in)?;
        Ok(Apps(self.identity.ports.table.as_ref()).get(sign_in.org_id, sign_in.app_id).await?.value)
    }

    /// Begins a sign-in, or begins it once more, in the browser that opens it first. `browser` is what it has for this sign-in.
    pub async fn begin(
        &self,
        start_key: &str,
        browser: impl Fn(SignInId) -> Option<Browser> + Send,
    ) -> Result<Begun, ConnectError> {
        let ticket = Ticket::parse(Right::Start, start_key).ok_or(ConnectError::NoSession)?;
        let id = ticket.id();
        let ports = &self.identity.ports;
        let sign_ins = SignIns(ports.table.as_ref());
        let rng = ports.rng.as_ref();
        for _ in 0..ATTEMPTS {
            let Stored { value: sign_in, version } = self.of_ticket(&ticket).await?;
            let known = browser(id);
            let own = match (sign_in.browser.as_deref(), known) {
                (Some(bound), Some(browser)) if browser.has_digest(bound) => Some(browser),
                (Some(_), _) => return Err(ConnectError::OtherBrowser),
                (None, _) => None,
            };
            match self.open_now(&sign_in) {
                Ok(()) => {}
                // In this very browser it had ended.
                Err(_) if own.is_some() => return Ok(Begun { id, target: None, fresh: None }),
                Err(error) => return Err(error),
            }
            let (browser, is_fresh) = match own {
                Some(browser) => (browser, false),
                None => (Browser::mint(rng)?, true),
            };
            let state = Ticket::mint(Right::Answer, id, rng)?;
            let bound = SignIn { browser: Some(browser.digest()), ..sign_in }.asking(state.digest());
            match sign_ins.update(&Stored { value: bound.clone(), version }).await {
                Ok(()) => {
                    let target = self.ask(&bound, &browser, state.text().expose_secret()).await?;
                    return Ok(Begun { id, target, fresh: is_fresh.then_some(browser) });
                }
                Err(Error::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(ConnectError::Vault(Error::Throttled))
    }

    /// The address of the identity provider's page. `None`: nobody can be asked, which ends the sign-in.
    async fn ask(
        &self,
        sign_in: &SignIn,
        browser: &Browser,
        state: &str,
    ) -> Result<Option<Url>, ConnectError> {
        let Some((idp, client)) = self.asking().provider(sign_in.app_id, sign_in.idp_id).await? else {
            self.failed(sign_in, CHANGED, None).await?;
            return Ok(None);
        };
        match self.asking().request(&idp.value, &client, (browser, state), false) {
            Ok(url) => Ok(Some(url)),
            Err(error) => {
                tracing::warn!(idp = %idp.value.id, %error, "no authentication request can be made");
                self.failed(sign_in, MISCONFIGURED, None).await?;
                Ok(None)
            }
        }
    }

    async fn of_ticket(&self, ticket: &Ticket) -> Result<Stored<SignIn>, ConnectError> {
        let ports = &self.identity.ports;
        let found = SignIns(ports.table.as_ref()).find(ticket.id(), ports.clock.now()).await?;
        let found = found.filter(|sign_in| ticket.has_digest(&sign_in.value.start_digest));
        found.ok_or(ConnectError::NoSession)
    }

    pub(super) fn open_now(&self, sign_in: &SignIn) -> Result<(), ConnectError> {
        let now = self.identity.ports.clock.now();
        if sign_in.is_open(now) {
            Ok(())
        } else if now < sign_in.expires_at {
            Err(ConnectError::Finished)
        } else {
            Err(ConnectError::Expired)
        }
    }
}
