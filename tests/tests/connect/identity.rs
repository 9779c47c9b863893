//! Whose tokens replace whose: tenants and persons, grants that have expired, accounts that are not known, what is under way.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use alter_domain::{
    model::{Connection, GrantStatus, Lease},
    repo::{Connections, Stored},
};
use alter_table_contract::{HarshOptions, HarshTable};
use alter_tests::Setup;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    provider::definition,
    support::{Session, Stage, path_of},
};

/// A visit that the provider answers with this beside the tokens. Returns what the app is told.
async fn visit(stage: &Stage, body: Value, own: Value) -> Value {
    let session = stage.session(body).await;
    come(stage, &session, own).await
}

async fn come(stage: &Stage, session: &Session, own: Value) -> Value {
    let mut browser = stage.browser();
    let page = browser.open(session).await;
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "somebody");
    let number = stage.provider.exchanges().len();
    let mut reply = json!({
        "access_token": format!("access-{number}-canary"), "refresh_token": format!("refresh-{number}-canary"), "expires_in": 3600,
    });
    for (name, value) in own.as_object().unwrap() {
        reply[name] = value.clone();
    }
    stage.provider.answer_next(200, reply);
    browser.come_back(&back).await;
    stage.poll(session).await
}

fn grant(result: &Value) -> String {
    result["grants"][0]["grant_id"].as_str().unwrap_or_else(|| panic!("{result}")).to_owned()
}

/// With a tenant in the reply.
fn with_tenant() -> Value {
    let mut toy = definition("toy");
    toy["variables"] = json!([
        { "name": "tenant", "label": "Tenant", "source": { "reply": { "path": "tenant" } }, "shape": "word" }
    ]);
    toy["api"]["base_url"] = json!("https://toy.example/{tenant}");
    toy
}

fn of(account: &str, tenant: &str) -> Value {
    json!({ "account": { "id": account }, "tenant": tenant })
}

async fn connection(stage: &Stage, number: usize) -> Stored<Connection> {
    let id = stage.connections("toy").await[number].id;
    Connections(stage.vault.calm().table.as_ref()).get(stage.app.id, id).await.unwrap()
}

#[tokio::test]
async fn one_identifier_at_two_tenants_is_two_connections() {
    let stage = Stage::of(&[with_tenant()]).await;
    let first = grant(&visit(&stage, json!({}), of("7", "acme")).await);
    let second = visit(&stage, json!({}), of("7", "evil")).await;
    assert_ne!(grant(&second), first);
    let connections = stage.connections("toy").await;
    assert_eq!(
        connections.iter().map(|c| (c.seal_version, c.live_grants)).collect::<Vec<_>>(),
        [(1, 1), (1, 1)]
    );
    let mut urls: Vec<_> = connections.iter().filter_map(|c| c.delivery.api_base_url.as_deref()).collect();
    urls.sort_unstable();
    assert_eq!(urls, ["https://toy.example/acme", "https://toy.example/evil"]);
    // Nor may a repair lead elsewhere; the person's other connection is not cut off for having tried.
    let repair = json!({ "repair_grant_id": first, "direct": true });
    let result = visit(&stage, repair, of("7", "evil")).await;
    assert_eq!(result["error"]["error_code"], "account_mismatch", "{result}");
    assert_eq!(stage.connections("toy").await, connections);
    stage.work().await;
    assert_eq!(stage.provider.revoked(), Vec::<String>::new());
    // The same of both is the same.
    assert_eq!(grant(&visit(&stage, json!({}), of("7", "acme")).await), first);
}

#[tokio::test]
async fn two_persons_of_one_tenant_are_two_connections() {
    let mut toy = definition("toy");
    toy["account"]["also"] = json!(["person"]);
    let stage = Stage::of(&[toy]).await;
    let reply = |person: &str| json!({ "account": { "id": "portal" }, "person": person });
    let ada = grant(&visit(&stage, json!({}), reply("ada")).await);
    let bob = grant(&visit(&stage, json!({}), reply("bob")).await);
    assert_ne!(ada, bob);
    assert_eq!(grant(&visit(&stage, json!({}), reply("ada")).await), ada);
    assert_eq!(stage.connections("toy").await.len(), 2);
    // Where the person is not told, nobody is taken for anybody, and a repair of somebody's waits for the word.
    let nameless = json!({ "account": { "id": "portal" } });
    assert_ne!(grant(&visit(&stage, json!({}), nameless.clone()).await), ada);
    assert_eq!(stage.connections("toy").await.len(), 3);
    let result = visit(&stage, json!({ "repair_grant_id": ada, "direct": true }), nameless).await;
    assert_eq!(result["error"]["error_code"], "account_unknown", "{result}");
}

#[tokio::test]
async fn an_account_of_many_is_never_joined_but_can_be_repaired() {
    let mut toy = definition("toy");
    toy["account"]["of_many"] = json!(true);
    let stage = Stage::of(&[toy]).await;
    let reply = json!({ "account": { "id": "portal" } });
    let first = grant(&visit(&stage, json!({}), reply.clone()).await);
    assert_ne!(grant(&visit(&stage, json!({}), reply.clone()).await), first);
    let repaired = visit(&stage, json!({ "repair_grant_id": first }), reply).await;
    assert_eq!(grant(&repaired), first);
    let connections = stage.connections("toy").await;
    let mut versions: Vec<_> = connections.iter().map(|c| c.seal_version).collect();
    versions.sort_unstable();
    assert_eq!(versions, [1, 2]);
}

#[tokio::test]
async fn a_grant_that_has_expired_lives_again_under_its_id() {
    for terms in [json!({}), json!({ "label": "Reports" })] {
        let stage = Stage::new().await;
        let mut body = json!({ "grant_policy": { "max_ttl_seconds": 60 } });
        if terms["label"].is_string() {
            body["requested_grant"] = terms.clone();
        }
        let reply = json!({ "account": { "id": "alice" } });
        let first = grant(&visit(&stage, body.clone(), reply.clone()).await);
        stage.vault.clock.advance(61);
        body.as_object_mut().unwrap().remove("grant_policy");
        let again = visit(&stage, body, reply).await;
        assert_eq!(grant(&again), first);
        assert_eq!(again["grants"][0]["operation"], "reauth");
        let grants = stage.grants().await;
        assert_eq!((grants.len(), grants[0].status(stage.vault.now())), (1, GrantStatus::Active));
        assert_eq!(stage.connections("toy").await[0].live_grants, 1);
        // So revoking it is the end, at the provider too.
        stage.client().post(&format!("/sdk/oauth/grants/{first}/revoke"), &json!({})).await.ok();
        stage.work().await;
        assert_eq!(stage.provider.revoked().len(), 1);
    }
}

#[tokio::test]
async fn a_repair_whose_account_is_not_told_changes_nothing_and_ends_nothing() {
    let stage = Stage::new().await;
    let first = grant(&visit(&stage, json!({}), json!({ "account": { "id": "alice" } })).await);
    let before = stage.connections("toy").await;
    let session = stage.session(json!({ "repair_grant_id": first })).await;
    let result = come(&stage, &session, json!({})).await;
    assert_eq!(result["status"], "pending", "it may be tried again");
    assert_eq!(stage.connections("toy").await, before);
    stage.work().await;
    assert_eq!(stage.provider.revoked(), Vec::<String>::new());
    let direct = visit(&stage, json!({ "repair_grant_id": first, "direct": true }), json!({})).await;
    assert_eq!(direct["error"]["error_code"], "account_unknown", "{direct}");
}

#[tokio::test]
async fn an_agents_own_key_makes_no_grants() {
    let stage = Stage::new().await;
    let agent = stage.app.agent().await;
    for body in [json!({}), json!({ "allowed_providers": ["toy"] })] {
        let answer = agent.client().post("/sdk/oauth/connect/session", &body).await;
        answer.refused(422, "repair_grant_id_required");
    }
}

#[tokio::test]
async fn who_needs_no_user_is_offered_only_by_name() {
    let mut robot = definition("robot");
    robot["flow"] = json!("jwt_bearer");
    robot.as_object_mut().unwrap().remove("authorization");
    let stage = Stage::of(&[robot.clone()]).await;
    stage.create(json!({})).await.refused(409, "no_provider_configured");
    stage.create(json!({ "allowed_providers": ["robot"] })).await.ok();
    let stage = Stage::of(&[robot, definition("toy")]).await;
    assert_eq!(stage.create(json!({})).await.ok()["single_provider"], true);
}

#[tokio::test]
async fn what_came_before_a_failure_is_ended_at_the_provider() {
    let mut toy = definition("toy");
    toy["variables"] = json!([{ "name": "site", "label": "Site", "source": "lookup", "shape": "word" }]);
    toy["lookups"] =
        json!([{ "request": { "url": "https://toy.example/sites" }, "set": { "site": "0.id" } }]);
    let stage = Stage::of(&[toy]).await;
    let result = visit(&stage, json!({ "direct": true }), json!({})).await;
    assert_eq!(result["status"], "error", "{result}");
    assert_eq!((stage.grants().await, stage.connections("toy").await), (vec![], vec![]));
    stage.work().await;
    assert_eq!(stage.provider.revoked().len(), 1);
}

#[tokio::test]
async fn a_reply_that_repeats_a_token_is_not_kept() {
    let mut toy = definition("toy");
    toy["account"] = json!({ "source": "reply", "identifier": ["access_token"] });
    let stage = Stage::of(&[toy]).await;
    let result = visit(&stage, json!({ "direct": true }), json!({})).await;
    assert_eq!(result["error"]["error_code"], "provider_reply_invalid", "{result}");
    assert!(!result.to_string().contains("canary"));
    assert_eq!(stage.connections("toy").await, []);
    stage.work().await;
    assert_eq!(stage.provider.revoked().len(), 1);
}

/// A stage whose store can be made harsh.
async fn harsh(options: HarshOptions, definitions: &[Value]) -> (Stage, Arc<HarshTable>) {
    let slot: Arc<Mutex<Option<Arc<HarshTable>>>> = Arc::default();
    let keep = Arc::clone(&slot);
    let setup = Setup::default().layer(move |inner| {
        let table = Arc::new(HarshTable::new(inner, options));
        *keep.lock().unwrap() = Some(Arc::clone(&table));
        table
    });
    let stage = Stage::with(setup, definitions).await;
    let table = slot.lock().unwrap().take().unwrap();
    (stage, table)
}

#[tokio::test]
async fn a_store_that_is_busy_for_half_a_second_loses_nothing() {
    let (stage, table) = harsh(HarshOptions::default(), &[definition("toy")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let back = path_of(&stage.provider.allow(&browser.start(&page, "toy").await, "alice"));
    let busy = Arc::clone(&table);
    stage.provider.at_the_next_exchange(move || {
        busy.set(|harsh| harsh.throttles = 1000);
        tokio::spawn(async move {
            sleep(Duration::from_millis(500)).await;
            busy.set(|harsh| harsh.throttles = 0);
        });
    });
    assert_eq!(browser.get(&back).await.status, 303);
    assert_eq!(stage.poll(&session).await["status"], "completed");
    assert_eq!((stage.grants().await.len(), stage.connections("toy").await.len()), (1, 1));
    assert_eq!(stage.provider.revoked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_second_tab_has_the_grant_of_the_first_although_no_list_has_it_yet() {
    let options = HarshOptions { empty_pages: 0, stale_writes: 1000, ..HarshOptions::default() };
    let (stage, table) = harsh(options, &[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({ "allowed_providers": ["toy", "two"] })).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let one = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let two = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    browser.come_back(&one).await;
    browser.come_back(&two).await;
    table.catch_up().await;
    assert_eq!((stage.grants().await.len(), stage.connections("toy").await.len()), (1, 1));
    let connection = stage.connections("toy").await.remove(0);
    assert_eq!((connection.live_grants, connection.seal_version), (1, 2));
}

#[tokio::test]
async fn a_token_that_is_being_exchanged_is_not_kept_before_that_has_ended() {
    let stage = Arc::new(Stage::new().await);
    visit(&stage, json!({}), json!({ "account": { "id": "alice" } })).await;
    let ports = stage.vault.calm();
    let connections = Connections(ports.table.as_ref());
    let mut leased = connection(&stage, 0).await;
    leased.value.lease = Some(Lease {
        holder: ports.new_id().unwrap(),
        until: stage.vault.now().checked_add(Duration::from_secs(25)).unwrap(),
        first_sent_at: Some(stage.vault.now()),
        attempts: 1,
    });
    connections.update(&leased, None).await.unwrap();
    stage.provider.keep_refresh_tokens();
    let session = stage.session(json!({})).await;
    let visiting = {
        let (stage, session) = (Arc::clone(&stage), session.clone());
        tokio::spawn(async move { drop(stage.connect(&session, "alice").await) })
    };
    while stage.provider.exchanges().len() < 2 {
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_millis(200)).await;
    let mut present = connection(&stage, 0).await;
    assert_eq!(
        (present.value.seal_version, stage.poll(&session).await["status"].as_str()),
        (1, Some("pending"))
    );
    present.value.lease = None;
    connections.update(&present, None).await.unwrap();
    visiting.await.unwrap();
    let renewed = connection(&stage, 0).await.value;
    assert_eq!((renewed.seal_version, renewed.tokens.refreshable), (2, true));
}

#[tokio::test]
async fn an_account_that_another_connection_has_stays_with_it() {
    let stage = Stage::new().await;
    let alice = json!({ "account": { "id": "alice" } });
    let first = grant(&visit(&stage, json!({}), alice.clone()).await);
    let nameless = grant(&visit(&stage, json!({}), json!({})).await);
    // Its account turns out to be the first one's.
    let repaired = visit(&stage, json!({ "repair_grant_id": nameless }), alice.clone()).await;
    assert_eq!(grant(&repaired), nameless);
    stage.client().post(&format!("/sdk/oauth/grants/{nameless}/revoke"), &json!({})).await.ok();
    assert_eq!(grant(&visit(&stage, json!({}), alice).await), first);
    assert_eq!(stage.connections("toy").await.len(), 1);
}

#[tokio::test]
async fn a_return_url_has_no_parameter_of_the_results() {
    for name in ["error_code", "error_description", "status"] {
        let url = format!("https://app.example/?{name}=x");
        stage_refuses(&url).await;
    }
}

async fn stage_refuses(url: &str) {
    let stage = Stage::new().await;
    stage.create(json!({ "return_url": url })).await.refused(422, "invalid_return_url");
}

#[tokio::test]
async fn a_visit_that_asks_for_less_takes_nothing_away_from_the_grants_that_are_there() {
    let stage = Stage::new().await;
    let with = |scope: &str| json!({ "account": { "id": "alice" }, "scope": scope });
    let first = grant(&visit(&stage, json!({}), with("notes:read notes:write")).await);
    let label = json!({ "requested_grant": { "label": "to read" } });
    let second = grant(&visit(&stage, label, with("notes:read")).await);
    assert_ne!(first, second);
    let stored = connection(&stage, 0).await.value;
    assert_eq!((stored.live_grants, stored.seal_version), (2, 1), "the tokens that allow more stay");
    assert_eq!(stored.scopes, ["notes:read", "notes:write"]);
    // As many or more: the fresh ones are taken.
    visit(&stage, json!({}), with("notes:write notes:read profile")).await;
    let stored = connection(&stage, 0).await.value;
    assert_eq!((stored.live_grants, stored.seal_version), (2, 2));
    assert_eq!(stored.scopes, ["notes:write", "notes:read", "profile"]);
    // Tokens that no longer work are no reason to refuse others.
    stage.vault.clock.advance(10);
    let ports = stage.vault.calm();
    let mut broken = connection(&stage, 0).await;
    broken.value.state = alter_domain::model::ConnectionState::Broken {
        at: stage.vault.now(),
        code: "invalid_grant".to_owned(),
    };
    Connections(ports.table.as_ref()).update(&broken, None).await.unwrap();
    visit(&stage, json!({}), with("notes:read")).await;
    assert_eq!(connection(&stage, 0).await.value.scopes, ["notes:read"]);
}
