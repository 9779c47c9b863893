//! The operator's API on AWS: seals, and opens nothing. The first request to an empty installation sets it up.

use std::process::ExitCode;

use alter_adapter_aws::{SetUp, lambda};
use alter_domain::state::Sealer;
use alter_portal::{PortalState, router};

fn main() -> ExitCode {
    lambda::serve("portal", |account| {
        let state = PortalState::new(account.ports()?, Sealer::new(account.data_keys()?));
        Ok(SetUp::new(account)?.before(router(state)))
    })
}
