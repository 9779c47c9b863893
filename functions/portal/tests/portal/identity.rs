//! Identity providers: discovering, adding, changing, removing, and the client for sign-in.

use alter_api_types::{AppId, CredentialId};
use alter_domain::{model::IdentityProvider, repo::Credentials};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{
    CANARY, Vault,
    issuers::{discovery, keys},
};

const ISSUER: &str = "https://idp.example.com";
const DOCUMENT: &str = "https://idp.example.com/.well-known/openid-configuration";

/// A vault with an app and the path of its identity provider.
async fn vault() -> (Vault, AppId, String) {
    let vault = Vault::new().await;
    let app = vault.app("Demo").await;
    vault.issuers.add(ISSUER);
    (vault, app, format!("/apps/{app}/identity-provider"))
}

/// The same, with the identity provider.
async fn with_idp() -> (Vault, AppId, String) {
    let (vault, app, path) = vault().await;
    vault.admin().post(&path, json!({ "issuer": ISSUER })).await.expect(201);
    (vault, app, path)
}

#[tokio::test]
async fn b075_discovering_proposes_and_stores_nothing() {
    let (vault, _, path) = vault().await;
    let admin = vault.admin();
    let found = admin.post(&format!("{path}/discover"), json!({ "issuer": ISSUER })).await.expect(200);
    assert_snapshot!(found.shown(), @r#"
    200 {
      "authorization_endpoint": "https://idp.example.com/authorize",
      "claims": {
        "groups": null,
        "roles": null,
        "user_id": "sub"
      },
      "claims_supported": [
        "sub",
        "email"
      ],
      "end_session_endpoint": "https://idp.example.com/logout",
      "idp_type": "custom_oidc",
      "issuer": "https://idp.example.com",
      "jwks_uri": "https://idp.example.com/keys",
      "preset": "custom_oidc",
      "preset_claims": {
        "groups": null,
        "roles": null,
        "user_id": "sub"
      },
      "scopes_supported": [],
      "signing_algorithms": [
        "ES256",
        "HS256"
      ],
      "token_endpoint": "https://idp.example.com/token",
      "token_endpoint_auth_methods": [
        "client_secret_basic"
      ],
      "usable_keys": 1,
      "webhooks": [
        "ssf",
        "backchannel-logout"
      ]
    }
    "#);
    admin.get(&path).await.refused(404, "identity_provider_not_found");
    let done = vault.record.outcomes();
    assert!(!done.iter().any(|event| event.starts_with("identity_provider")), "{done:?}");
}

#[tokio::test]
async fn b076_auth0_and_clerk_are_known_by_their_issuer_and_presets_only_fill_in() {
    let (vault, _, path) = vault().await;
    let admin = vault.admin();
    let sub = json!({ "user_id": "sub", "groups": null, "roles": null });
    let groups = |groups: &str| json!({ "user_id": "sub", "groups": groups, "roles": null });
    let realm = json!({ "user_id": "sub", "groups": "groups", "roles": "realm_access.roles" });
    for (issuer, kind, claims, preset, preset_claims) in [
        ("https://acme.eu.auth0.com/", "auth0", &sub, "auth0", &sub),
        ("https://cat-1.clerk.accounts.dev", "clerk", &groups("org_role"), "clerk", &groups("org_role")),
        ("https://acme.okta.com", "custom_oidc", &sub, "okta", &groups("groups")),
        ("https://sso.example.com/realms/staff", "custom_oidc", &sub, "keycloak", &realm),
        (ISSUER, "custom_oidc", &sub, "custom_oidc", &sub),
    ] {
        vault.issuers.add(issuer);
        // Copied with the slash or without it.
        for given in [issuer.trim_end_matches('/').to_owned(), format!("{}/", issuer.trim_end_matches('/'))] {
            let found = admin.post(&format!("{path}/discover"), json!({ "issuer": given })).await.expect(200);
            let json = found.json();
            assert_eq!((&json["issuer"], &json["idp_type"]), (&json!(issuer), &json!(kind)));
            assert_eq!((&json["claims"], &json["preset"]), (claims, &json!(preset)), "{issuer}");
            assert_eq!(&json["preset_claims"], preset_claims, "{issuer}");
        }
        let added = admin.post(&path, json!({ "issuer": issuer })).await.expect(201).json();
        assert_eq!((&added["idp_type"], &added["claims"]), (&json!(kind), claims));
        admin.delete(&path).await.expect(200);
        // The preset fills in, where it is named.
        let added =
            admin.post(&path, json!({ "issuer": issuer, "idp_type": preset })).await.expect(201).json();
        assert_eq!((&added["idp_type"], &added["claims"]), (&json!(preset), preset_claims));
        admin.delete(&path).await.expect(200);
    }
    // A domain of one's own hides the product; whoever knows it says so, and may name other claims.
    let body =
        json!({ "issuer": ISSUER, "idp_type": "entra", "claims": { "roles": null, "groups": "teams" } });
    let added = admin.post(&path, body).await.expect(201).json();
    assert_eq!(added["claims"], json!({ "user_id": "oid", "groups": "teams", "roles": null }));
}

#[tokio::test]
async fn b079_what_is_added_shows_what_to_enter_there() {
    let (vault, app, path) = vault().await;
    let admin = vault.admin();
    let body = json!({ "issuer": ISSUER, "audience": "https://api.example.com" });
    let added = admin.post(&path, body).await.expect(201);
    assert_snapshot!(added.shown(), @r#"
    201 {
      "app_id": "[id]",
      "audience": "https://api.example.com",
      "authorization_endpoint": "https://idp.example.com/authorize",
      "claims": {
        "groups": null,
        "roles": null,
        "user_id": "sub"
      },
      "claims_locked": false,
      "client": null,
      "created_at": "[time]",
      "end_session_endpoint": "https://idp.example.com/logout",
      "first_sign_in_at": null,
      "idp_id": "[id]",
      "idp_type": "custom_oidc",
      "issuer": "https://idp.example.com",
      "jwks_uri": "https://idp.example.com/keys",
      "sdk_redirect_uri": "https://vault.example/sdk/auth/callback",
      "token_endpoint": "https://idp.example.com/token",
      "updated_at": "[time]",
      "wallet_logout_uri": "https://vault.example/sign-in",
      "wallet_redirect_uri": "https://vault.example/api/auth/callback",
      "webhooks": []
    }
    "#);
    assert_eq!(admin.get(&path).await.expect(200).text, added.text);
    assert_eq!(vault.record.outcomes().last().unwrap(), "identity_provider.added success");
    assert_eq!(vault.stored_idp(app).await.value.id.to_string(), added.text_at("idp_id"));
}

#[tokio::test]
async fn b077_a_second_one_is_refused_until_the_first_is_removed() {
    let (vault, _, path) = with_idp().await;
    let admin = vault.admin();
    let first = admin.get(&path).await.text_at("idp_id");
    vault.issuers.add("https://other.example.com");
    let asked = vault.issuers.asked();
    for issuer in [ISSUER, "https://other.example.com"] {
        admin.post(&path, json!({ "issuer": issuer })).await.refused(409, "identity_provider_exists");
    }
    assert_eq!(vault.issuers.asked(), asked, "nobody is asked in vain");
    admin.delete(&path).await.expect(200);
    admin.delete(&path).await.refused(404, "identity_provider_not_found");
    let other = admin.post(&path, json!({ "issuer": "https://other.example.com" })).await.expect(201);
    assert_ne!(other.text_at("idp_id"), first);
    admin.delete(&path).await.expect(200);
    // The same issuer has the same id again: grants of its groups stay good.
    let again = admin.post(&path, json!({ "issuer": ISSUER })).await.expect(201);
    assert_eq!(again.text_at("idp_id"), first);
}

#[tokio::test]
async fn b078_an_issuer_that_cannot_be_used_is_not_saved() {
    let (vault, _, path) = vault().await;
    let without = |name: &str| {
        let mut document = discovery(ISSUER);
        document.as_object_mut().unwrap().remove(name);
        document.to_string()
    };
    let with = |name: &str, value: Value| {
        let mut document = discovery(ISSUER);
        document[name] = value;
        document.to_string()
    };
    let page = "<html>Welcome</html>".to_owned();
    let huge = with("padding", "x".repeat(300 * 1024).into());
    for (status, document, code) in [
        (404, String::new(), "issuer_unreachable"),
        (302, String::new(), "issuer_unreachable"),
        (500, discovery(ISSUER).to_string(), "issuer_unreachable"),
        (200, huge, "issuer_unreachable"),
        (200, page, "discovery_invalid"),
        (200, without("issuer"), "discovery_invalid"),
        (200, without("jwks_uri"), "discovery_invalid"),
        (200, without("token_endpoint"), "discovery_invalid"),
        (200, with("token_endpoint", "http://idp.example.com/token".into()), "discovery_invalid"),
        (200, with("id_token_signing_alg_values_supported", json!(["HS256"])), "discovery_invalid"),
        (200, with("issuer", "https://evil.example.com".into()), "issuer_mismatch"),
        (200, with("jwks_uri", "https://idp.example.com/nothing".into()), "issuer_unreachable"),
    ] {
        vault.issuers.answer(DOCUMENT, status, &document);
        refused(&vault, &path, ISSUER, code).await;
    }
    vault.issuers.add(ISSUER);
    for keys in [json!({ "keys": [] }), json!([]), json!({ "keys": [{ "kty": "oct", "k": "AA" }] })] {
        vault.issuers.say("https://idp.example.com/keys", &keys);
        refused(&vault, &path, ISSUER, "discovery_invalid").await;
    }
    vault.issuers.say("https://idp.example.com/keys", &keys());
    for (issuer, code) in [
        ("https://nobody.example.com", "issuer_unreachable"),
        ("http://idp.example.com", "invalid_issuer"),
        ("idp.example.com", "invalid_issuer"),
        ("", "invalid_issuer"),
        ("https://idp.example.com?a=b", "invalid_issuer"),
        ("https://169.254.169.254", "invalid_issuer"),
        (DOCUMENT, "issuer_unreachable"),
    ] {
        refused(&vault, &path, issuer, code).await;
    }
    vault.admin().post(&path, json!({ "issuer": ISSUER })).await.expect(201);
}

/// Neither discovered nor added; nothing is stored.
async fn refused(vault: &Vault, path: &str, issuer: &str, code: &str) {
    let admin = vault.admin();
    for path in [path.to_owned(), format!("{path}/discover")] {
        let answer = admin.post(&path, json!({ "issuer": issuer })).await;
        assert_eq!(answer.json()["error"], code, "{issuer}: {}", answer.text);
        answer.expect(422);
    }
    admin.get(path).await.refused(404, "identity_provider_not_found");
}

#[tokio::test]
async fn b074_claims_are_locked_after_the_first_sign_in() {
    let (vault, app, path) = with_idp().await;
    let admin = vault.admin();
    let claims = |claims: Value| json!({ "claims": claims });
    let changed =
        admin.patch(&path, claims(json!({ "user_id": "uid", "groups": "teams" }))).await.expect(200);
    assert_eq!(changed.json()["claims"], json!({ "user_id": "uid", "groups": "teams", "roles": null }));
    for bad in [json!({ "user_id": "" }), json!({ "groups": "a\u{0}" }), json!({ "roles": "x".repeat(257) })]
    {
        admin.patch(&path, claims(bad)).await.refused(422, "invalid_claims");
    }

    vault.arrives(app, "ada", &[]).await;
    let shown = admin.get(&path).await.json();
    assert_eq!(shown["claims_locked"], true);
    for other in [
        json!({ "user_id": "sub" }),
        json!({ "groups": "groups" }),
        json!({ "groups": null }),
        json!({ "roles": "roles" }),
    ] {
        admin.patch(&path, claims(other)).await.refused(409, "claims_locked");
    }
    // What they are already is no change; all else can be changed still.
    admin.patch(&path, claims(json!({ "user_id": "uid" }))).await.expect(200);
    admin.patch(&path, json!({ "audience": "api" })).await.expect(200);
    assert_eq!(admin.get(&path).await.json()["claims"], shown["claims"]);
}

#[tokio::test]
async fn an_audience_is_bounded_and_can_be_taken_away() {
    let (vault, _, path) = with_idp().await;
    let admin = vault.admin();
    admin.patch(&path, json!({})).await.refused(422, "nothing_to_update");
    admin
        .patch(&path, json!({ "issuer": "https://other.example.com" }))
        .await
        .refused(400, "invalid_request");
    for bad in [String::new(), "x".repeat(513), "a\nb".to_owned()] {
        admin.patch(&path, json!({ "audience": bad })).await.refused(422, "invalid_audience");
    }
    let audience = async |body| admin.patch(&path, body).await.expect(200).json()["audience"].clone();
    assert_eq!(audience(json!({ "audience": "api://vault" })).await, "api://vault");
    assert_eq!(audience(json!({ "idp_type": "okta" })).await, "api://vault");
    assert_eq!(audience(json!({ "audience": null })).await, Value::Null);
}

/// Where the secret of the client is, and whether it is there.
async fn secret(vault: &Vault, app: AppId) -> Option<(CredentialId, u64)> {
    let secret = vault.stored_idp(app).await.value.client?.secret?;
    let sealed = Credentials(vault.ports.table.as_ref()).get(app, secret.credential_id).await.unwrap();
    assert_eq!(sealed.value.seal_version, secret.seal_version);
    Some((secret.credential_id, secret.seal_version))
}

#[tokio::test]
async fn a_client_is_set_whole_and_its_secret_is_sealed() {
    let (vault, app, path) = with_idp().await;
    let admin = vault.admin();
    let client = format!("{path}/client");
    admin.delete(&client).await.refused(404, "sign_in_client_not_found");
    let set = async |body| admin.put(&client, body).await.expect(200).json()["client"].clone();
    let shown = set(json!({ "client_id": " one ", "client_secret": CANARY })).await;
    assert_eq!((&shown["client_id"], &shown["has_client_secret"]), (&json!("one"), &json!(true)));
    let (id, version) = secret(&vault, app).await.unwrap();
    set(json!({ "client_id": "one", "client_secret": "another secret" })).await;
    assert_eq!(secret(&vault, app).await, Some((id, version + 1)));
    // A client id never goes with the secret of another.
    let public = set(json!({ "client_id": "two" })).await;
    assert_eq!(public, json!({ "client_id": "two", "has_client_secret": false, "secret_rotated_at": null }));
    assert!(secret(&vault, app).await.is_none());
    assert!(Credentials(vault.ports.table.as_ref()).get(app, id).await.is_err());

    admin.put(&client, json!({ "client_id": "" })).await.refused(422, "invalid_client_id");
    let empty = json!({ "client_id": "x", "client_secret": "" });
    admin.put(&client, empty).await.refused(422, "invalid_client_secret");
    admin.put(&format!("{path}/webhooks/backchannel-logout"), json!({})).await.expect(200);
    admin.delete(&client).await.refused(409, "sign_in_client_in_use");
    admin.delete(&format!("{path}/webhooks/backchannel-logout")).await.expect(200);
    assert_eq!(admin.delete(&client).await.expect(200).json()["client"], Value::Null);
    for answer in vault.answers() {
        assert!(!answer.contains(CANARY) && !answer.contains("another secret"), "{answer}");
    }
}

#[tokio::test]
async fn a_client_secret_stays_with_the_address_that_it_was_given_for() {
    let (vault, app, path) = with_idp().await;
    let admin = vault.admin();
    let rediscover = async || admin.patch(&path, json!({ "rediscover": true })).await;
    admin
        .put(&format!("{path}/client"), json!({ "client_id": "one", "client_secret": CANARY }))
        .await
        .expect(200);
    let mut document = discovery(ISSUER);
    document["jwks_uri"] = "https://keys.example.com/jwks".into();
    vault.issuers.say(DOCUMENT, &document);
    vault.issuers.say("https://keys.example.com/jwks", &keys());
    assert_eq!(rediscover().await.expect(200).json()["jwks_uri"], "https://keys.example.com/jwks");

    document["token_endpoint"] = "https://evil.example.com/token".into();
    vault.issuers.say(DOCUMENT, &document);
    rediscover().await.refused(409, "client_secret_bound");
    admin.delete(&format!("{path}/client")).await.expect(200);
    rediscover().await.expect(200);
    // Another issuer, were it by a slash, is another identity provider.
    document["issuer"] = format!("{ISSUER}/").into();
    vault.issuers.say(DOCUMENT, &document);
    rediscover().await.refused(422, "issuer_mismatch");
    vault.issuers.withdraw(DOCUMENT);
    rediscover().await.refused(422, "issuer_unreachable");
    let IdentityProvider { issuer, endpoints, .. } = vault.stored_idp(app).await.value;
    assert_eq!((issuer.as_str(), endpoints.token.as_str()), (ISSUER, "https://evil.example.com/token"));
}
