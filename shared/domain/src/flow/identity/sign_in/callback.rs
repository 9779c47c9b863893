//! The redirect back from the identity provider (OpenID Connect Core 1.0 section 3.1.2.5).

use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc};

use alter_api_types::{SignInId, UserId};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    ATTEMPTS, Given, Obtained, Right, SignInService, Ticket, code_of,
    told::{CHANGED, Told, told},
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
    repo::{SignIns, Stored},
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
        let Some((idp, client)) = self.asking().provider(sign_in.app_id, sign_in.idp_id).await? else {
            self.failed(&sign_in, CHANGED, answer.ip).await?;
            return Ok(id);
        };
        let code = match code_of(&idp.value, &answer.params)? {
            Ok(code) => code,
            Err(told) => {
                self.failed(&sign_in, told, answer.ip).await?;
                return Ok(id);
            }
        };
        let given = (Given::new(code, &browser, state), answer.ip);
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
        (given, ip): (Given, Option<IpAddr>),
    ) -> Result<(), ConnectError> {
        let service = self.clone();
        let task = self.under_way.spawn(async move {
            match Box::pin(service.sign_in(&sign_in, idp, &client, (&given, ip))).await {
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
        (given, ip): (&Given, Option<IpAddr>),
    ) -> Result<(), Told> {
        let actor = Actor { ip: ip.map(|ip| ip.to_string()), ..sign_in.actor.clone() };
        let Obtained { id_token, verified } = self.asking().obtain(&idp.value, client, given).await?;
        let identified = self.identity.known(idp, Arc::clone(&verified), &actor).await.map_err(told)?;
        let profile = SignInProfile {
            sub: verified.sub.clone(),
            email: verified.email.clone().or_else(|| identified.user.email.clone()),
            name: verified.name.clone().or_else(|| identified.user.name.clone()),
        };
        let completed = self.completed(sign_in, identified.user_id(), profile, &id_token, actor);
        completed.await.map_err(told)
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
