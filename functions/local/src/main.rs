//! `alter`: the vault, its command line and its demo.
//!
//! Who calls it: operators and scripts. What it may touch: as a server, one data directory and the network; as a command
//! line, the vault's HTTP APIs and the files that its user names.

mod cli;
mod demo;
mod server;

use std::process::ExitCode;

use alter_domain::{auth::key_text, secret::Secret};
use clap::error::ContextKind;

/// Also in place of the C library's, so that SQLite uses it: a call allocates some two hundred times.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let environment = environment();
    match cli::parse() {
        Ok(cli) => ExitCode::from(cli::run(cli, environment)),
        Err(error) => ExitCode::from(explain(error)),
    }
}

/// The environment is read here and nowhere else.
fn environment() -> cli::Environment {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let no_color = variable("NO_COLOR").is_some() || variable("TERM").is_some_and(|term| term == "dumb");
    cli::Environment {
        pat: variable("ALTER_PAT").and_then(|value| value.into_string().ok()).map(Secret::new),
        terminal: cli::Terminal::detect(no_color),
    }
}

/// Prints a usage error, or the help that was asked for. What stands where nothing should stand may be a secret, so it is
/// not repeated; neither is a key, wherever it stands.
fn explain(mut error: clap::Error) -> u8 {
    let stray = error.get(ContextKind::InvalidArg).is_some_and(|arg| !arg.to_string().starts_with('-'));
    if error.kind() == clap::error::ErrorKind::UnknownArgument && stray {
        error.insert(ContextKind::InvalidArg, clap::error::ContextValue::String("…".to_owned()));
    }
    let code = u8::try_from(error.exit_code()).unwrap_or(1);
    let keys = std::env::args_os()
        .any(|arg| arg.to_string_lossy().split('=').any(|part| key_text::parse(part).is_some()));
    if keys && code != 0 {
        eprintln!("error: A key or token does not belong on the command line. (usage)");
        eprintln!("hint: Name a file that holds it, with --key-file or --token-file.");
        return code;
    }
    // When the stream is gone, the exit code still tells.
    let _ = error.print();
    code
}
