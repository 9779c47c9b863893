//! More time, within what the operator allows (B099).

use alter_domain::{
    model::{ActorKind, EventKind, GrantPolicy, GrantState, OutcomeKind, Principal, Surface},
    port::{StoreError, Work},
    repo::Grants,
};
use alter_tests::GrantSpec;
use serde_json::{Value, json};

use crate::stage::stage;

const DAY: i64 = 86_400;

#[tokio::test]
async fn b099_a_user_extends_their_own_grant_up_to_the_operators_maximum() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let user = Principal::User { user_id: alice.user };
    let (made, ends, latest) = (stage.vault.now(), stage.in_seconds(60), stage.in_seconds(600));
    let grant = stage.limited(user, 60, Some(600)).await;
    let card = alice.card(grant).await;
    assert_eq!((&card["expires_at"], &card["extendable_to"]), (&json!(ends), &json!(latest)));
    for (to, why) in [
        (stage.in_seconds(601), "past the maximum"),
        (ends, "no later than it is"),
        (stage.in_seconds(30), "sooner"),
        (stage.in_seconds(-5), "past"),
        (made, "now"),
    ] {
        alice.extend(grant, to).await.refused(422, "invalid_expires_at");
        assert_eq!(stage.stored(grant).await.policy.expires_at, Some(ends), "{why}");
    }
    let path = format!("/wallet/api/grants/{grant}/extend");
    for body in [json!({}), json!({ "expires_at": "tomorrow" }), json!({ "expires_at": latest, "by": 1 })] {
        alice.post(&path, &body).await.refused(400, "invalid_request");
    }
    let between = stage.in_seconds(300);
    let card = alice.extend(grant, between).await.ok();
    assert_eq!((&card["expires_at"], &card["extendable_to"]), (&json!(between), &json!(latest)));
    assert_eq!(card, alice.card(grant).await);
    // What the page was told is what it may ask for, to the nanosecond.
    let card = alice.extend(grant, latest).await.ok();
    assert_eq!((&card["expires_at"], &card["extendable_to"]), (&json!(latest), &Value::Null));
    alice.extend(grant, stage.in_seconds(601)).await.refused(409, "grant_not_extendable");
    stage.vault.clock.advance(599);
    stage.call(grant).await.ok();
    stage.vault.clock.advance(1);
    stage.call(grant).await.refused(403, "grant_expired");
    alice.extend(grant, stage.in_seconds(1)).await.refused(409, "grant_not_extendable");
}

#[tokio::test]
async fn an_expired_grant_lives_again_with_the_next_call_and_the_record_says_so() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let (before, latest) = (stage.in_seconds(60), stage.in_seconds(600));
    let grant = stage.limited(Principal::User { user_id: alice.user }, 60, Some(600)).await;
    stage.vault.clock.advance(90);
    stage.call(grant).await.refused(403, "grant_expired");
    assert_eq!(alice.card(grant).await["status"], json!("expired"));
    let card = alice.extend(grant, latest).await.ok();
    assert_eq!((&card["status"], &card["may_revoke"]), (&json!("active"), &json!(true)));
    stage.call(grant).await.ok();
    let [row] = &stage.on_record(EventKind::GrantExtended)[..] else { panic!("one row") };
    assert_eq!(row.detail["expires_before"], before.to_string());
    assert_eq!(row.detail["expires_at"], latest.to_string());
    assert_eq!((row.actor.kind, row.actor.ip.as_deref()), (ActorKind::User, Some("192.0.2.7")));
    assert_eq!((row.user(), row.surface), (Some(alice.user), Some(Surface::Wallet)));
    assert_eq!(row.outcome.as_ref().unwrap().kind, OutcomeKind::Success);
}

#[tokio::test]
async fn what_is_not_the_users_own_or_has_no_maximum_gets_no_more_time() {
    let stage = stage().await;
    let alice = stage.member("alice", &["team"]).await;
    let agent = stage.shop.agent().await;
    let (connection, own) = stage.connected(&alice, "alice@toy.example").await;
    let limits = GrantPolicy { expires_at: Some(stage.in_seconds(60)), max_ttl_seconds: Some(600) };
    let agents = stage.beside(connection, Principal::Agent { agent_id: agent.id }, limits).await;
    let GrantSpec { principal: group, .. } = GrantSpec::of_group(
        alter_domain::model::IdentityProvider::id_of(stage.shop.id, &stage.idp.issuer()),
        "team",
        "team",
    );
    let groups = stage.limited(group, 60, Some(600)).await;
    let user = Principal::User { user_id: alice.user };
    let endless = stage.limited(user.clone(), 60, None).await;
    let to = stage.in_seconds(300);
    for grant in [agents, groups, endless, own] {
        assert_eq!(alice.card(grant).await["extendable_to"], Value::Null);
        let before = stage.stored(grant).await;
        alice.extend(grant, to).await.refused(409, "grant_not_extendable");
        assert_eq!(stage.stored(grant).await, before);
    }
    let revoked = stage.limited(user, 60, Some(600)).await;
    alice.revoke(revoked).await.ok();
    assert_eq!(alice.card(revoked).await["extendable_to"], Value::Null);
    alice.extend(revoked, to).await.refused(409, "grant_revoked");
    stage.call(revoked).await.refused(403, "grant_revoked");
}

/// The vault revokes a connection's grants thirty days after their expiry; which is the new one.
#[tokio::test]
async fn the_vault_keeps_an_extended_connection_for_as_long_as_it_was_extended() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let (connection, first) = stage.connected(&alice, "alice@toy.example").await;
    let policy = GrantPolicy { expires_at: Some(stage.in_seconds(DAY)), max_ttl_seconds: Some(60 * DAY) };
    let user = Principal::User { user_id: alice.user };
    let grant = stage.beside(connection, user, policy).await;
    alice.revoke(first).await.ok();
    stage.vault.clock.advance(29 * DAY);
    let alice = stage.person("alice").await;
    assert_eq!(alice.card(grant).await["status"], json!("expired"));
    alice.extend(grant, stage.in_seconds(10 * DAY)).await.ok();
    let due = async |stage: &crate::stage::Stage| {
        stage.vault.revoker().run(Work::Due).await.unwrap();
        let ports = stage.vault.calm();
        Grants(ports.table.as_ref()).ends_due(stage.vault.now(), 10).await.unwrap()
    };
    stage.vault.clock.advance(3 * DAY);
    assert!(due(&stage).await.is_empty());
    assert!(stage.is_live(grant).await, "the old date is over");
    stage.vault.clock.advance(38 * DAY);
    due(&stage).await;
    assert!(!stage.is_live(grant).await);
    assert!(!stage.has_tokens(connection).await);
    let alice = stage.person("alice").await;
    let card = alice.card(grant).await;
    assert_eq!((&card["ended"]["from"], &card["ended"]["tokens_deleted"]), (&json!("vault"), &json!(true)));
    alice.extend(grant, stage.in_seconds(60)).await.refused(409, "grant_revoked");
}

/// Whichever is first: what was revoked stays so.
#[tokio::test]
async fn more_time_never_brings_back_what_is_revoked_meanwhile() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    for _ in 0..10 {
        let grant = stage.limited(Principal::User { user_id: alice.user }, 60, Some(600)).await;
        let (extended, revoked) =
            tokio::join!(alice.extend(grant, stage.in_seconds(300)), alice.revoke(grant));
        assert_eq!(revoked.status, 200, "{}", revoked.text());
        if extended.status != 200 {
            extended.refused(409, "grant_revoked");
        }
        assert!(matches!(stage.stored(grant).await.state, GrantState::Revoked { .. }));
        stage.call(grant).await.refused(403, "grant_revoked");
    }
}

#[tokio::test]
async fn wherever_storage_fails_there_is_the_old_time_or_the_new() {
    let stage = stage().await;
    let alice = stage.person("alice").await;
    let mut k = 1;
    loop {
        let grant = stage.limited(Principal::User { user_id: alice.user }, 60, Some(600)).await;
        let (before, to) = (stage.in_seconds(60), stage.in_seconds(300));
        stage.faults.arm(k, StoreError::Unavailable("planned".to_owned()));
        let answer = alice.extend(grant, to).await;
        let reached = stage.faults.seen() >= k;
        stage.faults.disarm();
        if !reached {
            answer.ok();
            break;
        }
        answer.refused(503, "store_unavailable");
        let stands = stage.stored(grant).await.policy.expires_at.unwrap();
        assert!(stands == before || stands == to, "call {k}");
        match stands == to {
            true => drop(alice.extend(grant, to).await.refused(422, "invalid_expires_at")),
            false => drop(alice.extend(grant, to).await.ok()),
        }
        assert_eq!(stage.stored(grant).await.policy.expires_at, Some(to));
        k += 1;
    }
    assert!(k > 6, "{k}");
}
