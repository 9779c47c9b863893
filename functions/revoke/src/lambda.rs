//! What the Lambda main is made of.

use alter_adapter_aws::{Account, lambda::StartError};
use alter_adapter_http::{ClientOptions, GuardedClient};
use alter_domain::{egress::EgressRules, state::SigningKeys};

use crate::RevokeState;

/// Whether identity providers may be on this machine: where the account is an emulator, so are they. A binary that is deployed is
/// built without, and no setting changes it.
const ALLOW_LOOPBACK_HTTP: bool = cfg!(feature = "emulator");

/// Revoking over an account's adapters: opens signing keys and no credential, and asks identity providers for their keys.
pub fn state(account: &Account) -> Result<RevokeState, StartError> {
    let options = ClientOptions { allow_loopback_http: ALLOW_LOOPBACK_HTTP, ..ClientOptions::default() };
    let http = account.observed(GuardedClient::new(options)?);
    let rules = EgressRules { allow_loopback_http: ALLOW_LOOPBACK_HTTP };
    Ok(RevokeState {
        ports: account.ports()?,
        signing: SigningKeys::new(account.data_keys()?),
        identity: account.identity(&http, rules)?,
    })
}
