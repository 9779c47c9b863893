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

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::inject::{InjectRule, Target};

    fn fields(pairs: &[(&str, &str)], public: &[&str]) -> CredentialFields {
        let pairs = pairs.iter().map(|(n, v)| (*n, Secret::new((*v).to_owned())));
        CredentialFields::from_pairs(pairs, public).unwrap()
    }

    fn head(url: &str) -> OutgoingHead {
        OutgoingHead { method: Method::GET, url: Url::parse(url).unwrap(), headers: HeaderMap::new() }
    }

    fn apply(
        injection: &Injection,
        fields: &CredentialFields,
        head: &mut OutgoingHead,
    ) -> Result<Vec<String>, InjectError> {
        let injected = inject(injection, fields, head, Payload::Bytes(b""), Timestamp::UNIX_EPOCH)?;
        Ok(injected.values.iter().map(|v| v.expose_secret().clone()).collect())
    }

    fn rules(list: &[(Target, &str, &str)]) -> Injection {
        let rules = list.iter().map(|(t, n, f)| InjectRule::new(*t, n, f).unwrap()).collect();
        Injection::Rules(Rules::new(rules).unwrap())
    }

    #[test]
    fn bearer() {
        let mut head = head("https://api.example.com/x?a=1");
        let values =
            apply(&Injection::bearer(), &fields(&[("token", "sk_live_0123")], &[]), &mut head).unwrap();
        assert_eq!(head.headers["authorization"], "Bearer sk_live_0123");
        assert!(head.headers["authorization"].is_sensitive());
        assert_eq!(head.url.as_str(), "https://api.example.com/x?a=1");
        assert_eq!(values, ["sk_live_0123"]);
    }

    #[test]
    fn api_key_in_a_header_of_choice() {
        let mut head = head("https://api.example.com/");
        let injection = Injection::api_key("X-API-Key").unwrap();
        apply(&injection, &fields(&[("api_key", "0123456789")], &[]), &mut head).unwrap();
        assert_eq!(head.headers["x-api-key"], "0123456789");
    }

    #[test]
    fn basic_lists_its_encoding_too() {
        let mut head = head("https://api.example.com/");
        let fields = fields(&[("username", "Aladdin"), ("password", "open sesame")], &["username"]);
        let values = apply(&Injection::basic(), &fields, &mut head).unwrap();
        assert_eq!(head.headers["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(values, ["open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
    }

    #[test]
    fn several_headers_and_parameters_at_once() {
        let injection = rules(&[
            (Target::Header, "X-Id", "{id}"),
            (Target::Header, "X-Key", "key={key}"),
            (Target::Query, "key", "{key}"),
            (Target::Query, "auth[id]", "{id}"),
        ]);
        let mut head = head("https://api.example.com/p?q=a%20b&c+d");
        let values =
            apply(&injection, &fields(&[("id", "me"), ("key", "a b&c=d/0")], &["id"]), &mut head).unwrap();
        assert_eq!(head.headers["x-id"], "me");
        assert_eq!(head.headers["x-key"], "key=a b&c=d/0");
        assert_eq!(head.url.query(), Some("q=a%20b&c+d&key=a+b%26c%3Dd%2F0&auth%5Bid%5D=me"));
        assert_eq!(values, ["a b&c=d/0"]);
    }

    #[test]
    fn a_parameter_is_added_where_there_is_none() {
        let mut head = head("https://api.example.com/p#top");
        apply(&rules(&[(Target::Query, "k", "{k}")]), &fields(&[("k", "01234567")], &[]), &mut head).unwrap();
        assert_eq!(head.url.query(), Some("k=01234567"));
    }

    #[test]
    fn the_caller_may_not_set_what_is_injected() {
        let fields = fields(&[("k", "01234567")], &[]);
        let mut given = head("https://api.example.com/");
        given.headers.insert(HeaderName::from_static("x-key"), HeaderValue::from_static("mine"));
        let header = rules(&[(Target::Header, "X-Key", "{k}")]);
        let refused = Err(InjectError::CallerSetsInjected("x-key".into()));
        assert_eq!(apply(&header, &fields, &mut given), refused);
        for query in ["key=mine", "KEY", "a=1&k%65y=mine", "a&Key="] {
            let mut given = head(&format!("https://api.example.com/?{query}"));
            let refused = Err(InjectError::CallerSetsInjected("key".into()));
            assert_eq!(
                apply(&rules(&[(Target::Query, "key", "{k}")]), &fields, &mut given),
                refused,
                "{query}"
            );
        }
        let mut given = head("https://api.example.com/?keys=1&value=key");
        assert!(apply(&rules(&[(Target::Query, "key", "{k}")]), &fields, &mut given).is_ok());
    }

    #[test]
    fn user_info_would_become_a_second_credential() {
        for url in ["https://me@api.example.com/", "https://:pw@api.example.com/"] {
            let error = apply(&Injection::bearer(), &fields(&[("token", "01234567")], &[]), &mut head(url));
            assert_eq!(error, Err(InjectError::UserInfoInUrl));
        }
    }

    #[test]
    fn what_is_missing_is_an_error() {
        let fields = fields(&[("k", "01234567"), ("user", "a:b")], &["user"]);
        let mut out = head("https://api.example.com/");
        let missing = Err(InjectError::MissingField("token".into()));
        assert_eq!(apply(&Injection::bearer(), &fields, &mut out), missing);
        let colon = rules(&[(Target::Header, "authorization", "Basic {basic(user:k)}")]);
        assert_eq!(apply(&colon, &fields, &mut out), Err(InjectError::ColonInUser));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let mut head = head("https://api.example.com/");
        let fields = fields(&[("token", "sk_live_0123")], &[]);
        let injected =
            inject(&Injection::bearer(), &fields, &mut head, Payload::Bytes(b""), Timestamp::UNIX_EPOCH)
                .unwrap();
        let printed = format!("{injected:?} {fields:?} {:?}", head.headers);
        assert!(!printed.contains("sk_live"), "{printed}");
    }
}
