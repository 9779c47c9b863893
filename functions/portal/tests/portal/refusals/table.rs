//! Every route of the portal, and who may use it.

use serde_json::{Value, json};

use super::{ISSUER, NO_IDP, NO_PROVIDER};
use crate::support::{CANARY, toy};

/// A route, the least permission that opens it, a body that it would accept, and what a wrong id in its path is.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) needs: &'static str,
    pub(super) body: Option<Value>,
    pub(super) wrong_id: Option<&'static str>,
    /// How the world answers whoever may do it, where there is nothing to do it with.
    pub(super) ends: Option<&'static str>,
}

fn route(method: &'static str, path: &'static str, needs: &'static str) -> Route {
    Route { method, path, needs, body: None, wrong_id: None, ends: None }
}

impl Route {
    fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn wrong_id(self, code: &'static str) -> Self {
        Self { wrong_id: Some(code), ..self }
    }

    fn ends(self, code: &'static str) -> Self {
        Self { ends: Some(code), ..self }
    }
}

/// All routes but the public document.
pub(super) fn routes() -> Vec<Route> {
    let secret = json!({"template": "stripe", "fields": {"token": CANARY}});
    let value = json!({"fields": {"token": CANARY}});
    vec![
        route("GET", "/me", "read"),
        route("GET", "/tokens", "read"),
        route("POST", "/tokens", "write").body(json!({"name": "t", "permission": "read"})),
        route("DELETE", "/tokens/{pat_id}", "admin"),
        route("GET", "/templates", "read"),
        route("GET", "/templates/{slug}", "read"),
        route("GET", "/audit", "read"),
        route("GET", "/audit/export", "read"),
        route("GET", "/apps", "read"),
        route("POST", "/apps", "write").body(json!({"name": "new"})),
        route("GET", "/apps/{app_id}", "read"),
        route("PATCH", "/apps/{app_id}", "write").body(json!({"name": "changed"})),
        route("PUT", "/apps/{app_id}/logo", "write").body(json!("no picture")).ends("invalid_logo"),
        route("DELETE", "/apps/{app_id}/logo", "write").ends("logo_not_found"),
        route("POST", "/apps/{app_id}/archive", "write"),
        route("POST", "/apps/{app_id}/unarchive", "write"),
        route("GET", "/apps/{app_id}/audit", "read"),
        route("GET", "/apps/{app_id}/audit/export", "read"),
        route("GET", "/apps/{app_id}/audit/{event_id}", "read").wrong_id("audit_event_not_found"),
        route("GET", "/apps/{app_id}/keys", "read"),
        route("POST", "/apps/{app_id}/keys", "write").body(json!({"name": "new"})),
        route("GET", "/apps/{app_id}/keys/{key_id}", "read").wrong_id("key_not_found"),
        route("POST", "/apps/{app_id}/keys/{key_id}/rotate", "admin").wrong_id("key_not_found"),
        route("DELETE", "/apps/{app_id}/keys/{key_id}", "admin").wrong_id("key_not_found"),
        route("GET", "/apps/{app_id}/agents", "read"),
        route("POST", "/apps/{app_id}/agents", "write").body(json!({"name": "new"})),
        route("GET", "/apps/{app_id}/agents/{agent_id}", "read").wrong_id("agent_not_found"),
        route("DELETE", "/apps/{app_id}/agents/{agent_id}", "admin").wrong_id("agent_not_found"),
        route("GET", "/apps/{app_id}/secrets", "read"),
        route("POST", "/apps/{app_id}/secrets", "write").body(secret),
        route("GET", "/apps/{app_id}/secrets/{secret_id}", "read").wrong_id("secret_not_found"),
        route("PATCH", "/apps/{app_id}/secrets/{secret_id}", "write")
            .body(json!({"name": "changed"}))
            .wrong_id("secret_not_found"),
        route("PUT", "/apps/{app_id}/secrets/{secret_id}/value", "write")
            .body(value)
            .wrong_id("secret_not_found"),
        route("DELETE", "/apps/{app_id}/secrets/{secret_id}", "admin").wrong_id("secret_not_found"),
        route("GET", "/providers", "read"),
        route("GET", "/providers/{provider_id}", "read"),
        route("GET", "/apps/{app_id}/providers", "read"),
        route("POST", "/apps/{app_id}/providers", "write")
            .body(json!({"definition": toy("fresh"), "client_id": "c", "client_secret": CANARY})),
        route("GET", "/apps/{app_id}/providers/{own_provider_id}", "read").wrong_id(NO_PROVIDER),
        route("PATCH", "/apps/{app_id}/providers/{own_provider_id}", "write")
            .body(json!({"client_id": "changed"}))
            .wrong_id(NO_PROVIDER),
        route("PUT", "/apps/{app_id}/providers/{own_provider_id}/client-secret", "write")
            .body(json!({"client_secret": CANARY}))
            .wrong_id(NO_PROVIDER),
        route("POST", "/apps/{app_id}/providers/{own_provider_id}/enable", "write").wrong_id(NO_PROVIDER),
        route("POST", "/apps/{app_id}/providers/{own_provider_id}/disable", "write").wrong_id(NO_PROVIDER),
        route("DELETE", "/apps/{app_id}/providers/{own_provider_id}", "admin").wrong_id(NO_PROVIDER),
        route("GET", "/apps/{app_id}/identity-provider", "read").wrong_id(NO_IDP),
        route("POST", "/apps/{bare_app_id}/identity-provider", "write").body(json!({"issuer": ISSUER})),
        route("PATCH", "/apps/{app_id}/identity-provider", "write")
            .body(json!({"audience": "changed"}))
            .wrong_id(NO_IDP),
        route("DELETE", "/apps/{app_id}/identity-provider", "admin").wrong_id(NO_IDP),
        route("POST", "/apps/{app_id}/identity-provider/discover", "write").body(json!({"issuer": ISSUER})),
        route("PUT", "/apps/{app_id}/identity-provider/client", "write")
            .body(json!({"client_id": "changed", "client_secret": CANARY}))
            .wrong_id(NO_IDP),
        route("DELETE", "/apps/{app_id}/identity-provider/client", "admin").wrong_id(NO_IDP),
        route("GET", "/apps/{app_id}/identity-provider/webhooks", "read").wrong_id(NO_IDP),
        route("PUT", "/apps/{app_id}/identity-provider/webhooks/{new_kind}", "write").wrong_id(NO_IDP),
        route("DELETE", "/apps/{app_id}/identity-provider/webhooks/{kind}", "admin").wrong_id(NO_IDP),
        route("GET", "/apps/{app_id}/users", "read"),
        route("GET", "/apps/{app_id}/users/{user_id}", "read").wrong_id("user_not_found"),
        route("POST", "/apps/{app_id}/users/{user_id}/suspend", "write").wrong_id("user_not_found"),
        route("POST", "/apps/{app_id}/users/{user_id}/reactivate", "write").wrong_id("user_not_found"),
        route("POST", "/apps/{app_id}/users/{user_id}/deprovision", "admin").wrong_id("user_not_found"),
        route("GET", "/apps/{app_id}/grants", "read"),
        route("POST", "/apps/{app_id}/grants", "write")
            .body(json!({"secret_id": "", "principal": {"type": "system"}}))
            .wrong_id("secret_not_found"),
        route("GET", "/apps/{app_id}/grants/{grant_id}", "read").wrong_id("grant_not_found"),
        route("POST", "/apps/{app_id}/grants/{grant_id}/revoke", "admin").wrong_id("grant_not_found"),
    ]
}
