//! What browsers bring back to the Wallet, a session's cookie and a request's `state`: each has one spelling, and what is told of
//! it in a log is not its secret.

#![no_main]

use alter_domain::flow::{
    connect::PublicUrl,
    wallet::{WalletCookie, WalletState},
};
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(value) = HeaderValue::from_bytes(data) {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, value);
        for url in ["https://vault.example", "http://127.0.0.1:8420"] {
            let url = PublicUrl::parse(url).expect("an address");
            if let Some(cookie) = WalletCookie::of(&headers, &url) {
                let given = cookie.to_header(&url).expect("a header value");
                let given = given.to_str().expect("text");
                assert!(given.contains("; HttpOnly; SameSite=Lax"), "{given}");
                assert_eq!(given.ends_with("; Secure"), url.is_https());
            }
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(cookie) = WalletCookie::parse(text) {
        assert_eq!(*cookie.to_text(), text, "another spelling");
        assert!(!format!("{cookie:?}").contains(&text[64..]));
        assert!(cookie.browser.checks_csrf_token(&cookie.browser.csrf_token()));
        assert!(!cookie.browser.checks_csrf_token(text));
    }
    if let Some(state) = WalletState::parse(text) {
        let (app, ticket) = text.split_once('.').expect("two parts");
        assert_eq!(state.app().to_string(), app, "another spelling");
        assert!(WalletState::parse(ticket).is_none() && WalletState::parse(&format!("{text}A")).is_none());
        assert!(!format!("{state:?}").contains(&ticket[24..]));
    }
});
