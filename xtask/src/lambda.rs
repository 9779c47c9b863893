//! The functions as AWS Lambda runs them: `cargo xtask lambda build | bench | e2e`.

mod bench;
mod build;
mod e2e;
mod glibc;
mod runtime;

use std::path::{Path, PathBuf};

use crate::{Context, command::Result, gate::Done, python, template};

pub(crate) const USAGE: &str =
    "cargo xtask lambda build | bench [--spawns N] [--as-built] | e2e [PYTEST ARGS]";

/// A function's crate and its binary; both are named after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Function(&'static str);

/// All of them, as `template.yaml` has them.
pub(crate) const FUNCTIONS: [Function; 11] = [
    Function("proxy"),
    Function("forward"),
    Function("grants"),
    Function("revoke"),
    Function("audit-query"),
    Function("portal"),
    Function("connect"),
    Function("wallet"),
    Function("webhook"),
    Function("worker"),
    Function("audit-writer"),
];

/// The crates' features that let credentials go to this machine, where the end-to-end test's providers are.
pub(crate) const TEST_ONLY: [&str; 6] = [
    "alter-proxy/emulator",
    "alter-grants/emulator",
    "alter-revoke/emulator",
    "alter-connect/emulator",
    "alter-webhook/emulator",
    "alter-portal/emulator",
];

impl Function {
    pub(crate) fn binary(self) -> &'static str {
        self.0
    }

    pub(crate) fn package(self) -> String {
        match self.0 {
            // Two binaries of one crate: the same routes but for the way in which the answer is sent.
            "forward" => "alter-proxy".to_owned(),
            // What ends connections and keeps them alive, beside what makes them.
            "worker" => "alter-connect".to_owned(),
            name => format!("alter-{name}"),
        }
    }
}

/// The Python that runs and checks the emulated account.
pub(crate) fn emulator_tools(context: &Context) -> Result<PathBuf> {
    python::tools(context, "aws", Path::new("tests/aws/requirements.txt"))
}

/// `cargo xtask lambda …`.
pub(crate) fn run(context: &Context, arguments: &[String]) -> Result {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["build"] => build::run(context).map(drop),
        ["bench", arguments @ ..] => bench::run(context, arguments),
        ["e2e", arguments @ ..] => e2e::run(context, arguments).map(drop),
        _ => Err(format!("usage: {USAGE}").into()),
    }
}

/// The end-to-end test as a step of `cargo xtask test`, and whether the functions may do what it has seen them do.
pub(crate) fn end_to_end(context: &Context) -> Result<Done> {
    let done = e2e::run(context, &[])?;
    template::permissions(context)?;
    Ok(done)
}
