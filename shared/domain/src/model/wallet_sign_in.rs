//! One end user's way through their app's identity provider into the Wallet. Nobody polls for it and nothing is kept of it: it is
//! one request, which is gone when it is answered.

use alter_api_types::{AppId, IdpId, OrgId, SignInId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long it may take.
pub const WALLET_SIGN_IN_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletSignIn {
    pub id: SignInId,
    pub org_id: OrgId,
    pub app_id: AppId,
    /// Who is asked. An app that has changed to another has no use for the answer.
    pub idp_id: IdpId,
    /// Hex SHA-256 of the secret of the browser that began it.
    pub browser: String,
    /// Hex SHA-256 of the request's `state`.
    pub state: String,
    pub expires_at: Timestamp,
}
