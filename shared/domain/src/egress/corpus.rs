//! The collected tricks of server-side request forgery against the rules, and properties of what passes.

use proptest::prelude::*;
use url::Url;

use super::*;

const CORPUS: &str = include_str!("../../testdata/ssrf.txt");

const STRICT: EgressRules = EgressRules { allow_loopback_http: false };
const LOCAL: EgressRules = EgressRules { allow_loopback_http: true };

/// The URLs of a section, unescaped.
fn section(name: &str) -> Vec<String> {
    let mut current = "";
    let mut urls = Vec::new();
    for line in CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(section) = line.strip_prefix('@') {
            current = section;
        } else if current == name {
            urls.push(unescape(line));
        }
    }
    urls
}

/// Reads `\t \n \r \0 \\ \u{…}` as the characters.
fn unescape(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        text.push(match c {
            '\\' => match rest.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('0') => '\0',
                Some('\\') => '\\',
                Some('u') => {
                    let hex: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    char::from_u32(u32::from_str_radix(&hex, 16).unwrap()).unwrap()
                }
                other => panic!("unknown escape {other:?} in {line:?}"),
            },
            plain => plain,
        });
    }
    text
}

fn hosts(patterns: &[&str]) -> AllowedHosts {
    patterns.iter().map(|pattern| pattern.parse::<HostPattern>().unwrap()).collect()
}

fn passes(url: &str, rules: &EgressRules, allowed: &AllowedHosts) -> bool {
    Target::parse(url, rules).and_then(|target| target.check_hosts(allowed)).is_ok()
}

/// A list that allows the very host that a lenient parser would dial, at any port.
fn naming_itself(url: &str) -> AllowedHosts {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(|host| format!("{host}:*")));
    host.and_then(|host| host.parse().ok()).into_iter().collect()
}

#[test]
fn the_corpus_is_refused_by_a_list_of_other_hosts() {
    let urls = [section("always"), section("listed")].concat();
    assert!(urls.len() >= 220, "only {} URLs", urls.len());
    let allowed = hosts(&["api.stripe.com", "*.amazonaws.com"]);
    for url in urls {
        assert!(!passes(&url, &STRICT, &allowed), "{url:?} passes");
        assert!(!passes(&url, &LOCAL, &allowed), "{url:?} passes in local mode");
    }
}

#[test]
fn naming_the_host_does_not_help_what_is_never_allowed() {
    let urls = section("always");
    assert!(urls.len() >= 200, "only {} URLs", urls.len());
    for url in urls {
        let refused = Target::parse(&url, &STRICT);
        assert!(refused.is_err(), "{url:?} parses");
        assert!(!passes(&url, &STRICT, &naming_itself(&url)), "{url:?} passes");
        // In local mode loopback opens, and nothing but loopback.
        if let Ok(target) = Target::parse(&url, &LOCAL) {
            let loopback =
                ["localhost", "127.", "[::1]"].iter().any(|start| target.host().starts_with(start));
            assert!(loopback, "{url:?} parses in local mode");
        }
    }
}

/// The other section is refused by the list alone: it shows that the test above can fail.
#[test]
fn naming_the_host_helps_the_rest() {
    let urls = section("listed");
    assert!(urls.len() >= 50, "only {} URLs", urls.len());
    for url in urls {
        assert!(passes(&url, &STRICT, &naming_itself(&url)), "{url:?} is refused for another reason");
    }
}

#[test]
fn refusals_say_why() {
    use EgressError::*;
    for (url, reason) in [
        ("http://api.stripe.com/", Scheme),
        ("ftp://api.stripe.com/", Scheme),
        ("https://u:p@api.stripe.com/", Userinfo),
        ("https://api.stripe.com/\t", Malformed),
        ("https:/api.stripe.com/", Malformed),
        ("/v1", Malformed),
        ("https://127.0.0.1/", PrivateAddress),
        ("https://localhost/", PrivateName),
        ("https://10.0.0.1/", PrivateAddress),
    ] {
        assert_eq!(Target::parse(url, &STRICT).unwrap_err(), reason, "{url}");
    }
    let target = Target::parse("https://evil.com/", &STRICT).unwrap();
    assert_eq!(target.check_hosts(&hosts(&["api.stripe.com"])), Err(HostNotAllowed));
}

#[test]
fn what_ordinary_callers_send_passes_and_is_spelled_one_way() {
    for (url, sent) in [
        ("https://api.stripe.com", "https://api.stripe.com/"),
        ("HTTPS://API.Stripe.COM:443/v1?b=1#frag", "https://api.stripe.com/v1?b=1"),
        ("https://api.stripe.com./v1", "https://api.stripe.com/v1"),
        ("https://api.stripe.com/a/../b", "https://api.stripe.com/b"),
        ("https://api.stripe.com/ü?filter[a]=ü|x", "https://api.stripe.com/%C3%BC?filter[a]=%C3%BC|x"),
        ("https://my_bucket.s3.amazonaws.com/k%2Fv", "https://my_bucket.s3.amazonaws.com/k%2Fv"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://8.8.8.8:8443/", "https://8.8.8.8:8443/"),
        ("https://[2606:4700:0::1111]/", "https://[2606:4700::1111]/"),
    ] {
        let target = Target::parse(url, &STRICT).unwrap();
        assert_eq!(target.url().as_str(), sent);
        assert_eq!(target.uri().to_string(), sent);
        assert_eq!(Target::parse(sent, &STRICT).unwrap(), target);
    }
    for url in ["http://localhost:3000/", "http://127.0.0.1/", "https://127.9.9.9/", "http://[::1]:9/"] {
        assert_eq!(Target::parse(url, &LOCAL).unwrap().url().as_str(), url);
    }
}

#[test]
fn query_parameters_are_appended_encoded() {
    let target = Target::parse("https://api.stripe.com/v1?a=1", &STRICT).unwrap();
    let pairs = [("k".to_owned(), "a b&c=ü#".to_owned()), ("k".to_owned(), String::new())];
    let joined = target.with_query(&pairs).unwrap();
    assert_eq!(joined.url().query(), Some("a=1&k=a+b%26c%3D%C3%BC%23&k="));
    assert_eq!(joined.uri().path_and_query().unwrap(), "/v1?a=1&k=a+b%26c%3D%C3%BC%23&k=");
    assert_eq!(target.with_query(&[]).unwrap(), target);
}

#[test]
fn the_length_limit_counts_the_encoded_url() {
    let base = "https://api.stripe.com/";
    let longest = format!("{base}{}", "a".repeat(MAX_URL_CHARS - base.len()));
    let target = Target::parse(&longest, &STRICT).unwrap();
    assert_eq!(target.uri().to_string(), longest);
    assert_eq!(Target::parse(&format!("{longest}a"), &STRICT), Err(EgressError::TooLong));
    assert_eq!(target.with_query(&[("a".to_owned(), String::new())]), Err(EgressError::TooLong));
    // Each ü is six characters on the wire.
    assert_eq!(Target::parse(&format!("{base}{}", "ü".repeat(11_000)), &STRICT), Err(EgressError::TooLong));
}

#[test]
fn debug_and_errors_show_neither_path_nor_query() {
    let target = Target::parse("https://api.stripe.com:8443/bot123:secret/x?key=secret", &STRICT).unwrap();
    assert_eq!(format!("{target:?}"), "Target(https://api.stripe.com:8443/…)");
    let error = Target::parse("https://u:secret@api.stripe.com/", &STRICT).unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.reason()).contains("secret"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// From pieces that parsers quarrel about.
    #[test]
    fn what_passes_has_exactly_an_allowed_host_and_parses_to_itself(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("https://"), Just("http://"), Just("api.stripe.com"), Just("s3.amazonaws.com"), Just("evil.com"),
                Just("127.0.0.1"), Just("[::1]"), Just("@"), Just(":"), Just("443"), Just("/"), Just("?"), Just("#"),
                Just("\\"), Just("."), Just("%2e"), Just("。"), Just("API"), Just("a"), Just(".."), Just("x=y"),
            ],
            0..8,
        ),
        direct in any::<bool>(),
    ) {
        let text = format!("{}{}", if direct { "https://" } else { "" }, pieces.concat());
        let allowed = hosts(&["api.stripe.com", "*.amazonaws.com"]);
        if let Ok(target) = Target::parse(&text, &STRICT) {
            let uri = target.uri();
            prop_assert_eq!(Target::parse(target.url().as_str(), &STRICT), Ok(target.clone()));
            prop_assert_eq!(uri.to_string(), target.url().as_str());
            prop_assert_eq!(uri.host(), Some(target.host()));
            if target.check_hosts(&allowed).is_ok() {
                let host = target.host();
                prop_assert!(host == "api.stripe.com" || host.ends_with(".amazonaws.com"));
                prop_assert_eq!(uri.port_u16(), None);
                prop_assert_eq!(uri.scheme_str(), Some("https"));
            }
        }
    }

    #[test]
    fn arbitrary_text_never_panics_and_patterns_round_trip(text in "\\PC{0,60}") {
        if let Ok(target) = Target::parse(&text, &LOCAL) {
            prop_assert_eq!(Target::parse(target.url().as_str(), &LOCAL), Ok(target));
        }
        if let Ok(pattern) = text.parse::<HostPattern>() {
            prop_assert_eq!(pattern.to_string().parse::<HostPattern>(), Ok(pattern));
        }
    }
}
