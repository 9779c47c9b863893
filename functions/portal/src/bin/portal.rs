//! The operator's API on AWS: seals, and opens nothing. The first request to an empty installation sets it up.

use std::process::ExitCode;

use alter_adapter_aws::{SetUp, lambda};
use alter_domain::{egress::EgressRules, state::Sealer};
use alter_portal::{PortalState, router};

fn main() -> ExitCode {
    lambda::serve("portal", |account| {
        let (sealer, public_url) = (Sealer::new(account.data_keys()?), account.public_url()?);
        let state = PortalState::new(account.ports()?, sealer, &public_url, EgressRules::default());
        Ok(SetUp::new(account)?.before(router(state)))
    })
}
