//! Running `alter` and watching what it says.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Mutex,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tempfile::TempDir;

/// The binary, in an environment that holds nothing of the developer's.
pub(crate) fn alter() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alter"));
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails with this exit code and this stable code in the message.
    pub(crate) fn refused(&self, exit: i32, code: &str) {
        assert_eq!(self.code, exit, "{self:?}");
        let first = self.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("error: ") && first.ends_with(&format!("({code})")), "{self:?}");
        assert_eq!(self.stdout, "", "a failure says nothing on standard output");
    }
}

/// Runs to the end, with `input` on standard input.
pub(crate) fn run_with(mut command: Command, input: &[u8]) -> Run {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().expect("not killed by a signal"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn run(command: Command) -> Run {
    run_with(command, b"")
}

/// `alter` with arguments and nothing else: no vault, no token.
pub(crate) fn alone(args: &[&str]) -> Run {
    let mut command = alter();
    command.args(args);
    run(command)
}

/// A process that stays up and has said, in one line of JSON, that it is ready.
pub(crate) struct Service {
    pub(crate) ready: Value,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Service {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut stderr = String::new();
            child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            panic!("{error}: {line:?} {stderr}")
        });
        Self { ready, child, stdin }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.ready))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.text(name).into()
    }

    /// Closes its standard input, and returns its exit code and what it wrote to standard error.
    pub(crate) fn close_stdin(mut self) -> (i32, String) {
        drop(self.stdin.take());
        self.finish()
    }

    /// Sends SIGTERM, likewise.
    pub(crate) fn terminate(mut self) -> (i32, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.finish()
    }

    fn finish(&mut self) -> (i32, String) {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code().expect("not killed by a signal"), stderr)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Not SIGKILL, which would leave the demo's temporary directory behind.
        drop(self.stdin.take());
        if matches!(self.child.try_wait(), Ok(None)) {
            let pid = rustix::process::Pid::from_child(&self.child);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// A demo, and the command line pointed at it. Everything that the command line says is kept.
pub(crate) struct Demo {
    pub(crate) service: Service,
    pub(crate) dir: TempDir,
    said: Mutex<String>,
}

impl Demo {
    pub(crate) fn start() -> Self {
        let mut command = alter();
        command.args(["demo", "--json"]);
        Self { service: Service::start(command), dir: tempfile::tempdir().unwrap(), said: Mutex::default() }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.service.text(name)
    }

    /// A URL of the demo's API.
    pub(crate) fn upstream(&self, path: &str) -> String {
        format!("{}{path}", self.text("upstream_url"))
    }

    pub(crate) fn host(&self) -> &str {
        self.text("upstream_url").strip_prefix("http://").unwrap()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = alter();
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("ALTER_URL", self.text("base_url"))
            .env("ALTER_TOKEN_FILE", self.text("operator_token_file"))
            .env("ALTER_KEY_FILE", self.text("app_key_file"))
            .env("ALTER_APP_ID", self.text("app_id"));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, b"")
    }

    pub(crate) fn run_with(&self, args: &[&str], input: &[u8]) -> Run {
        let run = run_with(self.command(args), input);
        let mut said = self.said.lock().unwrap();
        said.push_str(&run.stdout);
        said.push_str(&run.stderr);
        run
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        self.run(&[args, &["--output", "json"]].concat()).json()
    }

    /// A file of the user's.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.dir.path().join(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        format!("@{name}")
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    /// No command has said any of these, in whatever spelling.
    pub(crate) fn never_said(&self, secrets: &[&str]) {
        let said = self.said.lock().unwrap();
        for secret in secrets {
            assert!(secret.len() >= 8, "too short to look for");
            let base64 = STANDARD.encode(secret);
            let bearer = STANDARD.encode(format!("Bearer {secret}"));
            let encoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            for form in [*secret, base64.trim_end_matches('='), bearer.trim_end_matches('='), &encoded, &hex]
            {
                assert!(!said.contains(form), "a secret was said");
            }
        }
    }
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
