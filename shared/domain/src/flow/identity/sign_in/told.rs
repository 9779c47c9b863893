//! Why a sign-in ended without a user: a code for the app, a sentence for the user.

use crate::error::Error;

/// A code and a sentence for the app and for the user.
pub(in crate::flow) type Told = (&'static str, &'static str);

pub(in crate::flow) const CHANGED: Told = (
    "identity_provider_changed",
    "The app's sign-in was set up anew meanwhile. Go back to the app and start again.",
);
pub(in crate::flow) const MISCONFIGURED: Told = (
    "idp_signin_misconfigured",
    "The identity provider does not accept the app's registration. Only the app's operator can change that.",
);
pub(in crate::flow) const DENIED: Told = ("sign_in_denied", "The sign-in was cancelled.");
pub(in crate::flow) const TROUBLE: Told = (
    "identity_provider_unavailable",
    "The identity provider has trouble at the moment. Try again in a while.",
);
pub(in crate::flow) const REFUSED: Told = (
    "identity_provider_refused",
    "The identity provider refused the sign-in. Try again, or ask the app's operator.",
);
pub(in crate::flow) const CODE_REFUSED: Told =
    ("code_refused", "The identity provider no longer accepts this sign-in. Start again from the app.");
pub(in crate::flow) const UNUSABLE: Told = (
    "id_token_invalid",
    "The identity provider's answer could not be verified. Start again; if it stays so, ask the app's operator.",
);
pub(in crate::flow) const SUSPENDED: Told =
    ("user_suspended", "Your account is suspended. Whoever runs the app can tell you why.");
pub(in crate::flow) const LEFT: Told =
    ("user_deprovisioned", "Your account has been closed. Whoever runs the app can tell you why.");
pub(in crate::flow) const OWN_TROUBLE: Told =
    ("sign_in_failed", "Something went wrong here. Try again in a while.");

/// What an error code of the identity provider means (RFC 6749 section 4.1.2.1, OpenID Connect Core 1.0 section 3.1.2.6).
pub(in crate::flow) fn refusal(code: &str) -> Told {
    let shown: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect();
    tracing::info!(code = shown, "an identity provider refused a sign-in");
    match code {
        "temporarily_unavailable" | "server_error" => TROUBLE,
        "unauthorized_client"
        | "invalid_client"
        | "invalid_request"
        | "invalid_scope"
        | "unsupported_response_type"
        | "redirect_uri_mismatch"
        | "invalid_redirect_uri" => MISCONFIGURED,
        code if ["denied", "cancel", "declined"].iter().any(|word| code.contains(word)) => DENIED,
        _ => REFUSED,
    }
}

/// What an error of the vault's own means.
pub(in crate::flow) fn told(error: Error) -> Told {
    match error {
        Error::UserSuspended => SUSPENDED,
        Error::UserDeprovisioned => LEFT,
        Error::JwtValidation => UNUSABLE,
        Error::IdentityProviderUnavailable(why) => {
            tracing::warn!(why, "a sign-in's token cannot be verified");
            TROUBLE
        }
        error => {
            tracing::error!(%error, code = crate::web::code(&error), "a sign-in failed");
            OWN_TROUBLE
        }
    }
}
