//! Which product an identity provider is: known from its issuer, and good for nothing but filling in a form.

use serde::{Deserialize, Serialize};
use url::Url;

use super::ClaimNames;

/// The product. It chooses no rule for tokens: those are the same for every issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdpKind {
    Auth0,
    Clerk,
    Okta,
    Keycloak,
    #[serde(rename = "workos")]
    WorkOs,
    Entra,
    /// Any other provider that follows OpenID Connect.
    CustomOidc,
}

impl IdpKind {
    /// What an issuer is taken for without a word from the operator: Auth0 and Clerk are recognised, every other one is a custom
    /// provider whose users are told apart by `sub`.
    pub fn of_issuer(issuer: &str) -> Self {
        match Self::preset_of(issuer) {
            kind @ (Self::Auth0 | Self::Clerk) => kind,
            _ => Self::CustomOidc,
        }
    }

    /// The product whose usual claims fit, by the issuer's host or path: a proposal for a form. A custom domain hides the product.
    pub fn preset_of(issuer: &str) -> Self {
        let Ok(url) = Url::parse(issuer) else { return Self::CustomOidc };
        let host = url.host_str().unwrap_or_default();
        let under = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        if under("auth0.com") {
            Self::Auth0
        } else if under("clerk.accounts.dev") || host.starts_with("clerk.") {
            Self::Clerk
        } else if under("okta.com") || under("oktapreview.com") || under("okta-emea.com") {
            Self::Okta
        } else if host == "api.workos.com" || under("authkit.app") {
            Self::WorkOs
        } else if ["login.microsoftonline.com", "login.microsoftonline.us", "sts.windows.net"].contains(&host)
            || under("ciamlogin.com")
        {
            Self::Entra
        } else if url.path().split('/').any(|part| part == "realms") {
            Self::Keycloak
        } else {
            Self::CustomOidc
        }
    }

    /// The claims that the product's tokens have as it comes.
    pub fn suggested_claims(self) -> ClaimNames {
        let (user_id, groups, roles) = match self {
            // Groups take an Action that adds a namespaced claim: its name is the operator's.
            Self::Auth0 | Self::CustomOidc => ("sub", None, None),
            Self::Clerk => ("sub", Some("org_role"), None),
            Self::Okta => ("sub", Some("groups"), None),
            Self::Keycloak => ("sub", Some("groups"), Some("realm_access.roles")),
            Self::WorkOs => ("sub", Some("org_id"), Some("role")),
            // `sub` is another one for each application; `oid` is the user's in the tenant.
            Self::Entra => ("oid", Some("groups"), Some("roles")),
        };
        ClaimNames::known(user_id, groups, roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b076_products_are_known_by_their_issuer_and_lookalikes_are_not() {
        use IdpKind as K;
        for (issuer, kind) in [
            ("https://acme.eu.auth0.com/", K::Auth0),
            ("https://happy-cat-1.clerk.accounts.dev", K::Clerk),
            ("https://clerk.example.com", K::Clerk),
            ("https://acme.okta.com", K::Okta),
            ("https://acme.okta.com/oauth2/default", K::Okta),
            ("https://sso.example.com/realms/staff", K::Keycloak),
            ("https://sso.example.com/auth/realms/staff", K::Keycloak),
            ("https://api.workos.com/user_management/client_1", K::WorkOs),
            ("https://login.microsoftonline.com/0000-11/v2.0", K::Entra),
            ("https://acme.ciamlogin.com/x/v2.0", K::Entra),
            ("https://accounts.google.com", K::CustomOidc),
            ("https://evilauth0.com/", K::CustomOidc),
            ("https://acme.auth0.com.evil.example/", K::CustomOidc),
            ("https://example.com/auth0.com", K::CustomOidc),
            ("http://127.0.0.1:4000", K::CustomOidc),
            ("not a url", K::CustomOidc),
        ] {
            assert_eq!(IdpKind::preset_of(issuer), kind, "{issuer}");
            let recognised = if [K::Auth0, K::Clerk].contains(&kind) { kind } else { K::CustomOidc };
            assert_eq!(IdpKind::of_issuer(issuer), recognised, "{issuer}");
        }
    }

    #[test]
    fn names_on_the_wire() {
        let kinds = [
            IdpKind::Auth0,
            IdpKind::Clerk,
            IdpKind::Okta,
            IdpKind::Keycloak,
            IdpKind::WorkOs,
            IdpKind::Entra,
            IdpKind::CustomOidc,
        ];
        let names = serde_json::to_string(&kinds).unwrap();
        assert_eq!(names, r#"["auth0","clerk","okta","keycloak","workos","entra","custom_oidc"]"#);
        assert_eq!(IdpKind::CustomOidc.suggested_claims(), ClaimNames::default());
        assert_eq!(IdpKind::Keycloak.suggested_claims().roles.as_deref(), Some("realm_access.roles"));
    }
}
