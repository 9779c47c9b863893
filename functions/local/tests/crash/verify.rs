//! What must be true after the restart.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
};

use serde_json::Value;

use crate::{
    client::{Client, Mode, Reply},
    load::{App, FIRST_VERSION, Facts, Key, text, version},
    provider::Provider,
    vault::Vault,
};

/// Checks all that was acknowledged, and that what was not is whole or not there.
pub(crate) fn everything(vault: &Vault, provider: &Provider, app: &App, facts: &Facts) {
    // Before our own calls reach the provider too.
    let reached = provider.reached();
    let mut after = After { client: connect(vault.address), token: &vault.operator_token, app };
    after.record(facts, &reached);
    after.spent_nonces(facts);
    after.versions(facts);
    after.grants(facts);
    after.keys(&facts.keys);
}

/// An app that was left alone works as on its first day.
pub(crate) fn still_works(vault: &Vault, app: &App) {
    let mut client = connect(vault.address);
    for mode in [Mode::PlainKey, Mode::KeyId] {
        let request = app.call(&client, mode, &app.grant_id, "/still-works");
        assert_eq!(version(&client.send(&request).unwrap()), FIRST_VERSION);
    }
    let apps = client.list(&vault.operator_token, "/apps").unwrap();
    assert!(apps.iter().any(|listed| listed["app_id"] == app.id.as_str()));
}

struct After<'a> {
    client: Client,
    token: &'a str,
    app: &'a App,
}

impl After<'_> {
    /// Each acknowledged call has its row with the outcome; each call that reached the provider has at least its intent;
    /// each acknowledged change has its row.
    fn record(&mut self, facts: &Facts, reached: &HashSet<String>) {
        let rows = self.audit();
        let by_id: HashMap<&str, &Value> =
            rows.iter().map(|row| (row["id"].as_str().unwrap(), row)).collect();
        assert_eq!(by_id.len(), rows.len(), "a page repeats a row of another");
        for call in &facts.calls {
            let row = by_id.get(call.id.as_str()).unwrap_or_else(|| panic!("{} was acknowledged", call.path));
            let seen = (text(&row["outcome"]), row["status"].as_u64(), text(&row["path"]));
            assert_eq!(seen, ("success".to_owned(), Some(200), call.path.clone()), "{row}");
        }
        let intended: HashSet<&str> = rows.iter().filter_map(|row| row["path"].as_str()).collect();
        for path in reached {
            assert!(intended.contains(path.as_str()), "{path} reached the provider without a durable intent");
        }
        let done = |event: &str| -> Vec<&Value> {
            rows.iter().filter(|row| row["event"] == event && row["outcome"] == "success").collect()
        };
        for (event, grants) in [("grant.created", &facts.granted), ("grant.revoked", &facts.revoked)] {
            let on_record: HashSet<&str> =
                done(event).iter().filter_map(|row| row["grant_id"].as_str()).collect();
            for grant in grants {
                assert!(on_record.contains(grant.as_str()), "{event} of {grant} is not on the record");
            }
        }
        let rotations = u64::try_from(done("secret.rotated").len()).unwrap();
        assert!(rotations >= facts.rotation_acked - FIRST_VERSION, "{rotations} rotations");
    }

    /// What was used up before the kill is used up after it.
    fn spent_nonces(&mut self, facts: &Facts) {
        for request in &facts.spent {
            self.refused(request, 401, "nonce_replayed");
        }
    }

    fn versions(&mut self, facts: &Facts) {
        let reply = self.call(&self.app.grant_id, "/version");
        let seen = version(&reply);
        let (acked, tried) = (facts.rotation_acked, facts.rotation_tried);
        assert!(
            (acked..=tried).contains(&seen),
            "version {seen} after {acked} was acknowledged, {tried} tried"
        );
        let secrets = self.list("/secrets");
        assert_eq!(secrets.len(), 1);
        assert_eq!(secrets[0]["secret_id"], self.app.secret_id.as_str());
    }

    /// Every grant is listed, and works or does not work as the list says.
    fn grants(&mut self, facts: &Facts) {
        let listed: HashMap<String, String> = self
            .list("/grants")
            .iter()
            .map(|grant| (text(&grant["grant_id"]), text(&grant["status"])))
            .collect();
        for granted in &facts.granted {
            assert!(listed.contains_key(granted), "{granted} was acknowledged");
        }
        for revoked in &facts.revoked {
            assert_eq!(listed.get(revoked).map(String::as_str), Some("revoked"), "{revoked} was revoked");
        }
        assert_eq!(listed.get(&self.app.grant_id).map(String::as_str), Some("active"));
        for (grant, status) in &listed {
            let path = format!("/listed/{grant}");
            if status == "active" {
                version(&self.call(grant, &path));
            } else {
                let request = self.app.call(&self.client, Mode::PlainKey, grant, &path);
                self.refused(&request, 403, "grant_revoked");
            }
        }
    }

    /// Every key signs in either mode: its record and its sealed signing key are both there.
    fn keys(&mut self, keys: &[Key]) {
        for key in keys {
            for mode in [Mode::PlainKey, Mode::KeyId] {
                let body = "{\"limit\":1}";
                let request = self.client.signed(mode, &key.plain, "POST", "/sdk/grants/list", body);
                let reply = self.client.send(&request).unwrap();
                let allowed = match (key.ending, key.revoked) {
                    (false, _) => reply.status == 200,
                    (true, true) => (reply.status, reply.code()) == (401, "key_revoked"),
                    (true, false) => reply.status == 200 || reply.code() == "key_revoked",
                };
                assert!(allowed, "{mode:?}, ending {}, revoked {}: {reply:?}", key.ending, key.revoked);
            }
        }
        let listed = self.list("/keys");
        assert!(listed.len() > keys.len());
    }

    fn call(&mut self, grant: &str, path: &str) -> Reply {
        let request = self.app.call(&self.client, Mode::KeyId, grant, path);
        self.client.send(&request).unwrap()
    }

    fn refused(&mut self, request: &[u8], status: u16, code: &str) {
        let reply = self.client.send(request).unwrap();
        assert_eq!((reply.status, reply.code()), (status, code), "{reply:?}");
    }

    fn list(&mut self, path: &str) -> Vec<Value> {
        self.client.list(self.token, &self.app.path(path)).unwrap()
    }

    /// The app's whole record, as the app reads it.
    fn audit(&mut self) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let target = format!("/v1/audit?limit=1000{cursor}");
            let request = self.client.signed(Mode::KeyId, &self.app.key, "GET", &target, "");
            let reply = self.client.send(&request).unwrap();
            assert_eq!(reply.status, 200, "{reply:?}");
            rows.extend(reply.body["items"].as_array().unwrap().iter().cloned());
            match reply.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
    }
}

fn connect(address: SocketAddr) -> Client {
    Client::connect(address).unwrap()
}
