//! More time for a grant, from the person whose it is.

use std::{collections::BTreeMap, net::IpAddr};

use alter_api_types::GrantId;
use jiff::Timestamp;

use super::{Holder, Holding, SignedIn, WalletService};
use crate::{
    error::{Error, Result},
    flow::{Subject, recorded},
    model::{EventKind, GrantRef, Surface},
    repo::Grants,
};

/// How often a write that lost against another is tried again.
const ATTEMPTS: usize = 10;

impl WalletService {
    /// Lets the user's own grant live until `to`: later than now in force, and no later than its operator allows. One that has
    /// expired works again on the very next call.
    pub async fn extend(
        &self,
        who: &SignedIn,
        id: GrantId,
        to: Timestamp,
        ip: Option<IpAddr>,
    ) -> Result<Holding> {
        let (grant, holder, _) = self.visible(who, id).await?;
        if holder != Holder::You {
            return Err(Error::grant_not_extendable());
        }
        let grants = Grants(self.ports.table.as_ref());
        for _ in 0..ATTEMPTS {
            let now = self.ports.clock.now();
            let found = grants.get(grant.app_id, id).await?;
            let before = found.value.policy.expires_at;
            let extended = found.try_map(|grant| grant.extend(to, now))?;
            let detail = [("expires_before", before), ("expires_at", extended.value.policy.expires_at)];
            let detail = detail.into_iter().filter_map(|(name, at)| Some((name.to_owned(), at?.to_string())));
            let subject = Subject {
                kind: EventKind::GrantExtended,
                org_id: who.session.org_id,
                app_id: Some(grant.app_id),
                actor: who.actor(ip),
                surface: Surface::Wallet,
                grant: Some(GrantRef::from(&extended.value)),
                user_id: extended.value.principal.user(),
                detail: detail.collect::<BTreeMap<_, _>>(),
            };
            match recorded(&self.ports, subject, grants.update(&extended, now)).await {
                Ok(()) => return self.holding(who, id).await,
                Err(Error::Conflict { code: "concurrent_update", .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Err(Error::Throttled)
    }
}
