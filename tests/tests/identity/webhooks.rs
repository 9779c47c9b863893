//! Webhooks of identity providers, through their routes (B008, B080 to B085).

use alter_domain::{
    Error,
    api::IdpId,
    model::{EventKind, Phase, Surface},
    port::Work,
    webhook::shared_token,
};
use alter_tests::{TestIdp, TestVault};
use serde_json::{Value, json};

use crate::sender::{CLERK_SECRET, Sender, WORKOS_SECRET, clerk, okta, workos};

mod doors;
mod standards;
mod trouble;

/// An app with an identity provider, and Ada, who came a minute ago.
pub(crate) async fn ada() -> Sender {
    let app = TestVault::new().await.app().await;
    let sender = Sender::new(app, TestIdp::start().await).await;
    sender.arrive("ada").await;
    sender.app.vault.clock.advance(60);
    sender
}

#[tokio::test]
async fn b080_auth0_acts_on_deleted_blocked_and_unblocked_and_on_nothing_else() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    for other in ["sul", "limit_sul", "s", "fdu", "sapi"] {
        sender.auth0(&token, &[(other, "ada", 1)]).await.ok();
        assert_eq!(sender.state("ada").await, "active", "{other}");
    }
    sender.auth0(&token, &[("ublkdu", "ada", 2)]).await.ok();
    assert_eq!(sender.state("ada").await, "suspended");
    assert_eq!(sender.comes("ada").await, Err(Error::UserSuspended));
    sender.auth0(&token, &[("ubuu", "ada", 3)]).await.ok();
    assert_eq!(sender.comes("ada").await, Ok(()));
    // Several of one delivery, and of people that the vault does not know.
    sender.auth0(&token, &[("sul", "ada", 4), ("sdu", "ada", 5), ("sdu", "bob", 6)]).await.ok();
    assert_eq!(sender.comes("ada").await, Err(Error::UserDeprovisioned));
    assert_eq!(sender.comes("bob").await, Err(Error::UserDeprovisioned));
    assert_eq!(
        sender.record(),
        [EventKind::UserSuspended, EventKind::UserReactivated, EventKind::UserDeprovisioned]
    );
}

#[tokio::test]
async fn b008_a_departure_is_a_task_and_a_signal_in_one_write() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    sender.app.vault.work.take();
    sender.auth0(&token, &[("sdu", "ada", 1)]).await.ok();
    let user = sender.app.user_of(&sender.idp, "ada");
    assert_eq!(sender.app.vault.work.take(), [Work::Deprovision { user }]);
    assert!(sender.has_task("ada").await);
    let events = sender.app.vault.audit.events();
    let row = events.iter().rfind(|event| event.kind == EventKind::UserDeprovisioned).unwrap();
    assert_eq!((row.phase, row.surface, row.user_id), (Phase::Final, Some(Surface::Webhook), Some(user)));
    assert_eq!(row.detail["webhook"], "auth0");
    // A signal that is lost loses no task.
    sender.arrive("bob").await;
    sender.app.vault.work.fail(true);
    sender.auth0(&token, &[("sdu", "bob", 1)]).await.ok();
    assert!(sender.has_task("bob").await);
}

#[tokio::test]
async fn b081_a_wrong_token_is_refused_and_a_rotated_one_is_over_at_once() {
    let sender = ada().await;
    let old = sender.token_webhook("auth0").await;
    let wrong = ["", "Bearer ", "alwh_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
    for token in wrong {
        sender.auth0(token, &[("sdu", "ada", 1)]).await.refused(401, "webhook_unauthorized");
    }
    sender.post("auth0", &[], "[]").await.refused(401, "webhook_unauthorized");
    let new = sender.token_webhook("auth0").await;
    sender.auth0(&old, &[("sdu", "ada", 1)]).await.refused(401, "webhook_unauthorized");
    assert_eq!(sender.state("ada").await, "active");
    sender.auth0(&format!("Bearer {new}"), &[("sdu", "ada", 1)]).await.ok();
    assert_eq!(sender.state("ada").await, "deprovisioned");
}

#[tokio::test]
async fn b082_clerk_needs_a_signature_by_the_pasted_secret() {
    let sender = ada().await;
    sender.hmac_webhook("clerk", CLERK_SECRET).await;
    let body = clerk("user.deleted", &json!({ "id": "ada", "deleted": true }), sender.now());
    let good = sender.svix("msg_1", &body, sender.now());
    let other = sender.svix("msg_1", "{}", sender.now());
    let late = sender.svix("msg_1", &body, sender.now() - 301);
    let early = sender.svix("msg_1", &body, sender.now() + 301);
    let mut padded = good.clone();
    padded[2].1.push('=');
    for headers in [&Vec::new(), &other, &late, &early, &padded] {
        sender.post("clerk", headers, &body).await.refused(401, "webhook_unauthorized");
    }
    sender.post("clerk", &good, &body.replace("ada", "bob")).await.refused(401, "webhook_unauthorized");
    assert_eq!(sender.state("ada").await, "active");
    sender.post("clerk", &good, &body).await.ok();
    assert_eq!(sender.state("ada").await, "deprovisioned");
    // Another secret is pasted: the old one is over at once.
    sender.hmac_webhook("clerk", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await;
    let headers = sender.svix("msg_2", &body, sender.now());
    sender.post("clerk", &headers, &body).await.refused(401, "webhook_unauthorized");
}

#[tokio::test]
async fn clerk_tells_profiles_and_who_is_banned() {
    let sender = ada().await;
    sender.hmac_webhook("clerk", CLERK_SECRET).await;
    let user = |banned: bool| {
        json!({ "id": "ada", "first_name": "Ada", "last_name": "Lovelace", "primary_email_address_id": "idn_1",
            "email_addresses": [{ "id": "idn_1", "email_address": "ada@example.com" }], "banned": banned, "locked": false })
    };
    sender.clerk("msg_1", "user.updated", &user(false), -40).await.ok();
    let ada = sender.user("ada").await.unwrap();
    assert_eq!((ada.email.as_deref(), ada.name.as_deref()), (Some("ada@example.com"), Some("Ada Lovelace")));
    sender.clerk("msg_2", "user.updated", &user(true), -20).await.ok();
    assert_eq!(sender.comes("ada").await, Err(Error::UserSuspended));
    // From before the ban, told late.
    sender.clerk("msg_3", "user.updated", &user(false), -30).await.ok();
    assert_eq!(sender.state("ada").await, "suspended");
    sender.clerk("msg_4", "user.updated", &user(false), -10).await.ok();
    assert_eq!(sender.comes("ada").await, Ok(()));
}

#[tokio::test]
async fn b083_the_end_of_a_membership_ends_what_came_with_it() {
    let sender = ada().await;
    sender.hmac_webhook("clerk", CLERK_SECRET).await;
    let before = sender.idp.claims("ada").group("org_1").group("other").issued_ago(10).sign();
    assert_eq!(sender.groups(&before).await, ["org_1", "other"]);
    let membership = json!({ "organization": { "id": "org_1", "slug": "engines", "name": "Engines" }, "role": "org:admin",
        "public_user_data": { "user_id": "ada" } });
    sender.clerk("msg_1", "organizationMembership.deleted", &membership, 0).await.ok();
    assert_eq!(sender.membership("ada").await, ["other"]);
    // The token from before is good, and brings the group back no more.
    assert_eq!(sender.groups(&before).await, ["other"]);
    sender.app.vault.clock.advance(5);
    let after = sender.idp.claims("ada").group("org_1").group("other").sign();
    assert_eq!(sender.groups(&after).await, ["org_1", "other"]);
    // The same delivery again says nothing about the membership that came after it.
    sender.clerk("msg_1", "organizationMembership.deleted", &membership, -5).await.ok();
    assert_eq!(sender.groups(&after).await, ["org_1", "other"]);
    assert_eq!(sender.state("ada").await, "active");
}

#[tokio::test]
async fn workos_acts_by_its_signature() {
    let sender = ada().await;
    sender.hmac_webhook("workos", WORKOS_SECRET).await;
    let token = sender.idp.claims("ada").group("org_1").issued_ago(10).sign();
    assert_eq!(sender.groups(&token).await, ["org_1"]);
    let left = json!({ "user_id": "ada", "organization_id": "org_1", "role": { "slug": "member" } });
    let body = workos("event_1", "organization_membership.deleted", &left, sender.at(0));
    sender.post("workos", &sender.workos(&body, 0), &body).await.ok();
    assert!(sender.membership("ada").await.is_empty());
    let body = workos("event_2", "user.deleted", &json!({ "id": "ada" }), sender.at(0));
    for headers in [sender.workos(&body, -301_000), sender.workos(&body, 301_000), sender.workos("{}", 0)] {
        sender.post("workos", &headers, &body).await.refused(401, "webhook_unauthorized");
    }
    assert_eq!(sender.state("ada").await, "active");
    sender.post("workos", &sender.workos(&body, 0), &body).await.ok();
    assert_eq!(sender.comes("ada").await, Err(Error::UserDeprovisioned));
}

#[tokio::test]
async fn okta_shakes_hands_and_tells_of_people_and_groups() {
    let sender = ada().await;
    let path = |sender: &Sender| format!("/webhooks/{}/okta", sender.provider.id);
    let challenge = [("x-okta-verification-challenge", "w8hZ-Q_3")];
    let anyone = sender.app.vault.anonymous();
    anyone.send("GET", &path(&sender), &challenge, "").await.refused(401, "webhook_unauthorized");
    let token = sender.token_webhook("okta").await;
    assert_eq!(
        anyone.send("GET", &path(&sender), &challenge, "").await.ok(),
        json!({ "verification": "w8hZ-Q_3" })
    );
    anyone.send("GET", &path(&sender), &[], "").await.refused(401, "webhook_unauthorized");

    let user = json!({ "type": "User", "id": "ada" });
    let group = json!({ "type": "UserGroup", "id": "00g1", "displayName": "eng" });
    let tell = async |id: &str, kind: &str, target: Value, result: &str| {
        let body = okta(id, kind, &target, result, sender.at(0));
        sender.post("okta", &[("authorization", token.clone())], &body).await
    };
    tell("1", "user.lifecycle.suspend", json!([user]), "FAILURE").await.ok();
    assert_eq!(sender.state("ada").await, "active");
    tell("2", "user.lifecycle.suspend", json!([user]), "SUCCESS").await.ok();
    assert_eq!(sender.state("ada").await, "suspended");
    sender.app.vault.clock.advance(1);
    tell("3", "user.lifecycle.unsuspend", json!([user]), "SUCCESS").await.ok();
    assert_eq!(sender.state("ada").await, "active");
    let old = sender.idp.claims("ada").group("eng").group("ops").issued_ago(1).sign();
    assert_eq!(sender.groups(&old).await, ["eng", "ops"]);
    tell("4", "group.user_membership.remove", json!([user, group]), "SUCCESS").await.ok();
    assert_eq!(sender.groups(&old).await, ["ops"]);
    // The sessions end: a token from before is refused, one from after is not.
    tell("5", "user.session.clear", json!([user]), "SUCCESS").await.ok();
    assert_eq!(sender.comes_with(&old).await, Err(Error::JwtValidation));
    sender.app.vault.clock.advance(2);
    assert_eq!(sender.comes("ada").await, Ok(()));
    tell("6", "user.lifecycle.deactivate", json!([user]), "SUCCESS").await.ok();
    assert_eq!(sender.state("ada").await, "deprovisioned");
    // An activation lets nobody back who has left.
    tell("7", "user.lifecycle.activate", json!([user]), "SUCCESS").await.ok();
    assert_eq!(sender.state("ada").await, "deprovisioned");
}

#[tokio::test]
async fn a_group_that_is_gone_is_gone_for_all_members_in_all_apps_of_the_issuer() {
    let sender = ada().await;
    let sibling = sender.app.vault.app_in(sender.app.org).await;
    let sibling = sender.beside(sibling).await;
    let token = sender.token_webhook("okta").await;
    for sub in ["ada", "bob", "eve"] {
        let token = sender.idp.claims(sub).group("eng").group("ops").issued_ago(1).sign();
        sender.groups(&token).await;
        sibling.groups(&token).await;
    }
    let group = json!([{ "type": "UserGroup", "id": "00g1", "displayName": "eng" }]);
    let body = okta("1", "group.lifecycle.delete", &group, "SUCCESS", sender.at(0));
    let headers = [("authorization", token)];
    sender.post("okta", &headers, &body).await.ok();
    for sub in ["ada", "bob", "eve"] {
        assert_eq!(sender.membership(sub).await, ["ops"], "{sub}");
        assert_eq!(sibling.membership(sub).await, ["ops"], "{sub}");
    }
    let rows = sender.record().len();
    sender.post("okta", &headers, &body).await.ok();
    assert_eq!(sender.record().len(), rows);
}

#[tokio::test]
async fn somebody_whom_the_vault_has_never_seen_is_refused_at_their_first_token() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    sender.auth0(&token, &[("sdu", "gone", 1), ("ublkdu", "blocked", 1)]).await.ok();
    assert_eq!(sender.comes("gone").await, Err(Error::UserDeprovisioned));
    assert_eq!(sender.comes("blocked").await, Err(Error::UserSuspended));
    sender.auth0(&token, &[("ubuu", "blocked", 2)]).await.ok();
    assert_eq!(sender.comes("blocked").await, Ok(()));
    assert_eq!(sender.comes("anybody").await, Ok(()));
}

#[tokio::test]
async fn what_cannot_be_read_changes_nothing() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    let good = json!({ "log_id": "1", "data": { "type": "sdu", "user_id": "ada" } });
    let headers = [("authorization", token.clone())];
    for bad in [json!({}), json!({ "log_id": "2", "data": { "type": "sdu", "user_id": 1 } }), json!("text")] {
        let body = json!([good, bad]).to_string();
        sender.post("auth0", &headers, &body).await.refused(400, "invalid_request");
    }
    for body in ["", "[", "nonsense"] {
        sender.post("auth0", &headers, body).await.refused(400, "invalid_request");
    }
    let huge = format!("[{}]", " ".repeat(1 << 20));
    sender.post("auth0", &headers, &huge).await.refused(413, "payload_too_large");
    assert_eq!(sender.state("ada").await, "active");
    assert!(sender.record().is_empty());
}

#[tokio::test]
async fn nobody_learns_which_webhooks_there_are() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    let body = json!([{ "log_id": "1", "data": { "type": "sdu", "user_id": "ada" } }]).to_string();
    let anyone = sender.app.vault.anonymous();
    let unknown: IdpId = sender.app.vault.ports.new_id().unwrap();
    let mut answers = Vec::new();
    for (id, kind, secret) in [
        (sender.provider.id.to_string(), "auth0", "alwh_wrong"),
        (unknown.to_string(), "auth0", token.as_str()),
        ("no-id".to_owned(), "auth0", token.as_str()),
        (sender.provider.id.to_string(), "okta", token.as_str()),
        (sender.provider.id.to_string(), "clerk", token.as_str()),
        (sender.provider.id.to_string(), "workos", token.as_str()),
    ] {
        let headers = [("authorization", secret)];
        let answer = anyone.send("POST", &format!("/webhooks/{id}/{kind}"), &headers, body.clone()).await;
        answers.push((answer.status, answer.body));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, 401);
    assert_eq!(sender.state("ada").await, "active");
}

#[tokio::test]
async fn a_webhook_reaches_the_people_of_its_organization_only() {
    let sender = ada().await;
    let vault = sender.app.vault.clone();
    // Another organization names the same issuer, and has a secret of its own there.
    let foreign = vault.app_in(vault.org("Evil").await).await;
    let foreign = sender.beside(foreign).await;
    let theirs = foreign.token_webhook("auth0").await;
    foreign.auth0(&theirs, &[("sdu", "ada", 1)]).await.ok();
    assert_eq!(sender.comes("ada").await, Ok(()));
    assert_eq!(foreign.comes("ada").await, Err(Error::UserDeprovisioned));
    // Their secret is nothing at our address, nor is a sibling app's.
    let ours = sender.token_webhook("auth0").await;
    let sibling = sender.beside(vault.app_in(sender.app.org).await).await;
    let siblings = sibling.token_webhook("auth0").await;
    for wrong in [&theirs, &siblings] {
        sender.auth0(wrong, &[("sdu", "ada", 1)]).await.refused(401, "webhook_unauthorized");
    }
    foreign.auth0(&ours, &[("sdu", "ada", 2)]).await.refused(401, "webhook_unauthorized");
    assert_eq!(sender.comes("ada").await, Ok(()));
    // One person is one user over the apps of an organization that share the issuer.
    assert_eq!(sibling.comes("ada").await, Ok(()));
    sibling.auth0(&siblings, &[("sdu", "ada", 1)]).await.ok();
    assert_eq!(sender.comes("ada").await, Err(Error::UserDeprovisioned));
}

#[tokio::test]
async fn users_known_by_another_claim_are_found_by_what_events_call_them() {
    let app = TestVault::new().await.app().await;
    let sender = Sender::reading(app, TestIdp::start().await, "employee").await;
    let token = sender.token_webhook("auth0").await;
    let badge = sender.idp.claims("ada").claim("employee", json!("e-17")).sign();
    assert_eq!(sender.comes_with(&badge).await, Ok(()));
    sender.auth0(&token, &[("ublkdu", "ada", 1)]).await.ok();
    assert_eq!(sender.comes_with(&badge).await, Err(Error::UserSuspended));
    sender.auth0(&token, &[("sdu", "ada", 2), ("sdu", "bob", 2), ("sdu", "e-18", 2)]).await.ok();
    assert_eq!(sender.comes_with(&badge).await, Err(Error::UserDeprovisioned));
    let bob = sender.idp.claims("bob").claim("employee", json!("e-18")).sign();
    assert_eq!(sender.comes_with(&bob).await, Err(Error::UserDeprovisioned));
}

#[tokio::test]
async fn b084_a_minted_token_is_shown_once_and_kept_as_a_digest() {
    let sender = ada().await;
    let token = sender.token_webhook("auth0").await;
    assert!(token.starts_with("alwh_"));
    let stored = serde_json::to_string(&sender.stored().await).unwrap();
    assert!(!stored.contains(&token["alwh_".len()..]), "the token itself is nowhere");
    let again = shared_token::mint(sender.app.vault.ports.rng.as_ref()).unwrap();
    assert_ne!(again.plain.expose_secret(), &token);
}
