//! OAuth providers: the catalogue, registrations and their rules.

use alter_domain::{catalogue, model::ProviderConfig, repo::ProviderConfigs};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{CANARY, Vault, column, toy};

/// Made for tests, used nowhere else.
const RSA: &str = include_str!("../../../../shared/domain/src/oauth/tests/testdata/rsa-pkcs8.pem");

async fn vault() -> (Vault, String) {
    let vault = Vault::new().await;
    let providers = format!("/apps/{}/providers", vault.app("Demo").await);
    (vault, providers)
}

fn own(definition: impl Into<Value>) -> Value {
    let definition: Value = definition.into();
    json!({"definition": definition, "client_id": "client", "client_secret": CANARY})
}

/// The toy with one of its parts replaced.
fn toy_with(pointer: &str, value: Value) -> Value {
    let mut definition = toy("toy");
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    definition.pointer_mut(parent).unwrap()[name] = value;
    definition
}

async fn stored(vault: &Vault, providers: &str, id: &str) -> ProviderConfig {
    let app = providers.split('/').nth(2).unwrap().parse().unwrap();
    ProviderConfigs(vault.ports.table.as_ref()).get(app, id).await.unwrap().value
}

#[tokio::test]
async fn the_catalogue_is_listed_by_pages_and_shown_one_by_one() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/providers?limit=40{cursor}")).await.expect(200);
        ids.extend(column(&page, "provider_id"));
        match page.json()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let known: Vec<&str> = catalogue::providers().iter().map(|provider| provider.id.as_str()).collect();
    assert_eq!(ids, known);
    let github = admin.get("/providers/github").await.expect(200).json();
    assert_eq!(github["secret_fields"], json!(["client_secret"]));
    let scopes = github["scopes"].as_array().unwrap();
    assert!(scopes.iter().all(|scope| !scope["description"].as_str().unwrap().is_empty()));
    // What an operator must give stands where it is needed.
    let asked = |provider: &Value| {
        let variables = provider["variables"].as_array().unwrap().clone();
        variables.iter().any(|it| it["asked_of"] == "operator" && it["required"] == true)
    };
    let all = admin.get("/providers?limit=1000").await.json();
    assert!(all["items"].as_array().unwrap().iter().any(asked));
    admin.get("/providers/no-such").await.refused(404, "provider_not_found");
}

#[tokio::test]
async fn b121_a_registration_shows_all_but_its_secret() {
    let (vault, providers) = vault().await;
    let admin = vault.admin();
    let body = json!({"provider_id": "github", "client_id": " Iv1.8a61f9b3 ", "client_secret": CANARY});
    let added = admin.post(&providers, body.clone()).await.expect(201);
    assert_snapshot!(added.shown().replace(providers.split('/').nth(2).unwrap(), "[app]"), @r#"
    201 {
      "app_id": "[id]",
      "client_id": "Iv1.8a61f9b3",
      "created_at": "[time]",
      "disabled_at": null,
      "docs_url": "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",
      "has_client_secret": true,
      "name": "GitHub OAuth app",
      "provider_id": "github",
      "redirect_uri": "https://vault.example/sdk/oauth/callback/[app]/github",
      "scopes": {
        "allowed": [
          "read:user"
        ],
        "default": [
          "read:user"
        ],
        "required": []
      },
      "secret_rotated_at": "[time]",
      "status": "enabled",
      "updated_at": "[time]",
      "usage": {
        "is_truncated": false,
        "live_grants": 0,
        "need_reconnect": 0,
        "pending_revocations": 0,
        "scope_mismatches": 0
      },
      "variables": {}
    }
    "#);
    admin.post(&providers, body).await.refused(409, "provider_configured");
    assert_eq!(admin.get(&format!("{providers}/github")).await.expect(200).text, added.text);
    assert_eq!(admin.get(&providers).await.expect(200).json()["items"], json!([added.json()]));
    assert_eq!(vault.record.outcomes().last().unwrap(), "provider.configured success");
    let config = stored(&vault, &providers, "github").await;
    assert!(config.secret.is_some() && config.custom.is_none());
}

#[tokio::test]
async fn the_secret_is_replaced_and_sealed_anew() {
    let (vault, providers) = vault().await;
    let admin = vault.admin();
    admin.post(&providers, own(toy("toy"))).await.expect(201);
    let before = stored(&vault, &providers, "toy").await.secret.unwrap();
    let path = format!("{providers}/toy/client-secret");
    let answer = admin.put(&path, json!({"client_secret": "another secret"})).await.expect(200);
    let after = stored(&vault, &providers, "toy").await.secret.unwrap();
    assert_eq!((after.credential_id, after.seal_version), (before.credential_id, before.seal_version + 1));
    assert_eq!(answer.json()["secret_rotated_at"], json!(after.rotated_at));
    assert!(after.rotated_at > before.rotated_at);
    for (body, code) in [
        (json!({}), "client_secret_required"),
        (json!({"private_key": CANARY}), "client_secret_required"),
        (json!({"client_secret": CANARY, "private_key": CANARY}), "invalid_client_secret"),
        (json!({"client_secret": "short"}), "invalid_client_secret"),
        (json!({"client_secret": ""}), "invalid_client_secret"),
    ] {
        admin.put(&path, body).await.refused(422, code);
    }
    assert_eq!(vault.record.outcomes().last().unwrap(), "provider.updated success");
}

#[tokio::test]
async fn a_public_client_has_no_secret_and_a_signing_client_a_key() {
    let (vault, providers) = vault().await;
    let admin = vault.admin();
    let public = toy_with("/token/auth", json!("none"));
    let added = admin.post(&providers, json!({"definition": public, "client_id": "c"})).await.expect(201);
    assert_eq!(added.json()["has_client_secret"], false);
    let signing = |algorithm: &str| {
        let claims = json!({"iss": "{client_id}", "sub": "{client_id}", "aud": "http://127.0.0.1:9/token"});
        let assertion = json!({"algorithm": algorithm, "lifetime_seconds": 300, "claims": claims});
        toy_with("/token/auth", json!({"private_key_jwt": assertion}))
    };
    let mut definition = signing("RS256");
    definition["id"] = "signing".into();
    let add = |definition: &Value, key: &str| json!({"definition": definition, "client_id": "c", "private_key": key});
    admin.post(&providers, own(definition.clone())).await.refused(422, "client_secret_required");
    for bad in [
        "no key at all",
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
        &RSA.replace("MII", "MIJ"),
    ] {
        admin.post(&providers, add(&definition, bad)).await.refused(422, "invalid_client_secret");
    }
    let mut other = signing("ES256");
    other["id"] = "other".into();
    admin.post(&providers, add(&other, RSA)).await.refused(422, "invalid_client_secret");
    // As it comes out of a file, line breaks and all.
    let added = admin.post(&providers, add(&definition, RSA)).await.expect(201);
    assert_eq!(added.json()["has_client_secret"], true);
    let line = RSA.lines().nth(1).unwrap();
    assert!(vault.answers().iter().all(|answer| !answer.contains(line)));
}

#[tokio::test]
async fn definitions_of_ones_own_obey_the_catalogue_s_rules() {
    let (vault, providers) = vault().await;
    let admin = vault.admin();
    for (pointer, value) in [
        ("/token/url", json!("http://toy.example/token")),
        ("/token/url", json!("https://10.0.0.1/token")),
        ("/token/url", json!("https://{nobody}.example/token")),
        ("/authorization/url", json!("javascript:alert(1)")),
        ("/authorization/pkce", json!("always")),
        ("/api/hosts", json!([])),
        ("/api/hosts", json!(["*"])),
        ("/api/hosts", json!(["*.com"])),
        ("/id", json!("Toy")),
        ("/id", json!("a/b")),
        ("/unheard_of", json!(1)),
    ] {
        let body = own(toy_with(pointer, value.clone()));
        let answer = admin.post(&providers, body).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (422, &json!("invalid_definition")),
            "{pointer} {value}"
        );
    }
    admin.post(&providers, own(json!("toy"))).await.refused(422, "invalid_definition");
    let neither = json!({"client_id": "c", "client_secret": CANARY});
    admin.post(&providers, neither).await.refused(422, "invalid_provider");
    let both = json!({"provider_id": "github", "definition": toy("toy"), "client_id": "c"});
    admin.post(&providers, both).await.refused(422, "invalid_provider");
    let unknown = json!({"provider_id": "no-such", "client_id": "c", "client_secret": CANARY});
    admin.post(&providers, unknown).await.refused(422, "unknown_provider");
    assert!(column(&admin.get(&providers).await, "provider_id").is_empty());
}

#[tokio::test]
async fn an_own_provider_takes_nobody_else_s_name() {
    let (vault, providers) = vault().await;
    let admin = vault.admin();
    admin.post(&providers, own(toy("github"))).await.refused(409, "provider_id_taken");
    let secrets = providers.replace("providers", "secrets");
    let secret = |name: &str| json!({"name": name, "credential_type": "bearer", "fields": {"token": CANARY}, "allowed_hosts": ["api.example.com"]});
    admin.post(&secrets, secret("Toy")).await.expect(201);
    admin.post(&providers, own(toy("toy"))).await.refused(409, "provider_id_taken");
    admin.post(&providers, own(toy("other"))).await.expect(201);
    assert_eq!(admin.post(&secrets, secret("Other")).await.expect(201).text_at("slug"), "other-2");
    // A provider of the catalogue may have a key of the operator's own beside it.
    admin.post(&secrets, secret("GitHub")).await.expect(201);
    let github = json!({"provider_id": "github", "client_id": "c", "client_secret": CANARY});
    admin.post(&providers, github).await.expect(201);
}

#[tokio::test]
async fn scopes_are_tokens_within_the_allowed() {
    let (vault, providers) = vault().await;
    let admin = vault.admin();
    admin.post(&providers, own(toy("toy"))).await.expect(201);
    let path = format!("{providers}/toy");
    let many: Vec<String> = (0..201).map(|number| format!("scope{number}")).collect();
    for scopes in [
        json!({"allowed": []}),
        json!({"default": []}),
        json!({"default": ["notes:write"]}),
        json!({"required": ["notes:write"]}),
        json!({"allowed": ["notes:write"]}),
        json!({"allowed": ["notes:read", "two words"]}),
        json!({"allowed": ["notes:read", "quo\"te"]}),
        json!({"allowed": ["notes:read", "back\\slash"]}),
        json!({"allowed": ["notes:read", "umlaut-ä"]}),
        json!({"allowed": ["notes:read", "line\n"]}),
        json!({"allowed": ["notes:read", ""]}),
        json!({"allowed": ["notes:read", "x".repeat(257)]}),
        json!({"allowed": many}),
    ] {
        admin.patch(&path, json!({"scopes": scopes})).await.refused(422, "invalid_scopes");
    }
    // One that the catalogue does not know is fine; twice is once.
    let scopes =
        json!({"allowed": ["notes:read", "notes:delete", "notes:read"], "default": ["notes:delete"]});
    let patched = admin.patch(&path, json!({"scopes": scopes})).await.expect(200).json();
    let expected =
        json!({"allowed": ["notes:read", "notes:delete"], "default": ["notes:delete"], "required": []});
    assert_eq!(patched["scopes"], expected);
    // Of a provider that separates by commas, a comma is not part of a scope; and one without scopes has none.
    let commas = toy_with("/scopes/separator", json!(","));
    let body = |definition: Value, scopes: Value| json!({"definition": definition, "client_id": "c", "client_secret": CANARY, "scopes": scopes});
    let comma = json!({"allowed": ["a,b"]});
    let mut other = commas;
    other["id"] = "other".into();
    admin.post(&providers, body(other.clone(), comma)).await.refused(422, "invalid_scopes");
    other["scopes"] = json!({"none": true});
    admin
        .post(&providers, body(other.clone(), json!({"allowed": ["a"]})))
        .await
        .refused(422, "invalid_scopes");
    let added = admin.post(&providers, body(other, json!({}))).await.expect(201).json();
    assert_eq!(added["scopes"], json!({"allowed": [], "default": [], "required": []}));
}

#[tokio::test]
async fn variables_have_their_shape_and_none_is_missing() {
    let (vault, providers) = vault().await;
    let admin = vault.admin();
    let mut definition = toy("toy");
    definition["variables"] = json!([
        {"name": "tenant", "label": "Tenant", "source": "operator", "shape": "dns_label"},
        {"name": "shop", "label": "Shop", "source": "user", "shape": "word"}
    ]);
    definition["token"]["url"] = "https://{tenant}.example.com/token".into();
    definition["authorization"]["url"] = "https://{tenant}.example.com/auth?shop={shop}".into();
    let body = |variables: Value| json!({"definition": definition, "client_id": "c", "client_secret": CANARY, "variables": variables});
    for bad in [
        json!({}),
        json!({"tenant": "evil.example/"}),
        json!({"tenant": "a.b"}),
        json!({"tenant": "acme", "shop": "s"}),
        json!({"tenant": "acme", "no_such": "s"}),
    ] {
        admin.post(&providers, body(bad)).await.refused(422, "invalid_variables");
    }
    let added = admin.post(&providers, body(json!({"tenant": "Acme"}))).await.expect(201).json();
    assert_eq!(added["variables"], json!({"tenant": "acme"}));
    let path = format!("{providers}/toy");
    admin.patch(&path, json!({"variables": {"tenant": null}})).await.refused(422, "invalid_variables");
    // Another tenant is another host, and the client secret was given for this one.
    admin.patch(&path, json!({"variables": {"tenant": "other"}})).await.refused(409, "client_secret_bound");
    let patched = admin.patch(&path, json!({"variables": {"tenant": "ACME"}})).await.expect(200).json();
    assert_eq!(patched["variables"], json!({"tenant": "acme"}));
}

#[tokio::test]
async fn a_client_id_is_one_line_of_ascii() {
    let (vault, providers) = vault().await;
    let admin = vault.admin();
    for bad in ["", "  ", "a\nb", "ä", &"x".repeat(513)] {
        let body = json!({"provider_id": "github", "client_id": bad, "client_secret": CANARY});
        admin.post(&providers, body).await.refused(422, "invalid_client_id");
    }
    admin.post(&providers, own(toy("toy"))).await.expect(201);
    let path = format!("{providers}/toy");
    admin.patch(&path, json!({"client_id": ""})).await.refused(422, "invalid_client_id");
    admin.patch(&path, json!({})).await.refused(422, "nothing_to_update");
    let patched = admin.patch(&path, json!({"client_id": "another"})).await.expect(200);
    assert_eq!(patched.text_at("client_id"), "another");
}

#[tokio::test]
async fn a_definition_changes_and_stays_itself() {
    let (vault, providers) = vault().await;
    let admin = vault.admin();
    admin.post(&providers, own(toy("toy"))).await.expect(201);
    let path = format!("{providers}/toy");
    let renamed =
        admin.patch(&path, json!({"definition": toy_with("/name", json!("Game"))})).await.expect(200);
    assert_eq!((renamed.text_at("name"), renamed.text_at("definition.name")), ("Game".into(), "Game".into()));
    for bad in [
        toy("other"),
        toy_with("/token/url", json!("http://toy.example/token")),
        // The secret that is stored would prove nothing.
        toy_with("/token/auth", json!("none")),
    ] {
        admin.patch(&path, json!({"definition": bad})).await.refused(422, "invalid_definition");
    }
    let github = json!({"provider_id": "github", "client_id": "c", "client_secret": CANARY});
    admin.post(&providers, github).await.expect(201);
    let body = json!({"definition": toy("github")});
    admin.patch(&format!("{providers}/github"), body).await.refused(422, "invalid_definition");
}

#[tokio::test]
async fn it_is_switched_off_and_on_and_removed() {
    let (vault, providers) = vault().await;
    let admin = vault.admin();
    admin.post(&providers, own(toy("toy"))).await.expect(201);
    let path = format!("{providers}/toy");
    let off = admin.send("POST", &format!("{path}/disable"), None).await.expect(200);
    assert_eq!(off.text_at("status"), "disabled");
    assert!(off.json()["disabled_at"].is_string());
    admin.send("POST", &format!("{path}/disable"), None).await.refused(409, "provider_disabled");
    let on = admin.send("POST", &format!("{path}/enable"), None).await.expect(200);
    assert_eq!((on.text_at("status"), &on.json()["disabled_at"]), ("enabled".to_owned(), &Value::Null));
    admin.send("POST", &format!("{path}/enable"), None).await.refused(409, "provider_enabled");
    let credential = stored(&vault, &providers, "toy").await.secret.unwrap().credential_id;
    admin.delete(&format!("{path}?froce=true")).await.refused(422, "invalid_filter");
    admin.delete(&path).await.expect(200);
    admin.get(&path).await.refused(404, "provider_not_found");
    let app = providers.split('/').nth(2).unwrap().parse().unwrap();
    let credentials = alter_domain::repo::Credentials(vault.ports.table.as_ref());
    assert!(credentials.get(app, credential).await.is_err(), "the sealed secret went along");
    assert_eq!(vault.record.outcomes().last().unwrap(), "provider.deleted success");
}
