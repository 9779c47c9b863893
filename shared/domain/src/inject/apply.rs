//! Putting a credential into a request.

use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use url::Url;
use zeroize::Zeroizing;

use super::{
    aws,
    fields::CredentialFields,
    format::RenderError,
    rule::{Injection, Place, Rules},
};
use crate::secret::Secret;

/// The request as it will leave, without its body.
#[derive(Debug, Clone)]
pub struct OutgoingHead {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
}

/// What is known of the body when the head is made.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// The whole body; empty for none.
    Bytes(&'a [u8]),
    /// The body follows later and cannot be hashed now.
    Streaming,
}

/// What must not come back in the reply: every secret value, and every encoding of one that its own text does not
/// show (a Basic pair), and the signature of a signed request.
#[derive(Debug, Default)]
pub struct Injected {
    pub values: Vec<Secret<String>>,
}

/// Why a credential was not injected. The request must not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// The caller gave a header or query parameter that the credential sets: one of the two would be lost, or both sent.
    #[error("{0} is set by the vault and may not be given by the caller")]
    CallerSetsInjected(String),
    #[error("the URL must not contain a user name or password")]
    UserInfoInUrl,
    #[error("the credential has no field {0}")]
    MissingField(String),
    #[error("the user part of a Basic credential contains a colon, which RFC 7617 forbids")]
    ColonInUser,
    /// Cannot happen with checked fields and formats.
    #[error("the value for {0} is not a header value")]
    NotAHeaderValue(String),
    #[error("cannot tell the AWS region and service from host {0}")]
    UnknownAwsHost(String),
    #[error("the request cannot be signed: {0}")]
    Signing(&'static str),
}

impl From<RenderError> for InjectError {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::MissingField(name) => InjectError::MissingField(name),
            RenderError::ColonInUser => InjectError::ColonInUser,
        }
    }
}

/// Puts the credential into the head. The host must have been checked before. On error the head is spoilt and must be
/// thrown away.
pub fn inject(
    injection: &Injection,
    fields: &CredentialFields,
    head: &mut OutgoingHead,
    payload: Payload<'_>,
    now: Timestamp,
) -> Result<Injected, InjectError> {
    if !head.url.username().is_empty() || head.url.password().is_some() {
        return Err(InjectError::UserInfoInUrl);
    }
    let mut injected = Injected { values: fields.secret_values().cloned().collect() };
    match injection {
        Injection::Rules(rules) => apply_rules(rules, fields, head, &mut injected)?,
        Injection::AwsSigv4 => {
            let signature = aws::sign(fields, head, payload, now)?;
            injected.values.push(signature);
        }
    }
    Ok(injected)
}

fn apply_rules(
    rules: &Rules,
    fields: &CredentialFields,
    head: &mut OutgoingHead,
    injected: &mut Injected,
) -> Result<(), InjectError> {
    for rule in rules.iter() {
        let mut value = Zeroizing::new(String::new());
        let derived = &mut injected.values;
        rule.format.render(fields, &mut value, |encoded| derived.push(Secret::new(encoded.to_owned())))?;
        match &rule.place {
            Place::Header(name) => {
                if head.headers.contains_key(name) {
                    return Err(InjectError::CallerSetsInjected(name.to_string()));
                }
                let mut value = HeaderValue::from_bytes(value.as_bytes())
                    .map_err(|_| InjectError::NotAHeaderValue(name.to_string()))?;
                value.set_sensitive(true);
                head.headers.insert(name.clone(), value);
            }
            Place::Query(name) => {
                if has_parameter(&head.url, name) {
                    return Err(InjectError::CallerSetsInjected(name.clone()));
                }
                append_parameter(&mut head.url, name, &value);
            }
        }
    }
    Ok(())
}

/// Some servers fold the case of parameter names, so ours does too.
pub(super) fn has_parameter(url: &Url, name: &str) -> bool {
    url.query().is_some() && url.query_pairs().any(|(given, _)| given.eq_ignore_ascii_case(name))
}

/// Appends without touching how the caller encoded what is there.
fn append_parameter(url: &mut Url, name: &str, value: &str) {
    url.query_pairs_mut().append_pair(name, value);
}
