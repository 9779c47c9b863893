//! The operator's API on AWS: seals, opens nothing, and asks issuers for what they publish. The first request to an empty installation sets it up.

use std::process::ExitCode;

use alter_adapter_aws::{SetUp, lambda};
use alter_adapter_http::{ClientOptions, GuardedClient};
use alter_domain::{egress::EgressRules, state::Sealer};
use alter_portal::{PortalState, router};

/// Where the account is an emulator, so are the providers and issuers. A binary that is deployed is built without.
const RULES: EgressRules = EgressRules { allow_loopback_http: cfg!(feature = "emulator") };

fn main() -> ExitCode {
    lambda::serve("portal", |account| {
        let (sealer, public_url) = (Sealer::new(account.data_keys()?), account.public_url()?);
        let loopback = RULES.allow_loopback_http;
        let options = ClientOptions { allow_loopback_http: loopback, ..ClientOptions::default() };
        let http = account.observed(GuardedClient::new(options)?);
        let state = PortalState::new(account.ports()?, sealer, &public_url, RULES, http)
            .with_wallet(&account.wallet_url()?);
        Ok(SetUp::new(account)?.before(router(state)))
    })
}
