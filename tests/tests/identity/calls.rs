//! Calls with a user's token: whose grant they reach, and what is recorded of them (B010, B066 to B068, B072, B073, B086, B088).

use alter_domain::{
    api::GrantId,
    auth::signature::header,
    model::{EventKind, OutcomeKind},
};
use alter_tests::{GrantSpec, KeySpec, Mode};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn b066_b072_the_first_token_makes_its_user_known_and_finds_their_grant() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let engineering = world.of_group(&secret, "engineering").await;
    let token = world
        .idp
        .claims("alice")
        .group("engineering")
        .group("all")
        .claim("email", json!("a@b.example"))
        .sign();
    let alice = world.app.user_of(&world.idp, "alice");
    for call in [world.by_provider("notes", &token), world.by_grant(engineering, &token)] {
        let answer = world.proxy(&call).await;
        answer.ok();
        assert_eq!(world.credential(), "Bearer secret-of-notes");
        let row = world.last_call();
        assert_eq!((row.user_id, row.grant.map(|grant| grant.id)), (Some(alice), Some(engineering)));
        assert_eq!(row.outcome.unwrap().kind, OutcomeKind::Success);
    }
    let rows = world.app.vault.audit.events();
    let created =
        rows.iter().find(|event| event.kind == EventKind::UserCreated).expect("the user is on record");
    assert_eq!((created.user_id, created.detail["joined"].as_str()), (Some(alice), "all, engineering"));
    let users = world.app.vault.operator(world.app.org, alter_domain::model::Permission::Read).await;
    let user = users.get(&format!("/portal/v1/apps/{}/users/{alice}", world.app.id)).await.ok();
    assert_eq!((&user["email"], &user["status"]), (&json!("a@b.example"), &json!("active")), "{user}");
}

#[tokio::test]
async fn b010_a_token_never_reaches_anothers_grant() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let (alices, bobs) = (world.own(&secret, "alice").await, world.own(&secret, "bob").await);
    let (alice, bob) = (world.idp.token("alice"), world.idp.token("bob"));
    world.proxy(&world.by_grant(alices, &alice)).await.ok();
    world.proxy(&world.by_provider("notes", &bob)).await.ok();
    assert_eq!(world.last_call().grant.unwrap().id, bobs);
    let reached = world.upstream.hits();
    let none: GrantId = world.app.vault.ports.new_id().unwrap();
    let theirs = world.proxy(&world.by_grant(bobs, &alice)).await.refused(404, "grant_not_found");
    // The row tells the user, and not the grant that is none of theirs.
    let row = world.last_call();
    assert_eq!((row.user_id, row.grant), (Some(world.app.user_of(&world.idp, "alice")), None));
    let nothing = world.proxy(&world.by_grant(none, &alice)).await.refused(404, "grant_not_found");
    assert_eq!(theirs.body, nothing.body);
    // Naming the other one does not help.
    let mut call = world.by_provider("notes", &alice);
    call["app_user_id"] = json!(world.app.user_of(&world.idp, "bob"));
    let refused = world.proxy(&call).await.refused(404, "grant_not_found");
    assert_eq!(refused.json()["provider_id"], "notes");
    call["app_user_id"] = json!(world.app.user_of(&world.idp, "alice"));
    world.proxy(&call).await.ok();
    // A stranger has nothing.
    let refused = world.proxy(&world.by_provider("notes", &world.idp.token("carol"))).await;
    assert_eq!(refused.refused(404, "grant_not_found").json()["provider_id"], "notes");
    world.proxy(&world.by_grant(alices, &world.idp.token("carol"))).await.refused(404, "grant_not_found");
    let unknown = world.proxy(&world.by_provider("nothing", &alice)).await.refused(404, "grant_not_found");
    assert_eq!(unknown.json()["provider_id"], "nothing");
    assert_eq!(world.upstream.hits(), reached + 1);
}

#[tokio::test]
async fn b067_several_grants_are_told_apart_by_account_and_label_and_none_is_picked() {
    let world = World::new().await;
    let toy = world.toy().await;
    let one = world.connected(&toy, "alice", "one@toy.example").await;
    let two = world.connected(&toy, "alice", "two@toy.example").await;
    world.connected(&toy, "bob", "bob@toy.example").await;
    let token = world.idp.token("alice");
    let several = world.proxy(&world.by_provider("toy", &token)).await.refused(409, "ambiguous_grant").json();
    let mut accounts: Vec<_> = several["account_identifiers"].as_array().unwrap().clone();
    accounts.sort_by_key(ToString::to_string);
    assert_eq!(accounts, [json!("one@toy.example"), json!("two@toy.example")]);
    assert_eq!(
        (&several["candidates_truncated"], several["grant_ids"].as_array().unwrap().len()),
        (&json!(false), 2)
    );
    for (account, grant) in [("two@toy.example", two), ("one@toy.example", one), ("two@toy.example", two)] {
        let mut call = world.by_provider("toy", &token);
        call["account"] = json!(account);
        world.proxy(&call).await.ok();
        assert_eq!(world.credential(), format!("Bearer access-of-{account}"));
        assert_eq!(world.last_call().grant.unwrap().id, grant);
    }
    let mut call = world.by_provider("toy", &token);
    call["account"] = json!("bob@toy.example");
    world.proxy(&call).await.refused(404, "grant_not_found");

    let secret = world.secret("notes").await;
    let own = world.own(&secret, "carol").await;
    let shared = world.of_group(&secret, "engineering").await;
    let token = world.idp.claims("carol").group("engineering").sign();
    let several =
        world.proxy(&world.by_provider("notes", &token)).await.refused(409, "ambiguous_grant").json();
    let labels: Vec<_> = several["candidates"].as_array().unwrap().iter().map(|one| &one["label"]).collect();
    assert!(labels.contains(&&json!("carol")) && labels.contains(&&json!("engineering")), "{several}");
    for (label, grant) in [("carol", own), ("engineering", shared)] {
        let mut call = world.by_provider("notes", &token);
        call["label"] = json!(label);
        world.proxy(&call).await.ok();
        assert_eq!(world.last_call().grant.unwrap().id, grant);
    }
    // What is revoked is no candidate any more, and the memory of the choice before chooses nothing.
    let revoke = format!("/sdk/oauth/grants/{own}/revoke");
    world.client().post(&revoke, &json!({})).await.ok();
    for _ in 0..2 {
        world.proxy(&world.by_provider("notes", &token)).await.ok();
        assert_eq!(world.last_call().grant.unwrap().id, shared);
    }
    let mut call = world.by_provider("notes", &token);
    call["label"] = json!("carol");
    world.proxy(&call).await.refused(404, "grant_not_found");
    world.proxy(&world.by_grant(own, &token)).await.refused(403, "grant_revoked");
}

#[tokio::test]
async fn b073_b086_a_groups_grant_is_its_members_while_they_are_members() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let grant = world.of_group(&secret, "engineering").await;
    let (inside, outside) = (
        |ago| world.idp.claims("alice").group("engineering").issued_ago(ago).sign(),
        |ago| world.idp.claims("alice").no_groups().issued_ago(ago).sign(),
    );
    let alice = world.app.user_of(&world.idp, "alice");
    for (token, joined) in [(outside(100), false), (inside(90), true)] {
        for call in [world.by_provider("notes", &token), world.by_grant(grant, &token)] {
            let answer = world.proxy(&call).await;
            if joined {
                answer.ok();
            } else {
                answer.refused(404, "grant_not_found");
            }
            assert_eq!(world.last_call().user_id, Some(alice));
        }
    }
    // Somebody who comes later.
    let later = world.idp.claims("dora").group("engineering").sign();
    world.proxy(&world.by_provider("notes", &later)).await.ok();
    // The token of before the membership changes nothing, and neither does it work.
    let again = world.proxy(&world.by_provider("notes", &outside(95))).await;
    again.ok();
    // A newer one ends it; the one from before, still valid, brings nothing back.
    world.proxy(&world.by_provider("notes", &outside(80))).await.refused(404, "grant_not_found");
    for call in [world.by_provider("notes", &inside(90)), world.by_grant(grant, &inside(90))] {
        world.proxy(&call).await.refused(404, "grant_not_found");
    }
    // A group of the same name at another identity provider is another group.
    let other = alter_tests::TestIdp::start().await;
    let foreign = world.app.vault.app_in(world.app.org).await;
    foreign.identity_provider(&other).await;
    let token = other.claims("alice").group("engineering").sign();
    foreign.client().proxy(&world.by_grant(grant, &token)).await.refused(404, "grant_not_found");
    foreign.client().proxy(&world.by_provider("notes", &token)).await.refused(404, "grant_not_found");
}

/// More groups than are looked into ahead.
#[tokio::test]
async fn a_grant_of_one_of_many_groups_is_found() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let names: Vec<String> = (0..100).map(|n| format!("group-{n:02}")).collect();
    let last = world.of_group(&secret, &names[99]).await;
    let token = names.iter().fold(world.idp.claims("alice"), |spec, name| spec.group(name)).sign();
    for _ in 0..2 {
        world.proxy(&world.by_provider("notes", &token)).await.ok();
        assert_eq!(world.last_call().grant.unwrap().id, last);
    }
    let first = world.of_group(&secret, &names[0]).await;
    let several =
        world.proxy(&world.by_provider("notes", &token)).await.refused(409, "ambiguous_grant").json();
    let ids = several["grant_ids"].as_array().unwrap();
    assert!(ids.contains(&json!(first)) && ids.contains(&json!(last)) && ids.len() == 2, "{several}");
}

#[tokio::test]
async fn b088_a_token_never_chooses_the_apps_own_grants_nor_an_agents() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let agent = world.app.agent().await;
    let system = world.app.grant(&secret, GrantSpec::system()).await;
    let agents = world.app.grant(&secret, GrantSpec::agent(&agent)).await;
    let token = world.idp.claims("alice").group("engineering").sign();
    for grant in [system, agents] {
        world.proxy(&world.by_grant(grant, &token)).await.refused(404, "grant_not_found");
    }
    world.proxy(&world.by_provider("notes", &token)).await.refused(404, "grant_not_found");
    assert_eq!(world.upstream.hits(), 0);
    world.proxy(&world.plain(system)).await.ok();
}

#[tokio::test]
async fn b068_an_agent_reaches_nothing_by_a_users_token() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let agent = world.app.agent().await;
    let own = world.own(&secret, "alice").await;
    let agents = world.app.grant(&secret, GrantSpec::agent(&agent)).await;
    let token = world.idp.token("alice");
    for grant in [own, agents] {
        let refused =
            agent.client().proxy(&world.by_grant(grant, &token)).await.refused(404, "grant_not_found");
        assert_eq!(refused.json()["agent_id"], json!(agent.id));
    }
    let refused =
        agent.client().proxy(&world.by_provider("notes", &token)).await.refused(404, "no_delegated_grant");
    assert_eq!(refused.json()["agent_id"], json!(agent.id));
    assert_eq!(world.last_call().user_id, Some(world.app.user_of(&world.idp, "alice")));
    // The app's key in the agent's name.
    for (call, grant) in
        [(world.by_grant(own, &token), Some(own)), (world.by_provider("notes", &token), None)]
    {
        let request = world.client().request("POST", "/sdk/proxy").json(&call);
        let answer = request.label(header::CALLER, &agent.id.to_string()).send().await;
        assert_eq!(answer.refused(404, "grant_not_found").json()["agent_id"], json!(agent.id), "{grant:?}");
    }
    agent.client().proxy(&world.by_grant(own, "x.y.z")).await.refused(401, "jwt_validation_error");
    assert_eq!(world.upstream.hits(), 0);
    // Without the token the agent has what is its own.
    agent.client().proxy(&world.plain(agents)).await.ok();
}

#[tokio::test]
async fn a_refused_token_is_on_record_as_a_denied_call_of_nobody() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let own = world.own(&secret, "alice").await;
    let bad = world.idp.claims("alice").expires_in(-3600).sign();
    for call in [world.by_grant(own, &bad), world.by_provider("notes", &bad)] {
        world.app.vault.audit.forget();
        world.proxy(&call).await.refused(401, "jwt_validation_error");
        let row = world.last_call();
        let outcome = row.outcome.unwrap();
        assert_eq!((row.user_id, row.grant), (None, None));
        assert_eq!(
            (outcome.kind, outcome.code.as_deref()),
            (OutcomeKind::Denied, Some("jwt_validation_error"))
        );
    }
    // Who may not call at all has no token looked at.
    let key = world.app.key(KeySpec { scopes: Some(vec!["grants:read"]), ..KeySpec::default() }).await;
    let client = world.app.client_of(&key, Mode::PlainKey);
    client.proxy(&world.by_provider("notes", &bad)).await.refused(403, "insufficient_scope");
    assert_eq!(world.upstream.hits(), 0);
}

#[tokio::test]
async fn a_stream_takes_the_users_token_in_a_signed_header() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let own = world.own(&secret, "alice").await;
    let token = world.idp.token("alice");
    let (client, url) = (world.client(), world.upstream.url("/"));
    let by_provider = |token: &str| {
        let request = client.request("GET", "/v1/forward").label(header::TARGET, &url);
        request.label(header::PROVIDER, "notes").label(header::USER_TOKEN, token)
    };
    for request in [by_provider(&token), client.forward("GET", &url, own).label(header::USER_TOKEN, &token)] {
        let answer = request.send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let row = world.app.vault.audit.final_call().await;
        assert_eq!((row.user_id, row.grant.unwrap().id), (Some(world.app.user_of(&world.idp, "alice")), own));
    }
    let bobs = world.idp.token("bob");
    by_provider(&bobs).send().await.refused(404, "grant_not_found");
    // An empty token is a bad one: nothing falls back to what the app may do.
    let empty = client.forward("GET", &url, own).header(header::USER_TOKEN, "");
    empty.send().await.refused(401, "jwt_validation_error");
    let mut call = world.plain(own);
    call["user_token"] = json!("");
    world.proxy(&call).await.refused(401, "jwt_validation_error");
    // Taken off or exchanged on the way.
    let value = bobs.clone();
    let exchanged = by_provider(&token).tamper(move |request| {
        request.headers_mut().insert(header::USER_TOKEN, value.parse().unwrap());
    });
    exchanged.send().await.refused(401, "invalid_signature");
    let dropped =
        by_provider(&token).tamper(|request| drop(request.headers_mut().remove(header::USER_TOKEN)));
    dropped.send().await.refused(401, "invalid_signature");
}
