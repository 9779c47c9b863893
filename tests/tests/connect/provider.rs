//! A provider: it checks what a careful authorization server checks, and tells what it was asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use alter_tests::{Received, ScriptedClient, toy_provider};
use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Response;
use ring::digest;
use serde_json::{Value, json};
use url::Url;

/// What the user's sign-in at the provider left there.
#[derive(Debug, Clone, Default)]
struct Code {
    account: Option<String>,
    challenge: Option<String>,
    redirect_uri: String,
    scope: String,
    used: bool,
}

#[derive(Default)]
struct Inner {
    codes: BTreeMap<String, Code>,
    /// Token requests, in order.
    exchanges: Vec<BTreeMap<String, String>>,
    /// Tokens that the vault had revoked.
    revoked: Vec<String>,
    /// Answers the next exchange instead of tokens.
    answer: Option<(u16, Value)>,
    without_refresh: bool,
    granted: Option<String>,
    /// Done when the next token request comes.
    then: Option<Box<dyn FnOnce() + Send>>,
    next: u32,
}

#[derive(Clone, Default)]
pub(crate) struct Provider(Arc<Mutex<Inner>>);

impl Provider {
    /// What the vault's own requests reach.
    pub(crate) fn client(&self) -> Arc<ScriptedClient> {
        let provider = self.clone();
        ScriptedClient::new(move |received| {
            let provider = provider.clone();
            async move { Ok(provider.answer(&received)) }
        })
    }

    /// The user signs in as `account` and allows everything: the redirect back.
    pub(crate) fn allow(&self, authorize: &Url, account: &str) -> Url {
        self.redirect(authorize, Some(account), &[])
    }

    /// The same where the provider names nobody.
    pub(crate) fn allow_nameless(&self, authorize: &Url) -> Url {
        self.redirect(authorize, None, &[])
    }

    pub(crate) fn allow_with(&self, authorize: &Url, account: &str, more: &[(&str, &str)]) -> Url {
        self.redirect(authorize, Some(account), more)
    }

    fn redirect(&self, authorize: &Url, account: Option<&str>, more: &[(&str, &str)]) -> Url {
        let asked = query(authorize);
        let mut inner = self.0.lock().unwrap();
        inner.next += 1;
        let code = format!("code-{}-{}", inner.next, account.unwrap_or("nobody"));
        inner.codes.insert(
            code.clone(),
            Code {
                account: account.map(str::to_owned),
                challenge: asked.get("code_challenge").cloned(),
                redirect_uri: asked["redirect_uri"].clone(),
                scope: asked.get("scope").cloned().unwrap_or_default(),
                used: false,
            },
        );
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
        back.query_pairs_mut().extend_pairs(more);
        back
    }

    /// The user says no there, or something is wrong.
    pub(crate) fn refuse(authorize: &Url, error: &str) -> Url {
        let asked = query(authorize);
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("error", error).append_pair("state", &asked["state"]);
        back
    }

    pub(crate) fn answer_next(&self, status: u16, body: Value) {
        self.0.lock().unwrap().answer = Some((status, body));
    }

    pub(crate) fn at_the_next_exchange(&self, then: impl FnOnce() + Send + 'static) {
        self.0.lock().unwrap().then = Some(Box::new(then));
    }

    /// From now on no refresh token comes with tokens.
    pub(crate) fn keep_refresh_tokens(&self) {
        self.0.lock().unwrap().without_refresh = true;
    }

    /// From now on this is granted, whatever was asked for.
    pub(crate) fn grant_only(&self, scope: &str) {
        self.0.lock().unwrap().granted = Some(scope.to_owned());
    }

    pub(crate) fn exchanges(&self) -> Vec<BTreeMap<String, String>> {
        self.0.lock().unwrap().exchanges.clone()
    }

    pub(crate) fn revoked(&self) -> Vec<String> {
        self.0.lock().unwrap().revoked.clone()
    }

    fn answer(&self, received: &Received) -> Response<Body> {
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(&received.body).into_owned().collect();
        let mut inner = self.0.lock().unwrap();
        if received.target.ends_with("/revoke") {
            inner.revoked.push(form["token"].clone());
            return json_answer(200, &json!({}));
        }
        if received.target.ends_with("/api") {
            let with = received.headers["authorization"].to_str().unwrap().to_owned();
            return json_answer(200, &json!({ "with": with.len() }));
        }
        inner.exchanges.push(form.clone());
        if let Some(then) = inner.then.take() {
            then();
        }
        if let Some((status, body)) = inner.answer.take() {
            return json_answer(status, &body);
        }
        inner.next += 1;
        let number = inner.next;
        let Some(code) = form.get("code").and_then(|code| inner.codes.get_mut(code)) else {
            return json_answer(400, &json!({ "error": "invalid_grant" }));
        };
        let proven = code.challenge.as_ref().is_none_or(|challenge| {
            form.get("code_verifier").is_some_and(|verifier| s256(verifier) == *challenge)
        });
        if code.used || !proven || form["redirect_uri"] != code.redirect_uri {
            return json_answer(400, &json!({ "error": "invalid_grant" }));
        }
        code.used = true;
        let code = code.clone();
        let mut tokens = json!({
            "access_token": format!("access-{number}-canary"),
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": inner.granted.clone().unwrap_or(code.scope),
        });
        if !inner.without_refresh {
            tokens["refresh_token"] = json!(format!("refresh-{number}-canary"));
        }
        if let Some(account) = code.account {
            tokens["account"] = json!({ "id": account, "name": format!("{account} <b>") });
        }
        json_answer(200, &tokens)
    }
}

/// A definition with this id, all of it at this provider.
pub(crate) fn definition(id: &str) -> Value {
    let mut definition = toy_provider(&format!("https://{id}.example"), &format!("{id}.example"));
    definition["id"] = json!(id);
    definition["name"] = json!(id.to_uppercase());
    definition["account"] =
        json!({ "source": "reply", "identifier": ["account.id"], "display_name": ["account.name"] });
    definition["scopes"]["known"] = json!([
        { "scope": "notes:read", "description": "read your notes", "default": true },
        { "scope": "notes:write", "description": "write notes for you" },
    ]);
    definition
}

pub(crate) fn query(url: &Url) -> BTreeMap<String, String> {
    url.query_pairs().into_owned().collect()
}

fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

fn json_answer(status: u16, body: &Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}
