//! From a provider to a grant: the one that a call by provider means.

use alter_api_types::{AppId, GrantId, UserId};

use super::{CallService, Caller};
use crate::{
    error::{Candidate, Error, Result},
    model::{Grant, GrantStatus, Principal},
    repo::{Connections, Grants, ManagedSecrets, ProviderConfigs},
};

/// How many grants an ambiguous call is told of.
const MAX_CANDIDATES: usize = 20;

/// What tells one of several grants from the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hints<'a> {
    /// The account's identifier, or its e-mail address.
    pub(super) account: Option<&'a str>,
    pub(super) label: Option<&'a str>,
}

impl CallService {
    /// Finds the one grant that a call by provider means. Several are an error: none is ever picked. System grants are
    /// never found this way.
    pub(super) async fn resolve(
        &self,
        caller: &Caller,
        provider_id: &str,
        hints: Hints<'_>,
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
                None => self.of_connections(caller, provider_id).await?,
            },
        };
        let candidates: Vec<_> = found
            .into_iter()
            .filter(|grant| match grant.principal {
                Principal::System => false,
                Principal::Agent { agent_id } => caller.agent() == Some(agent_id),
                Principal::User { .. } | Principal::Group { .. } => true,
            })
            .filter(|grant| grant.status(now) == GrantStatus::Active)
            .filter(|grant| hints.label.is_none() || grant.label.as_deref() == hints.label)
            .collect();
        let mut candidates = self.with_accounts(caller.app_id, candidates, hints.account).await?;
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
                return Err(Error::AmbiguousGrant {
                    provider_id: provider_id.to_owned(),
                    candidates,
                    truncated: several > MAX_CANDIDATES,
                });
            }
        }
        candidates.pop().map(|grant| grant.grant_id).ok_or_else(Error::grant_not_found)
    }
    /// Grants of people on connections through a provider; more candidates than an answer tells of are not looked for.
    async fn of_connections(&self, caller: &Caller, provider_id: &str) -> Result<Vec<Grant>> {
        let table = self.ports.table.as_ref();
        if ProviderConfigs(table).find(caller.app_id, provider_id).await?.is_none() {
            return Ok(Vec::new());
        }
        let connections = Connections(table).list(caller.app_id, provider_id, 1000, None).await?.items;
        let mut grants = Vec::new();
        for connection in connections.into_iter().filter(|one| one.principal != Principal::System) {
            grants.extend(Grants(table).list_of_connection(connection.id, 100, None).await?.items);
            if grants.len() > MAX_CANDIDATES {
                break;
            }
        }
        Ok(grants)
    }

    /// The accounts of grants, and of those only the ones that match. A managed secret has no account.
    async fn with_accounts(
        &self,
        app: AppId,
        grants: Vec<Grant>,
        account: Option<&str>,
    ) -> Result<Vec<Candidate>> {
        let mut candidates = Vec::with_capacity(grants.len());
        let alone = grants.len() == 1 && account.is_none();
        for grant in grants {
            let known = match grant.source.connection_id() {
                Some(id) if !alone && candidates.len() <= MAX_CANDIDATES => {
                    Connections(self.ports.table.as_ref()).get(app, id).await?.value.account
                }
                _ => None,
            };
            let matches = |wanted: &str| {
                known.as_ref().is_some_and(|known| {
                    known.identifier == wanted
                        || known.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(wanted))
                })
            };
            if account.is_none_or(matches) {
                candidates.push(Candidate {
                    grant_id: grant.id,
                    label: grant.label,
                    account_identifier: known.as_ref().map(|known| known.identifier.clone()),
                    account_display_name: known.and_then(|known| known.display_name),
                });
            }
        }
        Ok(candidates)
    }
}
