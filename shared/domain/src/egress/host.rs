//! The hosts a credential may be sent to: exact names, suffixes, and ports.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use url::Host;

use super::Target;

/// One allowed host: `api.stripe.com`, `*.amazonaws.com`, `127.0.0.1:*`, `[::1]:8443`.
///
/// A suffix stands for one label or more in front of it, never for itself. Without a port only the scheme's default
/// port matches; `:*` allows any. Names are held as the URL parser spells them (lower case, punycode, no final dot), so
/// that comparing is comparing bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern {
    host: HostRule,
    port: PortRule,
}

/// Why a text is not a host pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostPatternError {
    #[error("not a host name, `*.suffix` or IP address with an optional port")]
    Malformed,
    #[error("port must be 1 to 65535 or `*`")]
    Port,
    #[error("`*.` must stand before at least two labels")]
    SuffixTooShort,
    #[error("`*.` may not stand before a public suffix: anyone can register a host below it")]
    PublicSuffix,
}

/// The allowed hosts of one credential. An empty list allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllowedHosts(pub Vec<HostPattern>);

impl AllowedHosts {
    pub fn allows(&self, target: &Target) -> bool {
        self.0.iter().any(|pattern| pattern.matches(target))
    }
}

impl FromIterator<HostPattern> for AllowedHosts {
    fn from_iter<I: IntoIterator<Item = HostPattern>>(patterns: I) -> Self {
        Self(patterns.into_iter().collect())
    }
}

impl HostPattern {
    pub fn matches(&self, target: &Target) -> bool {
        let host = match (&self.host, target.url().host()) {
            (HostRule::Name(name), Some(Host::Domain(domain))) => name == domain,
            (HostRule::Suffix(suffix), Some(Host::Domain(domain))) => domain
                .strip_suffix(suffix.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|sub| !sub.is_empty()),
            (HostRule::Ip(ip), Some(Host::Ipv4(v4))) => *ip == IpAddr::V4(v4),
            (HostRule::Ip(ip), Some(Host::Ipv6(v6))) => *ip == IpAddr::V6(v6),
            _ => false,
        };
        // `Url::port` is `None` for the scheme's default port, however it was written.
        let port = match self.port {
            PortRule::SchemeDefault => target.url().port().is_none(),
            PortRule::Exactly(port) => target.url().port_or_known_default() == Some(port),
            PortRule::Any => true,
        };
        host && port
    }
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        // The URL parser would decode `%`; the rest are no part of a host.
        let foreign =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '/' | '\\' | '?' | '#' | '%');
        if text.is_empty() || text.len() > MAX_PATTERN_BYTES || text.contains(foreign) {
            return Err(HostPatternError::Malformed);
        }
        let (host, port) = split_port(text)?;
        let (host, wildcard) = host.strip_prefix("*.").map_or((host, false), |suffix| (suffix, true));
        if host.contains('*') {
            return Err(HostPatternError::Malformed);
        }
        let host = match Host::parse(host).map_err(|_| HostPatternError::Malformed)? {
            Host::Ipv4(_) | Host::Ipv6(_) if wildcard => return Err(HostPatternError::Malformed),
            Host::Ipv4(ip) => HostRule::Ip(ip.into()),
            Host::Ipv6(ip) => HostRule::Ip(ip.into()),
            Host::Domain(domain) => {
                let name = without_final_dot(&domain);
                // Other signs for an asterisk come out of the parser as one.
                if !is_dns_name(name) || name.contains('*') {
                    return Err(HostPatternError::Malformed);
                }
                if wildcard {
                    check_suffix(name)?;
                    HostRule::Suffix(name.to_owned())
                } else {
                    HostRule::Name(name.to_owned())
                }
            }
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostRule::Name(name) => f.write_str(name)?,
            HostRule::Suffix(suffix) => write!(f, "*.{suffix}")?,
            HostRule::Ip(IpAddr::V4(ip)) => write!(f, "{ip}")?,
            HostRule::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]")?,
        }
        match self.port {
            PortRule::SchemeDefault => Ok(()),
            PortRule::Exactly(port) => write!(f, ":{port}"),
            PortRule::Any => f.write_str(":*"),
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = HostPatternError;

    fn try_from(text: String) -> Result<Self, HostPatternError> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

/// Whether DNS could hold the name: labels of 1 to 63 bytes, 253 in all (RFC 1035 §2.3.4). Expects ASCII without the
/// final dot.
pub(super) fn is_dns_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()))
}

/// `example.com.` and `example.com` are the same absolute name.
pub(super) fn without_final_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum HostRule {
    Name(String),
    /// Without the `*.`.
    Suffix(String),
    Ip(IpAddr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum PortRule {
    SchemeDefault,
    Exactly(u16),
    Any,
}

/// The longest name in Unicode, generously.
const MAX_PATTERN_BYTES: usize = 1024;

/// Second-level labels under which country registries sell names (`co.uk`, `com.au`, `or.jp`). Not the public suffix
/// list: a short rule that stops the careless pattern; the operator answers for the rest.
const REGISTRY_LABELS: [&str; 24] = [
    "ac", "biz", "co", "com", "edu", "go", "gob", "gouv", "gov", "id", "info", "ltd", "me", "mil", "ne",
    "net", "nhs", "nom", "or", "org", "plc", "sch", "uk", "web",
];

fn check_suffix(suffix: &str) -> Result<(), HostPatternError> {
    let mut labels = suffix.rsplit('.');
    let (Some(top), Some(second)) = (labels.next(), labels.next()) else {
        return Err(HostPatternError::SuffixTooShort);
    };
    if labels.next().is_none() && top.len() == 2 && REGISTRY_LABELS.contains(&second) {
        return Err(HostPatternError::PublicSuffix);
    }
    Ok(())
}

fn split_port(text: &str) -> Result<(&str, PortRule), HostPatternError> {
    let (host, port) = match text.rsplit_once(':') {
        // The colon is inside `[::1]`.
        Some((_, after)) if after.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let rule = match port {
        None => PortRule::SchemeDefault,
        Some("*") => PortRule::Any,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
            Ok(0) | Err(_) => return Err(HostPatternError::Port),
            Ok(port) => PortRule::Exactly(port),
        },
        Some(_) => return Err(HostPatternError::Port),
    };
    Ok((host, rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::EgressRules;

    fn allows(pattern: &str, url: &str) -> bool {
        let target = Target::parse(url, &EgressRules { allow_loopback_http: true }).unwrap();
        pattern.parse::<HostPattern>().unwrap().matches(&target)
    }

    #[test]
    fn a_pattern_is_spelled_one_way() {
        for (text, canonical) in [
            ("API.Stripe.com", "api.stripe.com"),
            ("api.stripe.com.", "api.stripe.com"),
            ("*.AmazonAWS.com:*", "*.amazonaws.com:*"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("api.example.com:8443", "api.example.com:8443"),
            ("127.0.0.1:*", "127.0.0.1:*"),
            ("0x7f.1", "127.0.0.1"),
            ("[0:0::1]", "[::1]"),
            ("[::1]:8080", "[::1]:8080"),
            ("*.x.ai", "*.x.ai"),
        ] {
            let pattern: HostPattern = text.parse().unwrap();
            assert_eq!(pattern.to_string(), canonical);
            assert_eq!(canonical.parse::<HostPattern>().unwrap(), pattern);
            let json = serde_json::to_string(&pattern).unwrap();
            assert_eq!(json, format!("\"{canonical}\""));
            assert_eq!(serde_json::from_str::<HostPattern>(&json).unwrap(), pattern);
        }
    }

    #[test]
    fn what_is_not_a_pattern_is_refused() {
        use HostPatternError::*;
        for (text, error) in [
            ("", Malformed),
            ("*", Malformed),
            ("*.", Malformed),
            ("*.com", SuffixTooShort),
            ("*.localhost", SuffixTooShort),
            ("*.co.uk", PublicSuffix),
            ("*.com.au.", PublicSuffix),
            ("*.127.0.0.1", Malformed),
            ("*.*.example.com", Malformed),
            ("api.*.example.com", Malformed),
            ("*api.example.com", Malformed),
            ("\u{fe61}", Malformed),
            ("\u{ff0a}.amazonaws.com", Malformed),
            ("https://api.example.com", Malformed),
            ("api.example.com/v1", Malformed),
            ("user@api.example.com", Malformed),
            ("api.example.com ", Malformed),
            ("api%2eexample.com", Malformed),
            ("api..example.com", Malformed),
            (".example.com", Malformed),
            ("api.example.com..", Malformed),
            ("api.example.com:", Port),
            ("api.example.com:0", Port),
            ("api.example.com:+443", Port),
            ("api.example.com:65536", Port),
            ("::1", Malformed),
            ("[::1", Malformed),
            ("256.256.256.256", Malformed),
        ] {
            let result = text.parse::<HostPattern>();
            // An empty port is digits of length nought.
            assert_eq!(result, Err(error), "{text}");
        }
        assert!(format!("{}.example.com", "a".repeat(64)).parse::<HostPattern>().is_err());
    }

    #[test]
    fn names_suffixes_and_ports_match_exactly() {
        assert!(allows("api.stripe.com", "https://API.stripe.com/v1"));
        assert!(allows("api.stripe.com", "https://api.stripe.com.:443/v1"));
        assert!(!allows("api.stripe.com", "https://a.api.stripe.com/"));
        assert!(!allows("api.stripe.com", "https://api.stripe.com:8443/"));
        assert!(allows("api.stripe.com:8443", "https://api.stripe.com:8443/"));
        assert!(!allows("api.stripe.com:8443", "https://api.stripe.com/"));
        assert!(allows("api.stripe.com:443", "https://api.stripe.com/"));
        assert!(allows("api.stripe.com:*", "https://api.stripe.com:1/"));
        assert!(allows("*.amazonaws.com", "https://s3.eu-central-1.amazonaws.com/"));
        assert!(!allows("*.amazonaws.com", "https://amazonaws.com/"));
        assert!(!allows("*.amazonaws.com", "https://evilamazonaws.com/"));
        assert!(!allows("*.amazonaws.com", "https://s3.amazonaws.com.evil.com/"));
        assert!(allows("127.0.0.1:*", "http://127.0.0.1:3000/"));
        assert!(allows("127.0.0.1", "http://127.0.0.1/"));
        assert!(!allows("127.0.0.1", "http://localhost/"));
        assert!(allows("[::1]:9", "http://[::1]:9/"));
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        let target = Target::parse("https://api.stripe.com/", &EgressRules::default()).unwrap();
        assert!(!AllowedHosts::default().allows(&target));
        assert!(serde_json::from_str::<AllowedHosts>("[\"*.com\"]").is_err());
        let hosts: AllowedHosts = serde_json::from_str("[\"api.stripe.com\"]").unwrap();
        assert!(hosts.allows(&target));
    }
}
