//! What a call costs in requests to AWS (issue of the functions: counted, not estimated), through the routers and over the
//! adapters that the functions have.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use alter_adapter_aws::{Account, SetUp};
use alter_domain::{
    auth::{
        key_text,
        sign_request::{self, Content, Signer, sign_request},
        signature::Labelled,
    },
    crypto::SigningKey,
    egress::EgressRules,
    flow::{CallService, Relations},
    port::{HttpClient, SendError},
    secret::Secret,
    state::{CredentialOpener, Sealer, SigningKeys},
    web::edge,
};
use alter_portal::PortalState;
use alter_proxy::ProxyState;
use async_trait::async_trait;
use axum::{Router, body::Body};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{Emulator, RANDOM, Sent, Wire, create_tables};

/// The provider: answers at once, and notes when it was reached. Behind `/token` it gives the token that it wants to see.
struct Provider {
    wire: Wire,
    reached: Arc<AtomicU64>,
}

pub(crate) const TOKEN: &str = "canary-token";

#[async_trait]
impl HttpClient for Provider {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, SendError> {
        if request.uri().path() == "/token" {
            let tokens = json!({ "access_token": TOKEN, "refresh_token": "canary-next", "token_type": "Bearer",
                "expires_in": 3600 });
            return Ok(Response::new(Body::from(tokens.to_string())));
        }
        assert_eq!(request.headers()["authorization"], format!("Bearer {TOKEN}"));
        self.reached.store(self.wire.tick() as u64, Ordering::SeqCst);
        Ok(Response::new(Body::from("{}")))
    }
}

pub(crate) struct World {
    wire: Wire,
    dynamodb: Emulator,
    kms: Emulator,
    key: String,
    reached: Arc<AtomicU64>,
    api_key: Secret<String>,
    pub(crate) app: String,
    /// On a managed secret.
    grant: String,
}

async fn json_of(response: Response<Body>, expected: StatusCode) -> Value {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert_eq!(status, expected, "{}", String::from_utf8_lossy(&bytes));
    serde_json::from_slice(&bytes).unwrap()
}

impl World {
    /// An app with a key, a secret and a grant, made by an operator over the portal's routes.
    pub(crate) async fn new() -> Self {
        let (dynamodb, kms, wire) = (Emulator::dynamodb(), Emulator::kms(), Wire::account());
        create_tables(&dynamodb).await;
        let key = crate::kms::create_key(&crate::kms::client(&kms.url, Wire::new(|_, _| None).alone())).await;
        let account = wire.connect(&dynamodb, Some((&kms, &key)));
        let ports = account.ports().unwrap();
        let sealer = Sealer::new(account.data_keys().unwrap());
        let nobody = Arc::new(Provider { wire: wire.clone(), reached: Arc::default() });
        let routes = alter_portal::router(PortalState::new(
            ports.clone(),
            sealer,
            "https://vault.example",
            EgressRules::default(),
            nobody,
        ));
        let portal = edge(SetUp::new(&account).unwrap().before(routes), ports);
        let post = async |path: &str, body: Value| {
            let request = Request::post(format!("/portal/v1{path}"))
                .header("authorization", format!("Bearer alter_pat_{RANDOM}"))
                .header("content-type", "application/json")
                .body(Body::from(body.to_string()));
            json_of(portal.clone().oneshot(request.unwrap()).await.unwrap(), StatusCode::CREATED).await
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let app = text(&post("/apps", json!({ "name": "Shop" })).await["app_id"]);
        let api_key = text(&post(&format!("/apps/{app}/keys"), json!({ "name": "k" })).await["api_key"]);
        let secret = json!({ "name": "p", "credential_type": "bearer", "fields": { "token": TOKEN },
            "injection": [{ "target": "header", "name": "Authorization", "format": "Bearer {token}" }],
            "allowed_hosts": ["api.example.com"] });
        let secret = text(&post(&format!("/apps/{app}/secrets"), secret).await["secret_id"]);
        let grant = json!({ "secret_id": secret, "principal": { "type": "system" } });
        let grant = text(&post(&format!("/apps/{app}/grants"), grant).await["grant_id"]);
        let api_key = Secret::new(api_key);
        Self { wire, dynamodb, kms, key, reached: Arc::default(), api_key, app, grant }
    }

    pub(crate) fn account(&self) -> Account {
        self.wire.connect(&self.dynamodb, Some((&self.kms, &self.key)))
    }

    /// A fresh instance of the proxy function.
    pub(crate) fn instance(&self) -> Router {
        let account = self.account();
        let keys = account.data_keys().unwrap();
        let provider = Provider { wire: self.wire.clone(), reached: Arc::clone(&self.reached) };
        let (http, rules) = (account.observed(provider), EgressRules::default());
        let calls = CallService {
            refresher: account.refresher(&http, rules).unwrap(),
            identity: account.identity(&http, rules).unwrap(),
            ports: account.ports().unwrap(),
            signing: SigningKeys::new(keys.clone()),
            opener: CredentialOpener::new(keys),
            http,
            rules,
            relations: Arc::new(Relations::new(100)),
        };
        edge(alter_proxy::router(ProxyState::new(calls)), account.ports().unwrap())
    }

    /// One call, and what went over the wire for it.
    async fn call(&self, instance: &Router, by_key_id: bool) -> Vec<Sent> {
        self.call_with(&self.grant, instance, by_key_id).await
    }

    /// The same with another grant.
    pub(crate) async fn call_with(&self, grant: &str, instance: &Router, by_key_id: bool) -> Vec<Sent> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let body =
            json!({ "method": "GET", "url": "https://api.example.com/", "grant_id": grant }).to_string();
        let signing_key = SigningKey::derive(&self.api_key);
        let public_part = key_text::parse(self.api_key.expose_secret()).unwrap().public_part;
        let signer = match by_key_id {
            true => Signer::KeyId { public_part: &public_part, signing_key: &signing_key },
            false => Signer::PlainKey(&self.api_key),
        };
        let now = self.account().ports().unwrap().clock.now();
        let headers = sign_request(
            signer,
            &sign_request::Request {
                method: "POST",
                path_and_query: "/sdk/proxy",
                content: Content::Bytes(body.as_bytes()),
                timestamp: now.as_second(),
                nonce: &format!("{:032x}", NEXT.fetch_add(1, Ordering::SeqCst)),
                constraints: None,
                labelled: Labelled::default(),
            },
        );
        let mut request = Request::post("/sdk/proxy").header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.wire.sent();
        let response = instance.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        assert_eq!(json_of(response, StatusCode::OK).await["status_code"], 200);
        self.wire.sent()
    }
}

pub(crate) fn count(sent: &[Sent], operation: &str) -> usize {
    sent.iter().filter(|one| one.operation == operation).count()
}

/// The longest chain of requests of which each began when the one before it had ended.
pub(crate) fn rounds<'s>(sent: impl IntoIterator<Item = &'s Sent>) -> usize {
    let mut sent: Vec<_> = sent.into_iter().collect();
    sent.sort_by_key(|one| one.ended);
    let mut rounds = 0;
    let mut last = 0;
    for one in sent {
        if one.begun > last {
            rounds += 1;
            last = one.ended;
        }
    }
    rounds
}

#[tokio::test]
async fn a_warm_call_costs_a_batch_read_a_conditional_write_and_two_messages() {
    let world = World::new().await;
    for by_key_id in [false, true] {
        let instance = world.instance();
        world.call(&instance, by_key_id).await;
        let warm = world.call(&instance, by_key_id).await;
        let operations: Vec<_> = warm.iter().map(|one| one.operation.as_str()).collect();
        assert_eq!(operations.len(), 4, "{operations:?}");
        assert_eq!(count(&warm, "BatchGetItem"), 1, "{operations:?}");
        assert_eq!(count(&warm, "PutItem"), 1, "{operations:?}");
        assert_eq!(count(&warm, "SendMessage"), 2, "{operations:?}");
        let put = warm.iter().find(|one| one.operation == "PutItem").unwrap();
        assert!(put.body["ConditionExpression"].is_string());
        let reached = usize::try_from(world.reached.load(Ordering::SeqCst)).unwrap();
        assert_eq!(rounds(&warm), 3, "{warm:?}");
        assert_eq!(rounds(warm.iter().filter(|one| one.begun > reached)), 1);
        // The intent is durable before the provider is reached, and so is the nonce.
        let before: Vec<_> = warm.iter().filter(|one| one.ended < reached).collect();
        assert_eq!(before.len(), 3, "{before:?}");
    }
}

#[tokio::test]
async fn a_cold_call_adds_a_batch_read_and_a_decryption_for_each_purpose() {
    let world = World::new().await;
    for (by_key_id, decryptions) in [(false, 1), (true, 2)] {
        let cold = world.call(&world.instance(), by_key_id).await;
        let operations: Vec<_> = cold.iter().map(|one| one.operation.as_str()).collect();
        assert!(count(&cold, "BatchGetItem") <= 2, "{operations:?}");
        assert_eq!(count(&cold, "PutItem"), 1, "{operations:?}");
        assert_eq!(count(&cold, "SendMessage"), 2, "{operations:?}");
        // Credentials are opened with one data key; a client that keeps its key at home needs the one for signing keys too.
        assert_eq!(count(&cold, "Decrypt"), decryptions, "{operations:?}");
        let counted = ["BatchGetItem", "PutItem", "SendMessage", "Decrypt"].map(|one| count(&cold, one));
        assert_eq!(counted.iter().sum::<usize>(), cold.len(), "{operations:?}");
    }
}

/// The form of what is sent is the function's alone: no secret goes to AWS but to KMS, and there only wrapped.
#[tokio::test]
async fn no_request_of_a_call_holds_a_secret() {
    let world = World::new().await;
    let instance = world.instance();
    let plain = world.api_key.expose_secret();
    for by_key_id in [false, true] {
        for sent in world.call(&instance, by_key_id).await {
            let text = sent.body.to_string();
            assert!(!text.contains("canary-token") && !text.contains(plain.as_str()), "{}", sent.operation);
        }
    }
}
