//! Whether the user whom a grant is for may have it.

use super::Kept;
use crate::{
    error::{Error, Result},
    flow::connect::ConnectService,
    model::Principal,
    port::Op,
    repo::Users,
};

const SUSPENDED: Kept = Kept::Refused(
    "user_suspended",
    "Your account with the app is suspended. Nothing was kept; whoever runs the app can tell you why.",
);
const LEFT: Kept = Kept::Refused(
    "user_deprovisioned",
    "Your account with the app has been closed. Nothing was kept; whoever runs the app can tell you why.",
);

impl ConnectService {
    /// The condition under which a grant for this principal may be stored: that its user is as they were when they were found to
    /// be admitted. So nobody who is suspended or leaves meanwhile gets a grant that nobody would end. None for whoever is no user.
    pub(super) async fn admission(
        &self,
        principal: &Principal,
    ) -> Result<std::result::Result<Option<Op>, Kept>> {
        let Principal::User { user_id } = principal else { return Ok(Ok(None)) };
        let Some(user) = Users(self.ports.table.as_ref()).find(*user_id).await? else {
            return Err(Error::Internal(format!("the user {user_id} of a session is not known")));
        };
        Ok(match user.value.admitted() {
            Ok(()) => Ok(Some(Users::check(*user_id, user.version))),
            Err(Error::UserSuspended) => Err(SUSPENDED),
            Err(_) => Err(LEFT),
        })
    }
}
