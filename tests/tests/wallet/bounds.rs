//! What people see when there is much of it, or little to be had.

use alter_domain::{
    api::AppId,
    model::{Grant, GrantPolicy, GrantState, Principal, Surface},
    repo::{Apps, Grants},
};
use alter_tests::{GrantSpec, SecretSpec};
use serde_json::json;

use crate::{
    holdings::{Everything, everything, ids, texts},
    stage::{Stage, stage},
};

#[tokio::test]
async fn hostile_texts_come_back_word_for_word() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let hostile = "<img src=x onerror=alert(1)> \u{202e}txet\u{202c} \" ' & \u{2028} ${x}";
    let grant = stage.own(&alice, hostile).await;
    let (_, connected) = stage.connected(&alice, "<script>alert('account')</script>").await;
    let reason = "<b>\u{202e}nosaer</b>\n\0\u{1f600}";
    let path = format!("/wallet/api/grants/{grant}/revoke");
    alice.post(&path, &json!({ "reason": reason })).await.ok();
    let card = alice.card(grant).await;
    assert_eq!((&card["label"], &card["ended"]["reason"]), (&json!(hostile), &json!(reason)));
    let card = alice.card(connected).await;
    assert_eq!(card["account"]["identifier"], json!("<script>alert('account')</script>"));
    let answer = alice.get("/wallet/api/overview").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// The session, where to look, the lists, what belongs to them; and two rounds more for agents.
#[tokio::test]
async fn an_overview_is_four_rounds_and_six_with_agents_however_much_there_is() {
    let stage = stage().await;
    let alice = stage.member("alice", &["team", "all"]).await;
    stage.counting.reset();
    alice.overview().await;
    assert!(stage.counting.counts().rounds <= 4, "nothing granted: {:?}", stage.counting.counts());
    stage.of_group("team").await;
    for n in 0..30 {
        stage.own(&alice, &format!("grant {n}")).await;
    }
    let mut connection = None;
    for account in ["one@toy.example", "two@toy.example", "three@toy.example"] {
        connection = Some(stage.connected(&alice, account).await.0);
    }
    stage.counting.reset();
    assert_eq!(alice.grants().await.len(), 34);
    let counts = stage.counting.counts();
    assert_eq!(counts.rounds, 4, "{counts:?}");
    let agent = stage.shop.agent().await;
    stage.delegated(connection.unwrap(), &agent).await;
    stage.counting.reset();
    assert_eq!(alice.grants().await.len(), 35);
    let counts = stage.counting.counts();
    assert_eq!(counts.rounds, 6, "{counts:?}");
    stage.counting.reset();
    alice.detail(stage.own(&alice, "one more").await).await;
    assert!(stage.counting.counts().rounds <= 3, "{:?}", stage.counting.counts());
    let (_, connected) = stage.connected(&alice, "four@toy.example").await;
    stage.counting.reset();
    alice.detail(connected).await;
    assert!(stage.counting.counts().rounds <= 4, "{:?}", stage.counting.counts());
}

#[tokio::test]
async fn of_very_many_what_lives_goes_before_what_is_over() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let ports = stage.vault.calm();
    let mut live = Vec::new();
    // The live ones are the oldest, and the last that the provider's name sorts.
    for n in 0..1015 {
        let at = stage.vault.now();
        let state = match n {
            0..15 => GrantState::Active,
            _ => GrantState::Revoked { at, from: Surface::Sdk, reason: None },
        };
        let grant = Grant {
            id: ports.new_id().unwrap(),
            app_id: stage.shop.id,
            source: alter_domain::model::GrantSource::ManagedSecret { secret_id: stage.secret.id },
            credential_id: stage.secret.credential_id,
            provider_id: if n < 15 { "zz" } else { "aa" }.to_owned(),
            principal: Principal::User { user_id: alice.user },
            label: None,
            policy: GrantPolicy::default(),
            state,
            created_at: at,
        };
        if n < 15 {
            live.push(grant.id);
        }
        stage.vault.clock.advance(1);
        ports.table.transact(Grants::create_ops(&grant).unwrap()).await.unwrap();
    }
    let overview = alice.overview().await;
    let cards = overview["grants"].as_array().unwrap();
    assert_eq!((cards.len(), &overview["truncated"]), (1000, &json!(true)));
    let shown = ids(cards);
    assert!(live.iter().all(|id| shown.contains(&id.to_string())));
    assert_eq!(cards[0]["status"], json!("revoked"), "newest first");
    let mut sorted: Vec<_> = cards.iter().map(|card| card["grant_id"].to_string()).collect();
    sorted.sort_by(|one, other| other.cmp(one));
    assert_eq!(sorted, cards.iter().map(|card| card["grant_id"].to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn storage_that_fails_shows_nothing_rather_than_a_part() {
    use alter_domain::port::StoreError;
    let Everything { stage, alice, seen, .. } = everything().await;
    let whole = ids(&alice.grants().await);
    stage.faults.disarm();
    alice.overview().await;
    let calls = stage.faults.seen();
    assert!(calls >= 10, "{calls}");
    for k in 1..=calls {
        stage.faults.arm(k, StoreError::Unavailable("planned".to_owned()));
        alice.get("/wallet/api/overview").await.refused(503, "store_unavailable");
    }
    stage.faults.disarm();
    assert_eq!(ids(&alice.grants().await), whole);
    assert_eq!(whole, texts(&seen));
}

#[tokio::test]
async fn apps_are_ordered_by_name_and_agents_are_named_with_their_state() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    rename(&stage, stage.shop.id, "zebra").await;
    rename(&stage, stage.desk.id, "Apple").await;
    let (connection, own) = stage.connected(&alice, "alice@toy.example").await;
    let desk = stage.desk.secret(SecretSpec::bearer("d", "token-0123456789", stage.upstream.host())).await;
    stage.desk.grant(&desk, GrantSpec::of_user(alice.user, "desk")).await;
    let (active, ended, idle) =
        (stage.shop.agent().await, stage.shop.agent().await, stage.shop.agent().await);
    for agent in [&active, &ended] {
        stage.delegated(connection, agent).await;
    }
    let over = stage.delegated(connection, &idle).await;
    stage.shop.revoke_agent(&ended).await;
    alice.revoke(over).await.ok();
    let overview = alice.overview().await;
    let names: Vec<_> = overview["apps"].as_array().unwrap().iter().map(|app| &app["name"]).collect();
    assert_eq!(names, [&json!("Apple"), &json!("zebra")]);
    let mut beside = vec![json!(active.id), json!(ended.id)];
    beside.sort_by_key(ToString::to_string);
    assert_eq!(
        alice.card(own).await["agent_ids"],
        json!(beside),
        "one whose grant is revoked is not beside it"
    );
    let named = overview["agents"].as_array().unwrap();
    for (agent, lives) in [(&active, true), (&ended, false)] {
        let card = named.iter().find(|card| card["agent_id"] == json!(agent.id));
        assert_eq!(card.unwrap()["active"], json!(lives));
    }
    assert_eq!(named.len(), 2, "agents that have nothing of hers are not hers to know");
    // Its end is in the history of the connection still.
    let siblings = alice.detail(own).await["siblings"].as_array().unwrap().clone();
    let past = siblings.iter().find(|card| card["grant_id"] == json!(over)).unwrap();
    assert_eq!((&past["status"], &past["may_revoke"]), (&json!("revoked"), &json!(false)));
    assert_eq!(siblings.len(), 3);
}

async fn rename(stage: &Stage, app: AppId, name: &str) {
    let ports = stage.vault.calm();
    let apps = Apps(ports.table.as_ref());
    let mut found = apps.get(stage.shop.org, app).await.unwrap();
    found.value.name = name.to_owned();
    apps.update(&found).await.unwrap();
}
