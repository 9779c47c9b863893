//! `cargo demo`: builds the vault and lets it tell its story.

use std::os::unix::process::CommandExt as _;

use crate::{
    Context,
    command::{Result, program},
    system,
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
    Err(command.exec().into())
}
