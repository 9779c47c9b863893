//! Keys as text: one spelling each, and neither half passes for the whole.

#![no_main]

use alter_domain::auth::key_text::{PublicPart, digest_eq, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let url_safe =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if let Some(key) = parse(text) {
        let public = key.public_part.as_str();
        assert!(url_safe(text) && text.starts_with(key.kind.prefix()) && text.starts_with(public));
        assert_eq!(text.len() - public.len(), if text.starts_with("alter_pat_") { 32 } else { 24 });
        assert_eq!(key.public_part.kind(), key.kind);
        assert_eq!(PublicPart::parse(public).as_ref(), Some(&key.public_part));
        assert!(parse(public).is_none() && PublicPart::parse(text).is_none());
        for other in [format!("{text}A"), format!(" {text}"), text[..text.len() - 1].to_owned()] {
            assert!(parse(&other).is_none(), "{other}");
        }
        let mut other = text.to_owned();
        let last = other.pop();
        other.push(if last == Some('A') { 'B' } else { 'A' });
        let other = parse(&other).expect("the same shape");
        assert!(!digest_eq(&other.digest, &key.digest) && other.public_part == key.public_part);
    }
    if let Some(public) = PublicPart::parse(text) {
        assert_eq!(public.as_str(), text);
        assert!(url_safe(text));
        assert_eq!(String::from(public), text);
    }
});
