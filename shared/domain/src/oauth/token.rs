//! Tokens: for a code, for an assertion, for a token that ends.

use std::{collections::BTreeMap, time::Duration};

use http::HeaderMap;

use super::{
    AccountInfo, BodyFormat, Callback, Client, ClientAuth, EngineError, ExchangeError, Flow, Provider,
    RefreshKind, Upgrade, Values, VariableSource, Verb,
    assertion::Jti,
    authorize::{requested_scopes, sends_pkce},
    document::{Document, text_of},
    names::{Names, Params},
    reply::{self, Tokens},
    scrub::Secrets,
    send::{Outgoing, apply_headers, standard_headers},
};
use crate::{
    egress::EgressRules,
    port::{Clock, HttpClient, Rng},
    secret::Secret,
};

/// Interprets entries against their providers. Cheap to make: references only.
#[derive(Clone, Copy)]
pub struct Engine<'a> {
    pub http: &'a dyn HttpClient,
    pub rules: EgressRules,
    pub clock: &'a dyn Clock,
    pub rng: &'a dyn Rng,
    /// For one request with its whole reply. Connecting an account may take several.
    pub timeout: Duration,
}

/// A connection that was made.
#[derive(Debug, Clone)]
pub struct Obtained {
    pub tokens: Tokens,
    /// Those given, with what the redirect, the reply and the lookups added.
    pub values: Values,
    /// `None` where the entry says nothing of it, or it could not be found out: a connection works without.
    pub account: Option<AccountInfo>,
}

/// Why there is no connection.
#[derive(Debug, Clone)]
pub struct NotObtained {
    pub error: ExchangeError,
    /// What the provider had given by then, with the values known so far: it should be told that nobody uses these.
    pub given: Option<Box<(Tokens, Values)>>,
}

impl From<ExchangeError> for NotObtained {
    fn from(error: ExchangeError) -> Self {
        Self { error, given: None }
    }
}

impl From<EngineError> for NotObtained {
    fn from(error: EngineError) -> Self {
        ExchangeError::from(error).into()
    }
}

impl NotObtained {
    /// Of a request that follows an exchange which gave these.
    fn after(error: ExchangeError, tokens: Tokens, values: Values) -> Self {
        Self { error: error.after_exchange(), given: Some(Box::new((tokens, values))) }
    }
}

/// The tokens of a connection as they are stored.
#[derive(Debug, Clone, Copy)]
pub struct CurrentTokens<'a> {
    pub access: &'a Secret<String>,
    pub refresh: Option<&'a Secret<String>>,
}

impl Engine<'_> {
    /// RFC 6749 section 4.1.3, then whatever the entry adds: the exchange for a longer token, variables from the redirect
    /// and the reply, lookups, and which account it is. The code is used up unless the error is `Unreachable`.
    pub async fn exchange_code(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        values: &Values,
        callback: &Callback,
        code_verifier: Option<&str>,
        scopes: &[String],
    ) -> Result<Obtained, NotObtained> {
        let mut values = values.clone();
        set_from_callback(provider, &mut values, callback)?;
        let endpoint = &provider.token;
        let mut names = Names::new(provider, &values, client);
        names.public("scope", &scope(provider, scopes));
        names.secret("code", callback.code());
        let mut params = Params::default();
        params.set("grant_type", "authorization_code");
        params.set(&endpoint.code_param, names.get_secret("code").unwrap_or_default());
        params.set("redirect_uri", client.redirect_uri);
        if let Some(verifier) = code_verifier.filter(|_| sends_pkce(provider)) {
            params.set("code_verifier", verifier);
            names.secret_text("code_verifier", verifier);
        }
        let step = Step {
            url: &endpoint.url,
            method: endpoint.method,
            body: endpoint.body,
            auth: Some(&endpoint.auth),
            token_params: true,
            params: None,
        };
        let (mut tokens, first) = self.ask(step, client, names, params).await?;
        let mut replies = vec![first];
        if let Some(upgrade) = &endpoint.upgrade {
            let (longer, second) = match self.upgrade(provider, client, &values, upgrade, &tokens).await {
                Ok(upgraded) => upgraded,
                Err(error) => return Err(NotObtained::after(error, tokens, values)),
            };
            tokens = Tokens {
                refresh_token: longer.refresh_token.or(tokens.refresh_token),
                refresh_expires_at: longer.refresh_expires_at.or(tokens.refresh_expires_at),
                scopes: longer.scopes.or(tokens.scopes),
                ..longer
            };
            replies.push(second);
        }
        self.complete(provider, client, values, tokens, &replies).await
    }

    /// `flow: jwt_bearer` (RFC 7523 section 2.1): a first token, or the next one.
    pub async fn mint(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        values: &Values,
        scopes: &[String],
    ) -> Result<Obtained, NotObtained> {
        let (tokens, document) = self.mint_tokens(provider, client, values, scopes).await?;
        self.complete(provider, client, values.clone(), tokens, &[document]).await
    }

    /// A new access token, in the entry's way. The reply's refresh token replaces the one sent; where it has none, that one
    /// stays. `scopes` are those that were granted.
    pub async fn refresh(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        values: &Values,
        current: &CurrentTokens<'_>,
        scopes: &[String],
    ) -> Result<Tokens, ExchangeError> {
        let (endpoint, refresh) = (&provider.token, &provider.refresh);
        let mut names = Names::new(provider, values, client);
        // Never more than was granted (RFC 6749 section 6): what the entry always asks for may not have been.
        let granted = scopes.join(&provider.scopes.separator);
        names.public("scope", &if granted.is_empty() { scope(provider, scopes) } else { granted });
        names.secret("access_token", current.access);
        let mut params = Params::default();
        match refresh.kind {
            RefreshKind::None => return Err(cannot("not_refreshable")),
            RefreshKind::Assertion => {
                let (tokens, reply) = self.mint_tokens(provider, client, values, scopes).await?;
                let replies = [reply];
                reply::check_scopes(provider, &replies, &Secrets::of(provider, &replies))?;
                return Ok(tokens);
            }
            RefreshKind::AccessToken => {
                params.set("access_token", names.get_secret("access_token").unwrap_or_default());
            }
            RefreshKind::RefreshToken => {
                names.secret("refresh_token", current.refresh.ok_or_else(|| cannot("no_refresh_token"))?);
                params.set("grant_type", "refresh_token");
                params.set("refresh_token", names.get_secret("refresh_token").unwrap_or_default());
            }
        }
        let step = Step {
            url: refresh.url.as_deref().unwrap_or(&endpoint.url),
            method: refresh.method.unwrap_or(endpoint.method),
            body: refresh.body.unwrap_or(endpoint.body),
            // The access token speaks for itself: a secret that nobody asked for does not go along, into a query perhaps.
            auth: refresh
                .auth
                .as_ref()
                .or_else(|| (refresh.kind == RefreshKind::RefreshToken).then_some(&endpoint.auth)),
            token_params: true,
            params: Some(&refresh.params),
        };
        let (tokens, reply) = self.ask(step, client, names, params).await?;
        let replies = [reply];
        reply::check_scopes(provider, &replies, &Secrets::of(provider, &replies))?;
        Ok(tokens)
    }

    async fn mint_tokens(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        values: &Values,
        scopes: &[String],
    ) -> Result<(Tokens, Document), ExchangeError> {
        let endpoint = &provider.token;
        let grant = endpoint.grant.as_ref().filter(|_| provider.flow == Flow::JwtBearer);
        let grant = grant.ok_or(EngineError::Entry("it has no assertion for a grant"))?;
        let mut names = Names::new(provider, values, client);
        names.public("scope", &scope(provider, scopes));
        let assertion = self.assert(grant, client, &mut names, Jti::OnlyIfNamed)?;
        names.secret_text("assertion", &assertion);
        let mut params = Params::default();
        params.set("grant_type", JWT_BEARER_GRANT);
        params.set("assertion", &assertion);
        let step = Step {
            url: &endpoint.url,
            method: endpoint.method,
            body: endpoint.body,
            auth: Some(&endpoint.auth),
            token_params: true,
            params: None,
        };
        self.ask(step, client, names, params).await
    }

    async fn upgrade(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        values: &Values,
        upgrade: &Upgrade,
        tokens: &Tokens,
    ) -> Result<(Tokens, Document), ExchangeError> {
        let mut names = Names::new(provider, values, client);
        names.secret("access_token", &tokens.access_token);
        let step = Step {
            url: &upgrade.url,
            method: upgrade.method,
            body: upgrade.body,
            auth: None,
            token_params: false,
            params: Some(&upgrade.params),
        };
        self.ask(step, client, names, Params::default()).await
    }

    /// Sends one token request and reads its reply.
    async fn ask(
        &self,
        step: Step<'_>,
        client: &Client<'_>,
        mut names: Names<'_>,
        mut params: Params,
    ) -> Result<(Tokens, Document), ExchangeError> {
        let provider = names.provider;
        let endpoint = &provider.token;
        let mut headers = standard_headers();
        if let Some(auth) = step.auth {
            self.authenticate(auth, endpoint, client, &mut names, &mut params, &mut headers)?;
        }
        if step.token_params {
            params.apply_what_fits(&endpoint.params, &names)?;
        }
        if let Some(templates) = step.params {
            params.apply(templates, &names)?;
        }
        let outgoing = self.outgoing(&step, &names, &params, headers)?;
        let answer = self.send(outgoing).await?;
        reply::read(provider, answer, &names, self.clock.now())
    }

    fn outgoing(
        &self,
        step: &Step<'_>,
        names: &Names<'_>,
        params: &Params,
        mut headers: HeaderMap,
    ) -> Result<Outgoing, EngineError> {
        apply_headers(&mut headers, &names.provider.token.headers, names)?;
        let target = names.target(step.url, &self.rules)?;
        Outgoing::with_params(target, step.method, step.body, params, headers)
    }

    /// Variables from the replies, lookups, account.
    async fn complete(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        mut values: Values,
        tokens: Tokens,
        replies: &[Document],
    ) -> Result<Obtained, NotObtained> {
        match self.find_out(provider, client, &mut values, &tokens, replies).await {
            Ok(account) => Ok(Obtained { tokens, values, account }),
            Err(error) => Err(NotObtained::after(error, tokens, values)),
        }
    }

    async fn find_out(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        values: &mut Values,
        tokens: &Tokens,
        replies: &[Document],
    ) -> Result<Option<AccountInfo>, ExchangeError> {
        let none = Values::default();
        let names = Names::new(provider, &none, client);
        let secrets = Secrets::of(provider, replies).and(&names);
        reply::check_scopes(provider, replies, &secrets)?;
        for variable in &provider.variables {
            if let VariableSource::Reply { path } = &variable.source {
                let found = replies.iter().find_map(|reply| reply.at(path).and_then(text_of));
                found.iter().try_for_each(|found| secrets.refuse_in(found, "reply"))?;
                set_found(provider, values, &variable.name, found.as_deref(), "reply")?;
            }
        }
        self.look_up(provider, client, values, &tokens.access_token, &secrets).await?;
        self.account(provider, client, values, &tokens.access_token, replies, &secrets).await
    }
}

/// RFC 7523 section 2.1.
const JWT_BEARER_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// One request to the token endpoint, or one that stands in for it.
struct Step<'a> {
    url: &'a str,
    method: Verb,
    body: BodyFormat,
    auth: Option<&'a ClientAuth>,
    /// Whether `token.params` belong to it.
    token_params: bool,
    /// On top of everything.
    params: Option<&'a BTreeMap<String, String>>,
}

/// Takes what was found for a variable. Nothing found is a fault only where nothing else gives a value.
pub(super) fn set_found(
    provider: &Provider,
    values: &mut Values,
    name: &str,
    found: Option<&str>,
    place: &str,
) -> Result<(), ExchangeError> {
    let reply = |what: &dyn std::fmt::Display| ExchangeError::Reply(format!("in the {place}: {what}"));
    if let Some(found) = found {
        return values.set(provider, name, found).map_err(|error| reply(&error));
    }
    let variable = provider.variables.iter().find(|variable| variable.name == name);
    let needed = variable.is_some_and(|variable| variable.default.is_none() && !variable.optional);
    if needed && values.get(name).is_none() {
        return Err(reply(&format_args!("nothing for {name}")));
    }
    Ok(())
}

fn set_from_callback(
    provider: &Provider,
    values: &mut Values,
    callback: &Callback,
) -> Result<(), ExchangeError> {
    for variable in &provider.variables {
        if let VariableSource::Callback { param } = &variable.source {
            let found = callback.param(param).filter(|value| !value.is_empty());
            set_found(provider, values, &variable.name, found, "redirect")?;
        }
    }
    Ok(())
}

fn scope(provider: &Provider, scopes: &[String]) -> String {
    requested_scopes(provider, scopes).join(&provider.scopes.separator)
}

/// There is nothing to renew with: only connecting again helps.
fn cannot(code: &str) -> ExchangeError {
    ExchangeError::Dead { code: code.to_owned(), description: None }
}
