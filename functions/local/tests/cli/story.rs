//! The operator's day, by script: every noun, every exit code, and not a secret in anything that was said.

use serde_json::Value;

use crate::support::{Demo, mode};

const FIRST: &str = "canary-first-9f8e7d6c5b4a";
const SECOND: &str = "canary-second-1a2b3c4d5e6f";

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

#[test]
fn from_app_to_revocation() {
    let demo = Demo::start();
    let app = demo.json(&["app", "create", "Billing", "--description", "Invoices"]);
    let app = text(&app, "app_id").to_owned();
    let in_app = |args: &[&str]| demo.json(&[&["--app", &app], args].concat());

    // A key into a file: not shown, private, never overwritten.
    let minted = in_app(&["key", "mint", "backend", "--save", "billing.key"]);
    assert_eq!(minted["key"]["status"], "active");
    assert!(minted.get("api_key").is_none());
    assert_eq!(mode(&demo.dir.path().join("billing.key")), 0o600);
    let key = demo.read("billing.key");
    let key = key.trim();
    demo.run(&["--app", &app, "key", "mint", "other", "--save", "billing.key"]).refused(2, "usage");
    assert_eq!(demo.read("billing.key").trim(), key);

    // The secret, with its first value from a file.
    let value = demo.file("first.txt", &format!("{FIRST}\n"));
    let secret = in_app(&[
        "secret",
        "create",
        "Bank",
        "--type",
        "bearer",
        "--host",
        demo.host(),
        "--value",
        &value,
        "--grant",
    ]);
    let grant = text(&secret["grant"], "grant_id").to_owned();
    assert_eq!((text(&secret, "slug"), &secret["fields"]), ("bank", &serde_json::json!(["token"])));
    let call = |path: &str, more: &[&str]| {
        let url = demo.upstream(path);
        demo.run(&[&["call", "GET", &url, "--grant", &grant, "--key-file", "billing.key"], more].concat())
    };

    // The API echoes the credential; the vault takes it out. Its own 401 is an answer, not a failure.
    let echoed = call("/echo-auth", &["--reason", "Grüße an die Bank"]);
    assert_eq!(echoed.code, 0, "{echoed:?}");
    assert!(echoed.stdout.contains("Bearer ****"), "{echoed:?}");
    let refused = call("/v1/balance", &["--include"]);
    assert_eq!(refused.code, 0, "{refused:?}");
    assert!(refused.stdout.starts_with("HTTP 401"), "{refused:?}");
    assert_eq!(call("/v1/balance", &["--fail"]).code, 1);
    call("/v1/balance", &["--header", "authorization: x"]).refused(1, "forbidden_header");
    let url = "https://elsewhere.example/";
    let elsewhere = demo.run(&["call", "GET", url, "--grant", &grant, "--key-file", "billing.key"]);
    elsewhere.refused(1, "blocked_destination");

    // A new value from standard input; the grant stays the same.
    let replaced =
        demo.run_with(&["--app", &app, "secret", "set-value", "bank", "--value", "-"], SECOND.as_bytes());
    assert_eq!(replaced.code, 0, "{replaced:?}");
    assert!(call("/echo-auth", &[]).stdout.contains("Bearer ****"));

    // It is all on the record, each row once.
    let rows = in_app(&["audit", "list", "--event", "call", "--grant", &grant]);
    let rows = rows["items"].as_array().unwrap();
    let outcomes: Vec<&str> = rows.iter().rev().map(|row| text(row, "outcome")).collect();
    assert_eq!(outcomes, ["success", "provider_error", "provider_error", "denied", "denied", "success"]);
    assert_eq!(text(rows.last().unwrap(), "reason"), "Grüße an die Bank");
    let id = text(&rows[0], "id");
    assert_eq!(in_app(&["audit", "get", id])["path"], "/echo-auth");
    let csv = demo.run(&["--app", &app, "audit", "export", "--event", "call"]);
    assert!(csv.stdout.lines().count() == 7 && csv.stdout.contains(id), "{csv:?}");
    let lines = demo.run(&["--app", &app, "audit", "export", "--format", "jsonl", "--outcome", "denied"]);
    assert_eq!(lines.stdout.lines().count(), 2, "{lines:?}");

    // Revoked: the very next call fails, with the code for "not allowed".
    let revoked = in_app(&["grant", "revoke", &grant, "--reason", "left the team"]);
    assert_eq!((text(&revoked, "status"), text(&revoked, "revoke_reason")), ("revoked", "left the team"));
    call("/echo-auth", &[]).refused(3, "grant_revoked");
    demo.run(&["--app", &app, "grant", "revoke", &grant]).refused(5, "grant_revoked");

    // A key that was rotated without grace, and one that was revoked.
    in_app(&["key", "rotate", "backend", "--grace", "0s", "--save", "next.key"]);
    call("/echo-auth", &[]).refused(3, "key_rotated_grace_expired");
    let next = text(&in_app(&["key", "list"])["items"][1], "key_prefix").to_owned();
    assert_eq!(text(&in_app(&["key", "revoke", &next]), "status"), "revoked");
    let url = demo.upstream("/echo-auth");
    demo.run(&["call", "GET", &url, "--grant", &grant, "--key-file", "next.key"]).refused(3, "key_revoked");

    // Gone: a secret is deleted with its grants, after being asked for by name.
    demo.run(&["--app", &app, "secret", "delete", "bank"]).refused(2, "usage");
    in_app(&["secret", "delete", "bank", "--yes"]);
    demo.run(&["--app", &app, "secret", "get", "bank"]).refused(4, "not_found");
    demo.run(&["--app", &app, "grant", "get", "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90"])
        .refused(4, "grant_not_found");
    // Another app's grant is as if it did not exist.
    demo.run(&["--app", &app, "grant", "get", demo.text("grant_id")]).refused(4, "grant_not_found");

    let next = demo.read("next.key");
    let operator = demo.text("operator_token");
    demo.never_said(&[FIRST, SECOND, key, next.trim(), operator]);
}

#[test]
fn agents_and_tokens_can_do_what_they_were_given() {
    let demo = Demo::start();
    demo.json(&["agent", "create", "bot", "--display-name", "The bot"]);
    demo.json(&["key", "mint", "nightly", "--agent", "bot", "--save", "bot.key"]);
    let url = demo.upstream("/v1/balance");
    let call = || demo.run(&["call", "GET", &url, "--provider", "acme-bank", "--key-file", "bot.key"]);
    call().refused(4, "no_delegated_grant");
    let grant = demo.json(&[
        "grant",
        "issue",
        "acme-bank",
        "--agent",
        "bot",
        "--expires",
        "30d",
        "--label",
        "nightly",
    ]);
    assert_eq!(grant["principal"]["type"], "agent");
    let answer = call();
    assert!(answer.stdout.contains("\"authenticated\":true"), "{answer:?}");
    demo.json(&["agent", "revoke", "bot"]);
    assert_eq!(call().code, 3);
    demo.run(&["agent", "revoke", "bot"]).refused(5, "agent_revoked");

    demo.json(&["token", "create", "dashboard", "--permission", "read", "--save", "read.token"]);
    let with = |args: &[&str]| demo.run(&[args, &["--token-file", "read.token"]].concat());
    assert_eq!(with(&["app", "list"]).code, 0);
    with(&["app", "create", "X"]).refused(3, "insufficient_scope");
    demo.json(&["token", "revoke", "dashboard"]);
    with(&["app", "list"]).refused(3, "invalid_operator_token");
    let (bot, token) = (demo.read("bot.key"), demo.read("read.token"));
    demo.never_said(&[bot.trim(), token.trim()]);
}

#[test]
fn output_has_three_forms() {
    let demo = Demo::start();
    let table = demo.run(&["grant", "list"]);
    let mut lines = table.stdout.lines();
    assert!(lines.next().unwrap().starts_with("GRANT ID  "), "{table:?}");
    assert_eq!(lines.count(), 5, "{table:?}");
    assert!(!table.stdout.contains('\x1b') && table.stdout.lines().all(|line| line.trim_end() == line));

    let page = demo.json(&["grant", "list", "--limit", "1"]);
    let cursor = text(&page, "next_cursor");
    let rest = demo.json(&["grant", "list", "--cursor", cursor]);
    assert_ne!(page["items"][0]["grant_id"], rest["items"][0]["grant_id"]);
    let jsonl = demo.run(&["grant", "list", "--output", "jsonl", "--fields", "principal.type,label"]);
    assert_eq!(
        jsonl.stdout,
        "{\"principal.type\":\"group\",\"label\":\"Support\"}\n\
         {\"principal.type\":\"user\",\"label\":null}\n\
         {\"principal.type\":\"system\",\"label\":null}\n\
         {\"principal.type\":\"system\",\"label\":\"To be revoked\"}\n\
         {\"principal.type\":\"system\",\"label\":\"Shop backend\"}\n"
    );
    let unknown = demo.run(&["grant", "list", "--fields", "grant"]);
    unknown.refused(2, "usage");
    assert!(unknown.stderr.contains("grant_id"), "{unknown:?}");

    // Nothing is minted when the key might not be seen, or when nobody reads it any more.
    demo.run(&["key", "mint", "unseen", "--fields", "key.name"]).refused(2, "usage");
    demo.run(&["key", "get", "unseen"]).refused(4, "not_found");

    // A key that is shown is shown once, on standard output alone.
    let minted = demo.run(&["key", "mint", "shown", "--output", "json"]);
    let key = text(&minted.json(), "api_key").to_owned();
    assert!(!minted.stderr.contains(&key) && !demo.run(&["key", "get", "shown"]).stdout.contains(&key));
}

#[test]
fn a_signed_call_works_in_curl_and_holds_no_key() {
    let demo = Demo::start();
    let (url, grant) = (demo.upstream("/v1/transfers"), demo.text("grant_id").to_owned());
    let body = "{\"note\":\"a \\\"quoted\\\" back\\\\slash\\ttab – Ümlaut\"}";
    let curl = |config: &str| {
        let file = demo.dir.path().join("curl.conf");
        std::fs::write(&file, config).unwrap();
        let output = std::process::Command::new("curl").args(["-s", "-K"]).arg(&file).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    demo.file("body.json", body);
    for data in [body, "@body.json"] {
        let signed = demo.run(&["sign", "POST", &url, "--grant", &grant, "--data", data, "--reason", "März"]);
        assert_eq!(signed.code, 0, "{signed:?}");
        let answer = curl(&signed.stdout);
        assert_eq!(answer["order"], serde_json::from_str::<Value>(body).unwrap(), "{answer}");
        // Good for one call only.
        assert_eq!(curl(&signed.stdout)["error"], "nonce_replayed");
    }
    demo.never_said(&[demo.text("app_key")]);
}
