//! What every sign-in does at an identity provider, whoever it is for: the authentication request, the redirect back, and the ID
//! token (OpenID Connect Core 1.0 section 3.1, RFC 9207).

use std::{sync::Arc, time::Duration};

use alter_api_types::{AppId, IdpId};
use subtle::ConstantTimeEq as _;
use url::Url;
use zeroize::Zeroizing;

use super::told::{
    CODE_REFUSED, MISCONFIGURED, OWN_TROUBLE, REFUSED, TROUBLE, Told, UNUSABLE, refusal, told,
};
use crate::{
    egress::{EgressError, Target},
    error::Result,
    flow::{
        connect::{Browser, ConnectError, challenge, single},
        identity::IdentityService,
    },
    model::{IdentityProvider, SignInClient},
    oauth::{Client, CodeForIdToken, Engine, ExchangeError, IdToken},
    oidc::{Verified, display},
    repo::{Credentials, IdentityProviders, Stored},
    secret::Secret,
    state::CredentialOpener,
};

/// What is asked for: who the user is, and nothing that could be done elsewhere.
const SCOPE: &str = "openid profile email";
/// For one request to an identity provider.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(15);
/// Longer than any code.
const MAX_CODE_BYTES: usize = 8192;

/// The vault as a client of identity providers.
pub(in crate::flow) struct Asking<'a> {
    pub(in crate::flow) identity: &'a IdentityService,
    /// Opens the client's secret.
    pub(in crate::flow) opener: &'a CredentialOpener,
    /// Where the identity provider sends browsers back to.
    pub(in crate::flow) redirect_uri: String,
}

/// What came back for one request, on the way to a token.
pub(in crate::flow) struct Given {
    code: Secret<String>,
    verifier: Zeroizing<String>,
    nonce: String,
}

impl Given {
    /// The code that answers the request of this browser with this `state`.
    pub(in crate::flow) fn new(code: Secret<String>, browser: &Browser, state: &str) -> Self {
        Self { code, verifier: browser.verifier(state), nonce: browser.nonce(state) }
    }
}

/// A user's ID token, checked for the request that it answers.
pub(in crate::flow) struct Obtained {
    pub(in crate::flow) id_token: Secret<String>,
    pub(in crate::flow) verified: Arc<Verified>,
}

/// The code of a redirect from this identity provider, or why it gives none. An error is nothing that it would send.
pub(in crate::flow) fn code_of(
    idp: &IdentityProvider,
    params: &[(String, String)],
) -> Result<Result<Secret<String>, Told>, ConnectError> {
    // Also for errors (RFC 9207 section 2.4): who says no must be who was asked.
    let from_another = match single(params, "iss")? {
        Some(iss) => iss != idp.issuer,
        None => idp.endpoints.names_itself,
    };
    if from_another {
        tracing::warn!(idp = %idp.id, "a sign-in's redirect names another issuer, or none");
        return Err(ConnectError::Mismatch("it does not come from the provider that was asked"));
    }
    if let Some(code) = single(params, "error")? {
        return Ok(Err(refusal(code)));
    }
    let code = single(params, "code")?.filter(|code| code.len() <= MAX_CODE_BYTES);
    let code = code.ok_or(ConnectError::Mismatch("it is not what the provider promises to send"))?;
    Ok(Ok(Secret::new(code.to_owned())))
}

impl Asking<'_> {
    /// The app's identity provider, as long as it is this one and the vault has a client there.
    pub(in crate::flow) async fn provider(
        &self,
        app: AppId,
        id: IdpId,
    ) -> Result<Option<(Stored<IdentityProvider>, SignInClient)>> {
        let idp = IdentityProviders(self.identity.ports.table.as_ref()).find(app).await?;
        Ok(idp.filter(|idp| idp.value.id == id).and_then(|idp| {
            let client = idp.value.client.clone()?;
            Some((idp, client))
        }))
    }

    /// The authentication request (OpenID Connect Core 1.0 section 3.1.2.1, RFC 7636 section 4.3). `anew`: the user is asked who
    /// they are even where the identity provider knows already.
    pub(in crate::flow) fn request(
        &self,
        idp: &IdentityProvider,
        client: &SignInClient,
        (browser, state): (&Browser, &str),
        anew: bool,
    ) -> Result<Url, EgressError> {
        let target = Target::parse(&idp.endpoints.authorization, &self.identity.rules)?;
        let pairs = [
            ("response_type", "code".to_owned()),
            ("client_id", client.client_id.clone()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("scope", SCOPE.to_owned()),
            ("state", state.to_owned()),
            ("nonce", browser.nonce(state)),
            ("code_challenge", challenge(&browser.verifier(state))),
            ("code_challenge_method", "S256".to_owned()),
        ];
        let prompt = anew.then(|| ("prompt", "login".to_owned()));
        let pairs: Vec<_> =
            pairs.into_iter().chain(prompt).map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(target.with_query(&pairs)?.url().clone())
    }

    /// Exchanges the code for an ID token, and checks it.
    pub(in crate::flow) async fn obtain(
        &self,
        idp: &IdentityProvider,
        client: &SignInClient,
        given: &Given,
    ) -> Result<Obtained, Told> {
        let obtained = self.exchange(idp, client, given).await?;
        let verified = self.identity.verify(idp, obtained.id_token.expose_secret()).await.map_err(told)?;
        if let Err(why) = check_id_token(&verified, &client.client_id, &given.nonce) {
            tracing::warn!(idp = %idp.id, why, "an ID token was refused");
            return Err(UNUSABLE);
        }
        let verified = self.with_profile(idp, verified, obtained.access_token.as_ref()).await;
        Ok(Obtained { id_token: obtained.id_token, verified })
    }

    async fn exchange(
        &self,
        idp: &IdentityProvider,
        client: &SignInClient,
        given: &Given,
    ) -> Result<IdToken, Told> {
        let secret = match client.secret {
            None => None,
            Some(secret) => {
                let credentials = Credentials(self.identity.ports.table.as_ref());
                let sealed = credentials.get(idp.app_id, secret.credential_id).await.map_err(told)?.value;
                if sealed.seal_version != secret.seal_version {
                    // It is being replaced.
                    return Err(OWN_TROUBLE);
                }
                Some(self.opener.open(idp.org_id, &sealed).await.map_err(told)?)
            }
        };
        let asked = CodeForIdToken {
            token_endpoint: &idp.endpoints.token,
            auth_methods: &idp.endpoints.token_auth_methods,
            client: Client {
                client_id: &client.client_id,
                secret: secret.as_ref(),
                redirect_uri: &self.redirect_uri,
            },
            code: &given.code,
            verifier: &given.verifier,
        };
        self.engine().exchange_for_id_token(&asked).await.map_err(|error| {
            tracing::warn!(idp = %idp.id, %error, "a code gave no ID token");
            match error {
                ExchangeError::Dead { .. } => CODE_REFUSED,
                ExchangeError::Client { .. } => MISCONFIGURED,
                ExchangeError::Refused { .. } => REFUSED,
                ExchangeError::Unreachable(_) | ExchangeError::Unknown(_) => TROUBLE,
                ExchangeError::Reply(_) => UNUSABLE,
            }
        })
    }

    /// The verified token, with what only the userinfo endpoint tells of the user's profile. Without it a sign-in works as well.
    async fn with_profile(
        &self,
        idp: &IdentityProvider,
        verified: Arc<Verified>,
        access_token: Option<&Secret<String>>,
    ) -> Arc<Verified> {
        let (Some(endpoint), Some(access_token)) = (&idp.endpoints.userinfo, access_token) else {
            return verified;
        };
        if verified.email.is_some() && verified.name.is_some() {
            return verified;
        }
        match self.engine().user_info(endpoint, access_token).await {
            // OpenID Connect Core 1.0 section 5.3.4: of another user it says nothing of this one.
            Ok(info) if info.sub == verified.sub => Arc::new(Verified {
                email: verified.email.clone().or_else(|| display(info.email.as_ref())),
                name: verified.name.clone().or_else(|| display(info.name.as_ref())),
                ..verified.as_ref().clone()
            }),
            Ok(_) => {
                tracing::warn!(idp = %idp.id, "the userinfo reply is of another user");
                verified
            }
            Err(error) => {
                tracing::info!(idp = %idp.id, %error, "the identity provider told no profile");
                verified
            }
        }
    }

    fn engine(&self) -> Engine<'_> {
        let ports = &self.identity.ports;
        Engine {
            http: self.identity.http.as_ref(),
            rules: self.identity.rules,
            clock: ports.clock.as_ref(),
            rng: ports.rng.as_ref(),
            timeout: PROVIDER_TIMEOUT,
        }
    }
}

/// What an ID token must be beside a token of the user's that the vault accepts: made for the vault's own client, and for this very
/// request (OpenID Connect Core 1.0 section 3.1.3.7, points 3 to 5, 10 and 11).
fn check_id_token(verified: &Verified, client_id: &str, nonce: &str) -> Result<(), &'static str> {
    let mine = verified.nonce.as_deref().unwrap_or_default();
    if !bool::from(mine.as_bytes().ct_eq(nonce.as_bytes())) {
        return Err("it was not made for this request");
    }
    if !verified.audience.iter().any(|audience| audience == client_id) {
        return Err("it is for another client");
    }
    let party = verified.authorized_party.as_deref();
    if party.is_some_and(|party| party != client_id) || (verified.audience.len() > 1 && party.is_none()) {
        return Err("it was issued to another client");
    }
    if verified.issued_at.is_none() {
        return Err("it does not say when it was issued");
    }
    Ok(())
}
