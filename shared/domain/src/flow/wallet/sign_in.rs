//! The way into the Wallet: by the app's identity provider, without an account or a password of the vault's own.
//!
//! The same authorization code flow as an app's sign-in (docs/adr/0013), for nobody but the browser itself: a request with a
//! one-time `state`, a PKCE verifier and a `nonce` that only this browser can derive. What comes of it is a session, with an id and
//! a secret that nobody saw before; the tokens are dropped as soon as they have said who it is.

use std::{collections::BTreeMap, net::IpAddr};

use alter_api_types::{AppId, SignInId};
use url::Url;

use super::{WalletCookie, WalletState};
use crate::{
    error::{Error, Result},
    flow::{
        Subject,
        connect::{Browser, ConnectError, PublicUrl, UnderWay, single},
        identity::{
            IdentityService,
            sign_in::{
                Answer, Asking, Given, code_of,
                told::{CHANGED, MISCONFIGURED, OWN_TROUBLE, UNUSABLE, told},
            },
        },
        recorded,
    },
    keyspace,
    model::{
        Actor, EventKind, IdentityProvider, SignInClient, Surface, WALLET_SIGN_IN_LIFETIME, WalletSession,
        WalletSignIn,
    },
    port::TableName,
    repo::{IdentityProviders, Stored, WalletSessions, WalletSignIns},
    state::CredentialOpener,
};

/// Everything that signing in takes. Cheap to clone.
#[derive(Clone)]
pub struct WalletSignInService {
    pub identity: IdentityService,
    /// Opens the secret of the vault's client at the identity provider.
    pub opener: CredentialOpener,
    /// Where browsers reach the Wallet.
    pub url: PublicUrl,
    /// Where a process that ends looks for what it must not cut off.
    pub under_way: UnderWay,
}

/// Where the browser goes next, and what it has to bring back.
#[derive(Debug)]
pub struct WalletBegun {
    pub id: SignInId,
    pub target: Url,
    pub browser: Browser,
}

/// Why nobody is signed in, for the Wallet's sign-in page, which has the words. Never a text from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSignedIn {
    /// Where it is known which app it was for.
    pub app: Option<AppId>,
    pub code: &'static str,
}

/// The codes that [`NotSignedIn`] has beside those of an app's sign-in.
const EXPIRED: &str = "sign_in_expired";
const OTHER_BROWSER: &str = "sign_in_other_browser";
const NO_APP: &str = "app_not_found";
const NO_CLIENT: &str = "idp_signin_not_configured";

impl WalletSignInService {
    /// Where the identity provider sends browsers back to: the same for all apps, so that operators copy one address.
    pub fn redirect_uri(&self) -> String {
        format!("{}/api/auth/callback", self.url)
    }

    /// Begins a sign-in of a browser, whatever it held before. `anew`: the identity provider asks who it is, even if it knows
    /// somebody.
    pub async fn begin(
        &self,
        app: AppId,
        anew: bool,
        ip: Option<IpAddr>,
    ) -> Result<WalletBegun, NotSignedIn> {
        let refused = |code| NotSignedIn { app: Some(app), code };
        let Some((idp, client)) = self.client_of(app).await.map_err(|error| refused(told(error).0))? else {
            let known = self.is_app(app).await.map_err(|error| refused(told(error).0))?;
            return Err(if known { refused(NO_CLIENT) } else { NotSignedIn { app: None, code: NO_APP } });
        };
        let made = self.make(&idp).await;
        let (sign_in, browser, state) = made.map_err(|error| refused(told(error).0))?;
        match self.asking().request(&idp, &client, (&browser, state.text()), anew) {
            Ok(target) => Ok(WalletBegun { id: sign_in.id, target, browser }),
            Err(error) => {
                tracing::warn!(idp = %idp.id, %error, "no authentication request can be made");
                Err(self.failed(&sign_in, MISCONFIGURED.0, ip).await)
            }
        }
    }

    /// Takes a redirect: where all of it fits the request that its `state` names, the browser has a session from now on. `known` is
    /// the browser's secret for a sign-in; `before` the session's cookie that it holds already, which ends.
    ///
    /// A browser that is not the sign-in's changes nothing, so that nobody else can use a user's request up; whatever comes from
    /// the right browser uses it up, fitting or not.
    pub async fn receive(
        &self,
        answer: Answer,
        known: impl Fn(SignInId) -> Option<Browser> + Send,
        before: Option<WalletCookie>,
    ) -> Result<WalletCookie, NotSignedIn> {
        let unknown = |error| NotSignedIn { app: None, code: code(error) };
        let state = single(&answer.params, "state").map_err(unknown)?.and_then(WalletState::parse);
        let state = state.ok_or(NotSignedIn { app: None, code: EXPIRED })?;
        let (sign_in, browser) = self.claim(&state, known).await.map_err(unknown)?;
        let app = Some(sign_in.app_id);
        let provider = self.asking().provider(sign_in.app_id, sign_in.idp_id).await;
        let Some((idp, client)) = provider.map_err(|error| NotSignedIn { app, code: code(error.into()) })?
        else {
            return Err(self.failed(&sign_in, CHANGED.0, answer.ip).await);
        };
        let authorized = match code_of(&idp.value, &answer.params) {
            Ok(Ok(authorized)) => authorized,
            Ok(Err(told)) => return Err(self.failed(&sign_in, told.0, answer.ip).await),
            Err(error) => return Err(self.failed(&sign_in, code(error), answer.ip).await),
        };
        let given = Given::new(authorized, &browser, state.text());
        // It goes on when the browser hangs up: a session that nobody has is forgotten, half of one would not be.
        let (service, ip) = (self.clone(), answer.ip);
        let task = self.under_way.spawn(async move {
            match Box::pin(service.sign_in(&sign_in, idp, &client, (&given, ip), before)).await {
                Ok(cookie) => Ok(cookie),
                Err(code) => Err(service.failed(&sign_in, code, ip).await),
            }
        });
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a sign-in was cut short");
            Err(NotSignedIn { app, code: OWN_TROUBLE.0 })
        })
    }

    async fn client_of(&self, app: AppId) -> Result<Option<(IdentityProvider, SignInClient)>> {
        let idp = IdentityProviders(self.identity.ports.table.as_ref()).find(app).await?;
        Ok(idp.and_then(|idp| {
            let client = idp.value.client.clone()?;
            Some((idp.value, client))
        }))
    }

    async fn is_app(&self, app: AppId) -> Result<bool> {
        Ok(self.identity.ports.table.get(TableName::Main, &keyspace::app(app)).await?.is_some())
    }

    async fn make(&self, idp: &IdentityProvider) -> Result<(WalletSignIn, Browser, WalletState)> {
        let ports = &self.identity.ports;
        let (id, rng) = (ports.new_id()?, ports.rng.as_ref());
        let (browser, state) = (Browser::mint(rng)?, WalletState::mint(idp.app_id, id, rng)?);
        let expires_at = ports.clock.now().checked_add(WALLET_SIGN_IN_LIFETIME);
        let sign_in = WalletSignIn {
            id,
            org_id: idp.org_id,
            app_id: idp.app_id,
            idp_id: idp.id,
            browser: browser.digest(),
            state: state.digest(),
            expires_at: expires_at.map_err(|error| Error::Internal(error.to_string()))?,
        };
        WalletSignIns(ports.table.as_ref()).create(&sign_in).await?;
        Ok((sign_in, browser, state))
    }

    /// Finds the request that a `state` names, checks that this browser made it, and uses it up.
    async fn claim(
        &self,
        state: &WalletState,
        known: impl Fn(SignInId) -> Option<Browser>,
    ) -> Result<(WalletSignIn, Browser), ConnectError> {
        let ports = &self.identity.ports;
        let sign_ins = WalletSignIns(ports.table.as_ref());
        let found = sign_ins.find(state.sign_in(), ports.clock.now()).await?;
        let found = found.ok_or(ConnectError::UnknownState)?;
        let sign_in = &found.value;
        let browser = known(sign_in.id).filter(|browser| browser.has_digest(&sign_in.browser));
        let browser = browser.ok_or(ConnectError::OtherBrowser)?;
        if sign_in.app_id != state.app() || !state.has_digest(&sign_in.state) {
            return Err(ConnectError::UnknownState);
        }
        match sign_ins.take(&found).await? {
            true => Ok((found.value, browser)),
            false => Err(ConnectError::UnknownState),
        }
    }

    async fn sign_in(
        &self,
        sign_in: &WalletSignIn,
        idp: Stored<IdentityProvider>,
        client: &SignInClient,
        (given, ip): (&Given, Option<IpAddr>),
        before: Option<WalletCookie>,
    ) -> Result<WalletCookie, &'static str> {
        let actor = Actor::of_user(ip);
        let verified = self.asking().obtain(&idp.value, client, given).await.map_err(|told| told.0)?.verified;
        let issued_at = verified.issued_at.ok_or(UNUSABLE.0)?;
        let issuer = idp.value.issuer.clone();
        let identified = self.identity.known(idp, verified, &actor).await.map_err(|error| told(error).0)?;
        let opened = async {
            let ports = &self.identity.ports;
            let now = ports.clock.now();
            let (user, browser) = (identified.user_id(), Browser::mint(ports.rng.as_ref())?);
            let session = WalletSession {
                id: ports.new_id()?,
                org_id: sign_in.org_id,
                app_id: sign_in.app_id,
                idp_id: sign_in.idp_id,
                user_id: user,
                issuer,
                sub: identified.verified.sub.clone(),
                browser: browser.digest(),
                issued_at: issued_at.min(now.as_second()),
                created_at: now,
                used_at: now,
            };
            let sessions = WalletSessions(ports.table.as_ref());
            let mut subject = subject(EventKind::SignInCompleted, sign_in, actor);
            subject.user_id = Some(user);
            recorded(ports, subject, async {
                let instead_of = match before {
                    Some(before) => sessions.find(before.session).await?.filter(|old| before.is_of(old)),
                    None => None,
                };
                sessions.create(&session, instead_of.map(|old| old.id)).await
            })
            .await?;
            Ok(WalletCookie { session: session.id, user, app: session.app_id, browser })
        };
        opened.await.map_err(|error| told(error).0)
    }

    /// Nobody is signed in. It is on the record, as far as there is one to be had: whoever waits for an answer is told in any case.
    async fn failed(&self, sign_in: &WalletSignIn, code: &'static str, ip: Option<IpAddr>) -> NotSignedIn {
        let mut subject = subject(EventKind::SignInFailed, sign_in, Actor::of_user(ip));
        subject.detail.insert("code".to_owned(), code.to_owned());
        if let Err(error) = recorded(&self.identity.ports, subject, async { Ok(()) }).await {
            tracing::error!(sign_in = %sign_in.id, code, %error, "a failed sign-in is not on the record");
        }
        NotSignedIn { app: Some(sign_in.app_id), code }
    }

    fn asking(&self) -> Asking<'_> {
        Asking { identity: &self.identity, opener: &self.opener, redirect_uri: self.redirect_uri() }
    }
}

fn code(error: ConnectError) -> &'static str {
    match error {
        ConnectError::OtherBrowser => OTHER_BROWSER,
        ConnectError::Mismatch(why) => {
            tracing::info!(why, "a redirect to the Wallet was thrown away");
            UNUSABLE.0
        }
        ConnectError::Vault(error) => told(error).0,
        ConnectError::NoSession
        | ConnectError::Expired
        | ConnectError::Finished
        | ConnectError::Forged
        | ConnectError::NotOffered
        | ConnectError::Fields(_)
        | ConnectError::UnknownState => EXPIRED,
    }
}

fn subject(kind: EventKind, sign_in: &WalletSignIn, actor: Actor) -> Subject {
    let detail = [
        ("sign_in_id".to_owned(), sign_in.id.to_string()),
        ("identity_provider_id".to_owned(), sign_in.idp_id.to_string()),
    ];
    Subject {
        kind,
        org_id: sign_in.org_id,
        app_id: Some(sign_in.app_id),
        actor,
        surface: Surface::Wallet,
        grant: None,
        user_id: None,
        detail: BTreeMap::from(detail),
    }
}
