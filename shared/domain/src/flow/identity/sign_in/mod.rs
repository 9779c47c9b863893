//! Sign-in for apps that have no page of their own (wire protocol section 4.5, docs/adr/0013): authorization code with PKCE at the
//! app's identity provider (OpenID Connect Core 1.0 section 3.1, RFC 9700).
//!
//! An app's key makes a sign-in and polls it; a browser opens it and is bound to it; each request to the identity provider has a
//! one-time `state`, and a PKCE verifier and a `nonce` that only this browser can derive. The redirect back is taken only where
//! all of it fits, and the ID token only where it was made for this very request. The app gets that token: one that the vault's
//! own checks accept.

mod begin;
mod callback;
mod outcome;
mod provider;
mod ticket;
pub(in crate::flow) mod told;

use alter_api_types::SignInId;

pub use begin::Begun;
pub use callback::Answer;
pub use outcome::{SignInOutcome, SignInVisit};

pub(in crate::flow) use provider::{Asking, Given, Obtained, code_of};
pub(in crate::flow) use ticket::{Right, Ticket};

use super::IdentityService;
use crate::{
    error::{Error, Result},
    flow::{
        Caller,
        connect::{Browser, ConnectError, PublicUrl, UnderWay},
    },
    model::{SIGN_IN_LIFETIME, SignIn, SignInProgress},
    repo::{IdentityProviders, SignIns, Stored},
    secret::Secret,
    state::{CredentialOpener, Sealer},
};

/// How often a write that lost against another is tried again.
const ATTEMPTS: usize = 10;

/// Everything that a sign-in needs. Cheap to clone.
#[derive(Clone)]
pub struct SignInService {
    pub identity: IdentityService,
    /// Opens the secret of the vault's client at the identity provider, and users' tokens for the apps that asked for them.
    pub opener: CredentialOpener,
    pub sealer: Sealer,
    pub public_url: PublicUrl,
    /// Where a process that ends looks for what it must not cut off.
    pub under_way: UnderWay,
}

/// A sign-in that was just made.
pub struct NewSignIn {
    pub sign_in: SignIn,
    /// What the app polls with.
    pub token: Secret<String>,
    /// What opens it in a browser.
    pub start_key: Secret<String>,
}

impl SignInService {
    /// Where the identity provider sends browsers back to: the same for all apps, so that operators copy one address. Which
    /// sign-in an answer is for, and from whom it must come, its `state` says.
    pub fn redirect_uri(&self) -> String {
        format!("{}/sdk/auth/callback", self.public_url)
    }

    /// Makes a sign-in for the app whose key asks.
    pub async fn create(&self, caller: &Caller) -> Result<NewSignIn> {
        let ports = &self.identity.ports;
        let idp = IdentityProviders(ports.table.as_ref()).find(caller.app_id).await?;
        let idp = idp.ok_or(Error::IdentityProviderNotConfigured)?.value;
        if idp.client.is_none() {
            return Err(Error::conflict(
                "idp_signin_not_configured",
                "The vault has no client at the app's identity provider; an operator sets one up under Identity.",
            ));
        }
        let now = ports.clock.now();
        let id = ports.new_id()?;
        let poll = Ticket::mint(Right::Poll, id, ports.rng.as_ref())?;
        let start = Ticket::mint(Right::Start, id, ports.rng.as_ref())?;
        let sign_in = SignIn {
            id,
            org_id: caller.org_id,
            app_id: caller.app_id,
            idp_id: idp.id,
            token_digest: poll.digest(),
            start_digest: start.digest(),
            actor: caller.actor(),
            browser: None,
            requests: Vec::new(),
            progress: SignInProgress::Waiting,
            created_at: now,
            expires_at: now.checked_add(SIGN_IN_LIFETIME).map_err(|e| Error::Internal(e.to_string()))?,
        };
        SignIns(ports.table.as_ref()).create(&sign_in).await?;
        Ok(NewSignIn { sign_in, token: poll.text().clone(), start_key: start.text().clone() })
    }

    /// The sign-in, if this is the browser that opened it.
    async fn of_browser(
        &self,
        id: SignInId,
        browser: Option<&Browser>,
    ) -> Result<Stored<SignIn>, ConnectError> {
        let ports = &self.identity.ports;
        let found = SignIns(ports.table.as_ref()).find(id, ports.clock.now()).await?;
        let sign_in = found.ok_or(ConnectError::NoSession)?;
        match (sign_in.value.browser.as_deref(), browser) {
            (Some(bound), Some(browser)) if browser.has_digest(bound) => Ok(sign_in),
            _ => Err(ConnectError::OtherBrowser),
        }
    }

    /// Changes a sign-in, against whoever else is changing it.
    async fn change(&self, id: SignInId, change: impl Fn(SignIn) -> SignIn) -> Result<SignIn> {
        let ports = &self.identity.ports;
        let sign_ins = SignIns(ports.table.as_ref());
        for _ in 0..ATTEMPTS {
            let found = sign_ins.find(id, ports.clock.now()).await?.ok_or(Error::NotFound("sign-in"))?;
            let changed = Stored { value: change(found.value), version: found.version };
            match sign_ins.update(&changed).await {
                Ok(()) => return Ok(changed.value),
                Err(Error::Conflict { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Err(Error::Throttled)
    }

    fn asking(&self) -> Asking<'_> {
        Asking { identity: &self.identity, opener: &self.opener, redirect_uri: self.redirect_uri() }
    }
}
