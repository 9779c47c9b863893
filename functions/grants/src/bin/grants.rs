//! Listing and issuing grants on AWS: opens signing keys and no credential.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_domain::state::SigningKeys;
use alter_grants::{GrantsState, router};

fn main() -> ExitCode {
    lambda::serve("grants", |account| {
        let signing = SigningKeys::new(account.data_keys()?);
        Ok(router(GrantsState { ports: account.ports()?, signing }))
    })
}
