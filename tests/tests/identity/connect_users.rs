//! Connect sessions for the user whom a token names.

use alter_domain::{
    api::UserId,
    model::{EventKind, Grant, Principal, Surface, UserState},
    repo::{Grants, Stored, Users},
};
use alter_tests::{
    Answer, Browser, ConnectionSpec, KeySpec, Mode, TestApp, TestIdp, TestVault, Upstream, json_reply,
    leads_to, query, toy_provider,
};
use serde_json::{Value, json};
use url::Url;

struct Stage {
    app: TestApp,
    idp: TestIdp,
    /// An OAuth provider: the code says which account it is for.
    toy: Upstream,
}

/// A visit of the Connect page, as far as the provider.
struct Visit {
    session: String,
    browser: Browser,
    authorize: Url,
}

impl Stage {
    async fn new() -> Self {
        let app = TestVault::new().await.app().await;
        let idp = TestIdp::start().await;
        app.identity_provider(&idp).await;
        let toy = Upstream::serving(|received| async move {
            let body = String::from_utf8(received.body.to_vec()).unwrap();
            let account = body.split("code-").nth(1).map_or("", |rest| rest.split('&').next().unwrap());
            let token = format!("access-of-{account}-{}", body.len());
            json_reply(
                200,
                &json!({ "access_token": token, "refresh_token": format!("refresh-{token}"), "expires_in": 3600,
                    "token_type": "Bearer", "account": { "id": account } }),
            )
        })
        .await;
        let mut definition = toy_provider(&toy.url(""), &toy.host());
        definition["account"] = json!({ "source": "reply", "identifier": ["account.id"] });
        app.provider(definition).await;
        Self { app, idp, toy }
    }

    async fn create(&self, body: Value) -> Answer {
        self.app.client().post("/sdk/oauth/connect/session", &body).await
    }

    /// Opens a session as far as the provider's page.
    async fn visit(&self, body: Value) -> Visit {
        let session = self.create(body).await.ok()["session_token"].as_str().unwrap().to_owned();
        let mut browser = Browser::new(&self.app.vault);
        let opened = browser.post("/sdk/oauth/connect", &[("session", &session)]).await;
        let home = opened.header("location").unwrap().to_owned();
        let page = browser.get(&home).await.text();
        let token =
            page.split_once("name=\"form_token\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
        let form = [("form_token", token.as_str()), ("provider", "toy")];
        let authorize = leads_to(&browser.post(&format!("{home}/start"), &form).await);
        Visit { session, browser, authorize }
    }

    /// The provider sends the visit back with this account.
    async fn allow(&self, visit: &mut Visit, account: &str) -> Answer {
        let asked = query(&visit.authorize);
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        let code = format!("code-{account}");
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
        visit.browser.come_back(&back).await
    }

    async fn connect(&self, body: Value, account: &str) -> Value {
        let mut visit = self.visit(body).await;
        self.allow(&mut visit, account).await;
        self.poll(&visit).await
    }

    async fn poll(&self, visit: &Visit) -> Value {
        let body = json!({ "session_token": visit.session });
        self.app.client().post("/sdk/oauth/connect/session/poll", &body).await.ok()
    }

    async fn grants(&self) -> Vec<Grant> {
        Grants(self.app.vault.calm().table.as_ref()).list(self.app.id, 100, None).await.unwrap().items
    }

    fn user(&self, sub: &str) -> Principal {
        Principal::User { user_id: self.app.user_of(&self.idp, sub) }
    }

    async fn become_(&self, sub: &str, state: UserState) {
        set_state(&self.app.vault, self.app.user_of(&self.idp, sub), state).await;
    }
}

async fn set_state(vault: &TestVault, id: UserId, state: UserState) {
    let ports = vault.calm();
    let Stored { mut value, version } = Users(ports.table.as_ref()).find(id).await.unwrap().unwrap();
    value.state = state;
    ports.table.transact(vec![Users::put(&Stored { value, version }).unwrap()]).await.unwrap();
}

#[tokio::test]
async fn b055_a_grant_made_with_a_users_token_is_that_users() {
    let stage = Stage::new().await;
    let ada = stage.connect(json!({ "user_token": stage.idp.token("ada") }), "shared").await;
    let bob = stage.connect(json!({ "user_token": stage.idp.token("bob") }), "shared").await;
    let app = stage.connect(json!({}), "shared").await;
    let ids: Vec<_> = [&ada, &bob, &app].map(|polled| polled["grants"][0]["grant_id"].clone()).to_vec();
    assert!(ids.iter().all(Value::is_string) && ids[0] != ids[1] && ids[1] != ids[2]);
    let mut grants = stage.grants().await;
    grants.sort_by_key(|grant| ids.iter().position(|id| *id == json!(grant.id)));
    let principals: Vec<_> = grants.iter().map(|grant| grant.principal.clone()).collect();
    assert_eq!(principals, [stage.user("ada"), stage.user("bob"), Principal::System]);
    // The same account, three connections: what one ends the others keep.
    let connections: std::collections::BTreeSet<_> =
        grants.iter().map(|grant| grant.source.connection_id().unwrap()).collect();
    assert_eq!(connections.len(), 3);
    // Coming back renews what is one's own.
    let again = stage.connect(json!({ "user_token": stage.idp.token("ada") }), "shared").await;
    assert_eq!(again["grants"][0]["grant_id"], ids[0]);
    assert_eq!(again["grants"][0]["operation"], "reauth");
    assert_eq!(stage.grants().await.len(), 3);
    let events = stage.app.vault.audit.events();
    let created: Vec<_> =
        events.iter().filter(|event| event.kind == EventKind::ConnectSessionCreated).collect();
    assert_eq!(created[0].user_id, Some(stage.app.user_of(&stage.idp, "ada")));
}

#[tokio::test]
async fn a_session_is_not_made_for_a_token_that_does_not_hold() {
    let stage = Stage::new().await;
    for bad in ["", "a.b.c", &stage.idp.claims("ada").expires_in(-120).sign()] {
        stage.create(json!({ "user_token": bad })).await.refused(401, "jwt_validation_error");
    }
    let user_token = stage.idp.token("ada");
    stage
        .create(json!({ "user_token": user_token, "agent": "bot" }))
        .await
        .refused(422, "delegation_not_supported");
    stage.create(json!({ "agent": "bot" })).await.refused(400, "agent_requires_user_token");
    stage.create(json!({ "user_token": user_token })).await.ok();
    let (at, from) = (stage.app.vault.now(), Surface::Webhook);
    stage.become_("ada", UserState::Suspended { at, from }).await;
    stage.create(json!({ "user_token": user_token })).await.refused(403, "user_suspended");
    let other = stage.app.vault.app().await;
    let refused =
        other.client().post("/sdk/oauth/connect/session", &json!({ "user_token": user_token })).await;
    refused.refused(401, "jwt_validation_error");
}

#[tokio::test]
async fn who_was_suspended_or_has_left_meanwhile_gets_no_grant() {
    let (at, from) = ("2026-03-01T12:00:00Z".parse().unwrap(), Surface::Webhook);
    for (state, code, sentence) in [
        (UserState::Suspended { at, from }, "user_suspended", "is suspended"),
        (UserState::Deprovisioned { at, from }, "user_deprovisioned", "has been closed"),
    ] {
        let stage = Stage::new().await;
        let mut visit = stage.visit(json!({ "user_token": stage.idp.token("ada") })).await;
        stage.become_("ada", state).await;
        let page = stage.allow(&mut visit, "ada").await;
        assert!(page.text().contains(sentence), "{}", page.text());
        assert_eq!(stage.grants().await, []);
        // What the provider gave is ended there.
        for work in stage.app.vault.work.take() {
            stage.app.vault.revoker().run(work).await.unwrap();
        }
        assert_eq!(stage.toy.to("/revoke"), 1, "{code}");
        let events = stage.app.vault.audit.events();
        let declined = events.iter().find(|event| event.kind == EventKind::ConnectDeclined).unwrap();
        assert_eq!(declined.detail["code"], code);
    }
}

#[tokio::test]
async fn who_is_suspended_between_the_last_look_and_the_write_gets_no_grant() {
    let stage = Stage::new().await;
    let mut visit = stage.visit(json!({ "user_token": stage.idp.token("ada") })).await;
    // The row that announces the grant comes after the user was found to be admitted.
    let (vault, id) = (stage.app.vault.clone(), stage.app.user_of(&stage.idp, "ada"));
    let acted = std::sync::atomic::AtomicBool::new(false);
    stage.app.vault.audit.refuse(move |event| {
        if event.kind == EventKind::GrantCreated && !acted.swap(true, std::sync::atomic::Ordering::SeqCst) {
            let vault = vault.clone();
            let suspend = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let (at, from) = (vault.now(), Surface::Webhook);
                runtime.block_on(set_state(&vault, id, UserState::Suspended { at, from }));
            };
            std::thread::spawn(suspend).join().unwrap();
        }
        false
    });
    let page = stage.allow(&mut visit, "ada").await;
    assert!(page.text().contains("is suspended"), "{}", page.text());
    assert_eq!(stage.grants().await, []);
}

#[tokio::test]
async fn a_grant_that_is_there_is_not_renewed_for_who_has_left() {
    let stage = Stage::new().await;
    let made = stage.connect(json!({ "user_token": stage.idp.token("ada") }), "ada").await;
    let grant = made["grants"][0]["grant_id"].clone();
    // The app's own server has it renewed, without the user's token.
    let mut visit = stage.visit(json!({ "repair_grant_id": grant })).await;
    let (at, from) = (stage.app.vault.now(), Surface::Webhook);
    stage.become_("ada", UserState::Deprovisioned { at, from }).await;
    stage.allow(&mut visit, "ada").await;
    let connection = stage.grants().await[0].source.connection_id().unwrap();
    assert_eq!(stage.app.connection(connection).await.value.seal_version, 1, "the tokens of before");
    // Who is back may have it renewed.
    stage.become_("ada", UserState::Active).await;
    let mut visit = stage.visit(json!({ "repair_grant_id": grant })).await;
    stage.allow(&mut visit, "ada").await;
    assert_eq!(stage.poll(&visit).await["grants"][0]["operation"], "reauth");
}

#[tokio::test]
async fn a_users_token_has_only_the_users_own_grants_renewed() {
    let stage = Stage::new().await;
    let (ada, bob) = (stage.idp.token("ada"), stage.idp.claims("bob").group("eng").sign());
    let made = stage.connect(json!({ "user_token": ada }), "ada").await;
    let own = made["grants"][0]["grant_id"].clone();
    let apps = stage.connect(json!({}), "app").await["grants"][0]["grant_id"].clone();
    let repair = |token: &str, grant: &Value| json!({ "user_token": token, "repair_grant_id": grant });
    stage.create(repair(&ada, &own)).await.ok();
    stage.create(repair(&bob, &own)).await.refused(404, "grant_not_found");
    stage.create(repair(&ada, &apps)).await.refused(404, "grant_not_found");
    // Without a token the app has any of its grants renewed.
    for grant in [&own, &apps] {
        stage.create(json!({ "repair_grant_id": grant })).await.ok();
    }
    // A group's is used by its members, and put behind another account by none of them.
    let config = alter_domain::repo::ProviderConfigs(stage.app.vault.calm().table.as_ref())
        .get(stage.app.id, "toy")
        .await
        .unwrap();
    let idp_id = alter_domain::model::IdentityProvider::id_of(stage.app.id, &stage.idp.issuer());
    let group = Principal::Group { idp_id, external_group_id: "eng".to_owned() };
    let spec = ConnectionSpec { principal: group, ..ConnectionSpec::new("an-access-token", None) };
    let (_, of_group) = stage.app.connect(&config.value, spec).await;
    stage.create(repair(&bob, &json!(of_group))).await.refused(404, "grant_not_found");
}

#[tokio::test]
async fn an_identity_is_resolved_by_token_or_by_id() {
    let stage = Stage::new().await;
    let token = stage
        .idp
        .claims("ada")
        .group("eng")
        .claim("email", json!("ada@example.com"))
        .claim("name", json!("Ada"))
        .sign();
    let scopes = Some(vec!["idp_users:read"]);
    let key = stage.app.key(KeySpec { scopes, ..KeySpec::default() }).await;
    let reader = stage.app.client_of(&key, Mode::PlainKey);
    let app = stage.app.client();
    let path = "/sdk/identity/resolve";
    let id = stage.app.user_of(&stage.idp, "ada");
    reader.post(path, &json!({ "app_user_id": id })).await.refused(404, "user_not_found");

    assert_eq!(app.post(path, &json!({})).await.ok(), json!({ "app_id": stage.app.id, "group_ids": [] }));
    let found = app.post(path, &json!({ "user_token": token, "include_profile": false })).await.ok();
    let idp_id = alter_domain::model::IdentityProvider::id_of(stage.app.id, &stage.idp.issuer());
    let expected = json!({
        "app_id": stage.app.id, "app_user_id": id, "external_subject_id": "ada", "idp_id": idp_id,
        "user_status": "active", "group_ids": ["eng"]
    });
    assert_eq!(found, expected);
    let profile = json!({ "user_token": token, "app_user_id": id, "include_profile": true });
    let found = app.post(path, &profile).await.ok();
    assert_eq!((&found["email"], &found["display_name"]), (&json!("ada@example.com"), &json!("Ada")));
    let other = json!({ "user_token": token, "app_user_id": stage.app.user_of(&stage.idp, "bob") });
    app.post(path, &other).await.refused(404, "user_not_found");
    app.post(path, &json!({ "user_token": "a.b.c" })).await.refused(401, "jwt_validation_error");

    // By id, for whoever may read users; of this app alone.
    app.post(path, &json!({ "app_user_id": id })).await.refused(403, "insufficient_scope");
    assert_eq!(reader.post(path, &json!({ "app_user_id": id })).await.ok(), expected);
    reader.post(path, &json!({ "app_user_id": "nonsense" })).await.refused(404, "user_not_found");
    let stranger = stage.app.vault.app_in(stage.app.org).await;
    let scopes = Some(vec!["idp_users:read"]);
    let key = stranger.key(KeySpec { scopes, ..KeySpec::default() }).await;
    let strange = stranger.client_of(&key, Mode::PlainKey);
    strange.post(path, &json!({ "app_user_id": id })).await.refused(404, "user_not_found");

    let (at, from) = (stage.app.vault.now(), Surface::Webhook);
    stage.become_("ada", UserState::Suspended { at, from }).await;
    assert_eq!(reader.post(path, &json!({ "app_user_id": id })).await.ok()["user_status"], "suspended");
    app.post(path, &json!({ "user_token": token })).await.refused(403, "user_suspended");
    stage.become_("ada", UserState::Deprovisioned { at, from }).await;
    reader.post(path, &json!({ "app_user_id": id })).await.refused(403, "user_deprovisioned");
}

#[tokio::test]
async fn an_agents_own_key_is_told_of_itself() {
    let stage = Stage::new().await;
    let agent = stage.app.agent().await;
    let path = "/sdk/identity/resolve";
    let itself = agent.client().post(path, &json!({})).await.ok();
    assert_eq!(itself["agent_id"], json!(agent.id));
    let token = stage.idp.token("ada");
    let user = agent.client().post(path, &json!({ "user_token": token })).await.ok();
    assert_eq!(user["app_user_id"], json!(stage.app.user_of(&stage.idp, "ada")));
    // It makes nothing for a user either: what it may use is delegated to it.
    let session = agent.client().post("/sdk/oauth/connect/session", &json!({ "user_token": token })).await;
    session.refused(422, "repair_grant_id_required");
}
