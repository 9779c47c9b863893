//! The redirect back from the identity provider (OpenID Connect Core 1.0 section 3.1.2.5 and 3.1.3.7, RFC 9207).

use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc};

use alter_api_types::{SignInId, UserId};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    ATTEMPTS, Right, SignInService, Ticket,
    told::{
        CHANGED, CODE_REFUSED, MISCONFIGURED, OWN_TROUBLE, REFUSED, TROUBLE, Told, UNUSABLE, refusal, told,
    },
};
use crate::{
    error::{Error, Result},
    flow::{
        Subject,
        connect::{Browser, ConnectError, single},
        recorded,
    },
    model::{
        Actor, EventKind, IdentityProvider, SignIn, SignInClient, SignInProfile, SignInProgress, Surface,
    },
    oauth::{Client, CodeForIdToken, ExchangeError, IdToken},
    oidc::{Verified, display},
    repo::{Credentials, SignIns, Stored},
    secret::Secret,
};

/// A redirect as it arrived.
pub struct Answer {
    pub params: Vec<(String, String)>,
    pub ip: Option<IpAddr>,
}

impl fmt::Debug for Answer {
    /// Without the values: the code and the `state` are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.params.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Answer").field("params", &names).field("ip", &self.ip).finish()
    }
}

/// Longer than any code.
const MAX_CODE_BYTES: usize = 8192;

/// What came back for one request, on the way to a token.
struct Given {
    code: Secret<String>,
    verifier: Zeroizing<String>,
    nonce: String,
    ip: Option<IpAddr>,
}

impl SignInService {
    /// Takes a redirect: where all of it fits the request that its `state` names, the user is known from now on and the app can
    /// have their token. Returns the sign-in whose page tells the user. An error has created nothing.
    ///
    /// A browser that is not the sign-in's changes nothing, so that nobody else can use a user's request up; whatever comes from
    /// the right browser uses it up, fitting or not.
    pub async fn receive(
        &self,
        answer: Answer,
        browser: impl Fn(SignInId) -> Option<Browser> + Send,
    ) -> Result<SignInId, ConnectError> {
        let state = single(&answer.params, "state")?.ok_or(ConnectError::UnknownState)?;
        let (sign_in, browser) = self.claim(state, browser).await?;
        let id = sign_in.id;
        let Some((idp, client)) = self.provider_of(&sign_in).await? else {
            self.failed(&sign_in, CHANGED, answer.ip).await?;
            return Ok(id);
        };
        // Also for errors (RFC 9207 section 2.4): who says no must be who was asked.
        let from_another = match single(&answer.params, "iss")? {
            Some(iss) => iss != idp.value.issuer,
            None => idp.value.endpoints.names_itself,
        };
        if from_another {
            tracing::warn!(idp = %idp.value.id, "a sign-in's redirect names another issuer, or none");
            return Err(ConnectError::Mismatch("it does not come from the provider that was asked"));
        }
        if let Some(code) = single(&answer.params, "error")? {
            self.failed(&sign_in, refusal(code), answer.ip).await?;
            return Ok(id);
        }
        let code = single(&answer.params, "code")?.filter(|code| code.len() <= MAX_CODE_BYTES);
        let code = code.ok_or(ConnectError::Mismatch("it is not what the provider promises to send"))?;
        let given = Given {
            code: Secret::new(code.to_owned()),
            verifier: browser.verifier(state),
            nonce: browser.nonce(state),
            ip: answer.ip,
        };
        self.finish(sign_in, idp, client, given).await?;
        Ok(id)
    }

    /// Finds the request that a `state` names, checks that this browser made it, and uses it up.
    async fn claim(
        &self,
        state: &str,
        browser: impl Fn(SignInId) -> Option<Browser>,
    ) -> Result<(SignIn, Browser), ConnectError> {
        let state = Ticket::parse(Right::Answer, state).ok_or(ConnectError::UnknownState)?;
        let sign_ins = SignIns(self.identity.ports.table.as_ref());
        for _ in 0..ATTEMPTS {
            let browser = browser(state.id()).ok_or(ConnectError::OtherBrowser)?;
            let found = self.of_browser(state.id(), Some(&browser)).await;
            let Stored { value: sign_in, version } = found.map_err(|error| match error {
                ConnectError::NoSession => ConnectError::UnknownState,
                other => other,
            })?;
            self.open_now(&sign_in)?;
            let answered = sign_in.answered(&state.digest()).ok_or(ConnectError::UnknownState)?;
            match sign_ins.update(&Stored { value: answered.clone(), version }).await {
                Ok(()) => return Ok((answered, browser)),
                Err(Error::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(ConnectError::Vault(Error::Throttled))
    }

    /// Exchanges the code and takes in what it gives. It goes on when the browser hangs up: the app waits for the result.
    async fn finish(
        &self,
        sign_in: SignIn,
        idp: Stored<IdentityProvider>,
        client: SignInClient,
        given: Given,
    ) -> Result<(), ConnectError> {
        let service = self.clone();
        let task = self.under_way.spawn(async move {
            let ip = given.ip;
            match Box::pin(service.sign_in(&sign_in, idp, &client, given)).await {
                Ok(()) => Ok(()),
                Err(told) => service.failed(&sign_in, told, ip).await.map(drop),
            }
        });
        let ended =
            task.await.map_err(|error| Error::Internal(format!("a sign-in was cut short: {error}")))?;
        Ok(ended?)
    }

    async fn sign_in(
        &self,
        sign_in: &SignIn,
        idp: Stored<IdentityProvider>,
        client: &SignInClient,
        given: Given,
    ) -> Result<(), Told> {
        let actor = Actor { ip: given.ip.map(|ip| ip.to_string()), ..sign_in.actor.clone() };
        let obtained = self.exchange(&idp.value, client, &given).await?;
        let verified = self.identity.verify(&idp.value, obtained.id_token.expose_secret()).await;
        let verified = verified.map_err(told)?;
        if let Err(why) = check_id_token(&verified, &client.client_id, &given.nonce) {
            tracing::warn!(idp = %idp.value.id, why, "an ID token was refused");
            return Err(UNUSABLE);
        }
        let verified = self.with_profile(&idp.value, verified, obtained.access_token.as_ref()).await;
        let identified = self.identity.known(idp, Arc::clone(&verified), &actor).await.map_err(told)?;
        let profile = SignInProfile {
            sub: verified.sub.clone(),
            email: verified.email.clone().or_else(|| identified.user.email.clone()),
            name: verified.name.clone().or_else(|| identified.user.name.clone()),
        };
        let completed = self.completed(sign_in, identified.user_id(), profile, &obtained.id_token, actor);
        completed.await.map_err(told)
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
        let redirect_uri = self.redirect_uri();
        let asked = CodeForIdToken {
            token_endpoint: &idp.endpoints.token,
            auth_methods: &idp.endpoints.token_auth_methods,
            client: Client {
                client_id: &client.client_id,
                secret: secret.as_ref(),
                redirect_uri: &redirect_uri,
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

    async fn completed(
        &self,
        sign_in: &SignIn,
        user_id: UserId,
        profile: SignInProfile,
        token: &Secret<String>,
        actor: Actor,
    ) -> Result<()> {
        let ports = &self.identity.ports;
        let sealed = self.sealer.seal_user_token(ports, sign_in, token).await?;
        let sealed_token = STANDARD.encode(sealed.as_bytes());
        let at = ports.clock.now();
        let change = self.change(sign_in.id, |current| {
            // Somebody who came too late has signed in for nothing.
            if !current.is_open(at) {
                return current;
            }
            let (profile, sealed_token) = (profile.clone(), sealed_token.clone());
            current.end(SignInProgress::Completed { user_id, profile, sealed_token, at })
        });
        let subject = subject(EventKind::SignInCompleted, sign_in, actor, Some(user_id), BTreeMap::new());
        recorded(ports, subject, change).await.map(drop)
    }

    /// Ends the sign-in without a user. It is on the record too, as far as there is one to be had: whoever waits for an answer is
    /// told in any case.
    pub(super) async fn failed(
        &self,
        sign_in: &SignIn,
        (code, message): Told,
        ip: Option<IpAddr>,
    ) -> Result<SignIn> {
        let ports = &self.identity.ports;
        let at = ports.clock.now();
        let ended = self.change(sign_in.id, |current| {
            current.end(SignInProgress::Failed { code: code.to_owned(), message: message.to_owned(), at })
        });
        let ended = ended.await?;
        let actor = Actor { ip: ip.map(|ip| ip.to_string()), ..sign_in.actor.clone() };
        let detail = BTreeMap::from([("code".to_owned(), code.to_owned())]);
        let subject = subject(EventKind::SignInFailed, sign_in, actor, None, detail);
        if let Err(error) = recorded(ports, subject, async { Ok(()) }).await {
            tracing::error!(sign_in = %sign_in.id, code, %error, "a failed sign-in is not on the record");
        }
        Ok(ended)
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

/// An event of a sign-in: whoever asked for it answers for it, from the browser's address.
fn subject(
    kind: EventKind,
    sign_in: &SignIn,
    actor: Actor,
    user_id: Option<UserId>,
    mut detail: BTreeMap<String, String>,
) -> Subject {
    detail.insert("sign_in_id".to_owned(), sign_in.id.to_string());
    detail.insert("identity_provider_id".to_owned(), sign_in.idp_id.to_string());
    Subject {
        kind,
        org_id: sign_in.org_id,
        app_id: Some(sign_in.app_id),
        actor,
        surface: Surface::Connect,
        grant: None,
        user_id,
        detail,
    }
}
