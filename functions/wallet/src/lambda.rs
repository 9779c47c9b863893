//! What the Lambda main is made of.

use alter_adapter_aws::{Account, SettingError, lambda::StartError};
use alter_domain::flow::{
    connect::PublicUrl,
    wallet::{Exports, RateLimit, WalletService},
};

/// The Wallet over an account's adapters. Of the account's doors to keys it opens none.
pub fn service(account: &Account) -> Result<WalletService, StartError> {
    let url = PublicUrl::parse(&account.wallet_url()?)
        .map_err(|_| SettingError::Malformed { name: "ALTER_WALLET_URL", expected: "a base URL" })?;
    let (limit, exports) = (RateLimit::default(), Exports::default());
    Ok(WalletService { ports: account.ports()?, url, limit, exports })
}
