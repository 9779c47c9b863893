//! Every route, and what each kind of caller gets from it. A test compares this table with the routers.

use alter_domain::model::Permission;
use serde_json::{Value, json};

/// How a route is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// By anyone.
    Public,
    /// With an API key and a signature.
    Key,
    /// With an operator token of this permission.
    Token(Permission),
    /// With a session of the Wallet.
    Session,
}

/// An answer: status, and the code of an error.
pub(crate) type Says = (u16, &'static str);

pub(crate) struct Row {
    /// Method and path as the router has it.
    pub(crate) route: (&'static str, &'static str),
    pub(crate) door: Door,
    /// Query and body of a request that is right in all but the ids in it.
    pub(crate) query: fn(&Ids) -> String,
    pub(crate) body: fn(&Ids) -> Value,
    /// What an app (or an operator) gets with ids of its own.
    pub(crate) own: Says,
    /// What it gets with ids of another app (in the Wallet: of another user); `None` where a request names nothing.
    pub(crate) foreign: Option<Says>,
    /// What an agent gets with ids of its app that are not its own. For tokens: one permission too few.
    pub(crate) wrong: Says,
}

/// What a request may name.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    pub(crate) app: String,
    pub(crate) key: String,
    pub(crate) agent: String,
    pub(crate) secret: String,
    pub(crate) grant: String,
    /// An OAuth provider of the app's own.
    pub(crate) provider: String,
    /// A user who was seen in the app.
    pub(crate) user: String,
    pub(crate) token: String,
    pub(crate) event: String,
    /// A URL that the secret may be sent to.
    pub(crate) url: String,
}

impl Ids {
    /// A path with these ids in its places.
    pub(crate) fn fill(&self, path: &str) -> String {
        let known = path.starts_with("/portal/v1/providers/");
        path.replace("{provider_id}", if known { KNOWN_PROVIDER } else { &self.provider })
            .replace("{app_id}", &self.app)
            .replace("{key_id}", &self.key)
            .replace("{agent_id}", &self.agent)
            .replace("{secret_id}", &self.secret)
            .replace("{grant_id}", &self.grant)
            .replace("{idp_id}", &self.grant)
            .replace("{pat_id}", &self.token)
            .replace("{event_id}", &self.event)
            .replace("{user_id}", &self.user)
            .replace("{kind}", WEBHOOK)
            .replace("{slug}", "stripe")
            .replace("{session_id}", &self.grant)
            .replace("{sign_in_id}", &self.grant)
            .replace("{start_key}", "begin_unknown")
            .replace("{name}", "connect.css")
    }
}

/// A webhook that every app's identity provider has.
const WEBHOOK: &str = "auth0";

/// One that the catalogue has.
const KNOWN_PROVIDER: &str = "github";

fn no_query(_: &Ids) -> String {
    String::new()
}

fn no_body(_: &Ids) -> Value {
    Value::Null
}

const OK: Says = (200, "");
const CREATED: Says = (201, "");
const NO_GRANT: Says = (404, "grant_not_found");
const NO_APPROVAL: Says = (404, "approval_not_found");
const NO_SECRET: Says = (404, "secret_not_found");
const NO_AGENT: Says = (404, "agent_not_found");
const NO_KEY: Says = (404, "key_not_found");
const NO_EVENT: Says = (404, "audit_event_not_found");
const NO_APP: Says = (404, "app_not_found");
const NO_PROVIDER: Says = (404, "provider_not_found");
const NO_USER: Says = (404, "user_not_found");
/// Every app here has one.
const HAS_IDP: Says = (409, "identity_provider_exists");
const NO_TOKEN: Says = (404, "operator_token_not_found");
const NO_TOKEN_OF_A_USER: Says = (401, "jwt_validation_error");
const TOO_LITTLE: Says = (403, "insufficient_scope");
/// An agent's own key renews what is the agent's, and makes nothing for the app.
const REPAIRS_ONLY: Says = (422, "repair_grant_id_required");
const RETRIEVE: Says = (400, "restricted_grant_requires_proxy");

const READ: Door = Door::Token(Permission::Read);
const WRITE: Door = Door::Token(Permission::Write);
const ADMIN: Door = Door::Token(Permission::Admin);

fn key(method: &'static str, path: &'static str, own: Says, foreign: Option<Says>, wrong: Says) -> Row {
    let (query, body) = (no_query as fn(&Ids) -> String, no_body as fn(&Ids) -> Value);
    Row { route: (method, path), door: Door::Key, query, body, own, foreign, wrong }
}

fn token(door: Door, method: &'static str, path: &'static str, own: Says, foreign: Option<Says>) -> Row {
    // Reading is the least there is: a token that may read less does not exist.
    let wrong = if door == READ { OK } else { TOO_LITTLE };
    Row { route: (method, path), door, query: no_query, body: no_body, own, foreign, wrong }
}

/// A route of the Wallet's. Whoever it is for has nothing to be too small or wrong in it.
fn session(method: &'static str, path: &'static str, own: Says, foreign: Option<Says>) -> Row {
    Row { door: Door::Session, own, foreign, ..public(method, path) }
}

impl Row {
    fn answering(self, own: Says) -> Self {
        Self { own, ..self }
    }

    /// What somebody gets who has no session: a write is not believed to be meant.
    pub(crate) fn closed(&self) -> Says {
        if self.route.0 == "GET" { (401, "wallet_session_required") } else { (403, "csrf_failed") }
    }

    fn body(self, body: fn(&Ids) -> Value) -> Self {
        Self { body, ..self }
    }

    fn query(self, query: fn(&Ids) -> String) -> Self {
        Self { query, ..self }
    }
}

fn public(method: &'static str, path: &'static str) -> Row {
    Row {
        route: (method, path),
        door: Door::Public,
        query: no_query,
        body: no_body,
        own: OK,
        foreign: None,
        wrong: OK,
    }
}

/// A page of Connect, for a browser that has no session: it may say so to anybody.
fn page(method: &'static str, path: &'static str, status: u16) -> Row {
    Row { own: (status, ""), ..public(method, path) }
}

/// An address of an identity provider's webhook: nobody proves to be one that the vault does not have. Standards that say so
/// are answered with 400.
fn webhook(method: &'static str, path: &'static str, status: u16) -> Row {
    Row { own: (status, "webhook_unauthorized"), ..public(method, path) }
}

pub(crate) fn table() -> Vec<Row> {
    let bearer = |_: &Ids| {
        json!({ "name": "Fresh", "credential_type": "bearer", "fields": { "token": "a-fresh-token" },
            "allowed_hosts": ["api.example.com"] })
    };
    vec![
        public("GET", "/healthz"),
        public("GET", "/portal/v1/openapi.json"),
        key("POST", "/sdk/proxy", OK, Some(NO_GRANT), NO_GRANT)
            .body(|ids| json!({ "method": "GET", "url": ids.url, "grant_id": ids.grant })),
        key("ANY", "/v1/forward", OK, Some(NO_GRANT), NO_GRANT),
        key("POST", "/sdk/token", RETRIEVE, Some(RETRIEVE), RETRIEVE)
            .body(|ids| json!({ "grant_id": ids.grant, "reason": null, "request": { "method": "GET", "url": ids.url } })),
        key("POST", "/sdk/grants/list", OK, None, OK).body(|_| json!({ "limit": 10, "offset": 0 })),
        key("POST", "/sdk/managed-secrets/{secret_id}/grants", OK, Some(NO_SECRET), NO_SECRET)
            .body(|_| json!({ "principal": { "type": "system", "label": null }, "grant_policy": {} })),
        key("POST", "/sdk/oauth/grants/{grant_id}/revoke", OK, Some(NO_GRANT), NO_GRANT).body(|_| json!({})),
        key("POST", "/sdk/oauth/connect/session", OK, None, REPAIRS_ONLY).body(|ids| json!({ "allowed_providers": [ids.provider] })),
        key("POST", "/sdk/oauth/connect/session/poll", OK, None, OK).body(|_| json!({ "session_token": "sess_unknown" })),
        key("GET", "/sdk/oauth/provider-catalog", OK, None, OK),
        key("POST", "/sdk/auth/session", CREATED, None, CREATED).body(|_| json!({})),
        key("POST", "/sdk/auth/poll", OK, None, OK).body(|_| json!({ "session_token": "auth_sess_unknown" })),
        key("POST", "/sdk/auth/verify-token", NO_TOKEN_OF_A_USER, None, NO_TOKEN_OF_A_USER).body(|_| json!({ "token": "none" })),
        key("POST", "/sdk/identity/resolve", OK, None, OK).body(|_| json!({ "include_profile": true })),
        page("GET", "/sdk/auth/start/{start_key}", 404),
        page("POST", "/sdk/auth/start/{start_key}", 404),
        page("GET", "/sdk/auth/callback", 400),
        page("POST", "/sdk/auth/callback", 303),
        page("GET", "/sdk/auth/result/{sign_in_id}", 404),
        page("GET", "/api/auth/sign-in", 303),
        page("GET", "/api/auth/callback", 303),
        page("POST", "/api/auth/callback", 303),
        public("GET", "/wallet/api/sign-in"),
        public("GET", "/wallet/api/logos/{app_id}/{digest}").answering((404, "logo_not_found")),
        session("GET", "/wallet/api/session", OK, None),
        session("POST", "/wallet/api/sign-out", OK, None),
        session("GET", "/wallet/api/overview", OK, None),
        session("GET", "/wallet/api/grants/{grant_id}", OK, Some(NO_GRANT)),
        session("POST", "/wallet/api/grants/{grant_id}/revoke", OK, Some(NO_GRANT)).body(|_| json!({ "reason": "enough" })),
        // Its expiry is not the user's to choose.
        session("POST", "/wallet/api/grants/{grant_id}/extend", (409, "grant_not_extendable"), Some(NO_GRANT))
            .body(|_| json!({ "expires_at": "2027-01-01T00:00:00Z" })),
        session("GET", "/wallet/api/approvals", OK, None),
        session("POST", "/wallet/api/approvals/{approval_id}/decide", NO_APPROVAL, Some(NO_APPROVAL))
            .body(|_| json!({ "decision": "deny" })),
        session("GET", "/wallet/api/activity", OK, Some(OK)).query(|ids| format!("grant_id={}", ids.grant)),
        session("GET", "/wallet/api/activity/counts", OK, Some(OK)).query(|ids| format!("grant_id={}", ids.grant)),
        session("GET", "/wallet/api/activity/export", OK, Some(OK)).query(|ids| format!("format=jsonl&grant_id={}", ids.grant)),
        page("GET", "/sdk/oauth/connect", 200),
        page("POST", "/sdk/oauth/connect", 404),
        page("GET", "/sdk/oauth/connect/assets/{name}", 404),
        page("GET", "/sdk/oauth/connect/{session_id}", 404),
        page("POST", "/sdk/oauth/connect/{session_id}/start", 404),
        page("POST", "/sdk/oauth/connect/{session_id}/decline", 404),
        page("POST", "/sdk/oauth/connect/{session_id}/finish", 404),
        page("GET", "/sdk/oauth/callback/{app_id}/{provider_id}", 400),
        page("POST", "/sdk/oauth/callback/{app_id}/{provider_id}", 303),
        webhook("POST", "/webhooks/{idp_id}/auth0", 401),
        webhook("POST", "/webhooks/{idp_id}/clerk", 401),
        webhook("POST", "/webhooks/{idp_id}/workos", 401),
        webhook("POST", "/webhooks/{idp_id}/okta", 401),
        webhook("GET", "/webhooks/{idp_id}/okta", 401),
        webhook("POST", "/webhooks/{idp_id}/ssf", 400),
        webhook("POST", "/webhooks/{idp_id}/backchannel-logout", 400),
        key("GET", "/v1/audit", OK, Some(OK), NO_AGENT).query(|ids| format!("grant_id={}&agent_id={}", ids.grant, ids.agent)),
        key("GET", "/v1/audit/export", OK, Some(OK), NO_AGENT)
            .query(|ids| format!("format=jsonl&grant_id={}&agent_id={}", ids.grant, ids.agent)),
        token(READ, "GET", "/portal/v1/me", OK, None),
        token(READ, "GET", "/portal/v1/tokens", OK, None),
        token(WRITE, "POST", "/portal/v1/tokens", CREATED, None).body(|_| json!({ "name": "Mine", "permission": "read" })),
        token(ADMIN, "DELETE", "/portal/v1/tokens/{pat_id}", OK, Some(NO_TOKEN)),
        token(READ, "GET", "/portal/v1/templates", OK, None),
        token(READ, "GET", "/portal/v1/templates/{slug}", OK, None),
        token(READ, "GET", "/portal/v1/providers", OK, None),
        token(READ, "GET", "/portal/v1/providers/{provider_id}", OK, None),
        token(READ, "GET", "/portal/v1/audit", OK, None),
        token(READ, "GET", "/portal/v1/audit/export", OK, None),
        token(READ, "GET", "/portal/v1/apps", OK, None),
        token(WRITE, "POST", "/portal/v1/apps", CREATED, None).body(|_| json!({ "name": "Another" })),
        token(READ, "GET", "/portal/v1/apps/{app_id}", OK, Some(NO_APP)),
        token(WRITE, "PATCH", "/portal/v1/apps/{app_id}", OK, Some(NO_APP)).body(|_| json!({ "name": "Renamed" })),
        // No picture, and then no logo: who may come as far as this is what the table is about.
        token(WRITE, "PUT", "/portal/v1/apps/{app_id}/logo", (422, "invalid_logo"), Some(NO_APP)),
        token(WRITE, "DELETE", "/portal/v1/apps/{app_id}/logo", (404, "logo_not_found"), Some(NO_APP)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/archive", OK, Some(NO_APP)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/unarchive", (409, "app_not_archived"), Some(NO_APP)),
        token(READ, "GET", "/portal/v1/apps/{app_id}/keys", OK, Some(NO_APP)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/keys", CREATED, Some(NO_AGENT))
            .body(|ids| json!({ "name": "New", "agent_id": ids.agent })),
        token(READ, "GET", "/portal/v1/apps/{app_id}/keys/{key_id}", OK, Some(NO_KEY)),
        token(ADMIN, "DELETE", "/portal/v1/apps/{app_id}/keys/{key_id}", OK, Some(NO_KEY)),
        token(ADMIN, "POST", "/portal/v1/apps/{app_id}/keys/{key_id}/rotate", OK, Some(NO_KEY)).body(|_| json!({})),
        token(READ, "GET", "/portal/v1/apps/{app_id}/agents", OK, Some(NO_APP)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/agents", CREATED, Some(NO_APP)).body(|_| json!({ "name": "new-agent" })),
        token(READ, "GET", "/portal/v1/apps/{app_id}/agents/{agent_id}", OK, Some(NO_AGENT)),
        token(ADMIN, "DELETE", "/portal/v1/apps/{app_id}/agents/{agent_id}", OK, Some(NO_AGENT)),
        token(READ, "GET", "/portal/v1/apps/{app_id}/secrets", OK, Some(NO_APP)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/secrets", CREATED, Some(NO_APP)).body(bearer),
        token(READ, "GET", "/portal/v1/apps/{app_id}/secrets/{secret_id}", OK, Some(NO_SECRET)),
        token(WRITE, "PATCH", "/portal/v1/apps/{app_id}/secrets/{secret_id}", OK, Some(NO_SECRET))
            .body(|_| json!({ "name": "Renamed" })),
        token(WRITE, "PUT", "/portal/v1/apps/{app_id}/secrets/{secret_id}/value", OK, Some(NO_SECRET))
            .body(|_| json!({ "fields": { "token": "a-newer-token" } })),
        token(ADMIN, "DELETE", "/portal/v1/apps/{app_id}/secrets/{secret_id}", OK, Some(NO_SECRET)),
        token(READ, "GET", "/portal/v1/apps/{app_id}/providers", OK, Some(NO_APP)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/providers", CREATED, Some(NO_APP))
            .body(|_| json!({ "provider_id": KNOWN_PROVIDER, "client_id": "client", "client_secret": "a-fresh-secret" })),
        token(READ, "GET", "/portal/v1/apps/{app_id}/providers/{provider_id}", OK, Some(NO_PROVIDER)),
        token(WRITE, "PATCH", "/portal/v1/apps/{app_id}/providers/{provider_id}", OK, Some(NO_PROVIDER))
            .body(|_| json!({ "client_id": "another" })),
        token(WRITE, "PUT", "/portal/v1/apps/{app_id}/providers/{provider_id}/client-secret", OK, Some(NO_PROVIDER))
            .body(|_| json!({ "client_secret": "a-newer-secret" })),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/providers/{provider_id}/enable", (409, "provider_enabled"), Some(NO_PROVIDER)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/providers/{provider_id}/disable", OK, Some(NO_PROVIDER)),
        token(ADMIN, "DELETE", "/portal/v1/apps/{app_id}/providers/{provider_id}", OK, Some(NO_PROVIDER)),
        token(READ, "GET", "/portal/v1/apps/{app_id}/identity-provider", OK, Some(NO_APP)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/identity-provider", HAS_IDP, Some(NO_APP))
            .body(|_| json!({ "issuer": "https://idp.example.com" })),
        token(WRITE, "PATCH", "/portal/v1/apps/{app_id}/identity-provider", OK, Some(NO_APP))
            .body(|_| json!({ "audience": "api" })),
        token(ADMIN, "DELETE", "/portal/v1/apps/{app_id}/identity-provider", OK, Some(NO_APP)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/identity-provider/discover", (422, "issuer_unreachable"), Some(NO_APP))
            .body(|_| json!({ "issuer": "http://127.0.0.1:9" })),
        token(WRITE, "PUT", "/portal/v1/apps/{app_id}/identity-provider/client", OK, Some(NO_APP))
            .body(|_| json!({ "client_id": "client", "client_secret": "a-fresh-secret" })),
        token(ADMIN, "DELETE", "/portal/v1/apps/{app_id}/identity-provider/client", OK, Some(NO_APP)),
        token(READ, "GET", "/portal/v1/apps/{app_id}/identity-provider/webhooks", OK, Some(NO_APP)),
        token(WRITE, "PUT", "/portal/v1/apps/{app_id}/identity-provider/webhooks/{kind}", OK, Some(NO_APP))
            .body(|_| json!({ "rotate": true })),
        token(ADMIN, "DELETE", "/portal/v1/apps/{app_id}/identity-provider/webhooks/{kind}", OK, Some(NO_APP)),
        token(READ, "GET", "/portal/v1/apps/{app_id}/users", OK, Some(NO_APP)),
        token(READ, "GET", "/portal/v1/apps/{app_id}/users/{user_id}", OK, Some(NO_USER)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/users/{user_id}/suspend", OK, Some(NO_USER)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/users/{user_id}/reactivate", (409, "user_active"), Some(NO_USER)),
        token(ADMIN, "POST", "/portal/v1/apps/{app_id}/users/{user_id}/deprovision", OK, Some(NO_USER)),
        token(READ, "GET", "/portal/v1/apps/{app_id}/grants", OK, Some(NO_APP)),
        token(WRITE, "POST", "/portal/v1/apps/{app_id}/grants", CREATED, Some(NO_SECRET))
            .body(|ids| json!({ "secret_id": ids.secret, "principal": { "type": "system" } })),
        token(READ, "GET", "/portal/v1/apps/{app_id}/grants/{grant_id}", OK, Some(NO_GRANT)),
        token(ADMIN, "POST", "/portal/v1/apps/{app_id}/grants/{grant_id}/revoke", OK, Some(NO_GRANT)).body(|_| json!({})),
        token(READ, "GET", "/portal/v1/apps/{app_id}/audit", OK, Some(NO_APP)),
        token(READ, "GET", "/portal/v1/apps/{app_id}/audit/export", OK, Some(NO_APP)),
        token(READ, "GET", "/portal/v1/apps/{app_id}/audit/{event_id}", OK, Some(NO_EVENT)),
    ]
}
