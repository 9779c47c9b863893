//! Secrets through every path, and the search for them in all that comes out or stays (B001, B013, B089, B101).

use std::sync::Mutex;

use alter_domain::{crypto::SigningKey, model::Permission};
use alter_tests::{
    Answer, AppClient, Mode, Operator, ScriptedClient, Setup, TestKey, TestVault, canary, encodings,
    find_canary, find_in, find_in_dir, logged,
};
use http::HeaderValue;
use memchr::memmem;
use serde_json::{Value, json};

use crate::parrot::{PUBLIC, SILENT_WAYS, Stored, WAYS, parrot, secrets};

/// Everything that came out of the vault.
#[derive(Default)]
struct Seen(Mutex<Vec<u8>>);

impl Seen {
    fn keep(&self, answer: Answer) -> Answer {
        self.0.lock().unwrap().extend(answer.everything());
        answer
    }

    fn find(&self, find: impl Fn(&[u8]) -> Option<String>) -> Option<String> {
        find(&self.0.lock().unwrap())
    }
}

struct World {
    vault: TestVault,
    admin: Operator,
    app: String,
    key: TestKey,
    seen: Seen,
    canaries: Vec<String>,
    /// Keys and tokens: seen once each.
    minted: Vec<String>,
}

impl World {
    fn client(&self, mode: Mode) -> AppClient {
        self.vault.client_of(&self.key, mode)
    }

    /// A value for each field; those that are secret are looked for later.
    fn values(&mut self, fields: &[&'static str]) -> Value {
        let value = |field: &&'static str| {
            let text = if PUBLIC.contains(field) { format!("public-{field}") } else { canary(field) };
            if !PUBLIC.contains(field) {
                self.canaries.push(text.clone());
            }
            ((*field).to_owned(), Value::from(text))
        };
        Value::Object(fields.iter().map(value).collect())
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.seen.keep(self.admin.post(path, body).await);
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        answer.json()
    }
}

async fn world() -> World {
    logged();
    let vault = Setup::default().files().http(ScriptedClient::new(parrot)).build().await;
    let org = vault.org("Acme").await;
    let admin = vault.operator(org, Permission::Admin).await;
    let app = admin.create("/portal/v1/apps", &json!({ "name": "Shop" })).await["app_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let minted = admin.create(&format!("/portal/v1/apps/{app}/keys"), &json!({ "name": "Main" })).await;
    let plain = minted["api_key"].as_str().unwrap().to_owned();
    let key = TestKey::of_text(&plain);
    World { vault, admin, app, key, seen: Seen::default(), canaries: Vec::new(), minted: vec![plain] }
}

/// Calls a stored secret in every way, by both routes and both modes.
async fn call_in_every_way(world: &World, stored: &Stored, grant: &str) {
    for way in WAYS {
        let host = if way == "elsewhere" { "https://elsewhere.example.com/" } else { stored.url };
        let url = format!("{host}{way}");
        for mode in [Mode::PlainKey, Mode::KeyId] {
            let client = world.client(mode);
            let call = json!({ "method": "POST", "url": url, "grant_id": grant, "body": { "x": 1 }, "reason": "test" });
            let answer = client.proxy(&call).await;
            let mut said = answer.everything();
            if answer.status == 200 {
                said.extend(answer.provider_body());
            }
            overwritten(stored, way, &said);
            world.seen.0.lock().unwrap().extend(said);
            let response = client.forward("POST", &url, grant).bytes("x").open().await;
            let (head, body) = response.into_parts();
            let mut pieces = body.into_data_stream();
            let mut all = format!("{:?}", head.headers).into_bytes();
            while let Some(piece) = futures_util::StreamExt::next(&mut pieces).await {
                match piece {
                    Ok(piece) => all.extend(piece),
                    Err(error) => all.extend(format!("{error:?}").bytes()),
                }
            }
            overwritten(stored, way, &all);
            world.seen.0.lock().unwrap().extend(all);
        }
    }
    // Refusals of every kind.
    let client = world.client(Mode::PlainKey);
    for bad in [
        json!({ "method": "GET", "url": stored.url, "grant_id": grant, "headers": { "Authorization": "x", "X-Api": "y" } }),
        json!({ "method": "GET", "url": stored.url, "grant_id": grant, "headers": { "X-Api": "y", "X-Pair": "z" } }),
        json!({ "method": "GET", "url": format!("{}?key=mine", stored.url), "grant_id": grant }),
        json!({ "method": "GET", "url": stored.url, "provider_id": stored.name }),
        json!({ "grant_id": grant, "reason": null, "request": { "method": "GET", "url": stored.url } }),
    ] {
        world.seen.keep(client.proxy(&bad).await);
        world.seen.keep(client.post("/sdk/token", &bad).await);
    }
}

/// The provider did send the credential back: its place is there.
#[track_caller]
fn overwritten(stored: &Stored, way: &str, said: &[u8]) {
    let hidden = memmem::find(said, b"********").is_some();
    let echoes = !SILENT_WAYS.contains(&way);
    assert!(hidden || !echoes, "{} {way}: {}", stored.name, String::from_utf8_lossy(said));
}

/// Everything that an operator or an app can look at.
async fn look_at_everything(world: &World) {
    let app = format!("/portal/v1/apps/{}", world.app);
    for path in [
        "/portal/v1/me",
        "/portal/v1/tokens",
        "/portal/v1/apps",
        "/portal/v1/audit",
        "/portal/v1/audit/export",
    ] {
        world.seen.keep(world.admin.get(path).await);
    }
    for path in [
        "",
        "/keys",
        "/agents",
        "/secrets",
        "/grants",
        "/audit?limit=1000",
        "/audit/export",
        "/audit/export?format=jsonl",
    ] {
        let answer = world.seen.keep(world.admin.get(&format!("{app}{path}")).await);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        for item in json["items"].as_array().into_iter().flatten() {
            for (list, field) in
                [("/secrets", "secret_id"), ("/keys", "key_id"), ("/grants", "grant_id"), ("/audit", "id")]
            {
                if let (true, Some(id)) = (path.starts_with(list), item[field].as_str()) {
                    world.seen.keep(world.admin.get(&format!("{app}{list}/{id}")).await);
                }
            }
        }
    }
    for mode in [Mode::PlainKey, Mode::KeyId] {
        let client = world.client(mode);
        world.seen.keep(client.get("/v1/audit?limit=1000").await);
        world.seen.keep(client.get("/v1/audit/export").await);
        world.seen.keep(client.get("/v1/audit/export?format=jsonl").await);
        world.seen.keep(client.post("/sdk/grants/list", &json!({ "limit": 1000, "offset": 0 })).await);
    }
}

#[tokio::test]
async fn b001_b089_no_secret_comes_out_or_stays_in_the_clear() {
    let mut world = world().await;
    let secrets = secrets();
    for stored in &secrets {
        let app = format!("/portal/v1/apps/{}", world.app);
        let mut body = stored.body.clone();
        body["fields"] = world.values(&stored.fields);
        let made = world.post(&format!("{app}/secrets"), &body).await;
        let grant = made["grant"]["grant_id"].as_str().unwrap().to_owned();
        call_in_every_way(&world, stored, &grant).await;
        // What is not stored is not repeated either: a field too many, one too short, broken JSON.
        let path = format!("{app}/secrets/{}/value", made["secret_id"].as_str().unwrap());
        let mut many = world.values(&stored.fields);
        many["unheard_of"] = world.values(&["unheard_of"])["unheard_of"].clone();
        let answer = world.admin.send("PUT", &path, Some(&json!({ "fields": many }))).await;
        assert_eq!(world.seen.keep(answer).status, 422);
        let typed = json!({ "fields": many, "feilds": many });
        let answer = world.admin.send("PUT", &path, Some(&typed)).await;
        assert_eq!(world.seen.keep(answer).status, 400);
        let bad = json!({ "fields": { "token": [world.values(&["list"])] } });
        let answer = world.admin.send("PUT", &path, Some(&bad)).await;
        assert_eq!(world.seen.keep(answer).status, 400);
        let fresh = world.values(&stored.fields);
        let answer = world.admin.send("PUT", &path, Some(&json!({ "fields": fresh }))).await;
        assert_eq!(world.seen.keep(answer).status, 200, "{}", stored.name);
        call_in_every_way(&world, stored, &grant).await;
    }
    look_at_everything(&world).await;

    assert!(world.canaries.len() > 20, "{} canaries", world.canaries.len());
    let log = logged();
    assert!(log.contains("alter_domain"), "the log was captured");
    let rows: Vec<u8> =
        world.vault.audit.events().iter().flat_map(|event| event.encode().unwrap().0.to_vec()).collect();
    assert_eq!(world.seen.find(find_canary), None, "came out");
    assert_eq!(find_canary(log.as_bytes()), None, "in the log");
    assert_eq!(find_canary(&rows), None, "in an audit row");
    assert_eq!(find_in_dir(world.vault.dir(), &find_canary), None, "on the disk");
    // The search finds what is there, in every spelling.
    for canary in &world.canaries {
        assert!(encodings(canary).iter().all(|spelling| find_canary(spelling).is_some()), "{canary}");
    }
    let host = |bytes: &[u8]| find_in(bytes, "several.example.com");
    assert!(world.seen.find(host).is_some() && host(&rows).is_some());
    assert!(find_in_dir(world.vault.dir(), &host).is_some());
}

#[tokio::test]
async fn b101_a_key_or_token_is_seen_once() {
    let mut world = world().await;
    let app = format!("/portal/v1/apps/{}", world.app);
    let keys = format!("{app}/keys");
    // Those answers are not kept: they are where the text may stand.
    let agent = world.post(&format!("{app}/agents"), &json!({ "name": "bot" })).await;
    for body in [json!({ "name": "one" }), json!({ "name": "bot's", "agent_id": agent["agent_id"] })] {
        let minted = world.admin.create(&keys, &body).await;
        let text = minted["api_key"].as_str().unwrap().to_owned();
        assert_eq!(minted.to_string().matches(&text).count(), 1);
        let path = format!("{keys}/{}/rotate", minted["key"]["key_id"].as_str().unwrap());
        let rotated = world.admin.post(&path, &json!({ "grace_seconds": 60 })).await.ok();
        let successor = rotated["api_key"].as_str().unwrap().to_owned();
        assert_eq!(rotated.to_string().matches(&successor).count(), 1);
        assert!(!rotated.to_string().contains(&text[text.len() - 24..]));
        for key in [&text, &successor] {
            let client = world.vault.client_of(&TestKey::of_text(key), Mode::PlainKey);
            world.seen.keep(client.get("/v1/audit").await);
            // Errors do not repeat it either.
            let request = client.request("GET", "/v1/audit").tamper(|request| {
                request.headers_mut().insert("x-alter-signature", HeaderValue::from_static("x"));
            });
            world.seen.keep(request.send().await.refused(401, "invalid_signature"));
        }
        world.minted.extend([text, successor]);
    }
    let minted =
        world.admin.create("/portal/v1/tokens", &json!({ "name": "ci", "permission": "read" })).await;
    world.minted.push(minted["operator_token"].as_str().unwrap().to_owned());
    world.minted.push(world.admin.token.expose_secret().clone());
    look_at_everything(&world).await;
    let log = logged();
    for text in &world.minted {
        // The beginning is public; what follows is the secret.
        let secret = &text[text.len() - 24..];
        let find = |bytes: &[u8]| find_in(bytes, secret);
        assert_eq!(world.seen.find(find), None, "came out");
        assert_eq!(find(log.as_bytes()), None, "in the log");
        assert_eq!(find_in_dir(world.vault.dir(), &find), None, "on the disk");
        // Nor what signs in its place.
        let signing = SigningKey::derive(&alter_domain::secret::Secret::new(text.clone()));
        let (raw, hex) = (signing.as_bytes(), hex::encode(signing.as_bytes()));
        let find = |bytes: &[u8]| {
            memmem::find(bytes, raw).map(|_| "raw".to_owned()).or_else(|| find_in(bytes, &hex))
        };
        assert_eq!(find_in_dir(world.vault.dir(), &find), None, "the signing key is on the disk");
    }
    let public = world.minted[0][..26].to_owned();
    assert!(
        find_in_dir(world.vault.dir(), &|bytes| find_in(bytes, &public)).is_some(),
        "its beginning is on the disk"
    );
}
