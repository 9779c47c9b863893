//! The OpenAPI document can be had without a token and says what the routes are.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::Vault;

#[tokio::test]
async fn the_api_describes_itself() {
    let vault = Vault::new().await;
    let answer = vault.with_header(None).get("/openapi.json").await.expect(200);
    assert_eq!(answer.headers["content-type"], "application/json");
    let document = answer.json();
    let mut lines = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<_> =
                operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            let id = operation["operationId"].as_str().unwrap();
            lines.push(format!("{method} {path} {id}: {}", statuses.join(" ")));
            let public = path.ends_with("/openapi.json");
            assert_eq!(operation["security"] == json!([{"operator_token": []}]), !public, "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
    assert_snapshot!(lines.join("\n"), @r#"
    get /portal/v1/apps list_apps: 200 401 403 422 500 503
    post /portal/v1/apps create_app: 201 400 401 403 413 415 422 500 503
    get /portal/v1/apps/{app_id} get_app: 200 401 403 404 500 503
    patch /portal/v1/apps/{app_id} update_app: 200 400 401 403 404 409 413 415 422 500 503
    get /portal/v1/apps/{app_id}/agents list_agents: 200 401 403 404 422 500 503
    post /portal/v1/apps/{app_id}/agents create_agent: 201 400 401 403 404 409 413 415 422 500 503
    delete /portal/v1/apps/{app_id}/agents/{agent_id} revoke_agent: 200 401 403 404 409 500 503
    get /portal/v1/apps/{app_id}/agents/{agent_id} get_agent: 200 401 403 404 500 503
    post /portal/v1/apps/{app_id}/archive archive_app: 200 401 403 404 409 500 503
    get /portal/v1/apps/{app_id}/audit list_audit: 200 401 403 404 422 500 503
    get /portal/v1/apps/{app_id}/audit/export export_audit: 200 401 403 404 422 500 503
    get /portal/v1/apps/{app_id}/audit/{event_id} get_audit_event: 200 401 403 404 500 503
    get /portal/v1/apps/{app_id}/grants list_grants: 200 401 403 404 422 500 503
    post /portal/v1/apps/{app_id}/grants create_grant: 201 400 401 403 404 409 413 415 422 500 503
    get /portal/v1/apps/{app_id}/grants/{grant_id} get_grant: 200 401 403 404 500 503
    post /portal/v1/apps/{app_id}/grants/{grant_id}/revoke revoke_grant: 200 400 401 403 404 409 413 415 422 500 503
    delete /portal/v1/apps/{app_id}/identity-provider remove_identity_provider: 200 401 403 404 409 500 503
    get /portal/v1/apps/{app_id}/identity-provider get_identity_provider: 200 401 403 404 500 503
    patch /portal/v1/apps/{app_id}/identity-provider update_identity_provider: 200 400 401 403 404 409 413 415 422 500 503
    post /portal/v1/apps/{app_id}/identity-provider add_identity_provider: 201 400 401 403 404 409 413 415 422 500 503
    delete /portal/v1/apps/{app_id}/identity-provider/client remove_sign_in_client: 200 401 403 404 409 500 503
    put /portal/v1/apps/{app_id}/identity-provider/client set_sign_in_client: 200 400 401 403 404 409 413 415 422 500 503
    post /portal/v1/apps/{app_id}/identity-provider/discover discover_identity_provider: 200 400 401 403 404 413 415 422 500 503
    get /portal/v1/apps/{app_id}/identity-provider/webhooks list_webhooks: 200 401 403 404 500 503
    delete /portal/v1/apps/{app_id}/identity-provider/webhooks/{kind} disable_webhook: 200 401 403 404 409 500 503
    put /portal/v1/apps/{app_id}/identity-provider/webhooks/{kind} set_webhook: 200 400 401 403 404 409 413 415 422 500 503
    get /portal/v1/apps/{app_id}/keys list_keys: 200 401 403 404 422 500 503
    post /portal/v1/apps/{app_id}/keys mint_key: 201 400 401 403 404 409 413 415 422 500 503
    delete /portal/v1/apps/{app_id}/keys/{key_id} revoke_key: 200 401 403 404 409 500 503
    get /portal/v1/apps/{app_id}/keys/{key_id} get_key: 200 401 403 404 500 503
    post /portal/v1/apps/{app_id}/keys/{key_id}/rotate rotate_key: 200 400 401 403 404 409 413 415 422 500 503
    delete /portal/v1/apps/{app_id}/logo remove_app_logo: 200 401 403 404 409 500 503
    put /portal/v1/apps/{app_id}/logo set_app_logo: 200 401 403 404 409 413 422 500 503
    get /portal/v1/apps/{app_id}/providers list_providers: 200 401 403 404 422 500 503
    post /portal/v1/apps/{app_id}/providers add_provider: 201 400 401 403 404 409 413 415 422 500 503
    delete /portal/v1/apps/{app_id}/providers/{provider_id} delete_provider: 200 401 403 404 409 422 500 503
    get /portal/v1/apps/{app_id}/providers/{provider_id} get_provider: 200 401 403 404 500 503
    patch /portal/v1/apps/{app_id}/providers/{provider_id} update_provider: 200 400 401 403 404 409 413 415 422 500 503
    put /portal/v1/apps/{app_id}/providers/{provider_id}/client-secret set_client_secret: 200 400 401 403 404 409 413 415 422 500 503
    post /portal/v1/apps/{app_id}/providers/{provider_id}/disable disable_provider: 200 401 403 404 409 500 503
    post /portal/v1/apps/{app_id}/providers/{provider_id}/enable enable_provider: 200 401 403 404 409 500 503
    get /portal/v1/apps/{app_id}/secrets list_secrets: 200 401 403 404 422 500 503
    post /portal/v1/apps/{app_id}/secrets create_secret: 201 400 401 403 404 409 413 415 422 500 503
    delete /portal/v1/apps/{app_id}/secrets/{secret_id} delete_secret: 200 401 403 404 409 500 503
    get /portal/v1/apps/{app_id}/secrets/{secret_id} get_secret: 200 401 403 404 500 503
    patch /portal/v1/apps/{app_id}/secrets/{secret_id} update_secret: 200 400 401 403 404 409 413 415 422 500 503
    put /portal/v1/apps/{app_id}/secrets/{secret_id}/value replace_value: 200 400 401 403 404 409 413 415 422 500 503
    post /portal/v1/apps/{app_id}/unarchive unarchive_app: 200 401 403 404 409 500 503
    get /portal/v1/apps/{app_id}/users list_users: 200 401 403 404 422 500 503
    get /portal/v1/apps/{app_id}/users/{user_id} get_user: 200 401 403 404 500 503
    post /portal/v1/apps/{app_id}/users/{user_id}/deprovision deprovision_user: 200 401 403 404 409 500 503
    post /portal/v1/apps/{app_id}/users/{user_id}/reactivate reactivate_user: 200 401 403 404 409 500 503
    post /portal/v1/apps/{app_id}/users/{user_id}/suspend suspend_user: 200 401 403 404 409 500 503
    get /portal/v1/audit list_org_audit: 200 401 403 422 500 503
    get /portal/v1/audit/export export_org_audit: 200 401 403 422 500 503
    get /portal/v1/me me: 200 401 403 500 503
    get /portal/v1/openapi.json get_openapi: 200
    get /portal/v1/providers list_known_providers: 200 401 403 422 500 503
    get /portal/v1/providers/{provider_id} get_known_provider: 200 401 403 404 500 503
    get /portal/v1/templates list_templates: 200 401 403 422 500 503
    get /portal/v1/templates/{slug} get_template: 200 401 403 404 500 503
    get /portal/v1/tokens list_tokens: 200 401 403 422 500 503
    post /portal/v1/tokens mint_token: 201 400 401 403 413 415 422 500 503
    delete /portal/v1/tokens/{pat_id} revoke_token: 200 401 403 404 409 500 503
    "#);
    let rotate = &document["paths"]["/portal/v1/apps/{app_id}/keys/{key_id}/rotate"]["post"];
    assert_ne!(rotate["requestBody"]["required"], true, "it may be left out");
    let names =
        rotate["parameters"].as_array().unwrap().iter().map(|parameter| parameter["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["app_id", "key_id"]);
    // Whatever is referred to is there.
    let text = answer.text;
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}
