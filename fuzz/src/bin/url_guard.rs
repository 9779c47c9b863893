//! The egress guard: what is accepted is https to a public name or address that one of the patterns names.
//!
//! Input: the URL on the first line, host patterns on the others.

#![no_main]

use std::net::IpAddr;

use alter_domain::egress::{AllowedHosts, EgressRules, HostPattern, MAX_URL_CHARS, Target};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let Some(url) = lines.next() else { return };
    let patterns: Vec<HostPattern> = lines.filter_map(|line| line.parse().ok()).collect();
    for pattern in &patterns {
        let again: HostPattern = pattern.to_string().parse().expect("a printed pattern can be read");
        assert_eq!(&again, pattern);
    }
    for allow_loopback_http in [false, true] {
        let rules = EgressRules { allow_loopback_http };
        let Ok(target) = Target::parse(url, &rules) else { continue };
        check_target(url, &target, &rules);
        assert!(target.check_hosts(&AllowedHosts::default()).is_err(), "an empty list allows {url}");
        let allowed: AllowedHosts = patterns.iter().cloned().collect();
        if target.check_hosts(&allowed).is_ok() {
            assert!(
                patterns.iter().any(|pattern| names(&pattern.to_string(), &target)),
                "{url} is allowed by none"
            );
        }
    }
});

fn check_target(text: &str, target: &Target, rules: &EgressRules) {
    let (url, host) = (target.url(), target.host());
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let loopback =
        rules.allow_loopback_http && (host == "localhost" || address.is_some_and(|ip| ip.is_loopback()));
    assert!(url.scheme() == "https" || url.scheme() == "http" && loopback, "{text}");
    match address {
        Some(ip) => assert!(loopback || is_plainly_public(ip), "{text} reaches {ip}"),
        None => assert!(loopback || host.contains('.') && !host.ends_with('.'), "{text} reaches {host}"),
    }
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.:[]".contains(c);
    assert!(!host.is_empty() && host.chars().all(fits), "{text} reaches {host}");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{text}");
    assert!(url.as_str().len() <= MAX_URL_CHARS);

    // The client dials the URI: it must say the same as the URL that was checked.
    let uri = target.uri();
    assert_eq!(uri.host(), Some(host), "{text}");
    assert_eq!(uri.port_u16().or(url.port_or_known_default()), url.port_or_known_default(), "{text}");
    assert_eq!(uri.path(), url.path(), "{text}");
    assert_eq!(uri.query(), url.query(), "{text}");
    // A second parser reads the same host, if it reads one.
    if address.is_none()
        && let Ok(other) = text.parse::<http::Uri>()
        && let Some(read) = other.host()
    {
        assert_eq!(read.trim_end_matches('.').to_ascii_lowercase(), host, "{text}");
    }
    // What came out goes in again, and a query does not lead elsewhere.
    let again = Target::parse(url.as_str(), rules).expect("an accepted URL is accepted again");
    assert_eq!(again.url(), url);
    if let Ok(longer) = target.with_query(&[("a/@:b".to_owned(), "\\?#&=".to_owned())]) {
        assert_eq!((longer.host(), longer.url().port(), longer.url().path()), (host, url.port(), url.path()));
    }
}

/// A pattern as its text says it.
fn names(pattern: &str, target: &Target) -> bool {
    let (host, port) = match pattern.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (pattern, None),
    };
    let host = match host.strip_prefix('*') {
        Some(suffix) => target.host().ends_with(suffix) && target.host().len() > suffix.len(),
        None => target.host() == host,
    };
    let port = match port {
        None => target.url().port().is_none(),
        Some("*") => true,
        Some(port) => target.url().port_or_known_default() == port.parse().ok(),
    };
    host && port
}

/// The best known ranges, told apart by the standard library and not by the code under test.
fn is_plainly_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || a == 100 && (64..128).contains(&b)
                || a == 198 && (18..20).contains(&b))
        }
        IpAddr::V6(ip) => {
            let [a, b, ..] = ip.segments();
            a & 0xe000 == 0x2000 && a != 0x2002 && !(a == 0x2001 && (b == 0 || b == 0xdb8))
        }
    }
}
