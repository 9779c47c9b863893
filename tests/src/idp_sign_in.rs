//! Signing in at the identity provider: what a careful authorization server checks, and what it was asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use alter_domain::{
    inject::CredentialFields,
    model::{ClientSecret, IdentityProvider, SignInClient},
    repo::{Credentials, IdentityProviders},
    secret::Secret,
};
use axum::body::Body;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::Response;
use ring::digest;
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::{Url, form_urlencoded};

use crate::{Received, TestApp, TestIdp, TokenSpec, json_reply, reply};

/// The vault's client there.
pub const SIGN_IN_CLIENT: &str = "vault-client";
pub const SIGN_IN_SECRET: &str = "s3cret-of-the-vaults-client";

type Change = Box<dyn FnOnce(TokenSpec) -> TokenSpec + Send>;

/// What users have agreed to, and what came of it.
#[derive(Default)]
pub(crate) struct Desk(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    codes: BTreeMap<String, Code>,
    exchanges: Vec<Exchange>,
    /// Answers the next exchange instead of tokens.
    answer: Option<(u16, Value)>,
    /// Done to the next ID token before it is signed.
    change: Option<Change>,
    /// What the userinfo endpoint says.
    profile: Option<Value>,
    takes_post_only: bool,
    /// What the next exchange waits for before it is answered.
    gate: Option<Arc<Notify>>,
}

struct Code {
    challenge: String,
    redirect_uri: String,
    token: TokenSpec,
    used: bool,
}

/// A request to the token endpoint.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub form: BTreeMap<String, String>,
    pub authorization: Option<String>,
}

impl TestIdp {
    /// The user signs in as `sub`, and allows it: the redirect back.
    pub fn sign_in(&self, authorize: &Url, sub: &str) -> Url {
        let asked: BTreeMap<String, String> = authorize.query_pairs().into_owned().collect();
        let token = self
            .claims(sub)
            .aud(&asked["client_id"])
            .claim("nonce", json!(asked["nonce"]))
            .claim("email", json!(format!("{sub}@example.com")))
            .claim("name", json!(sub.to_uppercase()));
        let mut inner = self.desk().0.lock().unwrap();
        let code = format!("c0de-{}-{sub}", inner.codes.len());
        inner.codes.insert(
            code.clone(),
            Code {
                challenge: asked["code_challenge"].clone(),
                redirect_uri: asked["redirect_uri"].clone(),
                token,
                used: false,
            },
        );
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
        back
    }

    /// The user says no, or something is wrong there.
    pub fn turn_away(authorize: &Url, error: &str) -> Url {
        let asked: BTreeMap<String, String> = authorize.query_pairs().into_owned().collect();
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("error", error).append_pair("state", &asked["state"]);
        back
    }

    /// The next ID token is another.
    pub fn next_id_token(&self, change: impl FnOnce(TokenSpec) -> TokenSpec + Send + 'static) {
        self.desk().0.lock().unwrap().change = Some(Box::new(change));
    }

    pub fn answer_next_exchange(&self, status: u16, body: Value) {
        self.desk().0.lock().unwrap().answer = Some((status, body));
    }

    /// The next exchange is answered when the gate is opened.
    pub fn hold_the_next_exchange(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        self.desk().0.lock().unwrap().gate = Some(Arc::clone(&gate));
        gate
    }

    /// What the userinfo endpoint says from now on.
    pub fn tells(&self, profile: Value) {
        self.desk().0.lock().unwrap().profile = Some(profile);
    }

    /// From now on the client is one that proves itself in the form.
    pub fn take_post_only(&self) {
        self.desk().0.lock().unwrap().takes_post_only = true;
    }

    /// All requests to the token endpoint.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.desk().0.lock().unwrap().exchanges.clone()
    }
}

impl Desk {
    pub(crate) async fn token(&self, received: &Received) -> Response<Body> {
        let gate = self.0.lock().unwrap().gate.take();
        if let Some(gate) = gate {
            gate.notified().await;
        }
        let form: BTreeMap<String, String> = form_urlencoded::parse(&received.body).into_owned().collect();
        let authorization = received.header("authorization").map(str::to_owned);
        let mut inner = self.0.lock().unwrap();
        inner.exchanges.push(Exchange { form: form.clone(), authorization: authorization.clone() });
        if let Some((status, body)) = inner.answer.take() {
            return json_reply(status, &body);
        }
        let basic = format!("Basic {}", STANDARD.encode(format!("{SIGN_IN_CLIENT}:{SIGN_IN_SECRET}")));
        let posted = form.get("client_secret").is_some_and(|secret| secret == SIGN_IN_SECRET);
        if !posted && (inner.takes_post_only || authorization != Some(basic)) {
            return json_reply(401, &json!({ "error": "invalid_client" }));
        }
        let change = inner.change.take();
        let refused = json_reply(400, &json!({ "error": "invalid_grant" }));
        let Some(code) = form.get("code").and_then(|code| inner.codes.get_mut(code)) else { return refused };
        let challenge = digest::digest(&digest::SHA256, form["code_verifier"].as_bytes());
        let proven = URL_SAFE_NO_PAD.encode(challenge) == code.challenge;
        if code.used || !proven || form["redirect_uri"] != code.redirect_uri {
            return refused;
        }
        code.used = true;
        let token = code.token.clone();
        let token = change.map_or_else(|| token.clone(), |change| change(token.clone()));
        let body =
            json!({ "token_type": "Bearer", "access_token": "an-access-token", "id_token": token.sign() });
        json_reply(200, &body)
    }

    pub(crate) fn user_info(&self, received: &Received) -> Response<Body> {
        if received.header("authorization") != Some("Bearer an-access-token") {
            return reply(401, "");
        }
        match &self.0.lock().unwrap().profile {
            Some(profile) => json_reply(200, profile),
            None => reply(404, ""),
        }
    }
}

impl TestApp {
    /// The identity provider, with a client of the vault's for sign-in.
    pub async fn signs_in_at(&self, idp: &TestIdp) -> IdentityProvider {
        self.signs_in_at_as(idp, |as_it_is| as_it_is).await
    }

    /// The same, changed before it is written.
    pub async fn signs_in_at_as(
        &self,
        idp: &TestIdp,
        change: impl FnOnce(IdentityProvider) -> IdentityProvider,
    ) -> IdentityProvider {
        let ports = self.vault.calm();
        let at = self.vault.now();
        let secret = ClientSecret { credential_id: ports.new_id().unwrap(), seal_version: 1, rotated_at: at };
        let fields = [("client_secret", Secret::new(SIGN_IN_SECRET.to_owned()))];
        let fields = CredentialFields::from_pairs(fields, &[]).unwrap();
        let place = (secret.credential_id, 1);
        let sealed =
            self.vault.sealer().seal_credential(&ports, self.org, self.id, place, &fields).await.unwrap();
        ports.table.transact(vec![Credentials::create(&sealed).unwrap()]).await.unwrap();
        let client = SignInClient { client_id: SIGN_IN_CLIENT.to_owned(), secret: Some(secret) };
        self.identity_provider_as(idp, |provider| {
            change(IdentityProvider { client: Some(client), ..provider })
        })
        .await
    }

    /// Changes the identity provider as it is stored.
    pub async fn change_identity_provider(&self, change: impl FnOnce(&mut IdentityProvider)) {
        let ports = self.vault.calm();
        let idps = IdentityProviders(ports.table.as_ref());
        let mut idp = idps.get(self.id).await.unwrap();
        change(&mut idp.value);
        idps.update(&idp, None).await.unwrap();
    }
}
