//! The authorization request and its answer.

use super::{
    super::{CallbackError, IssuerError, check_issuer},
    *,
};

#[test]
fn the_request_has_what_rfc_6749_wants() {
    let bench = Bench::new([]).scopes(&["read", "write", "read", ""]);
    let (url, asked) = bench.authorization(&entry(json!({})));
    assert_eq!(url, "https://login.toy.example/authorize");
    assert_eq!(
        asked,
        map(&[
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", REDIRECT),
            ("scope", "read write"),
            ("state", "state-1"),
            ("code_challenge", "challenge-1"),
            ("code_challenge_method", "S256"),
        ])
    );
}

#[test]
fn an_entry_renames_adds_and_removes_but_never_unbinds() {
    let toy = entry(json!({
        "scopes": { "none": true },
        "authorization": {
            "url": "https://login.toy.example/authorize?prefilled=1",
            "response_mode": "form_post",
            "params": {
                "client_id": "",
                "application_id": "{client_id}",
                "redirect_uri": "registered-name",
                "state": "fixed",
                "code_challenge": "",
                "code_challenge_method": "plain",
            },
        },
    }));
    let (_, asked) = Bench::new([]).scopes(&["ignored"]).authorization(&toy);
    assert_eq!(
        asked,
        map(&[
            ("prefilled", "1"),
            ("response_type", "code"),
            ("response_mode", "form_post"),
            ("application_id", CLIENT_ID),
            ("redirect_uri", "registered-name"),
            ("state", "state-1"),
            ("code_challenge", "challenge-1"),
            ("code_challenge_method", "S256"),
        ])
    );
}

#[test]
fn the_secret_never_goes_through_the_browser() {
    let toy = entry(json!({ "authorization": { "params": { "x": "{client_secret}" } } }));
    let bench = Bench::new([]);
    let request =
        AuthorizationRequest { scopes: &[], state: "s", code_challenge: None, switch_account: false };
    let error = authorization_url(&toy, &bench.values, &bench.client(), &request).unwrap_err();
    assert_eq!(error.to_string(), "{client_secret} is not known in this step");
    // Loopback stands in no entry of a deployment that does not allow it; other plain addresses in none at all.
    let plain = entry(json!({ "authorization": { "url": "http://login.toy.example/authorize" } }));
    assert!(authorization_url(&plain, &bench.values, &bench.client(), &request).is_err());
}

#[test]
fn the_issuer_is_compared_as_rfc_9207_says() {
    let check = |authorization: Value, iss: Option<&str>| {
        let toy = entry(json!({
            "variables": variables(&[("tenant", json!("user"), json!("word"))]),
            "authorization": authorization,
        }));
        let mut values = Values::default();
        values.set(&toy, "tenant", "t1").unwrap();
        check_issuer(&toy, &values, iss)
    };
    let known = || json!({ "issuer": "https://login.toy.example/{tenant}" });
    assert_eq!(check(known(), Some("https://login.toy.example/t1")), Ok(()));
    for wrong in [
        "https://login.toy.example/t2",
        "https://login.toy.example/t1/",
        "https://LOGIN.toy.example/t1",
        "https://evil.example",
        "",
    ] {
        assert_eq!(check(known(), Some(wrong)), Err(IssuerError::Wrong), "{wrong}");
    }
    assert_eq!(check(known(), None), Ok(()));
    let required = json!({ "issuer": "https://login.toy.example", "iss_required": true });
    assert_eq!(check(required.clone(), None), Err(IssuerError::Missing));
    assert_eq!(check(required, Some("https://login.toy.example")), Ok(()));
    assert_eq!(check(json!({}), Some("https://anyone.example")), Ok(()));
    let unfilled = entry(json!({
        "variables": variables(&[("tenant", json!("user"), json!("word"))]),
        "authorization": known(),
    }));
    let error = check_issuer(&unfilled, &Values::default(), Some("https://login.toy.example/t1"));
    assert!(matches!(error, Err(IssuerError::Entry(_))));
}

#[test]
fn a_redirect_says_everything_once() {
    let toy = entry(json!({}));
    let read = |params: &[(&str, &str)]| {
        let owned = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Callback::read(&toy, owned.collect::<Vec<_>>())
    };
    let callback = read(&[("code", CODE), ("state", "s"), ("realm", "7")]).unwrap();
    assert_eq!((callback.code().expose_secret().as_str(), callback.param("realm")), (CODE, Some("7")));
    assert!(!format!("{callback:?}").contains(CODE));
    assert_eq!(read(&[("state", "s")]).unwrap_err(), CallbackError::NoCode);
    assert_eq!(read(&[("code", "")]).unwrap_err(), CallbackError::NoCode);
    for name in ["code", "state", "realm"] {
        let twice = read(&[("code", CODE), (name, "a"), (name, "b")]).unwrap_err();
        assert_eq!(twice, CallbackError::Repeated(name.to_owned()));
    }
    assert_eq!(read(&[("code", &"x".repeat(8193))]).unwrap_err(), CallbackError::TooLarge);
    let many: Vec<_> = (0..51).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "x")).collect();
    assert_eq!(read(&many).unwrap_err(), CallbackError::TooLarge);
}

#[test]
fn what_a_form_still_has_to_ask() {
    let toy = entry(json!({ "variables": [
        { "name": "shop", "label": "", "source": "user", "shape": "dns_label" },
        { "name": "region", "label": "", "source": "user", "shape": { "one_of": ["eu", "us"] }, "default": "eu" },
        { "name": "note", "label": "", "source": "user", "shape": "text", "optional": true },
        { "name": "team", "label": "", "source": "operator", "shape": "word" },
        { "name": "realm", "label": "", "source": { "callback": { "param": "realmId" } }, "shape": "digits" },
    ] }));
    let names = |values: &Values, source: Value| {
        let source = serde_json::from_value(source).unwrap();
        values.missing(&toy, &source).iter().map(|variable| variable.name.as_str()).collect::<Vec<_>>()
    };
    let mut values = Values::default();
    assert_eq!(names(&values, json!("user")), ["shop"]);
    assert_eq!(names(&values, json!("operator")), ["team"]);
    assert_eq!(names(&values, json!({ "callback": { "param": "" } })), ["realm"]);
    values.set(&toy, "shop", "My-Shop ").unwrap();
    assert!(names(&values, json!("user")).is_empty());
    assert_eq!(serde_json::to_value(&values).unwrap(), json!({ "shop": "my-shop" }));
    assert_eq!(Values::with_defaults(&toy).get("region"), Some("eu"));
    let mut both = Values::with_defaults(&toy);
    both.extend(&values);
    assert_eq!(both.iter().collect::<Vec<_>>(), [("region", "eu"), ("shop", "my-shop")]);
    let error = values.set(&toy, "shop", "hunter2/").unwrap_err().to_string();
    assert!(error.starts_with("shop must be ") && !error.contains("hunter2"), "{error}");
    assert!(values.set(&toy, "nope", "x").is_err());
}

#[tokio::test]
async fn a_stored_value_that_the_entry_would_not_take_today_is_not_used() {
    let toy = entry(json!({
        "variables": variables(&[("host", json!("user"), json!({ "host": ["*.toy.example"] }))]),
        "token": { "url": "https://{host}/token" },
    }));
    let mut bench = Bench::new([]);
    bench.values = serde_json::from_value(json!({ "host": "evil.example" })).unwrap();
    let error = bench.refresh(&toy).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Client { .. }), "{error:?}");
    assert!(bench.seen().is_empty());
}
