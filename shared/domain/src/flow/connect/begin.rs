//! On the way to the provider.

use std::net::IpAddr;

use alter_api_types::ConnectSessionId;
use url::Url;

use super::{
    Browser, ConnectError, ConnectService,
    browser::{challenge, fresh_state, hex_digest},
    keep::Authorized,
};
use crate::{
    error::{Error, Result},
    model::{AUTHORIZATION_LIFETIME, ConnectSession, PendingAuthorization, Progress, ProviderConfig},
    oauth::{
        AuthorizationRequest, Client, Flow, Provider, Values, VariableSource, authorization_url, sends_pkce,
    },
    repo::{ConnectSessions, Connections, Grants, ProviderConfigs},
};

/// Where the browser goes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// To the provider's page.
    Provider(Url),
    /// Back to our page: there was nothing to ask the provider's page for.
    Settled,
}

/// What is wrong with a field that the user filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    pub provider_id: String,
    pub name: String,
    /// A sentence for the user.
    pub message: String,
}

impl ConnectService {
    /// Starts connecting one provider: notes an authorization request and says where its page is.
    pub async fn begin(
        &self,
        id: ConnectSessionId,
        browser: Option<&Browser>,
        form_token: &str,
        provider_id: &str,
        fields: &[(String, String)],
        ip: Option<IpAddr>,
    ) -> Result<Begun, ConnectError> {
        let session = self.of_form(id, browser, form_token).await?;
        let offered = session.provider(provider_id).ok_or(ConnectError::NotOffered)?;
        if matches!(offered.progress, Progress::Connected(_)) {
            return Ok(Begun::Settled);
        }
        let found = ProviderConfigs(self.ports.table.as_ref()).find(session.app_id, provider_id).await?;
        let Some(config) = found.map(|config| config.value).filter(ProviderConfig::is_enabled) else {
            self.failed(&session, provider_id, NOT_SET_UP).await?;
            return Ok(Begun::Settled);
        };
        let provider = config.definition()?;
        let values = self.values(&session, &config, provider, fields).await?;
        let scopes = offered.scopes.clone();
        match provider.flow {
            Flow::JwtBearer => {
                let asked = Authorized { values, scopes, callback: None, verifier: None, ip };
                self.obtain(session, config, asked).await?;
                Ok(Begun::Settled)
            }
            Flow::AuthorizationCode => {
                let browser = browser.ok_or(ConnectError::OtherBrowser)?;
                self.ask(&session, &config, provider, (values, scopes), browser).await
            }
        }
    }

    /// Notes the request under its `state` and makes the address of the provider's page.
    async fn ask(
        &self,
        session: &ConnectSession,
        config: &ProviderConfig,
        provider: &Provider,
        (values, scopes): (Values, Vec<String>),
        browser: &Browser,
    ) -> Result<Begun, ConnectError> {
        let state = fresh_state(self.ports.rng.as_ref())?;
        let challenge = sends_pkce(provider).then(|| challenge(&browser.verifier(&state)));
        let redirect_uri = self.redirect_uri(session.app_id, &config.provider_id);
        let client = Client { client_id: &config.client_id, secret: None, redirect_uri: &redirect_uri };
        let request = AuthorizationRequest {
            scopes: &scopes,
            state: &state,
            code_challenge: challenge.as_deref(),
            switch_account: session.switch_account,
        };
        let url = match authorization_url(provider, &values, &client, &request) {
            Ok(url) => url,
            Err(error) => {
                tracing::warn!(provider = provider.id, %error, "no authorization request can be made");
                self.failed(session, &config.provider_id, MISCONFIGURED).await?;
                return Ok(Begun::Settled);
            }
        };
        let now = self.ports.clock.now();
        let expires_at =
            now.checked_add(AUTHORIZATION_LIFETIME).map_err(|e| Error::Internal(e.to_string()))?;
        let pending = PendingAuthorization {
            session_id: session.id,
            app_id: session.app_id,
            provider_id: config.provider_id.clone(),
            values,
            scopes,
            created_at: now,
            expires_at,
        };
        let sessions = ConnectSessions(self.ports.table.as_ref());
        sessions.note(&hex_digest(state.as_bytes()), &pending).await?;
        Ok(Begun::Provider(url))
    }

    /// The operator's variables and the user's. A repair goes where the connection went: nobody is asked again.
    async fn values(
        &self,
        session: &ConnectSession,
        config: &ProviderConfig,
        provider: &Provider,
        fields: &[(String, String)],
    ) -> Result<Values, ConnectError> {
        let mut values = config.values.clone();
        let known = match session.repair {
            Some(grant) => self.known_values(session, grant).await?,
            None => Values::default(),
        };
        let mut problems = Vec::new();
        let asked = provider.variables.iter().filter(|variable| variable.source == VariableSource::User);
        for variable in asked {
            let typed = fields.iter().find(|(name, _)| *name == variable.name).map(|(_, value)| value.trim());
            let given = known.get(&variable.name).or(typed).filter(|value| !value.is_empty());
            let problem = match given {
                Some(value) => values
                    .set(provider, &variable.name, value)
                    .err()
                    .map(|_| format!("This must be {}.", variable.shape.expectation())),
                None if variable.optional || variable.default.is_some() => None,
                None => Some("This is needed to go on.".to_owned()),
            };
            problems.extend(problem.map(|message| FieldProblem {
                provider_id: provider.id.clone(),
                name: variable.name.clone(),
                message,
            }));
        }
        if problems.is_empty() { Ok(values) } else { Err(ConnectError::Fields(problems)) }
    }

    async fn known_values(
        &self,
        session: &ConnectSession,
        grant: alter_api_types::GrantId,
    ) -> Result<Values> {
        let table = self.ports.table.as_ref();
        let grant = Grants(table).get(session.app_id, grant).await?.value;
        let Some(connection) = grant.source.connection_id() else { return Ok(Values::default()) };
        Ok(Connections(table).get(session.app_id, connection).await?.value.values)
    }
}

/// Codes by which the published clients know the operator's mistake, and what the user reads.
pub(super) const NOT_SET_UP: (&str, &str) = (
    "provider_configuration_unavailable",
    "This service is no longer set up for the app. Only the app's operator can change that.",
);
pub(super) const MISCONFIGURED: (&str, &str) = (
    "connect_config_error",
    "The app's setup for this service is not right. Only the app's operator can change that.",
);
