//! From request bodies to the domain's values, with everything checked that can be checked without the store.

use std::collections::BTreeMap;

use alter_api_types::{
    SecretText,
    portal::{
        self, BaseGrant, CreateSecret, GrantPolicyInput, HeaderView, InjectionRule, PrincipalView, RuleTarget,
    },
};
use alter_domain::{
    Error, Result, catalogue,
    egress::{AllowedHosts, HostPattern},
    flow::{GrantTerms, NewSecret},
    inject::{CredentialFields, CredentialType, DefaultHeaders, InjectRule, Injection, Rules, Target},
    model::{GrantPolicy, ManagedSecret, Permission, Principal},
    secret::Secret,
};
use jiff::{SignedDuration, Timestamp};

/// A life that is longer is a mistake in the unit.
const MAX_LIFE: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);

/// One expiry from its two spellings, in the future.
pub(crate) fn expiry(
    at: Option<Timestamp>,
    within: Option<&str>,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let invalid = |message: &str| Error::field("invalid_expiry", message);
    let at = match (at, within) {
        (Some(_), Some(_)) => return Err(invalid("Give expires_at or expires_in, not both.")),
        (None, None) => return Ok(None),
        (Some(at), None) => at,
        (None, Some(text)) => {
            duration(text).and_then(|life| now.checked_add(life).ok()).ok_or_else(|| {
                invalid("expires_in is a number with m, h or d, such as 30d, and at most ten years.")
            })?
        }
    };
    if at > now { Ok(Some(at)) } else { Err(invalid("The expiry must be in the future.")) }
}

fn duration(text: &str) -> Option<SignedDuration> {
    let unit = match text.chars().last()? {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<i64>().ok()?.checked_mul(unit)?;
    Some(SignedDuration::from_secs(seconds)).filter(|life| life.is_positive() && *life <= MAX_LIFE)
}

pub(crate) fn permission(permission: portal::Permission) -> Permission {
    match permission {
        portal::Permission::Read => Permission::Read,
        portal::Permission::Write => Permission::Write,
        portal::Permission::Admin => Permission::Admin,
    }
}

pub(crate) fn principal(principal: PrincipalView) -> Principal {
    match principal {
        PrincipalView::User { user_id } => Principal::User { user_id },
        PrincipalView::Group { idp_id, external_group_id } => Principal::Group { idp_id, external_group_id },
        PrincipalView::System {} => Principal::System,
        PrincipalView::Agent { agent_id } => Principal::Agent { agent_id },
    }
}

pub(crate) fn grant_terms(input: BaseGrant, now: Timestamp) -> Result<GrantTerms> {
    let GrantPolicyInput { expires_at, max_ttl_seconds, default_ttl_seconds } =
        input.grant_policy.unwrap_or_default();
    let policy = GrantPolicy::resolve(expires_at, default_ttl_seconds, max_ttl_seconds, now)?;
    Ok(GrantTerms { principal: principal(input.principal), label: input.label, policy })
}

/// A new secret, from a template or by the operator's own rules.
pub(crate) fn new_secret(input: CreateSecret, now: Timestamp) -> Result<NewSecret> {
    let invalid = |message: &str| Error::field("invalid_secret", message);
    let grant = input.grant.map(|grant| grant_terms(grant, now)).transpose()?;
    let allowed_hosts = input.allowed_hosts.as_deref().map(allowed_hosts).transpose()?;
    let default_headers = input.default_headers.as_deref().map(default_headers).transpose()?;
    match (input.template, input.credential_type) {
        (Some(slug), None) if input.injection.is_none() => {
            let template = catalogue::template(&slug)
                .ok_or_else(|| Error::field("unknown_template", "There is no such template."))?;
            let (fields, injection) =
                template.instantiate(pairs(input.fields)).map_err(|error| invalid_fields(&error))?;
            Ok(NewSecret {
                name: input.name.unwrap_or_else(|| template.name.clone()),
                template: Some(slug),
                credential_type: template.credential_type,
                injection,
                default_headers: default_headers.unwrap_or_else(|| template.default_headers.clone()),
                allowed_hosts: allowed_hosts.unwrap_or_else(|| template.allowed_hosts.clone()),
                fields,
                grant,
            })
        }
        (Some(_), _) => Err(invalid("A template brings its credential_type and injection: leave them out.")),
        (None, Some(kind)) => {
            let kind = credential_type(kind);
            Ok(NewSecret {
                name: input.name.ok_or_else(|| invalid("A secret of your own needs a name."))?,
                template: None,
                credential_type: kind,
                injection: injection(kind, input.injection)?,
                default_headers: default_headers.unwrap_or_default(),
                allowed_hosts: allowed_hosts.unwrap_or_default(),
                fields: CredentialFields::from_pairs(pairs(input.fields), kind.public_fields())
                    .map_err(|error| invalid_fields(&error))?,
                grant,
            })
        }
        (None, None) => Err(invalid("Name a template or a credential_type.")),
    }
}

/// New values for a stored secret; which of them are secret is for its template or its type to say.
pub(crate) fn new_value(
    secret: &ManagedSecret,
    fields: BTreeMap<String, SecretText>,
) -> Result<CredentialFields> {
    let public: Vec<&str> = match secret.template.as_deref().and_then(catalogue::template) {
        Some(template) => template.fields.iter().filter(|f| !f.secret).map(|f| f.name.as_str()).collect(),
        None => secret.credential_type.public_fields().to_vec(),
    };
    CredentialFields::from_pairs(pairs(fields), &public).map_err(|error| invalid_fields(&error))
}

/// The injection of a credential type: its standard one, or rules.
pub(crate) fn injection(kind: CredentialType, rules: Option<Vec<InjectionRule>>) -> Result<Injection> {
    let invalid = |message: String| Error::field("invalid_injection", message);
    let Some(rules) = rules else {
        return match kind {
            CredentialType::Bearer => Ok(Injection::bearer()),
            CredentialType::Basic => Ok(Injection::basic()),
            CredentialType::AwsSigv4 => Ok(Injection::aws_sigv4()),
            CredentialType::ApiKey => {
                Err(invalid("An api_key secret needs a rule that names its header.".to_owned()))
            }
            CredentialType::Custom => Err(invalid("A custom secret needs injection rules.".to_owned())),
        };
    };
    let whole = match kind {
        CredentialType::AwsSigv4 => {
            return Err(invalid("AWS SigV4 signs the request and takes no rules.".to_owned()));
        }
        CredentialType::Bearer => Some("{token}"),
        CredentialType::ApiKey => Some("{api_key}"),
        CredentialType::Basic | CredentialType::Custom => None,
    };
    let rules = rules.iter().map(|rule| {
        let target = match rule.target {
            RuleTarget::Header => Target::Header,
            RuleTarget::Query => Target::Query,
        };
        let format = rule
            .format
            .as_deref()
            .or(whole)
            .ok_or_else(|| invalid("This rule needs a format.".to_owned()))?;
        InjectRule::new(target, &rule.name, format).map_err(|error| invalid(format!("Injection: {error}.")))
    });
    let rules =
        Rules::new(rules.collect::<Result<_>>()?).map_err(|error| invalid(format!("Injection: {error}.")))?;
    Ok(Injection::Rules(rules))
}

pub(crate) fn allowed_hosts<S: AsRef<str>>(texts: &[S]) -> Result<AllowedHosts> {
    let parse = |text: &S| {
        text.as_ref().parse::<HostPattern>().map_err(|error| {
            let shown: String = text.as_ref().chars().take(100).collect();
            Error::field("invalid_allowed_hosts", format!("{shown:?} cannot be an allowed host: {error}."))
        })
    };
    texts.iter().map(parse).collect()
}

pub(crate) fn default_headers(headers: &[HeaderView]) -> Result<DefaultHeaders> {
    DefaultHeaders::new(headers.iter().map(|header| (header.name.as_str(), header.value.as_str())))
        .map_err(|error| Error::field("invalid_default_headers", format!("Default headers: {error}.")))
}

fn credential_type(kind: portal::CredentialType) -> CredentialType {
    match kind {
        portal::CredentialType::Bearer => CredentialType::Bearer,
        portal::CredentialType::ApiKey => CredentialType::ApiKey,
        portal::CredentialType::Basic => CredentialType::Basic,
        portal::CredentialType::AwsSigv4 => CredentialType::AwsSigv4,
        portal::CredentialType::Custom => CredentialType::Custom,
    }
}

/// Into custody, by name.
fn pairs(fields: BTreeMap<String, SecretText>) -> Vec<(String, Secret<String>)> {
    fields.into_iter().map(|(name, value)| (name, Secret::new(value.into_inner()))).collect()
}

/// The errors name fields and never values.
fn invalid_fields(error: &dyn std::error::Error) -> Error {
    Error::field("invalid_fields", format!("Credential: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn an_expiry_has_one_spelling_and_lies_ahead() {
        let now = at(1000);
        assert_eq!(expiry(None, None, now), Ok(None));
        assert_eq!(expiry(Some(at(1001)), None, now), Ok(Some(at(1001))));
        assert_eq!(expiry(None, Some("5m"), now), Ok(Some(at(1300))));
        assert_eq!(expiry(None, Some("12h"), now), Ok(Some(at(1000 + 12 * 3600))));
        assert_eq!(expiry(None, Some("30d"), now), Ok(Some(at(1000 + 30 * 86_400))));
        assert!(expiry(Some(at(1001)), Some("5m"), now).is_err());
        assert!(expiry(Some(now), None, now).is_err());
        for bad in
            ["", "5", "m", "0m", "-5m", "+5m", "5s", "5 m", "1.5h", "5ä", "3661d", "99999999999999999999d"]
        {
            assert!(expiry(None, Some(bad), now).is_err(), "{bad}");
        }
    }
}
