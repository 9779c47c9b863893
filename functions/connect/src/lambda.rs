//! What both Lambda mains are made of: Connect, and the worker that ends and keeps alive what was connected.

use std::sync::Arc;

use alter_adapter_aws::{Account, SettingError, lambda::StartError};
use alter_adapter_http::{ClientOptions, GuardedClient};
use alter_domain::{
    egress::EgressRules,
    flow::{
        Revoker,
        connect::{ConnectService, PublicUrl, UnderWay},
        wallet::RateLimit,
    },
    port::HttpClient,
    state::{CredentialOpener, Sealer, SigningKeys},
};

use crate::ConnectState;

/// Whether credentials may go to this machine: where the account is an emulator, so are the providers. A binary that is
/// deployed is built without, and no setting changes it.
const ALLOW_LOOPBACK_HTTP: bool = cfg!(feature = "emulator");
const RULES: EgressRules = EgressRules { allow_loopback_http: ALLOW_LOOPBACK_HTTP };

/// Connect over an account's adapters: opens clients' secrets, seals what providers give.
pub fn state(account: &Account) -> Result<ConnectState, StartError> {
    let keys = account.data_keys()?;
    let public_url = base_url("ALTER_PUBLIC_URL", &account.public_url()?)?;
    let wallet_url = base_url("ALTER_WALLET_URL", &account.wallet_url()?)?;
    let http = client(account)?;
    let identity = account.identity(&http, RULES)?;
    let service = ConnectService {
        ports: account.ports()?,
        opener: CredentialOpener::new(keys.clone()),
        sealer: Sealer::new(keys.clone()),
        http,
        rules: RULES,
        public_url,
        under_way: UnderWay::default(),
    };
    Ok(ConnectState {
        service,
        wallet_url,
        limit: RateLimit::default(),
        signing: SigningKeys::new(keys),
        identity,
    })
}

/// The worker over an account's adapters: opens tokens and clients' secrets, seals tokens that it has renewed.
pub fn revoker(account: &Account) -> Result<Revoker, StartError> {
    let http = client(account)?;
    Ok(Revoker {
        ports: account.ports()?,
        opener: CredentialOpener::new(account.data_keys()?),
        refresher: account.refresher(&http, RULES)?,
        http,
        rules: RULES,
    })
}

fn base_url(name: &'static str, text: &str) -> Result<PublicUrl, SettingError> {
    PublicUrl::parse(text).map_err(|_| SettingError::Malformed { name, expected: "a base URL" })
}

fn client(account: &Account) -> Result<Arc<dyn HttpClient>, StartError> {
    let options = ClientOptions { allow_loopback_http: ALLOW_LOOPBACK_HTTP, ..ClientOptions::default() };
    Ok(account.observed(GuardedClient::new(options)?))
}
