//! A vault in a process of its own, set up through the operator's API like any other.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use alter_api_types::AppId;
use alter_domain::secret::Secret;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Failure, gateway,
    load::{Target, once},
    process::Server,
    sign::{VaultCall, Work},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    Process,
    Full,
}

impl Durability {
    fn as_str(self) -> &'static str {
        match self {
            Durability::Process => "process",
            Durability::Full => "full",
        }
    }
}

/// A vault that answers.
pub(crate) struct Vault {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    /// From starting the process to its listening socket.
    pub(crate) started_in: Duration,
}

/// The directory of a vault's data, deleted at the end; on the disk that temporary files are on.
pub(crate) fn data_directory() -> Result<TempDir, Failure> {
    Ok(tempfile::Builder::new().prefix("alter-bench-").tempdir()?)
}

impl Vault {
    /// Starts `alter serve` and waits until it listens.
    pub(crate) fn start(binary: &Path, data: &Path, durability: Durability) -> Result<Self, Failure> {
        // Free a moment ago; the vault refuses to share it, should somebody else have taken it since.
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let begun = Instant::now();
        let mut command = Command::new(binary);
        command.arg("serve").args(["--listen", &address.to_string(), "--durability", durability.as_str()]);
        let server = Server::start(command.arg("--allow-loopback-http").arg("--data-dir").arg(data))?;
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > Duration::from_secs(60) {
                return Err("the vault did not start".into());
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(Self { server, address, started_in: begun.elapsed() })
    }

    /// Makes an app, its key, a secret for the upstream and a grant on it.
    pub(crate) fn set_up(&self, data: &Path, upstream: SocketAddr) -> Result<Access, Failure> {
        let token = std::fs::read_to_string(token_file(data))?.trim().to_owned();
        let post = |path: &str, body: Value| {
            gateway::post(self.address, &format!("/portal/v1{path}"), &token, &body)
        };
        let app = gateway::text(&post("/apps", json!({ "name": "bench" }))?, "/app_id")?;
        let key =
            gateway::text(&post(&format!("/apps/{app}/keys"), json!({ "name": "bench" }))?, "/api_key")?;
        let secret = json!({
            "name": "provider", "credential_type": "bearer", "fields": { "token": "sk_bench_0123456789abcdef" },
            "allowed_hosts": [upstream.to_string()],
        });
        let secret = gateway::text(&post(&format!("/apps/{app}/secrets"), secret)?, "/secret_id")?;
        let grant = json!({ "secret_id": secret, "principal": { "type": "system" } });
        let grant = gateway::text(&post(&format!("/apps/{app}/grants"), grant)?, "/grant_id")?;
        Ok(Access { key: Secret::new(key), app: app.parse().map_err(|_| "no app id")?, grants: vec![grant] })
    }

    /// The call, after proving that it goes through.
    pub(crate) fn target(&self, access: &Access, upstream: SocketAddr) -> Result<Target, Failure> {
        let target = Target { address: self.address, work: access.work(upstream)? };
        prove(&target)?;
        Ok(target)
    }
}

/// What an application has: a key, and grants to call with.
pub(crate) struct Access {
    pub(crate) key: Secret<String>,
    pub(crate) app: AppId,
    pub(crate) grants: Vec<String>,
}

impl Access {
    /// The call, not tried yet.
    pub(crate) fn work(&self, upstream: SocketAddr) -> Result<Work, Failure> {
        let call = VaultCall::new(&self.key, &self.grants, &format!("http://{upstream}"))?;
        Ok(Work::Vault(Arc::new(call)))
    }
}

/// Where a vault leaves the first operator token.
pub(crate) fn token_file(data: &Path) -> PathBuf {
    data.join("operator-token")
}

/// The answer must be the upstream's own, and not merely a 200.
pub(crate) fn prove(target: &Target) -> Result<(), Failure> {
    let (status, body) = once(target)?;
    let shown = String::from_utf8_lossy(&body);
    let answer: Value =
        serde_json::from_slice(&body).map_err(|_| format!("the vault answered {status}: {shown}"))?;
    let inner = answer.get("body_b64").and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
    let from_upstream = inner.is_some_and(|bytes| bytes.windows(12).any(|part| part == b"Ada Lovelace"));
    if status == 200 && answer.get("status_code") == Some(&json!(200)) && from_upstream {
        return Ok(());
    }
    Err(format!("the call through the vault did not reach the upstream: {status} {shown}").into())
}
