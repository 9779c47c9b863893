//! Emulators as processes, and a wire that counts.

use std::{
    fmt,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use alter_adapter_aws::{
    Account, HttpClient,
    table::schema::{IndexSchema, SCHEMA},
};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

pub(crate) const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/1/audit";
/// What Secrets Manager has made.
pub(crate) const RANDOM: &str = "abcdefghijklmnopABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// A program of `emulator/`, for as long as the value lives.
pub(crate) struct Emulator {
    process: Child,
    pub(crate) url: String,
}

impl Emulator {
    pub(crate) fn dynamodb() -> Self {
        Self::start("emulator", "target/emulator", "alter-emulator")
    }

    pub(crate) fn kms() -> Self {
        Self::start("emulator/kms", "target/emulator-kms", "alter-kms-emulator")
    }

    /// Builds it, which takes a moment when it is up to date. It ends with its standard input, so even a killed test takes
    /// it along.
    fn start(directory: &str, target: &str, name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(root.join(directory).join("Cargo.toml"));
        let built = cargo.arg("--target-dir").arg(root.join(target)).output().expect("cargo");
        assert!(built.status.success(), "{name} does not build:\n{}", String::from_utf8_lossy(&built.stderr));
        let mut program = Command::new(root.join(target).join("debug").join(name));
        let mut process = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect(name);
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { process, url: format!("http://{}", address.trim()) }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// One request as it went out.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) operation: String,
    pub(crate) body: Value,
    /// When it began and ended, as a count of what happened on the wire.
    pub(crate) begun: usize,
    pub(crate) ended: usize,
}

type Script = Box<dyn Fn(&str, &Value) -> Option<(u16, Value)> + Send + Sync>;

/// The wire between a function and AWS. It answers by script or lets pass, and remembers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Wire(Arc<State>);

struct State {
    script: Script,
    silent: bool,
    sent: Mutex<Vec<Sent>>,
    ticks: Mutex<usize>,
}

impl Wire {
    /// `script` gets the operation and the body; what it does not answer goes on to the endpoint.
    pub(crate) fn new(script: impl Fn(&str, &Value) -> Option<(u16, Value)> + Send + Sync + 'static) -> Self {
        Self(Arc::new(State {
            script: Box::new(script),
            silent: false,
            sent: Mutex::default(),
            ticks: Mutex::default(),
        }))
    }

    /// A queue that takes everything and a secret that is there; the rest goes on.
    pub(crate) fn account() -> Self {
        Self::new(|operation, _| match operation {
            "SendMessage" => Some((200, json!({ "MessageId": "m", "MD5OfMessageBody": "d" }))),
            "GetSecretValue" => Some((200, json!({ "Name": "n", "SecretString": RANDOM }))),
            _ => None,
        })
    }

    /// Everything since this was asked last, attempts counted singly.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.0.sent.lock().unwrap())
    }

    pub(crate) fn operations(&self) -> Vec<String> {
        self.sent().into_iter().map(|sent| sent.operation).collect()
    }

    pub(crate) fn tick(&self) -> usize {
        let mut ticks = self.0.ticks.lock().unwrap();
        *ticks += 1;
        *ticks
    }

    /// A wire on which nothing ever comes back.
    pub(crate) fn silent() -> Self {
        let mut wire = Self::new(|_, _| None);
        if let Some(state) = Arc::get_mut(&mut wire.0) {
            state.silent = true;
        }
        wire
    }

    /// An account behind this wire with nothing beyond it, and these settings beside those that every function has.
    pub(crate) fn function(&self, more: &[(&'static str, &'static str)]) -> Account {
        let (wire, more) = (self.clone(), more.to_vec());
        let variables = move |name: &str| {
            let given = more.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            let value = given.or(match name {
                "AWS_REGION" => Some("eu-central-1"),
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test"),
                "AWS_ENDPOINT_URL" => Some("http://127.0.0.1:9"),
                "ALTER_TABLE_MAIN" => Some("main"),
                "ALTER_TABLE_VAULT" => Some("vault"),
                "ALTER_TABLE_AUDIT" => Some("audit"),
                "ALTER_AUDIT_QUEUE_URL" => Some(QUEUE),
                _ => None,
            });
            value.map(str::to_owned)
        };
        Account::over(variables, |beyond| SharedHttpClient::new(Client { wire, beyond })).unwrap()
    }

    /// An account behind this wire. The settings are those of a function with everything.
    pub(crate) fn connect(&self, dynamodb: &Emulator, kms: Option<(&Emulator, &str)>) -> Account {
        let dynamodb = dynamodb.url.clone();
        let (kms, key) = match kms {
            Some((emulator, key)) => (emulator.url.clone(), key.to_owned()),
            None => ("http://127.0.0.1:9".to_owned(), "key".to_owned()),
        };
        let wire = self.clone();
        let variables = move |name: &str| {
            let value = match name {
                "AWS_REGION" => "eu-central-1",
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "test",
                "AWS_ENDPOINT_URL" => "http://127.0.0.1:9",
                "AWS_ENDPOINT_URL_DYNAMODB" => &dynamodb,
                "AWS_ENDPOINT_URL_KMS" => &kms,
                "ALTER_TABLE_MAIN" => "main",
                "ALTER_TABLE_VAULT" => "vault",
                "ALTER_TABLE_AUDIT" => "audit",
                "ALTER_KMS_KEY_ID" => &key,
                "ALTER_AUDIT_QUEUE_URL" => QUEUE,
                "ALTER_SETTINGS_SECRET_ARN" => "secret",
                _ => return None,
            };
            Some(value.to_owned())
        };
        Account::over(variables, |beyond| SharedHttpClient::new(Client { wire, beyond })).unwrap()
    }

    /// A client for a test of one adapter, which nothing lies behind.
    pub(crate) fn alone(&self) -> SharedHttpClient {
        SharedHttpClient::new(Client { wire: self.clone(), beyond: HttpClient::new(Arc::default()) })
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

#[derive(Debug, Clone)]
struct Client {
    wire: Wire,
    beyond: HttpClient,
}

impl aws_smithy_runtime_api::client::http::HttpClient for Client {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").expect("a target");
        let (_, operation) = target.split_once('.').expect("an operation");
        let operation = operation.to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().expect("a body")).expect("JSON");
        let (wire, beyond, begun) = (self.wire.clone(), self.beyond.clone(), self.wire.tick());
        HttpConnectorFuture::new(async move {
            if wire.0.silent {
                std::future::pending::<()>().await;
            }
            let answered = match (wire.0.script)(&operation, &body) {
                Some((status, body)) => {
                    // As the network does, it lets others go first.
                    tokio::task::yield_now().await;
                    let mut response = HttpResponse::new(
                        StatusCode::try_from(status).unwrap(),
                        SdkBody::from(body.to_string()),
                    );
                    response.headers_mut().insert("content-type", "application/x-amz-json-1.1");
                    Ok(response)
                }
                None => beyond.call(request).await,
            };
            let ended = wire.tick();
            wire.0.sent.lock().unwrap().push(Sent { operation, body, begun, ended });
            answered
        })
    }
}

/// The three tables, empty.
pub(crate) async fn create_tables(emulator: &Emulator) {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(aws_sdk_dynamodb::config::Region::from_static("eu-central-1"))
        .credentials_provider(aws_sdk_dynamodb::config::Credentials::new("t", "t", None, None, "test"))
        .endpoint_url(&emulator.url)
        .http_client(HttpClient::new(Arc::default()));
    let client = aws_sdk_dynamodb::Client::from_conf(config.build());
    for table in ["main", "vault", "audit"] {
        let mut create = client.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
        create = create.set_key_schema(Some(keys(SCHEMA.partition, SCHEMA.sort)));
        create =
            create.attribute_definitions(text(SCHEMA.partition)).attribute_definitions(text(SCHEMA.sort));
        for IndexSchema { name, partition, sort } in SCHEMA.indexes {
            let all = Projection::builder().projection_type(ProjectionType::All).build();
            let index = GlobalSecondaryIndex::builder().index_name(name).projection(all);
            let index = index.set_key_schema(Some(keys(partition, sort))).build().unwrap();
            create = create.global_secondary_indexes(index);
            create = create.attribute_definitions(text(partition)).attribute_definitions(text(sort));
        }
        create.send().await.expect("a table");
    }
}

fn keys(partition: &str, sort: &str) -> Vec<KeySchemaElement> {
    let element = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    vec![element(partition, KeyType::Hash).unwrap(), element(sort, KeyType::Range).unwrap()]
}

fn text(name: &str) -> AttributeDefinition {
    let definition = AttributeDefinition::builder().attribute_name(name);
    definition.attribute_type(ScalarAttributeType::S).build().unwrap()
}
