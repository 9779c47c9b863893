//! From a provider to a grant: the one that a call by provider means.

use std::collections::BTreeMap;

use alter_api_types::{AppId, SecretId, UserId};
use jiff::Timestamp;

use super::{CallService, Caller};
use crate::{
    error::{Candidate, Error, Result},
    model::{Grant, GrantStatus, Principal},
    oauth::AccountInfo,
    repo::{Connections, Grants, ManagedSecrets, ProviderConfigs},
};

/// How many grants an ambiguous call is told of.
const MAX_CANDIDATES: usize = 20;
/// How many pages of a thousand are read to find them. Where that is not all there is, the call is ambiguous: what was not
/// read may match too.
const MAX_PAGES: usize = 10;
/// Of how many connections the grants are read, each with a query of its own.
const MAX_CONNECTIONS: usize = 1000;

/// What tells one of several grants from the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hints<'a> {
    /// The account's identifier, or its e-mail address.
    pub(super) account: Option<&'a str>,
    pub(super) label: Option<&'a str>,
}

impl Hints<'_> {
    fn fit(&self, grant: &Grant, now: Timestamp) -> bool {
        grant.status(now) == GrantStatus::Active
            && (self.label.is_none() || grant.label.as_deref() == self.label)
    }
}

/// Grants that match, but for their accounts.
struct Found {
    grants: Vec<Grant>,
    /// Whether there are no others, or so many that it makes no difference.
    all: bool,
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
    ) -> Result<Grant> {
        let table = self.ports.table.as_ref();
        let now = self.ports.clock.now();
        let fits = |grant: &Grant| {
            let reached = match grant.principal {
                Principal::System => false,
                Principal::Agent { agent_id } => caller.agent() == Some(agent_id),
                Principal::User { .. } | Principal::Group { .. } => true,
            };
            reached && hints.fit(grant, now)
        };
        let of_principal = async |principal| {
            let found = Grants(table).find_by_provider(caller.app_id, &principal, provider_id).await?;
            Ok(Found { grants: found.into_iter().filter(&fits).collect(), all: true })
        };
        let found: Result<Found> = match (caller.agent(), user) {
            (Some(agent_id), _) => of_principal(Principal::Agent { agent_id }).await,
            (None, Some(user_id)) => of_principal(Principal::User { user_id }).await,
            (None, None) => match ManagedSecrets(table).find_by_slug(caller.app_id, provider_id).await? {
                Some(secret) => self.of_secret(secret.value.id, fits).await,
                None => self.of_connections(caller.app_id, provider_id, hints.account, fits).await,
            },
        };
        self.only_one(caller, provider_id, found?, hints.account).await
    }

    /// The same among what a user was granted, themselves or as one of a group.
    pub(super) async fn resolve_among(
        &self,
        caller: &Caller,
        provider_id: &str,
        hints: Hints<'_>,
        mut grants: Vec<Grant>,
    ) -> Result<Grant> {
        let now = self.ports.clock.now();
        grants.retain(|grant| hints.fit(grant, now));
        self.only_one(caller, provider_id, Found { grants, all: true }, hints.account).await
    }

    async fn only_one(
        &self,
        caller: &Caller,
        provider_id: &str,
        Found { grants, all }: Found,
        account: Option<&str>,
    ) -> Result<Grant> {
        let mut candidates = self.with_accounts(caller.app_id, &grants, account).await?;
        match (candidates.as_slice(), all) {
            ([one], true) => {
                let chosen = grants.into_iter().find(|grant| grant.id == one.grant_id);
                chosen.ok_or_else(Error::grant_not_found)
            }
            ([], true) => Err(no_grant(caller, provider_id)),
            (several, _) => {
                let truncated = !all || several.len() > MAX_CANDIDATES;
                candidates.truncate(MAX_CANDIDATES);
                Err(Error::AmbiguousGrant {
                    provider_id: provider_id.to_owned(),
                    candidates,
                    truncated,
                    account_was_provided: account.is_some(),
                })
            }
        }
    }

    async fn of_secret(&self, id: SecretId, fits: impl Fn(&Grant) -> bool) -> Result<Found> {
        let grants = Grants(self.ports.table.as_ref());
        let (grants, all) = grants.search_of_secret(id, (MAX_PAGES, MAX_CANDIDATES + 1), fits).await?;
        Ok(Found { grants, all })
    }

    /// Grants of people on connections through a provider. Once there are more than an answer tells of, no more are looked for.
    async fn of_connections(
        &self,
        app: AppId,
        provider_id: &str,
        account: Option<&str>,
        fits: impl Fn(&Grant) -> bool,
    ) -> Result<Found> {
        let table = self.ports.table.as_ref();
        if ProviderConfigs(table).find(app, provider_id).await?.is_none() {
            return Ok(Found { grants: Vec::new(), all: true });
        }
        let (mut grants, mut cursor, mut looked_at) = (Vec::new(), None, 0);
        for _ in 0..MAX_PAGES {
            let page = Connections(table).list(app, provider_id, 1000, cursor).await?;
            let connections = page.items.into_iter().filter(|connection| {
                connection.principal != Principal::System
                    && account.is_none_or(|wanted| is_account(connection.account.as_ref(), wanted))
            });
            for connection in connections {
                if looked_at == MAX_CONNECTIONS {
                    return Ok(Found { grants, all: false });
                }
                looked_at += 1;
                let of_one = Grants(table).list_of_connection(connection.id, 1000, None).await?;
                grants.extend(of_one.items.into_iter().filter(&fits));
                if grants.len() > MAX_CANDIDATES {
                    return Ok(Found { grants, all: true });
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(Found { grants, all: true });
            }
        }
        Ok(Found { grants, all: false })
    }

    /// The accounts of grants, and of those only the ones that match. A managed secret has no account.
    async fn with_accounts(
        &self,
        app: AppId,
        grants: &[Grant],
        account: Option<&str>,
    ) -> Result<Vec<Candidate>> {
        // One grant needs no account to be told from others; nobody is told of more than some.
        let of_interest = match (account, grants.len()) {
            (Some(_), many) => many,
            (None, 1) => 0,
            (None, many) => many.min(MAX_CANDIDATES + 1),
        };
        let ids: Vec<_> =
            grants.iter().take(of_interest).filter_map(|grant| grant.source.connection_id()).collect();
        let mut accounts = BTreeMap::new();
        for chunk in ids.chunks(100) {
            let connections = Connections(self.ports.table.as_ref()).get_many(app, chunk).await?;
            accounts.extend(connections.into_iter().map(|connection| (connection.id, connection.account)));
        }
        let candidates = grants.iter().filter_map(|grant| {
            let known = grant.source.connection_id().and_then(|id| accounts.get(&id)?.as_ref());
            account.is_none_or(|wanted| is_account(known, wanted)).then(|| Candidate {
                grant_id: grant.id,
                label: grant.label.clone(),
                account_identifier: known.map(|known| known.identifier.clone()),
                account_display_name: known.and_then(|known| known.display_name.clone()),
            })
        });
        Ok(candidates.collect())
    }
}

/// There is none for this caller: an agent's key is told that nobody delegated one.
pub(super) fn no_grant(caller: &Caller, provider_id: &str) -> Error {
    let provider_id = provider_id.to_owned();
    match caller.agent_key() {
        Some(agent_id) => Error::NoDelegatedGrant { provider_id, agent_id },
        None => Error::GrantNotFound { provider_id: Some(provider_id), agent_id: caller.agent() },
    }
}

/// Whether somebody who names an account means this one.
fn is_account(known: Option<&AccountInfo>, wanted: &str) -> bool {
    known.is_some_and(|known| {
        known.identifier == wanted
            || known.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(wanted))
    })
}
