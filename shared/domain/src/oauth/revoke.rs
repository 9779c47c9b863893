//! Telling the provider that access ends: RFC 7009, or its own way.

use http::{HeaderMap, StatusCode};

use super::{
    Client, CurrentTokens, EngineError, ExchangeError, Provider, Revocation, RevocationAuth, RevokeError,
    RevokedToken, Values,
    client::basic,
    names::{Names, Params},
    reply,
    send::{NoAnswer, Outgoing, apply_headers, set_header, standard_headers},
    token::Engine,
};
use crate::secret::Secret;

impl Engine<'_> {
    /// Returns when the provider has confirmed: what the entry tells it of is of no use any more.
    pub async fn revoke(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        values: &Values,
        current: &CurrentTokens<'_>,
    ) -> Result<(), RevokeError> {
        let revocation = provider.revocation.as_ref().ok_or(RevokeError::NotSupported)?;
        let refresh = current.refresh.map(|token| (token, Kind::Refresh));
        let access = (current.access, Kind::Access);
        let told: Vec<_> = match revocation.token {
            RevokedToken::Refresh => vec![refresh.unwrap_or(access)],
            RevokedToken::Access => vec![access],
            RevokedToken::Both => refresh.into_iter().chain([access]).collect(),
        };
        let mut line_ended = false;
        for (token, kind) in told {
            self.tell(provider, revocation, client, values, current.access, (token, kind), line_ended)
                .await?;
            line_ended |= kind == Kind::Refresh;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "one request; a struct would only name them once more")]
    async fn tell(
        &self,
        provider: &Provider,
        revocation: &Revocation,
        client: &Client<'_>,
        values: &Values,
        access: &Secret<String>,
        (token, kind): (&Secret<String>, Kind),
        line_ended: bool,
    ) -> Result<(), RevokeError> {
        let mut names = Names::new(provider, values, client);
        names.secret("token", token);
        names.secret("access_token", access);
        let outgoing = self
            .revocation_request(revocation, client, &mut names, kind)
            .map_err(|error| RevokeError::Final(error.to_string()))?;
        let answer = self.send(outgoing).await.map_err(|error| match error {
            NoAnswer::NotSent(reason) | NoAnswer::Unknown(reason) => RevokeError::Retry(reason),
        })?;
        let status = answer.status;
        if revocation.also_success.contains(&status.as_u16()) {
            return Ok(());
        }
        // RFC 7009 section 2.2: the status says it, a body is ignored unless the entry wants it read.
        if status.is_success() && revocation.success.is_none() {
            return Ok(());
        }
        match reply::success(provider, answer, &names, revocation.success.as_ref()) {
            Ok(_) => Ok(()),
            // It is gone already. Said of an access token alone, that may only mean that it has expired.
            Err(error) if (kind == Kind::Refresh || line_ended) && is_gone(&error) => Ok(()),
            Err(error) => Err(refusal(status, &error)),
        }
    }

    fn revocation_request(
        &self,
        revocation: &Revocation,
        client: &Client<'_>,
        names: &mut Names<'_>,
        kind: Kind,
    ) -> Result<Outgoing, EngineError> {
        let mut params = Params::default();
        let mut headers = standard_headers();
        if revocation.params.is_none() {
            params.set("token", names.get_secret("token").unwrap_or_default());
            params.set("token_type_hint", kind.hint());
        }
        self.prove(&revocation.auth, client, names, &mut params, &mut headers)?;
        if let Some(templates) = &revocation.params {
            params.apply(templates, names)?;
        }
        apply_headers(&mut headers, &revocation.headers, names)?;
        let target = names.target(&revocation.url, &self.rules)?;
        Outgoing::with_params(target, revocation.method, revocation.body, &params, headers)
    }

    fn prove(
        &self,
        auth: &RevocationAuth,
        client: &Client<'_>,
        names: &mut Names<'_>,
        params: &mut Params,
        headers: &mut HeaderMap,
    ) -> Result<(), EngineError> {
        let endpoint = &names.provider.token;
        match auth {
            RevocationAuth::Client => {
                self.authenticate(&endpoint.auth, endpoint, client, names, params, headers)
            }
            RevocationAuth::Basic => {
                let secret =
                    names.get_secret("client_secret").ok_or(EngineError::NoSecret("client_secret"))?;
                let sent = basic(client.client_id, secret, headers)?;
                names.hide(&sent);
                Ok(())
            }
            RevocationAuth::Bearer => {
                set_header(headers, "authorization", &names.text("Bearer {access_token}")?)
            }
            RevocationAuth::Header { name, value } => set_header(headers, name, &names.text(value)?),
            RevocationAuth::None => Ok(()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Refresh,
    Access,
}

impl Kind {
    /// RFC 7009 section 2.1.
    fn hint(self) -> &'static str {
        match self {
            Kind::Refresh => "refresh_token",
            Kind::Access => "access_token",
        }
    }
}

fn is_gone(error: &ExchangeError) -> bool {
    match error {
        ExchangeError::Dead { .. } => true,
        ExchangeError::Refused { code, .. } => code == "invalid_token",
        _ => false,
    }
}

fn refusal(status: StatusCode, error: &ExchangeError) -> RevokeError {
    let reason = format!("{error} (http_{})", status.as_u16());
    match error {
        ExchangeError::Unreachable(_) | ExchangeError::Unknown(_) => RevokeError::Retry(reason),
        _ => RevokeError::Final(reason),
    }
}
