//! OAuth providers by script: a definition is checked, added, changed, switched off and removed.

use serde_json::{Value, json};

use crate::support::{Demo, alone, alter, run_with};

const FIRST: &str = "canary-client-9f8e7d6c5b4a";
const SECOND: &str = "canary-client-1a2b3c4d5e6f";

fn definition(id: &str) -> Value {
    json!({
        "id": id,
        "name": "Intranet",
        "category": "developer_tools",
        "monogram": "I",
        "docs_url": "https://intranet.example.com/docs",
        "authorization": { "url": "https://{tenant}.example.com/auth", "pkce": "required" },
        "token": { "url": "https://{tenant}.example.com/token", "auth": "post" },
        "variables": [{ "name": "tenant", "label": "Tenant", "source": "operator", "shape": "dns_label", "example": "acme" }],
        "scopes": { "known": [
            { "scope": "pages.read", "description": "read your pages", "default": true },
            { "scope": "pages.write", "description": "change your pages" }
        ] },
        "api": { "hosts": ["{tenant}.example.com"] },
        "evidence": { "sources": ["https://intranet.example.com/docs"], "date": "2026-11", "endpoints": "low", "behaviour": "low" }
    })
}

#[test]
fn from_a_definition_to_its_removal() {
    let demo = Demo::start();
    demo.file("intranet.json", &definition("intranet").to_string());
    let secret = demo.file("first.txt", &format!("{FIRST}\n"));
    let add = |more: &[&str]| {
        let add = [
            "provider",
            "add",
            "--definition",
            "intranet.json",
            "--client-id",
            "alter",
            "--client-secret",
            &secret,
        ];
        demo.run(&[&add, more, &["--output", "json"]].concat())
    };
    add(&[]).refused(1, "invalid_variables");
    add(&["--set", "tenant=a.evil"]).refused(1, "invalid_variables");
    let added = add(&["--set", "tenant=acme"]);
    let shown = added.json();
    let uri = format!("{}/sdk/oauth/callback/{}/intranet", demo.text("base_url"), demo.text("app_id"));
    assert_eq!((&shown["redirect_uri"], &shown["has_client_secret"]), (&json!(uri), &json!(true)));
    assert!(added.stderr.contains(&uri), "people are told what to enter: {added:?}");
    assert_eq!(
        shown["scopes"],
        json!({ "allowed": ["pages.read"], "default": ["pages.read"], "required": [] })
    );
    add(&["--set", "tenant=acme"]).refused(5, "provider_configured");

    let show = || demo.json(&["provider", "show", "intranet"]);
    let update = ["provider", "update", "intranet"];
    let scopes = ["--scope", "pages.read", "--scope", "pages.write", "--required-scope", "pages.write"];
    // The stored secret was given for one tenant's host.
    demo.run(&[&update[..], &["--set", "tenant=other"]].concat()).refused(5, "client_secret_bound");
    demo.json(&[&update, &scopes[..], &["--set", "tenant=acme"]].concat());
    let shown = show();
    assert_eq!(shown["scopes"]["required"], json!(["pages.write"]));
    assert_eq!(shown["variables"], json!({ "tenant": "acme" }));
    demo.json(&[&update[..], &["--no-required-scopes"]].concat());
    assert_eq!(show()["scopes"]["required"], json!([]));
    demo.run(&update).refused(1, "nothing_to_update");
    demo.run(&[&update[..], &["--unset", "tenant"]].concat()).refused(1, "invalid_variables");

    // A new secret, as it would be piped.
    let rotated = demo.run_with(&["provider", "set-secret", "intranet"], SECOND.as_bytes());
    assert_eq!(rotated.code, 0, "{rotated:?}");

    assert_eq!(demo.json(&["provider", "disable", "intranet"])["status"], "disabled");
    demo.run(&["provider", "disable", "intranet"]).refused(5, "provider_disabled");
    assert_eq!(demo.json(&["provider", "enable", "intranet"])["status"], "enabled");
    let list = demo.run(&["provider", "list"]);
    assert!(list.stdout.starts_with("PROVIDER") && list.stdout.contains("intranet  "), "{list:?}");

    demo.run(&["provider", "delete", "intranet"]).refused(2, "usage");
    demo.json(&["provider", "delete", "intranet", "--yes"]);
    for gone in ["intranet", "../secrets", "", "Intranet"] {
        let run = demo.run(&["provider", "show", gone]);
        assert_eq!(run.code, 4, "{run:?}");
    }
    demo.never_said(&[FIRST, SECOND]);
}

#[test]
fn the_catalogue_can_be_searched() {
    let demo = Demo::start();
    let found = demo.json(&["provider", "catalog", "git"]);
    let ids: Vec<&str> =
        found["items"].as_array().unwrap().iter().map(|item| item["provider_id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"github") && ids.contains(&"gitlab"), "{ids:?}");
    let one = demo.json(&["provider", "catalog", "github"]);
    assert_eq!((&one["provider_id"], &one["secret_fields"]), (&json!("github"), &json!(["client_secret"])));
    assert!(demo.run(&["provider", "catalog"]).stdout.lines().count() > 110);
    let added = demo.run_with(
        &["provider", "add", "github", "--client-id", "Iv1.0", "--client-secret", "-", "--output", "json"],
        FIRST.as_bytes(),
    );
    assert_eq!(added.json()["provider_id"], "github");
    demo.never_said(&[FIRST]);
}

#[test]
fn a_definition_is_checked_without_a_vault() {
    let check = |file: &Value, more: &[&str]| {
        let mut command = alter();
        command.args(["provider", "check", "-"]).args(more);
        run_with(command, file.to_string().as_bytes())
    };
    let good = definition("intranet");
    let run = check(&good, &[]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
    let catalogue = json!({ "providers": [definition("a"), definition("b")] });
    assert_eq!(check(&catalogue, &["--output", "json"]).json()["items"], json!([]));

    let mut bad = good.clone();
    bad["token"]["url"] = "http://intranet.example.com/token".into();
    bad["scopes"]["known"][0]["scope"] = "two words".into();
    let mut unreadable = definition("zebra");
    unreadable["pkce"] = true.into();
    let run = check(&json!([bad, unreadable, definition("apple")]), &["--output", "json"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("problems. (invalid_definition)"), "{run:?}");
    let listed: Value = serde_json::from_str(&run.stdout).unwrap();
    let problems: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            format!(
                "{} {} {}",
                item["provider_id"].as_str().unwrap(),
                item["code"].as_str().unwrap(),
                item["at"].as_str().unwrap()
            )
        })
        .collect();
    for expected in ["intranet address token.url", "zebra schema ", "apple order id"] {
        assert!(problems.iter().any(|problem| problem == expected), "{expected:?} in {problems:?}");
    }
    assert!(problems.iter().any(|problem| problem.starts_with("intranet scopes ")), "{problems:?}");

    let mut local = good;
    for (part, name) in [("authorization", "auth"), ("token", "token")] {
        local[part]["url"] = format!("http://127.0.0.1:8080/{name}").into();
    }
    local["api"]["hosts"] = json!(["127.0.0.1:8080"]);
    local.as_object_mut().unwrap().remove("variables");
    assert_eq!(check(&local, &[]).code, 1);
    let allowed = check(&local, &["--allow-loopback-http"]);
    assert_eq!(allowed.code, 0, "{allowed:?}");
}

#[test]
fn a_client_secret_is_not_taken_from_the_command_line() {
    for args in [
        &["provider", "add", "github", "--client-id", "x", "--client-secret", "hunter2-hunter2"][..],
        &["provider", "set-secret", "github", "--private-key", "hunter2-hunter2"],
    ] {
        let mut command = alter();
        command
            .args(args)
            .env("ALTER_PAT", format!("alter_pat_{}", "A".repeat(48)))
            .env("ALTER_URL", "http://127.0.0.1:1");
        let run = run_with(command, b"");
        run.refused(2, "usage");
        assert!(!run.stderr.contains("hunter2"), "{run:?}");
    }
    assert_eq!(alone(&["provider", "add", "--client-id", "x"]).code, 2);
}
