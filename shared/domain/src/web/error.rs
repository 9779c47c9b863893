//! The one file that maps an [`Error`] to status, code and body (wire protocol sections 3.2 and 5).
//!
//! Internal detail never reaches an answer: it goes to the log with the request's id.

use std::collections::BTreeSet;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::error::Error;

/// The stable code of an error.
pub fn code(error: &Error) -> &'static str {
    match error {
        Error::InvalidRequest(_) => "invalid_request",
        Error::InvalidField { code, .. } | Error::Conflict { code, .. } => code,
        Error::ConstraintNotSupported(_) => "constraint_not_supported",
        Error::MethodNotAllowed => "method_not_allowed",
        Error::UnsupportedMediaType => "unsupported_media_type",
        Error::RequestTimeout => "request_timeout",
        Error::PayloadTooLarge { .. } => "payload_too_large",
        Error::ForbiddenHeader(_) => "forbidden_header",
        Error::BlockedDestination(_) => "blocked_destination",
        Error::QueryTooLong => "query_too_long",
        Error::RestrictedGrantRequiresProxy => "restricted_grant_requires_proxy",
        Error::Unauthenticated => "unauthenticated",
        Error::InvalidSignature => "invalid_signature",
        Error::TimestampOutOfRange => "timestamp_out_of_range",
        Error::NonceReplayed => "nonce_replayed",
        Error::ContentHashMismatch => "content_hash_mismatch",
        Error::InvalidKey => "invalid_key",
        Error::KeyRevoked => "key_revoked",
        Error::KeyExpired => "key_expired",
        Error::KeyRotatedGraceExpired => "key_rotated_grace_expired",
        Error::AgentInactive => "agent_inactive",
        Error::AgentRevoked => "agent_revoked",
        Error::JwtValidation => "jwt_validation_error",
        Error::IdentityProviderNotConfigured => "identity_provider_not_configured",
        Error::IdentityProviderUnavailable(_) => "identity_provider_unavailable",
        Error::UserSuspended => "user_suspended",
        Error::UserDeprovisioned => "user_deprovisioned",
        Error::WalletSessionRequired => "wallet_session_required",
        Error::CsrfFailed => "csrf_failed",
        Error::TooManyRequests { .. } => "too_many_requests",
        Error::WebhookUnauthorized => "webhook_unauthorized",
        Error::InvalidOperatorToken => "invalid_operator_token",
        Error::InsufficientScope { .. } => "insufficient_scope",
        Error::CallerAgentMismatch => "caller_agent_mismatch",
        Error::CallerAgentUnresolved => "caller_agent_unresolved",
        Error::GrantNotFound { .. } => "grant_not_found",
        Error::NoDelegatedGrant { .. } => "no_delegated_grant",
        Error::AmbiguousGrant { .. } => "ambiguous_grant",
        Error::GrantRevoked { .. } => "grant_revoked",
        Error::GrantNotYoursToRevoke => "grant_not_yours_to_revoke",
        Error::GrantExpired { .. } => "grant_expired",
        Error::CredentialRevoked { .. } => "credential_revoked",
        Error::ProviderDisabled { .. } => "provider_disabled",
        Error::TokenRefreshInProgress { .. } => "token_refresh_in_progress",
        Error::NotFound("provider") => "provider_not_found",
        Error::NotFound("connection") => "connection_not_found",
        Error::NotFound("identity provider") => "identity_provider_not_found",
        Error::NotFound("webhook") => "webhook_not_found",
        Error::NotFound("sign-in client") => "sign_in_client_not_found",
        Error::NotFound("user") => "user_not_found",
        Error::NotFound("approval") => "approval_not_found",
        Error::NotFound("app") => "app_not_found",
        Error::NotFound("key") => "key_not_found",
        Error::NotFound("agent") => "agent_not_found",
        Error::NotFound("managed secret") => "secret_not_found",
        Error::NotFound("audit event") => "audit_event_not_found",
        Error::NotFound("operator token") => "operator_token_not_found",
        Error::NotFound("logo") => "logo_not_found",
        Error::NotFound("template") => "template_not_found",
        Error::NotFound(_) => "not_found",
        Error::SiblingLabelConflict { .. } => "sibling_label_conflict",
        Error::UpstreamUnreachable(_) => "upstream_unreachable",
        Error::UpstreamTimeout => "upstream_timeout",
        Error::UpstreamBroken(_) => "upstream_error",
        Error::Throttled => "throttled",
        Error::StoreUnavailable(_) => "store_unavailable",
        Error::AuditUnavailable(_) => "audit_unavailable",
        Error::KeyServiceUnavailable(_) => "key_service_unavailable",
        Error::Internal(_) => "internal_error",
    }
}

/// The HTTP status of an error.
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::InvalidRequest(_)
        | Error::ConstraintNotSupported(_)
        | Error::RestrictedGrantRequiresProxy
        | Error::IdentityProviderNotConfigured
        | Error::CallerAgentMismatch => StatusCode::BAD_REQUEST,
        Error::InvalidField {
            code: "constraint_not_narrowing" | "scope_not_allowed" | "agent_requires_user_token",
            ..
        } => StatusCode::BAD_REQUEST,
        Error::InvalidField { .. }
        | Error::ForbiddenHeader(_)
        | Error::BlockedDestination(_)
        | Error::QueryTooLong => StatusCode::UNPROCESSABLE_ENTITY,
        Error::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Error::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Error::PayloadTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Unauthenticated
        | Error::InvalidSignature
        | Error::TimestampOutOfRange
        | Error::NonceReplayed
        | Error::ContentHashMismatch
        | Error::InvalidKey
        | Error::KeyRevoked
        | Error::KeyExpired
        | Error::KeyRotatedGraceExpired
        | Error::AgentInactive
        | Error::AgentRevoked
        | Error::JwtValidation
        | Error::WalletSessionRequired
        | Error::WebhookUnauthorized
        | Error::InvalidOperatorToken => StatusCode::UNAUTHORIZED,
        Error::InsufficientScope { .. }
        | Error::GrantRevoked { .. }
        | Error::GrantNotYoursToRevoke
        | Error::GrantExpired { .. }
        | Error::CredentialRevoked { .. }
        | Error::CsrfFailed
        | Error::UserSuspended
        | Error::UserDeprovisioned
        | Error::ProviderDisabled { .. } => StatusCode::FORBIDDEN,
        Error::CallerAgentUnresolved
        | Error::GrantNotFound { .. }
        | Error::NoDelegatedGrant { .. }
        | Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::AmbiguousGrant { .. }
        | Error::Conflict { .. }
        | Error::SiblingLabelConflict { .. }
        | Error::TokenRefreshInProgress { .. } => StatusCode::CONFLICT,
        Error::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::UpstreamUnreachable(_) | Error::UpstreamBroken(_) => StatusCode::BAD_GATEWAY,
        Error::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        Error::Throttled
        | Error::StoreUnavailable(_)
        | Error::AuditUnavailable(_)
        | Error::IdentityProviderUnavailable(_)
        | Error::KeyServiceUnavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The body of an error: `error`, `message`, and the fields that the published clients read.
pub fn body(error: &Error) -> Value {
    let mut fields = Map::new();
    fields.insert("error".to_owned(), code(error).into());
    fields.insert("message".to_owned(), error.to_string().into());
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            fields.insert(name.to_owned(), value);
        }
    };
    match error {
        Error::InvalidKey => {
            set("hint", "Check the key; a key that was deleted or mistyped answers like this.".into());
        }
        Error::KeyRevoked => set("hint", "Mint a new key in the portal.".into()),
        Error::KeyExpired => set("hint", "Mint a new key in the portal.".into()),
        Error::KeyRotatedGraceExpired => set("hint", "Use the key that replaced this one.".into()),
        Error::RestrictedGrantRequiresProxy => {
            set("hint", "proxy_request() makes the call from the vault; the credential stays there.".into());
        }
        Error::InsufficientScope { required, granted } => {
            set("required", json!(required));
            set("granted", json!(granted));
            set("missing", json!(required));
        }
        Error::GrantNotFound { provider_id, agent_id } => {
            set("provider_id", json!(provider_id));
            set("agent_id", json!(agent_id));
        }
        Error::NoDelegatedGrant { provider_id, agent_id } => {
            set("provider_id", json!(provider_id));
            set("agent_id", json!(agent_id));
        }
        Error::GrantRevoked { grant_id } => set("grant_id", json!(grant_id)),
        Error::CredentialRevoked { grant_id, provider_id } => {
            set("grant_id", json!(grant_id));
            set("provider_id", json!(provider_id));
            set(
                "hint",
                "create_connect_session_for_error() makes the session in which the user connects again."
                    .into(),
            );
        }
        Error::ProviderDisabled { provider_id } => set("provider_id", json!(provider_id)),
        Error::TokenRefreshInProgress { grant_id } => set("grant_id", json!(grant_id)),
        Error::GrantExpired { grant_id, provider_id } => {
            set("grant_id", json!(grant_id));
            set("provider_id", json!(provider_id));
        }
        Error::AmbiguousGrant { provider_id, candidates, truncated, account_was_provided } => {
            set("provider_id", json!(provider_id));
            set("grant_ids", json!(candidates.iter().map(|c| c.grant_id).collect::<Vec<_>>()));
            // To choose from: an account with several grants is one of them.
            let accounts: BTreeSet<_> =
                candidates.iter().filter_map(|c| c.account_identifier.as_ref()).collect();
            set("account_identifiers", json!(accounts));
            set("account_was_provided", json!(account_was_provided));
            set("candidates", json!(candidates));
            set("candidates_truncated", json!(truncated));
        }
        Error::SiblingLabelConflict { label } => set("label", json!(label)),
        _ => {}
    }
    Value::Object(fields)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = status(&self);
        match &self {
            Error::Internal(detail) => tracing::error!(detail, "internal error"),
            Error::StoreUnavailable(detail)
            | Error::AuditUnavailable(detail)
            | Error::IdentityProviderUnavailable(detail)
            | Error::KeyServiceUnavailable(detail)
            | Error::UpstreamUnreachable(detail)
            | Error::UpstreamBroken(detail) => tracing::warn!(detail, code = code(&self), "refused"),
            _ => tracing::debug!(code = code(&self), "refused"),
        }
        let mut response = (status, Json(body(&self))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Error::TooManyRequests { retry_after } = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        }
        if self == Error::InvalidOperatorToken {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
