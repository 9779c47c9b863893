//! Negative access tests: each route × no credential, a bad one, another's ids, the wrong agent, a revoked one (B011,
//! B012, B014, B027).

use std::collections::BTreeMap;

use alter_domain::{
    api::{GrantId, UserId},
    auth::signature::header,
    model::{
        Actor, ApiKey, IdentityProvider, KeyState, OperatorToken, Permission, SignInClient, Webhook,
        WebhookKind, WebhookProof,
    },
    repo::{OperatorTokens, Stored},
};
use alter_tests::{
    Answer, GrantSpec, Mode, Operator, SignedClient, TestAgent, TestApp, TestIdp, TestVault, Upstream,
};
use http::HeaderValue;
use serde_json::Value;

use crate::{
    TOKEN,
    access_table::{Door, Ids, Row, Says, table},
};

/// An organization with two apps, another organization with one, all alike.
struct World {
    upstream: Upstream,
    app: TestApp,
    agent: TestAgent,
    /// An agent of the same app that nothing is granted to.
    stranger: TestAgent,
    own: Ids,
    /// Another app of the same organization, and one of another.
    sibling: Ids,
    foreign: Ids,
}

async fn world() -> World {
    let vault = TestVault::new().await;
    let upstream = Upstream::silent().await;
    let (one, two) = (vault.org("Acme").await, vault.org("Evil").await);
    let (app, sibling, foreign) = (vault.app_in(one).await, vault.app_in(one).await, vault.app_in(two).await);
    let stranger = app.agent().await;
    let idp = TestIdp::start().await;
    let (own, agent) = furnish(&app, &upstream, &idp).await;
    let (sibling, _) = furnish(&sibling, &upstream, &idp).await;
    let (foreign, _) = furnish(&foreign, &upstream, &idp).await;
    World { upstream, app, agent, stranger, own, sibling, foreign }
}

async fn furnish(app: &TestApp, upstream: &Upstream, idp: &TestIdp) -> (Ids, TestAgent) {
    let agent = app.agent().await;
    let (secret, grant) = app.bearer(TOKEN, upstream.host()).await;
    app.grant(&secret, GrantSpec::agent(&agent)).await;
    let spare = app.key(alter_tests::KeySpec::default()).await;
    let token = app.vault.operator(app.org, Permission::Read).await.id;
    // Every app's own provider has a name of its own.
    let mut provider = alter_tests::toy_provider("https://toy.example", "api.toy.example");
    provider["id"] = format!("toy-{}", app.id).into();
    let provider = app.provider(provider).await.provider_id;
    let user = people(app, idp).await;
    let events = app.vault.audit.events();
    let event = events.iter().rev().find(|event| event.app_id == Some(app.id)).unwrap().id;
    let ids = Ids {
        app: app.id.to_string(),
        key: spare.id.unwrap().to_string(),
        agent: agent.id.to_string(),
        secret: secret.id.to_string(),
        grant: grant.to_string(),
        provider,
        user: user.to_string(),
        token: token.to_string(),
        event: event.to_string(),
        url: upstream.url("/"),
    };
    (ids, agent)
}

/// An identity provider with a client and a webhook, and a user who came with a token: somebody else in each app.
async fn people(app: &TestApp, idp: &TestIdp) -> UserId {
    let at = app.vault.now();
    let proof = WebhookProof::Token { digest: "0".repeat(64) };
    let webhook = Webhook { proof, enabled_at: at, rotated_at: at };
    let client = SignInClient { client_id: "client".to_owned(), secret: None };
    let with = |idp| IdentityProvider {
        client: Some(client),
        webhooks: BTreeMap::from([(WebhookKind::Auth0, webhook)]),
        ..idp
    };
    app.identity_provider_as(idp, with).await;
    let token = idp.token(&format!("user-of-{}", app.id));
    let known = app.vault.identity().identify(app.id, &token, &Actor::of_vault()).await.unwrap();
    known.user_id()
}

/// Ids of nothing, with the app of `ids`.
pub(crate) fn of_nothing(vault: &TestVault, ids: &Ids) -> Ids {
    let fresh = || vault.ports.new_id::<GrantId>().unwrap().to_string();
    Ids {
        key: fresh(),
        agent: fresh(),
        secret: fresh(),
        grant: fresh(),
        provider: fresh(),
        user: fresh(),
        token: fresh(),
        event: fresh(),
        ..ids.clone()
    }
}

/// Who asks.
enum Caller<'a> {
    Nobody,
    /// Header values that prove nothing.
    Garbage,
    Key(&'a SignedClient),
    /// A signature by another key.
    BadSignature(&'a SignedClient, &'a SignedClient),
    Token(&'a Operator),
    Bearer(String),
}

async fn ask(vault: &TestVault, row: &Row, ids: &Ids, caller: Caller<'_>) -> Answer {
    let (method, path) = row.route;
    let method = if method == "ANY" { "POST" } else { method };
    let mut target = ids.fill(path);
    let query = (row.query)(ids);
    if !query.is_empty() {
        target = format!("{target}?{query}");
    }
    let body = Some((row.body)(ids)).filter(|body| !body.is_null());
    let signed = |client: &SignedClient| {
        let request = client.request(method, &target);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        match path {
            "/v1/forward" => request.label(header::TARGET, &ids.url).label(header::GRANT, &ids.grant),
            _ => request,
        }
    };
    let text = body.as_ref().map(Value::to_string).unwrap_or_default();
    let plain = |headers: Vec<(&'static str, String)>| {
        let (anyone, text, target) = (vault.anonymous(), text.clone(), target.clone());
        async move {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            anyone.send(method, &target, &headers, text).await
        }
    };
    let json = ("content-type", "application/json".to_owned());
    match caller {
        Caller::Nobody => plain(vec![json]).await,
        Caller::Garbage => {
            let key = format!("alter_key_app_{}", "A".repeat(36));
            let hex = "0".repeat(64);
            let timestamp = vault.now().as_second().to_string();
            let nonce = "f".repeat(32);
            plain(vec![
                json,
                ("authorization", format!("Bearer {key}")),
                (header::API_KEY, key),
                (header::TIMESTAMP, timestamp),
                (header::NONCE, nonce),
                (header::CONTENT_SHA256, alter_domain::auth::signature::content_hash(text.as_bytes())),
                (header::SIGNATURE, hex),
            ])
            .await
        }
        Caller::Key(client) => signed(client).send().await,
        Caller::BadSignature(client, other) => {
            let stolen = signed(other).build().headers()[header::SIGNATURE].clone();
            let request = signed(client).tamper(move |request| {
                request.headers_mut().insert(header::SIGNATURE, stolen.clone());
                request.headers_mut().remove(header::SIGNATURE_V2);
            });
            request.send().await
        }
        Caller::Token(operator) => operator.send(method, &target, body.as_ref()).await,
        Caller::Bearer(text) => plain(vec![json, ("authorization", format!("Bearer {text}"))]).await,
    }
}

#[track_caller]
pub(crate) fn says(row: &Row, answer: &Answer, expected: Says) {
    let got = (answer.status.as_u16(), answer.code());
    assert_eq!((got.0, got.1.as_str()), expected, "{:?}: {}", row.route, answer.text());
}

async fn operator(world: &World, row: &Row) -> Option<Operator> {
    match row.door {
        Door::Token(permission) => Some(world.app.vault.operator(world.app.org, permission).await),
        Door::Public | Door::Key | Door::Session => None,
    }
}

/// The plain text of a bearer token or a key as text.
fn bearer(operator: &Operator) -> String {
    operator.token.expose_secret().clone()
}

#[tokio::test]
async fn with_ids_of_its_own_each_caller_is_let_in() {
    for row in table().into_iter().filter(|row| row.door != Door::Session) {
        // What a request changes is gone for the next.
        let world = world().await;
        let operator = operator(&world, &row).await;
        let client = world.app.client();
        let caller = match &operator {
            Some(operator) => Caller::Token(operator),
            None if row.door == Door::Key => Caller::Key(&client),
            None => Caller::Nobody,
        };
        let answer = ask(&world.app.vault, &row, &world.own, caller).await;
        says(&row, &answer, row.own);
        assert!(!["not_found", "method_not_allowed"].contains(&answer.code().as_str()), "{:?}", row.route);
    }
}

#[tokio::test]
async fn without_a_credential_or_with_a_bad_one_nobody_is_let_in() {
    let world = world().await;
    let vault = &world.app.vault;
    let (client, other) = (world.app.client(), world.app.client_of(&world.agent.key, Mode::PlainKey));
    let by_id = world.app.client_by_id();
    let reader = vault.operator(world.app.org, Permission::Admin).await;
    for row in table() {
        let ask = |caller| ask(vault, &row, &world.own, caller);
        let (nobody, garbage) = (ask(Caller::Nobody).await, ask(Caller::Garbage).await);
        match row.door {
            Door::Public => {
                says(&row, &nobody, row.own);
                says(&row, &garbage, row.own);
            }
            // What lets somebody in elsewhere lets nobody into the Wallet.
            Door::Session => {
                let caller = ask(Caller::Bearer(bearer(&reader))).await;
                for answer in [nobody, garbage, ask(Caller::Key(&client)).await, caller] {
                    says(&row, &answer, row.closed());
                }
            }
            Door::Key => {
                says(&row, &nobody, (401, "unauthenticated"));
                says(&row, &garbage, (401, "invalid_key"));
                says(&row, &ask(Caller::BadSignature(&client, &other)).await, (401, "invalid_signature"));
                says(&row, &ask(Caller::BadSignature(&by_id, &other)).await, (401, "invalid_signature"));
                // A key alone is no signature, and an operator is no app.
                says(
                    &row,
                    &ask(Caller::Bearer(world.app.key.reveal().to_owned())).await,
                    (401, "unauthenticated"),
                );
                says(&row, &ask(Caller::Bearer(bearer(&reader))).await, (401, "unauthenticated"));
            }
            Door::Token(_) => {
                let invalid = (401, "invalid_operator_token");
                says(&row, &nobody, invalid);
                says(&row, &garbage, invalid);
                says(&row, &ask(Caller::Key(&client)).await, invalid);
                says(&row, &ask(Caller::Bearer(world.app.key.reveal().to_owned())).await, invalid);
                let token = bearer(&reader);
                let flipped = if token.ends_with('A') { "B" } else { "A" };
                says(
                    &row,
                    &ask(Caller::Bearer(format!("{}{flipped}", &token[..token.len() - 1]))).await,
                    invalid,
                );
                says(&row, &ask(Caller::Bearer(String::new())).await, invalid);
            }
        }
    }
    assert_eq!(world.upstream.connections(), 0);
}

#[tokio::test]
async fn a_revoked_credential_opens_nothing() {
    let world = world().await;
    let vault = &world.app.vault;
    let now = vault.now();
    let key = world.app.key(alter_tests::KeySpec::default()).await;
    world.app.change_key(&key, |old| ApiKey { state: KeyState::Revoked { at: now }, ..old }).await;
    let clients = [Mode::PlainKey, Mode::KeyId].map(|mode| world.app.client_of(&key, mode));
    let revoked = vault.operator(world.app.org, Permission::Admin).await;
    let expired = vault.operator(world.app.org, Permission::Admin).await;
    change_token(&world, &revoked, |token| OperatorToken { revoked_at: Some(now), ..token }).await;
    change_token(&world, &expired, |token| OperatorToken { expires_at: Some(now), ..token }).await;
    for row in table() {
        let ask = |caller| ask(vault, &row, &world.own, caller);
        match row.door {
            Door::Public | Door::Session => {}
            Door::Key => {
                for client in &clients {
                    says(&row, &ask(Caller::Key(client)).await, (401, "key_revoked"));
                }
            }
            Door::Token(_) => {
                for token in [&revoked, &expired] {
                    says(&row, &ask(Caller::Token(token)).await, (401, "invalid_operator_token"));
                }
            }
        }
    }
    assert_eq!(world.upstream.connections(), 0);
}

async fn change_token(
    world: &World,
    operator: &Operator,
    change: impl FnOnce(OperatorToken) -> OperatorToken,
) {
    let table = world.app.vault.calm().table;
    let tokens = OperatorTokens(table.as_ref());
    let stored = tokens.get(world.app.org, operator.id).await.unwrap();
    tokens.save(&Stored { value: change(stored.value), version: stored.version }).await.unwrap();
}

#[tokio::test]
async fn b012_the_wrong_agent_and_too_small_a_permission_are_refused() {
    let world = world().await;
    let vault = &world.app.vault;
    let (stranger, agent) = (world.stranger.client(), world.agent.client());
    for row in table() {
        match row.door {
            Door::Public | Door::Session => {}
            Door::Key => {
                says(&row, &ask(vault, &row, &world.own, Caller::Key(&stranger)).await, row.wrong);
                // A system grant is not the agent's either, although it holds another one. Its own record is its own.
                let audit = row.route.1.starts_with("/v1/audit");
                let expected = if audit { row.own } else { row.wrong };
                says(&row, &ask(vault, &row, &world.own, Caller::Key(&agent)).await, expected);
            }
            Door::Token(Permission::Read) => {}
            Door::Token(needed) => {
                let less = if needed == Permission::Admin { Permission::Write } else { Permission::Read };
                let operator = vault.operator(world.app.org, less).await;
                says(&row, &ask(vault, &row, &world.own, Caller::Token(&operator)).await, row.wrong);
            }
        }
    }
    assert_eq!(world.upstream.connections(), 0);
}

/// The heart of the wall: another app's ids answer as ids of nothing do, byte for byte.
#[tokio::test]
async fn b011_another_apps_ids_answer_as_if_the_thing_did_not_exist() {
    let world = world().await;
    let vault = &world.app.vault;
    let client = world.app.client();
    for row in table().into_iter().filter(|row| row.door != Door::Session) {
        let Some(expected) = row.foreign else { continue };
        let operator = operator(&world, &row).await;
        let caller = || operator.as_ref().map_or(Caller::Key(&client), Caller::Token);
        let path_has_app = row.route.1.contains("{app_id}");
        for theirs in [&world.sibling, &world.foreign] {
            if row.route.1.ends_with("{pat_id}") && theirs.app == world.sibling.app {
                // Tokens are the organization's: a sibling app has none of its own.
                continue;
            }
            // Their things under our app.
            if expected.1 != "app_not_found" {
                let named = Ids { app: world.own.app.clone(), ..theirs.clone() };
                let foreign = ask(vault, &row, &named, caller()).await;
                let nothing = ask(vault, &row, &of_nothing(vault, &world.own), caller()).await;
                says(&row, &foreign, expected);
                alike(&row, &foreign, &nothing);
            }
            // Their app, with their things and with ours.
            if path_has_app && theirs.app == world.foreign.app {
                let nowhere = Ids { app: of_nothing(vault, theirs).key, ..theirs.clone() };
                let nothing = ask(vault, &row, &nowhere, caller()).await;
                for ids in [theirs.clone(), Ids { app: theirs.app.clone(), ..world.own.clone() }] {
                    let foreign = ask(vault, &row, &ids, caller()).await;
                    says(&row, &foreign, (404, "app_not_found"));
                    alike(&row, &foreign, &nothing);
                }
            }
        }
    }
    assert_eq!(world.upstream.connections(), 0);
}

/// The same answer but for the request's id.
#[track_caller]
pub(crate) fn alike(row: &Row, one: &Answer, other: &Answer) {
    let stable = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        let id = headers.remove("x-request-id");
        assert_ne!(id, Some(HeaderValue::from_static("")), "an answer has an id");
        (answer.status, headers, answer.body.clone())
    };
    assert_eq!(stable(one), stable(other), "{:?}", row.route);
}
