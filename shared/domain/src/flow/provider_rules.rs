//! What must hold between the parts of a provider's registration.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    egress::EgressRules,
    error::{Error, Result},
    inject::CredentialFields,
    model::ConfiguredScopes,
    oauth::{
        Assertion, ClientAuth, Provider, ScopeSet, Values, VariableSource, check, check_private_key,
        one_line_pem,
    },
    secret::Secret,
};

/// At most this many scopes in one list.
const MAX_SCOPES: usize = 200;
/// At most this many bytes in one scope.
const MAX_SCOPE_BYTES: usize = 256;
const MAX_CLIENT_ID_BYTES: usize = 512;

const CLIENT_SECRET: &str = "client_secret";
const PRIVATE_KEY: &str = "private_key";

/// New lists of scopes; one that is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeChange {
    pub allowed: Option<Vec<String>>,
    pub default: Option<Vec<String>>,
    pub required: Option<Vec<String>>,
}

impl ScopeChange {
    /// What is left out of a new registration is what the entry proposes.
    pub(super) fn or_proposed(self, provider: &Provider) -> Self {
        let proposed = || {
            let known = provider.scopes.known.iter().filter(|info| info.default);
            known.map(|info| info.scope.clone()).collect::<Vec<_>>()
        };
        let allowed = self.allowed.unwrap_or_else(|| {
            let mut allowed = self.default.clone().unwrap_or_else(proposed);
            allowed.extend(self.required.iter().flatten().cloned());
            allowed
        });
        let default = self.default.unwrap_or_else(|| {
            let proposed: Vec<_> = proposed().into_iter().filter(|scope| allowed.contains(scope)).collect();
            if proposed.is_empty() { allowed.clone() } else { proposed }
        });
        Self { allowed: Some(allowed), default: Some(default), required: self.required }
    }

    /// The lists as they will be.
    pub(super) fn apply(self, provider: &Provider, old: ConfiguredScopes) -> Result<ConfiguredScopes> {
        let scopes = ConfiguredScopes {
            allowed: self.allowed.map_or(Ok(old.allowed), |list| checked(&provider.scopes, list))?,
            default: self.default.map_or(Ok(old.default), |list| checked(&provider.scopes, list))?,
            required: self.required.map_or(Ok(old.required), |list| checked(&provider.scopes, list))?,
        };
        for (name, list) in [("default", &scopes.default), ("required", &scopes.required)] {
            if let Some(scope) = list.iter().find(|scope| !scopes.allowed.contains(scope)) {
                return Err(invalid_scopes(format!("{scope} is {name} and not allowed.")));
            }
        }
        let nothing = scopes.allowed.is_empty() || scopes.default.is_empty();
        match nothing && provider.scopes.always.is_empty() && !provider.scopes.none {
            true => Err(invalid_scopes("Allow at least one scope, and have one asked for by default.")),
            false => Ok(scopes),
        }
    }
}

/// Printable ASCII (RFC 6749 appendix A.1), without blanks around it.
pub(super) fn check_client_id(text: &str) -> Result<String> {
    let text = text.trim();
    let printable = text.bytes().all(|b| (b' '..=b'~').contains(&b));
    match printable && (1..=MAX_CLIENT_ID_BYTES).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err(Error::field(
            "invalid_client_id",
            format!("A client id has 1 to {MAX_CLIENT_ID_BYTES} printable ASCII characters."),
        )),
    }
}

/// An operator's own definition obeys the rules of the catalogue.
pub(super) fn check_definition(provider: &Provider, rules: EgressRules) -> Result<()> {
    let problems: Vec<String> = check(provider, rules).iter().map(ToString::to_string).collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::field("invalid_definition", format!("The definition: {}.", problems.join("; ")))),
    }
}

/// The hosts that a client's secret and its tokens are sent to, as far as the entry and the operator decide them.
pub(super) fn destinations(provider: &Provider, values: &Values) -> BTreeSet<String> {
    let lookups = provider.lookups.iter().map(|lookup| &lookup.request.url);
    let urls = [
        Some(&provider.token.url),
        provider.token.upgrade.as_ref().map(|upgrade| &upgrade.url),
        provider.refresh.url.as_ref(),
        provider.revocation.as_ref().map(|revocation| &revocation.url),
    ];
    let fill = |url: &String| {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let mut authority = rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
        for variable in &provider.variables {
            let value = values.get(&variable.name).or(variable.default.as_deref());
            if let (VariableSource::Operator, Some(value)) = (&variable.source, value) {
                authority = authority.replace(&format!("{{{}}}", variable.name), value);
            }
        }
        format!("{scheme}://{authority}").to_ascii_lowercase()
    };
    urls.into_iter().flatten().chain(lookups).map(fill).collect()
}

/// What proves the app, complete and of the right kind. Texts, never values, go into errors.
pub(super) fn check_secret(
    provider: &Provider,
    given: Vec<(String, Secret<String>)>,
) -> Result<Option<CredentialFields>> {
    let needed = provider.secret_fields();
    for field in &needed {
        if !given.iter().any(|(name, _)| name == field) {
            let message = format!("This provider wants a {field} from the app.");
            return Err(Error::field("client_secret_required", message));
        }
    }
    if given.is_empty() {
        return Ok(None);
    }
    let invalid = |message: String| Error::field("invalid_client_secret", message);
    let fields = given.into_iter().map(|(name, value)| {
        if !needed.is_empty() && !needed.contains(&name.as_str()) {
            return Err(invalid(format!("This provider takes no {name}.")));
        }
        if name != PRIVATE_KEY {
            return Ok((name, value));
        }
        let pem = one_line_pem(&value).map_err(|error| invalid(format!("Credential: {error}.")))?;
        for assertion in provider.assertions() {
            check_private_key(&pem, assertion.algorithm)
                .map_err(|error| invalid(format!("Credential: {error}.")))?;
        }
        Ok((name, pem))
    });
    let fields = CredentialFields::from_pairs(fields.collect::<Result<Vec<_>>>()?, &[])
        .map_err(|error| invalid(format!("Credential: {error}.")))?;
    Ok(Some(fields))
}

/// The operator's variables with these changes: checked by the entry, none missing.
pub(super) fn check_values(
    provider: &Provider,
    old: &Values,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<Values> {
    let invalid = |message: String| Error::field("invalid_variables", message);
    for name in changes.keys() {
        let known = provider.variables.iter().find(|variable| variable.name == *name);
        if known.is_none_or(|variable| variable.source != VariableSource::Operator) {
            let shown: String = name.chars().take(64).collect();
            return Err(invalid(format!("The provider asks the operator for no variable {shown:?}.")));
        }
    }
    let kept = old.iter().filter(|(name, _)| !changes.contains_key(*name));
    let new = changes.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)));
    let mut values = Values::default();
    for (name, value) in kept.chain(new) {
        values.set(provider, name, value).map_err(|error| invalid(format!("Variables: {error}.")))?;
    }
    let missing = values.missing(provider, &VariableSource::Operator);
    match missing.is_empty() {
        true => Ok(values),
        false => {
            let names: Vec<&str> = missing.iter().map(|variable| variable.name.as_str()).collect();
            Err(invalid(format!("The provider needs a value for {}.", names.join(", "))))
        }
    }
}

impl Provider {
    /// Which fields prove an app to this provider: `client_secret`, `private_key`, both, or none for a public client.
    pub fn secret_fields(&self) -> Vec<&'static str> {
        let auths = [Some(&self.token.auth), self.refresh.auth.as_ref()];
        let wants_secret = auths
            .into_iter()
            .flatten()
            .any(|auth| matches!(auth, ClientAuth::Post | ClientAuth::Basic | ClientAuth::SecretAsUser));
        let wants_key = self.assertions().next().is_some();
        let fields = [(CLIENT_SECRET, wants_secret), (PRIVATE_KEY, wants_key)];
        fields.into_iter().filter_map(|(name, wanted)| wanted.then_some(name)).collect()
    }

    fn assertions(&self) -> impl Iterator<Item = &Assertion> {
        let auths = [Some(&self.token.auth), self.refresh.auth.as_ref()];
        let of_auths = auths.into_iter().flatten().filter_map(|auth| match auth {
            ClientAuth::PrivateKeyJwt(assertion) | ClientAuth::SecretJwt(assertion) => Some(assertion),
            ClientAuth::Post | ClientAuth::Basic | ClientAuth::None | ClientAuth::SecretAsUser => None,
        });
        of_auths.chain(self.token.grant.as_ref())
    }
}

/// Scopes as they can be asked for: tokens of RFC 6749 section 3.3, none that the separator would cut, each once.
fn checked(known: &ScopeSet, list: Vec<String>) -> Result<Vec<String>> {
    if known.none && !list.is_empty() {
        return Err(invalid_scopes("This provider has no scopes."));
    }
    let mut scopes: Vec<String> = Vec::with_capacity(list.len());
    for scope in list {
        let token = scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        let cut = !known.separator.is_empty() && scope.contains(&known.separator);
        if !token || cut || !(1..=MAX_SCOPE_BYTES).contains(&scope.len()) {
            let shown: String = scope.chars().take(100).collect();
            return Err(invalid_scopes(format!("{shown:?} cannot be a scope of this provider.")));
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    match scopes.len() > MAX_SCOPES {
        true => Err(invalid_scopes(format!("At most {MAX_SCOPES} scopes can be named."))),
        false => Ok(scopes),
    }
}

fn invalid_scopes(message: impl Into<String>) -> Error {
    Error::field("invalid_scopes", message)
}
