//! The suites in Rust.

use std::path::PathBuf;

use crate::{
    Context,
    command::{Result, program, run as run_command, watch, works},
    gate::Done,
};

/// All tests of the workspace. cargo-nextest runs each in its own process, several at once; without it `cargo test` does.
pub(crate) fn run(context: &Context) -> Result<Done> {
    // Every binary is built with the tests, so that suites which start `alter` find the one of this commit.
    let targets = ["--workspace", "--lib", "--bins", "--tests"];
    run_command(program(&context.cargo, &context.root).arg("build").args(targets))?;
    // The tests of the AWS adapter build their emulators when these are not there, inside the time that a test may take.
    for (directory, target) in [("emulator", "target/emulator"), ("emulator/kms", "target/emulator-kms")] {
        let manifest = context.root.join(directory).join("Cargo.toml");
        let mut build = program(&context.cargo, &context.root);
        build.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(manifest);
        run_command(build.arg("--target-dir").arg(context.root.join(target)))?;
    }
    let mut command = program(&context.cargo, &context.root);
    command.env("ALTER_BIN", context.target.join("debug/alter"));
    let counts = if works(program(&context.cargo, &context.root).args(["nextest", "--version"])) {
        command.args(["nextest", "run", "--no-fail-fast"]).args(targets);
        watch(&mut command, nextest_passed)?
    } else {
        println!("cargo-nextest is not installed; `cargo test` takes its place");
        command.args(["test", "--no-fail-fast"]).args(targets);
        watch(&mut command, libtest_passed)?
    };
    some(counts)
}

/// The binary `alter` of this commit, for suites that start it. Built as the Rust suites build it, whose build it then is.
pub(crate) fn binary(context: &Context) -> Result<PathBuf> {
    let targets = ["build", "--workspace", "--lib", "--bins"];
    run_command(program(&context.cargo, &context.root).args(targets))?;
    Ok(context.target.join("debug/alter"))
}

/// The examples in doc comments.
pub(crate) fn documentation(context: &Context) -> Result<Done> {
    let mut command = program(&context.cargo, &context.root);
    command.args(["test", "--doc", "--workspace"]);
    // There may be none: an example is not an end in itself.
    Ok(Done::Tests(watch(&mut command, libtest_passed)?.into_iter().sum()))
}

/// A runner that ran nothing has proved nothing.
pub(crate) fn some(counts: Vec<u64>) -> Result<Done> {
    match counts.into_iter().sum() {
        0 => Err("no test ran".into()),
        count => Ok(Done::Tests(count)),
    }
}

/// `Summary [ 12.3s] 345 tests run: 345 passed (2 slow), 1 skipped`
fn nextest_passed(line: &str) -> Option<u64> {
    line.trim_start().strip_prefix("Summary [")?.split_once("run:")?.1.split_whitespace().next()?.parse().ok()
}

/// `test result: ok. 12 passed; 0 failed; …`
pub(crate) fn libtest_passed(line: &str) -> Option<u64> {
    line.strip_prefix("test result: ok. ")?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_counted() {
        let line = "     Summary [  12.300s] 345 tests run: 344 passed (2 slow), 1 failed, 1 skipped";
        assert_eq!(nextest_passed(line), Some(344));
        assert_eq!(nextest_passed("        PASS [   0.1s] Summary"), None);
        assert_eq!(libtest_passed("test result: ok. 12 passed; 0 failed; 0 ignored"), Some(12));
        assert_eq!(libtest_passed("test result: FAILED. 12 passed; 1 failed; 0 ignored"), None);
    }

    #[test]
    fn an_empty_run_is_a_failure() {
        assert!(some(vec![]).is_err() && some(vec![0, 0]).is_err());
        assert!(matches!(some(vec![2, 3]), Ok(Done::Tests(5))));
    }
}
