//! From the provider's answer to a grant: exchange, then one transaction of connection, tokens, grant and the session's
//! progress.

use std::{net::IpAddr, time::Duration};

use alter_api_types::{ConnectSessionId, ConnectionId, CredentialId, GrantId};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::{ATTEMPTS, ConnectError, ConnectService, begin::MISCONFIGURED, callback::refusal};
use crate::{
    egress::AllowedHosts,
    error::{Error, Result},
    flow::revocations::client_secret,
    inject::{CredentialFields, DefaultHeaders, Injection},
    model::{ConnectSession, Delivery, ProviderConfig},
    oauth::{
        Callback, Client, ExchangeError, NotObtained, Obtained, Provider, Values, delivery, requested_scopes,
    },
};

/// What the user agreed to, on the way to tokens.
pub(super) struct Authorized {
    pub(super) values: Values,
    pub(super) scopes: Vec<String>,
    /// `None` where no browser is involved.
    pub(super) callback: Option<Callback>,
    pub(super) verifier: Option<Zeroizing<String>>,
    pub(super) ip: Option<IpAddr>,
}

/// What the provider gave, on the way to the store. The ids are those of what is made, should something be made; with them
/// a write whose answer was lost is known again.
pub(super) struct Fresh<'a> {
    pub(super) session_id: ConnectSessionId,
    pub(super) config: &'a ProviderConfig,
    pub(super) provider: &'a Provider,
    pub(super) client: Client<'a>,
    pub(super) obtained: Obtained,
    /// What was granted.
    pub(super) scopes: Vec<String>,
    pub(super) delivery: Delivery,
    pub(super) connection_id: ConnectionId,
    pub(super) credential_id: CredentialId,
    pub(super) grant_id: GrantId,
    pub(super) ip: Option<IpAddr>,
}

/// How storing ended.
pub(super) enum Kept {
    Connected,
    /// Nothing was written; the code and sentence say why.
    Refused(&'static str, &'static str),
}

/// Of a conflict with a refresh that is under way and exchanges the very token that is to be kept.
pub(super) const REFRESHING: &str = "refresh_under_way";
/// Longer than anybody may refresh.
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two attempts at storing; each is twice as long as the one before. All of them together take some four seconds: what
/// the provider has given is worth the wait.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

const STORE_TROUBLE: (&str, &str) =
    ("activation_failed", "The connection could not be stored. Nothing was kept; try again in a while.");
const UNREACHABLE: (&str, &str) =
    ("provider_unavailable", "The service could not be reached. Try again in a while.");
const NO_ANSWER: (&str, &str) =
    ("provider_unavailable", "The service did not finish its answer. Try again in a while.");
const UNUSABLE: (&str, &str) =
    ("provider_reply_invalid", "The service answered in a way that the vault does not understand.");
const CODE_REFUSED: (&str, &str) =
    ("code_refused", "The service no longer accepts this sign-in. Connect again from the start.");

impl ConnectService {
    /// Obtains tokens and stores them. It goes on when the browser hangs up: what the provider has given must not be lost.
    pub(super) async fn obtain(
        &self,
        session: ConnectSession,
        config: ProviderConfig,
        asked: Authorized,
    ) -> Result<(), ConnectError> {
        let service = self.clone();
        let task =
            self.under_way.spawn(async move { Box::pin(service.exchange(session, config, asked)).await });
        let ended =
            task.await.map_err(|error| Error::Internal(format!("connecting was cut short: {error}")))?;
        Ok(ended?)
    }

    async fn exchange(
        &self,
        session: ConnectSession,
        config: ProviderConfig,
        asked: Authorized,
    ) -> Result<()> {
        let provider = config.definition()?;
        let secret: Option<CredentialFields> =
            client_secret(&self.ports, &self.opener, session.org_id, &config).await?;
        let redirect_uri = self.redirect_uri(session.app_id, &config.provider_id);
        let client =
            Client { client_id: &config.client_id, secret: secret.as_ref(), redirect_uri: &redirect_uri };
        let (engine, values, scopes) = (self.engine(), &asked.values, &asked.scopes);
        let obtained = match &asked.callback {
            Some(callback) => {
                let verifier = asked.verifier.as_ref().map(|verifier| verifier.as_str());
                engine.exchange_code(provider, &client, values, callback, verifier, scopes).await
            }
            None => engine.mint(provider, &client, values, scopes).await,
        };
        let obtained = match obtained {
            Ok(obtained) => obtained,
            Err(NotObtained { error, given }) => {
                if let Some((tokens, values)) = given.map(|given| *given) {
                    let obtained = Obtained { tokens, values, account: None };
                    let fresh = self.fresh(&session, &config, client, obtained, asked.ip)?;
                    self.discard(&session, &fresh).await;
                }
                return self.not_obtained(&session, &config, error, asked.ip).await;
            }
        };
        let made = delivery(provider, &obtained.values, &config.client_id);
        let granted =
            obtained.tokens.scopes.clone().unwrap_or_else(|| {
                requested_scopes(provider, scopes).into_iter().map(str::to_owned).collect()
            });
        let fresh = self.fresh(&session, &config, client, obtained, asked.ip)?;
        let delivery = match made {
            Ok(delivery) => delivery,
            Err(error) => {
                tracing::error!(provider = provider.id, %error, "a connection cannot be used and is not kept");
                self.discard(&session, &fresh).await;
                self.failed(&session, &config.provider_id, MISCONFIGURED).await?;
                return Ok(());
            }
        };
        self.keep(&session, &Fresh { scopes: granted, delivery, ..fresh }).await
    }

    /// What was obtained, so far without scopes, and of use nowhere.
    fn fresh<'a>(
        &self,
        session: &ConnectSession,
        config: &'a ProviderConfig,
        client: Client<'a>,
        obtained: Obtained,
        ip: Option<IpAddr>,
    ) -> Result<Fresh<'a>> {
        Ok(Fresh {
            session_id: session.id,
            config,
            provider: config.definition()?,
            client,
            obtained,
            scopes: Vec::new(),
            delivery: Delivery {
                injection: Injection::bearer(),
                default_headers: DefaultHeaders::default(),
                allowed_hosts: AllowedHosts::default(),
                api_base_url: None,
            },
            connection_id: self.ports.new_id()?,
            credential_id: self.ports.new_id()?,
            grant_id: self.ports.new_id()?,
            ip,
        })
    }

    /// Stores what was obtained; what is not stored is ended at the provider.
    async fn keep(&self, session: &ConnectSession, fresh: &Fresh<'_>) -> Result<()> {
        let mut last = Error::Throttled;
        let mut pause = FIRST_PAUSE;
        let mut attempts = 0;
        let patience = Instant::now() + PATIENCE;
        while attempts < ATTEMPTS {
            match self.store(fresh).await {
                Ok(Kept::Connected) => return Ok(()),
                Ok(Kept::Refused(code, message)) => {
                    self.discard(session, fresh).await;
                    self.failed(session, &fresh.config.provider_id, (code, message)).await?;
                    return Ok(());
                }
                // A refresh ends by itself, and soon.
                Err(error @ Error::Conflict { code: REFRESHING, .. }) if Instant::now() < patience => {
                    last = error;
                    sleep(LONGEST_PAUSE.min(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
                // Somebody was faster, or it is not known whether it was written: look again.
                Err(error @ (Error::Conflict { .. } | Error::Throttled | Error::StoreUnavailable(_))) => {
                    last = error;
                }
                Err(error) => {
                    last = error;
                    break;
                }
            }
            attempts += 1;
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        tracing::error!(provider = fresh.provider.id, error = %last, "a connection could not be stored");
        // Where it may have been written after all, ending the tokens would break what was stored.
        if !matches!(last, Error::StoreUnavailable(_)) {
            self.discard(session, fresh).await;
        }
        self.failed(session, &fresh.config.provider_id, STORE_TROUBLE).await?;
        Ok(())
    }

    async fn not_obtained(
        &self,
        session: &ConnectSession,
        config: &ProviderConfig,
        error: ExchangeError,
        ip: Option<IpAddr>,
    ) -> Result<()> {
        tracing::warn!(provider = config.provider_id, %error, "no tokens were obtained");
        let told = match &error {
            ExchangeError::Refused { code, .. } if code == "access_denied" => {
                self.declined(session, &config.provider_id, code.clone(), ip).await?;
                return Ok(());
            }
            ExchangeError::Client { code, .. } => match refusal(code) {
                ("provider_refused", _) => MISCONFIGURED,
                known => known,
            },
            ExchangeError::Refused { code, .. } => refusal(code),
            ExchangeError::Dead { .. } => CODE_REFUSED,
            ExchangeError::Unreachable(_) => UNREACHABLE,
            ExchangeError::Unknown(_) => NO_ANSWER,
            ExchangeError::Reply(_) => UNUSABLE,
        };
        self.failed(session, &config.provider_id, told).await?;
        Ok(())
    }
}
