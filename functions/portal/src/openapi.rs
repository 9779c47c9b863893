//! The OpenAPI document, made from the routes themselves. What every route has in common is added here: the parameters
//! in its path, the token, and the errors that any route may answer with.

use std::sync::OnceLock;

use axum::response::IntoResponse;
use bytes::Bytes;
use http::header;
use utoipa::{
    OpenApi as _,
    openapi::{
        ContentBuilder, KnownFormat, ObjectBuilder, OpenApi, RefOr, Required, ResponseBuilder, SchemaFormat,
        Type,
        path::{Operation, ParameterBuilder, ParameterIn},
        schema::Ref,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::described_routes;

/// The description of this crate's routes; it can be merged into a larger one.
pub fn openapi() -> OpenApi {
    let mut document = Base::openapi();
    document.merge(described_routes().into_openapi());
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("alter_pat_…")
        .description(Some("An operator token. `read`, `write` and `admin` each include the ones before."))
        .build();
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert(TOKEN.to_owned(), RefOr::T(SecurityScheme::Http(token)));
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            complete(path, operation);
        }
    }
    document
}

/// This document
#[utoipa::path(get, path = "/portal/v1/openapi.json", tag = "meta", operation_id = "get_openapi",
    responses((status = 200, content_type = "application/json", body = Object)), security(()))]
pub(crate) async fn document() -> impl IntoResponse {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let text = DOCUMENT.get_or_init(|| openapi().to_json().unwrap_or_default().into());
    ([(header::CONTENT_TYPE, "application/json")], text.clone())
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Alter Vault: the operator's API",
        description = "Errors are `{error, message}`: `error` is a stable code. A request with a field or parameter \
        that is not named here is refused. No answer carries a credential.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    // What only queries and errors refer to is not found by itself.
    components(schemas(
        alter_api_types::ErrorBody,
        alter_api_types::portal::GrantStatus,
        alter_api_types::portal::PrincipalType,
        alter_api_types::portal::UserStatus
    ))
)]
struct Base;

const TOKEN: &str = "operator_token";

fn complete(path: &str, operation: &mut Operation) {
    // `security(())` marks what is public.
    if operation.security.is_some() {
        return;
    }
    operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(TOKEN, [])]);
    let mut missing = Vec::new();
    for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        operation.parameters.get_or_insert_default().push(RefOr::T(path_parameter(name)));
        missing.push(match name {
            "app_id" => "`app_not_found`",
            "key_id" => "`key_not_found`",
            "agent_id" => "`agent_not_found`",
            "secret_id" => "`secret_not_found`",
            "grant_id" => "`grant_not_found`",
            "pat_id" => "`operator_token_not_found`",
            "provider_id" => "`provider_not_found`",
            "event_id" => "`audit_event_not_found`",
            "user_id" => "`user_not_found`",
            "kind" => "`webhook_not_found`",
            _ => "`template_not_found`",
        });
    }
    let mut errors = vec![
        ("401", "`invalid_operator_token`: missing, unknown, revoked and expired tokens answer alike"),
        ("403", "`insufficient_scope`"),
        ("500", "`internal_error`"),
        (
            "503",
            "`audit_unavailable`, `store_unavailable`, `key_service_unavailable`, `throttled`: try again",
        ),
    ];
    let missing = missing.join(", ");
    if !missing.is_empty() {
        errors.push(("404", &missing));
    }
    if let Some(body) = &operation.request_body {
        errors.push(("413", "`payload_too_large`: more than 256 KB"));
        if matches!(body, RefOr::T(body) if body.content.contains_key("application/json")) {
            errors.push(("400", "`invalid_request`"));
            errors.push(("415", "`unsupported_media_type`"));
        }
    }
    let takes_query = operation.parameters.iter().flatten().any(
        |parameter| matches!(parameter, RefOr::T(parameter) if matches!(parameter.parameter_in, ParameterIn::Query)),
    );
    if takes_query {
        errors.push(("422", "`invalid_filter`, `invalid_limit`, `invalid_cursor`"));
    }
    for (status, description) in errors {
        // What a route says of itself is more exact.
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
            RefOr::T(
                ResponseBuilder::new().description(description).content("application/json", content).build(),
            )
        });
    }
}

fn path_parameter(name: &str) -> utoipa::openapi::path::Parameter {
    let mut schema = ObjectBuilder::new().schema_type(Type::String);
    // A provider's id is a word.
    if name.ends_with("_id") && name != "provider_id" {
        schema = schema.format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
    }
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema.build()))
        .build()
}
