//! What the Wallet shows of the record: the rows that the apps see, for whom they concern, and nobody else's.

use std::{collections::BTreeSet, sync::Arc};

use alter_domain::api::{GrantId, UserId};
use alter_table_contract::{HarshOptions, HarshTable};
use alter_tests::{Answer, GrantSpec, Setup, TestApp};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use crate::{
    busy::{Busy, HOSTILE},
    stage::stage,
    world::{Person, World},
};

pub(crate) fn rows(page: &Value) -> Vec<Value> {
    page["items"].as_array().unwrap().clone()
}

/// Every page from here on, put together.
async fn all(mut read: impl AsyncFnMut(&str) -> Answer, query: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = read(&format!("{query}{cursor}")).await.ok();
        found.extend(rows(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

async fn activity(person: &Person, query: &str) -> Vec<Value> {
    all(async |query| person.get(&format!("/wallet/api/activity?{query}")).await, query).await
}

/// What the app can read of a user.
async fn of_app(app: &TestApp, user: UserId) -> Vec<Value> {
    let client = app.client();
    all(async |query| client.get(&format!("/v1/audit?{query}")).await, &format!("user_id={user}&limit=9"))
        .await
}

fn id(row: &Value) -> &str {
    row["id"].as_str().unwrap()
}

/// Rows of several apps in the order of the Wallet.
fn together(parts: impl IntoIterator<Item = Vec<Value>>) -> Vec<Value> {
    let mut rows: Vec<Value> = parts.into_iter().flatten().collect();
    rows.sort_by(|a, b| id(b).cmp(id(a)));
    rows
}

#[tokio::test]
async fn b024_the_wallet_shows_the_rows_that_the_apps_see_row_for_row() {
    let busy = Busy::new().await;
    let Busy { world, other, agent, grants, .. } = &busy;
    let alice = world.alice.user;
    world
        .alice
        .post(&format!("/wallet/api/grants/{}/revoke", grants[0]), &json!({ "reason": "enough" }))
        .await
        .ok();
    let expected = together([of_app(&world.app, alice).await, of_app(other, alice).await]);
    for limit in [1, 4, 100, 500] {
        assert_eq!(activity(&world.alice, &format!("limit={limit}")).await, expected, "pages of {limit}");
    }
    assert_eq!(activity(&world.alice, "").await, expected, "pages of 100");
    let of = |key: &str, value: Value| expected.iter().filter(|row| row[key] == value).count();
    assert_eq!(of("event", json!("call")), 4 * HOSTILE.len() + 2);
    assert_eq!(of("outcome", json!("denied")), 2);
    assert_eq!(of("agent_id", json!(agent.id)), HOSTILE.len() + 1, "what the agent did is in it");
    assert_eq!(of("event", json!("grant.revoked")), 1);
    assert!(of("event", json!("sign_in.completed")) > 0);

    let bobs = activity(&world.bob, "").await;
    assert_eq!(
        bobs,
        together([of_app(&world.app, world.bob.user).await, of_app(other, world.bob.user).await])
    );
    let alices: BTreeSet<&str> = expected.iter().map(id).collect();
    assert!(bobs.iter().all(|row| !alices.contains(id(row))));
    assert!(!json!(expected).to_string().contains("diary"), "nothing of Bob's");
}

#[tokio::test]
async fn b026_what_an_app_gave_as_its_reason_is_shown_word_for_word() {
    let busy = Busy::new().await;
    let alice = &busy.world.alice;
    let shown = activity(alice, &format!("grant_id={}&event=call&q=notes", busy.grants[0])).await;
    let reasons: Vec<&str> = shown.iter().rev().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, HOSTILE);
    busy.world.app.vault.clock.advance(1);
    let long = "word ".repeat(409);
    let call = json!({ "method": "GET", "url": busy.world.upstream.url("/"), "grant_id": busy.grants[0], "reason": long });
    busy.world.app.client().proxy(&call).await.ok();
    let newest = alice.get("/wallet/api/activity?limit=1").await;
    assert_eq!(newest.header("content-type"), Some("application/json"));
    assert_eq!(newest.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(newest.ok()["items"][0]["reason"], long);
}

#[tokio::test]
async fn b117_filters_hold_together_and_a_search_finds_any_part_in_any_case() {
    let busy = Busy::new().await;
    let Busy { world, other, agent, grants, bobs } = &busy;
    let all = activity(&world.alice, "").await;
    let calls = HOSTILE.len();
    for (query, count) in [
        ("event=call".to_owned(), 4 * calls + 2),
        (format!("event=call&app_id={}", world.app.id), 3 * calls + 2),
        (format!("app_id={}&provider_id=there&event=call", other.id), calls),
        (format!("app_id={}&provider_id=here", other.id), 0),
        (format!("grant_id={}", grants[1]), calls),
        (format!("grant_id={}", grants[2]), calls + 1),
        (format!("grant_id={bobs}"), 0),
        (format!("grant_id={}&agent_id={}&outcome=denied", grants[2], agent.id), 1),
        (format!("agent_id={}", agent.id), calls + 1),
        ("provider_id=toy&event=call".to_owned(), 2 * calls + 1),
        ("outcome=denied".to_owned(), 2),
        ("outcome=network_error".to_owned(), 0),
        ("event=grant.revoked".to_owned(), 0),
        ("event=call&since=2026-03-01T12:20:00Z&until=2026-03-01T12:40:00Z".to_owned(), 4),
        ("q=NOTES".to_owned(), calls),
        ("q=%2Fnotes%2F3".to_owned(), 1),
        ("q=ONERROR%3Dalert".to_owned(), 4),
        ("q=evil.example&outcome=success".to_owned(), 4),
        ("q=post".to_owned(), 1),
        ("q=TOY&event=call".to_owned(), 2 * calls + 1),
        (format!("q={}", byte_serialize("\u{202e}GNP".as_bytes()).collect::<String>()), 4),
        ("q=diary".to_owned(), 0),
        ("q=%25".to_owned(), 4),
        ("q=+".to_owned(), all.len()),
        (format!("q={}", "x".repeat(200)), 0),
    ] {
        for limit in [2, 500] {
            let found = activity(&world.alice, &format!("{query}&limit={limit}")).await;
            assert_eq!(found.len(), count, "{query}");
            assert!(found.iter().all(|row| all.contains(row)), "{query}");
        }
    }
    for (query, code) in [
        ("event=calls".to_owned(), "invalid_filter"),
        ("outcome=ok".to_owned(), "invalid_filter"),
        ("since=yesterday".to_owned(), "invalid_filter"),
        ("app_id=mine".to_owned(), "invalid_filter"),
        (format!("user_id={}", world.bob.user), "invalid_filter"),
        ("order=asc".to_owned(), "invalid_filter"),
        (format!("q={}", "x".repeat(201)), "invalid_filter"),
        ("limit=0".to_owned(), "invalid_limit"),
        ("limit=501".to_owned(), "invalid_limit"),
        ("cursor=x".to_owned(), "invalid_cursor"),
        ("format=xml".to_owned(), "invalid_format"),
    ] {
        for path in ["activity", "activity/counts", "activity/export"] {
            world.alice.get(&format!("/wallet/api/{path}?{query}")).await.refused(422, code);
        }
    }
}

#[tokio::test]
async fn b118_a_download_has_the_same_rows_and_no_formula() {
    let busy = Busy::new().await;
    let (alice, query) = (&busy.world.alice, format!("app_id={}&event=call", busy.other.id));
    let shown = activity(alice, &query).await;
    let lines = alice.get(&format!("/wallet/api/activity/export?format=jsonl&{query}")).await;
    assert_eq!(lines.header("content-type"), Some("application/jsonl"));
    let rows: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows, shown);
    let csv = alice.get(&format!("/wallet/api/activity/export?{query}")).await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(csv.header("content-disposition"), Some("attachment; filename=\"wallet-activity.csv\""));
    let text = csv.text();
    for row in &shown {
        assert!(text.contains(id(row)));
    }
    assert!(text.contains("\"'=HYPERLINK(\"\"https://evil.example\"\",\"\"click\"\")\""), "{text}");
    assert!(text.contains("\"'@SUM(A1)"), "{text}");
    assert!(text.contains("<img src=x onerror=alert(1)>"), "{text}");
    assert!(text.contains("\"line one\r\nline two, with a comma and a \"\"quote\"\"\""), "{text}");
    assert!(!alice.get("/wallet/api/activity/export").await.text().contains("diary"));
}

#[tokio::test]
async fn calls_are_counted_by_half_hours() {
    let busy = Busy::new().await;
    let alice = &busy.world.alice;
    let counts = alice.get("/wallet/api/activity/counts").await.ok();
    // A round of calls every twenty minutes, and the two that were refused after them.
    let expected = json!([
        { "at": "2026-03-01T14:00:00Z", "calls": 2, "failed": 2 },
        { "at": "2026-03-01T13:30:00Z", "calls": 4, "failed": 0 },
        { "at": "2026-03-01T13:00:00Z", "calls": 8, "failed": 0 },
        { "at": "2026-03-01T12:30:00Z", "calls": 4, "failed": 0 },
        { "at": "2026-03-01T12:00:00Z", "calls": 8, "failed": 0 },
    ]);
    assert_eq!(counts, json!({ "buckets": expected, "next_cursor": null }));
    let filtered =
        format!("/wallet/api/activity/counts?app_id={}&q=books&until=2026-03-01T13:00:00Z", busy.other.id);
    let expected = json!([
        { "at": "2026-03-01T12:30:00Z", "calls": 1, "failed": 0 },
        { "at": "2026-03-01T12:00:00Z", "calls": 2, "failed": 0 },
    ]);
    assert_eq!(alice.get(&filtered).await.ok()["buckets"], expected);
    let of_agent = format!("/wallet/api/activity/counts?grant_id={}&outcome=denied", busy.grants[2]);
    assert_eq!(
        alice.get(&of_agent).await.ok()["buckets"],
        json!([{ "at": "2026-03-01T14:00:00Z", "calls": 1, "failed": 1 }])
    );
    assert_eq!(alice.get("/wallet/api/activity/counts?event=grant.revoked").await.ok()["buckets"], json!([]));
}

#[tokio::test]
async fn pages_neither_miss_nor_repeat_rows_while_rows_are_added() {
    for seed in 1..=3 {
        read_while_rows_are_added(&Busy::of(harsh(seed).await).await).await;
    }
}

/// Over a table that answers in short pages, some of them empty.
async fn harsh(seed: u64) -> World {
    let harsh = HarshOptions { seed, max_page: 1 + seed as usize, ..HarshOptions::default() };
    World::of(Setup::default().layer(move |table| Arc::new(HarshTable::new(table, harsh))).build().await)
        .await
}

async fn read_while_rows_are_added(busy: &Busy) {
    let alice = &busy.world.alice;
    let before = activity(alice, "limit=500").await;
    busy.world.app.vault.clock.advance(1);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = alice.get(&format!("/wallet/api/activity?limit=5{cursor}")).await.ok();
        seen.extend(rows(&page));
        let call =
            json!({ "method": "GET", "url": busy.world.upstream.url("/new"), "grant_id": busy.grants[0] });
        busy.world.app.client().proxy(&call).await.ok();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, before);
}

#[tokio::test]
async fn b027_a_guessed_id_shows_nothing_and_a_cursor_of_anothers_row_opens_nothing() {
    let busy = Busy::new().await;
    let Busy { world, bobs, .. } = &busy;
    let nothing = json!({ "items": [], "next_cursor": null, "agents": [] });
    let none: GrantId = world.app.vault.ports.new_id().unwrap();
    for grant in [*bobs, none] {
        let path = format!("/wallet/api/activity?grant_id={grant}");
        assert_eq!(world.alice.get(&path).await.ok(), nothing, "Bob's grant is as one that never was");
    }
    let bobs_rows = activity(&world.bob, "").await;
    let mine = activity(&world.alice, "limit=500").await;
    let at_bobs = activity(&world.alice, &format!("cursor={}", id(&bobs_rows[3]))).await;
    assert!(at_bobs.iter().all(|row| mine.contains(row)));
    for path in ["activity", "activity/counts", "activity/export"] {
        let nobody = world.app.vault.anonymous();
        let path = format!("/wallet/api/{path}");
        nobody.send("GET", &path, &[], "").await.refused(401, "wallet_session_required");
        let framed = world.alice.send("GET", &path, &[("sec-fetch-site", "cross-site")], "").await;
        framed.refused(403, "csrf_failed");
    }
}

/// A group's grant is not the user's own: they see what was done for them with it, and nothing of what it did for others.
#[tokio::test]
async fn a_groups_grant_shows_what_it_did_for_whoever_looks() {
    let world = World::new().await;
    let secret = world.secret(&world.app, "shared").await;
    let grant = world.of_group(&world.app, &secret, "staff").await;
    let client = world.app.client();
    for (sub, times) in [("alice", 2), ("bob", 3)] {
        let token = world.idp.claims(sub).claim("groups", json!(["staff"])).sign();
        for _ in 0..times {
            let url = world.upstream.url(&format!("/for-{sub}"));
            let call = json!({ "method": "GET", "url": url, "grant_id": grant, "user_token": token });
            client.proxy(&call).await.ok();
        }
    }
    for (person, count) in [(&world.alice, 2), (&world.bob, 3)] {
        let shown = activity(person, &format!("grant_id={grant}")).await;
        assert_eq!(shown.len(), count);
        assert!(shown.iter().all(|row| row["user_id"] == json!(person.user)));
    }
}

/// Apps of one identity provider may tell its users apart by different claims: one person sees what all of them did.
#[tokio::test]
async fn b020_whoever_is_two_users_by_two_claims_sees_the_rows_of_both() {
    let world = harsh(2).await;
    let by_email = world.app.vault.app_in(world.app.org).await;
    by_email
        .signs_in_at_as(&world.idp, |provider| {
            let claims = alter_domain::oidc::ClaimNames::new("email".to_owned(), None, None).unwrap();
            alter_domain::model::IdentityProvider { claims, ..provider }
        })
        .await;
    let stranger = world.app.vault.app().await;
    stranger.signs_in_at(&world.idp).await;
    let token = world.idp.claims("alice").claim("email", json!("alice@example.com")).sign();
    let same = world.seen(&by_email, &token).await;
    let of_other_organization = world.seen(&stranger, &token).await;
    assert_ne!(same, world.alice.user);
    for (app, user) in [(&by_email, same), (&stranger, of_other_organization)] {
        let secret = world.secret(app, "third").await;
        let grant = app.grant(&secret, GrantSpec::of_user(user, "own")).await;
        let call = json!({ "method": "GET", "url": world.upstream.url("/third"), "grant_id": grant });
        app.client().proxy(&call).await.ok();
    }
    let expected = together([of_app(&world.app, world.alice.user).await, of_app(&by_email, same).await]);
    assert_eq!(expected.iter().filter(|row| row["path"] == "/third").count(), 1);
    for limit in [1, 500] {
        assert_eq!(activity(&world.alice, &format!("limit={limit}")).await, expected);
    }
}

/// What the vault itself does with a connection concerns whose it is, as does the end of an agent's grant on it.
#[tokio::test]
async fn b025_what_happens_to_a_connection_is_shown_to_whose_it_is() {
    let stage = stage().await;
    let (alice, bob) = (stage.person("alice").await, stage.person("bob").await);
    let agent = stage.shop.agent().await;
    let (connection, own) = stage.connected(&alice, "alice").await;
    let delegated = stage.delegated(connection, &agent).await;
    // The access token has expired, and the provider's answer to the refresh is none.
    stage.vault.clock.advance(7200);
    agent.client().proxy(&stage.by(delegated)).await;
    alice.revoke(own).await.ok();
    stage.work().await;
    let shown = activity(&alice, "").await;
    for (event, of_agent) in [
        ("connection.refreshed", 0),
        ("connection.revoked_at_provider", 0),
        ("call", 1),
        ("grant.revoked", 1),
    ] {
        let of_kind: Vec<_> = shown.iter().filter(|row| row["event"] == event).collect();
        assert!(!of_kind.is_empty(), "{event}");
        let agents: Vec<_> =
            of_kind.iter().filter(|row| row["principal_agent_id"] == json!(agent.id)).collect();
        assert_eq!(agents.len(), of_agent, "{event}");
        assert!(agents.iter().all(|row| row["user_id"] == json!(alice.user)), "{event}");
    }
    // Agents of the app that have done nothing for her are not hers to know.
    stage.shop.agent().await;
    let page = alice.get("/wallet/api/activity?limit=500").await.ok();
    let named: Vec<_> = page["agents"].as_array().unwrap().iter().map(|agent| &agent["agent_id"]).collect();
    assert_eq!(named, [&json!(agent.id)]);
    let history = activity(&alice, &format!("grant_id={delegated}")).await;
    assert_eq!(history.len(), 2, "its call and its end");
    let bobs = activity(&bob, "").await;
    assert!(bobs.iter().all(
        |row| row["event"].as_str().unwrap().starts_with("sign_in") || row["user_id"] == json!(bob.user)
    ));
    assert!(activity(&bob, &format!("grant_id={delegated}")).await.is_empty());
}
