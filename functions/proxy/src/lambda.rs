//! What both Lambda mains of the call are made of.

use std::sync::Arc;

use alter_adapter_aws::{Account, lambda::StartError};
use alter_adapter_http::{ClientOptions, GuardedClient};
use alter_domain::{
    egress::EgressRules,
    flow::{CallService, Relations},
    state::{CredentialOpener, SigningKeys},
};

/// Whether credentials may go to this machine: where the account is an emulator, so are the providers. A binary that is
/// deployed is built without, and no setting changes it.
const ALLOW_LOOPBACK_HTTP: bool = cfg!(feature = "emulator");
/// How many relations (key → app, grant → secret) an instance remembers: some 200 bytes each.
const RELATIONS: usize = 20_000;
/// How much of a reply fits, in base64 and with its headers, into the 6 MB that a function may answer.
pub const REPLY_LIMIT: usize = 4_456_448;

/// The call over an account's adapters, with the one function's permission to open credentials.
pub fn call_service(account: &Account) -> Result<CallService, StartError> {
    let keys = account.data_keys()?;
    let options = ClientOptions { allow_loopback_http: ALLOW_LOOPBACK_HTTP, ..ClientOptions::default() };
    let client = GuardedClient::new(options)?;
    let (ports, http) = (account.ports()?, account.observed(client));
    let rules = EgressRules { allow_loopback_http: ALLOW_LOOPBACK_HTTP };
    Ok(CallService {
        refresher: account.refresher(&http, rules)?,
        identity: account.identity(&http, rules)?,
        ports,
        signing: SigningKeys::new(keys.clone()),
        opener: CredentialOpener::new(keys),
        http,
        rules,
        relations: Arc::new(Relations::new(RELATIONS)),
    })
}
