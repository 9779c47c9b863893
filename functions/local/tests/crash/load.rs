//! What goes on when the vault is killed, and what it had acknowledged by then.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Sender},
    },
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    client::{Client, Mode, Reply},
    provider::{Provider, credential},
    vault::Vault,
};

/// The version of the credential that an app begins with.
pub(crate) const FIRST_VERSION: u64 = 1;

/// An app with a key, a secret for the provider and a grant that nobody revokes.
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) secret_id: String,
    pub(crate) grant_id: String,
    pub(crate) provider_url: String,
}

/// A call that was answered with 200.
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) path: String,
}

/// A key that was minted.
pub(crate) struct Key {
    pub(crate) plain: String,
    /// Its revocation was asked for.
    pub(crate) ending: bool,
    /// Its revocation was acknowledged.
    pub(crate) revoked: bool,
}

/// What was acknowledged before the kill.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) calls: Vec<Call>,
    /// Some of the requests of `calls`, byte for byte.
    pub(crate) spent: Vec<Vec<u8>>,
    pub(crate) granted: Vec<String>,
    pub(crate) revoked: Vec<String>,
    pub(crate) keys: Vec<Key>,
    pub(crate) rotation_acked: u64,
    /// The last version that was asked for, answered or not.
    pub(crate) rotation_tried: u64,
}

impl App {
    pub(crate) fn create(vault: &Vault, provider: &Provider, name: &str) -> Self {
        let token = &vault.operator_token;
        let mut client = Client::connect(vault.address).unwrap();
        let mut operate = |method, path: &str, body| client.operate(token, method, path, &body).unwrap();
        let id = text(&operate("POST", "/apps", json!({ "name": name }))["app_id"]);
        let key = text(&operate("POST", &format!("/apps/{id}/keys"), json!({ "name": "load" }))["api_key"]);
        let secret = json!({
            "name": "Provider",
            "credential_type": "bearer",
            "fields": { "token": credential(FIRST_VERSION) },
            "allowed_hosts": [provider.address.to_string()],
            "grant": { "principal": { "type": "system" } },
        });
        let secret = operate("POST", &format!("/apps/{id}/secrets"), secret);
        Self {
            key,
            secret_id: text(&secret["secret_id"]),
            grant_id: text(&secret["grant"]["grant_id"]),
            provider_url: format!("http://{}", provider.address),
            id,
        }
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/apps/{}{rest}", self.id)
    }

    /// A call through the vault, signed.
    pub(crate) fn call(&self, client: &Client, mode: Mode, grant_id: &str, path: &str) -> Vec<u8> {
        let body = json!({ "method": "POST", "url": format!("{}{path}", self.provider_url), "grant_id": grant_id, "body": {} });
        client.signed(mode, &self.key, "POST", "/sdk/proxy", &body.to_string())
    }
}

/// The version of the credential that the provider was sent, from a call's answer.
pub(crate) fn version(reply: &Reply) -> u64 {
    assert_eq!((reply.status, &reply.body["status_code"]), (200, &json!(200)), "{reply:?}");
    let bytes = STANDARD.decode(reply.body["body_b64"].as_str().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&bytes).unwrap()["version"].as_u64().unwrap()
}

/// Puts the vault under load and kills it when `life` has passed since the first call was answered.
pub(crate) fn run(vault: Vault, app: &App, round: usize, life: Duration) -> Facts {
    let facts = Mutex::new(Facts::default());
    let versions = Versions { acked: AtomicU64::new(FIRST_VERSION), tried: AtomicU64::new(FIRST_VERSION) };
    let (address, token) = (vault.address, vault.operator_token.clone());
    let load = &Load { app, token: &token, facts: &facts, versions: &versions };
    let (begun, first) = mpsc::channel();
    thread::scope(|scope| {
        let connect = move || Client::connect(address);
        // A worker ends with the connection's error: the vault is gone.
        for (number, mode) in [(0, Mode::PlainKey), (1, Mode::KeyId), (2, Mode::PlainKey)] {
            let begun = begun.clone();
            scope.spawn(move || {
                connect().and_then(|client| load.calls(client, mode, &format!("/{round}/{number}"), &begun))
            });
        }
        scope.spawn(move || connect().and_then(|client| load.grants(client, &format!("/{round}/grant"))));
        scope.spawn(move || connect().and_then(|client| load.rotations(client)));
        scope.spawn(move || connect().and_then(|client| load.keys(client)));
        drop(begun);
        // It fails when the workers are gone: they have panicked, and the scope passes that on.
        if first.recv().is_ok() {
            thread::sleep(life);
        }
        vault.kill();
    });
    let mut facts = facts.into_inner().unwrap();
    facts.rotation_acked = versions.acked.into_inner();
    facts.rotation_tried = versions.tried.into_inner();
    facts
}

struct Versions {
    acked: AtomicU64,
    tried: AtomicU64,
}

struct Load<'a> {
    app: &'a App,
    token: &'a str,
    facts: &'a Mutex<Facts>,
    versions: &'a Versions,
}

/// How many of a worker's last requests are kept for a replay.
const KEPT: usize = 4;

impl Load<'_> {
    fn calls(&self, mut client: Client, mode: Mode, prefix: &str, begun: &Sender<()>) -> io::Result<()> {
        for number in 0.. {
            let path = format!("{prefix}/{number}");
            let request = self.app.call(&client, mode, &self.app.grant_id, &path);
            let at_least = self.versions.acked.load(Ordering::SeqCst);
            let reply = client.send(&request)?;
            let at_most = self.versions.tried.load(Ordering::SeqCst);
            assert!((at_least..=at_most).contains(&version(&reply)), "{at_least}..={at_most}: {reply:?}");
            let mut facts = self.facts.lock().unwrap();
            facts.calls.push(Call { id: text(&reply.body["call_id"]), path });
            if facts.spent.len() >= 3 * KEPT {
                facts.spent.remove(0);
            }
            facts.spent.push(request);
            if number == 0 {
                // Nobody listens any more when another worker was first.
                let _ = begun.send(());
            }
        }
        Ok(())
    }

    /// Grants come, are used, and every second one goes.
    fn grants(&self, mut client: Client, prefix: &str) -> io::Result<()> {
        for number in 0.. {
            let new = json!({ "secret_id": self.app.secret_id, "principal": { "type": "system" } });
            let grant = client.operate(self.token, "POST", &self.app.path("/grants"), &new)?;
            let grant_id = text(&grant["grant_id"]);
            self.facts.lock().unwrap().granted.push(grant_id.clone());
            let call = |client: &mut Client, when: &str| {
                let path = format!("{prefix}/{number}/{when}");
                let request = self.app.call(client, Mode::KeyId, &grant_id, &path);
                client.send(&request)
            };
            version(&call(&mut client, "before")?);
            match number % 4 {
                3 => continue,
                0 => {
                    let path = self.app.path(&format!("/grants/{grant_id}/revoke"));
                    client.operate(self.token, "POST", &path, &json!({}))?;
                }
                _ => {
                    let path = format!("/sdk/oauth/grants/{grant_id}/revoke");
                    let request = client.signed(Mode::PlainKey, &self.app.key, "POST", &path, "{}");
                    let reply = client.send(&request)?;
                    assert_eq!(reply.status, 200, "{reply:?}");
                }
            }
            self.facts.lock().unwrap().revoked.push(grant_id.clone());
            let reply = call(&mut client, "after")?;
            assert_eq!((reply.status, reply.code()), (403, "grant_revoked"), "{reply:?}");
        }
        Ok(())
    }

    fn rotations(&self, mut client: Client) -> io::Result<()> {
        for version in FIRST_VERSION + 1.. {
            let value = json!({ "fields": { "token": credential(version) } });
            let path = self.app.path(&format!("/secrets/{}/value", self.app.secret_id));
            self.versions.tried.store(version, Ordering::SeqCst);
            client.operate(self.token, "PUT", &path, &value)?;
            self.versions.acked.store(version, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Keys come, and every second one goes.
    fn keys(&self, mut client: Client) -> io::Result<()> {
        for number in 0..40 {
            let minted =
                client.operate(self.token, "POST", &self.app.path("/keys"), &json!({ "name": "more" }))?;
            let key = Key { plain: text(&minted["api_key"]), ending: number % 2 == 1, revoked: false };
            let index = {
                let mut facts = self.facts.lock().unwrap();
                facts.keys.push(key);
                facts.keys.len() - 1
            };
            if number % 2 == 1 {
                let path = self.app.path(&format!("/keys/{}", text(&minted["key"]["key_id"])));
                client.operate(self.token, "DELETE", &path, &Value::Null)?;
                self.facts.lock().unwrap().keys[index].revoked = true;
            }
        }
        Ok(())
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}
