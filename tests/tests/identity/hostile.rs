//! Tokens that somebody else made, or made wrongly, and identity providers that are down, slow or lying (B070, B071).

use std::cell::Cell;

use alter_domain::{
    api::{GrantId, SecretId},
    auth::signature::header,
    model::{EventKind, IdentityProvider},
    repo::Users,
};
use alter_tests::{Answer, IdpFault, TestApp, TestIdp, TokenSpec};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use ring::hmac;
use serde_json::{Value, json};

use crate::world::World;

/// All bad tokens for this subject, each by what is wrong with it. `audience` is configured.
fn bad_tokens(world: &World, stranger: &TestIdp, sub: &str) -> Vec<(&'static str, String)> {
    let idp = &world.idp;
    let good = || idp.claims(sub).aud("api");
    let signed = good().sign();
    let parts: Vec<&str> = signed.split('.').collect();
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let kid = || idp.jwks()["keys"][0]["kid"].clone();
    let by_hmac = |alg: &str, secret: &[u8]| {
        let message = format!("{}.{}", encoded(&json!({ "alg": alg, "typ": "JWT", "kid": kid() })), parts[1]);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    };
    let unsigned = |alg: &str| format!("{}.{}.", encoded(&json!({ "alg": alg, "typ": "JWT" })), parts[1]);
    let jwk = idp.jwks()["keys"][0].clone();
    let point = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let other_subject =
        encoded(&json!({ "iss": idp.issuer(), "sub": "admin", "aud": "api", "exp": i64::MAX }));
    let mut flipped = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    flipped[10] ^= 1;
    let forged = |spec: TokenSpec| spec.signed_by(stranger);
    let embedded = stranger.jwks()["keys"][0].clone();
    let far = i64::MAX / 2;
    let twice =
        format!(r#"{{"iss":"{}","aud":"api","sub":"{sub}","sub":"admin","exp":{far}}}"#, idp.issuer());
    let head = json!({ "alg": "ES256", "kid": kid() }).to_string();
    vec![
        ("empty", String::new()),
        ("no token", "x".to_owned()),
        ("three letters", "a.b.c".to_owned()),
        ("two dots", "..".to_owned()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{signed}.{}", parts[2])),
        ("five parts", format!("{signed}.{}.{}", parts[1], parts[2])),
        ("a blank before", format!(" {signed}")),
        ("a line feed behind", format!("{signed}\n")),
        ("padding", format!("{signed}==")),
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("alg NONE, with a signature", format!("{}{}", unsigned("NONE"), parts[2])),
        ("alg empty", unsigned("")),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("half a signature", signed[..signed.len() - 20].to_owned()),
        (
            "another bit in the signature",
            format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode(flipped)),
        ),
        ("all zeros as signature", format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode([0; 64]))),
        ("other claims", format!("{}.{other_subject}.{}", parts[0], parts[2])),
        ("HS256 by the public key", by_hmac("HS256", jwk.to_string().as_bytes())),
        ("HS256 by the public point", by_hmac("HS256", &[point("x"), point("y")].concat())),
        ("HS256 by nothing", by_hmac("HS256", b"")),
        ("HS512", by_hmac("HS512", jwk.to_string().as_bytes())),
        ("RS256 over an EC key", good().header("alg", json!("RS256")).sign()),
        ("ES384 over a P-256 key", good().header("alg", json!("ES384")).sign()),
        ("alg a number", good().header("alg", json!(256)).sign()),
        ("signed by a stranger", forged(good()).sign()),
        ("signed by a stranger in the key's name", forged(good()).header("kid", kid()).sign()),
        ("signed by a stranger, no kid", forged(good()).header("kid", Value::Null).sign()),
        ("kid a path", forged(good()).header("kid", json!("../../../../dev/null")).sign()),
        ("kid a query", forged(good()).header("kid", json!("' OR 1=1 --")).sign()),
        ("kid a number", good().header("kid", json!(1)).sign()),
        ("the key embedded", forged(good()).header("jwk", embedded).sign()),
        ("the key elsewhere", forged(good()).header("jku", json!(stranger.jwks_uri())).sign()),
        ("a certificate elsewhere", forged(good()).header("x5u", json!(stranger.jwks_uri())).sign()),
        ("a critical header", good().header("crit", json!(["exp"])).sign()),
        ("an unencoded payload", good().header("b64", json!(false)).header("crit", json!(["b64"])).sign()),
        ("a logout token by type", good().header("typ", json!("logout+jwt")).sign()),
        ("a security event by type", good().header("typ", json!("secevent+jwt")).sign()),
        ("a logout token by claim", good().claim("events", json!({ "x": {} })).sign()),
        ("a stranger's issuer", stranger.claims(sub).aud("api").sign()),
        ("the issuer with a slash", good().claim("iss", json!(format!("{}/", idp.issuer()))).sign()),
        ("the issuer in capitals", good().claim("iss", json!(idp.issuer().to_uppercase())).sign()),
        ("issuers in a list", good().claim("iss", json!([idp.issuer()])).sign()),
        ("no issuer", good().without("iss").sign()),
        ("expired", good().expires_in(-61).sign()),
        ("no expiry", good().without("exp").sign()),
        ("an expiry in text", good().claim("exp", json!("4102444800")).sign()),
        ("not yet valid", good().claim("nbf", json!(far)).sign()),
        ("no subject", good().without("sub").sign()),
        ("an empty subject", good().claim("sub", json!("")).sign()),
        ("a subject that is a number", good().claim("sub", json!(7)).sign()),
        ("a subject with a line feed", good().claim("sub", json!("alice\nbob")).sign()),
        ("two subjects", good().sign_texts(&head, &twice)),
        ("claims that are a list", good().sign_texts(&head, "[]")),
        ("groups that are numbers", good().claim("groups", json!([1])).sign()),
        ("another audience", idp.claims(sub).aud("other").sign()),
        ("no audience", idp.claims(sub).sign()),
        ("an audience that is a number", good().claim("aud", json!(7)).sign()),
        ("too long", good().claim("pad", json!("x".repeat(8192))).sign()),
    ]
}

struct Routes {
    own: GrantId,
    secret: SecretId,
}

impl Routes {
    /// The answers of each route that takes a user's token.
    async fn all(&self, world: &World, app: &TestApp, token: &str) -> Vec<(&'static str, Answer)> {
        let client = app.client();
        let issue = format!("/sdk/managed-secrets/{}/grants", self.secret);
        let to = json!({ "principal": { "type": "user", "user_token": token, "label": "new" }, "grant_policy": {} });
        let revoke = format!("/sdk/oauth/grants/{}/revoke", self.own);
        vec![
            ("proxy by grant", client.proxy(&world.by_grant(self.own, token)).await),
            ("proxy by provider", client.proxy(&world.by_provider("notes", token)).await),
            (
                "list",
                client
                    .post("/sdk/grants/list", &json!({ "limit": 10, "offset": 0, "user_token": token }))
                    .await,
            ),
            ("issue", client.post(&issue, &to).await),
            ("revoke", client.post(&revoke, &json!({ "user_token": token })).await),
        ]
    }
}

async fn guarded() -> (World, Routes) {
    let world =
        World::with(|provider| IdentityProvider { audience: Some("api".to_owned()), ..provider }).await;
    let secret = world.secret("notes").await;
    let alice = world.seen(&world.idp.claims("alice").aud("api").sign()).await;
    let own = world.app.grant(&secret, alter_tests::GrantSpec::of_user(alice, "alice")).await;
    (world, Routes { own, secret: secret.id })
}

#[tokio::test]
async fn b070_every_bad_token_is_refused_alike_on_every_route_and_leaves_nothing_behind() {
    let (world, routes) = guarded().await;
    let stranger = TestIdp::start().await;
    stranger.follow(&world.app.vault.clock);
    let good = world.idp.claims("alice").aud("api").sign();
    world.proxy(&world.by_grant(routes.own, &good)).await.ok();
    let (reached, events) = (world.upstream.hits(), lifecycle(&world));
    // Of somebody who has a grant, and of somebody whom nobody knows.
    let mut body: Option<Bytes> = None;
    for sub in ["alice", "mallory"] {
        for (what, token) in bad_tokens(&world, &stranger, sub) {
            for (route, answer) in routes.all(&world, &world.app, &token).await {
                assert_eq!(
                    (answer.status.as_u16(), answer.code().as_str()),
                    (401, "jwt_validation_error"),
                    "{route}: {what}"
                );
                let first = body.get_or_insert_with(|| answer.body.clone());
                assert_eq!(*first, answer.body, "{route}: {what}");
            }
        }
    }
    assert_eq!(world.upstream.hits(), reached, "the provider was reached");
    assert_eq!(lifecycle(&world), events, "something was created or changed");
    let ports = world.app.vault.calm();
    let members = Users(ports.table.as_ref()).members(world.app.id, 10, None).await.unwrap().items;
    assert_eq!(members.len(), 1, "somebody was made known");
    // Tokens with keys that nobody has made the vault look for newer ones once, and then no more.
    assert!(world.idp.key_fetches() <= 2, "{}", world.idp.key_fetches());
    assert_eq!(stranger.requests(), 0, "a token chose whom the vault asks");
    // And the good one is as good as before.
    for (route, answer) in routes.all(&world, &world.app, &good).await {
        assert_eq!(answer.status, 200, "{route}: {}", answer.text());
    }
}

/// What is on record beside calls.
fn lifecycle(world: &World) -> usize {
    world.app.vault.audit.events().iter().filter(|event| event.kind != EventKind::Call).count()
}

#[tokio::test]
async fn b070_a_stream_refuses_bad_tokens_too() {
    let (world, routes) = guarded().await;
    let stranger = TestIdp::start().await;
    stranger.follow(&world.app.vault.clock);
    for (what, token) in bad_tokens(&world, &stranger, "alice") {
        // What no header can carry cannot arrive in one.
        if token.contains('\n') || token.starts_with(' ') {
            continue;
        }
        let request = world.client().forward("GET", &world.upstream.url("/"), routes.own);
        let request = if token.is_empty() {
            request.header(header::USER_TOKEN, &token)
        } else {
            request.label(header::USER_TOKEN, &token)
        };
        let answer = request.send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "jwt_validation_error"), "{what}");
    }
    assert_eq!(world.upstream.hits(), 0);
}

#[tokio::test]
async fn an_app_without_an_identity_provider_takes_no_token() {
    let (world, routes) = guarded().await;
    let bare = world.app.vault.app_in(world.app.org).await;
    let good = world.idp.claims("alice").aud("api").sign();
    let call = world.by_grant(routes.own, &good);
    bare.client().proxy(&call).await.refused(401, "jwt_validation_error");
    let list = json!({ "limit": 10, "offset": 0, "user_token": good });
    bare.client().post("/sdk/grants/list", &list).await.refused(401, "jwt_validation_error");
}

/// The vault's own client is an audience, too: sign-in gives tokens for it.
#[tokio::test]
async fn the_audience_is_the_configured_one_or_the_vaults_own_client() {
    let client = alter_domain::model::SignInClient { client_id: "vault".to_owned(), secret: None };
    let world = World::with(|provider| IdentityProvider {
        audience: Some("api".to_owned()),
        client: Some(client),
        ..provider
    })
    .await;
    let secret = world.secret("notes").await;
    world.of_group(&secret, "all").await;
    let token = |aud: Value, azp: Option<&str>| {
        let spec = world.idp.claims("alice").group("all").claim("aud", aud);
        azp.into_iter().fold(spec, |spec, azp| spec.claim("azp", json!(azp))).sign()
    };
    for (aud, azp, good) in [
        (json!("api"), None, true),
        (json!(["other", "api"]), None, true),
        (json!("vault"), None, true),
        (json!(["vault", "x"]), Some("vault"), true),
        (json!(["vault", "x"]), Some("x"), false),
        (json!(["vault", "x"]), None, false),
        (json!("API"), None, false),
        (json!([]), None, false),
    ] {
        let answer = world.proxy(&world.by_provider("notes", &token(aud.clone(), azp))).await;
        let status = if good { 200 } else { 401 };
        assert_eq!(answer.status, status, "{aud} {azp:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn b071_a_new_key_is_taken_without_anybody_doing_anything_and_a_withdrawn_one_no_more() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    world.own(&secret, "alice").await;
    let old = world.idp.token("alice");
    world.proxy(&world.by_provider("notes", &old)).await.ok();
    world.idp.rotate();
    world.app.vault.clock.advance(11);
    world.proxy(&world.by_provider("notes", &world.idp.token("alice"))).await.ok();
    assert_eq!(world.idp.key_fetches(), 2);
    world.proxy(&world.by_provider("notes", &old)).await.refused(401, "jwt_validation_error");
}

const FAULTS: [IdpFault; 6] = [
    IdpFault::Down,
    IdpFault::Huge,
    IdpFault::NotJson,
    IdpFault::NoKeys,
    IdpFault::Redirect,
    IdpFault::Silent,
];

/// Keys were never had: nobody can tell whose a token is. That is no yes, and nobody else's trouble.
#[tokio::test]
async fn keys_that_cannot_be_had_are_no_reason_to_open_and_nobody_elses_trouble() {
    let world = World::new().await;
    let secret = world.secret("notes").await;
    let own = world.own(&secret, "alice").await;
    let other = World::of(world.app.vault.clone()).await;
    let theirs = other.own(&other.secret("notes").await, "bob").await;
    for fault in FAULTS {
        let vault = world.app.vault.restarted();
        let (app, neighbour) = (
            TestApp { vault: vault.clone(), ..world.app.clone() },
            TestApp { vault: vault.clone(), ..other.app.clone() },
        );
        world.idp.fail(fault);
        let reached = world.upstream.hits();
        let call = world.by_grant(own, &world.idp.token("alice"));
        let (client, beside, theirs_call) =
            (app.client(), neighbour.client(), other.by_grant(theirs, &other.idp.token("bob")));
        // While the one waits, the other is served.
        let served = Cell::new(false);
        let refused = tokio::select! {
            biased;
            answer = client.proxy(&call) => answer,
            () = async {
                beside.proxy(&theirs_call).await.ok();
                served.set(true);
                std::future::pending::<()>().await;
            } => unreachable!(),
        };
        assert!(served.get() || fault != IdpFault::Silent, "the other waited, too");
        let refused = refused.refused(503, "identity_provider_unavailable");
        assert_eq!(refused.header("retry-after"), Some("1"), "{fault:?}");
        assert_eq!(world.upstream.hits(), reached, "{fault:?}");
        let row = vault.audit.calls().into_iter().rev().find(|row| row.app_id == Some(app.id)).unwrap();
        assert_eq!(
            (row.user_id, row.outcome.unwrap().code.as_deref()),
            (None, Some("identity_provider_unavailable"))
        );
        beside.proxy(&theirs_call).await.ok();
        app.client().proxy(&world.plain(own)).await.ok();
        // A token that is bad on its face is not told apart from a good one.
        app.client().proxy(&world.by_grant(own, "x.y.z")).await.refused(503, "identity_provider_unavailable");
        world.idp.fail(IdpFault::None);
        vault.clock.advance(11);
        app.client().proxy(&call).await.ok();
    }
}

/// Keys that were had count for an hour more, and only for what they sign.
#[tokio::test]
async fn keys_that_were_had_count_for_an_hour_while_the_identity_provider_is_in_trouble() {
    for fault in FAULTS.into_iter().filter(|fault| *fault != IdpFault::Silent) {
        let world = World::new().await;
        let secret = world.secret("notes").await;
        let own = world.own(&secret, "alice").await;
        let clock = &world.app.vault.clock;
        world.idp.fail(fault);
        clock.advance(11 * 60);
        let call = |token: &str| world.by_grant(own, token);
        world.proxy(&call(&world.idp.token("alice"))).await.ok();
        let bad = world.idp.claims("alice").expires_in(-61).sign();
        world.proxy(&call(&bad)).await.refused(401, "jwt_validation_error");
        clock.advance(45 * 60);
        world.proxy(&call(&world.idp.token("alice"))).await.ok();
        clock.advance(5 * 60);
        world.proxy(&call(&world.idp.token("alice"))).await.refused(503, "identity_provider_unavailable");
        world.proxy(&world.plain(own)).await.ok();
    }
}
