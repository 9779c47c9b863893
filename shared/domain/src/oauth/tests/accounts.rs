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
        key: got.as_ref().and_then(|got| got.key.clone()),
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
    assert_eq!(
        got,
        AccountInfo { identifier: "acme".to_owned(), key: got.key.clone(), display_name: None, email: None }
    );
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

#[tokio::test]
async fn accounts_are_told_apart_by_all_that_is_known_of_them() {
    let tenant = json!([
        { "name": "tenant", "label": "", "source": { "reply": { "path": "tenant" } }, "shape": "word", "optional": true },
        { "name": "granted", "label": "", "source": { "reply": { "path": "granted" } }, "shape": "text", "optional": true, "varies": true },
        { "name": "agent", "label": "", "source": "operator", "shape": "text", "optional": true },
    ]);
    let mut own = account(json!({ "source": "reply", "also": ["person"] }));
    own["variables"] = tenant;
    let toy = entry(own.clone());
    let key = async |reply: Value| connect(&toy, [tokens(reply)]).await.unwrap().key;
    let known = key(json!({ "id": "u", "person": "p", "tenant": "t" })).await;
    assert!(known.is_some());
    for same in [
        json!({ "id": "u", "person": "p", "tenant": "t", "name": "Other", "granted": "a b" }),
        json!({ "id": "u", "tenant": "t", "id_token": format!("e30.{}.x", URL_SAFE_NO_PAD.encode(r#"{"person":"p"}"#)) }),
    ] {
        assert_eq!(key(same.clone()).await, known, "{same}");
    }
    for other in [
        json!({ "id": "u", "person": "p", "tenant": "other" }),
        json!({ "id": "u", "person": "p" }),
        json!({ "id": "u", "person": "other", "tenant": "t" }),
        json!({ "id": "p", "person": "u", "tenant": "t" }),
        // These look the same.
        json!({ "id": "u\u{200b}", "person": "p", "tenant": "t" }),
    ] {
        let other_key = key(other.clone()).await;
        assert!(other_key.is_some() && other_key != known, "{other}");
    }
    let long = |end: &str| json!({ "id": format!("{}{end}", "x".repeat(300)), "person": "p" });
    assert_ne!(key(long("a")).await, key(long("b")).await);
    assert_eq!(key(json!({ "id": "u", "tenant": "t" })).await, None, "who it is was not told");
    own["account"]["of_many"] = json!(true);
    let got = connect(&entry(own), [tokens(json!({ "id": "u", "person": "p" }))]).await.unwrap();
    assert_eq!((got.identifier.as_str(), got.key), ("u", None));
}
