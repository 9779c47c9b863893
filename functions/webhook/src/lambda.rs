//! What the Lambda main is made of.

use alter_adapter_aws::{Account, lambda::StartError};
use alter_adapter_http::{ClientOptions, GuardedClient};
use alter_domain::{egress::EgressRules, flow::identity::WebhookService, state::WebhookSecrets};

/// Whether identity providers may be on this machine: where the account is an emulator, so are they. A binary that is deployed is
/// built without, and no setting changes it.
const ALLOW_LOOPBACK_HTTP: bool = cfg!(feature = "emulator");

/// Webhooks over an account's adapters: opens their HMAC keys and nothing else, and asks identity providers for their keys.
pub fn service(account: &Account) -> Result<WebhookService, StartError> {
    let options = ClientOptions { allow_loopback_http: ALLOW_LOOPBACK_HTTP, ..ClientOptions::default() };
    let http = account.observed(GuardedClient::new(options)?);
    let rules = EgressRules { allow_loopback_http: ALLOW_LOOPBACK_HTTP };
    let secrets = WebhookSecrets::new(account.data_keys()?);
    Ok(WebhookService { identity: account.identity(&http, rules)?, secrets })
}
