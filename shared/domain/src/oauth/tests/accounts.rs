//! Which account it is.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{super::AccountInfo, *};

fn account(own: Value) -> Value {
    let mut account = json!({ "identifier": ["id"], "display_name": ["name"], "email": ["email"] });
    merge(&mut account, own);
    json!({ "account": account })
}

async fn connect(toy: &Provider, script: impl IntoIterator<Item = Reply>) -> Option<AccountInfo> {
    let bench = Bench::new(script);
    let account = bench.connect(toy, &[]).await.unwrap().account;
    bench.seen();
    account
}

#[tokio::test]
async fn from_the_token_reply() {
    let toy =
        entry(account(json!({ "source": "reply", "identifier": ["owner.id", "workspace"], "name": null })));
    let got =
        connect(&toy, [tokens(json!({ "workspace": 42, "name": "Acme", "email": "a@acme.example" }))]).await;
    let expected = AccountInfo {
        identifier: "42".to_owned(),
        display_name: Some("Acme".to_owned()),
        email: Some("a@acme.example".to_owned()),
    };
    assert_eq!(got, Some(expected));
    // Without an identifier there is no account.
    assert_eq!(connect(&toy, [tokens(json!({ "name": "Acme" }))]).await, None);
}

#[tokio::test]
async fn from_the_id_token() {
    let toy = entry(account(json!({ "source": "id_token", "identifier": ["sub"] })));
    let id_token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    let good = id_token(r#"{"sub":"u-1","name":"Ada","email":"ada@acme.example"}"#);
    let got = connect(&toy, [tokens(json!({ "id_token": good }))]).await.unwrap();
    assert_eq!((got.identifier.as_str(), got.display_name.as_deref()), ("u-1", Some("Ada")));
    for bad in [id_token("{"), "e30".to_owned(), "..".to_owned(), "e30.!.x".to_owned(), String::new()] {
        assert_eq!(connect(&toy, [tokens(json!({ "id_token": bad }))]).await, None, "{bad}");
    }
    assert_eq!(connect(&toy, [tokens(json!({}))]).await, None);
}

#[tokio::test]
async fn from_the_entrys_variables() {
    let mut own = account(json!({ "source": "variables", "identifier": ["shop"] }));
    merge(
        &mut own,
        json!({ "variables": variables(&[("shop", json!({ "callback": { "param": "shop" } }), json!("dns_label"))]) }),
    );
    let bench = Bench::new([tokens(json!({}))]);
    let got = bench.connect(&entry(own), &[("shop", "acme")]).await.unwrap().account.unwrap();
    assert_eq!(got, AccountInfo { identifier: "acme".to_owned(), display_name: None, email: None });
}

#[tokio::test]
async fn from_a_request_whose_failure_costs_the_connection_nothing() {
    let request = json!({ "request": { "url": "https://login.toy.example/userinfo" } });
    let toy = entry(account(json!({ "source": request })));
    let got = connect(&toy, [tokens(json!({})), says(200, json!({ "id": "u-1" }))]).await.unwrap();
    assert_eq!(got.identifier, "u-1");
    for failure in [
        says(500, json!({ "id": "u-1" })),
        says(401, json!({ "id": "u-1" })),
        says(302, json!({ "id": "u-1" })),
        answer(200, "text/html", "<html>"),
        Reply::Fail(SendError::Timeout),
    ] {
        assert_eq!(connect(&toy, [tokens(json!({})), failure]).await, None);
    }
}

#[tokio::test]
async fn a_request_to_a_host_of_nobodys_is_not_sent() {
    for url in
        ["https://evil.example/me", "https://login.toy.example:8443/me", "https://x.login.toy.example/me"]
    {
        let toy = entry(account(json!({ "source": { "request": { "url": url } } })));
        assert_eq!(connect(&toy, [tokens(json!({}))]).await, None, "{url}");
    }
}

#[tokio::test]
async fn what_strangers_call_themselves_is_cleaned() {
    let toy = entry(account(json!({ "source": "reply" })));
    let long = "ü".repeat(1000);
    let got = connect(&toy, [tokens(json!({ "id": long, "name": long, "email": long }))]).await.unwrap();
    let chars = |text: &str| text.chars().count();
    assert_eq!(chars(&got.identifier), 255);
    assert_eq!((got.display_name.map(|n| chars(&n)), got.email.map(|e| chars(&e))), (Some(200), Some(320)));
    let reply = json!({ "id": " u\u{0}1\n", "name": "Ada\u{202e}\u{200b}\u{1b}[31m", "email": "\u{feff}\t" });
    let got = connect(&toy, [tokens(reply)]).await.unwrap();
    assert_eq!(
        (got.identifier.as_str(), got.display_name.as_deref(), got.email),
        ("u1", Some("Ada[31m"), None)
    );
}
