//! Servers in processes of their own, which end with the bench.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;

/// A server that is stopped when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Kept open: a server that writes to a closed pipe may die of it.
    lines: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        let shown = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{shown} could not be started: {error}"))?;
        let lines = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        Ok(Self { child, lines })
    }

    /// Another of this program's subcommands.
    pub(crate) fn own(arguments: &[&str]) -> Result<(Self, SocketAddr), Failure> {
        let mut server = Self::start(Command::new(std::env::current_exe()?).args(arguments))?;
        let address = server.line()?.parse()?;
        Ok((server, address))
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            return Err(format!("the server ended: {}", self.child.wait()?).into());
        }
        Ok(line.trim().to_owned())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory of the process in bytes.
    pub(crate) fn memory(&self) -> Result<u64, Failure> {
        resident(&format!("/proc/{}/status", self.id()))
    }
}

impl Drop for Server {
    /// Asks first: nginx stops its workers, the demo removes its directory.
    fn drop(&mut self) {
        let asked = i32::try_from(self.id())
            .ok()
            .and_then(Pid::from_raw)
            .is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        let patience = Instant::now() + Duration::from_secs(5);
        while asked && Instant::now() < patience {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(10)),
                _ => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells the parent where to connect.
pub(crate) fn announce(address: SocketAddr) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{address}")?;
    Ok(out.flush()?)
}

/// Whether a program is installed.
pub(crate) fn find(names: &[&str]) -> Option<String> {
    names.iter().find(|name| Path::new(name).exists()).map(|name| (*name).to_owned())
}

fn resident(status: &str) -> Result<u64, Failure> {
    let text = std::fs::read_to_string(status)?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_is_read() {
        assert!(super::resident("/proc/self/status").unwrap() > 100_000);
    }
}
