//! DynamoDB in a process of its own (`emulator/`), and the tables in it.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use alter_adapter_aws::{
    DynamoTable, HttpClient, Stopwatch, TableNames,
    table::schema::{IndexSchema, SCHEMA},
};
use alter_domain::port::SystemRng;
use aws_sdk_dynamodb::{
    Client, Config,
    config::{
        BehaviorVersion, Credentials, Region, SharedHttpClient,
        retry::{RetryConfig, RetryPartition, TokenBucket},
        timeout::TimeoutConfig,
    },
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType,
    },
};

use super::Wire;

/// An emulated account, for as long as the value lives.
pub(crate) struct Emulator {
    process: Child,
    url: String,
}

impl Emulator {
    pub(crate) fn start() -> Self {
        let program = program();
        // It ends with its standard input, so even a killed test takes it along.
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { process, url: format!("http://{}", address.trim()) }
    }

    /// New, empty tables, reached over this wire.
    pub(crate) async fn table(&self, wire: &Wire) -> DynamoTable {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let names = names(&format!("-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let admin = self.client(&Wire::default());
        for name in [&names.main, &names.vault, &names.audit] {
            create(&admin, name).await;
        }
        DynamoTable::new(self.client(wire), names, Arc::new(SystemRng::new()))
    }

    pub(crate) fn client(&self, wire: &Wire) -> Client {
        client(&self.url, wire.client(production()))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

pub(crate) fn names(suffix: &str) -> TableNames {
    let name = |table| format!("{table}{suffix}");
    TableNames { main: name("main"), vault: name("vault"), audit: name("audit") }
}

/// A client that asks nobody but the wire's script.
pub(crate) fn unreachable(wire: &Wire) -> Client {
    client("http://127.0.0.1:9", wire.client(production()))
}

fn production() -> SharedHttpClient {
    SharedHttpClient::new(HttpClient::new(Arc::new(Stopwatch::default())))
}

/// The client as production configures it (`account.rs`), but for the pauses and the quota of retries.
fn client(url: &str, http: SharedHttpClient) -> Client {
    let retry = RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(1));
    // The quota of retries is the process's, and a test of many failures would use it up.
    let quota = RetryPartition::custom("test").token_bucket(TokenBucket::unlimited()).build();
    let timeout = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(2));
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(url)
        .retry_config(retry)
        .retry_partition(quota)
        .timeout_config(timeout.build())
        .http_client(http)
        .build();
    Client::from_conf(config)
}

/// The emulator's binary, built once for each test process; when it is up to date, cargo finds that in a moment.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let target = root.join("target/emulator");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(root.join("emulator/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .output()
            .expect("cargo");
        assert!(
            built.status.success(),
            "the emulator does not build:\n{}",
            String::from_utf8_lossy(&built.stderr)
        );
        target.join("debug/alter-emulator")
    })
}

async fn create(client: &Client, name: &str) {
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(keys(SCHEMA.partition, SCHEMA.sort)))
        .attribute_definitions(text(SCHEMA.partition))
        .attribute_definitions(text(SCHEMA.sort));
    for IndexSchema { name, partition, sort } in SCHEMA.indexes {
        let all = Projection::builder().projection_type(ProjectionType::All).build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(name)
            .set_key_schema(Some(keys(partition, sort)))
            .projection(all);
        request = request
            .global_secondary_indexes(index.build().unwrap())
            .attribute_definitions(text(partition))
            .attribute_definitions(text(sort));
    }
    request.send().await.expect("a table");
}

fn keys(partition: &str, sort: &str) -> Vec<KeySchemaElement> {
    [(partition, KeyType::Hash), (sort, KeyType::Range)]
        .map(|(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap())
        .to_vec()
}

fn text(name: &str) -> AttributeDefinition {
    let definition = AttributeDefinition::builder().attribute_name(name);
    definition.attribute_type(ScalarAttributeType::S).build().unwrap()
}
