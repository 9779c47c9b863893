//! Addresses that Connect depends on: where the vault itself is reached, and where an app may be told of a result.

use std::{fmt, net::IpAddr};

use url::{Host, Url};

use crate::error::{Error, Result};

/// Where browsers reach the vault: scheme, host, port, and a path if a proxy in front adds one. Without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    /// Length of the part before the path.
    origin: usize,
}

/// The text is not a base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an http or https URL without user, query and fragment")]
pub struct NotABaseUrl;

impl PublicUrl {
    pub fn parse(text: &str) -> std::result::Result<Self, NotABaseUrl> {
        let url = web_url(text).ok_or(NotABaseUrl)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(NotABaseUrl);
        }
        let origin = url.origin().ascii_serialization();
        let path = url.path().trim_end_matches('/');
        Ok(Self { text: format!("{origin}{path}"), origin: origin.len() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, as browsers name it (RFC 6454 section 6.2).
    pub fn origin(&self) -> &str {
        self.text.get(..self.origin).unwrap_or_default()
    }

    /// The path before `/sdk`, empty in most installations.
    pub fn path(&self) -> &str {
        self.text.get(self.origin..).unwrap_or_default()
    }

    /// Whether cookies can be marked `Secure`.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The origin that a result is posted to: scheme, host and port and nothing else, https or loopback.
pub fn allowed_origin(text: &str) -> Result<String> {
    let invalid = || {
        Error::field(
            "invalid_allowed_origin",
            "allowed_origin is scheme, host and port of a page, over https (http on this machine only): no path, no query, no *.",
        )
    };
    let text = text.strip_suffix('/').unwrap_or(text);
    let url = web_url(text).filter(is_private_enough).ok_or_else(invalid)?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    // The parser would repair `https://a.example/x/..` to a bare origin; whoever writes that means something else.
    let slashes = text.bytes().filter(|byte| *byte == b'/').count();
    if !bare || slashes != 2 || text.contains('*') {
        return Err(invalid());
    }
    Ok(url.origin().ascii_serialization())
}

/// The origin of an app's website, if results may be posted there.
pub(super) fn origin_of(website: &str) -> Option<String> {
    let url = web_url(website).filter(is_private_enough)?;
    Some(url.origin().ascii_serialization())
}

/// Where a visit that left the app's page goes back to: an absolute https URL (http on this machine only), without fragment.
pub fn return_url(text: &str) -> Result<Url> {
    let invalid = |message: &str| Error::field("invalid_return_url", message);
    let url = web_url(text).filter(is_private_enough).ok_or_else(|| {
        invalid("return_url is an absolute URL over https (http on this machine only), without user and password.")
    })?;
    if url.fragment().is_some() {
        return Err(invalid("return_url has no fragment."));
    }
    if url.query_pairs().any(|(name, _)| RESULT_NAMES.contains(&name.as_ref())) {
        return Err(invalid(
            "return_url has a parameter of its own with the name of one that the result adds.",
        ));
    }
    Ok(url)
}

/// The parameters by which the published browser client reads a result (wire protocol section 6).
pub const RESULT_NAMES: [&str; 12] = [
    "alter_connect_success",
    "alter_connect_error",
    "grant_id",
    "provider",
    "provider_name",
    "account_identifier",
    "timestamp",
    "operation",
    "scopes",
    "status",
    "error_code",
    "error_description",
];

/// Longer than any address that people make.
const MAX_BYTES: usize = 2048;

/// An absolute http or https URL that no parser has to repair, without user and password.
fn web_url(text: &str) -> Option<Url> {
    let plain = text.len() <= MAX_BYTES && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let rest = ["https://", "http://"].iter().find_map(|scheme| {
        text.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme))?;
        text.get(scheme.len()..)
    })?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !plain || authority.is_empty() || authority.contains('@') {
        return None;
    }
    Url::parse(text).ok().filter(Url::has_host)
}

fn is_private_enough(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn b056_an_allowed_origin_is_an_origin_and_no_more() {
        for (text, origin) in [
            ("https://app.example", "https://app.example"),
            ("https://app.example/", "https://app.example"),
            ("HTTPS://APP.example:443", "https://app.example"),
            ("https://app.example:8443", "https://app.example:8443"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.0.0.1:3000/", "http://127.0.0.1:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(allowed_origin(text).as_deref(), Ok(origin), "{text}");
        }
        for bad in [
            "",
            "*",
            "null",
            "app.example",
            "https://",
            "https:app.example",
            "//app.example",
            "http://app.example",
            "https://*.app.example",
            "https://app.example/path",
            "https://app.example//",
            "https://app.example/x/..",
            "https://app.example?",
            "https://app.example#",
            "https://user@app.example",
            "https://@app.example",
            "https://app.example\\",
            "https://app.example ",
            " https://app.example",
            "https://app.exa\nmple",
            "javascript://app.example",
            "http://localhost.example",
            "http://127.0.0.1.example",
        ] {
            assert!(allowed_origin(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn b057_a_return_url_leads_where_it_says() {
        for good in [
            "https://app.example/done?tab=2",
            "http://localhost:3000/",
            "https://app.example",
            "http://[::1]/x",
        ] {
            assert!(return_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/done",
            "//evil.example",
            "https:/app.example",
            "https:\\\\app.example",
            "http://app.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://app.example@evil.example/",
            "https://app.example/#x",
            "https://app.example/#",
            "https://app.example/ x",
            "https://app.example/?grant_id=1",
            "https://app.example/?alter_connect_success=true",
        ] {
            assert!(return_url(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        /// Whatever is let through leads where a browser takes it, over https or to this machine.
        #[test]
        fn what_is_let_through_is_what_browsers_see(text in "https?:(//|/)?[a-z.@:/\\\\?#\\[\\]*%0-9 -]{0,20}") {
            if let Ok(origin) = allowed_origin(&text) {
                let seen = Url::parse(&text).unwrap();
                prop_assert_eq!(&origin, &seen.origin().ascii_serialization());
                prop_assert!(is_private_enough(&seen));
                prop_assert_eq!(seen.username(), "");
                prop_assert_eq!(allowed_origin(&origin), Ok(origin));
            }
            if let Ok(url) = return_url(&text) {
                prop_assert!(is_private_enough(&url) && url.username().is_empty() && url.password().is_none());
                prop_assert_eq!(return_url(url.as_str()), Ok(url));
            }
        }
    }

    #[test]
    fn a_public_url_has_no_slash_at_its_end_and_may_have_a_path() {
        let url = PublicUrl::parse("https://Vault.example/").unwrap();
        assert_eq!((url.as_str(), url.path(), url.is_https()), ("https://vault.example", "", true));
        let url = PublicUrl::parse("http://127.0.0.1:8420/alter/").unwrap();
        assert_eq!((url.as_str(), url.path()), ("http://127.0.0.1:8420/alter", "/alter"));
        for bad in
            ["vault.example", "ftp://vault.example", "https://vault.example/?x", "https://a@vault.example"]
        {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
