//! Webhooks of an identity provider: their secrets are made or pasted, shown once or never, and replaced at once.

use alter_api_types::AppId;
use alter_domain::{
    model::{WebhookKind, WebhookProof},
    repo::IdentityProviders,
};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Vault, issuers::keys};

/// 24 bytes of a key, as Clerk shows it.
const CLERK: &str = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktMDAx";
const CLERK_TOO: &str = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktMDAy";
const WORKOS: &str = "canary-of-workos-0123456789";

async fn vault() -> (Vault, AppId, String) {
    let vault = Vault::new().await;
    let app = vault.app("Demo").await;
    vault.issuers.add("https://acme.eu.auth0.com/");
    let path = format!("/apps/{app}/identity-provider");
    vault.admin().post(&path, json!({ "issuer": "https://acme.eu.auth0.com" })).await.expect(201);
    (vault, app, format!("{path}/webhooks"))
}

async fn proof(vault: &Vault, app: AppId, kind: WebhookKind) -> Option<WebhookProof> {
    vault.stored_idp(app).await.value.webhooks.get(&kind).map(|webhook| webhook.proof.clone())
}

#[tokio::test]
async fn all_kinds_are_listed_with_their_addresses() {
    let (vault, _, path) = vault().await;
    let list = vault.admin().get(&path).await.expect(200).json();
    let rows: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let url = item["url"].as_str().unwrap();
            let (base, rest) = url.split_once("/webhooks/").unwrap();
            let kind = rest.split_once('/').unwrap().1;
            assert_eq!(kind, item["kind"].as_str().unwrap());
            format!("{base} {kind} {} {} {}", item["enabled"], item["proposed"], item["secret_source"])
        })
        .collect();
    assert_snapshot!(rows.join("\n"), @r#"
    https://vault.example auth0 false true "vault"
    https://vault.example clerk false false "identity_provider"
    https://vault.example workos false false "identity_provider"
    https://vault.example okta false false "vault"
    https://vault.example ssf false false "none"
    https://vault.example backchannel-logout false true "none"
    "#);
}

#[tokio::test]
async fn b084_a_token_of_the_vault_s_is_shown_once_and_only_its_digest_is_kept() {
    let (vault, app, path) = vault().await;
    let admin = vault.admin();
    for (name, kind) in [("auth0", WebhookKind::Auth0), ("okta", WebhookKind::Okta)] {
        let at = format!("{path}/{name}");
        // It may be said without a body.
        let set = admin.send("PUT", &at, None).await.expect(200);
        let token = set.text_at("secret");
        assert!(token.starts_with("alwh_") && token.len() == 48, "{token}");
        assert_eq!(set.json()["webhook"]["enabled"], true);
        let first = proof(&vault, app, kind).await.unwrap();
        let WebhookProof::Token { digest } = &first else { panic!("{first:?}") };
        assert!(digest.len() == 64 && !digest.contains(&token));

        // B081: a new one takes the old one's place at once, and only when that is said.
        admin.send("PUT", &at, None).await.refused(409, "webhook_enabled");
        assert_eq!(proof(&vault, app, kind).await.unwrap(), first);
        let rotated = admin.put(&at, json!({ "rotate": true })).await.expect(200);
        assert_ne!(rotated.text_at("secret"), token);
        assert_ne!(proof(&vault, app, kind).await.unwrap(), first);
        assert_eq!(rotated.text_at("webhook.enabled_at"), set.text_at("webhook.enabled_at"));
        assert_ne!(rotated.text_at("webhook.rotated_at"), set.text_at("webhook.rotated_at"));

        admin.put(&at, json!({ "rotate": true, "secret": "mine" })).await.refused(422, "invalid_webhook");
        admin.get(&path).await.expect(200);
        for shown in [token, rotated.text_at("secret")] {
            assert_eq!(vault.answers().iter().filter(|answer| answer.contains(&shown)).count(), 1);
            for event in vault.record.events() {
                assert!(!serde_json::to_string(&event).unwrap().contains(&shown));
            }
        }
        admin.delete(&at).await.expect(200);
        admin.delete(&at).await.refused(404, "webhook_not_found");
        admin.put(&at, json!({ "rotate": true })).await.refused(404, "webhook_not_found");
        assert_eq!(proof(&vault, app, kind).await, None);
    }
    let done = vault.record.outcomes();
    let of = |wanted: &str| done.iter().filter(|event| *event == wanted).count();
    assert_eq!((of("webhook.secret_set success"), of("webhook.disabled success")), (4, 2));
}

#[tokio::test]
async fn b082_a_pasted_secret_is_sealed_and_never_seen_again() {
    let (vault, app, path) = vault().await;
    let admin = vault.admin();
    for (name, kind, first, second) in [
        ("clerk", WebhookKind::Clerk, CLERK, CLERK_TOO),
        ("workos", WebhookKind::WorkOs, WORKOS, "canary-of-workos-another-one"),
    ] {
        let at = format!("{path}/{name}");
        let sealed = async || {
            let idp = vault.stored_idp(app).await.value;
            let secret = IdentityProviders(vault.ports.table.as_ref()).webhook_secret(idp.id, kind).await;
            let secret = secret.unwrap();
            match idp.webhooks.get(&kind).map(|webhook| webhook.proof.clone()) {
                Some(WebhookProof::Hmac { seal_version }) => {
                    assert_eq!(secret.as_ref().unwrap().seal_version, seal_version);
                }
                None => assert!(secret.is_none(), "nothing is left"),
                other => panic!("{other:?}"),
            }
            secret
        };
        admin.send("PUT", &at, None).await.refused(422, "webhook_secret_required");
        for bad in ["", "whsec_", "short", "whsec_not base64!", "two words that are long enough"] {
            admin.put(&at, json!({ "secret": bad })).await.refused(422, "invalid_webhook_secret");
        }
        let set = admin.put(&at, json!({ "secret": first })).await.expect(200).json();
        assert!(set.get("secret").is_none());
        let one = sealed().await.unwrap();
        admin.put(&at, json!({ "secret": second })).await.refused(409, "webhook_enabled");
        // Two changes within a millisecond are two versions.
        admin.put(&at, json!({ "secret": second, "rotate": true })).await.expect(200);
        let two = sealed().await.unwrap();
        assert!(two.seal_version > one.seal_version && two.sealed != one.sealed);
        // What was sealed before the webhook was switched off opens no more after it.
        admin.delete(&at).await.expect(200);
        assert!(sealed().await.is_none());
        admin.put(&at, json!({ "secret": first })).await.expect(200);
        assert!(sealed().await.unwrap().seal_version > two.seal_version);
        for answer in vault.answers() {
            assert!(!answer.contains(first) && !answer.contains(second), "{answer}");
        }
        for event in vault.record.events() {
            let event = serde_json::to_string(&event).unwrap();
            assert!(!event.contains(first) && !event.contains(second), "{event}");
        }
    }
}

#[tokio::test]
async fn a_transmitter_of_shared_signals_is_asked_for_its_keys() {
    let (vault, app, path) = vault().await;
    let admin = vault.admin();
    let at = format!("{path}/ssf");
    let config = "https://tr.example.com/.well-known/ssf-configuration/acme";
    let document =
        json!({ "issuer": "https://tr.example.com/acme", "jwks_uri": "https://tr.example.com/keys" });
    let set = async |body: Value| admin.put(&at, body).await;
    let issuer = json!({ "issuer": "https://tr.example.com/acme" });
    admin.send("PUT", &at, None).await.refused(422, "invalid_webhook");
    set(issuer.clone()).await.refused(422, "issuer_unreachable");
    vault.issuers.say(config, &document);
    set(issuer.clone()).await.refused(422, "issuer_unreachable");
    vault.issuers.say("https://tr.example.com/keys", &json!({ "keys": [] }));
    set(issuer.clone()).await.refused(422, "discovery_invalid");
    vault.issuers.say("https://tr.example.com/keys", &keys());
    vault.issuers.say(config, &json!({ "issuer": "https://tr.example.com/acme" }));
    set(issuer.clone()).await.refused(422, "discovery_invalid");
    vault.issuers.say(
        config,
        &json!({ "issuer": "https://evil.example.com", "jwks_uri": "https://tr.example.com/keys" }),
    );
    set(issuer.clone()).await.refused(422, "issuer_mismatch");
    vault.issuers.say(config, &document);
    set(json!({ "issuer": "https://tr.example.com/acme", "audience": "" }))
        .await
        .refused(422, "invalid_audience");
    assert_eq!(proof(&vault, app, WebhookKind::Ssf).await, None);

    let on = set(issuer).await.expect(200);
    assert_eq!(on.text_at("webhook.audience"), on.text_at("webhook.url"), "by default its own address");
    let body = json!({ "issuer": "https://tr.example.com/acme/", "audience": "vault", "rotate": true });
    let on = set(body).await.expect(200);
    assert_eq!(
        (on.text_at("webhook.audience"), on.text_at("webhook.issuer")),
        ("vault".into(), "https://tr.example.com/acme".into())
    );
    assert!(matches!(
        proof(&vault, app, WebhookKind::Ssf).await,
        Some(WebhookProof::Transmitter { jwks_uri, .. }) if jwks_uri == "https://tr.example.com/keys"
    ));
    // What belongs to another kind is refused, not left out.
    admin.put(&format!("{path}/okta"), json!({ "audience": "x" })).await.refused(422, "invalid_webhook");
    set(json!({ "issuer": "https://tr.example.com/acme", "secret": "x", "rotate": true }))
        .await
        .refused(422, "invalid_webhook");
}

#[tokio::test]
async fn back_channel_logout_is_told_to_a_client() {
    let (vault, app, path) = vault().await;
    let admin = vault.admin();
    let at = format!("{path}/backchannel-logout");
    admin.send("PUT", &at, None).await.refused(409, "sign_in_client_required");
    let client = path.replace("/webhooks", "/client");
    admin.put(&client, json!({ "client_id": "public" })).await.expect(200);
    let on = admin.send("PUT", &at, None).await.expect(200).json();
    assert!(on.get("secret").is_none() && on["webhook"]["enabled"] == true);
    assert_eq!(
        proof(&vault, app, WebhookKind::BackchannelLogout).await,
        Some(WebhookProof::IdentityProvider)
    );
}

#[tokio::test]
async fn with_the_identity_provider_its_secrets_go() {
    let (vault, app, path) = vault().await;
    let admin = vault.admin();
    admin.put(&format!("{path}/clerk"), json!({ "secret": CLERK })).await.expect(200);
    let id = vault.stored_idp(app).await.value.id;
    let sealed = async || {
        let idps = IdentityProviders(vault.ports.table.as_ref());
        idps.webhook_secret(id, WebhookKind::Clerk).await.unwrap()
    };
    assert!(sealed().await.is_some());
    let idp = path.trim_end_matches("/webhooks");
    admin.delete(idp).await.expect(200);
    assert!(sealed().await.is_none());
    admin.get(&path).await.refused(404, "identity_provider_not_found");
    admin.post(idp, json!({ "issuer": "https://acme.eu.auth0.com" })).await.expect(201);
    assert_eq!(admin.get(&path).await.json()["items"][1]["enabled"], false);
}
