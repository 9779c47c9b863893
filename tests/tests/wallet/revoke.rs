//! How people end access: what is gone is gone with the next call, and what the receipt says is so (B031).

use alter_domain::{
    api::GrantId,
    model::{ActorKind, EventKind, GrantPolicy, GrantState, OutcomeKind, Phase, Principal, Surface},
    port::{Expect, Key, StoreError, TableName},
};
use serde_json::{Value, json};

use crate::{
    stage::{Stage, stage},
    world::Person,
};

#[tokio::test]
async fn after_revoking_the_very_next_call_is_refused() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let (own, other) = (stage.own(&alice, "one").await, stage.own(&alice, "other").await);
    stage.call(own).await.ok();
    let receipt = alice.revoke(own).await.ok();
    stage.call(own).await.refused(403, "grant_revoked");
    stage.call(other).await.ok();
    assert_eq!(
        receipt["grant"]["ended"],
        json!({ "at": stage.vault.now(), "from": "wallet", "reason": null, "tokens_deleted": false,
            "provider_revocation": null })
    );
    assert_eq!(receipt["ended_with_it"], json!([]));
    let card = &receipt["grant"];
    assert_eq!((&card["status"], &card["may_revoke"]), (&json!("revoked"), &json!(false)));
    assert_eq!(*card, alice.card(own).await);
    alice.revoke(own).await.refused(409, "grant_revoked");
    // It stands on the record as hers, with where she was.
    let [row] = &stage.on_record(EventKind::GrantRevoked)[..] else { panic!("one row") };
    assert_eq!((row.actor.kind, row.actor.ip.as_deref()), (ActorKind::User, Some("192.0.2.7")));
    assert_eq!((row.user_id, row.user()), (Some(alice.user), Some(alice.user)));
    assert_eq!((row.surface, row.app_id), (Some(Surface::Wallet), Some(stage.shop.id)));
    assert_eq!(row.grant.as_ref().unwrap().id, own);
    // The operator sees whose hand it was.
    let operator = stage.vault.operator(stage.shop.org, alter_domain::model::Permission::Read).await;
    let seen = operator.get(&format!("/portal/v1/apps/{}/grants/{own}", stage.shop.id)).await.ok();
    assert_eq!(seen["revoked_from"], json!("wallet"));
}

#[tokio::test]
async fn an_expired_grant_can_still_be_ended() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let grant = stage.limited(Principal::User { user_id: alice.user }, 60, None).await;
    stage.vault.clock.advance(61);
    let card = alice.card(grant).await;
    assert_eq!((&card["status"], &card["may_revoke"]), (&json!("expired"), &json!(true)));
    alice.revoke(grant).await.ok();
    stage.call(grant).await.refused(403, "grant_revoked");
}

#[tokio::test]
async fn one_agents_access_ends_alone() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let (agent, other) = (stage.shop.agent().await, stage.shop.agent().await);
    let (connection, own) = stage.connected(&alice, "alice@toy.example").await;
    let (first, second) =
        (stage.delegated(connection, &agent).await, stage.delegated(connection, &other).await);
    agent.client().proxy(&stage.by(first)).await.ok();
    let receipt = alice.revoke(first).await.ok();
    assert_eq!(receipt["ended_with_it"], json!([]));
    assert_eq!(receipt["grant"]["ended"]["tokens_deleted"], json!(false));
    agent.client().proxy(&stage.by(first)).await.refused(403, "grant_revoked");
    other.client().proxy(&stage.by(second)).await.ok();
    stage.call(own).await.ok();
    assert_eq!(alice.card(own).await["agent_ids"], json!([other.id]));
    assert_eq!(stage.shop.connection(connection).await.value.live_grants, 2);
    let [row] = &stage.on_record(EventKind::GrantRevoked)[..] else { panic!("one row") };
    assert_eq!((row.actor.kind, row.user()), (ActorKind::User, Some(alice.user)));
    alice.revoke(first).await.refused(409, "grant_revoked");
}

#[tokio::test]
async fn with_a_users_own_grant_its_agents_and_the_tokens_go_and_the_provider_is_told() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let agents = [stage.shop.agent().await, stage.shop.agent().await, stage.shop.agent().await];
    let (connection, own) = stage.connected(&alice, "alice@toy.example").await;
    let (untouched, bystander) = stage.connected(&alice, "second@toy.example").await;
    let mut delegated = Vec::new();
    for agent in &agents {
        delegated.push(stage.delegated(connection, agent).await);
    }
    let beside = stage.delegated(untouched, &agents[0]).await;
    // One was ended before, and is not ended again.
    alice.revoke(delegated[2]).await.ok();
    stage.vault.work.take();
    let path = format!("/wallet/api/grants/{own}/revoke");
    let receipt = alice.post(&path, &json!({ "reason": "I moved on" })).await.ok();
    let mut ended: Vec<GrantId> = serde_json::from_value(receipt["ended_with_it"].clone()).unwrap();
    ended.sort_unstable();
    let mut expected = delegated[..2].to_vec();
    expected.sort_unstable();
    assert_eq!(ended, expected);
    let pending = json!({ "status": "pending", "at": null, "reason": null });
    let end = &receipt["grant"]["ended"];
    assert_eq!((&end["tokens_deleted"], &end["provider_revocation"]), (&json!(true), &pending));
    assert_eq!(end["reason"], json!("I moved on"));
    assert_eq!(receipt["grant"]["agent_ids"], json!([]));
    for (agent, grant) in agents.iter().zip(&delegated) {
        agent.client().proxy(&stage.by(*grant)).await.refused(403, "grant_revoked");
    }
    stage.call(own).await.refused(403, "grant_revoked");
    assert!(!stage.has_tokens(connection).await);
    assert_eq!(stage.upstream.to("/revoke"), 0);
    assert_eq!(stage.work().await, 1);
    assert_eq!(stage.upstream.to("/revoke"), 1);
    let told = alice.detail(own).await["grant"]["ended"]["provider_revocation"].clone();
    assert_eq!(told, json!({ "status": "revoked", "at": stage.vault.now(), "reason": null }));
    // The other account of hers goes on.
    stage.call(bystander).await.ok();
    agents[0].client().proxy(&stage.by(beside)).await.ok();
    let rows = stage.on_record(EventKind::GrantRevoked);
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.user() == Some(alice.user) && row.actor.ip.is_some()));
    assert!(rows[1..].iter().all(|row| row.detail["reason"] == "I moved on"));
}

#[tokio::test]
async fn tokens_stay_as_long_as_somebody_elses_grant_needs_them() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let (connection, own) = stage.connected(&alice, "alice@toy.example").await;
    let user = Principal::User { user_id: alice.user };
    let sibling = stage.beside(connection, user, GrantPolicy::default()).await;
    let receipt = alice.revoke(own).await.ok();
    let end = &receipt["grant"]["ended"];
    assert_eq!((&end["tokens_deleted"], &end["provider_revocation"]), (&json!(false), &Value::Null));
    assert!(stage.has_tokens(connection).await);
    stage.call(sibling).await.ok();
    let receipt = alice.revoke(sibling).await.ok();
    assert_eq!(receipt["grant"]["ended"]["tokens_deleted"], json!(true));
    // What was said of the first was true then, and is told anew.
    assert_eq!(alice.card(own).await["ended"]["tokens_deleted"], json!(true));
}

#[tokio::test]
async fn what_agents_have_on_somebody_elses_connection_is_not_ended() {
    let stage = stage().await;
    let (alice, bob) = (stage.person("alice").await, stage.person("bob").await);
    let agent = stage.shop.agent().await;
    let (connection, _) = stage.connected(&alice, "alice@toy.example").await;
    let delegated = stage.delegated(connection, &agent).await;
    let user = Principal::User { user_id: bob.user };
    let lent = stage.beside(connection, user, GrantPolicy::default()).await;
    let receipt = bob.revoke(lent).await.ok();
    assert_eq!(receipt["ended_with_it"], json!([]), "{receipt}");
    agent.client().proxy(&stage.by(delegated)).await.ok();
}

#[tokio::test]
async fn what_is_left_of_agents_when_the_operator_ended_the_users_own_is_the_users_to_end() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let agent = stage.shop.agent().await;
    let (connection, own) = stage.connected(&alice, "alice@toy.example").await;
    let delegated = stage.delegated(connection, &agent).await;
    let revoke = format!("/sdk/oauth/grants/{own}/revoke");
    stage.shop.client().post(&revoke, &json!({})).await.ok();
    let card = alice.card(own).await;
    assert_eq!((&card["may_revoke"], &card["ended"]["tokens_deleted"]), (&json!(false), &json!(false)));
    assert_eq!(card["agent_ids"], json!([agent.id]), "it still may");
    alice.revoke(own).await.refused(409, "grant_revoked");
    let receipt = alice.revoke(delegated).await.ok();
    assert_eq!(receipt["grant"]["ended"]["tokens_deleted"], json!(true));
    agent.client().proxy(&stage.by(delegated)).await.refused(403, "grant_revoked");
}

#[tokio::test]
async fn a_reason_is_kept_word_for_word_and_bounded_before_anything_ends() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let agent = stage.shop.agent().await;
    let (connection, own) = stage.connected(&alice, "alice@toy.example").await;
    let delegated = stage.delegated(connection, &agent).await;
    let path = format!("/wallet/api/grants/{own}/revoke");
    alice.post(&path, &json!({ "reason": "x".repeat(2049) })).await.refused(422, "invalid_reason");
    alice.post(&path, &json!({ "reason": 7 })).await.refused(400, "invalid_request");
    alice.post(&path, &json!({ "why": "x" })).await.refused(400, "invalid_request");
    assert!(stage.is_live(own).await && stage.is_live(delegated).await);
    let reason = "\u{1f600}".repeat(512);
    let receipt = alice.post(&path, &json!({ "reason": reason })).await.ok();
    assert_eq!(receipt["grant"]["ended"]["reason"], json!(reason));
    let blank = stage.own(&alice, "blank").await;
    let path = format!("/wallet/api/grants/{blank}/revoke");
    let receipt = alice.post(&path, &json!({ "reason": "  " })).await.ok();
    assert_eq!(receipt["grant"]["ended"]["reason"], Value::Null);
}

/// A browser that clicks twice, or two of them.
#[tokio::test]
async fn of_many_clicks_at_once_one_ends_it_and_none_fails_in_another_way() {
    for _ in 0..5 {
        let stage = stage().await;
        let alice = stage.person("alice").await;
        let (connection, own) = stage.connected(&alice, "alice@toy.example").await;
        for _ in 0..3 {
            let agent = stage.shop.agent().await;
            stage.delegated(connection, &agent).await;
        }
        let clicks = futures_util::future::join_all((0..4).map(|_| alice.revoke(own))).await;
        let (done, late): (Vec<_>, Vec<_>) = clicks.into_iter().partition(|click| click.status == 200);
        assert_eq!(done.len(), 1, "{late:?}");
        for click in late {
            click.refused(409, "grant_revoked");
        }
        assert!(!stage.has_tokens(connection).await);
        assert_eq!(stage.shop.connection(connection).await.value.live_grants, 0);
        assert_eq!(stage.work().await, 1, "the provider is told once");
    }
}

struct Connected {
    stage: Stage,
    alice: Person,
    own: GrantId,
    delegated: [GrantId; 2],
    connection: alter_domain::api::ConnectionId,
}

impl Connected {
    async fn new() -> Self {
        let stage = stage().await;
        let alice = stage.person("alice").await;
        let (connection, own) = stage.connected(&alice, "alice@toy.example").await;
        let (one, two) = (stage.shop.agent().await, stage.shop.agent().await);
        let delegated = [stage.delegated(connection, &one).await, stage.delegated(connection, &two).await];
        Self { stage, alice, own, delegated, connection }
    }

    /// What the connection counts is what lives on it, and the tokens go with the last.
    async fn is_consistent(&self) {
        let mut live = 0;
        for id in [self.own, self.delegated[0], self.delegated[1]] {
            live += u32::from(self.stage.is_live(id).await);
        }
        assert_eq!(self.stage.shop.connection(self.connection).await.value.live_grants, live);
        assert_eq!(self.stage.has_tokens(self.connection).await, live > 0);
        assert!(!self.stage.is_live(self.own).await || live > 0);
    }
}

/// Each call of storage fails once: what was done is whole, and asking again ends the rest.
#[tokio::test]
async fn wherever_storage_fails_asking_again_ends_it_all() {
    let whole = Connected::new().await;
    whole.stage.faults.disarm();
    whole.alice.revoke(whole.own).await.ok();
    let calls = whole.stage.faults.seen();
    assert!(calls > 20, "{calls}");
    for k in 1..=calls {
        let error =
            if k % 2 == 0 { StoreError::Throttled } else { StoreError::Unavailable("planned".to_owned()) };
        let world = Connected::new().await;
        world.stage.faults.arm(k, error);
        let first = world.alice.revoke(world.own).await;
        world.stage.faults.disarm();
        assert_eq!(first.status, 503, "call {k}: {}", first.text());
        world.is_consistent().await;
        let ended_before = !world.stage.is_live(world.own).await;
        let second = world.alice.revoke(world.own).await;
        match ended_before {
            true => drop(second.refused(409, "grant_revoked")),
            false => assert_eq!(second.ok()["grant"]["ended"]["tokens_deleted"], json!(true), "call {k}"),
        }
        for id in [world.own, world.delegated[0], world.delegated[1]] {
            assert!(!world.stage.is_live(id).await, "call {k}");
        }
        world.is_consistent().await;
        let detail = world.alice.detail(world.own).await;
        assert_eq!(detail["grant"]["ended"]["tokens_deleted"], json!(true), "call {k}");
        world.stage.work().await;
        assert_eq!(world.stage.upstream.to("/revoke"), 1, "call {k}");
    }
}

#[tokio::test]
async fn without_a_durable_record_nothing_ends() {
    let world = Connected::new().await;
    let stage = &world.stage;
    stage.vault.audit.refuse(|event| event.phase == Phase::Intent);
    world.alice.revoke(world.own).await.refused(503, "audit_unavailable");
    stage.vault.audit.accept();
    assert!(stage.is_live(world.own).await);
    assert!(stage.is_live(world.delegated[0]).await && stage.is_live(world.delegated[1]).await);
    // The record fails between the agents' grants and her own: asked again, it goes on.
    let own = world.own;
    stage.vault.audit.refuse(move |event| event.grant.as_ref().is_some_and(|grant| grant.id == own));
    world.alice.revoke(own).await.refused(503, "audit_unavailable");
    stage.vault.audit.accept();
    assert!(stage.is_live(own).await && !stage.is_live(world.delegated[0]).await);
    world.is_consistent().await;
    let receipt = world.alice.revoke(own).await.ok();
    assert_eq!(receipt["ended_with_it"], json!([]));
    assert_eq!(receipt["grant"]["ended"]["tokens_deleted"], json!(true));
}

#[tokio::test]
async fn a_lost_signal_costs_nothing_but_time() {
    let world = Connected::new().await;
    world.stage.vault.work.fail(true);
    let receipt = world.alice.revoke(world.own).await.ok();
    assert_eq!(receipt["grant"]["ended"]["provider_revocation"]["status"], json!("pending"));
    world.stage.vault.work.fail(false);
    world.stage.vault.revoker().run(alter_domain::port::Work::Due).await.unwrap();
    assert_eq!(world.stage.upstream.to("/revoke"), 1);
}

/// A call that is refused does not pass for one that was ended.
#[tokio::test]
async fn refusals_are_on_the_record_too() {
    let world = Connected::new().await;
    let group = world.stage.of_group("team").await;
    world.alice.revoke(group).await.refused(404, "grant_not_found");
    assert!(matches!(world.stage.stored(group).await.state, GrantState::Active));
    world.alice.revoke(world.own).await.ok();
    let rows = world.stage.on_record(EventKind::GrantRevoked);
    assert!(rows.iter().all(|row| row.outcome.as_ref().unwrap().kind == OutcomeKind::Success));
    assert_eq!(rows.len(), 3);
}

#[tokio::test]
async fn tokens_that_are_lost_do_not_keep_access_from_ending() {
    let world = Connected::new().await;
    let credential = world.stage.shop.connection(world.connection).await.value.credential_id;
    let key = Key::new(format!("credential#{credential}"), "credential");
    world.stage.vault.calm().table.delete(TableName::Vault, &key, Expect::Any).await.unwrap();
    let receipt = world.alice.revoke(world.own).await.ok();
    let told = &receipt["grant"]["ended"]["provider_revocation"];
    assert_eq!(told["status"], json!("failed"), "nobody was told, and that is said");
    world.is_consistent().await;
    assert!(!world.stage.is_live(world.own).await);
}

/// Lists lag behind in production: what was done a moment ago shows all the same, and a click is answered by what is.
#[tokio::test]
async fn what_has_ended_shows_at_once_although_lists_are_late() {
    let Connected { stage, alice, own, delegated, .. } = Connected::new().await;
    stage.harsh.set(|harsh| (harsh.stale_writes, harsh.max_page, harsh.empty_pages) = (1000, 2, 250));
    alice.revoke(delegated[0]).await.ok();
    let other = alice.card(delegated[1]).await["holder"]["agent_id"].clone();
    assert_eq!(alice.card(own).await["agent_ids"], json!([other]));
    alice.revoke(delegated[0]).await.refused(409, "grant_revoked");
    let receipt = alice.revoke(own).await.ok();
    assert_eq!(receipt["ended_with_it"], json!([delegated[1]]));
    assert_eq!(receipt["grant"]["ended"]["tokens_deleted"], json!(true));
    let card = alice.card(own).await;
    assert_eq!((&card["status"], &card["agent_ids"]), (&json!("revoked"), &json!([])));
    assert_eq!(alice.grants().await.len(), 1);
    for sibling in alice.detail(own).await["siblings"].as_array().unwrap() {
        assert_eq!((&sibling["status"], &sibling["may_revoke"]), (&json!("revoked"), &json!(false)));
    }
}

/// Competitors, throttling and answers that get lost, at every turn: whoever goes on asking has it ended, whole.
#[tokio::test]
async fn in_rough_weather_whoever_goes_on_asking_has_it_ended() {
    for seed in 0..12 {
        let world = Connected::new().await;
        world.stage.harsh.set(|harsh| {
            harsh.seed = seed;
            (harsh.conflicts, harsh.throttles, harsh.lost_answers) = (150, 30, 30);
            (harsh.stale_writes, harsh.max_page, harsh.empty_pages) = (20, 2, 250);
        });
        let mut tries = 0;
        loop {
            let answer = world.alice.revoke(world.own).await;
            match answer.status.as_u16() {
                200 => break,
                409 => {
                    answer.refused(409, "grant_revoked");
                    break;
                }
                503 => tries += 1,
                _ => panic!("{}", answer.text()),
            }
            assert!(tries < 100, "it never ends");
            world.is_consistent().await;
        }
        for id in [world.own, world.delegated[0], world.delegated[1]] {
            assert!(!world.stage.is_live(id).await);
        }
        world.is_consistent().await;
    }
}
