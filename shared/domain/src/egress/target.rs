//! A destination that has been parsed once and for all.

use std::{fmt, net::IpAddr};

use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use url::{Host, Position, Url};

use super::{
    AllowedHosts, EgressError, EgressRules,
    address::{is_loopback, is_public},
    host::{is_dns_name, without_final_dot},
};

/// The longest URL that is forwarded, encoded (wire §4.1).
pub const MAX_URL_CHARS: usize = 65_536;

/// An absolute URL that a credential could be sent to, once its host is checked against the credential's list.
///
/// What the WHATWG parser would have to repair (tabs, backslashes, missing slashes, encoded or non-ASCII hosts, user
/// info) is refused, because two parsers repair differently and the attack lives in the difference. IP addresses in
/// any spelling are read as numbers and must be public. `Debug` shows the origin only: paths and queries carry secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    uri: Uri,
}

impl Target {
    /// Parses and checks everything but the credential's host list. The fragment is dropped, it is never sent.
    pub fn parse(text: &str, rules: &EgressRules) -> Result<Self, EgressError> {
        let written_host = precheck(text)?;
        let mut url = Url::parse(text).map_err(|_| EgressError::Malformed)?;
        url.set_fragment(None);
        check_origin(&mut url, written_host, rules)?;
        Self::from_checked(url)
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The host as it is compared and dialled: lower case, punycode, no final dot; IPv6 in brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The same destination for the HTTP client. Cheap: clones reference counts.
    pub fn uri(&self) -> Uri {
        self.uri.clone()
    }

    /// Appends query parameters, form-encoded, behind those that the URL has.
    pub fn with_query(&self, pairs: &[(String, String)]) -> Result<Self, EgressError> {
        if pairs.is_empty() {
            return Ok(self.clone());
        }
        let mut url = self.url.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        Self::from_checked(url)
    }

    pub fn check_hosts(&self, allowed: &AllowedHosts) -> Result<(), EgressError> {
        if allowed.allows(self) { Ok(()) } else { Err(EgressError::HostNotAllowed) }
    }

    fn from_checked(url: Url) -> Result<Self, EgressError> {
        if url.as_str().len() > MAX_URL_CHARS {
            return Err(EgressError::TooLong);
        }
        let uri = to_uri(&url).ok_or(EgressError::Malformed)?;
        Ok(Self { url, uri })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}/…)", &self.url[..Position::BeforePath])
    }
}

/// Refuses what a lenient parser would silently mend, and returns the host as it was written.
fn precheck(text: &str) -> Result<&str, EgressError> {
    if text.len() > MAX_URL_CHARS && text.chars().nth(MAX_URL_CHARS).is_some() {
        return Err(EgressError::TooLong);
    }
    if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(EgressError::Malformed);
    }
    let (scheme, rest) = text.split_once(':').ok_or(EgressError::Malformed)?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return Err(EgressError::Scheme);
    }
    let rest = rest.strip_prefix("//").ok_or(EgressError::Malformed)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(EgressError::Userinfo);
    }
    let in_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if authority.is_empty() || !authority.chars().all(in_host) {
        return Err(EgressError::Malformed);
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((_, after)) if after.ends_with(']') => (authority, None),
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    // `:`, `:0` and `:0443` are mended or meaningless.
    if port.is_some_and(|port| port.is_empty() || port.starts_with('0')) {
        return Err(EgressError::Malformed);
    }
    Ok(host)
}

/// Scheme and host, after parsing. Takes the final dot off the name.
fn check_origin(url: &mut Url, written_host: &str, rules: &EgressRules) -> Result<(), EgressError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EgressError::Userinfo);
    }
    let mut without_dot = None;
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => check_ip(ip, rules)?,
        Some(Host::Ipv6(ip)) => check_ip(ip, rules)?,
        Some(Host::Domain(domain)) => {
            let name = without_final_dot(domain);
            if !without_final_dot(written_host).eq_ignore_ascii_case(name) || !is_dns_name(name) {
                return Err(EgressError::Malformed);
            }
            if name.len() != domain.len() {
                without_dot = Some(name.to_owned());
            }
            check_name(name, rules)?
        }
        None => return Err(EgressError::Malformed),
    };
    if let Some(name) = without_dot {
        url.set_host(Some(&name)).map_err(|_| EgressError::Malformed)?;
    }
    if url.scheme() == "https" || loopback { Ok(()) } else { Err(EgressError::Scheme) }
}

/// `Ok(true)` for a loopback address that the rules permit.
fn check_ip(ip: impl Into<IpAddr>, rules: &EgressRules) -> Result<bool, EgressError> {
    let ip = ip.into();
    if rules.allow_loopback_http && is_loopback(ip) {
        return Ok(true);
    }
    if is_public(ip) { Ok(false) } else { Err(EgressError::PrivateAddress) }
}

/// `Ok(true)` for `localhost` when the rules permit it. Names that only a private network resolves are refused before
/// the resolver is asked: a single label, and the special-use domains of RFC 6761, 6762 and 8375 and ICANN's `internal`.
fn check_name(name: &str, rules: &EgressRules) -> Result<bool, EgressError> {
    if rules.allow_loopback_http && name == "localhost" {
        return Ok(true);
    }
    let private = ["localhost", "localdomain", "local", "internal", "home.arpa"];
    let is_below =
        |suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if !name.contains('.') || private.into_iter().any(is_below) {
        return Err(EgressError::PrivateName);
    }
    Ok(false)
}

/// By parts, since a whole [`Uri`] may not reach [`MAX_URL_CHARS`].
fn to_uri(url: &Url) -> Option<Uri> {
    let scheme = if url.scheme() == "https" { Scheme::HTTPS } else { Scheme::HTTP };
    let authority = Authority::try_from(&url[Position::BeforeHost..Position::AfterPort]).ok()?;
    let path = PathAndQuery::try_from(&url[Position::BeforePath..Position::AfterQuery]).ok()?;
    Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()
}
