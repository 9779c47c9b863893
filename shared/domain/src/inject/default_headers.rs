//! Headers that a service demands of every request and that are no secret, such as `anthropic-version`.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::rule::{InjectionError, injectable_header};

/// At most this many default headers.
pub const MAX_DEFAULT_HEADERS: usize = 10;

/// Why headers cannot be defaults.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefaultHeaderError {
    #[error("at most {MAX_DEFAULT_HEADERS} default headers")]
    Count,
    #[error(transparent)]
    Name(#[from] InjectionError),
    #[error("the value of header {0} must be 1 to 256 printable ASCII characters")]
    Value(String),
}

/// Names and values, added where the caller did not set the name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<WireHeader>", into = "Vec<WireHeader>")]
pub struct DefaultHeaders(Vec<(HeaderName, HeaderValue)>);

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHeader {
    name: String,
    value: String,
}

impl DefaultHeaders {
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, DefaultHeaderError> {
        let mut headers = Vec::new();
        for (name, value) in pairs {
            let name = injectable_header(name)?;
            let printable = value.bytes().all(|b| (b' '..=b'~').contains(&b));
            let value =
                HeaderValue::from_str(value).ok().filter(|v| printable && (1..=256).contains(&v.len()));
            let value = value.ok_or_else(|| DefaultHeaderError::Value(name.to_string()))?;
            if headers.iter().any(|(earlier, _)| *earlier == name) {
                return Err(InjectionError::Duplicate(name.to_string()).into());
            }
            headers.push((name, value));
        }
        if headers.len() > MAX_DEFAULT_HEADERS {
            return Err(DefaultHeaderError::Count);
        }
        Ok(Self(headers))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
    }

    /// Adds each header that is not there yet.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.entry(name).or_insert_with(|| value.clone());
        }
    }
}

impl TryFrom<Vec<WireHeader>> for DefaultHeaders {
    type Error = DefaultHeaderError;

    fn try_from(wire: Vec<WireHeader>) -> Result<Self, DefaultHeaderError> {
        Self::new(wire.iter().map(|header| (header.name.as_str(), header.value.as_str())))
    }
}

impl From<DefaultHeaders> for Vec<WireHeader> {
    fn from(headers: DefaultHeaders) -> Self {
        headers.iter().map(|(name, value)| WireHeader { name: name.into(), value: value.into() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_wins() {
        let defaults = DefaultHeaders::new([("Notion-Version", "2022-06-28"), ("Accept", "*/*")]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("notion-version", HeaderValue::from_static("2025-09-03"));
        defaults.apply(&mut headers);
        assert_eq!(headers["notion-version"], "2025-09-03");
        assert_eq!(headers["accept"], "*/*");
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn refuses_what_is_no_default() {
        let new = |name, value| DefaultHeaders::new([(name, value)]).unwrap_err();
        assert_eq!(new("host", "x"), InjectionError::RefusedHeader("host".into()).into());
        assert_eq!(new("x", ""), DefaultHeaderError::Value("x".into()));
        assert_eq!(new("x", "a\nb"), DefaultHeaderError::Value("x".into()));
        assert_eq!(new("x", "ä"), DefaultHeaderError::Value("x".into()));
        let twice = DefaultHeaders::new([("x", "1"), ("X", "2")]).unwrap_err();
        assert_eq!(twice, InjectionError::Duplicate("x".into()).into());
    }

    #[test]
    fn stored_and_read_again() {
        let defaults = DefaultHeaders::new([("Accept", "application/json")]).unwrap();
        let text = serde_json::to_string(&defaults).unwrap();
        assert_eq!(text, r#"[{"name":"accept","value":"application/json"}]"#);
        assert_eq!(serde_json::from_str::<DefaultHeaders>(&text).unwrap(), defaults);
        assert!(serde_json::from_str::<DefaultHeaders>(r#"[{"name":"te","value":"x"}]"#).is_err());
    }
}
