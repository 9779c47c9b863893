//! From a provider to a grant: the one that a call by provider means.

use alter_api_types::{GrantId, UserId};

use super::{CallService, Caller};
use crate::{
    error::{Candidate, Error, Result},
    model::{GrantStatus, Principal},
    repo::{Grants, ManagedSecrets},
};

/// How many grants an ambiguous call is told of.
const MAX_CANDIDATES: usize = 20;

impl CallService {
    /// Finds the one grant that a call by provider means. Several are an error: none is ever picked. System grants are
    /// never found this way.
    pub(super) async fn resolve(
        &self,
        caller: &Caller,
        provider_id: &str,
        label: Option<&str>,
        user: Option<UserId>,
    ) -> Result<GrantId> {
        let table = self.ports.table.as_ref();
        let now = self.ports.clock.now();
        let found = match (caller.agent(), user) {
            (Some(agent_id), _) => {
                Grants(table)
                    .find_by_provider(caller.app_id, &Principal::Agent { agent_id }, provider_id)
                    .await?
            }
            (None, Some(user_id)) => {
                Grants(table)
                    .find_by_provider(caller.app_id, &Principal::User { user_id }, provider_id)
                    .await?
            }
            (None, None) => match ManagedSecrets(table).find_by_slug(caller.app_id, provider_id).await? {
                Some(secret) => Grants(table).list_of_secret(secret.value.id, 1000, None).await?.items,
                None => Vec::new(),
            },
        };
        let mut candidates: Vec<_> = found
            .into_iter()
            .filter(|grant| match grant.principal {
                Principal::System => false,
                Principal::Agent { agent_id } => caller.agent() == Some(agent_id),
                Principal::User { .. } | Principal::Group { .. } => true,
            })
            .filter(|grant| grant.status(now) == GrantStatus::Active)
            .filter(|grant| label.is_none() || grant.label.as_deref() == label)
            .collect();
        match (candidates.len(), caller.agent_key()) {
            (1, _) => {}
            (0, Some(agent_id)) => {
                return Err(Error::NoDelegatedGrant { provider_id: provider_id.to_owned(), agent_id });
            }
            (0, None) => {
                return Err(Error::GrantNotFound {
                    provider_id: Some(provider_id.to_owned()),
                    agent_id: caller.agent(),
                });
            }
            (several, _) => {
                candidates.truncate(MAX_CANDIDATES);
                let candidate = |grant: crate::model::Grant| Candidate {
                    grant_id: grant.id,
                    label: grant.label,
                    account_identifier: None,
                    account_display_name: None,
                };
                return Err(Error::AmbiguousGrant {
                    provider_id: provider_id.to_owned(),
                    candidates: candidates.into_iter().map(candidate).collect(),
                    truncated: several > MAX_CANDIDATES,
                });
            }
        }
        candidates.pop().map(|grant| grant.id).ok_or_else(Error::grant_not_found)
    }
}
