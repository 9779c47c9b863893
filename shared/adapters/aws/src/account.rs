//! The account that a function runs in: its settings, and one shared configuration for every AWS client.
//!
//! Nothing here waits: region, credentials and settings are environment variables that Lambda and the template set. No
//! profile file is read and no metadata service is asked, so that a function polls for work within milliseconds.
//!
//! | What | Value | Why |
//! |---|---|---|
//! | attempts | 3, backoff from 50 ms to 1 s with jitter | throttles and lost connections pass; more would outlive the caller |
//! | connecting | 1 s | a service of the same region answers in a few milliseconds |
//! | one attempt | 2 s | ten times the slowest answer that is worth waiting for |
//! | all attempts | 6 s | three rounds of a call stay below the 25 s of `/sdk/proxy` |
//! | a signal to the worker | 2 s | the worker looks by itself within a minute; who ends a grant waits for its answer |
//!
//! An error after the last attempt denies: see each adapter for what it becomes.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use alter_domain::{
    crypto::DataKeys,
    egress::EgressRules,
    flow::{Refresher, identity::IdentityService},
    oidc::IdentityKeys,
    port::{
        AuditSink, Clock, HttpClient as HttpClientPort, NoWork, Rng, SystemClock, SystemRng, Table,
        TableNonces, WorkQueue,
    },
    state::{CredentialOpener, Ports, Sealer},
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion, http::SharedHttpClient,
    stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};

use crate::{
    DynamoTable, KmsWrapper, ObservedClient, ObservedSink, ObservedWork, SqsSink, SqsWork, Stopwatch,
    TableNames, http::HttpClient,
};

const ATTEMPTS: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(6);
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(2);
/// How many tokens that were verified an instance remembers: about a kilobyte each.
const VERIFIED_TOKENS: usize = 2_000;

/// A function cannot start: one of its environment variables is missing or wrong. Names the variable, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the environment variable {name} is not {expected}")]
    Malformed { name: &'static str, expected: &'static str },
}

/// The settings of a function and what its adapters are made of. Each adapter is made when asked for, so that a function
/// needs only the settings of what it uses.
pub struct Account {
    variables: Variables,
    sdk: SdkConfig,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    stopwatch: Arc<Stopwatch>,
    ports: OnceLock<Ports>,
    data_keys: OnceLock<DataKeys>,
    refresher: OnceLock<Refresher>,
    identity_keys: OnceLock<Arc<IdentityKeys>>,
    xray_daemon: Option<SocketAddr>,
}

/// Looks an environment variable up.
type Variables = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

impl Account {
    /// Of this process.
    #[allow(clippy::disallowed_methods, reason = "a function's main calls this, once")]
    pub fn from_env() -> Result<Self, SettingError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    pub fn from_variables(
        variables: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Self, SettingError> {
        Self::over(variables, SharedHttpClient::new)
    }

    /// The same with something between the AWS clients and their connections: tests count and answer there.
    pub fn over(
        variables: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        wire: impl FnOnce(HttpClient) -> SharedHttpClient,
    ) -> Result<Self, SettingError> {
        let variables: Variables = Box::new(variables);
        let stopwatch = Arc::new(Stopwatch::default());
        let sdk = sdk_config(&variables, wire(HttpClient::new(Arc::clone(&stopwatch))))?;
        let xray_daemon = variables("AWS_XRAY_DAEMON_ADDRESS").and_then(|address| address.parse().ok());
        Ok(Self {
            variables,
            sdk,
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng::new()),
            stopwatch,
            ports: OnceLock::new(),
            data_keys: OnceLock::new(),
            refresher: OnceLock::new(),
            identity_keys: OnceLock::new(),
            xray_daemon,
        })
    }

    /// The ports of a function with routes: all three tables, the audit queue, nonces in the main table, and the work queue
    /// if the function is told of one.
    pub fn ports(&self) -> Result<Ports, SettingError> {
        if let Some(ports) = self.ports.get() {
            return Ok(ports.clone());
        }
        let table = self.table()?;
        let queue_url = self.url("ALTER_AUDIT_QUEUE_URL")?;
        let sqs = aws_sdk_sqs::Client::new(&self.service("SQS")?);
        let audit = SqsSink::new(sqs, queue_url, Arc::clone(&table));
        let audit = ObservedSink::new(Arc::new(audit) as Arc<dyn AuditSink>, Arc::clone(&self.stopwatch));
        let ports = Ports {
            nonces: Arc::new(TableNonces::new(Arc::clone(&table))),
            work: self.work()?,
            table,
            audit: Arc::new(audit),
            clock: Arc::clone(&self.clock),
            rng: Arc::clone(&self.rng),
        };
        Ok(self.ports.get_or_init(|| ports).clone())
    }

    fn work(&self) -> Result<Arc<dyn WorkQueue>, SettingError> {
        if self.optional("ALTER_WORK_QUEUE_URL").is_none() {
            return Ok(Arc::new(NoWork));
        }
        let queue_url = self.url("ALTER_WORK_QUEUE_URL")?;
        let timeout = TimeoutConfig::builder().operation_timeout(SIGNAL_TIMEOUT).build();
        let config = self.service("SQS")?.to_builder().timeout_config(timeout).build();
        let work = SqsWork::new(aws_sdk_sqs::Client::new(&config), queue_url);
        Ok(Arc::new(ObservedWork::new(Arc::new(work), Arc::clone(&self.stopwatch))))
    }

    pub fn table(&self) -> Result<Arc<dyn Table>, SettingError> {
        let names = TableNames {
            main: self.required("ALTER_TABLE_MAIN")?,
            vault: self.required("ALTER_TABLE_VAULT")?,
            audit: self.required("ALTER_TABLE_AUDIT")?,
        };
        let client = aws_sdk_dynamodb::Client::new(&self.service("DYNAMODB")?);
        Ok(Arc::new(DynamoTable::new(client, names, Arc::clone(&self.rng))))
    }

    /// The door to data keys. Which of them open is for the function's role to say (docs/adr/0004).
    pub fn data_keys(&self) -> Result<DataKeys, SettingError> {
        if let Some(keys) = self.data_keys.get() {
            return Ok(keys.clone());
        }
        let client = aws_sdk_kms::Client::new(&self.service("KMS")?);
        let wrapper = KmsWrapper::new(client, self.required("ALTER_KMS_KEY_ID")?);
        let keys = DataKeys::new(Arc::new(wrapper), Arc::clone(&self.clock));
        Ok(self.data_keys.get_or_init(|| keys).clone())
    }

    /// A client to providers that is timed. Only the functions that call providers have one.
    pub fn observed(&self, client: impl HttpClientPort + 'static) -> Arc<dyn HttpClientPort> {
        Arc::new(ObservedClient::new(Arc::new(client), Arc::clone(&self.stopwatch)))
    }

    /// What renews tokens, over this client and with the function's permission to open and to seal credentials. One for each
    /// process, which is not frozen before its refreshes have ended.
    pub fn refresher(
        &self,
        http: &Arc<dyn HttpClientPort>,
        rules: EgressRules,
    ) -> Result<Refresher, SettingError> {
        let (ports, keys) = (self.ports()?, self.data_keys()?);
        let make = || {
            let (opener, sealer) = (CredentialOpener::new(keys.clone()), Sealer::new(keys));
            Refresher::new(ports, opener, sealer, Arc::clone(http), rules)
        };
        Ok(self.refresher.get_or_init(make).clone())
    }

    /// What tells whose token it is, over this client. Keys and tokens that were verified are remembered once for each process.
    pub fn identity(
        &self,
        http: &Arc<dyn HttpClientPort>,
        rules: EgressRules,
    ) -> Result<IdentityService, SettingError> {
        let keys = self.identity_keys.get_or_init(|| Arc::new(IdentityKeys::new(VERIFIED_TOKENS)));
        Ok(IdentityService { ports: self.ports()?, http: Arc::clone(http), rules, keys: Arc::clone(keys) })
    }

    /// Returns when no refresh is under way.
    pub(crate) async fn settled(&self) {
        if let Some(refresher) = self.refresher.get() {
            refresher.settled().await;
        }
    }

    /// Forgets the plaintext data keys whose time is over. A process that is frozen between invocations has no task that
    /// could; a key that has expired is never used, and is gone before anything else happens in the next invocation.
    pub(crate) fn evict_expired(&self) {
        if let Some(keys) = self.data_keys.get() {
            keys.evict_expired();
        }
    }

    /// Where X-Ray's daemon listens, if there is one.
    pub(crate) fn xray_daemon(&self) -> Option<SocketAddr> {
        self.xray_daemon
    }

    /// The first operator token's secret, for the function that sets an empty installation up.
    pub(crate) fn settings_secret(&self) -> Result<(aws_sdk_secretsmanager::Client, String), SettingError> {
        let client = aws_sdk_secretsmanager::Client::new(&self.service("SECRETS_MANAGER")?);
        Ok((client, self.required("ALTER_SETTINGS_SECRET_ARN")?))
    }

    /// The name of the organization that an empty installation is set up with.
    pub(crate) fn organization(&self) -> String {
        self.optional("ALTER_ORGANIZATION").unwrap_or_else(|| "My organization".to_owned())
    }

    /// Where browsers and OAuth providers reach the vault.
    pub fn public_url(&self) -> Result<String, SettingError> {
        self.url("ALTER_PUBLIC_URL")
    }

    /// Where browsers reach the Wallet.
    pub fn wallet_url(&self) -> Result<String, SettingError> {
        self.url("ALTER_WALLET_URL")
    }

    /// How long the parts of the present invocation took.
    pub(crate) fn stopwatch(&self) -> Arc<Stopwatch> {
        Arc::clone(&self.stopwatch)
    }

    /// The configuration of one service: `AWS_ENDPOINT_URL_<service>` goes before `AWS_ENDPOINT_URL`, as in every AWS SDK.
    fn service(&self, service: &str) -> Result<SdkConfig, SettingError> {
        let name = format!("AWS_ENDPOINT_URL_{service}");
        let Some(url) = self.optional(&name).or_else(|| self.optional("AWS_ENDPOINT_URL")) else {
            return Ok(self.sdk.clone());
        };
        if !is_http(&url) {
            return Err(SettingError::Malformed { name: "AWS_ENDPOINT_URL", expected: "an http(s) URL" });
        }
        Ok(self.sdk.to_builder().endpoint_url(url).build())
    }

    pub(crate) fn optional(&self, name: &str) -> Option<String> {
        (self.variables)(name).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<String, SettingError> {
        required(&self.variables, name)
    }

    fn url(&self, name: &'static str) -> Result<String, SettingError> {
        let url = self.required(name)?;
        if is_http(&url) {
            Ok(url)
        } else {
            Err(SettingError::Malformed { name, expected: "an http(s) URL" })
        }
    }
}

fn sdk_config(variables: &Variables, http: SharedHttpClient) -> Result<SdkConfig, SettingError> {
    let region = required(variables, "AWS_REGION")?;
    // Credentials of a Lambda environment last as long as the environment does.
    let credentials = Credentials::new(
        required(variables, "AWS_ACCESS_KEY_ID")?,
        required(variables, "AWS_SECRET_ACCESS_KEY")?,
        variables("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()),
        None,
        "environment",
    );
    let retry = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF);
    let timeout = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    Ok(SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(retry)
        .timeout_config(timeout)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        // Answers are short; the attempt's timeout covers a stalled one.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(http)
        .build())
}

fn required(variables: &Variables, name: &'static str) -> Result<String, SettingError> {
    variables(name).filter(|value| !value.is_empty()).ok_or(SettingError::Missing(name))
}

fn is_http(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 8] = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "canary-of-the-secret-key"),
        ("ALTER_TABLE_MAIN", "main"),
        ("ALTER_TABLE_VAULT", "vault"),
        ("ALTER_TABLE_AUDIT", "audit"),
        ("ALTER_KMS_KEY_ID", "key"),
        ("ALTER_AUDIT_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/1/audit"),
    ];

    fn account(change: &[(&'static str, &'static str)]) -> Result<Account, SettingError> {
        let change = change.to_vec();
        Account::from_variables(move |name| {
            let all = change.iter().chain(&ALL);
            all.into_iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn start(account: &Account) -> Result<(), SettingError> {
        account.ports()?;
        account.data_keys()?;
        Ok(())
    }

    #[test]
    fn each_setting_that_is_missing_is_named() {
        start(&account(&[]).unwrap()).unwrap();
        for (name, _) in ALL {
            let error = account(&[(name, "")]).and_then(|account| start(&account)).unwrap_err();
            assert_eq!(error, SettingError::Missing(name));
            assert!(!error.to_string().contains("canary"));
        }
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_refused() {
        for (name, value) in [
            ("ALTER_AUDIT_QUEUE_URL", "audit"),
            ("ALTER_WORK_QUEUE_URL", "work"),
            ("AWS_ENDPOINT_URL", "localhost:4566"),
            ("AWS_ENDPOINT_URL_KMS", "ftp://localhost"),
        ] {
            let error = account(&[(name, value)]).and_then(|account| start(&account)).unwrap_err();
            assert!(matches!(error, SettingError::Malformed { .. }), "{name}");
            assert!(!error.to_string().contains(value), "{error}");
        }
    }

    #[test]
    fn an_endpoint_of_one_service_goes_before_that_of_all() {
        let account = account(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:2"),
        ])
        .unwrap();
        let endpoint = |service| account.service(service).unwrap().endpoint_url().map(str::to_owned);
        assert_eq!(endpoint("SQS").as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(endpoint("KMS").as_deref(), Some("http://127.0.0.1:2"));
    }

    #[test]
    fn ports_and_data_keys_are_made_once() {
        let account = account(&[]).unwrap();
        assert!(Arc::ptr_eq(&account.ports().unwrap().audit, &account.ports().unwrap().audit));
    }
}
