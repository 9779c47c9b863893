//! A vault that stops while a provider is answering.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use alter_domain::{
    auth::{
        sign_request::{Content, Request, Signer, sign_request},
        signature::Labelled,
    },
    flow::{NewApp, NewKey, create_app, mint_key},
    inject::{CredentialFields, Injection},
    model::{
        ACCESS_TOKEN, Actor, Connection, Grant, KeyHolder, ProviderConfig, REFRESH_TOKEN, Scopes, Surface,
    },
    repo::{Connections, ProviderConfigs},
    secret::Secret,
};
use serde_json::{Value, json};

use super::{Sealer, ServeOptions, Vault};
use crate::server::start;

/// A provider that says when it was asked for tokens, and answers when it is told to.
struct Provider {
    address: SocketAddr,
    asked: mpsc::Receiver<()>,
    answer: mpsc::Sender<()>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ((say_asked, asked), (answer, may_answer)) = (mpsc::channel(), mpsc::channel());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
                line.clear();
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            say_asked.send(()).unwrap();
            may_answer.recv().unwrap();
            let body = json!({
                "access_token": "access-of-the-second-kind",
                "refresh_token": "refresh-of-the-second-kind",
                "expires_in": 3600,
                "token_type": "Bearer"
            })
            .to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        });
        Self { address, asked, answer }
    }

    fn definition(&self) -> Value {
        let base = format!("http://{}", self.address);
        json!({
            "id": "toy", "name": "Toy", "category": "developer_tools", "monogram": "T",
            "docs_url": "https://example.com/docs",
            "authorization": { "url": format!("{base}/auth"), "pkce": "required" },
            "token": { "url": format!("{base}/token"), "auth": "none" },
            "scopes": { "known": [{ "scope": "read", "description": "read", "default": true }] },
            "refresh": { "kind": "refresh_token", "rotation": "always" },
            "api": { "hosts": [self.address.to_string()] },
            "evidence": { "sources": ["a test"], "date": "2026-11", "endpoints": "low", "behaviour": "low" }
        })
    }
}

#[test]
fn a_new_pair_that_is_on_its_way_is_stored_before_the_vault_has_stopped() {
    let provider = Provider::start();
    let dir = tempfile::tempdir().unwrap();
    let options = ServeOptions {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: dir.path().join("data"),
        allow_loopback_http: true,
        threads: Some(1),
        ..ServeOptions::default()
    };
    let running = start(&options).unwrap();
    let (head, connection) = block_on(connected(&running.vault, &provider));
    let address = running.local_addr;
    let mut caller = TcpStream::connect(address).unwrap();
    caller.write_all(head.as_bytes()).unwrap();
    provider.asked.recv_timeout(Duration::from_secs(20)).unwrap();
    // Nobody waits for the answer any more, and the vault is told to stop.
    drop(caller);
    let stop = thread::spawn(move || running.stop());
    for _ in 0..50 {
        assert!(!stop.is_finished(), "it must not stop before the pair is stored");
        thread::sleep(Duration::from_millis(10));
    }
    provider.answer.send(()).unwrap();
    stop.join().unwrap();
    let (vault, _) = Vault::open(&options).unwrap();
    let stored = block_on(Connections(vault.ports.table.as_ref()).get(connection.app_id, connection.id));
    assert_eq!(stored.unwrap().value.seal_version, 2);
}

/// A connection whose access token has expired, and the head of a call through it.
async fn connected(vault: &Vault, provider: &Provider) -> (String, Connection) {
    let ports = &vault.ports;
    let (sealer, now) = (Sealer::new(vault.data_keys.clone()), ports.clock.now());
    let org = ports.new_id().unwrap();
    let new = NewApp { name: "Shop".to_owned(), description: None, website_url: None };
    let app = create_app(ports, org, new, Actor::of_vault(), Surface::Vault).await.unwrap().id;
    let new = NewKey {
        name: "key".to_owned(),
        holder: KeyHolder::App,
        scopes: Scopes::standard(),
        expires_at: None,
    };
    let key = mint_key(ports, &sealer, (org, app), new, Actor::of_vault(), Surface::Vault).await.unwrap();
    let config: ProviderConfig = serde_json::from_value(json!({
        "app_id": app, "provider_id": "toy", "custom": provider.definition(), "client_id": "client",
        "scopes": { "allowed": ["read"], "default": ["read"] }, "state": { "state": "enabled" },
        "created_at": now, "updated_at": now,
    }))
    .unwrap();
    ProviderConfigs(ports.table.as_ref()).create(&config, None).await.unwrap();
    let (id, credential): (alter_domain::api::ConnectionId, alter_domain::api::CredentialId) =
        (ports.new_id().unwrap(), ports.new_id().unwrap());
    let connection: Connection = serde_json::from_value(json!({
        "id": id, "org_id": org, "app_id": app, "provider_id": "toy", "principal": { "type": "system" },
        "scopes": ["read"],
        "delivery": { "injection": Injection::bearer(), "allowed_hosts": [provider.address.to_string()] },
        "credential_id": credential, "seal_version": 1,
        "tokens": { "obtained_at": now, "expires_at": now, "refreshable": true },
        "state": { "state": "active" }, "live_grants": 1, "created_at": now,
    }))
    .unwrap();
    let grant_id: alter_domain::api::GrantId = ports.new_id().unwrap();
    let grant: Grant = serde_json::from_value(json!({
        "id": grant_id, "app_id": app, "source": { "kind": "oauth", "connection_id": id },
        "credential_id": credential, "provider_id": "toy", "principal": { "type": "system" },
        "state": { "state": "active" }, "created_at": now,
    }))
    .unwrap();
    let fields = [(ACCESS_TOKEN, "access-of-the-first-kind"), (REFRESH_TOKEN, "refresh-of-the-first-kind")];
    let fields = fields.map(|(name, text)| (name, Secret::new(text.to_owned())));
    let fields = CredentialFields::from_pairs(fields, &[]).unwrap();
    let sealed = sealer.seal_credential(ports, org, app, (credential, 1), &fields).await.unwrap();
    let created = Connections(ports.table.as_ref()).create(&connection, &sealed, &grant, None).await;
    assert!(created.unwrap());
    let target = format!("http://{}/notes", provider.address);
    let labelled = Labelled { target: &target, grant: &grant.id.to_string(), ..Labelled::default() };
    let request = Request {
        method: "GET",
        path_and_query: "/v1/forward",
        content: Content::Bytes(b""),
        timestamp: now.as_second(),
        nonce: "0123456789abcdef0123456789abcdef",
        constraints: None,
        labelled,
    };
    let headers = sign_request(Signer::PlainKey(&key.plain), &request);
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    (format!("GET /v1/forward HTTP/1.1\r\nHost: vault\r\n{headers}\r\n"), connection)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
