//! Injection: formats have one meaning, and a credential goes where the rule says and nowhere else.
//!
//! Input: the format on the first line, the place's name on the second, fields as `name=value` on the others.

#![no_main]

use alter_domain::{
    inject::{CredentialFields, Format, InjectRule, Injection, OutgoingHead, Payload, Rules, Target, inject},
    redact::Redactor,
    secret::Secret,
};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (Some(source), Some(name)) = (lines.next(), lines.next()) else { return };
    if let Ok(format) = Format::parse(source) {
        let printed = format.to_string();
        assert_eq!(Format::parse(&printed).expect("a printed format can be read"), format);
        assert!(format.fields().next().is_some(), "a format without a field: {source}");
    }
    let pairs = lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name, Secret::new(value.to_owned())));
    let Ok(fields) = CredentialFields::from_pairs(pairs, &["username"]) else { return };
    for place in [Target::Header, Target::Query] {
        let Ok(rule) = InjectRule::new(place, name, source) else { continue };
        let injection = Injection::Rules(Rules::new(vec![rule]).expect("one rule"));
        let stored = serde_json::to_string(&injection).expect("a rule can be stored");
        assert_eq!(serde_json::from_str::<Injection>(&stored).expect("and read"), injection);
        run(&injection, place, name, &fields);
    }
});

fn run(injection: &Injection, place: Target, name: &str, fields: &CredentialFields) {
    let url = Url::parse("https://api.example.com/v1/things?page=1").unwrap();
    let mut head = OutgoingHead { method: Method::GET, url: url.clone(), headers: HeaderMap::new() };
    let done = inject(injection, fields, &mut head, Payload::Bytes(b""), Timestamp::UNIX_EPOCH);
    let complete = injection.check(fields.names()).is_ok();
    let Ok(injected) = done else {
        // A checked injection fails only for a value that the check cannot see into.
        let basic_user_with_colon = fields.get("username").is_some() || fields.names().count() > 0;
        assert!(!complete || basic_user_with_colon);
        return;
    };
    for secret in fields.secret_values() {
        let known = injected.values.iter().any(|value| value.expose_secret() == secret.expose_secret());
        assert!(known, "an injected secret is not looked for in the reply");
    }
    assert_eq!(
        (head.url.origin(), head.url.path()),
        (url.origin(), url.path()),
        "the request goes elsewhere"
    );
    assert_eq!(head.method, Method::GET);
    let redactor = Redactor::new(&injected.values);
    match place {
        Target::Header => {
            assert_eq!(head.url, url);
            assert_eq!(head.headers.len(), 1);
            let value = &head.headers[name];
            assert!(value.is_sensitive(), "a log may show the header");
            assert!(!value.as_bytes().iter().any(|byte| b"\r\n\0".contains(byte)));
            // Sent back as it is, it must not reach the caller as it is. Stars could not be told from its mark.
            if complete && !fields.secret_values().any(|secret| secret.expose_secret().contains('*')) {
                let echoed = redactor.redact_header_value(value);
                assert!(echoed.is_some_and(|echoed| echoed != value), "an echo of the header is passed on");
            }
        }
        Target::Query => {
            assert!(head.headers.is_empty());
            let pairs: Vec<_> = head.url.query_pairs().collect();
            assert_eq!(pairs.len(), 2, "one parameter was added");
            assert_eq!((pairs[0].0.as_ref(), pairs[1].0.as_ref()), ("page", name));
        }
    }
}
