//! The operator's API on AWS: seals, and opens nothing. The first request to an empty installation sets it up.

use std::process::ExitCode;

use alter_adapter_aws::{SetUp, lambda};
use alter_domain::{egress::EgressRules, state::Sealer};
use alter_portal::{PortalState, router};

/// Where the account is an emulator, so are the providers. A binary that is deployed is built without.
const RULES: EgressRules = EgressRules { allow_loopback_http: cfg!(feature = "emulator") };

fn main() -> ExitCode {
    lambda::serve("portal", |account| {
        let (sealer, public_url) = (Sealer::new(account.data_keys()?), account.public_url()?);
        let state = PortalState::new(account.ports()?, sealer, &public_url, RULES);
        Ok(SetUp::new(account)?.before(router(state)))
    })
}
