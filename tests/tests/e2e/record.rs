//! The record: one row for each call, filters, pages, exports (B015, B024, B116 to B118).

use std::{collections::BTreeSet, sync::Arc};

use alter_domain::model::{OutcomeKind, Phase};
use alter_table_contract::{HarshOptions, HarshTable};
use alter_tests::{AppClient, GrantSpec, SecretSpec, Setup, TestApp, TestVault, Upstream, reply};
use serde_json::{Value, json};

use crate::{TOKEN, get};

async fn page(client: &AppClient, query: &str) -> Value {
    client.get(&format!("/v1/audit?{query}")).await.ok()
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// All pages from here on.
async fn all(client: &AppClient, query: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(client, &format!("{query}{cursor}")).await;
        found.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) if query.contains("desc") || !ids(&page).is_empty() => {
                cursor = format!("&cursor={next}");
            }
            _ => return found,
        }
    }
}

#[tokio::test]
async fn b015_every_call_leaves_exactly_one_row_whatever_became_of_it() {
    let upstream =
        Upstream::serving(|received| async move { reply(received.target[1..].parse().unwrap_or(200), "x") })
            .await;
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    let (_, dead) = {
        let other = Upstream::silent().await;
        let secret = app.secret(SecretSpec::bearer("gone", TOKEN, other.host())).await;
        (secret, app.grant(&secret, GrantSpec::system()).await)
    };
    let bad_url = upstream.url("/").replace("127.0.0.1", "localhost");
    let calls = [
        (get(&upstream.url("/200"), grant), "success"),
        (get(&upstream.url("/404"), grant), "provider_error"),
        (get(&upstream.url("/500"), grant), "provider_error"),
        (get(&bad_url, grant), "denied"),
        (get(&upstream.url("/"), app.vault.ports.new_id().unwrap()), "denied"),
        (get(&upstream.url("/"), dead), "denied"),
        (json!({ "method": "GET", "url": upstream.url("/"), "provider_id": "nobody" }), "denied"),
        (json!({ "method": "TRACE", "url": upstream.url("/"), "grant_id": grant }), "denied"),
    ];
    for (number, (call, outcome)) in calls.iter().enumerate() {
        app.client().proxy(call).await;
        let rows = app.vault.audit.calls();
        assert_eq!(rows.len(), number + 1, "{call}");
        let row = rows.last().unwrap();
        assert_eq!(
            (row.phase, row.outcome.as_ref().unwrap().kind.as_str()),
            (Phase::Final, *outcome),
            "{call}"
        );
        assert_eq!(row.actor.key_id, app.key.id);
        app.vault.clock.advance(1);
    }
    let listed = page(&app.client(), "event=call").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), calls.len());
    // Who is not let in leaves no row of an app that they only claim to be.
    app.client().request("POST", "/sdk/proxy").json(&calls[0].0).skew(301).send().await;
    assert_eq!(app.vault.audit.calls().len(), calls.len());
}

#[tokio::test]
async fn b024_b113_a_row_says_who_what_why_and_how_it_ended() {
    let upstream = Upstream::serving(|_| async { reply(201, "four") }).await;
    let app = TestVault::new().await.app().await;
    let secret = app.secret(SecretSpec::bearer("p", TOKEN, upstream.host())).await;
    let user = GrantSpec::user(&app.vault, "Ann's account");
    let grant = app.grant(&secret, user).await;
    let reason = "Send <b>Ann</b>'s \"invoice\", =1+1 — 茶\u{202e}";
    let mut call = get(&upstream.url("/v1/invoices?secret=q"), grant);
    call["method"] = "POST".into();
    call["body"] = json!({ "card": "4242" });
    call["headers"] = json!({ "X-Private": "header-value" });
    call["reason"] = reason.into();
    let request =
        app.client().request("POST", "/sdk/proxy").json(&call).header("traceparent", "00-trace-span-01");
    request
        .label("x-alter-caller", "billing")
        .label("x-alter-caller-type", "service")
        .label("x-alter-context", "{\"tool\":\"t\",\"run_id\":\"7\"}")
        .send()
        .await
        .ok();
    let listed = page(&app.client(), "event=call").await;
    let row = &listed["items"][0];
    for (field, value) in [
        ("event", json!("call")),
        ("outcome", json!("success")),
        ("status", json!(201)),
        ("method", json!("POST")),
        ("host", json!("127.0.0.1")),
        ("path", json!("/v1/invoices")),
        ("reason", json!(reason)),
        ("context", json!({ "tool": "t", "run_id": "7" })),
        ("traceparent", json!("00-trace-span-01")),
        ("actor_type", json!("app")),
        ("caller", json!("billing")),
        ("caller_type", json!("service")),
        ("caller_key_id", json!(app.key.id)),
        ("caller_key_prefix", json!(app.key.public_part.as_str())),
        ("ip", json!("192.0.2.7")),
        ("surface", json!("sdk")),
        ("grant_id", json!(grant)),
        ("grant_label", json!("Ann's account")),
        ("provider_id", json!("p")),
        ("principal_type", json!("user")),
        ("request_bytes", json!(15)),
        ("response_bytes", json!(4)),
        ("truncated", json!(false)),
        ("created_at", json!(app.vault.now().to_string())),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    // B116: neither query nor headers nor bodies.
    let text = row.to_string();
    for absent in ["secret=q", "4242", "header-value", TOKEN, app.key.reveal(), "four"] {
        assert!(!text.contains(absent), "{absent} is in the row");
    }
}

/// A record with some of everything.
async fn furnished(vault: &TestVault) -> (TestApp, [alter_domain::api::GrantId; 2], alter_tests::TestAgent) {
    let upstream =
        Upstream::serving(|received| async move { reply(received.target[1..].parse().unwrap(), "x") }).await;
    let app = vault.app().await;
    let agent = app.agent().await;
    let one = app.secret(SecretSpec::bearer("one", TOKEN, upstream.host())).await;
    let two = app.secret(SecretSpec::bearer("two", TOKEN, upstream.host())).await;
    let grants =
        [app.grant(&one, GrantSpec::system()).await, app.grant(&two, GrantSpec::agent(&agent)).await];
    for number in 0..30u32 {
        let status = if number % 5 == 0 { 404 } else { 200 };
        let url = upstream.url(&format!("/{status}"));
        if number % 3 == 0 {
            agent.client().proxy(&get(&url, grants[1])).await.ok();
        } else {
            app.client().proxy(&get(&url, grants[0])).await.ok();
        }
        vault.clock.advance(1);
    }
    vault.clock.advance(10);
    (app, grants, agent)
}

#[tokio::test]
async fn b117_filters_hold_all_at_once_and_agree_with_each_other() {
    let vault = TestVault::new().await;
    let (app, grants, agent) = furnished(&vault).await;
    let client = app.client();
    let agent_key = agent.key.public_part.as_str().to_owned();
    let expected = [
        ("event=call".to_owned(), 30),
        ("event=grant.created".to_owned(), 2),
        (format!("event=call&grant_id={}", grants[0]), 20),
        (format!("grant_id={}", grants[1]), 11),
        (format!("event=call&agent_id={}", agent.id), 10),
        ("event=call&provider_id=one".to_owned(), 20),
        ("event=call&principal_type=agent".to_owned(), 10),
        ("event=call&outcome=provider_error".to_owned(), 6),
        ("event=call&outcome=success".to_owned(), 24),
        (format!("event=call&outcome=provider_error&agent_id={}", agent.id), 2),
        (format!("key_prefix={}", &agent_key[..20]), 10),
        ("event=call&since=2026-03-01T12:00:10Z&until=2026-03-01T12:00:20Z".to_owned(), 10),
        ("event=call&since=2026-03-01T12:00:30Z".to_owned(), 0),
        ("event=call&outcome=aborted".to_owned(), 0),
    ];
    for (query, count) in expected {
        for order in ["asc", "desc"] {
            let found = all(&client, &format!("{query}&order={order}&limit=7")).await;
            let unique: BTreeSet<_> = found.iter().collect();
            assert_eq!((found.len(), unique.len()), (count, count), "{query} {order}");
        }
        // The export honours the same filters.
        let csv = client.get(&format!("/v1/audit/export?{query}")).await;
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
        assert_eq!(csv.text().trim_end().split("\r\n").count(), count + 1, "{query}");
        let lines = client.get(&format!("/v1/audit/export?format=jsonl&{query}")).await;
        let rows: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let listed = page(&client, &format!("{query}&limit=1000")).await;
        assert_eq!(json!(rows), listed["items"], "{query}");
    }
    for (query, code) in [
        ("event=calls", "invalid_filter"),
        ("outcome=ok", "invalid_filter"),
        ("principal_type=robot", "invalid_filter"),
        ("order=up", "invalid_filter"),
        ("since=yesterday", "invalid_filter"),
        ("grant=typo", "invalid_filter"),
        ("limit=0", "invalid_limit"),
        ("limit=1001", "invalid_limit"),
        ("cursor=x", "invalid_cursor"),
    ] {
        client.get(&format!("/v1/audit?{query}")).await.refused(422, code);
    }
    client.get("/v1/audit/export?format=xml").await.refused(422, "invalid_format");
}

#[tokio::test]
async fn b117_an_agent_reads_its_own_record_and_another_app_reads_nothing() {
    let vault = TestVault::new().await;
    let (app, _, agent) = furnished(&vault).await;
    let own = agent.client().get("/v1/audit?event=call&limit=1000").await.ok();
    assert_eq!(own["items"].as_array().unwrap().len(), 10);
    assert!(own["items"].as_array().unwrap().iter().all(|row| row["agent_id"] == json!(agent.id)));
    let foreign = vault.app().await;
    assert_eq!(page(&foreign.client(), "limit=1000").await["items"], json!([]));
    let cursor = own["items"][5]["id"].as_str().unwrap();
    assert_eq!(page(&foreign.client(), &format!("cursor={cursor}")).await["items"], json!([]));
    assert_eq!(page(&app.client(), "event=call&limit=1000").await["items"].as_array().unwrap().len(), 30);
}

#[tokio::test]
async fn b118_pages_neither_miss_nor_repeat_rows_while_rows_are_added() {
    for seed in 1..=6 {
        let harsh = HarshOptions { seed, max_page: 1 + (seed as usize % 4), ..HarshOptions::default() };
        let vault =
            Setup::default().layer(move |table| Arc::new(HarshTable::new(table, harsh))).build().await;
        let upstream = Upstream::silent().await;
        let app = vault.app().await;
        let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
        let client = app.client();
        let call = get(&upstream.url("/"), grant);
        let mut made: Vec<String> = Vec::new();
        let make = async |count: usize| -> Vec<String> {
            let mut made = Vec::new();
            for _ in 0..count {
                made.push(client.proxy(&call).await.ok()["call_id"].as_str().unwrap().to_owned());
            }
            made
        };
        let limit = 1 + seed % 5;
        // Ascending: a reader that comes back sees each row once, in the end.
        let (mut followed, mut cursor) = (Vec::new(), String::new());
        for round in 0..12 {
            made.extend(make(1 + (round * 7 + seed as usize) % 4).await);
            vault.clock.advance(if round % 3 == 0 { 0 } else { 1 });
            let page = page(&client, &format!("event=call&order=asc&limit={limit}{cursor}")).await;
            followed.extend(ids(&page));
            if let Some(next) = page["next_cursor"].as_str() {
                cursor = format!("&cursor={next}");
            }
        }
        vault.clock.advance(5);
        loop {
            let page = page(&client, &format!("event=call&order=asc&limit={limit}{cursor}")).await;
            if ids(&page).is_empty() {
                break;
            }
            followed.extend(ids(&page));
            cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
        }
        made.sort();
        assert_eq!(followed, made, "ascending, seed {seed}");
        // Descending: what was there before the first page comes once, in order.
        let (mut found, mut cursor) = (Vec::new(), String::new());
        let before = made.clone();
        loop {
            let page = page(&client, &format!("event=call&limit={limit}{cursor}")).await;
            found.extend(ids(&page));
            made.extend(make(1).await);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        found.reverse();
        assert_eq!(found, before, "descending, seed {seed}");
    }
}

#[tokio::test]
async fn b118_exports_are_safe_to_open() {
    let upstream = Upstream::silent().await;
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    let mut call = get(&upstream.url("/"), grant);
    call["reason"] = "=HYPERLINK(\"http://evil\"),\nsecond line".into();
    app.client().proxy(&call).await.ok();
    let export = app.client().get("/v1/audit/export?event=call").await;
    assert_eq!(export.header("content-disposition"), Some("attachment; filename=\"audit.csv\""));
    assert!(
        export.text().contains(",\"'=HYPERLINK(\"\"http://evil\"\"),\nsecond line\","),
        "{}",
        export.text()
    );
    let lines = app.client().get("/v1/audit/export?event=call&format=jsonl").await;
    assert_eq!(lines.header("content-type"), Some("application/jsonl"));
    let row: Value = serde_json::from_str(&lines.text()).unwrap();
    assert_eq!(row["reason"], call["reason"], "word for word");
}

#[tokio::test]
async fn a_row_that_is_delivered_twice_or_late_is_stored_once_and_stays_final() {
    let upstream = Upstream::silent().await;
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    app.client().proxy(&get(&upstream.url("/"), grant)).await.ok();
    let events = app.vault.audit.events();
    let table = app.vault.calm().table;
    // Everything once more, backwards: intents after their final rows.
    for event in events.iter().rev().chain(&events).chain(events.iter().rev()) {
        let report = alter_audit_writer::write(table.as_ref(), &[event.encode().unwrap()]).await;
        assert!(report.failed.is_empty());
    }
    let listed = page(&app.client(), "event=call").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["outcome"], "success");
    let outcome = app.vault.audit.calls()[0].outcome.clone().unwrap();
    assert_eq!(outcome.kind, OutcomeKind::Success);
}
