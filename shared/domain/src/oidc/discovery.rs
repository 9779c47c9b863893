//! What a provider says of itself (OpenID Connect Discovery 1.0), read once when it is added.

use serde_json::{Map, Value};

use super::{
    ClaimNames, IdpKind,
    fetch::{self, FetchError},
    json,
    jwks::{Algorithm, JwksError, KeySet},
};
use crate::{
    egress::{EgressError, EgressRules, Target},
    port::HttpClient,
};

/// A provider whose document holds and whose keys can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// As the document has it: this is what tokens say in `iss`.
    pub issuer: String,
    pub jwks_uri: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub userinfo_endpoint: Option<String>,
    /// OpenID Connect RP-Initiated Logout 1.0.
    pub end_session_endpoint: Option<String>,
    /// `client_secret_basic` where the document does not say (section 3).
    pub token_endpoint_auth_methods: Vec<String>,
    /// `authorization_response_iss_parameter_supported` (RFC 9207 section 3).
    pub names_itself: bool,
    pub id_token_signing_algs: Vec<String>,
    /// Empty where the document does not say.
    pub scopes_supported: Vec<String>,
    pub claims_supported: Vec<String>,
    pub kind: IdpKind,
    /// What to fill in.
    pub claims: ClaimNames,
    /// The product whose usual claims (`preset.suggested_claims()`) an operator may rather want.
    pub preset: IdpKind,
    /// How many of the published keys check signatures.
    pub usable_keys: usize,
}

/// Why a provider cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    #[error(
        "the issuer is not an https address without query and fragment, of at most {MAX_ADDRESS_CHARS} characters"
    )]
    Issuer,
    #[error("the discovery document: {0}")]
    Document(FetchError),
    #[error("the discovery document is not a JSON object whose members stand once")]
    Malformed,
    /// Section 4.3: whoever answers for another issuer could sign in its users.
    #[error("the discovery document is of another issuer")]
    OtherIssuer,
    #[error("`{0}` is absent from the discovery document or malformed")]
    Member(&'static str),
    #[error("`{0}` is an address that is refused: {1}")]
    Endpoint(&'static str, EgressError),
    #[error("none of the provider's signing algorithms is one of RS, PS, ES256, ES384 and EdDSA")]
    Algorithms,
    #[error("the keys: {0}")]
    KeysUnreachable(FetchError),
    #[error("the keys: {0}")]
    Keys(#[from] JwksError),
}

/// Reads the provider's document and its keys, and stores nothing. An issuer that differs from the document's by the slash at its
/// end is taken for it: people copy it with and without.
pub async fn discover(
    http: &dyn HttpClient,
    rules: EgressRules,
    issuer: &str,
) -> Result<Discovered, DiscoveryError> {
    let bare = checked_issuer(issuer, rules)?;
    let address = format!("{bare}/.well-known/openid-configuration");
    let target = fetch::target(&address, rules).map_err(DiscoveryError::Document)?;
    let document = fetch::document(http, &target).await.map_err(DiscoveryError::Document)?;
    let mut found = read(&document, bare, rules)?;

    let keys = fetch::target(&found.jwks_uri, rules).map_err(DiscoveryError::KeysUnreachable)?;
    let keys = fetch::document(http, &keys).await.map_err(DiscoveryError::KeysUnreachable)?;
    found.usable_keys = KeySet::from_slice(&keys)?.len();
    Ok(found)
}

/// The issuer without the slash at its end.
pub(super) fn checked_issuer(issuer: &str, rules: EgressRules) -> Result<&str, DiscoveryError> {
    let target = match fetch::target(issuer, rules) {
        Ok(target) if issuer.len() <= MAX_ADDRESS_CHARS => target,
        _ => return Err(DiscoveryError::Issuer),
    };
    // Both would end up in front of the path that is added.
    if target.url().query().is_some() || issuer.contains(['?', '#']) {
        return Err(DiscoveryError::Issuer);
    }
    Ok(issuer.strip_suffix('/').unwrap_or(issuer))
}

/// All of a document but its keys.
fn read(document: &[u8], bare_issuer: &str, rules: EgressRules) -> Result<Discovered, DiscoveryError> {
    let document = json::object(document).ok_or(DiscoveryError::Malformed)?;
    let issuer = text(&document, "issuer")?.ok_or(DiscoveryError::Member("issuer"))?;
    if issuer.strip_suffix('/').unwrap_or(&issuer) != bare_issuer {
        return Err(DiscoveryError::OtherIssuer);
    }
    let endpoint = |name| match text(&document, name)? {
        None => Ok(None),
        Some(address) if address.len() > MAX_ADDRESS_CHARS => Err(DiscoveryError::Member(name)),
        Some(address) => match Target::parse(&address, &rules) {
            Ok(_) => Ok(Some(address)),
            Err(error) => Err(DiscoveryError::Endpoint(name, error)),
        },
    };
    let required = |name| endpoint(name)?.ok_or(DiscoveryError::Member(name));
    let id_token_signing_algs = list(&document, "id_token_signing_alg_values_supported");
    // Required by section 3, and absent here and there: the keys show what it can.
    if !id_token_signing_algs.is_empty()
        && !id_token_signing_algs.iter().any(|name| Algorithm::from_name(name).is_some())
    {
        return Err(DiscoveryError::Algorithms);
    }
    let mut auth_methods = list(&document, "token_endpoint_auth_methods_supported");
    if auth_methods.is_empty() {
        auth_methods.push("client_secret_basic".to_owned());
    }
    let kind = IdpKind::of_issuer(&issuer);
    let preset = IdpKind::preset_of(&issuer);
    Ok(Discovered {
        jwks_uri: required("jwks_uri")?,
        authorization_endpoint: required("authorization_endpoint")?,
        token_endpoint: required("token_endpoint")?,
        userinfo_endpoint: endpoint("userinfo_endpoint")?,
        end_session_endpoint: endpoint("end_session_endpoint")?,
        token_endpoint_auth_methods: auth_methods,
        names_itself: document.get("authorization_response_iss_parameter_supported")
            == Some(&Value::Bool(true)),
        id_token_signing_algs,
        scopes_supported: list(&document, "scopes_supported"),
        claims_supported: list(&document, "claims_supported"),
        kind,
        preset,
        claims: kind.suggested_claims(),
        usable_keys: 0,
        issuer,
    })
}

pub(super) fn text(
    document: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, DiscoveryError> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(DiscoveryError::Member(name)),
    }
}

/// The texts of a list, as far as they can be names of something.
fn list(document: &Map<String, Value>, name: &str) -> Vec<String> {
    let listed = document.get(name).and_then(Value::as_array).into_iter().flatten();
    let names = listed.filter_map(Value::as_str).filter(|name| name.len() <= MAX_NAME_CHARS);
    names.take(MAX_LISTED).map(str::to_owned).collect()
}

pub(super) const MAX_ADDRESS_CHARS: usize = 2048;
const MAX_NAME_CHARS: usize = 256;
const MAX_LISTED: usize = 200;
