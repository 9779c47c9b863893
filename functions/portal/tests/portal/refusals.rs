//! Every route, held against everyone who may not use it.

mod table;

use std::collections::BTreeSet;

use alter_domain::catalogue;
use serde_json::{Value, json};

use crate::support::{CANARY, Vault, toy};
use table::{Route, routes};

/// What can only be done once its opposite was done, and how it is refused before.
const UNDONE: [(&str, &str, &str); 3] = [
    ("/unarchive", "/archive", "app_not_archived"),
    ("/enable", "/disable", "provider_enabled"),
    ("/reactivate", "/suspend", "user_active"),
];

const ISSUER: &str = "https://idp.example.com";
const NO_PROVIDER: &str = "provider_not_found";
const NO_IDP: &str = "identity_provider_not_found";

/// A vault with one of everything, and an app that is `bare` of an identity provider.
struct World {
    vault: Vault,
    app: String,
    key: String,
    agent: String,
    secret: String,
    grant: String,
    event: String,
    token: String,
    user: String,
    bare: String,
}

impl World {
    async fn new() -> Self {
        let vault = Vault::new().await;
        let admin = vault.admin();
        let app = vault.app("Demo").await.to_string();
        let at = |path: &str| format!("/apps/{app}{path}");
        let key = admin.post(&at("/keys"), json!({"name": "k"})).await.text_at("key.key_id");
        let agent = admin.post(&at("/agents"), json!({"name": "bot"})).await.text_at("agent_id");
        let secret = json!({"template": "stripe", "fields": {"token": CANARY}, "grant": {"principal": {"type": "system"}}});
        let secret = admin.post(&at("/secrets"), secret).await.expect(201);
        let provider = json!({"definition": toy("toy"), "client_id": "c", "client_secret": CANARY});
        admin.post(&at("/providers"), provider).await.expect(201);
        let user = vault.with_people(&app, ISSUER).await;
        let bare = vault.app("Bare").await.to_string();
        let event =
            admin.get(&at("/audit?limit=1")).await.json()["items"][0]["id"].as_str().unwrap().to_owned();
        let token = json!({"name": "spare", "permission": "read"});
        let token = admin.post("/tokens", token).await.text_at("token.token_id");
        let (grant, secret) = (secret.text_at("grant.grant_id"), secret.text_at("secret_id"));
        Self { vault, app, key, agent, secret, grant, event, token, user, bare }
    }

    /// The path with this world's ids in it, and the body with its secret's.
    fn fill(&self, route: &Route) -> (String, Option<Value>) {
        let path = route
            .path
            .replace("{app_id}", &self.app)
            .replace("{bare_app_id}", &self.bare)
            .replace("{user_id}", &self.user)
            .replace("{new_kind}", "okta")
            .replace("{kind}", "auth0")
            .replace("{key_id}", &self.key)
            .replace("{agent_id}", &self.agent)
            .replace("{secret_id}", &self.secret)
            .replace("{grant_id}", &self.grant)
            .replace("{event_id}", &self.event)
            .replace("{pat_id}", &self.token)
            .replace("{own_provider_id}", "toy")
            .replace("{provider_id}", &catalogue::providers()[0].id)
            .replace("{slug}", "stripe");
        let mut body = route.body.clone();
        if let Some(secret) = body.as_mut().and_then(|body| body.get_mut("secret_id")) {
            *secret = self.secret.clone().into();
        }
        (path, body)
    }

    /// Everything there is to see.
    async fn state(&self) -> Vec<Value> {
        let mut state = Vec::new();
        for path in ["/apps?include_archived=true", "/tokens"] {
            state.push(self.vault.admin().get(path).await.expect(200).json());
        }
        let of_app = ["keys", "agents", "secrets", "providers", "grants", "users"];
        for list in of_app.into_iter().chain(["identity-provider", "identity-provider/webhooks"]) {
            state
                .push(self.vault.admin().get(&format!("/apps/{}/{list}", self.app)).await.expect(200).json());
        }
        state
    }
}

#[test]
fn the_table_names_every_route() {
    let listed: BTreeSet<String> = routes()
        .iter()
        .map(|route| {
            let path = route.path.replace("own_provider_id", "provider_id").replace("bare_app_id", "app_id");
            format!("{} {}", route.method, path.replace("new_kind", "kind"))
        })
        .collect();
    let document = serde_json::to_value(alter_portal::openapi()).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.insert(format!(
                "{} {}",
                method.to_uppercase(),
                path.strip_prefix("/portal/v1").unwrap()
            ));
        }
    }
    described.remove("GET /openapi.json");
    assert_eq!(listed, described);
}

#[tokio::test]
async fn every_route_opens_with_exactly_the_permission_that_it_needs() {
    for route in routes() {
        // A world for each: some routes end what others need.
        let world = World::new().await;
        let (path, body) = world.fill(&route);
        let lower = match route.needs {
            "read" => None,
            "write" => Some(world.vault.token("read").await),
            _ => Some(world.vault.token("write").await),
        };
        let enough = world.vault.token(route.needs).await;
        if let Some(lower) = lower {
            let before = world.state().await;
            let answer = world.vault.client(&lower).send(route.method, &path, body.clone()).await;
            answer.refused(403, "insufficient_scope");
            assert_eq!(world.state().await, before, "{} {path}", route.method);
        }
        for (undoing, doing, _) in UNDONE {
            if path.ends_with(undoing) {
                let first = path.replace(undoing, doing);
                world.vault.admin().send("POST", &first, None).await.expect(200);
            }
        }
        let answer = world.vault.client(&enough).send(route.method, &path, body).await;
        match route.ends {
            Some(code) => assert_eq!(answer.text_at("error"), code, "{} {path}", route.method),
            None => assert!(matches!(answer.status, 200 | 201), "{} {path}: {}", route.method, answer.text),
        }
    }
}

#[tokio::test]
async fn nobody_gets_in_without_a_valid_token() {
    let world = World::new().await;
    let vault = &world.vault;
    let expiring = json!({"name": "e", "permission": "admin", "expires_in": "1m"});
    let expired = vault.admin().post("/tokens", expiring).await.text_at("operator_token");
    vault.clock.advance(60);
    let revoked = vault.admin().post("/tokens", json!({"name": "r", "permission": "admin"})).await;
    vault.admin().delete(&format!("/tokens/{}", revoked.text_at("token.token_id"))).await.expect(200);
    let revoked = revoked.text_at("operator_token");
    let key = vault
        .admin()
        .post(&format!("/apps/{}/keys", world.app), json!({"name": "k"}))
        .await
        .text_at("api_key");
    let admin = &vault.admin;
    let mut forged = admin.clone();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(last);
    let unknown = format!("alter_pat_{}", "A".repeat(48));
    let headers: Vec<Option<String>> = vec![
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(admin.clone()),
        Some(format!("Basic {admin}")),
        Some(format!("Bearer  {admin}")),
        Some(format!("Bearer {admin} ")),
        Some(format!("Bearer {admin}, Bearer {admin}")),
        Some(format!("Bearer {}", admin.to_uppercase())),
        Some(format!("Bearer {expired}")),
        Some(format!("Bearer {revoked}")),
        Some(format!("Bearer {key}")),
        Some(format!("Bearer {forged}")),
        Some(format!("Bearer {unknown}")),
    ];
    let before = world.state().await;
    let mut answers = BTreeSet::new();
    for route in routes() {
        let (path, body) = world.fill(&route);
        for header in &headers {
            let answer = vault.with_header(header.as_deref()).send(route.method, &path, body.clone()).await;
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            answers.insert(answer.refused(401, "invalid_operator_token").text);
        }
    }
    assert_eq!(answers.len(), 1, "they must not be told apart: {answers:?}");
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn another_organization_s_app_does_not_exist() {
    let world = World::new().await;
    let stranger = world.vault.stranger().await;
    let before = world.state().await;
    for route in routes() {
        let (path, body) = world.fill(&route);
        let answer = world.vault.client(&stranger).send(route.method, &path, body).await;
        match route.path {
            path if path.contains("app_id}") => drop(answer.refused(404, "app_not_found")),
            "/tokens/{pat_id}" => drop(answer.refused(404, "operator_token_not_found")),
            // Its own lists, in which nothing of ours is.
            _ => {
                for ours in [&world.app, &world.token, &world.event] {
                    assert!(!answer.text.contains(ours.as_str()), "{} {path}", route.method);
                }
            }
        }
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn another_app_s_things_do_not_exist() {
    let world = World::new().await;
    let other = world.vault.app("Other").await.to_string();
    let before = world.state().await;
    let mut tried = 0;
    for route in routes() {
        let Some(code) = route.wrong_id else { continue };
        let (path, body) = world.fill(&route);
        let path = path.replace(&world.app, &other);
        world.vault.admin().send(route.method, &path, body).await.refused(404, code);
        tried += 1;
    }
    assert_eq!(tried, 31);
    assert_eq!(world.state().await, before);
    // Nor can another app's agent be given a key or a grant.
    let admin = world.vault.admin();
    let key = json!({"name": "k", "agent_id": world.agent});
    admin.post(&format!("/apps/{other}/keys"), key).await.refused(404, "agent_not_found");
    let agent = json!({"type": "agent", "agent_id": world.agent});
    let secret = json!({"template": "stripe", "fields": {"token": CANARY}, "grant": {"principal": agent}});
    admin.post(&format!("/apps/{other}/secrets"), secret).await.refused(404, "agent_not_found");
    assert!(!admin.get(&format!("/apps/{other}/secrets")).await.text.contains("stripe"));
}

#[tokio::test]
async fn what_is_no_id_names_nothing() {
    let world = World::new().await;
    for route in routes() {
        for bad in [
            "nothing",
            "018f4e9a5b1c7d2e8f3a4b5c6d7e8f90",
            "%00",
            "%ff",
            "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90",
        ] {
            let Some(start) = route.path.rfind('{') else { continue };
            let end = route.path[start..].find('}').unwrap() + start + 1;
            let path = format!("{}{bad}{}", &route.path[..start], &route.path[end..]);
            let path = path.replace("{app_id}", &world.app);
            let answer = world.vault.admin().send(route.method, &path, route.body.clone()).await;
            assert_eq!(answer.status, 404, "{} {path}: {}", route.method, answer.text);
            assert!(answer.json()["error"].as_str().unwrap().ends_with("_not_found"));
        }
    }
}

#[tokio::test]
async fn nothing_changes_that_cannot_be_recorded() {
    let world = World::new().await;
    let before = world.state().await;
    world.vault.record.set_down(true);
    let mut tried = 0;
    // Discovering asks, and changes nothing.
    let changes = |route: &&Route| route.needs != "read" && !route.path.ends_with("/discover");
    for route in routes().iter().filter(changes) {
        let (path, body) = world.fill(route);
        let answer = world.vault.admin().send(route.method, &path, body).await;
        let nothing = UNDONE.iter().find(|(undoing, ..)| route.path.ends_with(undoing));
        if let Some((.., code)) = nothing {
            answer.refused(409, code);
            continue;
        }
        if let Some(code) = route.ends {
            assert_eq!(answer.text_at("error"), code);
            continue;
        }
        assert_eq!(answer.headers["retry-after"], "1");
        answer.refused(503, "audit_unavailable");
        tried += 1;
    }
    assert_eq!(tried, 30);
    world.vault.record.set_down(false);
    assert_eq!(world.state().await, before);
}
