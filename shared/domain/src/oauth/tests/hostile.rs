//! Replies that mean harm, or that nobody meant.

use proptest::prelude::*;

use super::*;

fn reply(error: ExchangeError) -> String {
    match error {
        ExchangeError::Reply(text) => text,
        other => panic!("{other:?}"),
    }
}

fn unknown(error: ExchangeError) -> String {
    match error {
        ExchangeError::Unknown(text) => text,
        other => panic!("{other:?}"),
    }
}

async fn connect(script: impl IntoIterator<Item = Reply>) -> Result<Obtained, ExchangeError> {
    let bench = Bench::new(script);
    let result = bench.connect(&entry(json!({})), &[]).await;
    assert_eq!(bench.seen().len(), 1, "nothing is repeated or followed");
    result
}

/// Whatever an entry says: what is stored in clear and shown holds no token, and the tokens are not forgotten.
#[tokio::test]
async fn a_secret_is_taken_for_nothing_else() {
    let variable = |source: Value| variables(&[("v", source, json!("text"))]);
    let me = json!({ "request": { "url": "https://login.toy.example/me" } });
    let lookup = json!([{ "request": { "url": "https://login.toy.example/me" }, "set": { "v": "echo" } }]);
    let account =
        |source: &Value, path: &str| json!({ "account": { "source": source, "identifier": [path] } });
    let cases = [
        account(&json!("reply"), "access_token"),
        account(&json!("reply"), "refresh_token"),
        account(&json!("reply"), "id_token"),
        account(&json!("reply"), "echo"),
        account(&json!("reply"), "secret"),
        account(&me, "echo"),
        json!({ "account": { "source": "reply", "identifier": ["id"], "display_name": ["echo"] } }),
        json!({ "account": { "source": "reply", "identifier": ["id"], "email": ["echo"] } }),
        json!({ "token": { "reply": { "scope": ["refresh_token"] } } }),
        json!({ "token": { "reply": { "scope": ["list"] } } }),
        json!({ "variables": variable(json!({ "reply": { "path": "access_token" } })) }),
        json!({ "variables": variable(json!({ "reply": { "path": "echo" } })) }),
        json!({ "variables": variable(json!("lookup")), "lookups": lookup }),
    ];
    for own in cases {
        let asks = own.to_string().contains("/me");
        let echo = format!("<{ACCESS}>");
        let reply = json!({
            "refresh_token": REFRESH, "id_token": "e30.e30.signature", "id": "u", "echo": echo, "list": ["a", REFRESH], "secret": SECRET,
        });
        let script = [tokens(reply)].into_iter().chain(asks.then(|| says(200, json!({ "echo": echo }))));
        let bench = Bench::new(script);
        let toy = entry(own.clone());
        let callback = Callback::read(&toy, [("code".to_owned(), CODE.to_owned())]).unwrap();
        let client = bench.client();
        let made = bench.engine().exchange_code(&toy, &client, &bench.values, &callback, None, &[]).await;
        let lost = made.expect_err(&own.to_string());
        assert!(reply_says(&lost.error).ends_with("it repeats a secret"), "{own}");
        assert_eq!(lost.given.unwrap().0.access_token.expose_secret(), ACCESS, "{own}");
    }
}

fn reply_says(error: &ExchangeError) -> String {
    reply(error.clone())
}

#[tokio::test]
async fn a_refresh_takes_no_token_for_a_scope_and_no_error_repeats_one() {
    let toy = entry(json!({ "token": { "reply": { "scope": ["refresh_token"] } } }));
    let bench = Bench::new([tokens(json!({ "refresh_token": REFRESH }))]);
    assert_eq!(reply(bench.refresh(&toy).await.unwrap_err()), "in the scopes: it repeats a secret");
    for own in [
        json!({ "reply": { "error": ["access_token"], "error_description": ["access_token"] } }),
        json!({ "reply": { "success": { "path": "access_token", "equals": "ok" } } }),
    ] {
        let fresh = "another-access-token-0123456789";
        let bench = Bench::new([tokens(json!({ "access_token": fresh }))]);
        let error = bench.refresh(&entry(json!({ "token": own }))).await.unwrap_err();
        assert!(!format!("{error:?}").contains(fresh), "{error:?}");
    }
}

#[tokio::test]
async fn what_came_before_a_failure_is_told_with_it() {
    let upgrade = json!({ "token": { "upgrade": { "url": "https://login.toy.example/long", "params": { "t": "{access_token}" } } } });
    let lookup = json!({
        "variables": variables(&[("site", json!("lookup"), json!("word"))]),
        "lookups": [{ "request": { "url": "https://login.toy.example/sites" }, "set": { "site": "id" } }],
    });
    for own in [upgrade, lookup] {
        let bench = Bench::new([tokens(json!({ "refresh_token": REFRESH })), says(500, json!({}))]);
        let toy = entry(own);
        let callback = Callback::read(&toy, [("code".to_owned(), CODE.to_owned())]).unwrap();
        let client = bench.client();
        let made = bench.engine().exchange_code(&toy, &client, &bench.values, &callback, None, &[]).await;
        let (tokens, _) = *made.unwrap_err().given.unwrap();
        assert_eq!(tokens.refresh_token.unwrap().expose_secret(), REFRESH);
    }
    let bench = Bench::new([says(400, json!({ "error": "invalid_grant" }))]);
    let toy = entry(json!({}));
    let callback = Callback::read(&toy, [("code".to_owned(), CODE.to_owned())]).unwrap();
    let made = bench.engine().exchange_code(&toy, &bench.client(), &bench.values, &callback, None, &[]).await;
    assert!(made.unwrap_err().given.is_none());
}

#[tokio::test]
async fn a_huge_reply_is_not_read_to_its_end() {
    let padding = "x".repeat(256 * 1024);
    let huge = json!({ "access_token": ACCESS, "padding": padding }).to_string();
    let error = connect([answer(200, "application/json", huge)]).await.unwrap_err();
    assert_eq!(unknown(error), "the reply has more than 256 KB");
    // One that never ends.
    let endless =
        futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"        ")));
    let error = connect([answer(200, "application/json", Body::from_stream(endless))]).await.unwrap_err();
    assert_eq!(unknown(error), "the reply has more than 256 KB");
    // Just below is fine.
    let padding = "x".repeat(255 * 1024);
    let large = json!({ "access_token": ACCESS, "padding": padding }).to_string();
    assert!(connect([answer(200, "application/json", large)]).await.is_ok());
}

#[tokio::test]
async fn a_reply_that_is_neither_json_nor_a_form_is_not_understood() {
    for (content_type, body) in [
        ("text/html", "<html>access_token=access-token-0123456789</html>"),
        ("application/json", "access_token=access-token-0123456789"),
        ("application/json", "{\"access_token\":\"access-token-0123456789\""),
        ("application/json", "{\"access_token\":\"access-token-0123456789\"} trailing"),
        ("application/json", "\u{feff}"),
        ("text/plain", "Internal error: token=expired, try again"),
        ("", "PK\u{3}\u{4}"),
    ] {
        let error = connect([answer(200, content_type, body)]).await.unwrap_err();
        assert_eq!(unknown(error), "the reply is neither JSON nor a form", "{body}");
    }
    for empty in ["", "  \r\n"] {
        let error = connect([answer(200, "application/json", empty)]).await.unwrap_err();
        assert_eq!(unknown(error), "the reply has no body");
    }
    for no_object in ["null", "\"access-token-0123456789\"", "[]", "17", "{}"] {
        let error = connect([answer(200, "application/json", no_object)]).await.unwrap_err();
        assert_eq!(reply(error), "it has no access token", "{no_object}");
    }
}

#[tokio::test]
async fn a_deeply_nested_reply_is_refused_without_harm() {
    for depth in [200, 100_000] {
        let body = format!("{{\"access_token\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let error = connect([answer(200, "application/json", body)]).await.unwrap_err();
        assert_eq!(unknown(error), "the reply is neither JSON nor a form");
    }
}

#[tokio::test]
async fn a_token_that_would_break_out_of_its_header_is_refused() {
    for token in
        ["token-0123456789\r\nx-admin: 1", "token-0123456789\n", "token\u{0}0123456789", "tökén-0123456789"]
    {
        for field in ["access_token", "refresh_token"] {
            let error = connect([tokens(json!({ field: token }))]).await.unwrap_err();
            assert!(reply(error).ends_with("holds what no header can carry"), "{field} {token:?}");
        }
    }
    for token in ["1234567".to_owned(), "x".repeat(8193)] {
        let error = connect([tokens(json!({ "access_token": token }))]).await.unwrap_err();
        assert_eq!(reply(error), "its access token does not have 8 to 8192 bytes");
    }
    assert!(connect([tokens(json!({ "access_token": "x".repeat(8192) }))]).await.is_ok());
    for other in [json!(1_234_567_890), json!(["access-token-0123456789"]), json!({}), json!(true)] {
        let error = connect([tokens(json!({ "access_token": other }))]).await.unwrap_err();
        assert!(matches!(error, ExchangeError::Reply(_)), "{error:?}");
    }
    for none in [json!(null), json!("")] {
        let error = connect([tokens(json!({ "access_token": none }))]).await.unwrap_err();
        assert_eq!(reply(error), "it has no access token");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let redirect = Response::builder().status(status).header("location", "https://evil.example/token");
        let body = json!({ "access_token": ACCESS }).to_string();
        let error = connect([Reply::Answer(redirect.body(Body::from(body)).unwrap())]).await.unwrap_err();
        assert_eq!(unknown(error), format!("a redirect ({status}), which is not followed"));
    }
}

#[tokio::test]
async fn what_a_reply_says_never_sends_the_token_elsewhere() {
    let toy = entry(json!({
        "variables": variables(&[("host", json!({ "reply": { "path": "host" } }), json!({ "host": ["*.toy.example"] }))]),
        "account": { "source": { "request": { "url": "https://{host}/me" } }, "identifier": ["id"] },
    }));
    // The host has the right suffix, and is still none of the API's or the token endpoint's: the account is not asked.
    let bench = Bench::new([tokens(json!({ "host": "https://other.toy.example" }))]);
    assert_eq!(bench.connect(&toy, &[]).await.unwrap().account, None);
    bench.only();
    for hostile in [
        "https://evil.example",
        "https://a.toy.example@evil.example",
        "http://a.toy.example",
        "169.254.169.254",
    ] {
        let bench = Bench::new([tokens(json!({ "host": hostile }))]);
        assert!(
            reply(bench.connect(&toy, &[]).await.unwrap_err()).starts_with("in the reply: host must be ")
        );
        bench.only();
    }
}

#[tokio::test]
async fn only_public_https_addresses_are_asked() {
    for url in [
        "http://login.toy.example/token",
        "https://127.0.0.1/token",
        "https://169.254.169.254/token",
        "https://[::1]/token",
        "https://metadata.internal/token",
        "https://localhost/token",
    ] {
        let bench = Bench::new([]);
        let error = bench.connect(&entry(json!({ "token": { "url": url } })), &[]).await.unwrap_err();
        assert!(
            matches!(&error, ExchangeError::Client { code, .. } if code == "configuration"),
            "{url} {error:?}"
        );
        assert!(bench.seen().is_empty());
    }
}

#[tokio::test]
async fn an_error_that_repeats_a_secret_is_cut() {
    let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    for text in [
        format!("code {CODE} was used"),
        format!("verifier {VERIFIER} does not fit"),
        format!("{SECRET} is not the secret"),
        format!("{encoded} is not the secret"),
        // In part.
        "code ...e-0123456789ab... was used".to_owned(),
    ] {
        let body = json!({ "error": "invalid_grant", "error_description": text });
        let error = connect([says(400, body)]).await.unwrap_err();
        assert_eq!(
            error,
            ExchangeError::Dead { code: "invalid_grant".to_owned(), description: None },
            "{text}"
        );
        let error = connect([says(400, json!({ "error": text }))]).await.unwrap_err();
        assert_eq!(error, ExchangeError::Refused { code: "error".to_owned(), description: None }, "{text}");
    }
    for (auth, text) in
        [("post", REFRESH), ("basic", "no Basic Y2xpZW50LTE6czNjcmV0JTNBb2YrdGhlK2NsaWVudA== here")]
    {
        let bench = Bench::new([says(400, json!({ "error": "invalid_grant", "error_description": text }))]);
        let error = bench.refresh(&entry(json!({ "token": { "auth": auth } }))).await.unwrap_err();
        assert_eq!(error, ExchangeError::Dead { code: "invalid_grant".to_owned(), description: None });
    }
}

#[tokio::test]
async fn an_error_is_short_and_plain() {
    let long = "é".repeat(1000);
    let body = json!({ "error": long, "error_description": long });
    let error = connect([says(400, body)]).await.unwrap_err();
    let ExchangeError::Refused { code, description } = error else { panic!("{error:?}") };
    assert_eq!((code.chars().count(), description.unwrap().chars().count()), (100, 300));
    let odd = "a\r\nb\u{0}c\u{202e}d\u{1b}[31m\u{200b}e\u{feff} ";
    let body = json!({ "error": "x", "error_description": odd });
    let error = connect([says(400, body)]).await.unwrap_err();
    let (code, description) = ("x".to_owned(), Some("a  bcd[31me".to_owned()));
    assert_eq!(error, ExchangeError::Refused { code, description });
}

#[tokio::test]
async fn a_reply_in_an_encoding_nobody_asked_for_is_decoded_or_refused() {
    let encoded = |encoding: &str, body: &'static [u8]| {
        let response = Response::builder()
            .header("content-encoding", encoding)
            .header("content-type", "application/json");
        Reply::Answer(response.body(Body::from(body)).unwrap())
    };
    let error = connect([encoded("zstd", b"xxxx")]).await.unwrap_err();
    assert_eq!(unknown(error), "the reply has a content encoding that is not understood");
    let error = connect([encoded("gzip", b"not gzip at all")]).await.unwrap_err();
    assert_eq!(unknown(error), "the reply broke off");
}

#[tokio::test]
async fn tokens_show_in_no_debug_text() {
    let got = connect([tokens(json!({ "refresh_token": REFRESH }))]).await.unwrap();
    let shown = format!("{got:?}");
    assert!(!shown.contains(ACCESS) && !shown.contains(REFRESH), "{shown}");
}

/// What bodies are made of.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\"error\"",
    "\"error_description\"",
    "\"access_token\"",
    "\"scope\"",
    "null",
    "-1e9",
    "error=",
    "access_token=",
    "&",
    "%",
    "+",
    "\\u0000",
    "\u{202e}",
    SECRET,
    REFRESH,
    ACCESS,
    "invalid_grant",
];

proptest! {
    /// Whatever is answered: no panic, and no error tells what was sent.
    #[test]
    fn no_answer_makes_an_error_tell_a_secret(
        status in 200_u16..600,
        content_type in prop::sample::select(vec!["application/json", "application/x-www-form-urlencoded", "text/plain"]),
        wrapped in any::<bool>(),
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..12),
    ) {
        let body = pieces.concat();
        let text = json!({ "error": body, "error_description": body }).to_string();
        let reply = answer(status, content_type, if wrapped { text } else { body });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        if let Err(error) = runtime.block_on(Bench::new([reply]).refresh(&entry(json!({})))) {
            let told = format!("{error} {error:?}");
            for secret in [SECRET, REFRESH, ACCESS] {
                prop_assert!(!told.contains(secret), "{}", told);
            }
        }
    }
}
