//! Memory of a vault at rest and after work.

use std::path::Path;

use tempfile::TempDir;

use crate::{
    Failure,
    load::{Target, Until, closed},
    rounds::Line,
    vault::Vault,
};

pub(crate) struct Reading {
    pub(crate) line: Line,
    /// Calls since the vault was started; 1 is "idle": one call has shown that it works.
    pub(crate) calls: u64,
    pub(crate) bytes: u64,
}

const MILLION: u64 = 1_000_000;
/// For a look without waiting: enough to fill pools and buffers.
const SOME: u64 = 20_000;

/// Resident memory after more calls, on top of those of the rounds; and the data directory's size, to the error output.
pub(crate) fn after(
    vaults: &[(Line, Vault, TempDir)],
    targets: &[(Line, Target)],
    million: bool,
) -> Result<Vec<Reading>, Failure> {
    let calls = if million { MILLION } else { SOME };
    let mut readings = Vec::new();
    for (line, vault, data) in vaults {
        let Some((_, target)) = targets.iter().find(|(other, _)| other == line) else { continue };
        eprintln!("{calls} calls, {}", line.name());
        closed(target, 32, Until::Calls(calls))?;
        readings.push(Reading { line: *line, calls, bytes: vault.server.memory()? });
        eprintln!("data directory of {}:", line.name());
        list(data.path())?;
    }
    Ok(readings)
}

/// Files and their sizes: a log that grows without bound shows here.
fn list(directory: &Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path())?;
        } else {
            eprintln!("{:>12} bytes  {}", entry.metadata()?.len(), entry.path().display());
        }
    }
    Ok(())
}
