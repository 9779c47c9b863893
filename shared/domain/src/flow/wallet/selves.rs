//! Who somebody is in the organization: apps of one identity provider may tell its users apart by different claims, and then one
//! person is several users.

use alter_api_types::UserId;

use super::WalletService;
use crate::{error::Result, model::WalletSession, repo::Users};

/// The most users that one person is taken for: as many as are read in one round.
const MAX_SELVES: usize = 100;

impl WalletService {
    /// Every user that the signed-in person is: the one that they signed in as first, then those by other claims whom the same
    /// issuer calls by the same `sub`.
    pub async fn selves(&self, session: &WalletSession) -> Result<Vec<UserId>> {
        let users = Users(self.ports.table.as_ref());
        let mut others = users.of_sub(session.org_id, &session.issuer, &session.sub).await?;
        others.retain(|id| *id != session.user_id);
        let mut selves = vec![session.user_id];
        if others.is_empty() {
            return Ok(selves);
        }
        others.truncate(MAX_SELVES);
        // One who is called otherwise by now, or has been stopped under another claim, is not this person's any more.
        for user in users.get_many(&others).await? {
            let same = user.org_id == session.org_id && user.sub == session.sub;
            if same && user.identity.issuer == session.issuer && user.admitted().is_ok() {
                selves.push(user.id);
            }
        }
        Ok(selves)
    }
}
