//! Signed requests: no text makes the reader panic; what was signed verifies, and nothing that differs from it does.

#![no_main]

use alter_domain::{
    auth::{
        MAX_SKEW_SECONDS, Presented,
        canonical::{canonical_target, unambiguous_target},
        key_text,
        sign_request::{Content, Request, Signer, sign_request},
        signature::{Labelled, header},
    },
    crypto::SigningKey,
    port::SeededRng,
    secret::Secret,
};
use http::{HeaderName, HeaderValue, Uri, request::Parts};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_760_000_000;
const NONCE: &str = "0123456789abcdef0123456789abcdef";

fuzz_target!(|data: &[u8]| {
    let Some((head, body)) = alter_fuzz::request(data) else { return };
    let now = Timestamp::from_second(NOW).unwrap();
    let _ = Presented::from_head(&head, None, now);

    let Some(target) = head.uri.path_and_query().map(|target| target.as_str().to_owned()) else { return };
    let text = |name: &'static str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let request = Request {
        method: head.method.as_str(),
        path_and_query: &target,
        content: Content::Bytes(body),
        timestamp: NOW - i64::from(data.len() as u32) % MAX_SKEW_SECONDS,
        nonce: NONCE,
        constraints: text(header::SCOPE_CONSTRAINTS),
        labelled: Labelled::from_headers(text),
    };
    let key = key_text::mint_app_key(&SeededRng::new(7)).unwrap();
    let signing_key = SigningKey::derive(&key.plain);
    let signer = match data.len() % 2 {
        0 => Signer::PlainKey(&key.plain),
        _ => Signer::KeyId { public_part: &key.public_part, signing_key: &signing_key },
    };
    let signed = with_headers(&head, &sign_request(signer, &request));

    let presented = match Presented::from_head(&signed, None, now) {
        Ok(presented) => presented,
        Err(error) => {
            let plain = request.labelled.entries().iter().all(|(_, _, value)| value.is_empty());
            assert!(
                !(plain && unambiguous_target(&target).is_some()),
                "a plain signed request is refused: {error}"
            );
            return;
        }
    };
    presented.verify(&signing_key).expect("what was signed verifies");
    presented.check_body(body).expect("the body that was signed is accepted");
    assert!(presented.verify(&SigningKey::derive(&Secret::new("other".to_owned()))).is_err());
    assert!(presented.check_body(&[body, b"x"].concat()).is_err(), "another body is accepted");

    // Whatever is changed is noticed. The key id is not covered: it only says which key to verify with.
    let refused = |head: &Parts| {
        Presented::from_head(head, None, now).is_err_and(|_| true)
            || Presented::from_head(head, None, now).is_ok_and(|p| p.verify(&signing_key).is_err())
    };
    for name in signed.headers.keys().filter(|name| *name != header::KEY_ID && *name != header::API_KEY) {
        let mut changed = signed.clone();
        let mut value = changed.headers[name].as_bytes().to_vec();
        match value.last_mut() {
            Some(last) => *last = if *last == b'1' { b'2' } else { b'1' },
            None => value.push(b'1'),
        }
        changed.headers.insert(name, HeaderValue::from_bytes(&value).unwrap());
        assert!(refused(&changed), "a changed {name} is accepted");
        // The second signature is a copy that older servers read; without it the first still covers everything.
        changed.headers.remove(name);
        assert!(*name == header::SIGNATURE_V2 || refused(&changed), "a missing {name} is accepted");
    }
    let mut added = signed.clone();
    if !added.headers.contains_key(header::REASON) {
        added.headers.insert(header::REASON, HeaderValue::from_static("because"));
        assert!(refused(&added), "an added header is accepted");
    }
    for other in [format!("{target}x"), format!("/x{target}")] {
        if let Ok(uri) = other.parse::<Uri>()
            && canonical_target(&other) != canonical_target(&target)
        {
            let mut changed = signed.clone();
            changed.uri = uri;
            assert!(refused(&changed), "{other} is accepted for {target}");
        }
    }
});

fn with_headers(head: &Parts, headers: &[(&'static str, String)]) -> Parts {
    let mut signed = head.clone();
    signed.headers.clear();
    for (name, value) in headers {
        signed.headers.append(HeaderName::from_static(name), HeaderValue::try_from(value).unwrap());
    }
    signed
}
