//! Ending access, by the person whose it is.

use std::net::IpAddr;

use alter_api_types::{AppId, ConnectionId, GrantId};

use super::{Holder, Holding, SignedIn, WalletService};
use crate::{
    error::{Error, Result},
    flow::{grants::check_reason, revoke_grant},
    model::{Actor, GrantState, Principal, Surface},
    repo::Grants,
};

/// What revoking did.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// As it is now.
    pub holding: Holding,
    /// Agents' grants that ended with it.
    pub ended_with_it: Vec<GrantId>,
}

/// Agents' grants on a connection. They end before the user's own, so that a revocation that was interrupted is asked for again and
/// goes on; and are looked for after it once more, for one that was made meanwhile.
struct Agents<'a> {
    service: &'a WalletService,
    who: &'a SignedIn,
    on: (AppId, ConnectionId),
    reason: Option<&'a String>,
    actor: &'a Actor,
}

impl WalletService {
    /// Ends a grant: the user's own together with those of agents on the same connection, or one agent's alone. The very next call
    /// fails. `grant_revoked` where it was over already; `grant_not_yours_to_revoke` for a group's.
    pub async fn revoke(
        &self,
        who: &SignedIn,
        id: GrantId,
        reason: Option<String>,
        ip: Option<IpAddr>,
    ) -> Result<Ended> {
        check_reason(reason.as_deref())?;
        let reason = reason.filter(|reason| !reason.trim().is_empty());
        let (grant, holder, on_theirs) = self.visible(who, id).await?;
        if let Holder::Group { .. } = holder {
            return Err(Error::GrantNotYoursToRevoke);
        }
        if let GrantState::Revoked { .. } = grant.state {
            return Err(Error::GrantRevoked { grant_id: id });
        }
        let (actor, app) = (who.actor(ip), grant.app_id);
        // What agents have on somebody else's connection is not the user's to end.
        let connection = grant.source.connection_id().filter(|_| holder == Holder::You && on_theirs);
        let agents = connection.map(|id| Agents {
            service: self,
            who,
            on: (app, id),
            reason: reason.as_ref(),
            actor: &actor,
        });
        let mut ended_with_it = Vec::new();
        if let Some(agents) = &agents {
            agents.end(&mut ended_with_it).await?;
        }
        let ids = (who.session.org_id, app);
        revoke_grant(&self.ports, ids, id, reason.clone(), actor.clone(), Surface::Wallet).await?;
        let mut holding = self.holding(who, id).await?;
        if let Some(agents) = &agents
            && holding.held.connection_end().is_none()
            && agents.end(&mut ended_with_it).await?
        {
            holding = self.holding(who, id).await?;
        }
        Ok(Ended { holding, ended_with_it })
    }
}

impl Agents<'_> {
    /// Ends what agents have on the connection, however much it is; says whether there was any.
    async fn end(&self, ended: &mut Vec<GrantId>) -> Result<bool> {
        let grants = Grants(self.service.ports.table.as_ref());
        let (before, mut cursor) = (ended.len(), None);
        loop {
            let page = grants.list_of_connection(self.on.1, 1000, cursor).await?;
            for grant in page.items {
                let agents = matches!(grant.principal, Principal::Agent { .. });
                if agents && grant.state == GrantState::Active && self.end_one(grant.id).await? {
                    ended.push(grant.id);
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(ended.len() > before);
            }
        }
    }

    /// Whether it was this that ended it: the list may be late, or somebody else was faster.
    async fn end_one(&self, id: GrantId) -> Result<bool> {
        let ids = (self.who.session.org_id, self.on.0);
        let (reason, actor) = (self.reason.cloned(), self.actor.clone());
        match revoke_grant(&self.service.ports, ids, id, reason, actor, Surface::Wallet).await {
            Ok(_) => Ok(true),
            Err(Error::GrantRevoked { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }
}
