//! Deliveries of identity providers: whatever comes is events within their bounds, or an error that quotes nothing; and no
//! header proves a sender without the key.
//!
//! Input: header lines, an empty line, the body.

#![no_main]

use alter_domain::{
    secret::Secret,
    webhook::{
        Change, IdpEvent, MAX_EVENT_ID_BYTES, MAX_EVENTS, MAX_GROUP_BYTES, MAX_SUBJECT_BYTES, Malformed,
        auth0, clerk, logout, okta, shared_token, ssf, svix, workos,
    },
};
use alter_fuzz::header;
use http::HeaderMap;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const KEY: [u8; 32] = *b"a key that no fuzzer comes to it";

fuzz_target!(|data: &[u8]| {
    let at = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let mut headers = HeaderMap::new();
    for line in data[..at].split(|byte| *byte == b'\n') {
        if let Some((name, value)) = header(line) {
            headers.append(name, value);
        }
    }
    let body = data.get(at + 2..).unwrap_or_default();
    let now = Timestamp::from_second(1_614_265_330).expect("a time");

    assert!(shared_token::verify(&headers, &KEY).is_err(), "a token without knowing it");
    let key = Secret::new(KEY.to_vec());
    assert!(svix::verify(&key, &headers, body, now).is_err(), "a signature without the key");
    assert!(workos::verify(&key, &headers, body, now).is_err(), "a signature without the key");
    if let Ok(challenge) = okta::challenge(&headers) {
        assert!(challenge.bytes().all(|byte| byte.is_ascii_graphic()));
    }

    check(auth0::parse(body));
    check(okta::parse(body));
    check(workos::parse(body).map(|event| vec![event]));
    let delivery = svix::Delivery { id: "msg_1".to_owned(), signed_at: now };
    check(clerk::parse(body, &delivery).map(|event| vec![event]));
    if let Ok(serde_json::Value::Object(claims)) = serde_json::from_slice(body) {
        check(ssf::parse(&claims, "https://idp.example.com/"));
        check(logout::parse(&claims).map(|event| vec![event]));
    }
});

fn check(parsed: Result<Vec<IdpEvent>, Malformed>) {
    let events = match parsed {
        Ok(events) => events,
        Err(error) => return assert!(error.to_string().len() < 256, "an error that quotes: {error}"),
    };
    assert!(events.len() <= MAX_EVENTS, "{} events", events.len());
    let text = |text: &str, max: usize| {
        assert!(!text.is_empty() && text.len() <= max && !text.chars().any(char::is_control), "{text:?}");
    };
    for IdpEvent { id, change, .. } in &events {
        // An event about several people counts them after its id.
        text(id, MAX_EVENT_ID_BYTES + 5);
        match change {
            Change::Deleted { sub }
            | Change::Suspended { sub }
            | Change::Restored { sub }
            | Change::Profile { sub, .. }
            | Change::SessionsRevoked { sub } => text(sub, MAX_SUBJECT_BYTES),
            Change::LeftGroup { sub, groups } => {
                text(sub, MAX_SUBJECT_BYTES);
                groups.iter().for_each(|group| text(group, MAX_GROUP_BYTES));
            }
            Change::GroupDeleted { groups } => groups.iter().for_each(|group| text(group, MAX_GROUP_BYTES)),
            Change::LoggedOut { sub, sid } => {
                assert!(sub.is_some() || sid.is_some(), "nobody has signed out");
                sub.iter().chain(sid).for_each(|name| text(name, MAX_SUBJECT_BYTES));
            }
            Change::Ignored { kind } => assert!(kind.len() <= 256, "{} bytes", kind.len()),
            Change::Verification => {}
        }
    }
}
