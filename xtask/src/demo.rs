//! `cargo demo`: builds the vault and the Wallet's site, and lets the vault tell its story.

use std::os::unix::process::CommandExt as _;

use crate::{
    Context,
    command::{Result, program},
    system, wallet,
};

/// Becomes `cargo run`, which becomes `alter demo`: signals and exit code are the demo's own.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result {
    system::need_c_compiler()?;
    if context.target.join("debug/alter").exists() {
        eprintln!("Building the vault, if anything changed …");
    } else {
        eprintln!("Building the vault. The first build takes a few minutes; the next start is immediate.");
    }
    let mut command = program(&context.cargo, &context.root);
    command.stdin(std::process::Stdio::inherit());
    command.args(["run", "--quiet", "--package", "alter", "--bin", "alter", "--", "demo"]).args(arguments);
    let has_site = |argument: &String| argument.starts_with("--wallet-dir");
    let is_question = |argument: &String| argument == "--help" || argument == "-h";
    if !arguments.iter().any(|argument| has_site(argument) || is_question(argument)) {
        match wallet::site(context) {
            Ok(directory) => drop(command.env("ALTER_WALLET_DIR", directory)),
            Err(failure) => {
                eprintln!("The Wallet's page is missing ({failure}); `cargo xtask wallet` builds it.");
            }
        }
    }
    Err(command.exec().into())
}
