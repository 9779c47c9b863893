//! The demo's stage: a vault, an API to call, and a directory that goes away with them.

use std::{
    future::Future,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use alter_domain::{
    api::{
        SecretText,
        portal::{
            AddIdentityProvider, AddProvider, ClaimsInput, CreateApp, CreateGrant, CreateSecret,
            CredentialType, MintKey, PrincipalView, ScopesInput, SetSignInClient, SetWebhook,
        },
    },
    port::{Rng as _, SystemRng},
    secret::Secret,
};
use bytes::Bytes;
use http::{Request, header};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use super::{
    DemoArgs,
    identity::{self, Person},
    notes::{self, Account},
    upstream::Upstream,
    visitor::Visitor,
};
use crate::{
    cli::{
        BaseUrl, Caller, CliError, HttpClient, Json, Paging, Portal, Result, SaveFile, TargetArgs,
        create_session, id_of, on_the_wire, perform, poll_session, read_all,
    },
    server::{self, Running, ServeOptions},
};

pub(super) struct Stage {
    pub(super) upstream: Upstream,
    pub(super) http: HttpClient,
    pub(super) operator_token: Secret<String>,
    running: Running,
    bank_token: Secret<String>,
    dir: TempDir,
    runtime: tokio::runtime::Runtime,
}

/// With which grant a call is made.
pub(super) enum By<'a> {
    Grant(&'a str),
    /// What the holder of this token has on Acme Notes.
    UserOnNotes(&'a Secret<String>),
}

/// How long the provider may take to be told.
const TOLD_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The id of the demo's OAuth provider.
pub(super) const NOTES: &str = "acme-notes";

/// An API's answer, whole.
pub(super) struct Reply {
    pub(super) status: http::StatusCode,
    pub(super) body: String,
}

impl Stage {
    pub(super) fn set(args: &DemoArgs) -> Result<Self> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            CliError::failure("demo", format!("{what}: {error}."))
        };
        let dir = tempfile::Builder::new()
            .prefix("alter-demo-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| failed("The demo's directory cannot be made", &error))?;
        let bank_token = bank_token()?;
        let upstream = Upstream::start(bank_token.clone())?;
        let options = ServeOptions {
            listen: SocketAddr::from(([127, 0, 0, 1], args.port)),
            data_dir: dir.path().join("data"),
            durability: args.durability.into(),
            allow_loopback_http: true,
            threads: args.threads.map(usize::from),
            wallet_dir: args.wallet_dir.clone(),
            organization: "Demo".to_owned(),
            ..ServeOptions::default()
        };
        let running = server::start(&options)?;
        let operator_token = std::fs::read_to_string(&running.operator_token_file)
            .map_err(|error| failed("The operator's token cannot be read", &error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed("The demo does not start", &error))?;
        Ok(Self {
            upstream,
            http: HttpClient::new(BaseUrl::parse(&running.base_url())?, None)?,
            operator_token: Secret::new(operator_token.trim_end().to_owned()),
            running,
            bank_token,
            dir,
            runtime,
        })
    }

    /// Takes everything down; the directory with it.
    pub(super) fn clear(self) {
        self.running.stop();
        self.upstream.stop();
        if let Err(error) = self.dir.close() {
            tracing::warn!(%error, "the demo's directory was not removed");
        }
    }

    /// Runs one scene.
    pub(super) fn play<T>(&self, scene: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime.block_on(scene)
    }

    pub(super) fn base_url(&self) -> String {
        self.running.base_url()
    }

    pub(super) fn directory(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(super) fn key_file(&self) -> PathBuf {
        self.dir.path().join("shop.key")
    }

    pub(super) fn operator_token_file(&self) -> &Path {
        &self.running.operator_token_file
    }

    pub(super) fn portal(&self, app: Option<&str>) -> Portal {
        Portal::new(self.http.clone(), Some(self.operator_token.clone()), app.map(str::to_owned))
    }

    pub(super) async fn create_app(&self, name: &str) -> Result<Json> {
        let create = CreateApp { name: name.to_owned(), ..CreateApp::default() };
        self.portal(None).post("/apps", &Vec::new(), &create).await
    }

    /// Mints a key and keeps it in the key file.
    pub(super) async fn mint_key(&self, app: &str, name: &str) -> Result<(Json, Secret<String>)> {
        let portal = self.portal(Some(app));
        let mint = MintKey { name: name.to_owned(), ..MintKey::default() };
        let mut answer = portal.post(&portal.in_app("/keys").await?, &Vec::new(), &mint).await?;
        let Some(Json::Text(key)) = answer.take("api_key") else {
            return Err(CliError::failure("invalid_answer", "The vault's answer has no api_key."));
        };
        let key = Secret::new(key);
        SaveFile::create(&self.key_file())?.keep(&key)?;
        Ok((answer, key))
    }

    /// Stores the bank's token as a managed secret.
    pub(super) async fn store_secret(&self, app: &str, name: &str) -> Result<Json> {
        let portal = self.portal(Some(app));
        let token = SecretText::new(self.bank_token.expose_secret().clone());
        let create = CreateSecret {
            name: Some(name.to_owned()),
            template: None,
            credential_type: Some(CredentialType::Bearer),
            fields: [("token".to_owned(), token)].into(),
            injection: None,
            default_headers: None,
            allowed_hosts: Some(vec![self.upstream.addr.to_string()]),
            grant: None,
        };
        portal.post(&portal.in_app("/secrets").await?, &Vec::new(), &create).await
    }

    pub(super) async fn issue_grant(&self, app: &str, secret: &Json, label: &str) -> Result<Json> {
        self.issue_grant_to(app, secret, PrincipalView::System {}, label).await
    }

    pub(super) async fn issue_grant_to(
        &self,
        app: &str,
        secret: &Json,
        principal: PrincipalView,
        label: &str,
    ) -> Result<Json> {
        let portal = self.portal(Some(app));
        let create = CreateGrant {
            secret_id: id_of(secret, "secret_id")?,
            principal,
            label: Some(label.to_owned()),
            grant_policy: None,
        };
        portal.post(&portal.in_app("/grants").await?, &Vec::new(), &create).await
    }

    /// Registers the app at Acme Notes, a provider of the operator's own definition.
    pub(super) async fn add_provider(&self, app: &str) -> Result<Json> {
        let url = format!("{}/notes", self.upstream.url());
        let definition = json!({
            "id": NOTES,
            "name": "Acme Notes",
            "category": "productivity",
            "monogram": "AN",
            "docs_url": "https://example.com/acme-notes",
            "authorization": { "url": format!("{url}/authorize"), "pkce": "required" },
            "token": { "url": format!("{url}/token"), "auth": "basic" },
            "scopes": { "known": [{ "scope": "notes:read", "description": "read your notes", "default": true }] },
            "refresh": { "kind": "refresh_token", "rotation": "always" },
            "revocation": { "url": format!("{url}/revoke") },
            "api": { "hosts": [self.upstream.addr.to_string()], "base_url": url },
            "account": {
                "source": { "request": { "url": format!("{url}/api/me") } },
                "identifier": ["id"], "display_name": ["name"], "email": ["email"]
            },
            "evidence": { "sources": ["this demo"], "date": "2026-11", "endpoints": "low", "behaviour": "low" }
        });
        let portal = self.portal(Some(app));
        let add = AddProvider {
            provider_id: None,
            definition: Some(definition),
            client_id: notes::CLIENT_ID.to_owned(),
            client_secret: Some(SecretText::new(self.upstream.notes.client_secret().to_owned())),
            private_key: None,
            scopes: ScopesInput::default(),
            variables: std::collections::BTreeMap::new(),
        };
        portal.post(&portal.in_app("/providers").await?, &Vec::new(), &add).await
    }

    /// Makes Acme ID the app's identity provider.
    pub(super) async fn add_identity_provider(&self, app: &str) -> Result<Json> {
        let provider = self.upstream.identity.as_ref();
        let portal = self.portal(Some(app));
        let add = AddIdentityProvider {
            issuer: provider.issuer().to_owned(),
            idp_type: None,
            claims: ClaimsInput { groups: Some(Some("groups".to_owned())), ..ClaimsInput::default() },
            audience: None,
        };
        let path = portal.in_app("/identity-provider").await?;
        let added = portal.post(&path, &Vec::new(), &add).await?;
        let client = SetSignInClient {
            client_id: identity::CLIENT_ID.to_owned(),
            client_secret: Some(SecretText::new(provider.client_secret().to_owned())),
        };
        portal.put(&format!("{path}/client"), &Vec::new(), &client).await?;
        Ok(added)
    }

    /// Somebody signs in at Acme ID: the token that the app has of it from then on, and the file that it is in.
    pub(super) fn sign_in(&self, person: &Person) -> Result<Secret<String>> {
        let token = self.upstream.identity.token(person)?;
        SaveFile::create(&self.dir.path().join(format!("{}.jwt", person.sub)))?.keep(&token)?;
        Ok(token)
    }

    /// Lets Acme ID tell who has left. Returns the address to tell it at.
    pub(super) async fn enable_webhook(&self, app: &str) -> Result<String> {
        let portal = self.portal(Some(app));
        let issuer = Some(self.upstream.identity.issuer().to_owned());
        let set = SetWebhook { issuer, ..SetWebhook::default() };
        let path = portal.in_app("/identity-provider/webhooks/ssf").await?;
        let set = portal.put(&path, &Vec::new(), &set).await?;
        set.get("webhook").map_or_else(|| Err(broken("there is no webhook")), |webhook| text(webhook, "url"))
    }

    /// Somebody's account at Acme ID is deleted, which tells this address (RFC 8935).
    pub(super) async fn leaves(&self, person: &Person, webhook: &str) -> Result<http::StatusCode> {
        let path =
            webhook.strip_prefix(&self.base_url()).ok_or_else(|| broken("the webhook is elsewhere"))?;
        let event = self.upstream.identity.account_purged(person, webhook)?;
        let mut request = Request::new(Bytes::from(event));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = path.parse().map_err(|_| broken("the webhook has no address"))?;
        let kind = http::HeaderValue::from_static("application/secevent+jwt");
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(self.http.send(request).await?.status())
    }

    /// What the vault says of a user.
    pub(super) async fn user(&self, app: &str, person: &Person) -> Result<Json> {
        let portal = self.portal(Some(app));
        let users = portal.list(&portal.in_app("/users").await?, &Vec::new(), &Paging::everything()).await?;
        let user = users.items.into_iter().find(|user| user.text("subject") == Some(person.sub));
        user.ok_or_else(|| broken("the vault does not know her"))
    }

    /// An end user connects her account: `opened` is told of the link first. Returns the grant, which is hers if the app has
    /// her token.
    pub(super) async fn connect(
        &self,
        key: &Secret<String>,
        account: &Account,
        user_token: Option<&Secret<String>>,
        opened: impl FnOnce(&str) -> Result<()>,
    ) -> Result<Json> {
        let caller = caller(key)?;
        let mut ask = json!({
            "allowed_providers": [NOTES], "return_url": null, "allowed_origin": null, "metadata": null
        });
        if let (Some(ask), Some(token)) = (ask.as_object_mut(), user_token) {
            ask.insert("user_token".to_owned(), json!(on_the_wire(token)));
        }
        let session = create_session(&self.http, &caller, &ask).await?;
        opened(&session.url)?;
        Visitor::default().connect(&session.url, NOTES, &format!("Allow as {}", account.name)).await?;
        let answer = poll_session(&self.http, &caller, &session).await?;
        let grant = answer.list("grants").and_then(<[Json]>::first).cloned();
        grant.ok_or_else(|| broken(&format!("{answer:?}")))
    }

    /// Waits until the provider has been told of a revocation, and returns what the grant says of it.
    pub(super) async fn provider_was_told(&self, app: &str, grant: &str) -> Result<String> {
        let portal = self.portal(Some(app));
        let path = portal.in_app(&format!("/grants/{grant}")).await?;
        let deadline = Instant::now() + TOLD_WITHIN;
        loop {
            let view = portal.get(&path, &Vec::new()).await?;
            let receipt = view.path("connection.provider_revocation.status").and_then(Json::as_text);
            match receipt {
                // Where somebody has left, their grants end one after the other.
                None | Some("pending") if Instant::now() < deadline => tokio::time::sleep(LOOK_EVERY).await,
                Some(outcome) => return Ok(outcome.to_owned()),
                None => return Err(CliError::failure("demo_failed", format!("No receipt in {view:?}."))),
            }
        }
    }

    /// Calls an API of this demo through the vault, as `alter call` does.
    pub(super) async fn call(
        &self,
        key: &Secret<String>,
        by: By<'_>,
        path: &str,
        reason: &str,
    ) -> Result<Reply> {
        let caller = caller(key)?;
        let (grant, provider, user_token) = match by {
            By::Grant(grant) => (Some(grant.to_owned()), None, None),
            By::UserOnNotes(token) => (None, Some(NOTES.to_owned()), Some(token)),
        };
        let call = TargetArgs {
            method: "GET".to_owned(),
            target: format!("{}{path}", self.upstream.url()),
            grant,
            provider,
            account: None,
            label: None,
            user_token_file: None,
            key_file: self.key_file(),
            reason: Some(reason.to_owned()),
            caller: None,
            headers: Vec::new(),
            data: None,
        };
        let answer = perform(&self.http, &caller, &call, user_token, None).await?;
        let status = answer.status();
        let body = read_all(answer.into_body()).await?;
        Ok(Reply { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Whether a text holds the bank's token, in whole or in a telling part.
    pub(super) fn gives_away(&self, text: &str) -> bool {
        let token = self.bank_token.expose_secret();
        text.contains(token.as_str()) || token.get(..token.len() / 2).is_some_and(|half| text.contains(half))
    }
}

/// The demo shows nothing that is not so.
pub(super) fn broken(what: &str) -> CliError {
    CliError::failure("demo_failed", format!("This demo is broken: {what}."))
}

fn caller(key: &Secret<String>) -> Result<Caller> {
    Caller::new(key).ok_or_else(|| CliError::failure("demo", "The vault minted a key of another kind."))
}

/// A field of an answer.
pub(super) fn text(answer: &Json, name: &str) -> Result<String> {
    let text = answer.text(name).map(str::to_owned);
    text.ok_or_else(|| CliError::failure("invalid_answer", format!("The vault's answer has no {name}.")))
}

/// A token such as a bank might issue.
fn bank_token() -> Result<Secret<String>> {
    let mut random = [0; 20];
    SystemRng::new().fill(&mut random).map_err(|error| CliError::failure("random", error.to_string()))?;
    Ok(Secret::new(format!("acme_live_{}", hex::encode(random))))
}
