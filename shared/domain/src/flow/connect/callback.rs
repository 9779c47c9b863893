//! The redirect back from the provider (RFC 6749 section 4.1.2, RFC 9207, RFC 9700 section 4).

use std::{fmt, net::IpAddr};

use alter_api_types::{AppId, ConnectSessionId};

use super::{
    Browser, ConnectError, ConnectService, begin::NOT_SET_UP, browser::hex_digest, keep::Authorized,
};
use crate::{
    error::Result,
    model::{ConnectSession, PendingAuthorization, ProviderConfig},
    oauth::{Callback, check_issuer, sends_pkce},
    repo::{ConnectSessions, ProviderConfigs, Stored},
};

/// A redirect as it arrived.
pub struct Redirect<'a> {
    /// Of the path, as it stands there.
    pub app_id: &'a str,
    pub provider_id: &'a str,
    pub params: Vec<(String, String)>,
    pub ip: Option<IpAddr>,
}

impl fmt::Debug for Redirect<'_> {
    /// Without the values: the code and the `state` are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.params.iter().map(|(name, _)| name).collect();
        f.debug_struct("Redirect")
            .field("app_id", &self.app_id)
            .field("provider_id", &self.provider_id)
            .field("params", &names)
            .field("ip", &self.ip)
            .finish()
    }
}

impl ConnectService {
    /// Takes a redirect: where all of it fits the request that its `state` names, the code is exchanged and what comes of it is
    /// stored. Returns the session whose page tells the user. An error has created nothing.
    ///
    /// A browser that is not the session's changes nothing, so that nobody else can use a user's request up; whatever comes
    /// from the right browser uses it up, fitting or not.
    pub async fn receive(
        &self,
        redirect: Redirect<'_>,
        browser: impl Fn(ConnectSessionId) -> Option<Browser> + Send,
    ) -> Result<ConnectSessionId, ConnectError> {
        let state = single(&redirect.params, "state")?.ok_or(ConnectError::UnknownState)?;
        let (pending, session, browser) = self.claim(state, browser).await?;
        let app: Option<AppId> = redirect.app_id.parse().ok();
        if app != Some(pending.app_id) || redirect.provider_id != pending.provider_id {
            return Err(ConnectError::Mismatch("the address is another provider's"));
        }
        let configs = ProviderConfigs(self.ports.table.as_ref());
        let found = configs.find(pending.app_id, &pending.provider_id).await?;
        let Some(config) = found.map(|config| config.value).filter(ProviderConfig::is_enabled) else {
            self.failed(&session, &pending.provider_id, NOT_SET_UP).await?;
            return Ok(session.id);
        };
        let provider = config.definition()?;
        // Also for errors (RFC 9207 section 2.4): who says no must be who was asked.
        let iss = single(&redirect.params, "iss")?;
        check_issuer(provider, &pending.values, iss).map_err(|error| {
            tracing::warn!(provider = provider.id, %error, "a redirect was refused");
            ConnectError::Mismatch("it does not come from the provider that was asked")
        })?;
        if let Some(code) = single(&redirect.params, "error")? {
            self.refused(&session, &pending.provider_id, code, redirect.ip).await?;
            return Ok(session.id);
        }
        let verifier = sends_pkce(provider).then(|| browser.verifier(state));
        let callback = Callback::read(provider, redirect.params.iter().cloned()).map_err(|error| {
            tracing::warn!(provider = provider.id, %error, "a redirect was refused");
            ConnectError::Mismatch("it is not what the provider promises to send")
        })?;
        let asked = Authorized {
            values: pending.values,
            scopes: pending.scopes,
            callback: Some(callback),
            verifier,
            ip: redirect.ip,
        };
        let id = session.id;
        self.obtain(session, config, asked).await?;
        Ok(id)
    }

    /// Finds the request that a `state` names, checks that this browser made it, and uses it up.
    async fn claim(
        &self,
        state: &str,
        browser: impl Fn(ConnectSessionId) -> Option<Browser>,
    ) -> Result<(PendingAuthorization, ConnectSession, Browser), ConnectError> {
        let sessions = ConnectSessions(self.ports.table.as_ref());
        let digest = hex_digest(state.as_bytes());
        let noted = sessions.noted(&digest).await?.ok_or(ConnectError::UnknownState)?;
        let browser = browser(noted.value.session_id).ok_or(ConnectError::OtherBrowser)?;
        let Stored { value: session, .. } = self.of_browser(noted.value.session_id, Some(&browser)).await?;
        let taken = sessions.take(&digest, &noted).await?;
        if !taken || self.ports.clock.now() >= noted.value.expires_at {
            return Err(ConnectError::UnknownState);
        }
        self.open_now(&session)?;
        Ok((noted.value, session, browser))
    }

    /// The provider, or the user there, said no.
    async fn refused(
        &self,
        session: &ConnectSession,
        provider_id: &str,
        code: &str,
        ip: Option<IpAddr>,
    ) -> Result<()> {
        let code: String = code
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
            .take(64)
            .collect();
        if ["denied", "cancel", "declined"].iter().any(|word| code.to_lowercase().contains(word)) {
            self.declined(session, provider_id, code, ip).await?;
        } else {
            tracing::warn!(provider_id, code, "the provider refused an authorization request");
            self.failed(session, provider_id, refusal(&code)).await?;
        }
        Ok(())
    }
}

/// What an error code of the provider means for the app, and for the user.
pub(super) fn refusal(code: &str) -> (&'static str, &'static str) {
    match code {
        "invalid_client" => ("invalid_client", CLIENT_REFUSED),
        "unauthorized_client" => ("unauthorized_client", CLIENT_REFUSED),
        "invalid_redirect_uri" | "redirect_uri_mismatch" => ("invalid_redirect_uri", CLIENT_REFUSED),
        "invalid_scope" => (
            "connect_config_error",
            "The service does not know a permission that the app asks for. Only the app's operator can change that.",
        ),
        "temporarily_unavailable" | "server_error" => {
            ("provider_unavailable", "The service has trouble at the moment. Try again in a while.")
        }
        _ => {
            ("provider_refused", "The service refused the connection. Try again, or ask the app's operator.")
        }
    }
}

const CLIENT_REFUSED: &str =
    "The service does not accept the app's registration. Only the app's operator can change that.";

/// A parameter that may be there once (RFC 6749 section 3.1).
pub(in crate::flow) fn single<'p>(
    params: &'p [(String, String)],
    name: &str,
) -> Result<Option<&'p str>, ConnectError> {
    let mut found = params.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(ConnectError::Mismatch("a parameter is given twice")),
        (one, None) => Ok(one.filter(|value| !value.is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_value_of_a_redirect() {
        let params =
            vec![("code".to_owned(), "c0de-canary".to_owned()), ("state".to_owned(), "st4te".to_owned())];
        let shown = format!("{:?}", Redirect { app_id: "a", provider_id: "toy", params, ip: None });
        assert!(shown.contains("toy") && shown.contains("state"), "{shown}");
        assert!(!shown.contains("canary") && !shown.contains("st4te"), "{shown}");
    }
}
