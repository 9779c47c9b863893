//! Making a session, and letting a browser open it.

use std::collections::{BTreeMap, BTreeSet};

use alter_api_types::GrantId;

use super::{Browser, ConnectError, ConnectService, SessionToken, public_url::origin_of};
use crate::{
    error::{Error, Result},
    flow::{Caller, Subject, identity::Identified, recorded},
    model::{
        ConnectSession, ConnectionState, EventKind, Grant, GrantStatus, Principal, Progress, ProviderConfig,
        SESSION_LIFETIME, SessionProvider, SessionTerms, Surface, label,
    },
    oauth::Flow,
    repo::{Apps, ConnectSessions, Connections, Grants, ProviderConfigs, Stored},
};

/// A session to be made. Addresses have been checked.
#[derive(Debug, Clone, Default)]
pub struct NewSession {
    /// `None`: all that the app has set up, except those that need no user.
    pub providers: Option<Vec<String>>,
    pub return_url: Option<String>,
    /// `None`: the origin of the app's website.
    pub allowed_origin: Option<String>,
    pub terms: SessionTerms,
    /// Instead of the app's default scopes, by provider.
    pub scopes: BTreeMap<String, Vec<String>>,
    pub direct: bool,
    pub switch_account: bool,
    pub repair: Option<GrantId>,
    /// What the app says of its user's device, for the record of the session's beginning.
    pub metadata: BTreeMap<String, String>,
}

/// More than an app has.
const MAX_PROVIDERS: usize = 100;

impl ConnectService {
    /// Makes a session for the app whose key asks: for the user whom it names by their token, else for the app itself.
    pub async fn create_session(
        &self,
        caller: &Caller,
        new: NewSession,
        user: Option<&Identified>,
    ) -> Result<(ConnectSession, SessionToken)> {
        let table = self.ports.table.as_ref();
        let now = self.ports.clock.now();
        let app = Apps(table).get(caller.org_id, caller.app_id).await?.value;
        let terms = SessionTerms { label: new.terms.label.as_deref().map(label).transpose()?, ..new.terms };
        terms.policy(now)?;
        if caller.agent_key().is_some() && new.repair.is_none() {
            // What it makes would be the app's own, beyond what the agent may use.
            return Err(Error::field(
                "repair_grant_id_required",
                "An agent's own key has the agent's own grants renewed and makes none: name one with repair_grant_id.",
            ));
        }
        let repaired = match new.repair {
            Some(id) => Some(self.repairable(caller, id, user).await?),
            None => None,
        };
        let configs = self.offered(caller, new.providers, repaired.as_ref().map(|(grant, _)| grant)).await?;
        if configs.len() != 1 && (new.direct || repaired.is_some()) {
            return Err(one_provider());
        }
        let kept: &[String] = repaired.as_ref().map_or(&[], |(_, scopes)| scopes);
        let providers = providers(&configs, &new.scopes, kept)?;
        let id = self.ports.new_id()?;
        let token = SessionToken::mint(id, self.ports.rng.as_ref())?;
        let session = ConnectSession {
            id,
            org_id: caller.org_id,
            app_id: caller.app_id,
            token_digest: token.digest(),
            providers,
            principal: match (repaired, user) {
                (Some((grant, _)), _) => grant.principal,
                (None, Some(user)) => user.principal(),
                (None, None) => Principal::System,
            },
            actor: caller.actor(),
            terms,
            return_url: new.return_url,
            allowed_origin: new.allowed_origin.or_else(|| app.website_url.as_deref().and_then(origin_of)),
            direct: new.direct,
            switch_account: new.switch_account,
            repair: new.repair,
            browser: None,
            finished_at: None,
            created_at: now,
            expires_at: now.checked_add(SESSION_LIFETIME).map_err(|e| Error::Internal(e.to_string()))?,
        };
        let mut subject = created(&session);
        subject.user_id = user.map(Identified::user_id);
        subject.detail.extend(new.metadata);
        recorded(&self.ports, subject, ConnectSessions(table).create(&session)).await?;
        Ok((session, token))
    }

    /// The session that a token is for, bound to the browser that comes with it: the first one that does. The browser's secret is
    /// returned where it is new.
    pub async fn open_session(
        &self,
        token: &SessionToken,
        browser: Option<Browser>,
    ) -> Result<(ConnectSession, Option<Browser>), ConnectError> {
        let sessions = ConnectSessions(self.ports.table.as_ref());
        let mut fresh = None;
        for _ in 0..super::ATTEMPTS {
            let now = self.ports.clock.now();
            let found = sessions.find(token.session_id(), now).await?;
            let found = found.filter(|session| token.has_digest(&session.value.token_digest));
            let Stored { value: session, version } = found.ok_or(ConnectError::NoSession)?;
            match (&session.browser, &browser) {
                (Some(bound), Some(browser)) if browser.has_digest(bound) => return Ok((session, None)),
                (Some(_), _) => return Err(ConnectError::OtherBrowser),
                (None, _) if session.finished_at.is_some() => return Err(ConnectError::Finished),
                (None, _) if !session.is_open(now) => return Err(ConnectError::Expired),
                (None, _) => {}
            }
            let secret = Browser::mint(self.ports.rng.as_ref())?;
            let bound = ConnectSession { browser: Some(secret.digest()), ..session };
            match sessions.update(&Stored { value: bound.clone(), version }).await {
                Ok(()) => {
                    fresh = Some((bound, Some(secret)));
                    break;
                }
                Err(Error::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        fresh.ok_or(ConnectError::Vault(Error::Throttled))
    }

    /// A grant that the caller may have renewed, and the scopes of its connection.
    async fn repairable(
        &self,
        caller: &Caller,
        id: GrantId,
        user: Option<&Identified>,
    ) -> Result<(Grant, Vec<String>)> {
        let table = self.ports.table.as_ref();
        let grant = Grants(table).get(caller.app_id, id).await?.value;
        // An agent's own key has the agent's grants renewed and no other's.
        let addressable =
            caller.agent_key().is_none_or(|agent_id| grant.principal == Principal::Agent { agent_id });
        // A user's token has the user's own grants renewed: a group's is not one member's to put another account behind.
        let addressable = addressable && user.is_none_or(|user| grant.principal == user.principal());
        let live = grant.status(self.ports.clock.now()) == GrantStatus::Active;
        let connection_id = grant.source.connection_id().filter(|_| addressable && live);
        let connection_id = connection_id.ok_or_else(Error::grant_not_found)?;
        let connection = Connections(table).get(caller.app_id, connection_id).await?.value;
        match connection.state {
            ConnectionState::Revoked { .. } => Err(Error::grant_not_found()),
            ConnectionState::Active | ConnectionState::Broken { .. } => Ok((grant, connection.scopes)),
        }
    }

    /// The providers of a session as the app has them now: those named, or all that ask the user. One that needs no user gives
    /// access by the operator's key: only the app's server decides on that.
    async fn offered(
        &self,
        caller: &Caller,
        named: Option<Vec<String>>,
        repaired: Option<&Grant>,
    ) -> Result<Vec<ProviderConfig>> {
        let configs = ProviderConfigs(self.ports.table.as_ref());
        let named = match (named, repaired) {
            (None, Some(grant)) => Some(vec![grant.provider_id.clone()]),
            (named, _) => named,
        };
        let Some(named) = named else {
            let all = configs.all(caller.app_id).await?;
            let mut enabled = Vec::new();
            for config in all.into_iter().filter(ProviderConfig::is_enabled) {
                if config.definition()?.flow == Flow::AuthorizationCode {
                    enabled.push(config);
                }
            }
            return if enabled.is_empty() { Err(nothing_set_up()) } else { Ok(enabled) };
        };
        let mut seen = BTreeSet::new();
        let mut offered = Vec::new();
        for id in named.iter().map(|id| id.trim().to_lowercase()) {
            if !seen.insert(id.clone()) {
                continue;
            }
            if repaired.is_some_and(|grant| grant.provider_id != id) {
                return Err(Error::grant_not_found());
            }
            let config = configs.find(caller.app_id, &id).await?.map(|config| config.value);
            offered.push(config.filter(ProviderConfig::is_enabled).ok_or_else(|| not_set_up(&id))?);
        }
        if offered.is_empty() || offered.len() > MAX_PROVIDERS {
            return Err(Error::field(
                "invalid_allowed_providers",
                "allowed_providers names 1 to 100 providers.",
            ));
        }
        Ok(offered)
    }
}

/// What is asked of each provider: what the session names, or the app's defaults; and always what the app requires. A repair
/// asks again for what it had, so that nobody loses access by reconnecting.
fn providers(
    configs: &[ProviderConfig],
    asked: &BTreeMap<String, Vec<String>>,
    kept: &[String],
) -> Result<Vec<SessionProvider>> {
    let asked: BTreeMap<String, &Vec<String>> =
        asked.iter().map(|(id, scopes)| (id.trim().to_lowercase(), scopes)).collect();
    if let Some(id) = asked.keys().find(|id| !configs.iter().any(|config| config.provider_id == **id)) {
        return Err(not_set_up(id));
    }
    let mut providers = Vec::with_capacity(configs.len());
    for config in configs {
        let configured = &config.scopes;
        let chosen = match asked.get(&config.provider_id) {
            Some(scopes) => {
                if let Some(scope) = scopes.iter().find(|scope| !configured.allowed.contains(scope)) {
                    return Err(Error::field(
                        "scope_not_allowed",
                        format!(
                            "The app's list for {} does not have the scope {scope:?}.",
                            config.provider_id
                        ),
                    ));
                }
                scopes.as_slice()
            }
            None => configured.default.as_slice(),
        };
        let kept = kept.iter().filter(|scope| configured.allowed.contains(scope));
        let mut scopes: Vec<String> = Vec::new();
        for scope in chosen.iter().chain(&configured.required).chain(kept) {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        let provider_id = config.provider_id.clone();
        providers.push(SessionProvider { provider_id, scopes, progress: Progress::Waiting });
    }
    Ok(providers)
}

fn one_provider() -> Error {
    Error::field("one_provider_required", "direct and repair_grant_id need exactly one allowed provider.")
}

fn nothing_set_up() -> Error {
    Error::conflict("no_provider_configured", "The app has no OAuth provider that is set up and enabled.")
}

fn not_set_up(id: &str) -> Error {
    let shown: String = id.chars().take(100).collect();
    Error::field(
        "provider_not_configured",
        format!("The provider {shown:?} is not set up for this app, or is disabled."),
    )
}

fn created(session: &ConnectSession) -> Subject {
    let ids: Vec<&str> = session.providers.iter().map(|provider| provider.provider_id.as_str()).collect();
    let mut detail = BTreeMap::from([
        ("session_id".to_owned(), session.id.to_string()),
        ("providers".to_owned(), ids.join(" ")),
    ]);
    detail.extend(session.repair.map(|grant| ("repair_grant_id".to_owned(), grant.to_string())));
    Subject {
        kind: EventKind::ConnectSessionCreated,
        org_id: session.org_id,
        app_id: Some(session.app_id),
        actor: session.actor.clone(),
        surface: Surface::Sdk,
        grant: None,
        user_id: session.principal.user(),
        detail,
    }
}
