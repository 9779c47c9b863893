//! The real binary, as a process that can be killed.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

/// A process that was started and may not be ready yet.
pub(crate) struct Beginning {
    process: Process,
    log: PathBuf,
}

/// A vault that answers.
pub(crate) struct Vault {
    process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) operator_token: String,
}

impl Vault {
    pub(crate) fn begin(data_dir: &Path, durability: &str, log: &Path) -> Beginning {
        let stderr = File::options().create(true).append(true).open(log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_alter"))
            .args(["serve", "--output", "json", "--listen", "127.0.0.1:0", "--allow-loopback-http"])
            .args(["--threads", "2", "--log-level", "warn", "--durability", durability, "--data-dir"])
            .arg(data_dir)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        Beginning { process: Process(child), log: log.to_owned() }
    }

    /// `kill -9`. Returns when the process is gone.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    /// An orderly end.
    pub(crate) fn stop(mut self) {
        let killed = Command::new("kill").arg(self.process.0.id().to_string()).status().unwrap();
        assert!(killed.success());
        assert!(self.process.0.wait().unwrap().success(), "an orderly stop is a success");
    }
}

impl Beginning {
    /// Waits for the line that says where it listens.
    pub(crate) fn ready(mut self) -> Vault {
        let mut line = String::new();
        BufReader::new(self.process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            self.process.0.wait().unwrap();
            panic!("the vault did not start:\n{}", fs::read_to_string(&self.log).unwrap());
        }
        let ready: Value = serde_json::from_str(&line).unwrap();
        let address = ready["base_url"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
        let token = fs::read_to_string(ready["operator_token_file"].as_str().unwrap()).unwrap();
        Vault { process: self.process, address, operator_token: token.trim().to_owned() }
    }

    /// Kills it after some milliseconds, whatever it is doing then.
    pub(crate) fn kill_after(mut self, milliseconds: u64) {
        thread::sleep(Duration::from_millis(milliseconds));
        self.process.kill();
    }
}

/// Does not outlive a test that fails.
struct Process(Child);

impl Process {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After an orderly end there is nothing left to kill, which is no failure.
        self.kill();
    }
}

/// No start, however rude the end before it, may find something that it cannot make sense of.
pub(crate) fn check_log(log: &Path) {
    let text = fs::read_to_string(log).unwrap();
    let bad: Vec<_> =
        text.lines().filter(|line| line.contains("panicked") || line.contains("ERROR")).take(20).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
